/* Batches.  Window w of step s is a function of (seed, s, w): which one, how it looks; so a resumed
 * run and any number of threads read the same. */
#include "dataset_internal.h"
#include "feed.h"

#include <string.h>

#include "parts.h"

/* Windows and single frames of one step have looks of their own: 2 * 65536 < 2^20. */
enum { LOOK_BITS = 20 };

static uw_batch *layout(uw_arena *arena, const uw_net *net, const uw_feed *feed, size_t windows,
                        size_t extra, int32_t num_workers, bool inputs, bool own_prepared) {
    const size_t rows = inputs ? windows * feed->window + extra : 0, items = windows + extra;
    const size_t moves = windows * (feed->window - 1);
    const size_t prepared =
        uw__net_takes_frames(net) || !own_prepared ? 0 : rows * net->input_reals;
    uw_batch tmp = {.windows = windows, .extra = extra};
    uw_batch *b = uw_arena_alloc(arena, 1, sizeof *b);
    tmp.picks = uw_arena_alloc(arena, items, sizeof *tmp.picks);
    tmp.status = uw_arena_alloc(arena, items, sizeof *tmp.status);
    tmp.frames = uw_arena_alloc(arena, rows, feed->frame_bytes);
    tmp.temp = uw_arena_alloc(arena, (size_t)num_workers, feed->temp_bytes);
    tmp.x = uw_arena_alloc(arena, prepared, sizeof *tmp.x);
    tmp.a = uw_arena_alloc(arena, moves * (size_t)net->action_in, sizeof *tmp.a);
    tmp.y = uw_arena_alloc(arena, rows * (size_t)net->config.readout_dim, sizeof *tmp.y);
    if (b && !arena->failed) *b = tmp;
    return b;
}

uw_batch *uw__batch_layout(uw_arena *arena, const uw_net *net, const uw_feed *feed, size_t windows,
                           size_t extra, int32_t num_workers) {
    return layout(arena, net, feed, windows, extra, num_workers, true, true);
}

uw_batch *uw__batch_layout_second(uw_arena *arena, const uw_net *net, const uw_feed *feed,
                                  size_t windows, size_t extra, int32_t num_workers,
                                  const uw_batch *first) {
    const bool pictures = feed->pixels >= 0;
    uw_batch *b = layout(arena, net, feed, windows, extra, num_workers, true, !pictures);
    if (b && pictures) b->x = first->x;
    return b;
}

uw_batch *uw__batch_layout_latents(uw_arena *arena, const uw_net *net, const uw_feed *feed,
                                   size_t windows, int32_t num_workers) {
    return layout(arena, net, feed, windows, 0, num_workers, false, true);
}

/* ---- one window, or one frame -------------------------------------------------------------- */

/* Rows of an episode that go side by side into the batch: a window, or a single frame. */
typedef struct item {
    uint64_t number; /* within the step */
    int64_t episode, row, count;
    size_t at; /* place of its first row in the batch */
} item;

static item item_at(const uw_batch_load *a, size_t i) {
    const bool window = i < a->batch->windows;
    const size_t single = i - a->batch->windows, frames = a->feed->window;
    item it = {.number = window ? a->first + i : a->first_extra + single,
               .count = window ? (int64_t)frames : 1,
               .at = window ? i * frames : a->batch->windows * frames + single};
    /* a single frame is the first of its window */
    uw_windows_at(a->windows, a->batch->picks[i], &it.episode, &it.row);
    return it;
}

static uw_status read_rows(const uw_batch_load *a, const item *it, int32_t column, void *out) {
    return uw_dataset_rows(a->feed->data, column, it->episode, it->row, it->count,
                           a->net->config.frameskip, out, a->err);
}

static void widen(const uw_feed *f, const void *from, size_t row, double *to) {
    const size_t dim = (size_t)f->redraw.env->state_dim;
    for (size_t i = 0; i < dim; i++)
        to[i] = f->wide_state ? ((const double *)from)[row * dim + i]
                              : (double)((const float *)from)[row * dim + i];
}

