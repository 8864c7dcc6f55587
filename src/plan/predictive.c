/* Predictive sampling (Howell et al., "Predictive sampling: real-time behaviour synthesis with
 * MuJoCo", 2022): disturb the plan at hand, take the cheapest.  One pass is the published method;
 * further ones start from the cheapest so far. */
#include <string.h>

#include "plan_internal.h"

static uw_status learn(uw_planner *p, uw_search *s, int32_t iter) {
    (void)s, (void)iter;
    memcpy(p->mean, p->best, uw__plan_size(p) * sizeof(float));
    return UW_OK;
}

static int32_t settle(uw_planner *p, uw_search *s) {
    (void)p, (void)s;
    return 0; /* the best was evaluated already */
}

const uw_solver_rules uw__predictive_rules = {
    .propose = uw__cem_propose,
    .learn = learn,
    .settle = settle,
};
