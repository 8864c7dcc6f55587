/* The cross-entropy method: sample around a mean, keep the cheapest, refit.  Also the steps that
 * every sampler shares with it.  Ties are broken by index, so a plan never depends on how a sort
 * was written.
 *
 * iCEM (Pinneri et al., "Sample-efficient cross-entropy method for real-time planning", CoRL 2020)
 * as the LeWM family runs it is the same with coloured noise, momentum and kept elites.
 *
 * Traps: what LeWM's code calls a variance multiplies the noise, so it is a standard deviation; its
 * released form divides by K - 1 and neither clips nor floors (sample_std, unbounded, min_std 0);
 * the momentum weighs the old distribution; only the previous iteration's elites come back, best
 * first, and clipping comes last.
 */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

void uw__cem_place(uw_planner *p, int32_t iter) {
    const size_t n = (size_t)p->options.num_samples, size = uw__plan_size(p);
    const size_t kept = iter > 0 ? (size_t)p->num_kept : 0;

    for (size_t i = 1 + kept; i < n; i++) {
        float *c = p->candidates + i * size;
        for (size_t j = 0; j < size; j++) c[j] = p->mean[j] + p->std[j] * c[j];
    }
    memcpy(p->candidates, p->mean, size * sizeof(float));
    memcpy(p->candidates + size, p->kept, kept * size * sizeof(float));
    uw__planner_clip(p, p->candidates, n);
}

uw_status uw__cem_propose(uw_planner *p, uw_search *s, int32_t iter) {
    if (iter == 0) {
        const size_t size = uw__plan_size(p);
        memcpy(p->mean, p->warm, size * sizeof(float));
        for (size_t j = 0; j < size; j++) p->std[j] = p->options.init_std;
    }
    const uw_status status = uw__planner_draw(p, s, iter, p->candidates);
    if (status) return status;
    uw__noise_shape(p, p->candidates);
    uw__cem_place(p, iter);
    return UW_OK;
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

void uw__cem_elites(uw_planner *p, uw_search *s) {
    const uw_planner_options *o = &p->options;
    const int32_t k = uw__cem_select(p->cost, o->num_samples, o->num_elites, p->elites);
    s->num_elites = k;
    s->info.elite_cost_spread = p->cost[p->elites[k - 1]] - p->cost[p->elites[0]];
}

/* Move mean and std to the elites', with momentum and floor, and keep the best of them. */
static uw_status learn(uw_planner *p, uw_search *s, int32_t iter) {
    (void)iter;
    uw__cem_elites(p, s);
    const uw_planner_options *o = &p->options;
    const size_t size = uw__plan_size(p);
    const int32_t num_elites = s->num_elites;
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
    return UW_OK;
}

int32_t uw__cem_settle(uw_planner *p, uw_search *s) {
    (void)s;
    if (p->options.compat || p->options.return_best) return 0;
    memcpy(p->candidates, p->mean, uw__plan_size(p) * sizeof(float));
    return 1;
}

const uw_solver_rules uw__cem_rules = {
    .refits = true,
    .propose = uw__cem_propose,
    .learn = learn,
    .settle = uw__cem_settle,
};
