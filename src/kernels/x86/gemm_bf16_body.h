/* The bf16 product in vector registers, for one instruction set: tiles of rows x panels with all
 * sums in registers, A broadcast.
 *
 * Two ways to multiply a pair of A with a row of a panel: DOT, one VDPBF16PS; or, where there is
 * none, two FMAs, the panel's halves widened by a shift and a mask and A as floats that are bf16.
 * Every sum is one chain over k within a block, whatever the tile. */
#ifndef UW_GEMM_BF16_BODY_H
#define UW_GEMM_BF16_BODY_H

enum { PANEL_VECS = 16 / VW, MAX_VECS = MAX_PANELS * PANEL_VECS };

#include "x86/bf16_body.h"

typedef struct tile_args {
    const block *b;
    size_t i, j;       /* of the tile within the block */
    const uint32_t *p; /* its first panel */
} tile_args;

/* What the tile's sums start from, and where they go. */
VEC void tile_load(int rows, int vecs, const tile_args *t, vf sum[][MAX_VECS]) {
    const float *from = t->b->sums + t->i * MN_BLOCK + t->j;
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vecs; v++) sum[i][v] =
            t->b->first ? v_zero() : v_load(from + i * MN_BLOCK + v * VW);
    }
}
VEC void tile_store(int rows, int vecs, const tile_args *t, vf sum[][MAX_VECS]) {
    float *to = t->b->sums + t->i * MN_BLOCK + t->j;
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vecs; v++) v_store(to + i * MN_BLOCK + v * VW, sum[i][v]);
    }
}

/* The finished sums of a tile, row by row from memory: the epilogue is expanded once, not per tile.
 */
static __attribute__((noinline)) void tile_finish(const tile_args *t, int rows, int vecs,
                                                  const float *sums) {
    const block *b = t->b;
    for (int i = 0; i < rows; i++, sums += MAX_VECS * VW) {
        for (int v = 0; v < vecs && t->j + (size_t)v * VW < b->cols; v++) {
            const size_t row = b->i + t->i + (size_t)i, at = t->j + (size_t)v * VW;
            finish_vector(b->g, row, b->j + at, b->cols - at, v_load(sums + v * VW));
        }
    }
}

/* One pair of k.  a has a pointer for every third row; the rows between are reached by scaled
 * index, for more pointers than that would not fit the registers. */
VEC void tile_step(int rows, int vecs, vf sum[][MAX_VECS], const a_element *const a[], size_t lda,
                   const uint32_t *const p, size_t panel) {
#if A_STEP
    __m512i row[MAX_VECS];
    UNROLL for (int v = 0; v < vecs; v++) row[v] = _mm512_loadu_si512(p + (size_t)v * panel);
    UNROLL for (int i = 0; i < rows; i++) {
        int32_t pair;
        memcpy(&pair, a[i / 3] + (size_t)(i % 3) * lda, sizeof pair);
        const __m512i value = _mm512_set1_epi32(pair);
        UNROLL for (int v = 0; v < vecs; v++) DOT(&sum[i][v], value, row[v]);
    }
#else
    UNROLL for (int half = 0; half < 2; half++) {
        vf row[MAX_VECS];
        UNROLL for (int v = 0; v < vecs; v++) {
            const uint32_t *from = p + (size_t)(v / PANEL_VECS) * panel + v % PANEL_VECS * VW;
            row[v] = half ? v_odd(from) : v_even(from);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            const vf value = v_set(a[i / 3][(size_t)(i % 3) * lda + (size_t)half]);
            UNROLL for (int v = 0; v < vecs; v++) v_fma_into(&sum[i][v], value, row[v]);
        }
    }
#endif
}

/* rows and panels are constants where this is expanded. */
VEC void tile(int rows, int panels, const tile_args *t) {
    enum { POINTERS = (MAX_ROWS + 2) / 3 };
    const int vecs = panels * PANEL_VECS, pointers = (rows + 2) / 3;
    const block *b = t->b;
    size_t lda = b->lda, panel = b->panel;
    vf sum[MAX_ROWS][MAX_VECS];
    tile_load(rows, vecs, t, sum);
    const a_element *a[POINTERS];
    UNROLL for (int i = 0; i < pointers; i++) a[i] = b->a + (t->i + (size_t)i * 3) * lda;
    const uint32_t *p = t->p;
    for (size_t k = 0; k < b->count; k += 2, p += PANEL) {
        tile_step(rows, vecs, sum, a, lda, p, panel);
        __asm__("" : "+r"(lda)); /* gcc would keep a register for every multiple of lda ... */
        UNROLL for (int i = 0; i < pointers; i++) {
            a[i] += 2;
            __asm__("" : "+r"(a[i])); /* ... and for every row of A */
        }
    }
    if (!b->last) {
        tile_store(rows, vecs, t, sum);
        return;
    }
    float out[MAX_ROWS][MAX_VECS * VW];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vecs; v++) v_store(out[i] + v * VW, sum[i][v]);
    }
    tile_finish(t, rows, vecs, out[0]);
}

#define TILE(r, p)                                                                                 \
    static void tile_##r##x##p(const tile_args *t) {                                               \
        tile(r, p, t);                                                                             \
    }
TILES(TILE)
#undef TILE

/* The tiles of each width, tallest first, down to one row. */
static const struct tile_kind {
    size_t rows, panels;
    void (*run)(const tile_args *t);
} tiles[] = {
#define TILE(r, p) {r, p, tile_##r##x##p},
    TILES(TILE)
#undef TILE
};

/* Panels of the next tiles when `panels` remain: the most, after what leaves only those. */
static size_t tile_panels(size_t panels) {
    if (MAX_PANELS < 3 || panels == 1) return 1;
    return panels % 3 ? 2 : 3;
}

static void block_run(const block *b) {
    const size_t panels = (b->cols + PANEL - 1) / PANEL;
    for (size_t at = 0, wide; at < panels; at += wide) {
        const struct tile_kind *kind = tiles;
        wide = tile_panels(panels - at);
        for (size_t i = 0; i < b->rows; i += kind->rows) {
            while (kind->panels != wide || kind->rows > b->rows - i) kind++;
            const tile_args t = {.b = b, .i = i, .j = at * PANEL, .p = b->b + at * b->panel};
            kind->run(&t);
        }
    }
}

void UW_ISA(gemm_bf16)(const uw_gemm_args *g, float *scratch) {
    product(g, scratch);
}

void UW_ISA(to_bf16)(uint16_t *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += VW) v_put_bf16(y + i, n - i, v_get(x + i, n - i));
}

#endif
