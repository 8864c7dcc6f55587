/* The arithmetic: one typedef and one contract per operation, one table of pointers.
 *
 * Kernels know pointers, sizes and strides: no tensors, files, threads or errors.  They never
 * allocate.  ref/ is the definition and the oracle, x86/ and arm/ the fast twins; dispatch.c fills the
 * table from the bottom up.  All sizes may be 0; nothing past the stated extents is read or written; no
 * alignment is required; outputs do not overlap inputs unless said.
 *
 * uw_real is float in the product.  The same sources of ref/, nn/ and the network of model/ compile a
 * second time with UW_DOUBLE for gradient checks against central differences.
 *
 * eps = FLT_EPSILON; an error bound "c * eps * sum|terms|" is against the exact result on the given
 * inputs.  Reductions have a fixed order: the same inputs give the same bits per instruction set. */
#ifndef UW_KERNELS_H
#define UW_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef UW_DOUBLE
typedef double uw_real;
#else
typedef float uw_real;
#endif

/* ---- matrix product ------------------------------------------------------------------------ */

/* What becomes of the finished sums s = op(A) op(B) (+ C when accumulate) + bias on their way out. */
typedef enum uw_epilogue {
    UW_EPILOGUE_NONE = 0, /* c = s */
    UW_EPILOGUE_GELU = 1, /* c = gelu(s); sum (nullable, stride ldc) = s, what a backward needs */
    UW_EPILOGUE_ADD = 2,  /* c = residual + s */
    UW_EPILOGUE_GATE = 3  /* c = residual + gate * s */
} uw_epilogue;

/* C = epilogue(op(A) op(B) (+ C when accumulate) (+ bias on every row when bias != NULL)).
 * Shapes   op(A): [M, K], op(B): [K, N], C: [M, N]; trans_a: A is stored [K, M]; trans_b: B is
 *          stored [N, K] (a PyTorch weight); ld* = elements between stored rows
 * Packed   op(B) as the same table's gemm_pack (of the same precision) laid it out, read instead of
 *          b: for weights that serve many products.  The entries of C are the same bits for any
 *          cut of the rows of A into calls; packed and plain may differ in their last bits
 * Epilogue residual may be c itself; accumulate only without an epilogue
 * Scratch  UW_GEMM_SCRATCH floats, any contents
 * Error    |s - exact| <= 2 (K + 4) eps (sum_k |a b| + |bias| + |C_old|), then the epilogue's own
 *
 * gemm_bf16 is the same product with both operands rounded to bfloat16 (nearest, ties to even) and
 * sums in fp32; a denormal operand or product may count as 0.  It alone knows a16 and c16; a GELU on
 * its way to c16 is within 2^-15 (|s| + 1) before that rounding.                                */
typedef struct uw_gemm_args {
    bool trans_a, trans_b, accumulate;
    size_t m, n, k;
    const uw_real *a;
    size_t lda;
    const uw_real *b;
    size_t ldb;
    const uw_real *bias; /* [N] or NULL */
    uw_real *c;
    size_t ldc;
    const void *packed; /* or NULL: b is read */
    uw_epilogue epilogue;
    const uw_real *residual; /* [M, N] of ADD and GATE */
    size_t ld_residual;
    const uw_real *gate; /* [M, N] of GATE */
    size_t ld_gate;
    uw_real *sum;        /* [M, N] of GELU, or NULL */
    const uint16_t *a16; /* [M, K] bf16, not transposed, read instead of a when not NULL */
    uint16_t *c16;       /* [M, N] the result rounded to bf16, written instead of c when not NULL */
} uw_gemm_args;
enum { UW_GEMM_SCRATCH = 256 * 1024 };
typedef void uw_gemm_fn(const uw_gemm_args *g, uw_real *scratch);
/* Lay out op(B) [K, N]; packed: uw__gemm_packed_bytes, 64-byte aligned. */
typedef void uw_gemm_pack_fn(void *packed, const uw_real *b, size_t ldb, bool trans_b, size_t n,
                             size_t k);
/* Return the bytes that hold a packed op(B) of either precision for every table. */
static inline size_t uw__gemm_packed_bytes(size_t n, size_t k) {
    return (n + 63) / 64 * 64 * ((k + 63) / 64 * 64) * sizeof(uw_real);
}
/* y = x rounded to bf16 (nearest, ties to even; NaN stays NaN; a denormal may become 0). */
typedef void uw_to_bf16_fn(uint16_t *y, const uw_real *x, size_t n);

