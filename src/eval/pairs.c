/* Starts and goals sampled from a recording, as stable-worldmodel's evaluation script samples them.
 *
 * A start is any row with its goal, the protocol's offset later, in the same episode: exactly the
 * rows that start a window of offset + 1, so the windows of training enumerate them, and their
 * split by whole episodes is the split here.  The offset and the budget count env steps; a
 * recording with several env steps per row has its goal that many fewer rows later, rounded up. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "eval_internal.h"
#include "json.h"

struct uw_pairs {
    const uw_dataset *data;
    const uw_env_class *cls;
    uw_windows *windows;                  /* one per row that may start an episode */
    int64_t *chosen;                      /* [episodes] window numbers, ascending */
    int32_t rows;                         /* from start to goal */
    int32_t repeat;                       /* env steps per row */
    int32_t state, action, pixels;        /* columns; pixels -1: none, or not to be shown */
    int32_t factor[UW_MAX_FACTOR_VALUES]; /* [num_factors] columns, -1: not recorded */
    uw_split split;
    int64_t short_episodes;
};

static int64_t numbers_of(const uw_column *c) {
    int64_t n = 1;
    for (int32_t i = 0; i < c->num_dims; i++) n *= c->shape[i];
    return n;
}

/* Read one row of a column of at most UW_MAX_STATE_DIM numbers. */
static uw_status read_numbers(const uw_dataset *data, int32_t column, int64_t episode, int64_t row,
                              double *out, uw_err *err) {
    const uw_column *c = uw_dataset_column(data, column);
    const int64_t n = numbers_of(c);
    union {
        uint8_t u8[UW_MAX_STATE_DIM];
        int32_t i32[UW_MAX_STATE_DIM];
        int64_t i64[UW_MAX_STATE_DIM];
        float f32[UW_MAX_STATE_DIM];
        double f64[UW_MAX_STATE_DIM];
    } raw;
    const uw_status status = uw_dataset_rows(data, column, episode, row, 1, 1, &raw, err);
    for (int64_t i = 0; !status && i < n; i++) {
        switch (c->dtype) {
        case UW_DTYPE_I32:
            out[i] = raw.i32[i];
            break;
        case UW_DTYPE_I64:
            out[i] = (double)raw.i64[i];
            break;
        case UW_DTYPE_F32:
            out[i] = (double)raw.f32[i];
            break;
        case UW_DTYPE_F64:
            out[i] = raw.f64[i];
            break;
        default:
            out[i] = raw.u8[i];
            break;
        }
    }
    return status;
}

/* ---- does the recording fit? */

static uw_status find_column(const uw_pairs *p, const char *name, int32_t dim, int32_t *out,
                             uw_err *err) {
    *out = uw_dataset_find(p->data, name, NULL);
    const uw_column *c = *out < 0 ? NULL : uw_dataset_column(p->data, *out);
    if (c && numbers_of(c) == dim && (c->dtype == UW_DTYPE_F32 || c->dtype == UW_DTYPE_F64))
        return UW_OK;
    uw_fail(err, UW_ESHAPE, "%s: column %s: wanted the %d numbers of %s, got %d",
            uw__dataset_name(p->data), name, (int)dim, p->cls->name, c ? (int)numbers_of(c) : 0);
    uw_err_fix(err, "umwelt inspect lists its columns; a dataset of %s has state and action",
               p->cls->name);
    return UW_ESHAPE;
}

static uw_status find_columns(uw_pairs *p, const uw_eval_options *options, uw_err *err) {
    const char *env = uw_dataset_meta_of(p->data)->env;
    if (*env && strcmp(env, p->cls->name) != 0) {
        uw_fail(err, UW_ESHAPE, "%s: recorded in %s, wanted a recording of %s",
                uw__dataset_name(p->data), env, p->cls->name);
        uw_err_fix(err, "umwelt collect %s makes one", p->cls->name);
        return UW_ESHAPE;
    }
    uw_status status = find_column(p, "state", p->cls->state_dim, &p->state, err);
    if (!status) status = find_column(p, "action", p->cls->action_dim, &p->action, err);
    if (status) return status;
    const bool shown = !options->variation && !options->goal_variation;
    p->pixels = shown ? uw_dataset_find(p->data, "pixels", NULL) : -1;
    for (int32_t i = 0; i < p->cls->num_factors; i++) {
        const uw_factor *f = &p->cls->factors[i];
        const bool ours = !options->variation || options->variation->mode[i] == UW_VARY_DEFAULT;
        p->factor[i] = f->placed || !ours ? -1 : uw_dataset_find(p->data, f->name, NULL);
        if (p->factor[i] >= 0 && numbers_of(uw_dataset_column(p->data, p->factor[i])) != f->dim)
            p->factor[i] = -1;
    }
    return UW_OK;
}

