/* What a readout is trained on: a few words, and the numbers they stand for. */
#include "labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HOW[] = "for example readout=state[0-3],state[4]:rad";

static int64_t numbers_per_row(const uw_column *c) {
    int64_t n = 1;
    for (int32_t i = 0; i < c->num_dims; i++) n *= c->shape[i];
    return n;
}

static uw_status refuse(const char *item, size_t length, const char *why, uw_err *err) {
    uw_fail(err, UW_EINVAL, "readout: %s, got %.*s", why, (int)(length < 60 ? length : 60), item);
    uw_err_fix(err, "%s", HOW);
    return UW_EINVAL;
}

/* Parse "[i]" or "[i-j]" up to end; what is not there means everything. */
static bool parse_range(const char *at, const char *end, int64_t width, int64_t *first,
                        int64_t *last) {
    char *after = NULL;
    *first = 0;
    *last = width - 1;
    if (at == end) return true;
    if (*at != '[' || at[1] < '0' || at[1] > '9') return false;
    *first = *last = strtoll(at + 1, &after, 10);
    if (*after == '-' && after[1] >= '0' && after[1] <= '9') *last = strtoll(after + 1, &after, 10);
    return *after == ']' && after + 1 == end && *first <= *last && *last < width;
}

static uw_status find_column(const uw_dataset *data, const char *item, size_t length, int32_t *out,
                             uw_err *err) {
    char name[UW_MAX_COLUMN_NAME];
    const char *nearest = NULL;
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
             item);
    *out = uw_dataset_find(data, name, &nearest);
    if (*out < 0) {
        uw_fail(err, UW_ENOTFOUND, "readout: the data set has no column %.60s", name);
        if (nearest) uw_err_fix(err, "did you mean %s?", nearest);
        return UW_ENOTFOUND;
    }
    const uw_dtype dtype = uw_dataset_column(data, *out)->dtype;
    if (dtype == UW_DTYPE_F32 || dtype == UW_DTYPE_F64) return UW_OK;
    uw_fail(err, UW_ESHAPE, "readout: %s, wanted a column of F32 or F64, got %s", name,
            uw_dtype_str(dtype));
    uw_err_fix(err, "umwelt inspect lists the columns");
    return UW_ESHAPE;
}

static uw_status parse_item(const uw_dataset *data, const char *item, size_t length, uw_labels *l,
                            uw_err *err) {
    const char *end = item + length, *colon = memchr(item, ':', length);
    const char *behind = colon ? colon : end;
    const char *bracket = memchr(item, '[', (size_t)(behind - item));
    const char *name_end = bracket ? bracket : behind;
    int64_t first, last;
    int32_t column;

    if (colon && (end - colon != 4 || memcmp(colon, ":rad", 4) != 0))
        return refuse(item, length, "wanted nothing or :rad behind a number", err);
    const uw_status s = find_column(data, item, (size_t)(name_end - item), &column, err);
    if (s) return s;
    const uw_column *c = uw_dataset_column(data, column);
    if (!parse_range(name_end, behind, numbers_per_row(c), &first, &last))
        return refuse(item, length, "wanted numbers that the column has", err);
    if (last - first >= UW_MAX_LABELS - l->count)
        return refuse(item, length, "wanted at most 64 numbers", err);
    const size_t bytes = (size_t)numbers_per_row(c) * uw_dtype_bytes(c->dtype);
    const bool angle = colon || !strcmp(c->unit, "rad");
    if (bytes > l->row_bytes) l->row_bytes = bytes;
    for (int64_t i = first; i <= last; i++) {
        l->label[l->count++] = (uw_label){.column = column, .at = (int32_t)i, .angle = angle};
        l->numbers += angle ? 2 : 1;
    }
    return UW_OK;
}

uw_status uw__labels_parse(const uw_dataset *data, const char *text, uw_labels *out, uw_err *err) {
    uw_labels l = {0};
    uw_status s = UW_OK;
    for (const char *at = text; !s && *at;) {
        const size_t length = strcspn(at, ",");
        s = parse_item(data, at, length, &l, err);
        at += length + (at[length] == ',');
    }
    if (!s) *out = l;
    return s;
}

static double number_at(const uw_column *c, const void *rows, int64_t i) {
    return c->dtype == UW_DTYPE_F64 ? ((const double *)rows)[i] : (double)((const float *)rows)[i];
}

uw_status uw__labels_read(const uw_dataset *data, const uw_labels *labels, int64_t episode,
                          int64_t row, int64_t count, int64_t stride, void *temp, uw_real *out,
                          uw_err *err) {
    int32_t held = -1, place = 0;
    for (int32_t i = 0; i < labels->count; i++) {
        const uw_label *l = &labels->label[i];
        const uw_column *c = uw_dataset_column(data, l->column);
        if (l->column != held) {
            const uw_status s =
                uw_dataset_rows(data, l->column, episode, row, count, stride, temp, err);
            if (s) return s;
            held = l->column;
        }
        for (int64_t t = 0; t < count; t++) {
            const double v = number_at(c, temp, t * numbers_per_row(c) + l->at);
            uw_real *to = out + t * labels->numbers + place;
            to[0] = (uw_real)(l->angle ? sin(v) : v);
            if (l->angle) to[1] = (uw_real)cos(v);
        }
        place += l->angle ? 2 : 1;
    }
    return UW_OK;
}
