/* Batches.  Window w of step s is a function of (seed, s, w): which one, how it looks; so a resumed
 * run and any number of threads read the same. */
#include "feed.h"

#include <string.h>

enum { LOOK_BITS = 20 }; /* windows of one step have looks of their own: batch <= 65536 < 2^20 */

uw_batch *uw__batch_layout(uw_arena *arena, const uw_net *net, const uw_feed *feed, size_t windows,
                           int32_t num_workers) {
    const size_t rows = windows * feed->window;
    uw_batch tmp = {.windows = windows}, *b = uw_arena_alloc(arena, 1, sizeof *b);
    tmp.picks = uw_arena_alloc(arena, windows, sizeof *tmp.picks);
    tmp.status = uw_arena_alloc(arena, windows, sizeof *tmp.status);
    tmp.frames = uw_arena_alloc(arena, rows, feed->frame_bytes);
    tmp.temp = uw_arena_alloc(arena, (size_t)num_workers, feed->temp_bytes);
    tmp.x = uw_arena_alloc(arena, rows * net->input_reals, sizeof *tmp.x);
    tmp.a = uw_arena_alloc(arena, windows * (feed->window - 1) * feed->action_block, sizeof *tmp.a);
    if (b && !arena->failed) *b = tmp;
    return b;
}

typedef struct load_args {
    const uw_net *net;
    const uw_feed *feed;
    const uw_train_config *config; /* NULL: as recorded */
    const uw_windows *windows;
    uw_batch *batch;
    int64_t step;
    size_t first; /* number of window 0 of this micro-batch within its step */
    double strength;
    uw_err *err; /* only when run serially */
} load_args;

/* ---- one window ---------------------------------------------------------------------------- */

static void widen(const uw_feed *f, const void *from, size_t row, double *to) {
    const size_t dim = (size_t)f->redraw.env->state_dim;
    for (size_t i = 0; i < dim; i++)
        to[i] = f->wide_state ? ((const double *)from)[row * dim + i]
                              : (double)((const float *)from)[row * dim + i];
}

/* Every frame drawn by the world, in one look or in one each.  temp: two windows of states. */
static uw_status redraw_window(const load_args *a, size_t w, bool one_look, uw_rng *r,
                               unsigned char *temp) {
    const uw_feed *f = a->feed;
    const uw_env_class *env = f->redraw.env;
    const int64_t pick = a->batch->picks[w];
    const void *states = temp,
               *goals = temp; /* no goal recorded: the state is always a valid one */
    uw_status s = uw_windows_read(a->windows, pick, f->state, temp, a->err);
    if (!s && f->goal >= 0) {
        unsigned char *second = temp + a->feed->temp_bytes / 2;
        s = uw_windows_read(a->windows, pick, f->goal, second, a->err);
        goals = second;
    }
    if (s) return s;
    int64_t episode, row;
    uw_windows_at(a->windows, pick, &episode, &row);
    const double *base =
        f->looks ? f->looks + (size_t)episode * (size_t)env->num_values : f->redraw.nominal;
    const int64_t repeat = uw_dataset_meta_of(f->data)->action_repeat;
    double values[UW_MAX_FACTOR_VALUES], state[UW_MAX_STATE_DIM], goal[UW_MAX_STATE_DIM];
    for (size_t t = 0; t < f->window; t++, row += a->net->config.frameskip) {
        uint8_t *rgb = a->batch->frames + (w * f->window + t) * f->frame_bytes;
        widen(f, states, t, state);
        widen(f, goals, t, goal);
        if (t == 0 || !one_look)
            uw__redraw_values(&f->redraw, a->config, a->strength, base, r, values);
        env->draw(values, state, goal, row * repeat, a->net->config.image_size, rgb);
    }
    return UW_OK;
}

static void recolour_window(const load_args *a, size_t w, bool one_look, uw_rng *r) {
    const size_t bytes = a->feed->frame_bytes;
    uw_colour_map map = {{0}, {0}, {0}};
    for (size_t t = 0; t < a->feed->window; t++) {
        if (t == 0 || !one_look) map = uw__colour_map_draw(a->config, a->strength, r);
        uw__colour_map_apply(&map, a->batch->frames + (w * a->feed->window + t) * bytes, bytes / 3);
    }
}

static uw_status load_pictures(const load_args *a, size_t w, unsigned char *temp) {
    const uw_feed *f = a->feed;
    const uw_augment augment = a->config ? a->config->augment : UW_AUGMENT_NONE;
    bool one_look = false;
    uw_rng r = {.used = 4};
    if (augment != UW_AUGMENT_NONE) {
        /* Spread the windows with one look evenly, so that micro-batches get their share. */
        const double share = (double)a->config->augment_per_window;
        const double n = (double)(a->first + w);
        one_look = (int64_t)((n + 1.0) * share) > (int64_t)(n * share);
        r = uw__rng(a->config->seed, UW_STREAM_AUGMENT,
                    (uint64_t)a->step << LOOK_BITS | (uint64_t)(a->first + w));
    }
    if (augment == UW_AUGMENT_REDRAW) return redraw_window(a, w, one_look, &r, temp);
    const uw_status s = uw_windows_read(a->windows, a->batch->picks[w], f->pixels,
                                        a->batch->frames + w * f->window * f->frame_bytes, a->err);
    if (!s && augment == UW_AUGMENT_COLOUR) recolour_window(a, w, one_look, &r);
    return s;
}

