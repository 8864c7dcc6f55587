/* Gradient descent on several starts at once, through the dynamics' own gradient.  Also the steps
 * that every descent shares with it.
 *
 * Sample 0 starts at the mean, the others around it.  The optimizers are PyTorch's: SGD, Adam and
 * AdamW with betas 0.9 and 0.999, eps 1e-8.
 *
 * The reference clips one norm over all samples and environments of a batch, so that a candidate's
 * step depends on its neighbours; here every candidate has its own norm, unless compat. */
#include <math.h>
#include <string.h>

#include "plan_internal.h"

/* ---- the start ------------------------------------------------------------------------------- */

static uw_status start(uw_planner *p, uw_search *s) {
    const size_t n = (size_t)p->options.num_samples, size = uw__plan_size(p);
    const float spread = p->options.init_std;
    if (n > 1) {
        const uw_status status = uw__planner_draw(p, s, 0, p->draws);
        if (status) return status;
        uw__noise_shape(p, p->draws);
    }
    memcpy(p->candidates, p->warm, size * sizeof(float));
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < size; j++)
            p->candidates[i * size + j] = p->warm[j] + spread * p->draws[i * size + j];
    return UW_OK;
}

/* ---- one step -------------------------------------------------------------------------------- */

/* Scale the gradients to at most grad_clip, each by its norm or, compat, all by one. */
static void clip_norms(uw_planner *p, int32_t iter) {
    const double most = (double)p->options.grad_clip;
    const bool together = p->options.compat;
    const size_t rows = together ? 1 : (size_t)p->options.num_samples;
    const size_t size = uw__plan_size(p) * (together ? (size_t)p->options.num_samples : 1);
    for (size_t i = 0; i < rows; i++) {
        float *g = p->grad + i * size;
        double square = together && p->hook.others ? p->hook.others(p->hook.cookie, iter) : 0.0;
        for (size_t j = 0; j < size; j++) square += (double)g[j] * (double)g[j];
        const double scale = most / (sqrt(square) + 1e-6);
        if (scale >= 1.0) continue;
        for (size_t j = 0; j < size; j++) g[j] = (float)(scale * (double)g[j]);
    }
}

/* Move all candidates by their gradients; t counts steps from 1. */
static void descend(uw_planner *p, int32_t t) {
    static const double BETA1 = 0.9, BETA2 = 0.999, EPS = 1e-8;
    const uw_planner_options *o = &p->options;
    const size_t count = (size_t)o->num_samples * uw__plan_size(p);
    const double rate = (double)o->learning_rate;
    if (o->descent == UW_DESCENT_SGD) {
        for (size_t j = 0; j < count; j++)
            p->candidates[j] = (float)((double)p->candidates[j] - rate * (double)p->grad[j]);
        return;
    }
    const double keep = o->descent == UW_DESCENT_ADAMW ? 1.0 - rate * (double)o->weight_decay : 1.0;
    const double fix1 = 1.0 - pow(BETA1, t), fix2 = 1.0 - pow(BETA2, t);
    if (t == 1)
        for (int k = 0; k < 2; k++) memset(p->moment[k], 0, count * sizeof(float));
    for (size_t j = 0; j < count; j++) {
        const double g = (double)p->grad[j];
        const double m = BETA1 * (double)p->moment[0][j] + (1.0 - BETA1) * g;
        const double v = BETA2 * (double)p->moment[1][j] + (1.0 - BETA2) * g * g;
        p->moment[0][j] = (float)m;
        p->moment[1][j] = (float)v;
        const double step = rate * (m / fix1) / (sqrt(v / fix2) + EPS);
        p->candidates[j] = (float)(keep * (double)p->candidates[j] - step);
    }
}

