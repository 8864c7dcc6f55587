/* A certificate of a model on a recording: which rows, which columns are the true latents, what is
 * left out. */
#include <umwelt/certify.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "latents.h"
#include "probe_internal.h"

enum { FRAME_ROWS = 16384, NUMBER_ROWS = 200000, MOST_LABELS = 256 };

/* A number of a column that is taken as a true latent. */
typedef struct label {
    int32_t column, number;
} label;

typedef struct recording {
    uw_context *ctx;
    const uw_model *model;
    uw_dataset *data;
    uw_observe observe;
    const uw_certify_options *options;
    int64_t rows, episodes;
    uw_row *row;    /* [rows] */
    int64_t *start; /* [episodes + 1] */
    float *h;       /* [rows, D] NaN where the observation has gaps */
    double *z;      /* [rows, num_labels] */
    double *actions;
    int32_t num_labels, num_actions;
    label labels[MOST_LABELS];
    char named[256], excluded[256]; /* for the certificate */
} recording;

static void recording_fini(recording *r) {
    free(r->row);
    free(r->start);
    free(r->h);
    free(r->z);
    free(r->actions);
    uw_dataset_close(r->data);
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* Whole episodes at the model's stride, spread evenly, until about max_rows. */
static uw_status choose_rows(recording *r, uw_err *err) {
    const int64_t episodes = uw_dataset_episodes(r->data);
    const int32_t frameskip = uw_model_config_of(r->model)->frameskip;
    const int64_t stride = r->options->stride ? r->options->stride : frameskip > 0 ? frameskip : 1;
    const int64_t most = r->options->max_rows  ? r->options->max_rows
                         : r->observe.pictures ? FRAME_ROWS
                                               : NUMBER_ROWS;
    int64_t total = 0;
    for (int64_t e = 0; e < episodes; e++)
        total += (uw_dataset_episode_rows(r->data, e) + stride - 1) / stride;
    if (total < 1) return uw_fail(err, UW_EINVAL, "dataset: no rows to certify on");
    r->start = malloc((size_t)(episodes + 1) * sizeof *r->start);
    r->row = malloc((size_t)total * sizeof *r->row);
    if (!r->start || !r->row)
        return uw_fail(err, UW_ENOMEM, "certify: %lld rows", (long long)total);
    const double share = total > most ? (double)most / (double)total : 1.0;
    r->start[0] = 0;
    for (int64_t e = 0; e < episodes; e++) {
        if (floor((double)(e + 1) * share) <= floor((double)e * share)) continue;
        for (int64_t t = 0; t < uw_dataset_episode_rows(r->data, e); t += stride)
            r->row[r->rows++] = (uw_row){e, t};
        r->start[++r->episodes] = r->rows;
    }
    return r->episodes ? UW_OK
                       : uw_fail(err, UW_EINVAL, "rows: fewer than one episode has, wanted more");
}

/* Latents of all rows; of a row with a gap in what the model sees, NaN. */
static uw_status encode(recording *r, uw_err *err) {
    const size_t n = (size_t)r->rows, d = (size_t)uw_model_config_of(r->model)->latent_dim;
    uw_row *kept = malloc(n * sizeof *kept);
    bool *whole = malloc(n * sizeof *whole);
    float *z = malloc(n * d * sizeof *z);
    r->h = malloc(n * d * sizeof *r->h);
    uw_status s = UW_OK;
    size_t count = 0;
    if (!kept || !whole || !z || !r->h) s = uw_fail(err, UW_ENOMEM, "certify: %zu rows", n);
    if (!s) s = uw__rows_whole(r->ctx, r->data, &r->observe, r->row, r->rows, whole, err);
    for (size_t i = 0; i < n && !s; i++)
        if (whole[i]) kept[count++] = r->row[i];
    if (!s)
        s = uw__rows_encode(r->ctx, r->model, r->data, &r->observe, kept, (int64_t)count, z, err);
    count = 0;
    for (size_t i = 0; i < n && !s; i++) {
        if (whole[i])
            memcpy(r->h + i * d, z + d * count++, d * sizeof *z);
        else
            r->h[i * d] = NAN;
    }
    free(kept);
    free(whole);
    free(z);
    return s;
}

/* ---- labels -------------------------------------------------------------------------------------
 */

/* Names by which recordings call their true state. */
static bool is_state(const char *name) {
    static const char *const stems[] = {"state", "latent", "z"};
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        const size_t length = strlen(stems[i]);
        if (strncmp(name, stems[i], length) != 0) continue;
        const char *rest = name + length;
        if (*rest == '_' || *rest == '.') rest++;
        if (rest[strspn(rest, "0123456789")] == '\0') return true;
    }
    return false;
}

