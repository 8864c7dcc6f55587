/* What the bf16 products of every instruction set share: the layout of their operands, the cut into
 * blocks, and the epilogue.  The including file names the set and how it wants A.
 *
 * op(B) lies in panels of 16 columns; a panel is its rows by twos, every pair (2p, 2p + 1) side by
 * side in one 32-bit word per column, as VDPBF16PS and TDPBF16PS want them; missing columns and the
 * rows up to a multiple of 32 are 0.  The layout is the same for every set, so that one packing
 * serves them all.
 *
 * K is not cut while a block of A fits the scratch: the sums then go from registers through the
 * epilogue.  A longer K is cut, and sums wait in the scratch.  The cut depends on K alone, so the
 * rows of A may be cut by the caller as it likes. */
#ifndef UW_BF16_BODY_H
#define UW_BF16_BODY_H

#include "kernels.h"
#include "x86/epilogue.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

enum {
    PANEL = 16,      /* columns */
    K_STEP = 32,     /* rows of a panel are padded to this */
    K_BLOCK = 512,   /* a K that is cut */
    K_PLAIN = 1024,  /* up to here K is whole, when B is packed here ... */
    K_PACKED = 4096, /* ... and when it came packed */
    MN_BLOCK = 256,  /* rows and columns of sums that wait */
    SUMS = MN_BLOCK * MN_BLOCK,
    A_FLOATS = 96 * 1024,
    B_WORDS = 96 * 1024
};
_Static_assert(SUMS + A_FLOATS + B_WORDS <= UW_GEMM_SCRATCH, "the three parts fit");

/* A part of C, [rows, cols] from (i, j) on, and a part of K. */
typedef struct block {
    const uw_gemm_args *g;
    size_t i, rows, j, cols, count;
    const a_element *a; /* [rows, count], rounded, padded with 0 as A_STEP asks */
    size_t lda;
    const uint32_t *b; /* panels from column j on, `panel` words apart */
    size_t panel;
    float *sums;      /* what the earlier parts of K came to, for the later ones */
    bool first, last; /* of the parts of K */
} block;

static void block_run(const block *b);

static inline size_t padded(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}
static inline size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- packing ------------------------------------------------------------------------------- */

/* `width` columns of B stored [K, N]. */
static void pack_rows(uint32_t *panel, const float *b, size_t ldb, size_t count, size_t width) {
    for (size_t k = 0; k < padded(count, K_STEP); k += 2, panel += PANEL, b += 2 * ldb) {
        for (size_t j = 0; j < PANEL; j += VW) {
            const size_t left = width > j ? width - j : 0;
            const vf even = k < count && left ? v_get(b + j, left) : v_zero();
            const vf odd = k + 1 < count && left ? v_get(b + ldb + j, left) : v_zero();
            v_put_pairs(panel + j, even, odd);
        }
    }
}

/* The same from B stored [N, K]: the rows' pairs are words already, 8 x 8 of them are turned. */
static void pack_columns(uint32_t *panel, const float *b, size_t ldb, size_t count, size_t width) {
    uint16_t rows[PANEL][PANEL];
    for (size_t k = 0; k < padded(count, K_STEP); k += PANEL, panel += PANEL / 2 * PANEL) {
        const size_t left = count > k ? count - k : 0;
        for (size_t j = 0; j < PANEL; j++) {
            for (size_t at = 0; at < PANEL; at += VW) {
                const bool inside = j < width && left > at;
                v_put_bf16(rows[j] + at, VW,
                           inside ? v_get(b + j * ldb + k + at, left - at) : v_zero());
            }
        }
        for (size_t j = 0; j < PANEL; j += 8)
            turn_8x8((float *)(void *)(panel + j), PANEL, (const float *)(const void *)rows[j],
                     PANEL / 2, 8, 8);
    }
}

