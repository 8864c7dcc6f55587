/* The bf16 product with AMX: tiles of 16 rows x 16 columns of sums, TDPBF16PS.
 *
 * A unit of work is 2 x 2 tiles of C (1 x 4 where one tile of rows is left), summed over all of a
 * block's K in steps of 32.  At this speed the epilogue is the dearer half: a unit's sums go to a
 * small buffer, and its epilogue runs between the products of the next unit, where the vector ports
 * are idle.  A is read where it stands, row by row; rows beyond the last full tile are had by a
 * tile that starts earlier and whose first rows are not used, for a row's bits do not depend on its
 * place in a tile. */
#include "x86/vec_avx512.h"

#include "x86/bf16_avx512.h"
#include "x86/turn.h"
#include "x86/vec_math.h"
#include "x86/x86.h"

typedef uint16_t a_element;
#define A_STEP   32 /* A is read as it is when K consists of whole steps */
#define ROW_UNIT 32

#include "x86/bf16_body.h"

enum {
    TILE = 16,                 /* rows; a row is 64 bytes: 16 floats, or 32 bf16 */
    TILE_FLOATS = TILE * TILE, /* of C, or 32-bit words of B */
    GROUP = 4,                 /* panels that stay in the first-level cache while rows pass */
    LINES_AHEAD = 2 * TILE     /* of a panel, 64 bytes each: two steps */
};

/* Tiles 0-3 hold sums, the others operands. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* One to four tiles of C. */
typedef struct unit {
    const block *b;
    size_t tile[2];    /* their first and second row of tiles, for the sums that wait */
    size_t start[2];   /* the row of A each starts at, within the block */
    size_t skip[2];    /* rows at its start that an earlier tile has */
    size_t tall, wide; /* rows of tiles; panels */
    size_t panel;      /* the first */
} unit;

/* A unit whose sums are done: its epilogue, row by row. */
typedef struct pending {
    unit u;
    size_t at, rows; /* next row; rows in all, 0 when there is nothing to do */
    _Alignas(64) float sums[4][TILE_FLOATS];
} pending;

/* For the compiler, tile instructions touch no memory. */
static inline void memory_settles(const void *p) {
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* Tiles of A and C have `rows` rows.  This empties all tiles; the state is the thread's. */
static void tiles_configure(size_t rows) {
    tile_config c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = 64;
        c.rows[i] =
            (uint8_t)(i < 5 ? rows : TILE); /* tile 5: of A in tall units, where rows is 16 */
    }
    memory_settles(&c);
    _tile_loadconfig(&c);
}

/* ---- epilogue, a few rows at a time -----------------------------------------------------------
 */

static inline __attribute__((always_inline)) void pending_run(pending *p, size_t rows) {
    const unit *u = &p->u;
    const block *b = u->b;
    for (const size_t end = least(p->rows, p->at + rows); p->at < end; p->at++) {
        const size_t t = p->at / TILE, r = p->at % TILE;
        if (r < u->skip[t]) continue;
        for (size_t v = 0; v < u->wide; v++) {
            const size_t j = (u->panel + v) * PANEL;
            finish_vector(b->g, b->i + u->start[t] + r, b->j + j, b->cols - j,
                          v_load(p->sums[t * 2 + v] + r * TILE));
        }
    }
}
static void pending_flush(pending *p) {
    pending_run(p, p->rows);
}
static void pending_start(pending *p, const unit *u) {
    p->u = *u;
    p->at = 0;
    p->rows = u->tall == 2 ? 2 * TILE : least(u->b->rows, TILE);
}

/* ---- products
 * ------------------------------------------------------------------------------------ */

static float *waiting_sums(const unit *u, size_t t, size_t v) {
    return u->b->sums + (u->tile[t] * (MN_BLOCK / PANEL) + u->panel + v) * TILE_FLOATS;
}

/* tall and wide are constants where this is expanded. */
static inline __attribute__((always_inline)) void sums_load(size_t tall, size_t wide,
                                                            const unit *u) {
    if (u->b->first) {
        _tile_zero(0);
        if (wide > 1) _tile_zero(1);
        if (tall > 1 || wide > 2) _tile_zero(2);
        if ((tall > 1 && wide > 1) || wide > 3) _tile_zero(3);
        return;
    }
    _tile_loadd(0, waiting_sums(u, 0, 0), 64);
    if (wide > 1) _tile_loadd(1, waiting_sums(u, 0, 1), 64);
    if (tall > 1) {
        _tile_loadd(2, waiting_sums(u, 1, 0), 64);
        if (wide > 1) _tile_loadd(3, waiting_sums(u, 1, 1), 64);
    } else {
        if (wide > 2) _tile_loadd(2, waiting_sums(u, 0, 2), 64);
        if (wide > 3) _tile_loadd(3, waiting_sums(u, 0, 3), 64);
    }
}
static inline __attribute__((always_inline)) void sums_store(size_t tall, size_t wide,
                                                             const unit *u, pending *p) {
    const bool last = u->b->last;
    _tile_stored(0, last ? p->sums[0] : waiting_sums(u, 0, 0), 64);
    if (wide > 1) _tile_stored(1, last ? p->sums[1] : waiting_sums(u, 0, 1), 64);
    if (tall > 1) {
        _tile_stored(2, last ? p->sums[2] : waiting_sums(u, 1, 0), 64);
        if (wide > 1) _tile_stored(3, last ? p->sums[3] : waiting_sums(u, 1, 1), 64);
    } else {
        if (wide > 2) _tile_stored(2, last ? p->sums[2] : waiting_sums(u, 0, 2), 64);
        if (wide > 3) _tile_stored(3, last ? p->sums[3] : waiting_sums(u, 0, 3), 64);
    }
    if (last) pending_start(p, u);
}

