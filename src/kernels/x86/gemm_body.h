/* The matrix product for one instruction set; the including file names the set and its tile sizes.
 *
 * Plan: cut N into blocks and K into blocks; pack a block of op(B) into panels of one to three
 * vectors; sweep tiles of rows x panel over M with all accumulators in registers, A broadcast from
 * where it stands.  B that is contiguous along N and met by few rows, or stored as a panel, is read
 * in place instead.
 *
 * An entry of C is one chain of FMAs per K block (two, of even and odd k, where N fits one vector),
 * blocks added in order: K, N and the transpositions alone fix the order, never M or the position
 * of the row, so callers may cut M as they like. */
#ifndef UW_GEMM_BODY_H
#define UW_GEMM_BODY_H

#include "kernels.h"
#include "x86/epilogue.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

enum {
    K_UNROLL = 4,
    K_TO_PREFETCH = 64,    /* from here on the lines of C are fetched while a tile sums */
    MAX_VECS = 3,          /* widest panel, in vectors */
    K_BLOCK = 256,         /* a packed panel about fills the first-level cache */
    K_BLOCK_TRANS_A = 128, /* both operands stream: a slice of each should stay */
    N_BLOCK = 480,         /* packed block: at most K_BLOCK x (N_BLOCK + 3 VW) floats of scratch */
    M_BLOCK = 240,         /* rows of A that stay in the second-level cache while panels pass */
    PACKED_B = K_BLOCK * (N_BLOCK + 3 * VW), /* floats; the copy of A follows in the scratch */
    WIDE_A = 96, /* a transposed A with rows this long is copied, if enough columns meet it */
    IN_PLACE_ROWS = 32, /* up to here packing B costs more than it saves */
    IN_PLACE_WIDTH = 48 /* a B stored no wider lies as densely as a panel */
};
_Static_assert(PACKED_B + K_BLOCK_TRANS_A * M_BLOCK <= UW_GEMM_SCRATCH, "both blocks fit");

/* How a tile meets A: rows as stored, columns of a transposed A, or rows by pairs of k. */
typedef enum tile_walk { WALK_ROWS, WALK_COLUMNS, WALK_PAIRS } tile_walk;

/* One tile's operands.  a points at the tile's first row and the block's first k, b at the panel.
 */
typedef struct tile_args {
    const float *a, *b, *bias; /* bias NULL: none */
    float *c;
    size_t lda, ldb, ldc, k;
    vmask last;      /* columns of C under the last vector */
    bool accumulate; /* add to C */
} tile_args;

typedef void tile_fn(const tile_args *t);

/* The sum is in registers: add what C should also hold and write it. */
VEC void tile_store(int rows, int vecs, const tile_args *t, vf sum[][MAX_VECS]) {
    float *c = t->c;
    const float *bias = t->bias;
    const size_t ldc = t->ldc;
    const vmask last = t->last;
    if (bias) {
        vf shift[MAX_VECS];
        UNROLL for (int v = 0; v < vecs; v++) {
            shift[v] = v == vecs - 1 ? v_load_some(bias + v * VW, last) : v_load(bias + v * VW);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < vecs; v++) sum[i][v] = v_add(sum[i][v], shift[v]);
        }
    }
    const bool accumulate = t->accumulate;
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vecs - 1; v++) {
            v_store(c + v * VW, accumulate ? v_add(sum[i][v], v_load(c + v * VW)) : sum[i][v]);
        }
        float *end = c + (vecs - 1) * VW;
        const vf x = sum[i][vecs - 1];
        v_store_some(end, last, accumulate ? v_add(x, v_load_some(end, last)) : x);
        c += ldc;
    }
}

/* One step: one k, or two for WALK_PAIRS.  a has a pointer for every third row (one for all of a
 * column); the rows between are reached by scaled index, for more pointers than that would not fit
 * the registers.  at: values past the pointers. */