uw_status uw__gradient_step(uw_planner *p, uw_search *s, int32_t iter) {
    const uw_planner_options *o = &p->options;
    if (iter == 0) return start(p, s);
    if (o->grad_clip > 0.0f) clip_norms(p, iter - 1);
    descend(p, (iter - 1) % o->iters + 1); /* afresh in every round */
    if (o->action_noise == 0.0f) return UW_OK;
    const uw_status status = uw__planner_draw(p, s, iter, p->draws);
    if (status) return status;
    const size_t count = (size_t)o->num_samples * uw__plan_size(p);
    for (size_t j = 0; j < count; j++) p->candidates[j] += o->action_noise * p->draws[j];
    return UW_OK;
}

uw_status uw__gradient_propose(uw_planner *p, uw_search *s, int32_t iter) {
    const uw_status status = uw__gradient_step(p, s, iter);
    if (!status) uw__planner_clip(p, p->candidates, (size_t)p->options.num_samples);
    return status;
}

/* ---- the gradient ---------------------------------------------------------------------------- */

/* Loss by latents and, directly, by actions of n candidates; the rest is the dynamics'. */
static uw_status loss_gradient(uw_planner *p, const uw_search *s, size_t first, size_t n,
                               const float *actions, float *dactions) {
    const uw_planner_options *o = &p->options;
    const size_t h = (size_t)o->horizon, d = (size_t)p->dynamics.dims.latent_dim;
    const size_t size = h * (size_t)p->dynamics.dims.action_dim, c = (size_t)o->num_constraints;
    const float *latents = p->latents + first * h * d;
    const float pull = 2.0f * o->action_cost / (float)size;
    for (size_t i = 0; i < n; i++) {
        /* Nothing leads out of what is not finite: such a candidate stays where it is. */
        if (p->cost[first + i] < INFINITY)
            uw__objective_gradient(o->objective, latents + i * h * d, s->z_goal, h, d,
                                   p->dz + i * h * d);
        else
            memset(p->dz + i * h * d, 0, h * d * sizeof(float));
    }
    for (size_t j = 0; j < n * size; j++) dactions[j] = pull * actions[j];
    if (c == 0) return UW_OK;
    const float *g = p->violations + first * c;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++)
            p->penalties[i * c + k] = p->lambda[k] + 2.0f * p->rho * fmaxf(g[i * c + k], 0.0f);
    return p->constrain(p->constrain_cookie, latents, actions, (int32_t)n, o->horizon, NULL,
                        p->penalties, p->dz, dactions);
}

uw_status uw__gradient_learn(uw_planner *p, uw_search *s, int32_t iter) {
    (void)iter;
    const uw_planner_options *o = &p->options;
    const size_t size = uw__plan_size(p), total = (size_t)o->num_samples;
    const size_t a = (size_t)o->horizon * (size_t)p->dynamics.dims.action_dim;
    for (size_t first = 0; first < total; first += (size_t)p->chunk) {
        const size_t left = total - first, n = left < (size_t)p->chunk ? left : (size_t)p->chunk;
        const float *actions = uw__planner_actions(p, first, n);
        float *grad = p->grad + first * size;
        float *direct = p->rules->discrete ? p->direct : grad; /* [n, H, A] */
        uw_status status = loss_gradient(p, s, first, n, actions, direct);
        if (status) return status;
        status = p->dynamics.gradient(p->dynamics.self, s->z0, s->history, s->past, actions,
                                      (int32_t)n, o->horizon, p->dz, p->dactions);
        if (status) return status;
        for (size_t j = 0; j < n * a; j++) direct[j] += p->dactions[j];
        if (p->rules->discrete) uw__discrete_gradient(p, direct, n, grad);
        for (size_t i = 0; i < n; i++)
            if (!uw__plan_finite(grad + i * size, size))
                memset(grad + i * size, 0, size * sizeof(float));
    }
    return UW_OK;
}

int32_t uw__gradient_settle(uw_planner *p, uw_search *s) {
    /* The reference chooses among the last positions only. */
    if (p->options.compat) s->info.best_cost = INFINITY;
    return p->options.num_samples;
}

const uw_solver_rules uw__gradient_rules = {
    .gradient = true,
    .propose = uw__gradient_propose,
    .learn = uw__gradient_learn,
    .settle = uw__gradient_settle,
};
