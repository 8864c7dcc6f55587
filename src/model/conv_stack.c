/* A group of pictures is prepared from its bytes, unrolled and multiplied layer after layer;
 * nothing as large as the unrolled or the prepared pictures of a batch ever exists, and the
 * backward unrolls again.
 *
 * Where the input is relative to the floor and the first layer cuts it into patches, most patches
 * are zeros: their outputs are all one row, which is computed once, and add to no weight gradient.
 * The first layer multiplies the others alone.
 *
 * Every picture's numbers are the same for any cut of the batch; gradients are sums per fixed share
 * of the batch, folded in order.
 *
 * Trap: files hold a weight as [O, I, ky, kx]; unrolled NHWC rows are (ky, kx, I). */
#include "conv_stack.h"

#include <string.h>

enum {
    COL_TARGET = 48 * 1024, /* reals of unrolled pictures worked on at once */
    SHARES = 16             /* of a batch: partial sums of weight gradients */
};

/* All that a pass knows. */
typedef struct stack {
    const uw_exec *e;
    const uw_net *net;
    const uw_real *buffers;
    uw_conv_acts *acts;
    uw_pictures in;
    size_t rows, group, shares;
    size_t col_reals, act_reals; /* of a group, at its widest layer */
    int32_t layers;
    uw_conv conv[UW_MAX_CONV_LAYERS];
    uw_real *f; /* features, or their gradient */
} stack;

static size_t col_width(const uw_conv *c) {
    return c->d.kernel * c->d.kernel * c->d.c;
}
static size_t out_pixels(const uw_conv *c) {
    return c->d.out_y * c->d.out_x;
}
static size_t out_reals(const uw_conv *c) {
    return out_pixels(c) * c->out_c;
}
static size_t in_reals(const uw_conv *c) {
    return c->d.y * c->d.x * c->d.c;
}

static stack describe(const uw_net *net, const uw_real *params, uw_real *grads) {
    stack s = {.net = net, .layers = net->config.conv_layers};
    for (int32_t i = 0; i < s.layers; i++) {
        const uw_conv *c = &s.conv[i];
        s.conv[i] = uw__conv_encoder_layer(net, i, params, grads);
        s.col_reals = uw__max(s.col_reals, out_pixels(c) * col_width(c));
        s.act_reals = uw__max(s.act_reals, out_reals(c));
    }
    s.group = uw__max(COL_TARGET / s.col_reals, 1);
    s.col_reals *= s.group;
    s.act_reals *= s.group;
    return s;
}

/* Reals of one share's gradients: of layer i's weight and bias behind those of the layers before.
 */
static size_t partial_at(const stack *s, int32_t i) {
    size_t at = 0;
    for (int32_t l = 0; l < i; l++) at += s->conv[l].out_c * (col_width(&s->conv[l]) + 1);
    return at;
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Of one worker: unrolled pictures, one prepared picture, and outputs of two layers. */
typedef struct scratch {
    uw_real *col, *picture, *out[2], *gemm;
} scratch;

size_t uw__conv_stack_extra(const uw_net *net) {
    const stack s = describe(net, NULL, NULL);
    return s.col_reals + in_reals(&s.conv[0]) + 2 * s.act_reals;
}

static scratch scratch_of(const stack *s, int32_t worker) {
    scratch m = {.gemm = uw__exec_gemm_scratch(s->e, worker), .col = uw__exec_extra(s->e, worker)};
    m.picture = m.col + s->col_reals;
    m.out[0] = m.picture + in_reals(&s->conv[0]);
    m.out[1] = m.out[0] + s->act_reals;
    return m;
}

void uw__conv_stack_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                           uw_conv_acts *acts) {
    const stack s = describe(net, NULL, NULL);
    const uw_conv *first = &s.conv[0];
    size_t largest = 0;
    for (int32_t i = 0; i < s.layers; i++) {
        const uw_conv *c = &s.conv[i];
        const size_t bytes = uw__gemm_packed_bytes(c->out_c, col_width(c));
        largest = uw__max(largest, c->out_c * col_width(c));
        acts->to[i] = uw_arena_alloc(arena, bytes, 1);
        if (!backward) continue;
        acts->from[i] = uw_arena_alloc(arena, uw__gemm_packed_bytes(col_width(c), c->out_c), 1);
        acts->pre[i] = uw__take(arena, max_rows * out_reals(c));
        acts->act[i] = uw__take(arena, max_rows * out_reals(c));
    }
    acts->work = uw__take(arena, largest);
    if (backward) acts->partials = uw__take(arena, SHARES * partial_at(&s, s.layers));
    if (!uw__prepares_patches(net, &first->d)) return;
    acts->flat_pre = uw__take(arena, first->out_c);
    acts->flat_act = uw__take(arena, out_reals(first));
    acts->places = uw_arena_alloc(arena, max_rows * out_pixels(first), sizeof *acts->places);
    acts->num_places = uw_arena_alloc(arena, max_rows, sizeof *acts->num_places);
    acts->floor = uw_arena_alloc(arena, max_rows, 3);
}

