/* The augmented Lagrangian method: descend on cost + lambda g + rho max(g, 0)^2 for a round, then
 * move the multipliers by what is still violated and let the penalty grow.
 *
 * Constraints come from the caller, are satisfied when g <= 0, and share their multipliers over all
 * samples.  The reference returns the cheapest sample whether it is feasible or not; here feasible
 * goes before cheap, and the least violation before both, unless compat. */
#include <math.h>
#include <string.h>

#include "plan_internal.h"

/* lambda = max(0, lambda + rho mean g); rho grows up to its limit. */
static void ascend(uw_planner *p) {
    const uw_planner_options *o = &p->options;
    const size_t n = (size_t)o->num_samples, c = (size_t)o->num_constraints;
    for (size_t k = 0; k < c; k++) {
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) sum += (double)p->violations[i * c + k];
        const double next = (double)p->lambda[k] + (double)p->rho * sum / (double)n;
        /* Also where NaN: multipliers outlive the plan. */
        p->lambda[k] = next > 0.0 && next < 1e30 ? (float)next : 0.0f;
    }
    p->rho = fminf(o->penalty_max, p->rho * o->penalty_growth);
}

static uw_status propose(uw_planner *p, uw_search *s, int32_t iter) {
    if (iter == 0) {
        p->rho = p->options.penalty;
        if (p->options.forget_multipliers)
            memset(p->lambda, 0, (size_t)p->options.num_constraints * sizeof(float));
    }
    return uw__gradient_propose(p, s, iter);
}

static uw_status learn(uw_planner *p, uw_search *s, int32_t iter) {
    if (iter > 0 && iter % p->options.iters == 0) ascend(p);
    return uw__gradient_learn(p, s, iter);
}

const uw_solver_rules uw__lagrangian_rules = {
    .gradient = true,
    .propose = propose,
    .learn = learn,
    .settle = uw__gradient_settle,
    .close = ascend,
};
