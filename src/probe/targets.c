/* Which numbers of a dataset are worth predicting from a latent. */
#include "probe_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "json.h"

#define PI 3.14159265358979323846

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

/* The part of a unit of several, "px, rad, px/s", that belongs to one number.  The world's states
 * tell by name; elsewhere parts have equal shares, or the first has what is left over: a pose [3]
 * of "px, rad" is px, px, rad. */
static void part_of_unit(const char *unit, const char *name, int32_t number, int32_t numbers,
                         char *out, size_t size) {
    const char *part[8] = {unit};
    size_t length[8];
    int32_t parts = 0;
    for (const char *at = unit; at && parts < 8;) {
        const char *end = strchr(at, ',');
        part[parts] = at + strspn(at, " ");
        length[parts] = end ? (size_t)(end - part[parts]) : strlen(part[parts]);
        parts++;
        at = end ? end + 1 : NULL;
    }
    int32_t pick = 0;
    const char *dot = strrchr(name, '.');
    if (parts > 1 && dot) {
        const bool turn = strstr(dot, "angle") != NULL, speed = dot[1] == 'v' && strlen(dot) == 3;
        for (int32_t i = 0; i < parts && (turn || speed); i++)
            if (turn ? !strncmp(part[i], "rad", length[i])
                     : memchr(part[i], '/', length[i]) != NULL)
                pick = i;
    } else if (parts > 1) {
        const int32_t spare = numbers - parts;
        pick = numbers % parts == 0 ? number / (numbers / parts)
               : number > spare     ? number - spare
                                    : 0;
    }
    snprintf(out, size, "%.*s", (int)length[pick], part[pick]);
}

static bool contains_any(const char *name, const char *const *words) {
    for (; *words; words++)
        if (strstr(name, *words)) return true;
    return false;
}

/* Radians per unit of an angle's column; 0 for any other number. */
static double radians_of(const char *name, const char *unit) {
    static const char *const words[] = {"angle", "theta", "yaw", "heading", NULL};
    static const char *const degrees[] = {"deg", "degree", "degrees", "\xc2\xb0", NULL};
    if (!strcmp(unit, "rad")) return 1.0;
    for (int i = 0; degrees[i]; i++)
        if (!strcmp(unit, degrees[i]) && contains_any(name, words)) return PI / 180.0;
    return 0.0;
}

static void name_number(const uw_dataset *data, int32_t column, int32_t number, char *name,
                        char *unit) {
    const uw_column *c = uw_dataset_column(data, column);
    const uw_env_class *world = uw_env_find(uw_dataset_meta_of(data)->env);
    const int32_t numbers = uw__column_numbers(c);
    const bool state = world && !strcmp(c->name, "state") && numbers == world->state_dim;
    if (state && world->state_names && world->state_names[number])
        snprintf(name, 64, "%s", world->state_names[number]);
    else if (numbers == 1)
        snprintf(name, 64, "%.63s", c->name);
    else
        snprintf(name, 64, "%.48s[%d]", c->name, number);
    const char *whole = c->unit[0] ? c->unit : state && world->state_unit ? world->state_unit : "";
    part_of_unit(whole, name, number, numbers, unit, 32);
}

static double deviation_of(const double *x, int64_t n, int32_t stride) {
    double sum = 0.0, square = 0.0, count = 0.0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i * stride])) {
            sum += x[i * stride];
            count += 1.0;
        }
    for (int64_t i = 0; i < n; i++) {
        const double e = x[i * stride] - sum / count;
        if (isfinite(e)) square += e * e;
    }
    return sqrt(square / count);
}

static void exclude(uw_probe_report *report, const char *name, uw_exclusion why, int64_t missing) {
    if (report->num_excluded == UW_MAX_EXCLUDED) return;
    uw_excluded *e = &report->excluded[report->num_excluded++];
    *e = (uw_excluded){.why = why, .missing = missing};
    snprintf(e->column, sizeof e->column, "%s", name);
}

/* Append a column's worthwhile numbers; values gets them at column t->count of UW_MAX_PROBES. */
static void add_column(uw_targets *t, const uw_dataset *data, int32_t column, const uw_row *rows,
                       int64_t n, const double *cells, double *values, uw_probe_report *report) {
    const uw_column *c = uw_dataset_column(data, column);
    const int32_t numbers = uw__column_numbers(c);
    const bool goal = !strncmp(c->name, "goal", 4);
    for (int32_t j = 0; j < numbers; j++) {
        const glance g = look(cells + j, rows, n, numbers);
        char name[64], unit[32];
        name_number(data, column, j, name, unit);
        const int64_t missing = n - g.finite;
        if (2 * g.finite < n || !g.varies || (goal && !g.varies_in_episode) ||
            t->count == UW_MAX_PROBES) {
            exclude(report, name,
                    2 * g.finite < n               ? UW_EXCLUDED_GAPS
                    : !g.varies                    ? UW_EXCLUDED_CONSTANT
                    : goal && !g.varies_in_episode ? UW_EXCLUDED_STILL
                                                   : UW_EXCLUDED_SURPLUS,
                    missing);
            continue;
        }
        const int32_t i = t->count++;
        for (int64_t r = 0; r < n; r++) values[r * UW_MAX_PROBES + i] = cells[r * numbers + j];
        t->column[i] = column;
        t->number[i] = j;
        t->missing[i] = missing;
        t->deviation[i] = deviation_of(cells + j, n, numbers);
        t->radians[i] = radians_of(name, unit);
        t->output[i + 1] = t->output[i] + (t->radians[i] > 0.0 ? 2 : 1);
        snprintf(t->name[i], sizeof t->name[i], "%s", name);
        snprintf(t->unit[i], sizeof t->unit[i], "%s", unit);
    }
}