/* ---- weights ------------------------------------------------------------------------------- */

/* [O, I, k, k] -> [O, k, k, I]. */
static void permute(uw_real *out, const uw_conv *c) {
    const size_t kk = c->d.kernel * c->d.kernel, in = c->d.c;
    for (size_t o = 0; o < c->out_c; o++)
        for (size_t p = 0; p < kk; p++)
            for (size_t i = 0; i < in; i++)
                out[(o * kk + p) * in + i] = c->w[(o * in + i) * kk + p];
}

static void lay_out_weights(const stack *s) {
    const uw_kernels *k = s->e->k;
    for (int32_t i = 0; i < s->layers; i++) {
        const uw_conv *c = &s->conv[i];
        const size_t width = col_width(c);
        permute(s->acts->work, c);
        k->gemm_pack(s->acts->to[i], s->acts->work, width, true, c->out_c, width);
        if (s->acts->from[i])
            k->gemm_pack(s->acts->from[i], s->acts->work, width, false, width, c->out_c);
    }
}

/* ---- forward ------------------------------------------------------------------------------- */

/* memcpy of a length that is not constant is a call; these rows are a few vectors long. */
static void copy_row(uw_real *restrict to, const uw_real *restrict from, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) memcpy(to + i, from + i, 16 * sizeof *to);
    for (; i < n; i++) to[i] = from[i];
}

static bool has_patches(const stack *s) {
    return s->in.frames && s->acts->places;
}

/* Rows of unrolled pictures through layer i; pre nullable. */
static void multiply(const stack *s, int32_t i, uw_real *pre, uw_real *act, const uw_real *col,
                     size_t rows, uw_real *gemm) {
    const uw_conv *c = &s->conv[i];
    const size_t width = col_width(c);
    s->e->k->gemm(&(uw_gemm_args){.m = rows,
                                  .n = c->out_c,
                                  .k = width,
                                  .a = col,
                                  .lda = width,
                                  .packed = s->acts->to[i],
                                  .bias = c->b,
                                  .c = act,
                                  .ldc = c->out_c,
                                  .epilogue = UW_EPILOGUE_GELU,
                                  .sum = pre},
                  gemm);
}

static void unroll(const stack *s, int32_t i, uw_real *col, const uw_real *x, size_t n) {
    const uw_conv *c = &s->conv[i];
    for (size_t p = 0; p < n; p++)
        s->e->k->im2col(col + p * out_pixels(c) * col_width(c), x + p * in_reals(c), &c->d);
}

/* Find what is not floor in pictures first .. first + n - 1. */
static void find_patches(const stack *s, size_t first, size_t n) {
    const uw_conv_dims *d = &s->conv[0].d;
    const size_t pixels = d->y * d->x;
    for (size_t p = first; p < first + n; p++) {
        const uint8_t *frame = s->in.frames + p * pixels * 3;
        uw__prepare_floor(frame, pixels, s->acts->floor + 3 * p);
        s->acts->num_places[p] = (uint32_t)uw__prepare_places(
            d, frame, s->acts->floor + 3 * p, s->acts->places + p * out_pixels(&s->conv[0]));
    }
}