VEC void tile_step(int rows, int vecs, tile_walk walk, vf sum[][MAX_VECS], const float *const a[],
                   size_t lda, int at, const float *b) {
    vf row[MAX_VECS];
    UNROLL for (int v = 0; v < vecs; v++) {
        row[v] = v_load(b + v * VW); /* a mask would cost a turn at the FMAs' ports */
    }
    UNROLL for (int i = 0; i < rows; i++) {
        const float *from = walk == WALK_COLUMNS ? a[0] + i : a[i / 3] + (size_t)(i % 3) * lda + at;
        const vf value = walk == WALK_PAIRS ? v_set_pair(from) : v_set(*from);
        UNROLL for (int v = 0; v < vecs; v++) v_fma_into(&sum[i][v], value, row[v]);
    }
}

/* rows, vecs and walk are constants where this is expanded.
 *
 * WALK_PAIRS serves panels of one vector, where every broadcast of A would feed a single FMA and
 * loads would be the limit: a broadcast pair (a_k, a_k+1) meets two vectors that hold 2 k x half
 * the columns each, and the sums over even and odd k are joined at the end. */
VEC void tile(int rows, int vecs, tile_walk walk, const tile_args *t) {
    enum { POINTERS = (MAX_ROWS + 2) / 3 };
    const int wide = walk == WALK_PAIRS ? 2 : vecs, per_step = walk == WALK_PAIRS ? 2 : 1;
    const int pointers = walk == WALK_COLUMNS ? 1 : (rows + 2) / 3;
    vf sum[MAX_ROWS][MAX_VECS];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < wide; v++) sum[i][v] = v_zero();
    }
    const float *a[POINTERS], *b = t->b;
    UNROLL for (int i = 0; i < pointers; i++) a[i] = t->a + (size_t)i * 3 * t->lda;
    size_t lda = t->lda, k = t->k;
    if (k >= K_TO_PREFETCH) {
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < vecs; v++)
                _mm_prefetch((const char *)(t->c + (size_t)i * t->ldc + v * VW), _MM_HINT_T0);
        }
    }
    const size_t ldb = t->ldb, jump = walk == WALK_COLUMNS ? lda : (size_t)per_step;
    /* Scalar additions take turns with the FMAs on their ports: pay for them once in K_UNROLL. */
    for (; k >= K_UNROLL; k -= K_UNROLL) {
        UNROLL for (int ahead = 0; ahead < K_UNROLL; ahead += per_step) {
            tile_step(rows, wide, walk, sum, a, lda, ahead, b);
            b += ldb;
            if (walk == WALK_COLUMNS) a[0] += lda;
            __asm__("" : "+r"(lda)); /* gcc would keep a register for every multiple of lda ... */
        }
        UNROLL for (int i = 0; i < pointers && walk != WALK_COLUMNS; i++) {
            a[i] += K_UNROLL;
            __asm__("" : "+r"(a[i])); /* ... and for every row of A */
        }
    }
    for (; k >= (size_t)per_step; k -= (size_t)per_step) {
        tile_step(rows, wide, walk, sum, a, lda, 0, b);
        b += ldb;
        UNROLL for (int i = 0; i < pointers; i++) a[i] += jump;
    }
    if (walk == WALK_PAIRS) {
        /* An odd k at the end stands alone: its partner's lanes of b are 0. */
        if (k > 0) tile_step(rows, wide, WALK_ROWS, sum, a, lda, 0, b);
        UNROLL for (int i = 0; i < rows; i++) sum[i][0] = v_join_pairs(sum[i][0], sum[i][1]);
    }
    tile_store(rows, vecs, t, sum);
}

#define TILE(name, walk, r, v)                                                                     \
    static void tile_##name##_##r##x##v(const tile_args *t) {                                      \
        tile(r, v, walk, t);                                                                       \
    }
#define ROWS(r, v)    TILE(rows, WALK_ROWS, r, v)
#define PAIRS(r, v)   TILE(pairs, WALK_PAIRS, r, v)
#define COLUMNS(r, v) TILE(columns, WALK_COLUMNS, r, v)
TILES_WIDE(ROWS)
TILES_SINGLE(PAIRS)
TILES_WIDE(COLUMNS)
TILES_SINGLE(COLUMNS)
#undef ROWS
#undef PAIRS
#undef COLUMNS
#undef TILE