/* ---- convolution: NHWC pictures to and from GEMM rows ---------------------------------------- */

typedef struct uw_conv_dims {
    size_t y, x, c;         /* input picture [y, x, c] */
    size_t kernel, stride, pad;
    size_t out_y, out_x;    /* (y + 2 pad - kernel) / stride + 1 */
} uw_conv_dims;
/* col: [out_y * out_x, kernel * kernel * c], a row is (ky, kx, c) of one output pixel; zero padding. */
typedef void uw_im2col_fn(uw_real *col, const uw_real *picture, const uw_conv_dims *d);
/* picture [y, x, c] = the transpose of im2col applied to col (every pixel written).
 * Error 2 k^2 eps sum|terms|. */
typedef void uw_col2im_fn(uw_real *picture, const uw_real *col, const uw_conv_dims *d);

/* ---- normalisation --------------------------------------------------------------------------- */

/* y = (x - mean) * rstd * gamma + beta per row; mean and variance (divisor C) of the row in at least
 * fp32 pairs; gamma, beta NULL = 1, 0.  mean, rstd: [rows], may be NULL.  y may equal x.
 * Error: 8 eps (1 + |y|) sqrt(C) relative to the row's scale.                                     */
typedef void uw_layernorm_fn(uw_real *y, uw_real *mean, uw_real *rstd, const uw_real *x,
                             const uw_real *gamma, const uw_real *beta, size_t rows, size_t c,
                             uw_real eps);
/* One norm, or the two of an AdaLN branch, in one pass:  y = n = LN(x), or with shift and scale
 * y = LN(n (1 + scale) + shift), the second one with weights of its own.
 * Shapes   x, y: [rows, c]; gamma, beta: [c] or NULL = 1, 0; shift, scale: [rows, c] or both NULL
 * y may equal x, then with its stride.  Error: 8 eps (1 + |y|) sqrt(C) of one norm; of two, that of n
 * times |1 + scale| goes through the second as well.  y16 as below adds its rounding.               */
typedef struct uw_norm_args {
    size_t rows, c;
    const uw_real *x;
    size_t ldx;
    uw_real eps;
    const uw_real *gamma, *beta;
    const uw_real *shift, *scale;
    size_t ldm;
    uw_real eps2;
    const uw_real *gamma2, *beta2; /* of the second */
    uw_real *y;
    size_t ldy;
    uint16_t *y16; /* y rounded to bf16, written instead of y when not NULL */
} uw_norm_args;
typedef void uw_norm_fn(const uw_norm_args *a);
/* dx (+= when accumulate) from dy; dgamma, dbeta [C] accumulate over rows in row order (NULL: skip).
 * Error (C + 8) eps sum|terms| for dx, 2 (rows + 4) eps sum|terms| for dgamma and dbeta. */
typedef void uw_layernorm_backward_fn(uw_real *dx, uw_real *dgamma, uw_real *dbeta,
                                      const uw_real *dy, const uw_real *x, const uw_real *mean,
                                      const uw_real *rstd, const uw_real *gamma, size_t rows,
                                      size_t c, bool accumulate);
/* Column moments of x [rows, c] with row stride ld: mean, and var with divisor rows (two passes).
 * Error eps |mean|, 4 eps var. */
typedef void uw_colmoments_fn(uw_real *mean, uw_real *var, const uw_real *x, size_t rows, size_t c,
                              size_t ld);
/* y = (x - mean) * rstd * gamma + beta, all four [c]; y may equal x; row strides ldy, ldx.
 * Error 4 eps sum|terms|. */
typedef void uw_batchnorm_apply_fn(uw_real *y, size_t ldy, const uw_real *x, size_t ldx,
                                   const uw_real *mean, const uw_real *rstd, const uw_real *gamma,
                                   const uw_real *beta, size_t rows, size_t c);
/* Training-mode backward: dx written, dgamma and dbeta [c] accumulated; common row stride ld; dx may
 * equal dy.  Error 8 eps sum|terms|. */