/* Unroll them for layer 0.  Return the rows. */
static size_t unroll_pictures(const stack *s, const scratch *m, size_t first, size_t n) {
    const uw_conv *c = &s->conv[0];
    const size_t pixels = out_pixels(c), width = col_width(c), bytes = c->d.y * c->d.x * 3;
    size_t rows = 0;
    if (!s->in.frames) {
        unroll(s, 0, m->col, s->in.x + first * in_reals(c), n);
        return n * pixels;
    }
    for (size_t p = first; p < first + n; p++) {
        const uint8_t *frame = s->in.frames + p * bytes;
        if (has_patches(s)) {
            const size_t count = s->acts->num_places[p];
            uw__prepare_patches(s->e->k, &c->d, frame, s->acts->floor + 3 * p,
                                s->acts->places + p * pixels, count, m->col + rows * width);
            rows += count;
        } else {
            uw__prepare_picture(s->e->k, s->net, s->buffers, frame, m->picture);
            unroll(s, 0, m->col + rows * width, m->picture, 1);
            rows += pixels;
        }
    }
    return rows;
}

/* All rows of layer 0's output from those of its patches that are not zero. */
static void fill_in(const stack *s, uw_real *out, const uw_real *some, size_t first, size_t n) {
    const size_t reals = out_reals(&s->conv[0]), width = s->conv[0].out_c;
    for (size_t p = first; p < first + n; p++, out += reals) {
        const uint32_t *places = s->acts->places + p * out_pixels(&s->conv[0]);
        memcpy(out, s->acts->flat_act, reals * sizeof *out);
        for (size_t i = 0; i < s->acts->num_places[p]; i++, some += width)
            copy_row(out + places[i] * width, some, width);
    }
}

/* What patches of zeros become. */
static void pass_flat(const stack *s) {
    const scratch m = scratch_of(s, 0);
    const size_t width = s->conv[0].out_c;
    memset(m.col, 0, col_width(&s->conv[0]) * sizeof *m.col);
    multiply(s, 0, s->acts->flat_pre, s->acts->flat_act, m.col, 1, m.gemm);
    for (size_t i = 1; i < out_pixels(&s->conv[0]); i++)
        copy_row(s->acts->flat_act + i * width, s->acts->flat_act, width);
}

/* [pixels, C] -> [C, pixels] per picture. */
static void flatten(const uw_conv *c, uw_real *f, const uw_real *x, size_t n) {
    const size_t pixels = out_pixels(c), channels = c->out_c;
    for (size_t r = 0; r < n; r++, f += pixels * channels, x += pixels * channels)
        for (size_t p = 0; p < pixels; p++)
            for (size_t i = 0; i < channels; i++) f[i * pixels + p] = x[p * channels + i];
}

static void unflatten(const uw_conv *c, uw_real *x, const uw_real *f, size_t n) {
    const size_t pixels = out_pixels(c), channels = c->out_c;
    for (size_t r = 0; r < n; r++, f += pixels * channels, x += pixels * channels)
        for (size_t p = 0; p < pixels; p++)
            for (size_t i = 0; i < channels; i++) x[p * channels + i] = f[i * pixels + p];
}

/* Kept numbers of layer i from picture `first` on, or NULL without a backward. */
static uw_real *kept(uw_real *const of[], const stack *s, int32_t i, size_t first) {
    return s->acts->partials ? of[i] + first * out_reals(&s->conv[i]) : NULL;
}

