/* The matrix product for one instruction set; the including file names the set and its tile sizes.
 *
 * Plan: op(B) lies in panels of one to three vectors by all of K (gemm_pack's layout; a plain
 * product lays the panels out in scratch).  Blocks of rows of A pass over blocks of K and over the
 * panels: tiles of rows x panel keep all sums in registers, A is broadcast from where it stands, or
 * from a copy by columns where it is transposed.  The last block of K ends in C, epilogue included.
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
    K_TO_PREFETCH = 64, /* from here on the lines of C are fetched while a tile sums */
    MAX_VECS = 3,       /* widest panel, in vectors */
    PANEL = MAX_VECS * VW,
    LINE = 16,             /* floats */
    K_BLOCK = 256,         /* depth of a block: its slice of a panel about fills the first level */
    K_BLOCK_TRANS_A = 128, /* both operands stream: a slice of each should stay */
    M_BLOCK = 192,         /* rows of A that stay in the second-level cache while panels pass */
    M_GROUP = 24,          /* rows of a transposed A side by side: whole tiles of any width */
    N_BLOCK = 192,         /* columns of partial sums that wait in scratch for an epilogue */
    N_DEEP = 480,          /* columns of a block that meets all of a deep K ... */
    C_BLOCK = 96 * 1024,   /* ... and its entries of C, which stay in the second-level cache */
    WIDE_A = 96, /* a transposed A with rows this long is copied, if enough columns meet it */
    IN_PLACE_ROWS = 32,  /* up to here packing B costs more than it saves */
    IN_PLACE_WIDTH = 48, /* a B stored no wider lies as densely as a panel */
    /* The scratch, in floats: panels of B, a block of partial sums, a block of A by columns. */
    PARTIAL = M_BLOCK * N_BLOCK,
    COPY_A = M_BLOCK * K_BLOCK_TRANS_A,
    PACKED_B = (UW_GEMM_SCRATCH - PARTIAL - COPY_A - LINE) / (K_BLOCK * PANEL) * (K_BLOCK * PANEL)
};

/* How a tile meets A: rows as stored, columns of a transposed A, or rows by pairs of k. */
typedef enum tile_walk { WALK_ROWS, WALK_COLUMNS, WALK_PAIRS } tile_walk;

/* One tile's operands.  a points at the tile's first row and the block's first k, b at the panel.
 */
typedef struct tile_args {
    const float *a, *b;
    size_t lda, ldb, k;
    const float *from; /* sums so far, added; NULL: none */
    size_t ld_from;
    const float *bias; /* NULL: none */
    float *to;
    size_t ld_to;
    vmask last;         /* columns of from, bias and to under the last vector */
    const float *fetch; /* rows that will be written next, with stride ld_fetch */
    size_t ld_fetch;
    const float *ahead; /* what the next panel needs: one line in K_UNROLL steps */
    size_t ahead_step;
} tile_args;

typedef void tile_fn(const tile_args *t);

/* The sum is in registers: add what it should also hold and write it. */
VEC void tile_store(int rows, int vecs, const tile_args *t, vf sum[][MAX_VECS]) {
    const vmask last = t->last;
    if (t->from) {
        const float *from = t->from;
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < vecs - 1; v++) {
                sum[i][v] = v_add(sum[i][v], v_load(from + v * VW));
            }
            sum[i][vecs - 1] = v_add(sum[i][vecs - 1], v_load_some(from + (vecs - 1) * VW, last));
            from += t->ld_from;
        }
    }
    if (t->bias) {
        vf shift[MAX_VECS];
        UNROLL for (int v = 0; v < vecs; v++) {
            shift[v] =
                v == vecs - 1 ? v_load_some(t->bias + v * VW, last) : v_load(t->bias + v * VW);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < vecs; v++) sum[i][v] = v_add(sum[i][v], shift[v]);
        }
    }
    float *to = t->to;
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vecs - 1; v++) v_store(to + v * VW, sum[i][v]);
        v_store_some(to + (vecs - 1) * VW, last, sum[i][vecs - 1]);
        to += t->ld_to;
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

/* K_UNROLL values of k.  Scalar additions take turns with the FMAs on their ports: pay for them
 * once. */