/* `count` rows and `cols` columns of op(B), from b on. */
static void pack_block(uint32_t *to, const float *b, size_t ldb, bool trans_b, size_t count,
                       size_t cols) {
    const size_t panel = padded(count, K_STEP) / 2 * PANEL;
    for (size_t j = 0; j < cols; j += PANEL, to += panel) {
        if (trans_b) {
            pack_columns(to, b + j * ldb, ldb, count, least(cols - j, PANEL));
        } else {
            pack_rows(to, b + j, ldb, count, least(cols - j, PANEL));
        }
    }
}

/* ---- the rows of A --------------------------------------------------------------------------- */

#if A_STEP == 0
/* [rows, count] of op(A) as floats that are bf16, rows `ld` (a multiple of K_STEP) apart. */
static void round_block(float *to, size_t ld, const uw_gemm_args *g, size_t i0, size_t rows,
                        size_t k0, size_t count) {
    if (g->trans_a && !g->a16) {
        const float *a = g->a + k0 * g->lda + i0;
        for (size_t i = 0; i < rows; i += 8) {
            for (size_t k = 0; k < count; k += 8)
                turn_8x8(to + i * ld + k, ld, a + k * g->lda + i, g->lda, least(count - k, 8),
                         least(rows - i, 8));
        }
    }
    for (size_t i = 0; i < rows; i++, to += ld) {
        for (size_t k = 0; k < padded(count, 2); k += VW) {
            const size_t left = count > k ? count - k : 0;
            vf x;
            if (g->a16) {
                x = v_get_bf16(g->a16 + (i0 + i) * g->lda + k0 + k, left);
            } else {
                x = v_round_bf16(
                    v_get(g->trans_a ? to + k : g->a + (i0 + i) * g->lda + k0 + k, left));
            }
            v_store(to + k, x);
        }
    }
}
#else
/* [rows, count] of op(A) in bf16, rows `ld` (a multiple of K_STEP) apart and filled up with 0. */
static void round_block(uint16_t *to, size_t ld, const uw_gemm_args *g, size_t i0, size_t rows,
                        size_t k0, size_t count) {
    if (g->trans_a && !g->a16) {
        uint32_t pairs[8][VW];
        for (size_t i = 0; i < rows; i += VW) {
            for (size_t k = 0; k < padded(count, K_STEP); k += 2 * 8) {
                const float *a = g->a + (k0 + k) * g->lda + i0 + i;
                for (size_t p = 0; p < 8; p++, a += 2 * g->lda) {
                    const bool even = k + 2 * p < count, odd = k + 2 * p + 1 < count;
                    v_put_pairs(pairs[p], even ? v_get(a, rows - i) : v_zero(),
                                odd ? v_get(a + g->lda, rows - i) : v_zero());
                }
                for (size_t at = 0; at < VW && i + at < rows; at += 8)
                    turn_8x8((float *)(void *)(to + (i + at) * ld + k), ld / 2,
                             (const float *)(const void *)(pairs[0] + at), VW, 8,
                             least(rows - i - at, 8));
            }
        }
        return;
    }
    for (size_t i = 0; i < rows; i++, to += ld) {
        const size_t at = (i0 + i) * g->lda + k0;
        for (size_t k = 0; k < padded(count, K_STEP); k += VW) {
            const size_t left = count > k ? count - k : 0;
            v_put_bf16(to + k, VW,
                       !left    ? v_zero()
                       : g->a16 ? v_get_bf16(g->a16 + at + k, left)
                                : v_get(g->a + at + k, left));
        }
    }
}
#endif

/* ---- epilogue ----------------------------------------------------------------------------------
 */

/* x Phi(x) for a result of 8 bits, within 2^-15 (|x| + 1).
 *
 * As v_normal_half, with half its terms: beside tile products this is the longer part.  Beyond 4,
 * Phi counts as 0 or 1. */