static void forward_group(void *arg, size_t index, int32_t worker) {
    const stack *s = arg;
    const scratch m = scratch_of(s, worker);
    const size_t first = index * s->group;
    const size_t n = s->rows - first < s->group ? s->rows - first : s->group;
    const uw_real *x = NULL;

    for (int32_t i = 0; i < s->layers; i++) {
        const uw_conv *c = &s->conv[i];
        const bool some = i == 0 && has_patches(s);
        size_t rows = n * out_pixels(c);
        if (some) find_patches(s, first, n);
        if (i == 0)
            rows = unroll_pictures(s, &m, first, n);
        else
            unroll(s, i, m.col, x, n);
        uw_real *act = kept(s->acts->act, s, i, first);
        if (!act) act = some ? m.out[1] : m.out[i % 2];
        multiply(s, i, kept(s->acts->pre, s, i, first), act, m.col, rows, m.gemm);
        x = act;
        if (some) {
            fill_in(s, m.out[0], act, first, n);
            x = m.out[0];
        }
    }
    const uw_conv *last = &s->conv[s->layers - 1];
    flatten(last, s->f + first * out_reals(last), x, n);
}

void uw__conv_stack_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                            const uw_real *buffers, uw_conv_acts *acts, uw_pictures in, size_t rows,
                            uw_real *f) {
    stack s = describe(net, params, NULL);
    s.e = e;
    s.buffers = buffers;
    s.acts = acts;
    s.in = in;
    s.rows = rows;
    s.f = f;
    lay_out_weights(&s);
    if (has_patches(&s)) pass_flat(&s);
    uw__pool_run(e->pool, uw__num_blocks(rows, s.group), forward_group, &s);
}

/* ---- backward ------------------------------------------------------------------------------ */

/* Layer i's weight and bias gradients from dpre [rows, O] and its unrolled input. */
static void add_weights(const stack *s, int32_t i, uw_real *partial, const uw_real *dpre,
                        const uw_real *col, size_t rows, uw_real *gemm) {
    const uw_conv *c = &s->conv[i];
    const size_t width = col_width(c);
    uw_real *dw = partial + partial_at(s, i);
    s->e->k->gemm(&(uw_gemm_args){.trans_a = true,
                                  .accumulate = true,
                                  .m = c->out_c,
                                  .n = width,
                                  .k = rows,
                                  .a = dpre,
                                  .lda = c->out_c,
                                  .b = col,
                                  .ldb = width,
                                  .c = dw,
                                  .ldc = width},
                  gemm);
    s->e->k->colsum(dw + c->out_c * width, dpre, rows, c->out_c, c->out_c, true);
}

/* The gradient of layer i's input from dpre [n pixels, O]; col is spent. */
static void pass_input(const stack *s, int32_t i, uw_real *dx, const uw_real *dpre, size_t n,
                       const scratch *m) {
    const uw_conv *c = &s->conv[i];
    const size_t width = col_width(c), pixels = out_pixels(c);
    s->e->k->gemm(&(uw_gemm_args){.m = n * pixels,
                                  .n = width,
                                  .k = c->out_c,
                                  .a = dpre,
                                  .lda = c->out_c,
                                  .packed = s->acts->from[i],
                                  .c = m->col,
                                  .ldc = width},
                  m->gemm);
    for (size_t p = 0; p < n; p++)
        s->e->k->col2im(dx + p * in_reals(c), m->col + p * pixels * width, &c->d);
}

/* From the gradients of layer 0's output those of patches that are not zero go side by side into
 * some; the others, which share GELU's slope, are summed into rest [O].  Return the rows. */
static size_t sort_patches(const stack *s, uw_real *some, uw_real *rest, const uw_real *d,
                           size_t first, size_t n) {
    const size_t pixels = out_pixels(&s->conv[0]), width = s->conv[0].out_c;
    uw_real *to = some;
    memset(rest, 0, width * sizeof *rest);
    for (size_t p = first; p < first + n; p++, d += pixels * width) {
        const uint32_t *places = s->acts->places + p * pixels;
        size_t at = 0;
        for (size_t i = 0; i <= s->acts->num_places[p]; i++) {
            const size_t next = i < s->acts->num_places[p] ? places[i] : pixels;
            if (next > at) s->e->k->colsum(rest, d + at * width, next - at, width, width, true);
            if (next == pixels) break;
            copy_row(to, d + next * width, width);
            to += width;
            at = next + 1;
        }
    }
    return (size_t)(to - some) / width;
}

