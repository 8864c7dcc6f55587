/* Model-predictive path integral control (Williams et al., "Information theoretic MPC", ICRA 2017)
 * with elites: the mean moves to the cheapest candidates' average, weighted by exp(-cost /
 * temperature); the spread stays as it was. */
#include <math.h>
#include <string.h>

#include "plan_internal.h"

static uw_status learn(uw_planner *p, uw_search *s, int32_t iter) {
    (void)iter;
    uw__cem_elites(p, s);
    const size_t size = uw__plan_size(p), k = (size_t)s->num_elites;
    const double least = (double)p->cost[p->elites[0]];
    double sum = 0.0;
    for (size_t e = 0; e < k; e++)
        sum += exp(-((double)p->cost[p->elites[e]] - least) / (double)p->options.temperature);
    for (size_t e = 0; e < k; e++)
        p->weights[e] =
            (float)(exp(-((double)p->cost[p->elites[e]] - least) / (double)p->options.temperature) /
                    sum);
    for (size_t j = 0; j < size; j++) {
        double mean = 0.0;
        for (size_t e = 0; e < k; e++)
            mean += (double)p->weights[e] * (double)p->candidates[(size_t)p->elites[e] * size + j];
        p->mean[j] = (float)mean;
    }
    for (size_t e = 0; e < (size_t)p->num_kept; e++) {
        const size_t from = (size_t)p->elites[e < k ? e : 0];
        memcpy(p->kept + e * size, p->candidates + from * size, size * sizeof(float));
    }
    return UW_OK;
}

const uw_solver_rules uw__mppi_rules = {
    .refits = true,
    .propose = uw__cem_propose,
    .learn = learn,
    .settle = uw__cem_settle,
};