VEC vf v_gelu_short(vf x) {
    const vf v = v_fma(v_mul(x, x), v_set(2.0f / 16.0f), v_set(-1.0f));
    vf p = v_set(-3.061449810e-03f);
    p = v_fma(p, v, v_set(8.499911695e-03f));
    p = v_fma(p, v, v_set(-1.287493973e-02f));
    p = v_fma(p, v, v_set(2.130867101e-02f));
    p = v_fma(p, v, v_set(-3.660867463e-02f));
    p = v_fma(p, v, v_set(5.613040764e-02f));
    p = v_fma(p, v, v_set(-8.435081460e-02f));
    p = v_fma(p, v, v_set(1.759450285e-01f));
    return v_mul(x, v_add(v_saturate(v_mul(p, x), x, 4.0f, 0.5f), v_set(0.5f)));
}

/* Write the finished sums of row i, columns j .. j + left. */
VEC void finish_vector(const uw_gemm_args *g, size_t i, size_t j, size_t left, vf s) {
    const size_t at = i * g->ldc + j;
    if (g->bias) s = v_add(s, v_get(g->bias + j, left));
    if (g->accumulate) s = v_add(s, v_get(g->c + at, left));
    if (g->epilogue == UW_EPILOGUE_GELU && g->c16 && !g->sum) {
        s = v_gelu_short(s);
    } else {
        s = v_epilogue(g, i, j, left, s);
    }
    if (g->c16) {
        v_put_bf16(g->c16 + at, left, s);
    } else {
        v_put(g->c + at, left, s);
    }
}

/* ---- the cut into blocks
 * ------------------------------------------------------------------------- */

/* Rows of A that its part of the scratch holds at `depth` elements each, a multiple of ROW_UNIT. */
static size_t rows_that_fit(size_t depth) {
    const size_t rows = A_FLOATS * sizeof(float) / sizeof(a_element) / depth;
    return rows > ROW_UNIT ? rows / ROW_UNIT * ROW_UNIT : ROW_UNIT;
}

static void product(const uw_gemm_args *g, float *scratch) {
    const bool whole = g->k <= (g->packed ? K_PACKED : K_PLAIN);
    const bool direct = A_STEP && g->a16 && g->k % (A_STEP ? A_STEP : 1) == 0;
    const size_t k_step = whole ? g->k : K_BLOCK;
    const size_t depth = k_step ? padded(k_step, K_STEP) : K_STEP;
    const size_t m_fit = direct ? g->m : rows_that_fit(depth);
    const size_t m_step = whole ? m_fit : least(m_fit, MN_BLOCK);
    const size_t n_step = !whole      ? MN_BLOCK
                          : g->packed ? g->n
                                      : 2 * B_WORDS / depth / PANEL * PANEL;
    a_element *a = (a_element *)(void *)(scratch + SUMS);
    uint32_t *packed = (uint32_t *)(void *)(scratch + SUMS + A_FLOATS);

    for (size_t j = 0; j < g->n; j += n_step) {
        for (size_t i = 0; i < g->m; i += m_step) {
            block b = {.g = g,
                       .i = i,
                       .rows = least(g->m - i, m_step),
                       .j = j,
                       .cols = least(g->n - j, n_step),
                       .sums = scratch};
            size_t k = 0;
            do {
                b.count = least(g->k - k, k_step);
                b.first = k == 0;
                b.last = k + b.count == g->k;
                if (g->packed) {
                    b.panel = padded(g->k, K_STEP) / 2 * PANEL;
                    b.b = (const uint32_t *)g->packed + j / PANEL * b.panel + k / 2 * PANEL;
                } else {
                    b.panel = padded(b.count, K_STEP) / 2 * PANEL;
                    b.b = packed;
                    if (i == 0 || !whole)
                        pack_block(packed, g->b + (g->trans_b ? j * g->ldb + k : k * g->ldb + j),
                                   g->ldb, g->trans_b, b.count, b.cols);
                }
                b.lda = direct ? g->lda : depth;
                b.a = a;
                if (!direct) round_block(a, depth, g, i, b.rows, k, b.count);
#if A_STEP
                if (direct) b.a = g->a16 + i * g->lda + k;
#endif
                block_run(&b);
                k += b.count;
            } while (k < g->k);
        }
    }
}

#endif