/* Sensor columns side by side, z-scored. */
static uw_status load_columns(const load_args *a, size_t w, void *temp) {
    const uw_feed *f = a->feed;
    size_t at = 0;
    for (int32_t i = 0; i < f->num_columns; i++) {
        const uw_column *c = uw_dataset_column(f->data, f->columns[i]);
        size_t dim = 1;
        for (int32_t k = 0; k < c->num_dims; k++) dim *= (size_t)c->shape[k];
        const uw_status s =
            uw_windows_read(a->windows, a->batch->picks[w], f->columns[i], temp, a->err);
        if (s) return s;
        for (size_t t = 0; t < f->window; t++) {
            uw_real *x = a->batch->x + (w * f->window + t) * f->observe_dim + at;
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

/* Blocks 0 .. T - 2: what happened between the frames; the last one leads out of the window. */
static uw_status load_actions(const load_args *a, size_t w, float *temp) {
    const uw_feed *f = a->feed;
    const size_t count = (f->window - 1) * f->action_block, dim = (size_t)f->norm.action_dim;
    const uw_status s =
        uw_windows_read_actions(a->windows, a->batch->picks[w], f->action, temp, a->err);
    uw_real *out = a->batch->a + w * count;
    for (size_t i = 0; !s && i < count; i++) {
        out[i] =
            dim ? (temp[i] - f->norm.action_mean[i % dim]) / f->norm.action_std[i % dim] : temp[i];
    }
    return s;
}

static void load_window(void *arg, size_t w, int32_t worker) {
    const load_args *a = arg;
    unsigned char *temp = a->batch->temp + (size_t)worker * a->feed->temp_bytes;
    uw_status s = a->feed->pixels >= 0 ? load_pictures(a, w, temp) : load_columns(a, w, temp);
    if (!s && a->feed->action >= 0) s = load_actions(a, w, (float *)(void *)temp);
    a->batch->status[w] = s;
}

/* ---- batches ------------------------------------------------------------------------------- */

static uw_status load(const uw_exec *e, load_args *a, uw_err *err) {
    uw_batch *b = a->batch;
    uw__pool_run(e->pool, b->windows, load_window, a);
    for (size_t w = 0; w < b->windows; w++) {
        const uw_status first = (uw_status)b->status[w];
        if (!first) continue;
        /* The first window that failed says why when it is read again, alone. */
        a->err = err;
        load_window(a, w, 0);
        if (b->status[w]) return (uw_status)b->status[w];
        uw_fail(err, first, "data set: a window could not be read at first: %s",
                uw_status_str(first));
        uw_err_fix(err, "continue with --resume");
        return first;
    }
    if (a->feed->pixels >= 0) {
        uw__net_prepare(e, a->net, b->frames, b->windows * a->feed->window, b->x);
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

/* The windows of a step: drawn anew, or the next ones of an epoch's order. */
static void pick(const load_args *a) {
    const uw_train_config *c = a->config;
    const uint64_t count = (uint64_t)uw_windows_count(a->windows);
    const uint64_t per_epoch = count / (uint64_t)c->batch, step = (uint64_t)a->step;
    for (size_t w = 0; w < a->batch->windows; w++) {
        const uint64_t number = a->first + w; /* within the step */
        if (c->shuffle_epochs) {
            const uint64_t at = step % per_epoch * (uint64_t)c->batch + number;
            a->batch->picks[w] = (int64_t)uw__epoch_window(c->seed, step / per_epoch, count, at);
        } else {
            uw_rng r = uw__rng(c->seed, UW_STREAM_BATCH, step << LOOK_BITS | number);
            /* bias below count / 2^53 */
            a->batch->picks[w] = (int64_t)(uw__rng_uniform64(&r) * (double)count);
        }
    }
}

uw_status uw__batch_load(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                         const uw_train_config *config, int64_t step, int32_t micro,
                         uw_batch *batch, uw_err *err) {
    load_args a = {.net = net,
                   .feed = feed,
                   .config = config,
                   .windows = feed->train,
                   .batch = batch,
                   .step = step,
                   .first = (size_t)micro * batch->windows,
                   .strength = uw__augment_strength(config, (double)step / (double)config->steps)};
    pick(&a);
    return load(e, &a, err);
}

uw_status uw__batch_load_validation(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                                    int32_t part, int32_t parts, uw_batch *batch, uw_err *err) {
    const uint64_t count = (uint64_t)uw_windows_count(feed->valid);
    const uint64_t all = (uint64_t)parts * batch->windows;
    load_args a = {.net = net, .feed = feed, .windows = feed->valid, .batch = batch};
    for (size_t w = 0; w < batch->windows; w++) {
        const uint64_t n = (uint64_t)part * batch->windows + w;
        batch->picks[w] = (int64_t)(n * count / all);
    }
    return load(e, &a, err);
}