static bool is_observed(const recording *r, int32_t column) {
    for (int32_t i = 0; i < r->observe.count; i++)
        if (r->observe.column[i] == column) return true;
    return false;
}

static uw_status add_labels(recording *r, int32_t column, int32_t first, int32_t count,
                            uw_err *err) {
    const uw_column *c = uw_dataset_column(r->data, column);
    const int32_t numbers = uw__column_numbers(c);
    if (first + count > numbers || numbers < 1)
        return uw_fail(err, UW_ESHAPE,
                       "%s: number %d of a true latent, got a column of %d numbers a row", c->name,
                       first + count - 1, numbers);
    for (int32_t i = 0; i < count; i++) {
        if (r->num_labels == MOST_LABELS)
            return uw_fail(err, UW_EINVAL, "--state: too many true latents, wanted at most %d",
                           MOST_LABELS);
        r->labels[r->num_labels++] = (label){column, first + i};
    }
    return UW_OK;
}

/* "z0" or "state[2]" */
static uw_status add_named(recording *r, const char *word, uw_err *err) {
    char name[UW_MAX_COLUMN_NAME];
    int32_t number = -1;
    const size_t length = strcspn(word, "[");
    if (length == 0 || length >= sizeof name)
        return uw_fail(err, UW_EINVAL, "--state: over-long or empty name");
    memcpy(name, word, length);
    name[length] = '\0';
    if (word[length] == '[') {
        char *end;
        const long value = strtol(word + length + 1, &end, 10);
        if (strcmp(end, "]") != 0 || value < 0 || value > 4096)
            return uw_fail(err, UW_EINVAL, "%s: wanted COLUMN or COLUMN[NUMBER]", word);
        number = (int32_t)value;
    }
    const char *nearest = NULL;
    const int32_t column = uw_dataset_find(r->data, name, &nearest);
    if (column < 0) {
        uw_fail(err, UW_ENOTFOUND, "%s: no such column in the dataset", name);
        if (nearest) uw_err_fix(err, "the nearest column is %s", nearest);
        return UW_ENOTFOUND;
    }
    const int32_t all = uw__column_numbers(uw_dataset_column(r->data, column));
    return number < 0 ? add_labels(r, column, 0, all, err) : add_labels(r, column, number, 1, err);
}

static uw_status choose_labels(recording *r, uw_err *err) {
    const char *at = r->options->state;
    if (at && !strcmp(at, "none")) return UW_OK;
    if (!at) {
        for (int32_t c = 0; c < uw_dataset_num_columns(r->data); c++) {
            const uw_column *column = uw_dataset_column(r->data, c);
            const bool real = column->dtype == UW_DTYPE_F32 || column->dtype == UW_DTYPE_F64;
            const int32_t numbers = uw__column_numbers(column);
            if (!real || !numbers || !is_state(column->name) || is_observed(r, c)) continue;
            if (r->num_labels + numbers > MOST_LABELS) continue;
            const uw_status s = add_labels(r, c, 0, numbers, err);
            if (s) return s;
        }
        return UW_OK;
    }
    while (*at) {
        char word[UW_MAX_COLUMN_NAME + 16];
        const size_t length = strcspn(at, ",");
        if (length >= sizeof word) return uw_fail(err, UW_EINVAL, "--state: over-long name");
        memcpy(word, at, length);
        word[length] = '\0';
        const uw_status s = add_named(r, word, err);
        if (s) return s;
        at += length + (at[length] == ',');
    }
    return UW_OK;
}

/* Append words to a list that is shown: cut where it is full. */
static void append(char *list, size_t size, const char *word) {
    const size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

/* Why a column of numbers cannot be a true latent; NULL when it can. */
static const char *fault(const double *x, int64_t n, int32_t stride) {
    int64_t finite = 0;
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i * stride])) continue;
        finite++;
        low = fmin(low, x[i * stride]);
        high = fmax(high, x[i * stride]);
    }
    if (2 * finite < n) return "missing in most rows";
    return high > low ? NULL : "constant";
}

