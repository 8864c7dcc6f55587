/* iCEM (Pinneri et al., "Sample-efficient cross-entropy method for real-time planning", CoRL 2020)
 * as the LeWM family runs it: CEM with coloured noise, momentum in the refit, elites kept and
 * bounds respected.
 *
 * Traps: the momentum weighs the old distribution; only the previous iteration's elites come back,
 * best first, and clipping comes last. */
#include "plan_internal.h"

void uw__icem_sample(uw_planner *p, int32_t iter) {
    uw__noise_colour(p->candidates, (size_t)p->options.num_samples, (size_t)p->options.horizon,
                     (size_t)p->dynamics.dims.action_dim, p->colour, p->series);
    uw__cem_place(p, iter);
}