VEC void tile_steps(int rows, int vecs, tile_walk walk, vf sum[][MAX_VECS], const float *a[],
                    size_t *lda, const float **b, size_t ldb) {
    const int pointers = walk == WALK_COLUMNS ? 0 : (rows + 2) / 3;
    UNROLL for (int at = 0; at < K_UNROLL; at += walk == WALK_PAIRS ? 2 : 1) {
        tile_step(rows, vecs, walk, sum, a, *lda, at, *b);
        *b += ldb;
        if (walk == WALK_COLUMNS) a[0] += *lda;
        __asm__("" : "+r"(*lda)); /* gcc would keep a register for every multiple of lda ... */
    }
    UNROLL for (int i = 0; i < pointers; i++) {
        a[i] += K_UNROLL;
        __asm__("" : "+r"(a[i])); /* ... and for every row of A */
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
    const size_t ldb = t->ldb, jump = walk == WALK_COLUMNS ? lda : (size_t)per_step;
    if (k >= K_TO_PREFETCH) {
        const float *fetch = t->fetch;
        for (int i = 0; i < rows; i++, k -= K_UNROLL) {
            UNROLL for (int v = 0; v < vecs * VW; v += LINE)
                _mm_prefetch((const char *)(fetch + v), _MM_HINT_T0);
            fetch += t->ld_fetch;
            tile_steps(rows, wide, walk, sum, a, &lda, &b, ldb);
        }
    }
    if (t->ahead_step > 0) {
        const float *ahead = t->ahead;
        for (; k >= K_UNROLL; k -= K_UNROLL, ahead += LINE) {
            _mm_prefetch((const char *)ahead, _MM_HINT_T1);
            tile_steps(rows, wide, walk, sum, a, &lda, &b, ldb);
        }
    }
    for (; k >= K_UNROLL; k -= K_UNROLL) tile_steps(rows, wide, walk, sum, a, &lda, &b, ldb);
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
static const tile_kind column_tiles[] = {TILES_WIDE(COLUMNS)};
#undef ROWS
#undef PAIRS
#undef COLUMNS

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
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

/* Pack `count` rows and `width` columns of op(B) from (k0, j0) on: panel after panel. */
static void pack_panels(float *panels, const uw_gemm_args *g, size_t k0, size_t count, size_t j0,
                        size_t width) {
    for (size_t j = 0, step; j < width; j += step) {
        const int vecs = panel_vecs(width - j);
        step = (size_t)vecs * VW;
        const size_t live = width - j < step ? width - j : step;
        const float *b = g->b + (g->trans_b ? (j0 + j) * g->ldb + k0 : k0 * g->ldb + j0 + j);
        float *panel = panels + j * count;
        if (vecs == 1) {
            pack_pairs(panel, g, b, count, live);
        } else if (g->trans_b) {
            pack_columns(panel, b, g->ldb, count, live, vecs);
        } else {
            pack_rows(panel, b, g->ldb, count, live, vecs);
        }
    }
}

/* `rows` columns of a transposed A over `count` values of k: groups of M_GROUP side by side. */
static void copy_columns(float *dst, const float *a, size_t lda, size_t count, size_t rows) {
    for (size_t i = 0; i < rows; i += M_GROUP) {
        const size_t live = rows - i < M_GROUP ? rows - i : M_GROUP;
        const float *from = a + i;
        for (size_t k = 0; k < count; k++, from += lda, dst += M_GROUP) {
            for (size_t j = 0; j < M_GROUP; j += VW) {
                const size_t left = live > j ? live - j : 0;
                if (j + VW <= M_GROUP) {
                    v_store(dst + j, v_get(from + j, left));
                } else {
                    v_put(dst + j, M_GROUP - j, v_get(from + j, left));
                }
            }
        }
    }
}

/* The same as rows, for tiles that meet A by pairs of k. */
static void turn_columns(float *dst, const float *a, size_t lda, size_t count, size_t rows) {
    for (size_t k = 0; k < count; k += 8) {
        for (size_t i = 0; i < rows; i += 8)
            turn_8x8(dst + i * K_BLOCK_TRANS_A + k, K_BLOCK_TRANS_A, a + k * lda + i, lda,
                     least(count - k, 8), least(rows - i, 8));
    }
}

/* A part of op(B): columns from j0 and rows from k0, as panels or, with in_place, as stored. */
typedef struct b_part {
    const float *b;
    bool in_place;
    size_t j0, width, k0, depth;
    size_t k_step; /* of the blocks */
} b_part;

/* The epilogue of a tile whose sums lie in `sums` with row stride ld. */
static void finish_tile(const uw_gemm_args *g, const float *sums, size_t ld, size_t i, size_t rows,
                        size_t j, size_t width) {
    for (; rows > 0; rows--, i++, sums += ld) {
        for (size_t v = 0; v < width; v += VW)
            v_put(g->c + i * g->ldc + j + v, width - v,
                  v_epilogue(g, i, j + v, width - v, v_load(sums + v)));
    }
}

/* One panel over one block of K: rows i.. of A and C, `rows` of them. */
typedef struct sweep {
    const uw_gemm_args *g;
    tile_args t;
    int vecs;
    size_t i, rows, j, width; /* width: live columns */
    bool columns, groups;     /* A is met by columns, that lie in groups of M_GROUP */
    bool finish;              /* an epilogue follows */
    const float *ahead_end;
} sweep;

static void sweep_run(const sweep *s) {
    float sums[MAX_ROWS * PANEL];
    tile_args t = s->t;
    const tile_kind *kind = s->columns ? column_tiles : row_tiles;
    for (size_t at = 0; at < s->rows;) {
        while (kind->vecs != s->vecs || (size_t)kind->rows > s->rows - at) kind++;
        const size_t done = (size_t)kind->rows;
        if (s->groups) t.a = s->t.a + at / M_GROUP * M_GROUP * s->t.k + at % M_GROUP;
        if (s->finish) {
            t.to = sums;
            t.ld_to = (size_t)s->vecs * VW;
        }
        kind->run(&t);
        if (s->finish)
            finish_tile(s->g, sums, (size_t)s->vecs * VW, s->i + at, done, s->j, s->width);
        t.a += s->columns ? done : done * t.lda;
        if (t.from) t.from += done * t.ld_from;
        t.to += done * t.ld_to;
        t.fetch += done * t.ld_fetch;
        t.ahead += t.k / K_UNROLL * t.ahead_step;
        if (t.ahead >= s->ahead_end) t.ahead_step = 0;
        at += done;
    }
}

/* What a tile of panel j of a part meets in block k of it. */
static void sweep_panel(sweep *s, const b_part *b, size_t k, size_t j, float *partial) {
    const uw_gemm_args *g = s->g;
    tile_args *t = &s->t;
    const bool waits = g->epilogue != UW_EPILOGUE_NONE;
    const bool first = b->k0 + k == 0, final = b->k0 + k + t->k == g->k;
    s->vecs = panel_vecs(b->width - j);
    const size_t step = (size_t)s->vecs * VW;
    s->j = b->j0 + j;
    s->width = least(b->width - j, step);
    s->finish = waits && final;
    t->b = b->in_place ? b->b + k * g->ldb + j : b->b + j * b->depth + k * step;
    t->ldb = b->in_place ? g->ldb : s->vecs == 1 ? 2 * VW : step;
    float *c = g->c + s->i * g->ldc + s->j;
    t->to = waits ? partial : c;
    t->ld_to = waits ? step : g->ldc;
    t->from = first ? (g->accumulate ? c : NULL) : t->to;
    t->ld_from = first ? g->ldc : t->ld_to;
    t->fetch = final ? c : t->to;
    t->ld_fetch = final ? g->ldc : t->ld_to;
    t->bias = final && g->bias ? g->bias + s->j : NULL;
    t->last = v_first(s->width - (step - VW));
    t->ahead = t->b;
    t->ahead_step = 0;
    if (!b->in_place && j + step < b->width) {
        t->ahead = b->b + (j + step) * b->depth + k * step;
        t->ahead_step = LINE;
        s->ahead_end = t->ahead + step * t->k;
    }
}

/* Rows i .. i + rows of A against columns `from` .. `to` of a part.  work: PARTIAL + COPY_A. */
static void rows_run(const uw_gemm_args *g, const b_part *b, size_t i, size_t rows, size_t from,
                     size_t to, float *work) {
    float *copy = work + PARTIAL;
    const bool pairs = panel_vecs(b->width) == 1;
    for (size_t k = 0, count; k < b->depth; k += count) {
        count = least(b->depth - k, b->k_step);
        const size_t k0 = b->k0 + k;
        sweep s = {.g = g, .i = i, .rows = rows, .columns = g->trans_a && !pairs};
        s.t = (tile_args){.a = g->a + i * g->lda + k0, .lda = g->lda, .k = count};
        if (g->trans_a) s.t.a = g->a + k0 * g->lda + i;
        if (g->trans_a && pairs) {
            turn_columns(copy, s.t.a, g->lda, count, rows);
            s.t.a = copy;
            s.t.lda = K_BLOCK_TRANS_A;
        } else if (g->trans_a && g->lda >= WIDE_A && b->width > 8 * VW) {
            /* Slices of rows far apart share few lines of the cache. */
            copy_columns(copy, s.t.a, g->lda, count, rows);
            s.t.a = copy;
            s.t.lda = M_GROUP;
            s.groups = true;
        }
        const float *a = s.t.a;
        for (size_t j = from; j < to; j += (size_t)s.vecs * VW) {
            s.t.a = a;
            sweep_panel(&s, b, k, j, work + (j - from) * M_BLOCK);
            sweep_run(&s);
        }
    }
}

/* The size of equal blocks, none above `most`, that cover n; a multiple of `unit`. */
static size_t block_size(size_t n, size_t most, size_t unit) {
    const size_t blocks = (n + most - 1) / most;
    const size_t even = (n + blocks - 1) / blocks;
    return (even + unit - 1) / unit * unit;
}

/* K = 0: the sum is empty, the rest stands. */
static void empty_sum(const uw_gemm_args *g) {
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j += VW) {
            const size_t left = g->n - j;
            float *c = g->c + i * g->ldc + j;
            vf s = g->accumulate ? v_get(c, left) : v_zero();
            if (g->bias) s = v_add(s, v_get(g->bias + j, left));
            v_put(c, left, v_epilogue(g, i, j, left, s));
        }
    }
}

