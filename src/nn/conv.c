/* Convolution as pictures unrolled into rows (im2col) times the weight, chunk by chunk, so that the
 * unrolled pictures never leave the second-level cache.
 *
 * Trap: files hold the weight as [O, I, ky, kx]; NHWC rows are (ky, kx, I).  The small weight is
 * permuted once per call, its gradient back once per call. */
#include <string.h>

#include "layers.h"

enum {
    CONV_GROUPS = 16,      /* pictures of a backward pass are summed in this many fixed groups */
    COL_TARGET = 32 * 1024 /* reals of unrolled pictures worked on at once */
};

typedef struct conv_task {
    const uw_exec *e;
    const uw_conv *c;
    uw_real *pre, *act, *dx;
    const uw_real *x, *w; /* w: [O, ky, kx, I] */
    uw_real *partials;    /* [groups, O * k * k * I + O] */
    size_t n, chunk, groups;
} conv_task;

static size_t col_width(const uw_conv *c) {
    return c->d.kernel * c->d.kernel * c->d.c;
}
static size_t out_pixels(const uw_conv *c) {
    return c->d.out_y * c->d.out_x;
}
static size_t in_reals(const uw_conv *c) {
    return c->d.y * c->d.x * c->d.c;
}
/* Pictures unrolled at once: a function of the layer only. */
static size_t chunk_pictures(const uw_conv *c) {
    const size_t one = out_pixels(c) * col_width(c);
    return one >= COL_TARGET ? 1 : COL_TARGET / one;
}

size_t uw__conv_extra(const uw_conv *c) {
    return chunk_pictures(c) * out_pixels(c) * col_width(c);
}

size_t uw__conv_work(const uw_conv *c, bool backward) {
    const size_t weights = c->out_c * col_width(c);
    return weights + (backward ? CONV_GROUPS * (weights + c->out_c) : 0);
}

/* [O, I, k, k] -> [O, k, k, I]. */
static void permute_weight(uw_real *out, const uw_conv *c) {
    const size_t kk = c->d.kernel * c->d.kernel, in = c->d.c;
    for (size_t o = 0; o < c->out_c; o++)
        for (size_t p = 0; p < kk; p++)
            for (size_t i = 0; i < in; i++)
                out[(o * kk + p) * in + i] = c->w[(o * in + i) * kk + p];
}

/* dw [O, I, k, k] += part [O, k, k, I]. */
static void add_permuted(const uw_conv *c, const uw_real *part) {
    const size_t kk = c->d.kernel * c->d.kernel, in = c->d.c;
    for (size_t o = 0; o < c->out_c; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t p = 0; p < kk; p++)
                c->dw[(o * in + i) * kk + p] += part[(o * kk + p) * in + i];
}

static void unroll(const conv_task *t, uw_real *col, size_t first, size_t n) {
    const uw_conv *c = t->c;
    const size_t one = out_pixels(c) * col_width(c);
    for (size_t i = 0; i < n; i++)
        t->e->k->im2col(col + i * one, t->x + (first + i) * in_reals(c), &c->d);
}

static void forward_chunk(void *arg, size_t index, int32_t worker) {
    const conv_task *t = arg;
    const uw_conv *c = t->c;
    const size_t first = index * t->chunk;
    const size_t n = t->n - first < t->chunk ? t->n - first : t->chunk;
    const size_t rows = n * out_pixels(c), at = first * out_pixels(c) * c->out_c;
    uw_real *col = uw__exec_extra(t->e, worker);

    unroll(t, col, first, n);
    /* [rows, k k I] [O, k k I]^T -> [rows, O] */
    const uw_gemm_args g = {.trans_b = true,
                            .m = rows,
                            .n = c->out_c,
                            .k = col_width(c),
                            .a = col,
                            .lda = col_width(c),
                            .b = t->w,
                            .ldb = col_width(c),
                            .bias = c->b,
                            .c = t->pre + at,
                            .ldc = c->out_c};
    uw__exec_gemm(t->e, &g, uw__exec_gemm_scratch(t->e, worker));
    if (c->gelu) t->e->k->gelu(t->act + at, t->pre + at, rows * c->out_c);
}

