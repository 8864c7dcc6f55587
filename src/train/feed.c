/* Resolve a configuration against a data set. */
#include "feed.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fileio.h"
#include "holes.h"
#include "internal.h"

static bool is_picture(const uw_column *c) {
    return c->dtype == UW_DTYPE_U8 && c->num_dims == 3 && c->shape[2] == 3;
}

static bool is_number(const uw_column *c) {
    return c->dtype == UW_DTYPE_F32 || c->dtype == UW_DTYPE_F64;
}

/* What is recorded beside the sensors: what was done, wanted and won. */
static bool is_bookkeeping(const char *name) {
    static const char *const names[] = {"action", "goal_state", "reward"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

static int64_t numbers_per_row(const uw_column *c) {
    int64_t n = 1;
    for (int32_t i = 0; i < c->num_dims; i++) n *= c->shape[i];
    return n;
}

static uw_status find_column(const uw_feed *f, const char *key, const char *name, int32_t *out,
                             uw_err *err) {
    const char *nearest = NULL;
    *out = uw_dataset_find(f->data, name, &nearest);
    if (*out >= 0) return UW_OK;
    uw_fail(err, UW_ENOTFOUND, "%s: the data set has no column %.60s", key, name);
    if (nearest) uw_err_fix(err, "did you mean %s?", nearest);
    return UW_ENOTFOUND;
}

/* ---- what the model sees ------------------------------------------------------------------- */

static uw_status use_pictures(uw_feed *f, uw_train_config *config, int32_t column, uw_err *err) {
    const uw_column *c = uw_dataset_column(f->data, column);
    if (config->model.input == UW_INPUT_COLUMNS) {
        uw_fail(err, UW_ESHAPE, "%s: are pictures, wanted sensor columns for encoder=mlp", c->name);
        uw_err_fix(err, "name sensor columns (observe=...), or take preset two_room");
        return UW_ESHAPE;
    }
    if (!config->image_size && c->shape[0] != c->shape[1]) {
        uw_fail(err, UW_ESHAPE, "%s: wanted square pictures, got %" PRId64 " x %" PRId64, c->name,
                c->shape[0], c->shape[1]);
        uw_err_fix(err, "set image_size: the middle square is resized to it");
        return UW_ESHAPE;
    }
    if (config->image_size) {
        const uw_status s = uw__dataset_fit(f->data, column, config->image_size, err);
        if (s) return s;
        c = uw_dataset_column(f->data, column);
    }
    f->pixels = column;
    config->image_size = config->model.image_size = (int32_t)c->shape[0];
    config->model.observe_dim = 0;
    f->frame_bytes = (size_t)(c->shape[0] * c->shape[1] * 3);
    snprintf(f->observe, sizeof f->observe, "%s", c->name);
    return UW_OK;
}

static uw_status use_sensor(uw_feed *f, int32_t column, uw_err *err) {
    const uw_column *c = uw_dataset_column(f->data, column);
    const size_t used = strlen(f->observe);
    if (!is_number(c)) {
        uw_fail(err, UW_ESHAPE, "%s: wanted a column of F32 or F64, got %s", c->name,
                uw_dtype_str(c->dtype));
        uw_err_fix(err, "name columns of numbers (observe=...); umwelt inspect lists them");
        return UW_ESHAPE;
    }
    if (used + strlen(c->name) + 2 > sizeof f->observe) {
        uw_fail(err, UW_EINVAL, "observe: the names of the columns are longer than %zu bytes",
                sizeof f->observe);
        uw_err_fix(err, "observe fewer columns");
        return UW_EINVAL;
    }
    snprintf(f->observe + used, sizeof f->observe - used, "%s%s", used ? "," : "", c->name);
    f->columns[f->num_columns++] = column;
    f->observe_dim += (size_t)numbers_per_row(c);
    return UW_OK;
}

static uw_status no_pictures(uw_err *err) {
    uw_fail(err, UW_ESHAPE, "observe: wanted pictures for this encoder, got sensor columns");
    uw_err_fix(err, "take preset sensors (or identifiability), or record pixels");
    return UW_ESHAPE;
}

static uw_status use_sensors(uw_feed *f, uw_train_config *config, uw_err *err) {
    if (config->model.input != UW_INPUT_COLUMNS) return no_pictures(err);
    if (f->observe_dim == 0 || f->observe_dim > 65536) {
        uw_fail(err, UW_ESHAPE, "observe: wanted 1 .. 65536 numbers per row, got %zu",
                f->observe_dim);
        uw_err_fix(err, "name columns of numbers (observe=...); umwelt inspect lists them");
        return UW_ESHAPE;
    }
    config->image_size = config->model.image_size = 0;
    config->model.observe_dim = (int32_t)f->observe_dim;
    return UW_OK;
}

static bool is_clock(const char *name) {
    static const char *const clocks[] = {"time", "timestamp", "t"};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++)
        if (!strcmp(name, clocks[i])) return true;
    return false;
}

/* Why a column of numbers tells a model little; NULL: no reason. */
static const char *poor_sensor(const uw_feed *f, int32_t column, uw_status *s, uw_err *err) {
    uw_column_stats stats;
    if (is_clock(uw_dataset_column(f->data, column)->name)) return "a clock";
    *s = uw_dataset_stats(f->data, column, &stats, err);
    if (*s) return NULL;
    if (2 * stats.nan > stats.count) return "mostly missing";
    return stats.min == stats.max ? "constant" : NULL;
}

/* Take every sensor column, and tell which were left. */
static uw_status use_all_sensors(uw_context *ctx, uw_feed *f, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t i = 0; !s && i < uw_dataset_num_columns(f->data); i++) {
        const uw_column *c = uw_dataset_column(f->data, i);
        if (i == f->action || is_bookkeeping(c->name) || !is_number(c)) continue;
        const char *why = poor_sensor(f, i, &s, err);
        if (why)
            uw__log(ctx, UW_LOG_WARN, "train: %s: %s, not observed (observe= would)", c->name, why);
        else if (!s)
            s = use_sensor(f, i, err);
    }
    if (!s && f->num_columns) uw__log(ctx, UW_LOG_INFO, "train: the model sees %s", f->observe);
    return s;
}