/* ---- sampling */

/* Episodes of the split that are too short: all of them less those with windows. */
static uw_status count_short(uw_pairs *p, const uw_eval_options *o, uw_err *err) {
    uw_windows *all = NULL;
    const double holdout = p->split == UW_SPLIT_ALL ? 0.0 : o->holdout;
    const uw_status status = uw_windows_new(p->data, 1, 1, holdout, p->split == UW_SPLIT_VALIDATION,
                                            o->holdout_seed, &all, err);
    if (status) return status;
    const int64_t rows = uw_windows_count(all);
    for (int64_t i = 0; i < rows;) {
        int64_t episode, row;
        uw_windows_at(all, i, &episode, &row);
        const int64_t length = uw_dataset_episode_rows(p->data, episode);
        p->short_episodes += length <= p->rows;
        i += length;
    }
    uw_windows_free(all);
    return UW_OK;
}

static uw_status sample(uw_pairs *p, const uw_protocol *protocol, const uw_eval_options *o,
                        uw_err *err) {
    const double holdout = p->split == UW_SPLIT_ALL ? 0.0 : o->holdout;
    uw_status status =
        uw_windows_new(p->data, p->rows + 1, 1, holdout, p->split == UW_SPLIT_VALIDATION,
                       o->holdout_seed, &p->windows, err);
    if (!status) status = count_short(p, o, err);
    if (status) return status;
    const int64_t starts = uw_windows_count(p->windows);
    if (starts < o->episodes || starts > UINT32_MAX) {
        uw_fail(err, UW_ESHAPE,
                "%s: too short for %s: %" PRId64 " of %" PRId64 " episodes have no goal %d steps "
                "on, %" PRId64 " starts are left (%s), wanted %d",
                uw__dataset_name(p->data), protocol->name, p->short_episodes,
                uw_dataset_episodes(p->data), (int)protocol->offset, starts, uw_split_str(p->split),
                (int)o->episodes);
        uw_err_fix(err, "record more or longer episodes, or ask for at most %" PRId64 " episodes",
                   starts);
        return UW_ESHAPE;
    }
    p->chosen = malloc((size_t)o->episodes * sizeof *p->chosen);
    status = p->chosen ? uw__numpy_choice(o->seed, starts, o->episodes, p->chosen) : UW_ENOMEM;
    return status ? uw_fail(err, status, "eval: no memory for %d starts", (int)o->episodes) : UW_OK;
}

uw_status uw__pairs_new(const uw_protocol *protocol, const uw_env_class *cls,
                        const uw_eval_options *options, int32_t threads, uw_pairs **out,
                        uw_err *err) {
    *out = NULL;
    if (!options->data) {
        uw_fail(err, UW_EINVAL, "%s: wanted a dataset for its starts and goals, got none",
                protocol->name);
        uw_err_fix(err, "give a recording of %s with --data", cls->name);
        return UW_EINVAL;
    }
    if ((unsigned)options->split > UW_SPLIT_VALIDATION)
        return uw_fail(err, UW_EINVAL, "split: wanted 0 .. 2, got %d", (int)options->split);
    uw_pairs *p = calloc(1, sizeof *p);
    if (!p) return uw_fail(err, UW_ENOMEM, "eval: no memory for the starts");
    p->data = options->data;
    p->cls = cls;
    p->split = options->split;
    const int32_t repeat = uw_dataset_meta_of(p->data)->action_repeat;
    p->repeat = repeat > 1 ? repeat : 1;
    p->rows = (protocol->offset + p->repeat - 1) / p->repeat;
    uw_status status = find_columns(p, options, err);
    if (!status) status = sample(p, protocol, options, err);
    if (!status) status = uw__dataset_reserve(p->data, threads, err);
    if (status)
        uw__pairs_free(p);
    else
        *out = p;
    return status;
}

