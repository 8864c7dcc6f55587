/* Projected gradient descent for discrete actions: descend on the relaxed weights, project each
 * group onto the simplex, take the largest weight at the end.
 *
 * The reference evaluates its disturbed start before any projection, and returns the rounding of
 * the cheapest relaxed plan, which nobody evaluated.  Here the start is projected, and all
 * candidates are rounded before the last look, so that the plan is the cheapest that can be carried
 * out. */
#include <math.h>
#include <string.h>

#include "plan_internal.h"

/* Project w [c] onto {w >= 0, sum w = 1}: subtract the threshold that leaves a sum of 1 (Held,
 * Wolfe and Crowder, 1974).  Raising it value by value needs no sort: c is small. */
static void project(float *w, size_t c) {
    double threshold = -INFINITY;
    for (;;) {
        double sum = 0.0, count = 0.0;
        for (size_t row = 0; row < c; row++) {
            if (!((double)w[row] > threshold)) continue;
            sum += (double)w[row];
            count += 1.0;
        }
        const double next = (sum - 1.0) / count;
        if (!(next > threshold)) break;
        threshold = next;
    }
    for (size_t row = 0; row < c; row++) w[row] = (float)fmax((double)w[row] - threshold, 0.0);
}

static uw_status propose(uw_planner *p, uw_search *s, int32_t iter) {
    const uw_status status = uw__gradient_step(p, s, iter);
    if (status || (iter == 0 && p->options.compat)) return status;
    const size_t c = (size_t)p->num_choices;
    const size_t count = (size_t)p->options.num_samples * uw__plan_size(p);
    for (size_t j = 0; j < count; j += c) project(p->candidates + j, c);
    return UW_OK;
}

static int32_t settle(uw_planner *p, uw_search *s) {
    const size_t n = (size_t)p->options.num_samples, size = uw__plan_size(p);
    s->info.best_cost = INFINITY; /* relaxed plans are none */
    if (p->options.compat) return (int32_t)n;
    /* Steps too long overshoot: the cheapest on the way takes the last place. */
    memcpy(p->candidates + (n - 1) * size, p->best, size * sizeof(float));
    uw__discrete_round(p, p->candidates, n);
    return (int32_t)n;
}

const uw_solver_rules uw__pgd_rules = {
    .gradient = true,
    .discrete = true,
    .propose = propose,
    .learn = uw__gradient_learn,
    .settle = settle,
};
