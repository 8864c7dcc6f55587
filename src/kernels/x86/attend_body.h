/* One head of attention: both products and the softmax between them over a block of queries, whose
 * scores never leave the first caches.
 *
 * Keys are turned once into panels of one or two vectors, [head_dim, panel], and values copied into
 * panels [tokens, panel]; then every query block meets all panels of keys, becomes exponentials in
 * place, and meets all panels of values.  Rows are divided by their sums on the way out.
 *
 * An entry of the scores is one chain of FMAs over head_dim and an entry of the output one over the
 * tokens, whatever the block: queries may be cut as callers like. */
#ifndef UW_ATTEND_BODY_H
#define UW_ATTEND_BODY_H

#include <math.h>

#include "kernels.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { PANEL_VECS = 2, K_UNROLL = 4 };
_Static_assert(2 * MAX_ROWS <= UW_ATTENTION_BLOCK, "a block is two of the tallest tiles");

/* One k: a column of a, broadcast, times a row of the panel.  row has a pointer for every third row
 * of a; those between are reached by scaled index. */
VEC void attend_step(int rows, int vecs, const float *const row[], size_t lda, size_t at,
                     const float *panel, vf sum[][PANEL_VECS]) {
    vf b[PANEL_VECS];
    UNROLL for (int v = 0; v < vecs; v++) b[v] = v_load(panel + v * VW);
    UNROLL for (int i = 0; i < rows; i++) {
        const vf x = v_set(row[i / 3][(size_t)(i % 3) * lda + at]);
        UNROLL for (int v = 0; v < vecs; v++) v_fma_into(&sum[i][v], x, b[v]);
    }
}

/* sum[rows][vecs] = a [rows, k] times a panel [k, vecs VW]; rows and vecs are constants. */
VEC void attend_tile(int rows, int vecs, const float *a, size_t lda, const float *panel, size_t k,
                     vf sum[][PANEL_VECS]) {
    const size_t wide = (size_t)vecs * VW;
    const float *row[(MAX_ROWS + 2) / 3];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vecs; v++) sum[i][v] = v_zero();
    }
    UNROLL for (int i = 0; i < rows; i += 3) row[i / 3] = a + (size_t)i * lda;
    for (; k >= K_UNROLL; k -= K_UNROLL) {
        UNROLL for (size_t at = 0; at < K_UNROLL; at++) {
            attend_step(rows, vecs, row, lda, at, panel, sum);
            panel += wide;
            __asm__("" : "+r"(lda)); /* gcc would keep a register for every multiple of lda ... */
        }
        UNROLL for (int i = 0; i < rows; i += 3) {
            row[i / 3] += K_UNROLL;
            __asm__("" : "+r"(row[i / 3])); /* ... and for every row */
        }
    }
    for (; k > 0; k--) {
        attend_step(rows, vecs, row, lda, 0, panel, sum);
        panel += wide;
        UNROLL for (int i = 0; i < rows; i += 3) row[i / 3]++;
    }
}

/* A tile's result: c [rows, VW vecs] = factor[row] (1 when NULL) times the sums, the last vector in
 * part. */
typedef struct attend_args {
    const float *a, *panel, *factor;
    float *c;
    size_t lda, ldc, k;
    vmask last;
} attend_args;
typedef void attend_fn(const attend_args *t);

VEC void attend_store(int rows, int vecs, const attend_args *t) {
    vf sum[MAX_ROWS][PANEL_VECS];
    attend_tile(rows, vecs, t->a, t->lda, t->panel, t->k, sum);
    UNROLL for (int i = 0; i < rows; i++) {
        float *c = t->c + (size_t)i * t->ldc;
        if (t->factor) {
            const vf factor = v_set(t->factor[i]);
            UNROLL for (int v = 0; v < vecs; v++) sum[i][v] = v_mul(sum[i][v], factor);
        }
        UNROLL for (int v = 0; v < vecs - 1; v++) v_store(c + v * VW, sum[i][v]);
        v_store_some(c + (vecs - 1) * VW, t->last, sum[i][vecs - 1]);
    }
}

#define TILE(r)                                                                                    \
    static void attend_##r##x1(const attend_args *t) {                                             \
        attend_store(r, 1, t);                                                                     \
    }                                                                                              \
    static void attend_##r##x2(const attend_args *t) {                                             \
        attend_store(r, 2, t);                                                                     \
    }
ATTEND_TILES(TILE)
#undef TILE

/* Tallest first, down to one row. */
static const struct {
    size_t rows;
    attend_fn *run[PANEL_VECS]; /* by width */
} attend_tiles[] = {
#define TILE(r) {r, {attend_##r##x1, attend_##r##x2}},
    ATTEND_TILES(TILE)
#undef TILE
};

/* All rows of a block against one panel. */
static void attend_panel(const attend_args *start, int vecs, size_t rows) {
    attend_args t = *start;
    for (size_t i = 0; rows > 0;) {
        const size_t done = attend_tiles[i].rows;
        if (done > rows) {
            i++;
            continue;
        }
        attend_tiles[i].run[vecs - 1](&t);
        t.a += done * t.lda;
        t.c += done * t.ldc;
        if (t.factor) t.factor += done;
        rows -= done;
    }
}

static int attend_vecs(size_t columns) {
    return columns > VW ? PANEL_VECS : 1;
}