/* One unit.  Its panels are fetched ahead while its rows are the first to meet them. */
static inline __attribute__((always_inline)) void unit_body(size_t tall, size_t wide, const unit *u,
                                                            pending *p) {
    const block *b = u->b;
    const size_t steps = padded(b->count, K_STEP) / K_STEP;
    const size_t rows_per_step = steps ? (p->rows - p->at + steps - 1) / steps : 0;
    const size_t row_bytes = b->lda * sizeof *b->a;
    const uint16_t *a0 = b->a + u->start[0] * b->lda, *a1 = b->a + u->start[1] * b->lda;
    const uint32_t *b0 = b->b + u->panel * b->panel;
    sums_load(tall, wide, u);
    for (size_t k = 0; k < steps; k++, a0 += K_STEP, a1 += K_STEP, b0 += TILE_FLOATS) {
        const uint32_t *b1 = b0 + b->panel, *b2 = b1 + b->panel, *b3 = b2 + b->panel;
        _tile_loadd(4, a0, row_bytes);
        _tile_loadd(6, b0, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (tall > 1) {
            _tile_loadd(5, a1, row_bytes);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (wide > 1) {
            _tile_loadd(7, b1, 64);
            _tile_dpbf16ps(1, 4, 7);
            if (tall > 1) _tile_dpbf16ps(3, 5, 7);
        }
        if (wide > 2) {
            _tile_loadd(5, b2, 64);
            _tile_dpbf16ps(2, 4, 5);
        }
        if (wide > 3) {
            _tile_loadd(6, b3, 64);
            _tile_dpbf16ps(3, 4, 6);
        }
        if (u->tile[0] == 0) {
            for (size_t v = 0; v < wide; v++)
                for (size_t line = 0; line < TILE; line++)
                    _mm_prefetch((const char *)(b0 + v * b->panel + (LINES_AHEAD + line) * TILE),
                                 _MM_HINT_T0);
        }
        pending_run(p, rows_per_step);
    }
    pending_flush(p);
    sums_store(tall, wide, u, p);
}

/* Not inlined: each holds the epilogue once. */
#define UNIT(t, w)                                                                                 \
    static __attribute__((noinline)) void unit_##t##x##w(const unit *u, pending *p) {              \
        unit_body(t, w, u, p);                                                                     \
    }
UNIT(2, 2)
UNIT(2, 1)
UNIT(1, 4)
UNIT(1, 3)
UNIT(1, 2)
UNIT(1, 1)
#undef UNIT

static void unit_run(const unit *u, pending *p) {
    static void (*const low[])(const unit *, pending *) = {unit_1x1, unit_1x2, unit_1x3, unit_1x4};
    if (u->tall == 1) {
        low[u->wide - 1](u, p);
    } else if (u->wide == 2) {
        unit_2x2(u, p);
    } else {
        unit_2x1(u, p);
    }
}

/* The rows of tiles t .. t + tall against `wide` panels. */
static unit unit_new(const block *b, size_t t, size_t tall, size_t panel, size_t wide) {
    unit u = {.b = b, .tall = tall, .wide = wide, .panel = panel};
    for (size_t i = 0; i < tall; i++) {
        const size_t row = (t + i) * TILE, last = b->rows > TILE ? b->rows - TILE : 0;
        u.tile[i] = t + i;
        u.start[i] = least(row, last);
        u.skip[i] = row - u.start[i];
    }
    return u;
}

static void block_run(const block *b) {
    const size_t row_tiles = (b->rows + TILE - 1) / TILE, panels = (b->cols + PANEL - 1) / PANEL;
    pending p;
    p.at = p.rows = 0;
    memory_settles(b);
    tiles_configure(least(b->rows, TILE));
    for (size_t group = 0; group < panels; group += GROUP) {
        const size_t end = least(group + GROUP, panels);
        size_t t = 0;
        for (; t + 2 <= row_tiles; t += 2) {
            for (size_t at = group; at < end; at += 2) {
                const unit u = unit_new(b, t, 2, at, least(end - at, 2));
                unit_run(&u, &p);
            }
        }
        if (t < row_tiles) {
            const unit u = unit_new(b, t, 1, group, end - group);
            unit_run(&u, &p);
        }
    }
    pending_flush(&p);
}

/* The tiles are given back at the end: a thread that holds some is dearer to switch. */
void uw_gemm_bf16_amx(const uw_gemm_args *g, float *scratch) {
    product(g, scratch);
    _tile_release();
}