/* Layer 0, which nobody asks for the gradient of its picture; d: of its output. */
static void backward_pictures(const stack *s, const scratch *m, uw_real *partial, uw_real *d,
                              uw_real *spare, size_t first, size_t n) {
    const uw_conv *c = &s->conv[0];
    const uw_real *pre = kept(s->acts->pre, s, 0, first);
    size_t rows = n * out_pixels(c);
    if (has_patches(s)) {
        uw_real *rest = m->picture, *db = partial + partial_at(s, 1) - c->out_c;
        rows = sort_patches(s, spare, rest, d, first, n);
        d = spare;
        s->e->k->gelu_backward(rest, rest, s->acts->flat_pre, c->out_c);
        s->e->k->axpy(db, 1, rest, c->out_c);
    }
    s->e->k->gelu_backward(d, d, pre, rows * c->out_c);
    (void)unroll_pictures(s, m, first, n);
    add_weights(s, 0, partial, d, m->col, rows, m->gemm);
}

static void backward_group(const stack *s, const scratch *m, uw_real *partial, size_t first,
                           size_t n) {
    const uw_conv *last = &s->conv[s->layers - 1];
    uw_real *d = m->out[0], *next = m->out[1];

    unflatten(last, d, s->f + first * out_reals(last), n);
    for (int32_t i = s->layers - 1; i > 0; i--) {
        const uw_conv *c = &s->conv[i];
        const size_t rows = n * out_pixels(c);
        const uw_real *x = kept(s->acts->act, s, i - 1, first);
        s->e->k->gelu_backward(d, d, kept(s->acts->pre, s, i, first), rows * c->out_c);
        if (i == 1 && has_patches(s)) {
            fill_in(s, next, x, first, n);
            x = next;
        }
        unroll(s, i, m->col, x, n);
        add_weights(s, i, partial, d, m->col, rows, m->gemm);
        pass_input(s, i, next, d, n, m);
        uw_real *swap = d;
        d = next;
        next = swap;
    }
    backward_pictures(s, m, partial, d, next, first, n);
}

static void backward_share(void *arg, size_t index, int32_t worker) {
    const stack *s = arg;
    const scratch m = scratch_of(s, worker);
    const size_t size = partial_at(s, s->layers), groups = uw__num_blocks(s->rows, s->group);
    uw_real *partial = s->acts->partials + index * size;
    memset(partial, 0, size * sizeof *partial);
    for (size_t g = index * groups / s->shares; g < (index + 1) * groups / s->shares; g++) {
        const size_t first = g * s->group;
        backward_group(s, &m, partial, first,
                       s->rows - first < s->group ? s->rows - first : s->group);
    }
}

/* Fold one layer's partial sums and add them to its gradients. */
static void fold_layer(void *arg, size_t index, int32_t worker) {
    const stack *s = arg;
    const uw_conv *c = &s->conv[index];
    const size_t size = partial_at(s, s->layers), width = col_width(c);
    const size_t kk = c->d.kernel * c->d.kernel, in = c->d.c;
    uw_real *sum = s->acts->partials + partial_at(s, (int32_t)index);
    (void)worker;
    for (size_t i = 1; i < s->shares; i++)
        s->e->k->axpy(sum, 1, sum + i * size, c->out_c * (width + 1));
    for (size_t o = 0; o < c->out_c; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t p = 0; p < kk; p++)
                c->dw[(o * in + i) * kk + p] += sum[(o * kk + p) * in + i];
    s->e->k->axpy(c->db, 1, sum + c->out_c * width, c->out_c);
}

void uw__conv_stack_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             const uw_real *buffers, uw_conv_acts *acts, uw_pictures in,
                             const uw_real *df, size_t rows, uw_real *grads) {
    stack s = describe(net, params, grads);
    const size_t groups = uw__num_blocks(rows, s.group);
    s.e = e;
    s.buffers = buffers;
    s.acts = acts;
    s.in = in;
    s.rows = rows;
    s.shares = groups < SHARES ? groups : SHARES;
    s.f = (uw_real *)df;
    uw__pool_run(e->pool, s.shares, backward_share, &s);
    if (s.shares) uw__pool_run(e->pool, (size_t)s.layers, fold_layer, &s);
}