void uw__target_outputs(const uw_targets *t, int32_t j, double value, double *outputs) {
    outputs[0] = value;
    if (!(t->radians[j] > 0.0)) return;
    outputs[0] = sin(t->radians[j] * value);
    outputs[1] = cos(t->radians[j] * value);
}

bool uw__target_is_place(const uw_targets *t, int32_t j) {
    for (int32_t i = 0; i < t->first_count; i++)
        if (!(t->radians[i] > 0.0))
            return j < t->first_count && !(t->radians[j] > 0.0) && !strcmp(t->unit[i], t->unit[j]);
    return false;
}

void uw__decode(const uw_decoder *decoder, const float *z, double *values) {
    const uw_targets *t = decoder->targets;
    double outputs[2 * UW_MAX_PROBES];
    uw_ridge first = decoder->ridge; /* only the outputs that are asked for */
    first.targets = t->output[t->first_count];
    uw__ridge_predict(&first, z, 1, outputs);
    for (int32_t j = 0; j < t->first_count; j++) {
        const double *o = outputs + t->output[j];
        values[j] = t->radians[j] > 0.0 ? atan2(o[0], o[1]) / t->radians[j] : o[0];
    }
}

const char *uw_exclusion_str(uw_exclusion why) {
    switch (why) {
    case UW_EXCLUDED_CONSTANT:
        return "one value throughout";
    case UW_EXCLUDED_GAPS:
        return "missing in more than half of the rows";
    case UW_EXCLUDED_STILL:
        return "stands still within every episode";
    case UW_EXCLUDED_SURPLUS:
        return "more numbers than are probed";
    }
    return "";
}

/* State first, so that drift is told in its unit; then the file's order, clocks last. */
static int32_t column_order(const uw_dataset *data, const char *action, int32_t *order) {
    const int32_t state = uw_dataset_find(data, "state", NULL);
    int32_t count = 0;
    for (int32_t pass = 0; pass < 3; pass++) {
        for (int32_t c = 0; c < uw_dataset_num_columns(data) && count < UW_MAX_COLUMNS; c++) {
            const uw_column *column = uw_dataset_column(data, c);
            const bool real = column->dtype == UW_DTYPE_F32 || column->dtype == UW_DTYPE_F64;
            const bool clock = !strcmp(column->name, "time") || !strcmp(column->name, "timestamp");
            const int32_t turn = c == state ? 0 : clock ? 2 : 1;
            if (pass != turn || !real || !strcmp(column->name, action)) continue;
            if (uw__column_numbers(column)) order[count++] = c;
        }
    }
    return count;
}

uw_status uw__targets_choose(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                             const uw_row *rows, int64_t num_rows, uw_targets *out, double **values,
                             uw_probe_report *report, uw_err *err) {
    uw_status s = UW_OK;
    int32_t order[UW_MAX_COLUMNS];
    char action[UW_MAX_COLUMN_NAME];
    uw__action_column(model, action, sizeof action);
    const int32_t columns = column_order(data, action, order);
    const size_t n = (size_t)num_rows;
    uw_targets *t = calloc(1, sizeof *t);
    double *wide = malloc(n * UW_MAX_PROBES * sizeof *wide), *cells = NULL, *packed = NULL;
    if (!t || !wide) s = uw_fail(err, UW_ENOMEM, "probe: %zu rows of targets", n);
    for (int32_t c = 0; c < columns && !s; c++) {
        const size_t numbers = (size_t)uw__column_numbers(uw_dataset_column(data, order[c]));
        free(cells);
        cells = malloc(n * numbers * sizeof *cells);
        if (!cells)
            s = uw_fail(err, UW_ENOMEM, "probe: %zu rows of targets", n);
        else
            s = uw__rows_read(ctx, data, order[c], rows, num_rows, cells, err);
        if (s) break;
        add_column(t, data, order[c], rows, num_rows, cells, wide, report);
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

uw_status uw__targets_find(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                           const uw_row *rows, int64_t num_rows, uw_targets *out, double **values,
                           uw_err *err) {
    uw_probe_report *unread = calloc(1, sizeof *unread);
    if (!unread) return uw_fail(err, UW_ENOMEM, "probe: targets");
    const uw_status s =
        uw__targets_choose(ctx, model, data, rows, num_rows, out, values, unread, err);
    free(unread);
    return s;
}
