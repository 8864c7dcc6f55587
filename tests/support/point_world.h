/* A linear world for planners: a point with inertia in two dimensions, seen as its own state.
 *
 *     z = (p, v),  v' = 0.8 v + 0.5 u,  p' = p + v'         D = 4, A = 2, Markov
 *
 * With faults on demand, so that tests can see what a planner does about them. */
#ifndef UW_POINT_WORLD_H
#define UW_POINT_WORLD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <umwelt/planner.h>

enum { POINT_D = 4, POINT_A = 2 };

typedef struct point_world {
    int64_t rollouts;       /* calls so far */
    int32_t nan_every;      /* every k-th candidate's latents become NaN; 0 = none */
    int32_t finite_first;   /* only this many candidates of a call stay finite; 0 = all */
    bool all_nan;
    uw_status fail_rollout; /* returned by rollout */
    uw_status fail_encode;
    int64_t sleep_ns;       /* busy waiting in every rollout */
    int32_t history_seen;   /* of the last rollout */
    int32_t lead; /* as the dynamics' dims have it */
    float past_seen[64];
} point_world;

static inline void point_step(const float *z, const float *u, float *next) {
    for (int k = 0; k < 2; k++) {
        const float v = 0.8f * z[2 + k] + 0.5f * u[k];
        next[k] = z[k] + v;
        next[2 + k] = v;
    }
}

static inline uw_status point_encode(void *self, const void *observation, float *z) {
    const point_world *w = self;
    memcpy(z, observation, POINT_D * sizeof(float));
    return w->fail_encode;
}

int64_t uw__clock_ns(void);

static inline uw_status point_rollout(void *self, const float *z0, int32_t history,
                                      const float *past, const float *actions, int32_t n,
                                      int32_t h, float *z) {
    point_world *w = self;
    w->rollouts++;
    w->history_seen = history;
    const int32_t before = history - 1 + w->lead;
    if (before && past) memcpy(w->past_seen, past, (size_t)before * POINT_A * sizeof(float));
    if (w->fail_rollout) return w->fail_rollout;
    const int64_t until = w->sleep_ns ? uw__clock_ns() + w->sleep_ns : 0;
    for (int32_t i = 0; i < n; i++) {
        const float *at = z0 + (size_t)(history - 1) * POINT_D;
        for (int32_t t = 0; t < h; t++) {
            float *next = z + ((size_t)i * (size_t)h + (size_t)t) * POINT_D;
            point_step(at, actions + ((size_t)i * (size_t)h + (size_t)t) * POINT_A, next);
            at = next;
        }
        const bool bad = w->all_nan || (w->nan_every && i % w->nan_every == 0) ||
                         (w->finite_first && i >= w->finite_first);
        if (bad) z[((size_t)i * (size_t)h + (size_t)(h - 1)) * POINT_D] = NAN;
    }
    while (until && uw__clock_ns() < until) { /* busy */
    }
    return UW_OK;
}

/* Back along v' = 0.8 v + 0.5 u, p' = p + v'. */
static inline uw_status point_gradient(void *self, const float *z0, int32_t history,
                                       const float *past, const float *actions, int32_t n,
                                       int32_t h, const float *dz, float *dactions) {
    (void)self, (void)z0, (void)history, (void)past, (void)actions;
    for (int32_t i = 0; i < n; i++) {
        float dp[2] = {0}, dv[2] = {0};
        for (int32_t t = h; t-- > 0;) {
            const size_t at = (size_t)i * (size_t)h + (size_t)t;
            for (int k = 0; k < 2; k++) {
                dp[k] += dz[at * POINT_D + (size_t)k];
                dv[k] += dp[k] + dz[at * POINT_D + 2 + (size_t)k];
                dactions[at * POINT_A + (size_t)k] = 0.5f * dv[k];
                dv[k] *= 0.8f;
            }
        }
    }
    return UW_OK;
}

/* history: of the dynamics; num_samples: candidates per rollout call. */
static inline uw_dynamics point_dynamics(point_world *w, int32_t history, int32_t num_samples,
                                         int32_t horizon) {
    return (uw_dynamics){.dims = {.latent_dim = POINT_D,
                                  .action_dim = POINT_A,
                                  .history_size = history,
                                  .num_samples = num_samples,
                                  .horizon = horizon,
                                  .observation_bytes = POINT_D * sizeof(float)},
                         .self = w,
                         .encode = point_encode,
                         .rollout = point_rollout,
                         .gradient = point_gradient};
}

/* 64-byte aligned memory, or NULL. */
static inline void *point_memory(size_t bytes) {
    void *mem = NULL;
    return bytes && posix_memalign(&mem, 64, bytes) == 0 ? mem : NULL;
}

#endif
