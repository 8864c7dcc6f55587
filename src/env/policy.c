/* Scripted policies.  No libm beyond sqrt: a seed gives the same actions on every machine. */
#include "policy.h"

#include <math.h>
#include <string.h>

#include "internal.h"

/* The persistent heading of the published recipe, once per decision. */
static const double turn_probability = 0.2;
static const double drift_std = 0.4; /* radians */
static const double least_magnitude = 0.2;
static const double usual_expert_noise = 2.0;

static const char *const names[] = {"random", "expert", "weak", "none", "push"};
enum { NUM_POLICIES = sizeof names / sizeof names[0] };

bool uw__policy_parse(const char *name, uw_policy_kind *out, const char **nearest) {
    for (int i = 0; i < NUM_POLICIES; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (uw_policy_kind)i;
        return true;
    }
    if (nearest) *nearest = uw__nearest(name, names, NUM_POLICIES);
    return false;
}

void uw__policy_start(uw_policy *policy, uw_policy_kind kind, const uw_env_class *cls,
                      uint64_t seed, uint64_t episode) {
    *policy =
        (uw_policy){.kind = kind, .cls = cls, .rng = uw__rng(seed, UW_STREAM_POLICY, episode)};
}

static double clip(double x) {
    return fmin(fmax(x, -1.0), 1.0);
}

/* sin and cos of |x| < 3 by their series: drifts are normals of std 0.4, never 3 away. */
static void sin_cos(double x, double *s, double *c) {
    double term_s = x, term_c = 1.0;
    *s = x;
    *c = 1.0;
    for (int k = 2; k <= 28; k += 2) {
        term_c *= -x * x / (double)(k * (k - 1));
        term_s *= -x * x / (double)(k * (k + 1));
        *c += term_c;
        *s += term_s;
    }
}

/* Draw a direction, uniform over the unit sphere; orthogonal to `to` when that is given. */
static bool draw_direction(uw_rng *rng, int32_t dim, const double *to, double *out) {
    double along = 0.0, norm2 = 0.0;
    for (int32_t i = 0; i < dim; i++) out[i] = (double)uw__rng_normal(rng);
    for (int32_t i = 0; to && i < dim; i++) along += out[i] * to[i];
    for (int32_t i = 0; i < dim; i++) {
        if (to) out[i] -= along * to[i];
        norm2 += out[i] * out[i];
    }
    if (!(norm2 > 1e-12)) return false; /* one dimension has no other direction */
    for (int32_t i = 0; i < dim; i++) out[i] /= sqrt(norm2);
    return true;
}

/* Heading: redrawn with probability 0.2, else turned by N(0, 0.4) in the plane of a random other
 * direction; magnitude uniform in [0.2, 1] of the box's diagonal, then clipped to the box. */
static void act_random(uw_policy *p, float *action) {
    const int32_t dim = p->cls->action_dim;
    double side[UW_MAX_ACTION_DIM];
    const bool redraw = uw__rng_uniform64(&p->rng) < turn_probability;
    if (redraw || !p->started) {
        while (!draw_direction(&p->rng, dim, NULL, p->heading)) continue;
        p->started = true;
    } else {
        double s, c;
        sin_cos(drift_std * (double)uw__rng_normal(&p->rng), &s, &c);
        if (draw_direction(&p->rng, dim, p->heading, side))
            for (int32_t i = 0; i < dim; i++) p->heading[i] = c * p->heading[i] + s * side[i];
    }
    const double magnitude = least_magnitude + (1.0 - least_magnitude) * uw__rng_uniform64(&p->rng);
    for (int32_t i = 0; i < dim; i++)
        action[i] = (float)clip(sqrt(dim) * magnitude * p->heading[i]);
}

static float expert_noise(const uw_env_class *cls) {
    return (float)(cls->expert_noise > 0.0 ? cls->expert_noise : usual_expert_noise);
}

static void act_weak(uw_policy *p, const void *self, float *action) {
    double uniform[UW_MAX_ACTION_DIM];
    for (int32_t i = 0; i < p->cls->action_dim; i++) uniform[i] = (double)action[i];
    p->cls->weak(self, uniform, action);
}

/* As many numbers for every decision, so that what one needs does not move the next one's. */
static void act_push(uw_policy *p, const void *self, float *action) {
    double uniform[UW_POLICY_DRAWS], normal[UW_POLICY_DRAWS];
    for (int i = 0; i < UW_POLICY_DRAWS; i++) uniform[i] = uw__rng_uniform64(&p->rng);
    for (int i = 0; i < UW_POLICY_DRAWS; i++) normal[i] = (double)uw__rng_normal(&p->rng);
    p->cls->push(self, uniform, normal, p->memory, action);
}

void uw__policy_act(uw_policy *p, const void *self, float *action) {
    const int32_t dim = p->cls->action_dim;
    switch (p->kind) {
    case UW_POLICY_RANDOM:
        act_random(p, action);
        break;
    case UW_POLICY_EXPERT:
        (p->cls->expert ? p->cls->expert : p->cls->oracle)(self, action);
        for (int32_t i = 0; i < dim; i++) {
            const float noise = expert_noise(p->cls) * uw__rng_normal(&p->rng);
            action[i] = (float)clip((double)(action[i] + noise));
        }
        break;
    case UW_POLICY_WEAK:
        for (int32_t i = 0; i < dim; i++) action[i] = 2.0f * uw__rng_uniform(&p->rng) - 1.0f;
        if (p->cls->weak) act_weak(p, self, action);
        break;
    case UW_POLICY_PUSH:
        act_push(p, self, action);
        break;
    case UW_POLICY_NONE:
        memset(action, 0, (size_t)dim * sizeof *action);
        break;
    }
}