/* observe= names columns; empty means pixels when there are some, else every sensor column. */
static uw_status resolve_observe(uw_context *ctx, uw_feed *f, uw_train_config *config,
                                 uw_err *err) {
    uw_status s = UW_OK;
    if (!config->observe[0]) {
        const int32_t pixels = uw_dataset_find(f->data, "pixels", NULL);
        if (pixels >= 0 && is_picture(uw_dataset_column(f->data, pixels))) {
            return use_pictures(f, config, pixels, err);
        }
        s = use_all_sensors(ctx, f, err);
        return s ? s : use_sensors(f, config, err);
    }
    for (const char *at = config->observe; !s && *at;) {
        char name[UW_MAX_COLUMN_NAME];
        const size_t length = strcspn(at, ",");
        int32_t column = -1;
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
                 at);
        s = find_column(f, "observe", name, &column, err);
        if (!s && is_picture(uw_dataset_column(f->data, column))) {
            const bool alone = at == config->observe && !at[length];
            if (alone) return use_pictures(f, config, column, err);
            uw_fail(err, UW_ESHAPE,
                    "observe: pictures cannot be mixed with other columns, got %.80s",
                    config->observe);
            uw_err_fix(err, "observe pictures alone, or sensor columns alone");
            return UW_ESHAPE;
        }
        if (!s) s = use_sensor(f, column, err);
        const char *why = s ? NULL : poor_sensor(f, column, &s, err);
        if (why) uw__log(ctx, UW_LOG_WARN, "train: %s: %s, observed all the same", name, why);
        at += length + (at[length] == ',');
    }
    return s ? s : use_sensors(f, config, err);
}