void uw__conv_forward(const uw_exec *e, const uw_conv *c, uw_real *pre, uw_real *act,
                      const uw_real *x, size_t n, uw_real *work) {
    conv_task t = {.e = e,
                   .c = c,
                   .pre = pre,
                   .act = act,
                   .x = x,
                   .w = work,
                   .n = n,
                   .chunk = chunk_pictures(c)};
    permute_weight(work, c);
    uw__pool_run(e->pool, uw__num_blocks(n, t.chunk), forward_chunk, &t);
}

/* Backward of pictures [first, first + n); dw, db of the group accumulate. */
static void backward_chunk(const conv_task *t, size_t first, size_t n, uw_real *dw, uw_real *db,
                           int32_t worker) {
    const uw_conv *c = t->c;
    const uw_kernels *k = t->e->k;
    const size_t width = col_width(c), rows = n * out_pixels(c),
                 at = first * out_pixels(c) * c->out_c;
    uw_real *col = uw__exec_extra(t->e, worker), *scratch = uw__exec_gemm_scratch(t->e, worker);
    uw_real *dpre = t->act + at; /* [rows, O] */

    if (c->gelu) k->gelu_backward(dpre, dpre, t->pre + at, rows * c->out_c);
    if (dw) {
        unroll(t, col, first, n);
        const uw_gemm_args g = {.trans_a = true,
                                .accumulate = true,
                                .m = c->out_c,
                                .n = width,
                                .k = rows,
                                .a = dpre,
                                .lda = c->out_c,
                                .b = col,
                                .ldb = width,
                                .c = dw,
                                .ldc = width};
        uw__exec_gemm(t->e, &g, scratch);
        k->colsum(db, dpre, rows, c->out_c, c->out_c, true);
    }
    if (t->dx) {
        /* the unrolled input is spent: its place takes the gradient of the unrolled input */
        const uw_gemm_args g = {.m = rows,
                                .n = width,
                                .k = c->out_c,
                                .a = dpre,
                                .lda = c->out_c,
                                .b = t->w,
                                .ldb = width,
                                .c = col,
                                .ldc = width};
        uw__exec_gemm(t->e, &g, scratch);
        for (size_t i = 0; i < n; i++)
            k->col2im(t->dx + (first + i) * in_reals(c), col + i * out_pixels(c) * width, &c->d);
    }
}

static void backward_group(void *arg, size_t index, int32_t worker) {
    const conv_task *t = arg;
    const size_t weights = t->c->out_c * col_width(t->c);
    const size_t end = (index + 1) * t->n / t->groups;
    uw_real *part = t->c->dw ? t->partials + index * (weights + t->c->out_c) : NULL;

    if (part) memset(part, 0, (weights + t->c->out_c) * sizeof *part);
    for (size_t first = index * t->n / t->groups; first < end; first += t->chunk) {
        const size_t n = end - first < t->chunk ? end - first : t->chunk;
        backward_chunk(t, first, n, part, part ? part + weights : NULL, worker);
    }
}

void uw__conv_backward(const uw_exec *e, const uw_conv *c, uw_real *dx, uw_real *dact,
                       const uw_real *pre, const uw_real *x, size_t n, uw_real *work) {
    const size_t weights = c->out_c * col_width(c);
    conv_task t = {.e = e,
                   .c = c,
                   .pre = (uw_real *)pre,
                   .act = dact,
                   .dx = dx,
                   .x = x,
                   .w = work,
                   .partials = work + weights,
                   .n = n,
                   .chunk = chunk_pictures(c),
                   .groups = n < CONV_GROUPS ? n : CONV_GROUPS};

    permute_weight(work, c);
    uw__pool_run(e->pool, t.groups, backward_group, &t);
    if (!c->dw) return;
    uw_real *sum = t.partials;
    for (size_t i = 1; i < t.groups; i++)
        e->k->axpy(sum, 1, t.partials + i * (weights + c->out_c), weights + c->out_c);
    if (t.groups) {
        add_permuted(c, sum);
        e->k->axpy(c->db, 1, sum + weights, c->out_c);
    }
}