/* All rows against one part that holds all of K.  Sums that wait for an epilogue bound the columns
 * of a pass. */
static void part_run(const uw_gemm_args *g, const b_part *b, float *work) {
    const bool waits = g->epilogue != UW_EPILOGUE_NONE && b->depth > b->k_step;
    for (size_t i = 0; i < g->m; i += M_BLOCK) {
        for (size_t from = 0, to; from < b->width; from = to) {
            to = b->width;
            if (waits) {
                size_t next = from;
                do {
                    to = next;
                    next += (size_t)panel_vecs(b->width - to) * VW;
                } while (to < b->width && next - from <= N_BLOCK);
            }
            rows_run(g, b, i, least(g->m - i, M_BLOCK), from, to, work);
        }
    }
}

/* A plain product whose op(B) is deeper than the scratch holds: blocks of C stay near while all of
 * K passes, a block of it at a time. */
static void deep_run(const uw_gemm_args *g, size_t k_step, float *panels, float *work) {
    const bool waits = g->epilogue != UW_EPILOGUE_NONE;
    const size_t n_step = waits ? N_BLOCK : block_size(g->n, N_DEEP, PANEL);
    const size_t m_step = waits ? M_BLOCK : C_BLOCK / n_step / M_BLOCK * M_BLOCK;
    b_part b = {.b = panels, .k_step = k_step};
    for (b.j0 = 0; b.j0 < g->n; b.j0 += n_step) {
        b.width = least(g->n - b.j0, n_step);
        for (size_t i0 = 0; i0 < g->m; i0 += m_step) {
            const size_t end = least(g->m, i0 + m_step);
            for (b.k0 = 0; b.k0 < g->k; b.k0 += k_step) {
                b.depth = least(g->k - b.k0, k_step);
                pack_panels(panels, g, b.k0, b.depth, b.j0, b.width);
                for (size_t i = i0; i < end; i += M_BLOCK)
                    rows_run(g, &b, i, least(end - i, M_BLOCK), 0, b.width, work);
            }
        }
    }
}