/* Read the labels' numbers; constant and mostly missing ones are left out by name. */
static uw_status read_labels(recording *r, uw_err *err) {
    const size_t n = (size_t)r->rows, wide = (size_t)r->num_labels;
    int32_t kept = 0;
    uw_status s = UW_OK;
    if (!wide) return UW_OK;
    double *all = malloc(n * wide * sizeof *all), *cells = NULL;
    if (!all) return uw_fail(err, UW_ENOMEM, "certify: %zu rows of labels", n);
    for (int32_t i = 0; i < r->num_labels && !s; i++) {
        const label l = r->labels[i];
        const uw_column *c = uw_dataset_column(r->data, l.column);
        const int32_t numbers = uw__column_numbers(c);
        char name[UW_MAX_COLUMN_NAME + 48];
        if (i == 0 || r->labels[i - 1].column != l.column) {
            free(cells);
            cells = malloc(n * (size_t)numbers * sizeof *cells);
            s = cells ? uw__rows_read(r->ctx, r->data, l.column, r->row, r->rows, cells, err)
                      : uw_fail(err, UW_ENOMEM, "certify: %zu rows of labels", n);
            if (s) break;
        }
        const char *why = fault(cells + l.number, r->rows, numbers);
        const int used = numbers == 1 ? snprintf(name, sizeof name, "%s", c->name)
                                      : snprintf(name, sizeof name, "%s[%d]", c->name, l.number);
        if (why) {
            snprintf(name + used, sizeof name - (size_t)used, ": %s", why);
            append(r->excluded, sizeof r->excluded, name);
            continue;
        }
        append(r->named, sizeof r->named, name);
        for (size_t t = 0; t < n; t++)
            all[t * wide + (size_t)kept] = cells[t * (size_t)numbers + (size_t)l.number];
        kept++;
    }
    /* close the gaps that left-out columns leave */
    for (size_t t = 0; t < n && !s; t++)
        memmove(all + t * (size_t)kept, all + t * wide, (size_t)kept * sizeof *all);
    free(cells);
    r->num_labels = kept;
    r->z = all;
    return s;
}

static uw_status read_actions(recording *r, uw_err *err) {
    char name[UW_MAX_COLUMN_NAME];
    if (!uw_model_config_of(r->model)->action_dim) return UW_OK;
    uw__action_column(r->model, name, sizeof name);
    const int32_t column = uw_dataset_find(r->data, name, NULL);
    if (column < 0) return UW_OK; /* then nothing is said about them */
    r->num_actions = uw__column_numbers(uw_dataset_column(r->data, column));
    if (!r->num_actions) return UW_OK;
    r->actions = malloc((size_t)r->rows * (size_t)r->num_actions * sizeof *r->actions);
    if (!r->actions)
        return uw_fail(err, UW_ENOMEM, "certify: %lld rows of actions", (long long)r->rows);
    return uw__rows_read(r->ctx, r->data, column, r->row, r->rows, r->actions, err);
}

uw_status uw_certify_run(uw_context *ctx, const uw_model *model, const char *dataset,
                         const uw_certify_options *options, uw_certificate *out, uw_err *err) {
    const uw_certify_options o = options ? *options : (uw_certify_options){0};
    uw_certificate *c = calloc(1, sizeof *c);
    recording *r = calloc(1, sizeof *r);
    uw_status s = c && r ? UW_OK : uw_fail(err, UW_ENOMEM, "certify");
    if (s) goto done;
    r->ctx = ctx;
    r->model = model;
    r->options = &o;
    if (o.stride < 0 || o.max_rows < 0)
        s = uw_fail(err, UW_EINVAL, "certify: wanted stride >= 0 and max_rows >= 0");
    if (!s) s = uw_dataset_open(dataset, &r->data, err);
    if (!s) s = uw__observe_find(model, r->data, &r->observe, err);
    if (!s) s = choose_labels(r, err);
    if (!s) s = choose_rows(r, err);
    if (!s) s = read_labels(r, err);
    if (!s) s = read_actions(r, err);
    if (!s) s = encode(r, err);
    if (s) goto done;
    const uw_series series = {.h = r->h,
                              .z = r->num_labels ? r->z : NULL,
                              .actions = r->actions,
                              .start = r->start,
                              .rows = r->rows,
                              .episodes = r->episodes,
                              .dim = uw_model_config_of(model)->latent_dim,
                              .num_states = r->num_labels,
                              .num_actions = r->num_actions};
    s = uw_certify_series(ctx, &series, &o, c, err);
    if (s) goto done;
    snprintf(c->dataset_hash, sizeof c->dataset_hash, "%s", uw_dataset_hash(r->data));
    uw_model_sha256(model, c->model_hash);
    memcpy(c->labels, r->named, sizeof c->labels);
    memcpy(c->excluded, r->excluded, sizeof c->excluded);
    *out = *c;
done:
    if (r) recording_fini(r);
    free(r);
    free(c);
    return s;
}
