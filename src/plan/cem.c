/* The cross-entropy method: sample around a mean, keep the cheapest, refit.  Also the steps that
 * iCEM shares with it.  Ties are broken by index, so a plan never depends on how a sort was
 * written.
 *
 * Traps: what LeWM's code calls a variance multiplies the noise, so it is a standard deviation; its
 * released form divides by K - 1 and neither clips nor floors (sample_std, unbounded, min_std 0).
 */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

void uw__cem_place(uw_planner *p, int32_t iter) {
    const uw_planner_options *o = &p->options;
    const size_t n = (size_t)o->num_samples;
    const size_t size = (size_t)o->horizon * (size_t)p->dynamics.dims.action_dim;
    const size_t kept = iter > 0 ? (size_t)p->num_kept : 0;

    for (size_t i = 1 + kept; i < n; i++) {
        float *c = p->candidates + i * size;
        for (size_t j = 0; j < size; j++) c[j] = p->mean[j] + p->std[j] * c[j];
    }
    memcpy(p->candidates, p->mean, size * sizeof(float));
    memcpy(p->candidates + size, p->kept, kept * size * sizeof(float));
    if (o->unbounded) return;
    for (size_t i = 0; i < n * size; i++) {
        const float c = p->candidates[i];
        p->candidates[i] = c < o->action_low    ? o->action_low
                           : c > o->action_high ? o->action_high
                                                : c;
    }
}

void uw__cem_sample(uw_planner *p, int32_t iter) {
    uw__noise_correlate(p->candidates, (size_t)p->options.num_samples, (size_t)p->options.horizon,
                        (size_t)p->dynamics.dims.action_dim, p->options.noise_ar);
    uw__cem_place(p, iter);
}

/* True when candidate a sorts behind candidate b. */
static bool behind(const float *cost, int32_t a, int32_t b) {
    return cost[a] > cost[b] || (cost[a] == cost[b] && a > b);
}

/* Let heap[root] sink in a heap of `count` indices whose top sorts last. */
static void sink(const float *cost, int32_t *heap, int32_t root, int32_t count) {
    for (;;) {
        int32_t child = 2 * root + 1;
        if (child >= count) return;
        if (child + 1 < count && behind(cost, heap[child + 1], heap[child])) child++;
        if (!behind(cost, heap[child], heap[root])) return;
        const int32_t swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
        root = child;
    }
}

int32_t uw__cem_select(const float *cost, int32_t n, int32_t k, int32_t *elites) {
    /* A heap of the k best so far, worst on top: O(n log k), in place (qsort may allocate). */
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!(cost[i] < INFINITY)) continue;
        if (count < k) {
            elites[count++] = i;
            if (count == k)
                for (int32_t root = k / 2; root-- > 0;) sink(cost, elites, root, k);
        } else if (behind(cost, elites[0], i)) {
            elites[0] = i;
            sink(cost, elites, 0, k);
        }
    }
    if (count < k)
        for (int32_t root = count / 2; root-- > 0;) sink(cost, elites, root, count);
    for (int32_t last = count - 1; last > 0; last--) {
        const int32_t swap = elites[0];
        elites[0] = elites[last];
        elites[last] = swap;
        sink(cost, elites, 0, last);
    }
    return count;
}

void uw__cem_refit(uw_planner *p, int32_t num_elites) {
    const uw_planner_options *o = &p->options;
    const size_t size = (size_t)o->horizon * (size_t)p->dynamics.dims.action_dim;
    const double k = (double)num_elites;
    /* One elite has no spread, whichever divisor is asked for: 0, then the floor. */
    const double divisor = o->sample_std && num_elites > 1 ? k - 1.0 : k;
    const double old = (double)o->momentum;

    for (size_t j = 0; j < size; j++) {
        double mean = 0.0, square = 0.0;
        for (int32_t e = 0; e < num_elites; e++)
            mean += (double)p->candidates[(size_t)p->elites[e] * size + j];
        mean /= k;
        for (int32_t e = 0; e < num_elites; e++) {
            const double off = (double)p->candidates[(size_t)p->elites[e] * size + j] - mean;
            square += off * off;
        }
        const double std = sqrt(square / divisor);
        p->mean[j] = (float)(old * (double)p->mean[j] + (1.0 - old) * mean);
        const float next = (float)(old * (double)p->std[j] + (1.0 - old) * std);
        p->std[j] = next < o->min_std ? o->min_std : next;
    }
    /* With fewer finite elites than wanted, the best one fills the remaining places. */
    for (int32_t e = 0; e < p->num_kept; e++) {
        const int32_t from = p->elites[e < num_elites ? e : 0];
        memcpy(p->kept + (size_t)e * size, p->candidates + (size_t)from * size,
               size * sizeof(float));
    }
}