/* The tiles of each width, tallest first, down to one row. */
typedef struct tile_kind {
    int rows, vecs;
    tile_fn *run;
} tile_kind;
#define ROWS(r, v)    {r, v, tile_rows_##r##x##v},
#define PAIRS(r, v)   {r, v, tile_pairs_##r##x##v},
#define COLUMNS(r, v) {r, v, tile_columns_##r##x##v},
static const tile_kind row_tiles[] = {TILES_WIDE(ROWS) TILES_SINGLE(PAIRS)};
static const tile_kind column_tiles[] = {TILES_WIDE(COLUMNS) TILES_SINGLE(COLUMNS)};
#undef ROWS
#undef PAIRS
#undef COLUMNS

/* `rows` rows of one panel over one K block. */
static void panel_run(const tile_args *start, int vecs, bool trans_a, size_t rows) {
    tile_args t = *start;
    const tile_kind *kind = trans_a ? column_tiles : row_tiles;
    while (rows > 0) {
        while (kind->vecs != vecs || (size_t)kind->rows > rows) kind++;
        const size_t done = (size_t)kind->rows;
        kind->run(&t);
        t.a += done * (trans_a ? 1 : t.lda);
        t.c += done * t.ldc;
        rows -= done;
    }
}

/* Width of the next panel when `columns` remain, in vectors: triples, after the pairs (or the
 * single) that leave only triples. */
static int panel_vecs(size_t columns) {
    const size_t vecs = (columns + VW - 1) / VW;
    return vecs == 1 ? 1 : vecs % 3 ? 2 : 3;
}

/* `count` rows of B, `width` columns of it, side by side; the rest of the panel becomes 0. */
static void pack_rows(float *panel, const float *b, size_t ldb, size_t count, size_t width,
                      int vecs) {
    for (; count > 0; count--, b += ldb, panel += vecs * VW) {
        for (int v = 0; v < vecs - 1; v++) v_store(panel + v * VW, v_load(b + v * VW));
        const size_t before = (size_t)(vecs - 1) * VW;
        v_store(panel + before, v_load_some(b + before, v_first(width - before)));
    }
}

/* The same from B stored [N, K]: squares of 8 columns by 8 k are turned in registers. */
static void pack_columns(float *panel, const float *b, size_t ldb, size_t count, size_t width,
                         int vecs) {
    const size_t stride = (size_t)vecs * VW;
    for (size_t j = 0; j < stride; j += 8) {
        const size_t columns = width > j ? (width - j < 8 ? width - j : 8) : 0;
        for (size_t k = 0; k < count; k += 8)
            turn_8x8(panel + k * stride + j, stride, b + j * ldb + k, ldb, columns,
                     count - k < 8 ? count - k : 8);
    }
}

/* A panel of one vector for WALK_PAIRS: columns side by side, each as its values of two k. */
static void pack_pairs(float *panel, const uw_gemm_args *g, const float *b, size_t count,
                       size_t width) {
    const size_t step = g->trans_b ? 1 : g->ldb, next = g->trans_b ? g->ldb : 1;
    for (size_t k = 0; k < count; k += 2, panel += 2 * VW, b += 2 * step) {
        const bool both = k + 1 < count;
        for (size_t j = 0; j < VW; j++) {
            panel[2 * j] = j < width ? b[j * next] : 0;
            panel[2 * j + 1] = j < width && both ? b[j * next + step] : 0;
        }
    }
}

/* Pack one panel: `count` rows and `width` columns of op(B) from b on. */
static void pack_panel(float *panel, const uw_gemm_args *g, const float *b, size_t count,
                       size_t width, int vecs) {
    if (vecs == 1 && !g->trans_a) {
        pack_pairs(panel, g, b, count, width);
    } else if (g->trans_b) {
        pack_columns(panel, b, g->ldb, count, width, vecs);
    } else {
        pack_rows(panel, b, g->ldb, count, width, vecs);
    }
}

/* `count` rows of `width` values side by side, M_BLOCK apart. */
static void copy_rows(float *dst, const float *src, size_t lds, size_t count, size_t width) {
    for (; count > 0; count--, src += lds, dst += M_BLOCK) {
        for (size_t j = 0; j < width; j += VW) v_put(dst + j, width - j, v_get(src + j, width - j));
    }
}