/* k [tokens, head_dim] -> panels [head_dim, columns] of tokens, the last filled up with 0. */
static void turn_keys(float *to, const uw_attention_args *a) {
    for (size_t j = 0; j < a->tokens; j += PANEL_VECS * VW) {
        const size_t left = a->tokens - j, width = (size_t)attend_vecs(left) * VW;
        for (size_t c = 0; c < width; c += 8) {
            const size_t columns = left > c ? (left - c < 8 ? left - c : 8) : 0;
            for (size_t d = 0; d < a->head_dim; d += 8)
                turn_8x8(to + d * width + c, width, a->k + (j + (columns ? c : 0)) * a->ld_kv + d,
                         a->ld_kv, columns, a->head_dim - d < 8 ? a->head_dim - d : 8);
        }
        to += width * a->head_dim;
    }
}

/* v [tokens, head_dim] -> panels [tokens, columns] of head_dim, the last filled up with 0. */
static void copy_values(float *to, const uw_attention_args *a) {
    for (size_t d = 0; d < a->head_dim; d += PANEL_VECS * VW) {
        const size_t left = a->head_dim - d;
        const int vecs = attend_vecs(left);
        const float *from = a->v + d;
        for (size_t t = 0; t < a->tokens; t++, from += a->ld_kv, to += vecs * VW) {
            if (vecs == PANEL_VECS) v_store(to, v_load(from));
            const size_t before = (size_t)(vecs - 1) * VW;
            v_store(to + before, v_get(from + before, left - before));
        }
    }
}

/* 2^t for t <= 0, relative error below 2 eps; 2^-126 below -126.
 *
 * Two to the nearest integer times a polynomial in the rest, fitted for the least relative error on
 * |r| <= 1/2 (iteratively reweighted least squares; the fit itself is off by 0.9 eps). */
VEC vf power_of_two(vf t) {
    t = v_max(v_set(-126.0f), t); /* NaN passes */
    const vf n = v_round(t), r = v_sub(t, n);
    vf p = v_set(1.326471800e-03f);
    p = v_fma(p, r, v_set(9.671512991e-03f));
    p = v_fma(p, r, v_set(5.550733954e-02f));
    p = v_fma(p, r, v_set(2.402224243e-01f));
    p = v_fma(p, r, v_set(6.931470037e-01f));
    return v_ldexp(v_fma(p, r, v_set(1.0f)), n);
}

/* Rows of scores, `stride` apart -> exponentials of scale (s - the greatest), and 1 / their sums.
 * The greatest of all rows first: no row then waits for its own. */
static void exponentials(float *s, size_t stride, size_t rows, size_t count, float scale,
                         float *one_by_sum) {
    const vf factor = v_set(scale * 1.44269504088896341f);
    const vmask last = v_first((count - 1) % VW + 1);
    const size_t before = (count - 1) / VW * VW;
    vf shift[2 * MAX_ROWS];
    for (size_t i = 0; i < rows; i++) {
        const float *row = s + i * stride;
        vf top = v_pick(last, v_load(row + before), v_set(-INFINITY));
        for (size_t j = 0; j < before; j += VW) top = v_max(v_load(row + j), top);
        shift[i] = v_mul(v_set(-v_largest(top)), factor);
    }
    for (size_t i = 0; i < rows; i++) {
        float *row = s + i * stride;
        vf sum = v_zero();
        for (size_t j = 0; j < before; j += VW) {
            const vf p = power_of_two(v_fma(v_load(row + j), factor, shift[i]));
            sum = v_add(sum, p);
            v_store(row + j, p);
        }
        const vf p = v_keep(power_of_two(v_fma(v_load(row + before), factor, shift[i])), last);
        v_store(row + before, p);
        one_by_sum[i] = 1 / v_sum(v_add(sum, p));
    }
}

void UW_ISA(attention)(const uw_attention_args *a, float *scratch) {
    const size_t wide = (a->tokens + VW - 1) / VW * VW;
    float *keys = scratch, *values = keys + wide * a->head_dim;
    float *s = values + a->tokens * ((a->head_dim + VW - 1) / VW * VW);
    float factor[UW_ATTENTION_BLOCK];

    turn_keys(keys, a);
    copy_values(values, a);
    for (size_t r = 0; r < a->rows; r += 2 * MAX_ROWS) {
        const size_t rows = a->rows - r < 2 * MAX_ROWS ? a->rows - r : 2 * MAX_ROWS;
        attend_args t = {.a = a->q + r * a->ld_q,
                         .lda = a->ld_q,
                         .panel = keys,
                         .k = a->head_dim,
                         .ldc = wide,
                         .last = v_first(VW)};
        for (size_t j = 0, width; j < wide; j += width, t.panel += width * a->head_dim) {
            const int vecs = attend_vecs(wide - j);
            width = (size_t)vecs * VW;
            t.c = s + j;
            attend_panel(&t, vecs, rows);
        }
        exponentials(s, wide, rows, a->tokens, a->scale, factor);
        t = (attend_args){
            .a = s, .lda = wide, .panel = values, .k = a->tokens, .factor = factor, .ldc = a->ld_o};
        for (size_t d = 0, width; d < a->head_dim; d += width, t.panel += width * a->tokens) {
            const size_t left = a->head_dim - d;
            const int vecs = attend_vecs(left);
            width = (size_t)vecs * VW;
            t.c = a->o + r * a->ld_o + d;
            t.last = v_first(left - (width - VW));
            attend_panel(&t, vecs, rows);
        }
    }
}

#endif