/* op(B) as it is stored, packed whole, packed by columns, or a block at a time. */
static void plain_run(const uw_gemm_args *g, size_t k_step, float *panels, float *work) {
    const bool dense = g->m <= IN_PLACE_ROWS || g->ldb <= IN_PLACE_WIDTH;
    if (!g->trans_b && dense && g->n > VW && g->n % VW == 0) {
        const b_part b = {
            .b = g->b, .in_place = true, .width = g->n, .depth = g->k, .k_step = k_step};
        part_run(g, &b, work);
        return;
    }
    const size_t most = (size_t)PACKED_B / (g->k + 1) / PANEL * PANEL; /* pairs round K up */
    if (most < g->n && (g->trans_a || most < 2 * PANEL)) {
        deep_run(g, k_step, panels, work);
        return;
    }
    const size_t n_step = block_size(g->n, most, PANEL);
    b_part b = {.b = panels, .depth = g->k, .k_step = k_step};
    for (b.j0 = 0; b.j0 < g->n; b.j0 += n_step) {
        b.width = least(g->n - b.j0, n_step);
        pack_panels(panels, g, 0, g->k, b.j0, b.width);
        part_run(g, &b, work);
    }
}

void UW_ISA(gemm_pack)(void *packed, const float *b, size_t ldb, bool trans_b, size_t n, size_t k) {
    const uw_gemm_args g = {.b = b, .ldb = ldb, .trans_b = trans_b};
    pack_panels(packed, &g, 0, k, 0, n);
}

void UW_ISA(gemm)(const uw_gemm_args *g, float *scratch) {
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0) {
        empty_sum(g);
        return;
    }
    /* Panels begin with a line of the cache, so that no vector of theirs lies in two. */
    float *panels = scratch + (size_t)(-(uintptr_t)scratch / sizeof(float) % LINE);
    float *work = panels + PACKED_B;
    const size_t k_step = block_size(g->k, g->trans_a ? K_BLOCK_TRANS_A : K_BLOCK, 8);
    if (g->packed) {
        const b_part b = {.b = g->packed, .width = g->n, .depth = g->k, .k_step = k_step};
        part_run(g, &b, work);
    } else {
        plain_run(g, k_step, panels, work);
    }
}

#endif