/* One block of op(B), `count` rows from k0 and `width` columns from j0, against all rows of A. */
static void block_run(const uw_gemm_args *g, size_t k0, size_t count, size_t j0, size_t width,
                      float *scratch) {
    const bool paired = panel_vecs(width) == 1 && !g->trans_a;
    const bool dense = g->m <= IN_PLACE_ROWS || g->ldb <= IN_PLACE_WIDTH;
    const bool in_place = !g->trans_b && dense && !paired && width % VW == 0;
    const float *b = g->b + (g->trans_b ? j0 * g->ldb + k0 : k0 * g->ldb + j0);
    for (size_t j = 0, step; j < width && !in_place; j += step) {
        const int vecs = panel_vecs(width - j);
        step = (size_t)vecs * VW;
        pack_panel(scratch + j * count, g, b + j * (g->trans_b ? g->ldb : 1), count,
                   width - j < step ? width - j : step, vecs);
    }
    tile_args t = {.lda = g->lda, .ldc = g->ldc, .k = count, .accumulate = g->accumulate || k0 > 0};
    for (size_t i = 0; i < g->m; i += M_BLOCK) {
        const size_t rows = g->m - i < M_BLOCK ? g->m - i : M_BLOCK;
        const float *a = g->a + (g->trans_a ? k0 * g->lda + i : i * g->lda + k0);
        if (g->trans_a && g->lda >= WIDE_A && width > 8 * VW) {
            /* Slices of rows far apart share few lines of the cache: set them side by side. */
            copy_rows(scratch + PACKED_B, a, g->lda, count, rows);
            a = scratch + PACKED_B;
            t.lda = M_BLOCK;
        }
        for (size_t j = 0, step; j < width; j += step) {
            const int vecs = panel_vecs(width - j);
            step = (size_t)vecs * VW;
            t.b = in_place ? b + j : scratch + j * count;
            t.ldb = in_place ? g->ldb : paired ? 2 * VW : step;
            t.a = a;
            t.c = g->c + i * g->ldc + j0 + j;
            t.bias = g->bias && k0 == 0 ? g->bias + j0 + j : NULL;
            t.last = v_first(width - j - (step - VW));
            panel_run(&t, vecs, g->trans_a, rows);
        }
    }
}

/* The size of equal blocks, none above `most`, that cover n; a multiple of `unit`. */
static size_t block_size(size_t n, size_t most, size_t unit) {
    const size_t blocks = (n + most - 1) / most;
    const size_t even = (n + blocks - 1) / blocks;
    return (even + unit - 1) / unit * unit;
}

/* K = 0: the sum is empty, the bias and the old C stand. */
static void empty_sum(const uw_gemm_args *g) {
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            float *c = g->c + i * g->ldc + j;
            *c = (g->accumulate ? *c : 0) + (g->bias ? g->bias[j] : 0);
        }
    }
}

static void plain_product(const uw_gemm_args *g, float *scratch) {
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0) {
        empty_sum(g);
        return;
    }
    const size_t k_step = block_size(g->k, g->trans_a ? K_BLOCK_TRANS_A : K_BLOCK, 8);
    const size_t n_step = block_size(g->n, N_BLOCK, 3 * VW);
    for (size_t j = 0; j < g->n; j += n_step) {
        for (size_t k = 0; k < g->k; k += k_step)
            block_run(g, k, g->k - k < k_step ? g->k - k : k_step, j,
                      g->n - j < n_step ? g->n - j : n_step, scratch);
    }
}

/* One row of finished sums on its way out. */
static void finish_row(const uw_gemm_args *g, size_t i) {
    float *c = g->c + i * g->ldc;
    for (size_t j = 0; j < g->n; j += VW)
        v_put(c + j, g->n - j, v_epilogue(g, i, j, g->n - j, v_get(c + j, g->n - j)));
}

void UW_ISA(gemm_pack)(void *packed, const float *b, size_t ldb, bool trans_b, size_t n, size_t k) {
    uw_gemm_pack_ref(packed, b, ldb, trans_b, n, k);
}

void UW_ISA(gemm)(const uw_gemm_args *g, float *scratch) {
    uw_gemm_args plain = *g;
    if (g->packed) {
        plain.b = g->packed;
        plain.ldb = g->n;
        plain.trans_b = false;
    }
    plain_product(&plain, scratch);
    if (g->epilogue != UW_EPILOGUE_NONE)
        for (size_t i = 0; i < g->m; i++) finish_row(g, i);
}

#endif
