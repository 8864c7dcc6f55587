/* An actor in place of a search, or before it: what it does step by step in the dynamics'
 * imagination.
 *
 * Every step is rolled out from the plan's start anew: dynamics with a history have no other way
 * in, and a plan of one decision, the usual one, needs no imagination at all. */
#include "plan_internal.h"

#include <string.h>

uw_status uw__actor_plan(uw_planner *p, const uw_search *s, float *plan) {
    const size_t d = (size_t)p->dynamics.dims.latent_dim, a = (size_t)p->dynamics.dims.action_dim;
    const float *z = s->z0 + (size_t)(s->history - 1) * d;
    uw_rng rng = uw__rng(p->options.seed, UW_STREAM_ACTOR, p->stream << 32 | p->decision);
    memset(plan, 0, uw__plan_size(p) * sizeof *plan);
    for (int32_t t = 0; t < p->options.horizon; t++) {
        uw_status status =
            p->actor.act(p->actor.self, z, s->z_goal, uw__rng_uniform(&rng), plan + (size_t)t * a);
        if (status) return status;
        uw__planner_clip(p, plan, 1);
        if (t + 1 == p->options.horizon) break;
        status = p->dynamics.rollout(p->dynamics.self, s->z0, s->history, s->past, plan, 1, t + 1,
                                     p->latents);
        if (status) return status;
        z = p->latents + (size_t)t * d;
        if (!uw__plan_finite(z, d)) return UW_ENONFINITE;
    }
    return UW_OK;
}
