/* Matrix product, NEON: tiles of up to 6 rows by 4 vectors, 24 of the 32 registers.
 *
 * op(B) lies in panels of 16 columns, packed once per model or as they are met.  For one panel, a
 * block of rows and a slice of K, tiles sum in registers; between slices the sums of the block wait
 * in the scratch, so that C is written once and may be the residual.
 *
 * An entry of C is one chain of FMAs over k: neither M, nor the row's place, nor packing enters. */
#include "arm/vec_neon.h"

#include "arm/arm.h"
#include "x86/vec_math.h"

#define UNROLL _Pragma("GCC unroll 8")

enum {
    VECS = 4,
    WIDTH = VECS * VW, /* columns of a panel */
    MAX_ROWS = 6,
    K_SLICE = 512, /* a slice of a panel, 32 KiB, stays near while the rows pass */
    M_BLOCK = 120  /* rows of A that stay in the second-level cache while the panels pass */
};
_Static_assert(K_SLICE *WIDTH + M_BLOCK * WIDTH <= UW_GEMM_SCRATCH, "one slice and its sums fit");

/* Where a tile stands: its operands begin at its first row, its panel's column and its slice. */
typedef struct tile_args {
    const uw_gemm_args *g;
    const float *a, *b;
    size_t a_row, a_step; /* from a row of op(A) to the next, from a k to the next */
    size_t k;
    float *sum;  /* [rows, WIDTH] carried from slice to slice */
    size_t i, j; /* its place in C */
    bool first, last;
} tile_args;

/* One vector of finished sums on its way to C. */
VEC void finish(const uw_gemm_args *g, size_t i, size_t j, vf s) {
    const size_t left = g->n - j;
    float *c = g->c + i * g->ldc + j;
    if (g->bias) s = v_add(s, v_get(g->bias + j, left));
    if (g->accumulate) s = v_add(s, v_get(c, left));
    if (g->epilogue == UW_EPILOGUE_GELU) {
        if (g->sum) v_put(g->sum + i * g->ldc + j, left, s);
        s = v_fma(s, v_normal_half(s), v_mul(s, v_set(0.5f)));
    } else if (g->epilogue != UW_EPILOGUE_NONE) {
        const vf x = v_get(g->residual + i * g->ld_residual + j, left);
        s = g->epilogue == UW_EPILOGUE_ADD ? v_add(x, s)
                                           : v_fma(v_get(g->gate + i * g->ld_gate + j, left), s, x);
    }
    v_put(c, left, s);
}

/* rows is a constant where this is expanded. */
VEC void tile(int rows, const tile_args *t) {
    vf sum[MAX_ROWS][VECS];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < VECS; v++) sum[r][v] =
            t->first ? v_zero() : v_load(t->sum + r * WIDTH + v * VW);
    }
    const float *a = t->a, *b = t->b;
    const size_t a_row = t->a_row, a_step = t->a_step;
    for (size_t k = t->k; k > 0; k--, a += a_step, b += WIDTH) {
        vf row[VECS];
        UNROLL for (int v = 0; v < VECS; v++) row[v] = v_load(b + v * VW);
        UNROLL for (int r = 0; r < rows; r++) {
            const vf value = v_set(a[(size_t)r * a_row]);
            UNROLL for (int v = 0; v < VECS; v++) sum[r][v] = v_fma(value, row[v], sum[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < VECS; v++) {
            const size_t j = t->j + (size_t)v * VW;
            if (!t->last) {
                v_store(t->sum + r * WIDTH + v * VW, sum[r][v]);
            } else if (j < t->g->n) {
                finish(t->g, t->i + (size_t)r, j, sum[r][v]);
            }
        }
    }
}

static void tile_6(const tile_args *t) {
    tile(6, t);
}
static void tile_4(const tile_args *t) {
    tile(4, t);
}
static void tile_2(const tile_args *t) {
    tile(2, t);
}
static void tile_1(const tile_args *t) {
    tile(1, t);
}

/* `rows` rows of one panel over one slice. */
static void rows_run(tile_args t, size_t rows) {
    while (rows > 0) {
        const size_t done = rows >= 6 ? 6 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
        (done == 6 ? tile_6 : done == 4 ? tile_4 : done == 2 ? tile_2 : tile_1)(&t);
        t.a += done * t.a_row;
        t.sum += done * WIDTH;
        t.i += done;
        rows -= done;
    }
}

/* Rows k0 .. k0 + count of the panel at column j; columns past n become 0. */
static void pack(float *to, const float *b, size_t ldb, bool trans_b, size_t n, size_t j, size_t k0,
                 size_t count) {
    const size_t width = n - j < WIDTH ? n - j : WIDTH;
    for (size_t k = k0; k < k0 + count; k++, to += WIDTH) {
        if (trans_b) {
            for (size_t c = 0; c < width; c++) to[c] = b[(j + c) * ldb + k];
            for (size_t c = width; c < WIDTH; c++) to[c] = 0;
        } else {
            for (size_t c = 0; c < WIDTH; c += VW)
                v_store(to + c, c < width ? v_get(b + k * ldb + j + c, width - c) : v_zero());
        }
    }
}

void uw_gemm_pack_neon(void *packed, const float *b, size_t ldb, bool trans_b, size_t n, size_t k) {
    float *to = packed;
    for (size_t j = 0; j < n; j += WIDTH, to += k * WIDTH) pack(to, b, ldb, trans_b, n, j, 0, k);
}

/* Rows i .. i + rows of the panel at column j, slice after slice. */
static void block_run(const uw_gemm_args *g, size_t i, size_t rows, size_t j, float *scratch) {
    const float *packed = g->packed;
    tile_args t = {.g = g, .sum = scratch + K_SLICE * WIDTH, .i = i, .j = j, .b = scratch};
    t.a_row = g->trans_a ? 1 : g->lda;
    t.a_step = g->trans_a ? g->lda : 1;
    size_t k = 0;
    do { /* once for an empty sum, too: it is 0 */
        t.k = g->k - k < K_SLICE ? g->k - k : K_SLICE;
        t.first = k == 0;
        t.last = k + t.k == g->k;
        t.a = g->a + i * t.a_row + k * t.a_step;
        if (packed) {
            t.b = packed + j * g->k + k * WIDTH;
        } else if (i == 0 || g->k > K_SLICE) { /* else it still lies there */
            pack(scratch, g->b, g->ldb, g->trans_b, g->n, j, k, t.k);
        }
        rows_run(t, rows);
        k += t.k;
    } while (!t.last);
}

void uw_gemm_neon(const uw_gemm_args *g, float *scratch) {
    for (size_t j = 0; j < g->n; j += WIDTH) {
        for (size_t i = 0; i < g->m; i += M_BLOCK)
            block_run(g, i, g->m - i < M_BLOCK ? g->m - i : M_BLOCK, j, scratch);
    }
}
