/* Latents with known answers: Ornstein-Uhlenbeck worlds, what breaks them, and codes of them. */
#ifndef UW_SYNTHETIC_LATENTS_H
#define UW_SYNTHETIC_LATENTS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/certify.h>

#include "rng.h"

enum latents_noise { NOISE_GAUSSIAN, NOISE_LAPLACE, NOISE_EXPONENTIAL };

/* A world of n coordinates: z' = rho z + noise, stationary with variance one. */
typedef struct latents_world {
    int32_t n;
    int64_t episodes, length;
    double rho[8];
    enum latents_noise noise;
    double turn;  /* radians per step, of coordinates 0 and 1 */
    double start; /* spread of first rows, 1 = stationary */
    uint64_t seed;
} latents_world;

/* Its truth z, and a code h of it, [rows, ...] each. */
typedef struct latents {
    int64_t rows, episodes;
    int32_t n, dim;
    double *z;
    float *h;
    int64_t *start;
} latents;

static inline double latents_exponential(uw_rng *r) {
    return -log(1.0 - uw__rng_uniform64(r));
}

/* Noise that makes an autoregression with this rho stationary with variance one (Gaver and Lewis 1980). */
static inline double latents_draw(uw_rng *r, enum latents_noise kind, double rho) {
    switch (kind) {
    case NOISE_LAPLACE:
        if (uw__rng_uniform64(r) < rho * rho) return 0.0;
        return latents_exponential(r) * (uw__rng_uniform64(r) < 0.5 ? -1.0 : 1.0) / sqrt(2.0);
    case NOISE_EXPONENTIAL:
        return (uw__rng_uniform64(r) < rho ? 0.0 : latents_exponential(r)) - (1.0 - rho);
    case NOISE_GAUSSIAN:
        break;
    }
    return sqrt(1.0 - rho * rho) * (double)uw__rng_normal(r);
}

/* Walk the world, its code the truth itself. */
static inline latents latents_make(const latents_world *w) {
    enum { BURN = 200 };
    latents l = {.rows = w->episodes * w->length, .episodes = w->episodes, .n = w->n, .dim = w->n};
    const size_t cells = (size_t)l.rows * (size_t)w->n;
    l.z = malloc(cells * sizeof *l.z);
    l.h = malloc(cells * sizeof *l.h);
    l.start = malloc((size_t)(w->episodes + 1) * sizeof *l.start);
    for (int64_t e = 0; e <= w->episodes; e++) l.start[e] = e * w->length;
    for (int64_t e = 0; e < w->episodes; e++) {
        uw_rng r = uw__rng(w->seed, UW_STREAM_TEST, (uint64_t)e);
        double z[8];
        for (int32_t i = 0; i < w->n; i++) z[i] = w->start * (double)uw__rng_normal(&r);
        const int64_t burn = w->noise == NOISE_GAUSSIAN ? 0 : BURN;
        for (int64_t t = -burn; t < w->length; t++) {
            if (t >= 0) memcpy(l.z + (e * w->length + t) * w->n, z, (size_t)w->n * sizeof *z);
            if (w->turn != 0.0) {
                const double c = cos(w->turn), s = sin(w->turn), x = z[0];
                z[0] = c * x - s * z[1];
                z[1] = s * x + c * z[1];
            }
            for (int32_t i = 0; i < w->n; i++)
                z[i] = w->rho[i] * z[i] + latents_draw(&r, w->noise, w->rho[i]);
        }
    }
    for (size_t i = 0; i < cells; i++) l.h[i] = (float)l.z[i];
    return l;
}

/* Replace the code by code(z), of dim numbers, standardised so that only what breaks is broken. */
static inline void latents_code(latents *l, int32_t dim, void (*code)(const double *z, double *h)) {
    double *h = malloc((size_t)l->rows * (size_t)dim * sizeof *h);
    for (int64_t t = 0; t < l->rows; t++) code(l->z + t * l->n, h + t * dim);
    free(l->h);
    l->dim = dim;
    l->h = malloc((size_t)l->rows * (size_t)dim * sizeof *l->h);
    for (int32_t i = 0; i < dim; i++) {
        double mean = 0.0, square = 0.0;
        for (int64_t t = 0; t < l->rows; t++) {
            mean += h[t * dim + i] / (double)l->rows;
            square += h[t * dim + i] * h[t * dim + i] / (double)l->rows;
        }
        const double std = sqrt(square - mean * mean);
        for (int64_t t = 0; t < l->rows; t++) l->h[t * dim + i] = (float)((h[t * dim + i] - mean) / std);
    }
    free(h);
}

static inline uw_series latents_series(const latents *l, bool labels) {
    return (uw_series){.h = l->h, .z = labels ? l->z : NULL, .start = l->start, .rows = l->rows,
                       .episodes = l->episodes, .dim = l->dim, .num_states = labels ? l->n : 0};
}

static inline void latents_free(latents *l) {
    free(l->z);
    free(l->h);
    free(l->start);
    *l = (latents){0};
}

/* ---- codes -------------------------------------------------------------------------------------- */

static inline void code_rotation(const double *z, double *h) {
    h[0] = 0.6 * z[0] - 0.8 * z[1];
    h[1] = 0.8 * z[0] + 0.6 * z[1];
}
static inline void code_banana(const double *z, double *h) {
    h[0] = z[0];
    h[1] = z[1] + z[0] * z[0];
}
static inline void code_sine(const double *z, double *h) {
    h[0] = z[0] + sin(1.5 * z[1]);
    h[1] = z[1];
}
static inline void code_spiral(const double *z, double *h) {
    const double angle = M_PI * hypot(z[0], z[1]);
    h[0] = cos(angle) * z[0] - sin(angle) * z[1];
    h[1] = sin(angle) * z[0] + cos(angle) * z[1];
}

#endif