static uw_status resolve_action(uw_feed *f, uw_train_config *config, uw_err *err) {
    const char *name = config->action[0] ? config->action : "action";
    config->model.action_dim = 0;
    f->action = -1;
    if (!strcmp(name, "none")) return UW_OK;
    const uw_status s = find_column(f, "action", name, &f->action, err);
    if (s) {
        if (!config->action[0]) uw_err_fix(err, "set action=NAME, or action=none to train without");
        return s;
    }
    const uw_column *c = uw_dataset_column(f->data, f->action);
    if (!is_number(c) || c->num_dims > 1) {
        uw_fail(err, UW_ESHAPE, "%s: wanted actions as a vector of F32 or F64, got rank %d %s",
                c->name, (int)c->num_dims, uw_dtype_str(c->dtype));
        uw_err_fix(err, "name the column of actions (action=...); umwelt inspect lists them");
        return UW_ESHAPE;
    }
    config->model.action_dim = (int32_t)numbers_per_row(c);
    return UW_OK;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static double number_at(const uw_column *c, const void *row, size_t i) {
    return c->dtype == UW_DTYPE_F64 ? ((const double *)row)[i] : (double)((const float *)row)[i];
}

static uw_status make_normalisers(uw_feed *f, const uw_train_config *config, uw_err *err) {
    const size_t actions = config->normalise_actions ? (size_t)config->model.action_dim : 0;
    uw_normalisers *n = &f->norm;
    uw_status s = UW_OK;
    n->action_mean = calloc(actions + 1, sizeof(float));
    n->action_std = calloc(actions + 1, sizeof(float));
    n->observe_mean = calloc(f->observe_dim + 1, sizeof(float));
    n->observe_std = calloc(f->observe_dim + 1, sizeof(float));
    if (!n->action_mean || !n->action_std || !n->observe_mean || !n->observe_std) {
        return uw__no_memory(err, "normalisers", actions + f->observe_dim);
    }
    n->action_dim = (int32_t)actions;
    n->observe_dim = (int32_t)f->observe_dim;
    if (actions) {
        s = uw_dataset_normaliser(f->data, f->action, n->action_mean, n->action_std, err);
    }
    size_t at = 0;
    /* couplings keep volume: they see the numbers as they are */
    const bool raw = config->model.encoder == UW_ENCODER_COUPLING;
    for (size_t i = 0; raw && i < f->observe_dim; i++) n->observe_std[i] = 1.0f;
    for (int32_t i = 0; !s && !raw && i < f->num_columns; i++) {
        s = uw_dataset_normaliser(f->data, f->columns[i], n->observe_mean + at, n->observe_std + at,
                                  err);
        at += (size_t)numbers_per_row(uw_dataset_column(f->data, f->columns[i]));
    }
    /* a number that never changed in training would be magnified without bound when it does */
    for (size_t i = 0; !s && i < f->observe_dim; i++)
        if (n->observe_std[i] <= 1e-8f) n->observe_std[i] = 1.0f;
    return s;
}

/* ---- looks --------------------------------------------------------------------------------- */

static bool holds_state(const uw_column *c, const uw_env_class *env) {
    return is_number(c) && numbers_per_row(c) == env->state_dim;
}

static uw_status resolve_redraw(uw_feed *f, const uw_train_config *config, uw_err *err) {
    const uw_dataset_meta *meta = uw_dataset_meta_of(f->data);
    uw_status s = uw__redraw_init(meta->env, config->augment_factors, &f->redraw, err);
    if (s) return s;
    s = find_column(f, "augment=redraw", "state", &f->state, err);
    if (s) return s;
    const uw_env_class *env = f->redraw.env;
    const uw_column *c = uw_dataset_column(f->data, f->state);
    f->wide_state = c->dtype == UW_DTYPE_F64;
    if (!holds_state(c, env)) {
        uw_fail(err, UW_ESHAPE, "state: wanted F32 or F64 x %d of world %s, got %s x %" PRId64,
                (int)env->state_dim, meta->env, uw_dtype_str(c->dtype), numbers_per_row(c));
        uw_err_fix(err, "record with umwelt collect, or set augment=colour");
        return UW_ESHAPE;
    }
    f->goal = uw_dataset_find(f->data, "goal_state", NULL);
    if (f->goal >= 0) {
        const uw_column *goal = uw_dataset_column(f->data, f->goal);
        if (!holds_state(goal, env) || goal->dtype != c->dtype) f->goal = -1;
    }
    return UW_OK;
}

static uw_status refuse_look(const uw_feed *f, const uw_column *c, const uw_factor *factor,
                             int32_t at, double got, int64_t episode, uw_err *err) {
    uw_fail(err, UW_EINVAL, "%s: wanted %s%g .. %g as world %s has it, got %g in episode %" PRId64,
            c->name, factor->kind == UW_FACTOR_REAL ? "" : "a whole number ", factor->low[at],
            factor->high[at], f->redraw.env->name, got, episode);
    uw_err_fix(err, "add %s to augment_factors, or set augment=colour", c->name);
    return UW_EINVAL;
}

/* Put an episode's value of a recorded factor in its place among the episode's values. */
static uw_status read_look(const uw_feed *f, int32_t column, const uw_factor *factor,
                           int64_t episode, double *values, uw_err *err) {
    const uw_column *c = uw_dataset_column(f->data, column);
    double cell[UW_MAX_FACTOR_DIM];
    if (!is_number(c) || numbers_per_row(c) != factor->dim) {
        uw_fail(err, UW_ESHAPE, "%s: wanted F32 or F64 x %d, got %s x %" PRId64, c->name,
                (int)factor->dim, uw_dtype_str(c->dtype), numbers_per_row(c));
        uw_err_fix(err, "add %s to augment_factors, or set augment=colour", c->name);
        return UW_ESHAPE;
    }
    if (uw_dataset_episode_rows(f->data, episode) == 0) return UW_OK;
    const uw_status s = uw_dataset_rows(f->data, column, episode, 0, 1, 1, cell, err);
    for (int32_t i = 0; !s && i < factor->dim; i++) {
        /* a limit that float32 cannot hold was rounded with its column */
        const double low = factor->low[i], high = factor->high[i];
        const double v = number_at(c, cell, (size_t)i);
        const bool inside = (float)v >= (float)low && (float)v <= (float)high; /* not NaN */
        if (!inside || (factor->kind != UW_FACTOR_REAL && v != floor(v)))
            return refuse_look(f, c, factor, i, v, episode, err);
        values[factor->offset + i] = fmin(fmax(v, low), high);
    }
    return s;
}

/* A factor that was varied while recording and is not drawn anew is painted as it was recorded. */
static uw_status read_looks(uw_feed *f, uw_err *err) {
    const uw_env_class *env = f->redraw.env;
    const int64_t episodes = uw_dataset_episodes(f->data);
    const size_t count = (size_t)env->num_values;
    for (int32_t i = 0; i < uw_dataset_num_columns(f->data); i++) {
        const uw_column *c = uw_dataset_column(f->data, i);
        const uw_factor *factor = uw_env_factor(env, c->name, NULL);
        bool worn = factor && factor->affects_picture;
        for (int32_t k = 0; k < f->redraw.num_factors; k++)
            worn = worn && f->redraw.factors[k] != factor;
        if (!worn) continue;
        if (!f->looks) {
            f->looks = calloc((size_t)episodes + 1, count * sizeof *f->looks);
            if (!f->looks)
                return uw__no_memory(err, "looks", (uint64_t)episodes * count * sizeof *f->looks);
            for (int64_t e = 0; e < episodes; e++)
                memcpy(f->looks + (size_t)e * count, f->redraw.nominal, count * sizeof *f->looks);
        }
        for (int64_t e = 0; e < episodes; e++) {
            const uw_status s = read_look(f, i, factor, e, f->looks + (size_t)e * count, err);
            if (s) return s;
        }
    }
    return UW_OK;
}

/* The factors that the frames of training vary in: drawn anew here, or drawn while recording. */
static void list_trained(uw_feed *f, const uw_train_config *config) {
    const uw_dataset_meta *meta = uw_dataset_meta_of(f->data);
    const uw_env_class *env = meta->env ? uw_env_find(meta->env) : NULL;
    const bool redraw = config->augment == UW_AUGMENT_REDRAW;
    size_t used = (size_t)snprintf(f->trained, sizeof f->trained, "%s",
                                   redraw ? config->augment_factors : "");
    for (int32_t i = 0; env && meta->variation && i < env->num_factors; i++) {
        const uw_factor *factor = &env->factors[i];
        char drawn[UW_MAX_COLUMN_NAME + 8];
        snprintf(drawn, sizeof drawn, "%s~sample", factor->name);
        bool new = strstr(meta->variation, drawn) != NULL;
        for (int32_t k = 0; redraw && k < f->redraw.num_factors; k++)
            new = new && f->redraw.factors[k] != factor;
        if (new &&used < sizeof f->trained)
            used += (size_t)snprintf(f->trained + used, sizeof f->trained - used, "%s%s",
                                     used ? "," : "", factor->name);
    }
}

/* The most bytes that reading one window needs beside its own place: states and goals together. */
static size_t temp_bytes(const uw_feed *f) {
    size_t most = f->window * f->action_block * sizeof(float);
    if (f->window * f->labels.row_bytes > most) most = f->window * f->labels.row_bytes;
    for (int32_t i = -1; i < f->num_columns; i++) {
        const int32_t column = i < 0 ? f->state : f->columns[i];
        if (column < 0) continue;
        const uw_column *c = uw_dataset_column(f->data, column);
        size_t bytes = f->window * (size_t)numbers_per_row(c) * uw_dtype_bytes(c->dtype);
        if (column == f->state) bytes *= 2;
        if (bytes > most) most = bytes;
    }
    return (most + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN;
}

static uw_status make_windows(uw_context *ctx, uw_feed *f, const uw_train_config *config,
                              const char *path, uw_err *err) {
    double holdout = config->holdout;
    uw_status s = uw_windows_new(f->data, config->window, config->model.frameskip, holdout, false,
                                 config->seed, &f->train, err);
    if (!s && holdout > 0.0 && uw_windows_count(f->train) == 0) {
        /* of one or two episodes chance may hold out all */
        uw_windows_free(f->train);
        f->train = NULL;
        holdout = 0.0;
        s = uw_windows_new(f->data, config->window, config->model.frameskip, holdout, false,
                           config->seed, &f->train, err);
        if (!s && uw_windows_count(f->train))
            uw__log(ctx, UW_LOG_WARN, "train: too few episodes to hold one out: no validation");
    }
    if (s) return s;
    if (uw_windows_count(f->train) == 0) {
        uw_fail(err, UW_ESHAPE, "%s: no episode is long enough, wanted %d frames %d rows apart",
                path, (int)config->window, (int)config->model.frameskip);
        uw_err_fix(err, "record longer episodes, or lower window or frameskip");
        return UW_ESHAPE;
    }
    if (holdout > 0.0) {
        s = uw_windows_new(f->data, config->window, config->model.frameskip, holdout, true,
                           config->seed, &f->valid, err);
        if (!s && uw_windows_count(f->valid) == 0) {
            uw_windows_free(f->valid);
            f->valid = NULL;
        }
    }
    return s;
}

uw_status uw__feed_open(uw_context *ctx, const char *path, uw_train_config *config, uw_feed *out,
                        uw_err *err) {
    uw_feed f = {.pixels = -1, .state = -1, .goal = -1, .action = -1};
    uw_status s = uw_dataset_open(path, &f.data, err);

    if (!s && uw_dataset_torn_bytes(f.data) > 0) {
        uw__log(ctx, UW_LOG_WARN, "%s: a torn tail of %" PRId64 " bytes was left out", path,
                uw_dataset_torn_bytes(f.data));
    }
    /* who has a table of numbers and no preset must hear of presets first */
    if (!s && config->model.input != UW_INPUT_COLUMNS && !config->observe[0] &&
        uw_dataset_find(f.data, "pixels", NULL) < 0)
        s = no_pictures(err);
    if (!s) s = resolve_action(&f, config, err);
    if (!s) s = resolve_observe(ctx, &f, config, err);
    /* one more loads ahead */
    if (!s) s = uw__dataset_reserve(f.data, uw__pool_threads(ctx->pool) + 1, err);
    if (!s && config->augment == UW_AUGMENT_REDRAW) {
        s = resolve_redraw(&f, config, err);
        if (!s) s = read_looks(&f, err);
    }
    if (!s) list_trained(&f, config);
    if (!s && config->inverse_weight > 0.0f) {
        if (!config->model.action_dim) {
            s = uw_fail(err, UW_EINVAL, "inverse_weight: wanted 0 without actions");
            uw_err_fix(err, "set inverse_weight=0, or action=NAME");
        }
        if (!config->model.inverse_dim) config->model.inverse_dim = 64;
    }
    if (!s) s = uw__labels_parse(f.data, config->readout, &f.labels, err);
    if (!s) {
        config->model.readout_dim = f.labels.numbers;
        f.window = (size_t)config->window;
        f.action_block = (size_t)config->model.action_dim * (size_t)config->model.frameskip;
        f.temp_bytes = temp_bytes(&f);
        s = make_windows(ctx, &f, config, path, err);
    }
    if (!s) s = uw__holes_drop(ctx, &f, config, err);
    if (!s) s = make_normalisers(&f, config, err);
    if (s)
        uw__feed_close(&f);
    else
        *out = f;
    return s;
}

void uw__feed_close(uw_feed *f) {
    uw_windows_free(f->train);
    uw_windows_free(f->valid);
    uw_dataset_close(f->data);
    free(f->norm.action_mean);
    free(f->norm.action_std);
    free(f->norm.observe_mean);
    free(f->norm.observe_std);
    free(f->looks);
    *f = (uw_feed){0};
}
