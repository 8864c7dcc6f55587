/* The layers of the family, forward and backward written out.
 *
 * A layer struct binds one call's numbers: borrowed pointers into params (read) and grads (accumulated;
 * NULL = leave weight gradients out).  Nothing here owns memory: `work` is the shared scratch that
 * uw__X_work sizes, per-worker scratch comes from the exec (uw__X_extra says how much).
 *
 * Every result is a function of the inputs alone, for any number of threads: work is cut into blocks that
 * depend on the sizes only, and partial sums are folded in index order. */
#ifndef UW_LAYERS_H
#define UW_LAYERS_H

#include "exec.h"

/* ---- linear: y = x w^T + b --------------------------------------------------------------------- */

typedef struct uw_linear {
    size_t in, out;
    const uw_real *w;  /* [out, in] */
    const uw_real *b;  /* [out], or NULL */
    uw_real *dw, *db;  /* like w, b; NULL: no gradient */
} uw_linear;

/* x [rows, in] -> y [rows, out]; act (nullable) = gelu(y), act may equal y. */
void uw__linear_forward(const uw_exec *e, const uw_linear *l, uw_real *y, uw_real *act,
                        const uw_real *x, size_t rows);
/* Return the reals of shared work that the weight gradient of up to max_rows needs. */
size_t uw__linear_work(size_t in, size_t out, size_t max_rows);
/* dx [rows, in] (nullable; += when accumulate) and the weight gradients from dy [rows, out] and x. */
void uw__linear_backward(const uw_exec *e, const uw_linear *l, uw_real *dx, bool accumulate,
                         const uw_real *dy, const uw_real *x, size_t rows, uw_real *work);

/* ---- convolution over NHWC pictures, optionally followed by GELU -------------------------------- */

typedef struct uw_conv {
    uw_conv_dims d;   /* of one picture */
    size_t out_c;     /* O */
    bool gelu;
    const uw_real *w; /* [O, I, k, k], as PyTorch stores it */
    const uw_real *b; /* [O] */
    uw_real *dw, *db; /* NULL: no gradient */
} uw_conv;

/* Reals per worker for the unrolled pictures, and of shared work. */
size_t uw__conv_extra(const uw_conv *c);
size_t uw__conv_work(const uw_conv *c, bool backward);
/* x [n, y, x, I] -> pre [n, out_y, out_x, O]; act = gelu(pre) when gelu (act may equal pre). */
void uw__conv_forward(const uw_exec *e, const uw_conv *c, uw_real *pre, uw_real *act,
                      const uw_real *x, size_t n, uw_real *work);
/* dact [n, out_y, out_x, O] is turned into the gradient of pre in place; dx (nullable) is written. */
void uw__conv_backward(const uw_exec *e, const uw_conv *c, uw_real *dx, uw_real *dact,
                       const uw_real *pre, const uw_real *x, size_t n, uw_real *work);

/* ---- batch norm over rows ----------------------------------------------------------------------- */

typedef struct uw_batchnorm {
    size_t c;
    const uw_real *gamma, *beta; /* [c] */
    uw_real *dgamma, *dbeta;     /* NULL: no gradient */
    uw_real *running_mean, *running_var; /* [c]; moved by a training forward: 0.9 old + 0.1 batch, the
                                          * variance with divisor rows - 1 */
    uw_real *batches;            /* [1], counts training forwards */
} uw_batchnorm;

/* y = (x - mean) rstd gamma + beta; mean, rstd [c] are written: of the batch (divisor rows) when train,
 * else the running ones. */
void uw__batchnorm_forward(const uw_exec *e, const uw_batchnorm *b, uw_real *y, uw_real *mean,
                           uw_real *rstd, const uw_real *x, size_t rows, bool train);
/* dx from dy of a training forward; dx may equal dy. */
void uw__batchnorm_backward(const uw_exec *e, const uw_batchnorm *b, uw_real *dx,
                            const uw_real *dy, const uw_real *x, const uw_real *mean,
                            const uw_real *rstd, size_t rows);
/* The same after a forward with the running statistics, which are constants: dx = dy gamma rstd.  No
 * weight gradients. */
void uw__batchnorm_backward_running(const uw_exec *e, const uw_batchnorm *b, uw_real *dx,
                                    const uw_real *dy, const uw_real *rstd, size_t rows);

/* ---- layer norm --------------------------------------------------------------------------------- */

typedef struct uw_layernorm {
    size_t c;
    uw_real eps;
    const uw_real *gamma, *beta; /* [c]; NULL = 1, 0 (no affine part) */
    uw_real *dgamma, *dbeta;     /* NULL: no gradient */
} uw_layernorm;

/* mean, rstd: [rows], kept for the backward; NULL when there is none. */
void uw__layernorm_forward(const uw_exec *e, const uw_layernorm *l, uw_real *y, uw_real *mean,
                           uw_real *rstd, const uw_real *x, size_t rows);
size_t uw__layernorm_work(size_t c);
void uw__layernorm_backward(const uw_exec *e, const uw_layernorm *l, uw_real *dx, bool accumulate,
                            const uw_real *dy, const uw_real *x, const uw_real *mean,
                            const uw_real *rstd, size_t rows, uw_real *work);