typedef void uw_batchnorm_backward_fn(uw_real *dx, uw_real *dgamma, uw_real *dbeta,
                                      const uw_real *dy, const uw_real *x, const uw_real *mean,
                                      const uw_real *rstd, const uw_real *gamma, size_t rows,
                                      size_t c, size_t ld);

/* ---- attention ------------------------------------------------------------------------------- */

/* p[r, :] = softmax(scale * s[r, :]) in place over rows of length cols (stride ld); causal: row r sees
 * columns 0 .. r + cols - rows, the others become 0.  Error 16 eps p while |scale s| <= 4, else 16 eps.  */
typedef void uw_softmax_fn(uw_real *s, size_t rows, size_t cols, size_t ld, uw_real scale,
                           bool causal);
/* ds = scale * p * (dp - sum_j p dp) in place on dp.  Error 4 eps sum|terms|. */
typedef void uw_softmax_backward_fn(uw_real *dp, const uw_real *p, size_t rows, size_t cols,
                                    size_t ld, uw_real scale);
/* One head: o = softmax(scale q k^T) v, the scores of a few queries at a time.
 * Shapes   q, o: [rows, head_dim]; k, v: [tokens, head_dim], tokens >= 1; ld_* = values between rows
 * Scratch  uw__attention_scratch reals, 64-byte aligned, any contents.  A row of o is the same bits for
 *          any cut of the queries into calls
 * Error    with ds the greatest 2 scale (head_dim + 4) eps sum_d |q k| of a row:
 *          (2 ds + 2 (tokens + 16) eps) sum_j p_j |v_j|, while ds <= 1 / 4                         */
typedef struct uw_attention_args {
    size_t rows, tokens, head_dim;
    const uw_real *q;
    size_t ld_q;
    const uw_real *k, *v;
    size_t ld_kv;
    uw_real *o;
    size_t ld_o;
    uw_real scale;
} uw_attention_args;
enum { UW_ATTENTION_BLOCK = 24 }; /* most queries whose scores are held at once */
static inline size_t uw__attention_scratch(size_t tokens, size_t head_dim) {
    const size_t wide = (tokens + 15) / 16 * 16;
    return wide * head_dim + tokens * ((head_dim + 15) / 16 * 16) + UW_ATTENTION_BLOCK * wide;
}
typedef void uw_attention_fn(const uw_attention_args *a, uw_real *scratch);

/* One query per row against a few keys of every head, heads side by side in the lanes of a vector:
 * value d of head h lies at d * heads + h of a row, so that nothing is summed across lanes.
 * o = sum_j p_j v_j, p = softmax_j(scale q k_j) per head, over 1 <= num_keys <= UW_MAX_KEYS.
 * Shapes   q, o: [rows, head_dim * heads]; k[j], v[j] likewise with row strides ld_kv[j]: 0 = one row for
 *          all; o may equal q, then with its stride.  bf16: all four hold bf16 instead of uw_real
 * Error    with ds the greatest 2 scale (head_dim + 4) eps sum_d |q k| of a row and head:
 *          (2 ds + 16 eps) sum_j p_j |v_j|, while ds <= 1 / 4; then the rounding of o to bf16           */
enum { UW_MAX_KEYS = 16 };
typedef struct uw_few_keys_args {
    size_t rows, heads, head_dim, num_keys;
    uw_real scale;
    bool bf16;
    const void *q;
    size_t ld_q;
    const void *k[UW_MAX_KEYS], *v[UW_MAX_KEYS];
    size_t ld_kv[UW_MAX_KEYS];
    void *o;
    size_t ld_o;
} uw_few_keys_args;
typedef void uw_few_keys_fn(const uw_few_keys_args *a);

/* ---- elementwise, n contiguous values; y may equal x ------------------------------------------ */

/* gelu: y = x/2 (1 + erf(x / sqrt 2)), the exact one; silu: y = x / (1 + e^-x).  Error 4 eps (|x| + 1).
 * exp: y = e^x.  Error 4 eps y (2^-148 where y is not normal); 0 and infinity at the ends. */