/* Every frame drawn by the world, in one look or in one each.  temp: two windows of states. */
static uw_status redraw_item(const uw_batch_load *a, const item *it, bool one_look, uw_rng *r,
                             unsigned char *temp) {
    const uw_feed *f = a->feed;
    const uw_env_class *env = f->redraw.env;
    const void *states = temp,
               *goals = temp; /* no goal recorded: the state is always a valid one */
    uw_status s = read_rows(a, it, f->state, temp);
    if (!s && f->goal >= 0) {
        unsigned char *second = temp + a->feed->temp_bytes / 2;
        s = read_rows(a, it, f->goal, second);
        goals = second;
    }
    if (s) return s;
    const double *base =
        f->looks ? f->looks + (size_t)it->episode * (size_t)env->num_values : f->redraw.nominal;
    const int64_t repeat = uw_dataset_meta_of(f->data)->action_repeat;
    double values[UW_MAX_FACTOR_VALUES], state[UW_MAX_STATE_DIM], goal[UW_MAX_STATE_DIM];
    int64_t row = it->row;
    for (size_t t = 0; t < (size_t)it->count; t++, row += a->net->config.frameskip) {
        uint8_t *rgb = a->batch->frames + (it->at + t) * f->frame_bytes;
        widen(f, states, t, state);
        widen(f, goals, t, goal);
        if (t == 0 || !one_look)
            uw__redraw_values(&f->redraw, a->config, a->strength, base, r, values);
        env->draw(values, state, goal, row * repeat, a->net->config.image_size, rgb);
    }
    return UW_OK;
}

static void recolour_item(const uw_batch_load *a, const item *it, bool one_look, uw_rng *r) {
    const size_t bytes = a->feed->frame_bytes;
    uw_colour_map map = {{0}, {0}, {0}};
    for (size_t t = 0; t < (size_t)it->count; t++) {
        if (t == 0 || !one_look) map = uw__colour_map_draw(a->config, a->strength, r);
        uw__colour_map_apply(&map, a->batch->frames + (it->at + t) * bytes, bytes / 3);
    }
}

static uw_status load_pictures(const uw_batch_load *a, const item *it, unsigned char *temp) {
    const uw_feed *f = a->feed;
    const uw_augment augment = a->config ? a->config->augment : UW_AUGMENT_NONE;
    bool one_look = false;
    uw_rng r = {.used = 4};
    if (augment != UW_AUGMENT_NONE) {
        /* Spread the windows with one look evenly, so that micro-batches get their share. */
        const double share = (double)a->config->augment_per_window;
        const double n = (double)it->number;
        one_look = (int64_t)((n + 1.0) * share) > (int64_t)(n * share);
        r = uw__rng(a->config->seed, UW_STREAM_AUGMENT,
                    (uint64_t)a->step << LOOK_BITS | it->number);
    }
    if (augment == UW_AUGMENT_REDRAW) return redraw_item(a, it, one_look, &r, temp);
    const uw_status s = read_rows(a, it, f->pixels, a->batch->frames + it->at * f->frame_bytes);
    if (!s && augment == UW_AUGMENT_COLOUR) recolour_item(a, it, one_look, &r);
    return s;
}

/* Sensor columns side by side, z-scored. */
static uw_status load_columns(const uw_batch_load *a, const item *it, void *temp) {
    const uw_feed *f = a->feed;
    size_t at = 0;
    for (int32_t i = 0; i < f->num_columns; i++) {
        const uw_column *c = uw_dataset_column(f->data, f->columns[i]);
        size_t dim = 1;
        for (int32_t k = 0; k < c->num_dims; k++) dim *= (size_t)c->shape[k];
        const uw_status s = read_rows(a, it, f->columns[i], temp);
        if (s) return s;
        for (size_t t = 0; t < (size_t)it->count; t++) {
            uw_real *x = a->batch->x + (it->at + t) * f->observe_dim + at;
            for (size_t k = 0; k < dim; k++) {
                const float v = c->dtype == UW_DTYPE_F64
                                    ? (float)((const double *)temp)[t * dim + k]
                                    : ((const float *)temp)[t * dim + k];
                x[k] = (v - f->norm.observe_mean[at + k]) / f->norm.observe_std[at + k];
            }
        }
        at += dim;
    }
    return UW_OK;
}