void uw__pairs_free(uw_pairs *pairs) {
    if (!pairs) return;
    uw_windows_free(pairs->windows);
    free(pairs->chosen);
    free(pairs);
}

/* ---- one episode */

uw_status uw__pairs_setup(const uw_pairs *p, const uw_eval_options *options, int32_t index,
                          uw_setup *out, uw_err *err) {
    uw_setup s = {.reset_seed = options->reset_seed + (uint64_t)index};
    uw_windows_at(p->windows, p->chosen[index], &s.episode, &s.row);
    uw_status status = uw__protocol_look(p->cls, options, index, &s, err);
    for (int32_t i = 0; i < p->cls->num_factors && !status; i++)
        if (p->factor[i] >= 0)
            status = read_numbers(p->data, p->factor[i], s.episode, s.row,
                                  s.values + p->cls->factors[i].offset, err);
    if (!status) status = uw__protocol_goal_look(p->cls, options, index, &s, err);
    if (!status) status = read_numbers(p->data, p->state, s.episode, s.row, s.task.start, err);
    if (!status)
        status = read_numbers(p->data, p->state, s.episode, s.row + p->rows, s.task.goal, err);
    if (!status) *out = s;
    return status;
}

uw_status uw__pairs_action(const uw_pairs *p, const uw_setup *setup, int32_t step, float *action,
                           uw_err *err) {
    double numbers[UW_MAX_STATE_DIM] = {0};
    const int64_t row = setup->row + step / p->repeat;
    if (row < uw_dataset_episode_rows(p->data, setup->episode)) {
        const uw_status status =
            read_numbers(p->data, p->action, setup->episode, row, numbers, err);
        if (status) return status;
    }
    for (int32_t i = 0; i < p->cls->action_dim; i++)
        action[i] = isfinite(numbers[i]) ? (float)numbers[i] : 0.0f;
    return UW_OK;
}

bool uw__pairs_pictured(const uw_pairs *p, int32_t size) {
    if (!p || p->pixels < 0 || size < 1) return false;
    const uw_column *c = uw_dataset_column(p->data, p->pixels);
    return c->dtype == UW_DTYPE_U8 && c->num_dims == 3 && c->shape[0] == size &&
           c->shape[1] == size && c->shape[2] == 3;
}

uw_status uw__pairs_picture(const uw_pairs *p, const uw_setup *setup, bool goal, uint8_t *rgb,
                            uw_err *err) {
    return uw_dataset_rows(p->data, p->pixels, setup->episode, setup->row + (goal ? p->rows : 0), 1,
                           1, rgb, err);
}

void uw__pairs_describe(const uw_pairs *p, uw_eval_result *result) {
    result->split = p->split;
    result->starts = uw_windows_count(p->windows);
    result->short_episodes = p->short_episodes;
    memcpy(result->data_hash, uw_dataset_hash(p->data), sizeof result->data_hash - 1);
}

/* ---- which episodes a model has not seen */

const char *uw_split_str(uw_split split) {
    static const char *const names[] = {"all", "train", "validation"};
    return (unsigned)split <= UW_SPLIT_VALIDATION ? names[split] : "?";
}

uw_status uw_eval_holdout(const uw_model *model, uw_eval_options *options, uw_err *err) {
    const uw_provenance *from = uw_model_provenance(model);
    uw_json *json = NULL;
    double holdout = 0.0;
    if (from->config_json && !uw__json_parse("training", from->config_json, &json, NULL))
        uw__json_get_f64(json, "holdout", &holdout);
    uw__json_free(json);
    if (!(holdout > 0.0 && holdout <= 1.0)) {
        uw_fail(err, UW_EINVAL, "model: does not say which episodes it held out in training");
        uw_err_fix(err, "train it here with holdout above 0, or take --split all");
        return UW_EINVAL;
    }
    options->holdout = holdout;
    options->holdout_seed = from->seed;
    return UW_OK;
}