typedef void uw_map_fn(uw_real *y, const uw_real *x, size_t n);
/* dx = dy * f'(x), for GELU and SiLU; dx may equal dy.  Error 4 eps (|x| + 1) |dy|. */
typedef void uw_map_backward_fn(uw_real *dx, const uw_real *dy, const uw_real *x, size_t n);
/* s = sin x, c = cos x.  Error 4 eps for |x| <= 1e4 (own range reduction, no libm). */
typedef void uw_sincos_fn(uw_real *s, uw_real *c, const uw_real *x, size_t n);
/* y += a x. */
typedef void uw_axpy_fn(uw_real *y, uw_real a, const uw_real *x, size_t n);
/* y = a x + b. */
typedef void uw_affine_fn(uw_real *y, const uw_real *x, uw_real a, uw_real b, size_t n);
/* y = a + b; y += a * b (elementwise). */
typedef void uw_add_fn(uw_real *y, const uw_real *a, const uw_real *b, size_t n);
typedef void uw_muladd_fn(uw_real *y, const uw_real *a, const uw_real *b, size_t n);
/* AdaLN: y[r, :] = x[r, :] * (1 + scale[r, :]) + shift[r, :]; scale and shift have row stride ldm. */
typedef void uw_modulate_fn(uw_real *y, const uw_real *x, const uw_real *shift,
                            const uw_real *scale, size_t rows, size_t c, size_t ldm);
/* dx = dy (1 + scale); dshift = dy; dscale = dy x (the last two with row stride ldm, written). */
typedef void uw_modulate_backward_fn(uw_real *dx, uw_real *dshift, uw_real *dscale,
                                     const uw_real *dy, const uw_real *x, const uw_real *scale,
                                     size_t rows, size_t c, size_t ldm);
/* x[r, :] += gate[r, :] * y[r, :]; gate has row stride ldm. */
typedef void uw_gate_fn(uw_real *x, const uw_real *y, const uw_real *gate, size_t rows, size_t c,
                        size_t ldm);
/* dy = dx * gate; dgate = dx * y (row stride ldm, written). */
typedef void uw_gate_backward_fn(uw_real *dy, uw_real *dgate, const uw_real *dx, const uw_real *y,
                                 const uw_real *gate, size_t rows, size_t c, size_t ldm);

/* ---- reductions ------------------------------------------------------------------------------ */

/* Return sum x, sum x^2, sum x y, accumulated in double.  Error 2 eps sum|terms| after rounding. */
typedef double uw_sum_fn(const uw_real *x, size_t n);
typedef double uw_dot_fn(const uw_real *x, const uw_real *y, size_t n);
/* out[c] (+= when accumulate) = sum over rows of x [rows, c] with stride ld: a bias gradient. */
typedef void uw_colsum_fn(uw_real *out, const uw_real *x, size_t rows, size_t c, size_t ld,
                          bool accumulate);
/* cost[n] = sum_d (z[n, d] - goal[d])^2, rows of z have stride ldz. Error 2 (D + 2) eps cost. */
typedef void uw_sqdist_fn(uw_real *cost, const uw_real *z, const uw_real *goal, size_t n, size_t d,
                          size_t ldz);

/* ---- training -------------------------------------------------------------------------------- */

/* Epps-Pulley sums of SIGReg for P directions: h [B, P] projections (row stride ldh), num_knots
 * points t_k = k * dt.  c[k, p] = sum_b cos(t_k h[b, p]), s[k, p] likewise sin; sums in b order.
 * Error 8 B eps per sum (angle-addition recurrence over k allowed for num_knots <= 33).           */
typedef void uw_sigreg_sums_fn(uw_real *c, uw_real *s, const uw_real *h, size_t b, size_t p,
                               size_t ldh, uw_real dt, size_t num_knots);
/* dh[b, p] = sum_k (gs[k, p] t_k cos(t_k h) - gc[k, p] t_k sin(t_k h)): the backward of the above.
 * dh has h's row stride ldh.  Error 8 (num_knots + 2) eps sum_k t_k (|gs| + |gc|).             */
typedef void uw_sigreg_backward_fn(uw_real *dh, const uw_real *gc, const uw_real *gs,
                                   const uw_real *h, size_t b, size_t p, size_t ldh, uw_real dt,
                                   size_t num_knots);
/* One AdamW update of n values: g *= grad_scale; m, v moments; decoupled decay lr * wd.
 * bias1 = 1 - beta1^t, bias2 = 1 - beta2^t (PyTorch's order of operations).                       */
typedef struct uw_adamw_args {
    uw_real lr, beta1, beta2, eps, weight_decay, bias1, bias2, grad_scale;
} uw_adamw_args;
typedef void uw_adamw_fn(uw_real *w, uw_real *m, uw_real *v, const uw_real *g, size_t n,
                         const uw_adamw_args *a);
