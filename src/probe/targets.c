/* Which numbers of a dataset are worth predicting from a latent. */
#include "probe_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "json.h"

void uw__action_column(const uw_model *model, char *name, size_t size) {
    const char *config = uw_model_provenance(model)->config_json;
    snprintf(name, size, "action");
    uw_json *json = NULL;
    if (!config || !*config || uw__json_parse("config", config, &json, NULL)) return;
    const char *word = uw__json_get_str(json, "action");
    if (word && *word) snprintf(name, size, "%s", word);
    uw__json_free(json);
}

/* What the sampled rows say about one number. */
typedef struct glance {
    int64_t finite;
    bool varies, varies_in_episode;
} glance;

static glance look(const double *x, const uw_row *rows, int64_t n, int32_t stride) {
    glance g = {0};
    double first = NAN, before = NAN;
    int64_t episode = -1;
    for (int64_t i = 0; i < n; i++) {
        const double v = x[i * stride];
        if (!isfinite(v)) continue;
        if (g.finite++ == 0) first = v;
        g.varies = g.varies || v != first;
        g.varies_in_episode = g.varies_in_episode || (rows[i].episode == episode && v != before);
        episode = rows[i].episode;
        before = v;
    }
    return g;
}

static void name_target(uw_targets *t, const uw_dataset *data, int32_t column, int32_t number) {
    const uw_column *c = uw_dataset_column(data, column);
    const uw_env_class *world = uw_env_find(uw_dataset_meta_of(data)->env);
    const int32_t numbers = uw__column_numbers(c), i = t->count;
    const bool state = world && !strcmp(c->name, "state") && numbers == world->state_dim;
    t->column[i] = column;
    t->number[i] = number;
    if (state && world->state_names && world->state_names[number])
        snprintf(t->name[i], sizeof t->name[i], "%s", world->state_names[number]);
    else if (numbers == 1)
        snprintf(t->name[i], sizeof t->name[i], "%.63s", c->name);
    else
        snprintf(t->name[i], sizeof t->name[i], "%.48s[%d]", c->name, number);
    const char *unit = c->unit[0] ? c->unit : state && world->state_unit ? world->state_unit : "";
    snprintf(t->unit[i], sizeof t->unit[i], "%.31s", unit);
    t->count++;
}

/* Append a column's worthwhile numbers; values gets them at column t->count of UW_MAX_PROBES. */
static void add_column(uw_targets *t, const uw_dataset *data, int32_t column, const uw_row *rows,
                       int64_t n, const double *cells, double *values) {
    const uw_column *c = uw_dataset_column(data, column);
    const int32_t numbers = uw__column_numbers(c);
    const bool goal = !strncmp(c->name, "goal", 4);
    for (int32_t j = 0; j < numbers && t->count < UW_MAX_PROBES; j++) {
        const glance g = look(cells + j, rows, n, numbers);
        if (!g.varies || 2 * g.finite < n || (goal && !g.varies_in_episode)) continue;
        for (int64_t i = 0; i < n; i++)
            values[i * UW_MAX_PROBES + t->count] = cells[i * numbers + j];
        name_target(t, data, column, j);
    }
}

/* State first, so that drift is told in its unit; then the file's order. */
static int32_t column_order(const uw_dataset *data, const char *action, int32_t *order) {
    const int32_t state = uw_dataset_find(data, "state", NULL);
    int32_t count = 0;
    for (int32_t pass = 0; pass < 2; pass++) {
        for (int32_t c = 0; c < uw_dataset_num_columns(data) && count < UW_MAX_COLUMNS; c++) {
            const uw_column *column = uw_dataset_column(data, c);
            const bool real = column->dtype == UW_DTYPE_F32 || column->dtype == UW_DTYPE_F64;
            if ((pass == 0) != (c == state) || !real || !strcmp(column->name, action)) continue;
            if (uw__column_numbers(column)) order[count++] = c;
        }
    }
    return count;
}

uw_status uw__targets_find(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                           const uw_row *rows, int64_t num_rows, uw_targets *out, double **values,
                           uw_err *err) {
    uw_status s = UW_OK;
    int32_t order[UW_MAX_COLUMNS];
    char action[UW_MAX_COLUMN_NAME];
    uw__action_column(model, action, sizeof action);
    const int32_t columns = column_order(data, action, order);
    const size_t n = (size_t)num_rows;
    uw_targets *t = calloc(1, sizeof *t);
    double *wide = malloc(n * UW_MAX_PROBES * sizeof *wide), *cells = NULL, *packed = NULL;
    if (!t || !wide) s = uw_fail(err, UW_ENOMEM, "probe: %zu rows of targets", n);
    for (int32_t c = 0; c < columns && !s && t->count < UW_MAX_PROBES; c++) {
        const size_t numbers = (size_t)uw__column_numbers(uw_dataset_column(data, order[c]));
        free(cells);
        cells = malloc(n * numbers * sizeof *cells);
        if (!cells)
            s = uw_fail(err, UW_ENOMEM, "probe: %zu rows of targets", n);
        else
            s = uw__rows_read(ctx, data, order[c], rows, num_rows, cells, err);
        if (s) break;
        add_column(t, data, order[c], rows, num_rows, cells, wide);
    }
    if (s) goto done;
    while (t->first_count < t->count && t->column[t->first_count] == t->column[0]) t->first_count++;
    packed = malloc(n * (size_t)t->count * sizeof *packed + 1);
    if (!packed) {
        s = uw_fail(err, UW_ENOMEM, "probe: %zu rows of targets", n);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(packed + i * (size_t)t->count, wide + i * UW_MAX_PROBES,
               (size_t)t->count * sizeof *packed);
    *out = *t;
    *values = packed;
done:
    free(cells);
    free(wide);
    free(t);
    return s;
}