/* ---- elementwise over a big array, cut into blocks ------------------------------------------------ */

void uw__map(const uw_exec *e, uw_map_fn *f, uw_real *y, const uw_real *x, size_t n);
void uw__map_backward(const uw_exec *e, uw_map_backward_fn *f, uw_real *dx, const uw_real *dy,
                      const uw_real *x, size_t n);
/* y = a + b; y may equal a or b. */
void uw__add(const uw_exec *e, uw_real *y, const uw_real *a, const uw_real *b, size_t n);

/* ---- dropout: masks are functions of (seed, step, call, site, position), nothing is stored --------- */

typedef struct uw_drop {
    uw_real p;     /* 0: the layer is the identity */
    uint64_t seed; /* of the training run and the step */
    uint64_t site; /* which call and which layer; unique within a step */
} uw_drop;

/* x *= mask / (1 - p) over rows of `row` values; block r of the mask belongs to row r.  The backward is
 * the same call on the gradient. */
void uw__dropout(const uw_exec *e, const uw_drop *drop, uw_real *x, size_t rows, size_t row);
/* One row, for callers that are inside a task. */
void uw__dropout_row(const uw_drop *drop, uw_real *x, size_t row_index, size_t row);

/* ---- multi-head attention -------------------------------------------------------------------------- */

typedef struct uw_attention {
    size_t batch, tokens, heads, head_dim;
    size_t ld_qkv; /* reals between tokens of q, of k and of v */
    size_t ld_out; /* reals between tokens of the output */
    bool causal;   /* token t sees 0 .. t */
    uw_drop drop;  /* on the probabilities */
} uw_attention;

/* q, k, v: head h of a token starts at h * head_dim; o likewise.  Scale 1 / sqrt(head_dim). */
size_t uw__attention_extra(size_t tokens); /* reals per worker, both directions */
void uw__attention_forward(const uw_exec *e, const uw_attention *a, uw_real *o, const uw_real *q,
                           const uw_real *k, const uw_real *v);
/* dq, dk, dv are written (strides as q, k, v); the probabilities are computed again. */
void uw__attention_backward(const uw_exec *e, const uw_attention *a, uw_real *dq, uw_real *dk,
                            uw_real *dv, const uw_real *dout, const uw_real *q, const uw_real *k,
                            const uw_real *v);

/* ---- tokens: CLS and positions ---------------------------------------------------------------------- */

/* out [n, 1 + patches, c] = [cls | x] + pos; cls [c], pos [1 + patches, c], x [n, patches, c]. */
void uw__embed_forward(const uw_exec *e, uw_real *out, const uw_real *x, const uw_real *cls,
                       const uw_real *pos, size_t n, size_t patches, size_t c);
/* dx [n, patches, c] is written; dcls, dpos (nullable) accumulate. */
void uw__embed_backward(const uw_exec *e, uw_real *dx, uw_real *dcls, uw_real *dpos,
                        const uw_real *dout, size_t n, size_t patches, size_t c);
/* out [n, t, c] = x + pos[0 .. t); dpos accumulates over n in order. */
void uw__position_forward(const uw_exec *e, uw_real *out, const uw_real *x, const uw_real *pos,
                          size_t n, size_t t, size_t c);
void uw__position_backward(const uw_exec *e, uw_real *dpos, const uw_real *dout, size_t n,
                           size_t t, size_t c);

/* ---- AdaLN: modulate and gate with columns of a [rows, ldm] table of modulations --------------------- */

/* y = x * (1 + scale) + shift. */
void uw__modulate_forward(const uw_exec *e, uw_real *y, const uw_real *x, const uw_real *shift,
                          const uw_real *scale, size_t rows, size_t c, size_t ldm);
void uw__modulate_backward(const uw_exec *e, uw_real *dx, uw_real *dshift, uw_real *dscale,
                           const uw_real *dy, const uw_real *x, const uw_real *scale, size_t rows,
                           size_t c, size_t ldm);
/* out = x + gate * y. */
void uw__gate_forward(const uw_exec *e, uw_real *out, const uw_real *x, const uw_real *y,
                      const uw_real *gate, size_t rows, size_t c, size_t ldm);
void uw__gate_backward(const uw_exec *e, uw_real *dy, uw_real *dgate, const uw_real *dout,
                       const uw_real *y, const uw_real *gate, size_t rows, size_t c, size_t ldm);

/* ---- how work is cut ----------------------------------------------------------------------------------- */

/* Return the pool, or NULL when the work (in multiply-adds) is too small to share. */
static inline uw_pool *uw__exec_pool(const uw_exec *e, size_t work) {
    return work < 32768 ? NULL : e->pool;
}
/* Return the rows per block of a row-wise layer: a function of rows only. */
static inline size_t uw__row_block(size_t rows) {
    const size_t block = (rows / 16 + 63) / 64 * 64;
    return block < 64 ? 64 : block > 1024 ? 1024 : block;
}
static inline size_t uw__num_blocks(size_t n, size_t block) {
    return (n + block - 1) / block;
}

#endif
