/* SIGReg, value and gradient.  Directions are cut into blocks of 16 (one vector register of the
 * widest kernel); every block owns its columns of the projections, and rows fold them afterwards by
 * one GEMM, so no sum depends on who ran what.
 *
 * Traps: the end knots weigh dt, the inner ones 2 dt; the window and the target are the same
 * exp(-t^2/2); with "times n" the weight is tied to the batch size. */
#include "sigreg.h"

#include <math.h>
#include <string.h>

#include "rng.h"

enum { BLOCK = 16, ROW_BLOCK = 64 };

struct uw_sigreg {
    uw_sigreg_dims dims;
    bool given; /* the directions are the caller's */
    double t[UW_SIGREG_MAX_KNOTS], phi[UW_SIGREG_MAX_KNOTS], weight[UW_SIGREG_MAX_KNOTS];
    uw_real *dirs;   /* [P, D] unit rows */
    uw_real *h, *dh; /* [n, P] projections of one set, and their gradient */
    uw_real *c, *s;  /* [blocks][K, width] sums, then their gradients in place */
    double *value;   /* [P] statistic per direction */
};

void uw__sigreg_constants(size_t knots, double *t, double *phi, double *weight) {
    const double dt = 3.0 / (double)(knots - 1);
    for (size_t k = 0; k < knots; k++) {
        t[k] = dt * (double)k;
        phi[k] = exp(-0.5 * t[k] * t[k]);
        weight[k] = (k == 0 || k + 1 == knots ? dt : 2.0 * dt) * phi[k];
    }
}

static size_t num_blocks(const uw_sigreg_dims *dims) {
    return (dims->directions + BLOCK - 1) / BLOCK;
}

uw_sigreg *uw__sigreg_layout(uw_arena *arena, const uw_sigreg_dims *dims) {
    const size_t p = dims->directions, sums = num_blocks(dims) * dims->knots * BLOCK;
    uw_sigreg tmp = {.dims = *dims};
    uw_sigreg *s = uw_arena_alloc(arena, 1, sizeof *s);

    UW_ASSERT(dims->knots >= 2 && dims->knots <= UW_SIGREG_MAX_KNOTS);
    uw__sigreg_constants(dims->knots, tmp.t, tmp.phi, tmp.weight);
    tmp.dirs = uw_arena_alloc(arena, p * dims->d, sizeof *tmp.dirs);
    tmp.h = uw_arena_alloc(arena, dims->n * p, sizeof *tmp.h);
    tmp.dh = uw_arena_alloc(arena, dims->n * p, sizeof *tmp.dh);
    tmp.c = uw_arena_alloc(arena, sums, sizeof *tmp.c);
    tmp.s = uw_arena_alloc(arena, sums, sizeof *tmp.s);
    tmp.value = uw_arena_alloc(arena, p, sizeof *tmp.value);
    if (s && !arena->failed) *s = tmp;
    return s;
}

uw_real *uw__sigreg_directions_give(uw_sigreg *s) {
    s->given = true;
    return s->dirs;
}

/* ---- directions ---------------------------------------------------------------------------- */

typedef struct draw_args {
    uw_sigreg *s;
    uint64_t seed, step;
} draw_args;

/* Each direction has its own sequence, so any of them can be drawn by anyone. */
static void draw_block(void *arg, size_t block, int32_t worker) {
    (void)worker;
    const draw_args *a = arg;
    const uw_sigreg_dims *dims = &a->s->dims;
    const size_t end =
        block * BLOCK + BLOCK < dims->directions ? block * BLOCK + BLOCK : dims->directions;
    for (size_t p = block * BLOCK; p < end; p++) {
        uw_rng r = uw__rng(a->seed, UW_STREAM_SIGREG, a->step << 20 | p);
        uw_real *row = a->s->dirs + p * dims->d;
        double norm = 0.0;
        for (size_t i = 0; i < dims->d; i++) {
            row[i] = (uw_real)uw__rng_normal(&r);
            norm += (double)row[i] * (double)row[i];
        }
        const double scale = norm > 0.0 ? 1.0 / sqrt(norm) : 0.0;
        for (size_t i = 0; i < dims->d; i++) row[i] = (uw_real)((double)row[i] * scale);
    }
}

void uw__sigreg_directions(const uw_exec *e, uw_sigreg *s, uint64_t seed, uint64_t step) {
    draw_args a = {s, seed, step};
    if (!s->given) uw__pool_run(e->pool, num_blocks(&s->dims), draw_block, &a);
}

