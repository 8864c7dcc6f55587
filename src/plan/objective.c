/* Objectives: what a rollout costs.  Squared latent distance per step, or what a value says of it,
 * folded over the horizon. */
#include "plan_internal.h"

#include <math.h>

bool uw__plan_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

float uw__objective_distance(const float *x, const float *y, size_t d) {
    /* Eight running sums in a fixed order: the compiler may use any vector width, the bits stay. */
    float lane[8] = {0};
    size_t j = 0;
    for (; j + 8 <= d; j += 8) {
        for (size_t l = 0; l < 8; l++) {
            const float e = x[j + l] - y[j + l];
            lane[l] += e * e;
        }
    }
    for (size_t l = 0; j < d; j++, l++) {
        const float e = x[j] - y[j];
        lane[l] += e * e;
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Where a rollout's step costs come from. */
typedef struct source {
    const float *steps;            /* [h]; NULL: squared distance of */
    const float *latents, *z_goal; /* [h, d], [d] */
    size_t d;
} source;

static double step_cost(const source *s, size_t t) {
    if (s->steps) return (double)s->steps[t];
    return (double)uw__objective_distance(s->latents + t * s->d, s->z_goal, s->d);
}

static double fold(uw_objective objective, const source *s, size_t h) {
    if (objective == UW_OBJECTIVE_LAST) return step_cost(s, h - 1);
    double sum = 0.0, least = INFINITY;
    for (size_t t = 0; t < h; t++) {
        const double e = step_cost(s, t);
        sum += e; /* also under MIN: a NaN anywhere must not hide behind a smaller step */
        if (e < least) least = e;
    }
    return objective == UW_OBJECTIVE_MIN && isfinite(sum) ? least : sum;
}

/* Add the cost of the actions [h, a] to a rollout's. */
static float total(double value, float action_cost, const float *actions, size_t count) {
    if (action_cost != 0.0f) {
        double square = 0.0;
        for (size_t j = 0; j < count; j++) square += (double)actions[j] * (double)actions[j];
        value += (double)action_cost * square / (double)count;
    }
    const float rounded = (float)value;
    return isfinite(rounded) ? rounded : INFINITY;
}

void uw__objective_gradient(uw_objective objective, const float *latents, const float *z_goal,
                            size_t h, size_t d, float *dz) {
    size_t first = 0, behind = h; /* the steps that count */
    if (objective == UW_OBJECTIVE_LAST) first = h - 1;
    if (objective == UW_OBJECTIVE_MIN) {
        float least = INFINITY;
        for (size_t t = 0; t < h; t++) {
            const float e = uw__objective_distance(latents + t * d, z_goal, d);
            if (!(e < least)) continue;
            least = e;
            first = t;
            behind = t + 1;
        }
    }
    for (size_t t = 0; t < h; t++)
        for (size_t j = 0; j < d; j++)
            dz[t * d + j] =
                t >= first && t < behind ? 2.0f * (latents[t * d + j] - z_goal[j]) : 0.0f;
}

void uw__objective_cost(uw_objective objective, float action_cost, const float *latents,
                        const float *actions, const float *z_goal, size_t n, size_t h, size_t d,
                        size_t a, float *cost) {
    for (size_t i = 0; i < n; i++) {
        const source from = {.latents = latents + i * h * d, .z_goal = z_goal, .d = d};
        cost[i] = total(fold(objective, &from, h), action_cost, actions + i * h * a, h * a);
    }
}

void uw__objective_fold(uw_objective objective, float action_cost, const float *steps,
                        const float *actions, size_t n, size_t h, size_t a, float *cost) {
    for (size_t i = 0; i < n; i++) {
        const source from = {.steps = steps + i * h};
        cost[i] = total(fold(objective, &from, h), action_cost, actions + i * h * a, h * a);
    }
}