/* y[i] = (u8 -> real) * scale + shift. */
typedef void uw_u8_affine_fn(uw_real *y, const uint8_t *x, uw_real scale, uw_real shift, size_t n);
/* y [rows, n, 4] = 2 d and 2 |d| of pixels rgb [rows, n, 3] with row stride ld, d = (rgb - floor) / 255.
 * The same bits for every variant. */
typedef void uw_u8_relative_fn(uw_real *y, const uint8_t *rgb, size_t ld, const uint8_t floor[3],
                               size_t rows, size_t n);

/* One line per operation: field, function type.  The table, doctor and the parity tests come from it. */
#define UW_KERNEL_MAP(X) \
    UW_KERNEL_F32_MAP(X) \
    UW_KERNEL_BF16_MAP(X)

/* Sums in fp32 of operands rounded to bf16. */
#define UW_KERNEL_BF16_MAP(X)           \
    X(gemm_bf16, uw_gemm_fn)            \
    X(gemm_bf16_pack, uw_gemm_pack_fn)  \
    X(to_bf16, uw_to_bf16_fn)

#define UW_KERNEL_F32_MAP(X)                        \
    X(gemm, uw_gemm_fn)                             \
    X(gemm_pack, uw_gemm_pack_fn)                   \
    X(im2col, uw_im2col_fn)                         \
    X(col2im, uw_col2im_fn)                         \
    X(layernorm, uw_layernorm_fn)                   \
    X(layernorm_backward, uw_layernorm_backward_fn) \
    X(norm, uw_norm_fn)                             \
    X(colmoments, uw_colmoments_fn)                 \
    X(batchnorm_apply, uw_batchnorm_apply_fn)       \
    X(batchnorm_backward, uw_batchnorm_backward_fn) \
    X(softmax, uw_softmax_fn)                       \
    X(softmax_backward, uw_softmax_backward_fn)     \
    X(attention, uw_attention_fn)                   \
    X(few_keys, uw_few_keys_fn)                     \
    X(gelu, uw_map_fn)                              \
    X(gelu_backward, uw_map_backward_fn)            \
    X(silu, uw_map_fn)                              \
    X(silu_backward, uw_map_backward_fn)            \
    X(exp, uw_map_fn)                               \
    X(sincos, uw_sincos_fn)                         \
    X(axpy, uw_axpy_fn)                             \
    X(affine, uw_affine_fn)                         \
    X(add, uw_add_fn)                               \
    X(muladd, uw_muladd_fn)                         \
    X(modulate, uw_modulate_fn)                     \
    X(modulate_backward, uw_modulate_backward_fn)   \
    X(gate, uw_gate_fn)                             \
    X(gate_backward, uw_gate_backward_fn)           \
    X(sum, uw_sum_fn)                               \
    X(sumsq, uw_sum_fn)                             \
    X(dot, uw_dot_fn)                               \
    X(colsum, uw_colsum_fn)                         \
    X(sqdist, uw_sqdist_fn)                         \
    X(sigreg_sums, uw_sigreg_sums_fn)               \
    X(sigreg_backward, uw_sigreg_backward_fn)       \
    X(adamw, uw_adamw_fn)                           \
    X(u8_affine, uw_u8_affine_fn)                   \
    X(u8_relative, uw_u8_relative_fn)

enum {
#define X(field, type) UW_OP_##field,
    UW_KERNEL_MAP(X)
#undef X
    UW_NUM_OPS
};

typedef struct uw_kernels {
#define X(field, type) type *field;
    UW_KERNEL_MAP(X)
#undef X
    const char *isa;              /* the best set in use: "ref" ... "amx", "neon" */
    const char *chosen[UW_NUM_OPS]; /* per operation, by UW_OP_* */
} uw_kernels;

/* Every variant has its operation's one signature, so they cannot drift. */
#define X(field, type) type uw_##field##_ref;
UW_KERNEL_MAP(X)
#undef X

/* Fill the table for the features in cpu (UW_CPU_*). */
void uw__kernels_init(uw_kernels *k, unsigned cpu);
/* Return the name of operation op, or NULL. */
const char *uw__kernel_name(int op);

#endif
