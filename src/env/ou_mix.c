/* Mixings of Ornstein-Uhlenbeck worlds, and the random matrices in them.  Every mixing but the
 * identity bends space; all can be undone and keep volume, so that nothing is lost but the
 * coordinates. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ou.h"
#include "rng.h"

#define PI 3.14159265358979323846

/* ---- matrices ----------------------------------------------------------------------------------
 */

/* Turn rows [k, n], k <= n, into orthonormal ones by Gram and Schmidt, each twice for the digits.
 */
static void orthonormal(double *rows, int32_t k, int32_t n) {
    for (int32_t i = 0; i < k; i++) {
        double *a = rows + i * n, norm = 0.0;
        for (int32_t again = 0; again < 2; again++) {
            for (int32_t j = 0; j < i; j++) {
                double along = 0.0;
                for (int32_t m = 0; m < n; m++) along += a[m] * rows[j * n + m];
                for (int32_t m = 0; m < n; m++) a[m] -= along * rows[j * n + m];
            }
        }
        for (int32_t m = 0; m < n; m++) norm += a[m] * a[m];
        for (int32_t m = 0; m < n; m++) a[m] /= sqrt(norm);
    }
}

/* Rows of a random rotation: number `which` of the world's matrices. */
static void draw_orthonormal(uint64_t seed, uint64_t which, int32_t k, int32_t n, double *rows) {
    uw_rng r = uw__rng(seed, UW_STREAM_ENV, UINT64_MAX - which); /* episodes count from 0 */
    for (int32_t i = 0; i < k * n; i++) rows[i] = (double)uw__rng_normal(&r);
    orthonormal(rows, k, n);
}

/* Actions of rank r are r numbers, number j handed to every action j, j + r, ...: the directions
 * that these push along together, of unit length. */
static void gather_pushes(uw_ou *ou) {
    for (int32_t j = 0; j < ou->rank; j++) {
        double *to = ou->push + j * ou->dim;
        const double share = 1.0 / sqrt((ou->action_dim - j - 1) / ou->rank + 1);
        for (int32_t a = j; a < ou->action_dim; a += ou->rank)
            for (int32_t m = 0; m < ou->dim; m++) to[m] += share * ou->b[a * ou->dim + m];
    }
}

uw_status uw__ou_init(const double *values, uw_ou *out) {
    uw_ou ou = {.dim = (int32_t)values[UW_OU_DIM],
                .action_dim = (int32_t)values[UW_OU_ACTION_DIM],
                .rank = (int32_t)values[UW_OU_ACTION_RANK],
                .layers = (int32_t)values[UW_OU_MIXING_LAYERS],
                .law = (uw_ou_law)values[UW_OU_LAW],
                .mixing = (uw_ou_mixing)values[UW_OU_MIXING],
                .action_scale = values[UW_OU_ACTION_SCALE]};
    const uint64_t seed = (uint64_t)values[UW_OU_MIXING_SEED];
    const int32_t half = ou.dim - ou.dim / 2;
    const double *rho = values + UW_OU_RHO;
    if (ou.rank == 0) ou.rank = ou.action_dim;
    ou.gain =
        sqrt(0.5 * (1.0 - rho[0] * rho[0])); /* at scale 1 half of the noise is the actions' */
    for (int32_t i = 0; i < ou.dim; i++)
        ou.rho[i] = rho[0] + (ou.dim > 1 ? (rho[1] - rho[0]) * i / (ou.dim - 1) : 0.0);
    const int32_t b = ou.action_dim * ou.dim, push = ou.rank * ou.dim;
    ou.memory = calloc((size_t)(b + push + ou.layers * half * half) + 1, sizeof *ou.memory);
    if (!ou.memory) return UW_ENOMEM;
    ou.b = ou.memory;
    ou.push = ou.b + b;
    ou.weight = ou.push + push;
    draw_orthonormal(seed, 0, ou.action_dim, ou.dim, ou.b);
    gather_pushes(&ou);
    for (int32_t i = 0; i < ou.layers; i++)
        draw_orthonormal(seed, 1 + (uint64_t)i, half, half, ou.weight + i * half * half);
    *out = ou;
    return UW_OK;
}

void uw__ou_fini(uw_ou *ou) {
    free(ou->memory);
    *ou = (uw_ou){0};
}

/* ---- mixings -----------------------------------------------------------------------------------
 */

static void mix_pair(uw_ou_mixing mixing, const double *z, double *x) {
    const double angle = PI * sqrt(z[0] * z[0] + z[1] * z[1]);
    switch (mixing) {
    case UW_OU_SPIRAL:
        x[0] = cos(angle) * z[0] - sin(angle) * z[1];
        x[1] = sin(angle) * z[0] + cos(angle) * z[1];
        break;
    case UW_OU_BANANA:
        x[1] = z[1] + z[0] * z[0];
        break;
    default:
        x[0] = z[0] + sin(1.5 * z[1]);
        break;
    }
}

static void mix_halves(const uw_ou *ou, double *x) {
    const int32_t first = ou->dim / 2, half = ou->dim - first;
    for (int32_t i = 0; i < ou->layers; i++) {
        const double *w = ou->weight + i * half * half;
        const double *from = i % 2 ? x + first : x;
        double *to = i % 2 ? x : x + first;
        const int32_t in = i % 2 ? half : first, out = i % 2 ? first : half;
        for (int32_t k = 0; k < out; k++) {
            double sum = 0.0;
            for (int32_t m = 0; m < in; m++) sum += w[k * half + m] * from[m];
            to[k] += tanh(2.0 * sum);
        }
    }
}

void uw__ou_mix(const uw_ou *ou, const double *z, double *x) {
    memcpy(x, z, (size_t)ou->dim * sizeof *x);
    if (ou->mixing == UW_OU_IDENTITY) return;
    if (ou->mixing == UW_OU_COUPLING) {
        mix_halves(ou, x);
        return;
    }
    /* an odd one out stays as it is */
    for (int32_t i = 0; i + 1 < ou->dim; i += 2) mix_pair(ou->mixing, z + i, x + i);
}