/* Numbers of whole actions as the network sees them; from NULL: actions that stand still. */
static void normalise_actions(const uw_feed *f, const float *from, size_t count, uw_real *out) {
    const size_t dim = (size_t)f->norm.action_dim;
    for (size_t i = 0; i < count; i++) {
        const float v = from ? from[i] : 0.0f;
        out[i] = dim ? (v - f->norm.action_mean[i % dim]) / f->norm.action_std[i % dim] : v;
    }
}

/* Blocks 0 .. T - 2: what happened between the frames; the last one leads out of the window. Behind
 * each what came before it, which an episode's first rows have none of.  A window of the actions
 * that starts so much earlier holds it all: it is never longer than the last block that nobody
 * needs. */
static uw_status load_actions(const uw_batch_load *a, const item *it, float *temp) {
    const uw_feed *f = a->feed;
    const size_t moves = f->window - 1, block = f->action_block;
    const size_t width = (size_t)a->net->config.action_dim;
    const int64_t before = a->net->config.action_history;
    const int64_t known = it->row < before ? it->row : before; /* rows before the window */
    const size_t tail = (size_t)before * width, missing = (size_t)(before - known) * width;
    const int64_t rows = (int64_t)f->window * a->net->config.frameskip;
    const uw_status s =
        uw__dataset_actions(f->data, f->action, it->episode, it->row - known, rows, temp, a->err);
    const float *first = temp + (size_t)known * width;
    uw_real *out = a->batch->a + (size_t)(it->at / f->window) * moves * (block + tail);
    for (size_t t = 0; !s && t < moves; t++, out += block + tail) {
        normalise_actions(f, first + t * block, block, out);
        if (t > 0) {
            normalise_actions(f, first + t * block - tail, tail, out + block);
            continue;
        }
        normalise_actions(f, NULL, missing, out + block);
        normalise_actions(f, temp, tail - missing, out + block + missing);
    }
    return s;
}

static uw_status load_labels(const uw_batch_load *a, const item *it, void *temp) {
    const uw_net *net = a->net;
    const uw_real *mean = uw__bind(net, net->at_readout + 2, a->buffers);
    const uw_real *std = uw__bind(net, net->at_readout + 3, a->buffers);
    const size_t numbers = (size_t)net->config.readout_dim;
    uw_real *y = a->batch->y + it->at * numbers;
    const uw_status s = uw__labels_read(a->feed->data, &a->feed->labels, it->episode, it->row,
                                        it->count, net->config.frameskip, temp, y, a->err);
    for (size_t i = 0; !s && i < (size_t)it->count * numbers; i++)
        y[i] = (y[i] - mean[i % numbers]) / std[i % numbers];
    return s;
}

void uw__batch_item(void *load, size_t i, int32_t worker) {
    const uw_batch_load *a = load;
    const item it = item_at(a, i);
    unsigned char *temp = a->batch->temp + (size_t)worker * a->feed->temp_bytes;
    uw_status s = a->feed->pixels >= 0 ? load_pictures(a, &it, temp) : load_columns(a, &it, temp);
    if (!s && a->feed->labels.count) s = load_labels(a, &it, temp);
    if (!s && a->feed->action >= 0 && i < a->batch->windows)
        s = load_actions(a, &it, (float *)(void *)temp);
    a->batch->status[i] = s;
}

/* ---- batches ------------------------------------------------------------------------------- */

uw_status uw__batch_end(const uw_exec *e, uw_batch_load *a, uw_err *err) {
    const uw_batch *b = a->batch;
    for (size_t i = 0; i < a->items; i++) {
        const uw_status first = (uw_status)b->status[i];
        if (!first) continue;
        /* The first window that failed says why when it is read again, alone. */
        a->err = err;
        uw__batch_item(a, i, 0);
        if (b->status[i]) return (uw_status)b->status[i];
        uw_fail(err, first, "data set: a window could not be read at first: %s",
                uw_status_str(first));
        uw_err_fix(err, "continue with --resume");
        return first;
    }
    if (a->feed->pixels >= 0 && !uw__net_takes_frames(a->net)) {
        const size_t rows = b->windows * a->feed->window + (a->items - b->windows);
        uw__net_prepare(e, a->net, a->buffers, b->frames, rows, b->x);
    }
    return UW_OK;
}

