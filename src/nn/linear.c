/* Linear layers.  Weights are PyTorch's [out, in].
 *
 * Forward and input gradient are cut by rows and columns.  The weight gradient dw = dy^T x is cut
 * by outputs when the weight is large or the rows are few (every block sums all rows: nothing to
 * fold), else by rows into a fixed number of chunks whose partial sums are folded in chunk order.
 */
#include "layers.h"

enum {
    ROW_CHUNKS = 16, /* partial sums of a weight gradient cut by rows */
    MIN_ROWS_TO_CHUNK = 2048,
    MAX_PARTIAL = 64 * 1024, /* weights above this are cut by outputs */
    MAX_COLUMN_BLOCKS = 8,
    MIN_COLUMNS = 64,
    LINE = 16 /* columns are cut at whole lines of the cache */
};

typedef struct linear_task {
    const uw_exec *e;
    const uw_linear *l;
    uw_real *y, *act, *dx, *work;
    const uw_real *x, *dy;
    size_t rows, block, columns; /* columns: blocks that the result's columns are cut into */
    bool accumulate;
} linear_task;

static size_t clip(size_t begin, size_t block, size_t end) {
    return end - begin < block ? end - begin : block;
}

/* The blocks of a result `width` columns wide: eight, or as many as are not narrow.  A function of
 * the layer alone: whatever the rows, a column is summed in the same block. */
static size_t column_blocks(size_t width) {
    const size_t most = width / MIN_COLUMNS;
    return most < 1 ? 1 : most < MAX_COLUMN_BLOCKS ? most : MAX_COLUMN_BLOCKS;
}

static size_t column_at(const linear_task *t, size_t width, size_t block) {
    return block == t->columns ? width : block * width / t->columns / LINE * LINE;
}

static void forward_block(void *arg, size_t index, int32_t worker) {
    const linear_task *t = arg;
    const uw_linear *l = t->l;
    const size_t row = index / t->columns * t->block, rows = clip(row, t->block, t->rows);
    const size_t col = column_at(t, l->out, index % t->columns);
    const size_t end = column_at(t, l->out, index % t->columns + 1), at = row * l->out + col;
    const uw_gemm_args g = {.trans_b = true,
                            .m = rows,
                            .n = end - col,
                            .k = l->in,
                            .a = t->x + row * l->in,
                            .lda = l->in,
                            .b = l->w + col * l->in,
                            .ldb = l->in,
                            .bias = l->b ? l->b + col : NULL,
                            .c = (t->act ? t->act : t->y) + at,
                            .ldc = l->out,
                            .epilogue = t->act ? UW_EPILOGUE_GELU : UW_EPILOGUE_NONE,
                            .sum = t->act && t->act != t->y ? t->y + at : NULL};

    uw__exec_gemm(t->e, &g, uw__exec_gemm_scratch(t->e, worker));
}

void uw__linear_forward(const uw_exec *e, const uw_linear *l, uw_real *y, uw_real *act,
                        const uw_real *x, size_t rows) {
    linear_task t = {.e = e,
                     .l = l,
                     .y = y,
                     .act = act,
                     .x = x,
                     .rows = rows,
                     .block = uw__row_block(rows),
                     .columns = column_blocks(l->out)};
    uw__pool_run(uw__exec_pool(e, rows * l->in * l->out), uw__num_blocks(rows, t.block) * t.columns,
                 forward_block, &t);
}

static bool by_row_chunks(size_t in, size_t out, size_t rows) {
    return rows >= MIN_ROWS_TO_CHUNK && in * out <= MAX_PARTIAL;
}

size_t uw__linear_work(size_t in, size_t out, size_t max_rows) {
    return by_row_chunks(in, out, max_rows) ? ROW_CHUNKS * (in * out + out) : 0;
}