/* ---- value and gradient -------------------------------------------------------------------- */

typedef struct loss_args {
    const uw_exec *e;
    uw_sigreg *s;
    const uw_real *z; /* first row of the set */
    uw_real *dz;      /* nullable */
    double scale;     /* what the statistic is multiplied by in the gradient */
} loss_args;

/* Turn the sums of one direction (stride apart) into its statistic and, in place, into the gradient
 * of scale * statistic by the sums. */
static double fold_knots(const uw_sigreg *s, uw_real *c, uw_real *sine, size_t stride,
                         double scale) {
    const double inv_n = 1.0 / (double)s->dims.n;
    double value = 0.0;
    for (size_t k = 0; k < s->dims.knots; k++) {
        const double re = (double)c[k * stride] * inv_n - s->phi[k];
        const double im = (double)sine[k * stride] * inv_n;
        value += s->weight[k] * (re * re + im * im);
        c[k * stride] = (uw_real)(2.0 * scale * s->weight[k] * re * inv_n);
        sine[k * stride] = (uw_real)(2.0 * scale * s->weight[k] * im * inv_n);
    }
    return value;
}

static void direction_block(void *arg, size_t block, int32_t worker) {
    const loss_args *a = arg;
    uw_sigreg *s = a->s;
    const uw_sigreg_dims *dims = &s->dims;
    const uw_kernels *k = a->e->k;
    const size_t first = block * BLOCK, left = dims->directions - first;
    const size_t width = left < BLOCK ? left : BLOCK;
    uw_real *c = s->c + block * dims->knots * BLOCK, *sine = s->s + block * dims->knots * BLOCK;
    const uw_real dt = (uw_real)(3.0 / (double)(dims->knots - 1));

    k->gemm(&(uw_gemm_args){.trans_b = true,
                            .m = dims->n,
                            .n = width,
                            .k = dims->d,
                            .a = a->z,
                            .lda = dims->sets * dims->d,
                            .b = s->dirs + first * dims->d,
                            .ldb = dims->d,
                            .c = s->h + first,
                            .ldc = dims->directions},
            uw__exec_gemm_scratch(a->e, worker));
    k->sigreg_sums(c, sine, s->h + first, dims->n, width, dims->directions, dt, dims->knots);
    for (size_t p = 0; p < width; p++) {
        s->value[first + p] += fold_knots(s, c + p, sine + p, width, a->scale);
    }
    if (!a->dz) return;
    k->sigreg_backward(s->dh + first, c, sine, s->h + first, dims->n, width, dims->directions, dt,
                       dims->knots);
}

/* dz rows += dh dirs, for one block of rows. */
static void row_block(void *arg, size_t block, int32_t worker) {
    const loss_args *a = arg;
    const uw_sigreg_dims *dims = &a->s->dims;
    const size_t first = block * ROW_BLOCK, left = dims->n - first;
    const size_t ld = dims->sets * dims->d;
    a->e->k->gemm(&(uw_gemm_args){.accumulate = true,
                                  .m = left < ROW_BLOCK ? left : ROW_BLOCK,
                                  .n = dims->d,
                                  .k = dims->directions,
                                  .a = a->s->dh + first * dims->directions,
                                  .lda = dims->directions,
                                  .b = a->s->dirs,
                                  .ldb = dims->d,
                                  .c = a->dz + first * ld,
                                  .ldc = ld},
                  uw__exec_gemm_scratch(a->e, worker));
}

double uw__sigreg_loss(const uw_exec *e, uw_sigreg *s, const uw_real *z, double weight,
                       uw_real *dz) {
    const uw_sigreg_dims *dims = &s->dims;
    const double mean = 1.0 / ((double)dims->sets * (double)dims->directions);
    const double times = dims->times_n ? (double)dims->n : 1.0;
    double sum = 0.0;

    if (dims->n == 0) return 0.0;
    memset(s->value, 0, dims->directions * sizeof *s->value);
    for (size_t set = 0; set < dims->sets; set++) {
        loss_args a = {e, s, z + set * dims->d, dz ? dz + set * dims->d : NULL,
                       weight * times * mean};
        uw__pool_run(e->pool, num_blocks(dims), direction_block, &a);
        if (dz) uw__pool_run(e->pool, (dims->n + ROW_BLOCK - 1) / ROW_BLOCK, row_block, &a);
    }
    for (size_t p = 0; p < dims->directions; p++) sum += s->value[p];
    return times * mean * sum;
}