/* A Feistel network on the bits of n, walked until it lands below n: a permutation without a table.
 */
uint64_t uw__epoch_window(uint64_t seed, uint64_t epoch, uint64_t n, uint64_t i) {
    enum { ROUNDS = 6 };
    unsigned half = 1;
    while (half < 31 && (uint64_t)1 << 2 * half < n) half++;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uw_rng r = uw__rng(seed, UW_STREAM_BATCH, epoch << 35 | round << 32 | right);
            const uint64_t next = left ^ (uw__rng_u32(&r) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

/* One of n, drawn for a place of the step's batch: the bias is below n / 2^53. */
static int64_t draw_below(const uw_batch_load *a, uint64_t number, uint64_t n) {
    uw_rng r = uw__rng(a->config->seed, UW_STREAM_BATCH, (uint64_t)a->step << LOOK_BITS | number);
    return (int64_t)(uw__rng_uniform64(&r) * (double)n);
}

/* Another window of the episode that window `beside` is of. */
static int64_t draw_beside(const uw_batch_load *a, uint64_t number, int64_t beside) {
    int64_t first, count;
    uw__windows_beside(a->windows, beside, &first, &count);
    return first + draw_below(a, number, (uint64_t)count);
}

/* The windows of a step: drawn anew, or the next ones of an epoch's order. */
static void pick(const uw_batch_load *a) {
    const uw_train_config *c = a->config;
    const uint64_t count = (uint64_t)uw_windows_count(a->windows);
    const uint64_t per_epoch = count / (uint64_t)c->batch, step = (uint64_t)a->step;
    for (size_t w = 0; w < a->batch->windows; w++) {
        const uint64_t number = a->first + w; /* within the step */
        if (c->shuffle_epochs) {
            const uint64_t at = step % per_epoch * (uint64_t)c->batch + number;
            a->batch->picks[w] = (int64_t)uw__epoch_window(c->seed, step / per_epoch, count, at);
        } else {
            const size_t behind = w % (size_t)c->episode_windows; /* the first of its episode */
            a->batch->picks[w] = behind ? draw_beside(a, number, a->batch->picks[w - behind])
                                        : draw_below(a, number, count);
        }
    }
    for (size_t i = 0; i < a->batch->extra; i++)
        a->batch->picks[a->batch->windows + i] = draw_below(a, a->first_extra + i, count);
}

uw_batch_load uw__batch_begin(const uw_net *net, const uw_feed *feed, const uw_train_config *config,
                              const uw_real *buffers, int64_t step, int32_t micro,
                              uw_batch *batch) {
    const uw_batch_load a = {
        .net = net,
        .feed = feed,
        .config = config,
        .windows = feed->train,
        .buffers = buffers,
        .batch = batch,
        .items = batch->windows + batch->extra,
        .step = step,
        .first = (size_t)micro * batch->windows,
        .first_extra = (size_t)config->batch + (size_t)micro * batch->extra,
        .strength = uw__augment_strength(config, (double)step / (double)config->steps)};
    pick(&a);
    return a;
}

/* Items, and then what takes them all. */
static uw_status load(const uw_exec *e, uw_batch_load *a, uw_err *err) {
    uw__pool_run(e->pool, a->items, uw__batch_item, a);
    return uw__batch_end(e, a, err);
}

uw_status uw__batch_load(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                         const uw_train_config *config, const uw_real *buffers, int64_t step,
                         int32_t micro, uw_batch *batch, uw_err *err) {
    uw_batch_load a = uw__batch_begin(net, feed, config, buffers, step, micro, batch);
    return load(e, &a, err);
}

/* ---- rows and latents ---------------------------------------------------------------------- */

typedef struct rows_args {
    uw_batch_load load;
    int64_t episode, first;
} rows_args;

static void load_row(void *arg, size_t i, int32_t worker) {
    const rows_args *r = arg;
    const uw_batch_load *a = &r->load;
    const item it = {.episode = r->episode, .row = r->first + (int64_t)i, .count = 1, .at = i};
    unsigned char *temp = a->batch->temp + (size_t)worker * a->feed->temp_bytes;
    a->batch->status[i] =
        (int)(a->feed->pixels >= 0 ? load_pictures(a, &it, temp) : load_columns(a, &it, temp));
}

uw_status uw__batch_load_rows(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                              const uw_real *buffers, int64_t episode, int64_t first, int64_t count,
                              uw_batch *batch, uw_err *err) {
    rows_args r = {.load = {.net = net, .feed = feed, .buffers = buffers, .batch = batch},
                   .episode = episode,
                   .first = first};
    UW_ASSERT((size_t)count <= batch->windows + batch->extra);
    uw__pool_run(e->pool, (size_t)count, load_row, &r);
    for (size_t i = 0; i < (size_t)count; i++) {
        if (!batch->status[i]) continue;
        r.load.err = err;
        load_row(&r, i, 0);
        if (batch->status[i]) return (uw_status)batch->status[i];
    }
    if (feed->pixels >= 0 && !uw__net_takes_frames(net))
        uw__net_prepare(e, net, buffers, batch->frames, (size_t)count, batch->x);
    return UW_OK;
}

typedef struct latent_args {
    uw_batch_load load;
    const uw_real *latents; /* [rows, D] */
    const int64_t *start;   /* [episodes] */
    uw_real *z;             /* [B, T, D] */
} latent_args;

static void load_latents(void *arg, size_t w, int32_t worker) {
    const latent_args *l = arg;
    const uw_batch_load *a = &l->load;
    const item it = item_at(a, w);
    const size_t d = (size_t)a->net->config.latent_dim;
    const size_t stride = (size_t)a->net->config.frameskip;
    const uw_real *from = l->latents + (size_t)(l->start[it.episode] + it.row) * d;
    for (size_t t = 0; t < (size_t)it.count; t++)
        memcpy(l->z + (it.at + t) * d, from + t * stride * d, d * sizeof *from);
    void *temp = a->batch->temp + (size_t)worker * a->feed->temp_bytes;
    a->batch->status[w] = a->feed->action >= 0 ? (int)load_actions(a, &it, temp) : 0;
}

uw_status uw__batch_load_latents(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                                 const uw_train_config *config, int64_t step,
                                 const uw_real *latents, const int64_t *start, uw_batch *batch,
                                 uw_real *z, uw_err *err) {
    latent_args l = {.load = {.net = net,
                              .feed = feed,
                              .config = config,
                              .windows = feed->train,
                              .batch = batch,
                              .step = (int64_t)config->steps + step},
                     .latents = latents,
                     .start = start,
                     .z = z};
    const uint64_t count = (uint64_t)uw_windows_count(feed->train);
    for (size_t w = 0; w < batch->windows; w++) {
        uw_rng r = uw__rng(config->seed, UW_STREAM_BATCH, (uint64_t)l.load.step << LOOK_BITS | w);
        batch->picks[w] = (int64_t)(uw__rng_uniform64(&r) * (double)count);
    }
    uw__pool_run(e->pool, batch->windows, load_latents, &l);
    for (size_t w = 0; w < batch->windows; w++) {
        if (!batch->status[w]) continue;
        l.load.err = err;
        load_latents(&l, w, 0);
        if (batch->status[w]) return (uw_status)batch->status[w];
    }
    return UW_OK;
}

uw_status uw__batch_load_validation(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                                    const uw_real *buffers, int32_t part, int32_t parts,
                                    uw_batch *batch, uw_err *err) {
    const uint64_t count = (uint64_t)uw_windows_count(feed->valid);
    const uint64_t all = (uint64_t)parts * batch->windows;
    uw_batch_load a = {.net = net,
                       .feed = feed,
                       .windows = feed->valid,
                       .buffers = buffers,
                       .batch = batch,
                       .items = batch->windows};
    for (size_t w = 0; w < batch->windows; w++) {
        const uint64_t n = (uint64_t)part * batch->windows + w;
        batch->picks[w] = (int64_t)(n * count / all);
    }
    return load(e, &a, err);
}