static void input_gradient_block(void *arg, size_t index, int32_t worker) {
    const linear_task *t = arg;
    const uw_linear *l = t->l;
    const size_t row = index / t->columns * t->block, rows = clip(row, t->block, t->rows);
    const size_t col = column_at(t, l->in, index % t->columns);
    const size_t end = column_at(t, l->in, index % t->columns + 1);
    const uw_gemm_args g = {.accumulate = t->accumulate,
                            .m = rows,
                            .n = end - col,
                            .k = l->out,
                            .a = t->dy + row * l->out,
                            .lda = l->out,
                            .b = l->w + col,
                            .ldb = l->in,
                            .c = t->dx + row * l->in + col,
                            .ldc = l->in};

    uw__exec_gemm(t->e, &g, uw__exec_gemm_scratch(t->e, worker));
}

/* dw[o .. o + n, :] += dy[:, o .. o + n]^T x over all rows. */
static void output_block(void *arg, size_t index, int32_t worker) {
    const linear_task *t = arg;
    const uw_linear *l = t->l;
    const size_t o = index * t->block, n = clip(o, t->block, l->out);
    const uw_gemm_args g = {.trans_a = true,
                            .accumulate = true,
                            .m = n,
                            .n = l->in,
                            .k = t->rows,
                            .a = t->dy + o,
                            .lda = l->out,
                            .b = t->x,
                            .ldb = l->in,
                            .c = l->dw + o * l->in,
                            .ldc = l->in};

    uw__exec_gemm(t->e, &g, uw__exec_gemm_scratch(t->e, worker));
    if (l->db) t->e->k->colsum(l->db + o, t->dy + o, t->rows, n, l->out, true);
}

/* work[index] = [dw | db] of one chunk of rows. */
static void row_chunk(void *arg, size_t index, int32_t worker) {
    const linear_task *t = arg;
    const uw_linear *l = t->l;
    const size_t row = index * t->rows / ROW_CHUNKS;
    const size_t rows = (index + 1) * t->rows / ROW_CHUNKS - row;
    uw_real *dw = t->work + index * (l->in * l->out + l->out);
    const uw_gemm_args g = {.trans_a = true,
                            .m = l->out,
                            .n = l->in,
                            .k = rows,
                            .a = t->dy + row * l->out,
                            .lda = l->out,
                            .b = t->x + row * l->in,
                            .ldb = l->in,
                            .c = dw,
                            .ldc = l->in};

    uw__exec_gemm(t->e, &g, uw__exec_gemm_scratch(t->e, worker));
    if (l->db)
        t->e->k->colsum(dw + l->in * l->out, t->dy + row * l->out, rows, l->out, l->out, false);
}

static void weight_gradient(const uw_exec *e, const uw_linear *l, linear_task *t) {
    const size_t weights = l->in * l->out;
    uw_pool *pool = uw__exec_pool(e, t->rows * weights);

    if (!by_row_chunks(l->in, l->out, t->rows)) {
        const size_t eighth = (l->out / 8 + 15) / 16 * 16;
        t->block = eighth < 32 ? 32 : eighth;
        uw__pool_run(pool, uw__num_blocks(l->out, t->block), output_block, t);
        return;
    }
    uw__pool_run(pool, ROW_CHUNKS, row_chunk, t);
    for (size_t i = 0; i < ROW_CHUNKS; i++) {
        const uw_real *part = t->work + i * (weights + l->out);
        e->k->axpy(l->dw, 1, part, weights);
        if (l->db) e->k->axpy(l->db, 1, part + weights, l->out);
    }
}

void uw__linear_backward(const uw_exec *e, const uw_linear *l, uw_real *dx, bool accumulate,
                         const uw_real *dy, const uw_real *x, size_t rows, uw_real *work) {
    linear_task t = {.e = e,
                     .l = l,
                     .dx = dx,
                     .dy = dy,
                     .x = x,
                     .rows = rows,
                     .work = work,
                     .block = uw__row_block(rows),
                     .columns = column_blocks(l->in),
                     .accumulate = accumulate};
    if (dx) {
        uw__pool_run(uw__exec_pool(e, rows * l->in * l->out),
                     uw__num_blocks(rows, t.block) * t.columns, input_gradient_block, &t);
    }
    if (l->dw) weight_gradient(e, l, &t);
}
