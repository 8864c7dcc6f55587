/* The cross-entropy method for discrete actions: draw choices from probabilities (by the largest
 * perturbed logarithm, Gumbel), move the probabilities to the elites' frequencies.
 *
 * The search starts from equal probabilities.  The reference forgets the plan it had; here it is
 * tried as candidate 0 of the first iteration, where the likeliest choices mean nothing yet. */
#include <math.h>
#include <string.h>

#include "plan_internal.h"

/* One group: uniform draws [c] become the choice drawn from probabilities [c]. */
static void draw_choice(float *draws, const float *probs, size_t c) {
    static const double LEAST = 1e-10; /* of the reference, under both logarithms */
    size_t top = 0;
    double most = -INFINITY;
    for (size_t row = 0; row < c; row++) {
        const double u = fmax((double)draws[row], LEAST), prob = fmax((double)probs[row], LEAST);
        const double score = log(prob) - log(-log(u));
        if (!(score > most)) continue;
        most = score;
        top = row;
    }
    memset(draws, 0, c * sizeof *draws);
    draws[top] = 1.0f;
}

static uw_status propose(uw_planner *p, uw_search *s, int32_t iter) {
    const size_t n = (size_t)p->options.num_samples, size = uw__plan_size(p);
    const size_t c = (size_t)p->num_choices;
    if (iter == 0)
        for (size_t j = 0; j < size; j++) p->mean[j] = 1.0f / (float)c;
    const uw_status status = uw__planner_draw(p, s, iter, p->candidates);
    if (status) return status;
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < size; j += c)
            draw_choice(p->candidates + i * size + j, p->mean + j, c);
    memcpy(p->candidates, iter == 0 && !p->options.compat ? p->warm : p->mean,
           size * sizeof(float));
    uw__discrete_round(p, p->candidates, 1);
    return UW_OK;
}

static uw_status learn(uw_planner *p, uw_search *s, int32_t iter) {
    (void)iter;
    uw__cem_elites(p, s);
    const size_t size = uw__plan_size(p), c = (size_t)p->num_choices;
    const double k = (double)s->num_elites, extra = (double)p->options.smoothing;
    const double old = (double)p->options.momentum;
    for (size_t j = 0; j < size; j++) {
        double count = 0.0;
        for (int32_t e = 0; e < s->num_elites; e++)
            count += (double)p->candidates[(size_t)p->elites[e] * size + j];
        const double share = (count / k + extra) / (1.0 + (double)c * extra);
        p->mean[j] = (float)(old * (double)p->mean[j] + (1.0 - old) * share);
    }
    return UW_OK;
}

static int32_t settle(uw_planner *p, uw_search *s) {
    const int32_t count = uw__cem_settle(p, s);
    if (count) uw__discrete_round(p, p->candidates, 1);
    return count;
}

const uw_solver_rules uw__categorical_rules = {
    .refits = true,
    .discrete = true,
    .propose = propose,
    .learn = learn,
    .settle = settle,
};
