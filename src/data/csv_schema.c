/* Columns from cells.
 *
 * A file that we wrote declares its columns in comment lines and is taken at its word, after
 * comparing that with the header row.  Any other file is read once to learn from its numbers: whole
 * numbers make I64, true and false make BOOL, everything else (and every column with a missing
 * cell) F64; x[0], x[1], ... or x_0, x_1, ... side by side make one column of several numbers. */
#include "csv_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "convert.h"
#include "csv.h"
#include "fileio.h"
#include "json.h"
#include "layout.h"
#include "store.h"

enum { HEAD_BYTES = 1 << 18, NAME_BYTES = 128 };

/* Names under which the field keeps an episode's number. */
static const char *const episode_names[] = {"episode", "ep_idx", "episode_index"};

void uw__csv_schema_free(uw__csv_schema *schema) {
    uw__json_free(schema->json);
    schema->json = NULL;
}

void uw__csv_cell_name(const uw_column *column, int64_t i, char *text) {
    int64_t at[4];
    size_t n = (size_t)snprintf(text, NAME_BYTES, "%s", column->name);
    for (int32_t d = column->num_dims - 1; d >= 0; d--) {
        at[d] = i % column->shape[d];
        i /= column->shape[d];
    }
    for (int32_t d = 0; d < column->num_dims && n < NAME_BYTES; d++) {
        n += (size_t)snprintf(text + n, NAME_BYTES - n, "[%" PRId64 "]", at[d]);
    }
}

static uw_status refuse(const uw__csv_schema *sc, const char *fix, uw_err *err, const char *format,
                        const char *what) {
    uw_fail(err, UW_EFORMAT, format, sc->name, what);
    uw_err_fix(err, "%s", fix);
    return UW_EFORMAT;
}

/* ---- declared ----------------------------------------------------------------------------- */

static const char drop_fix[] =
    "delete the '# umwelt' lines to have the columns found from the numbers";

static uw_status declare_column(uw__csv_schema *sc, const uw_json *json, uw_err *err) {
    double shape[4];
    const char *name = uw__json_get_str(json, "name"), *unit = uw__json_get_str(json, "unit");
    const int32_t dims = uw__json_get_f64s(json, "shape", shape, 4);
    if (sc->num_columns == UW_MAX_COLUMNS) {
        return refuse(sc, drop_fix, err, "%s: more than 64 columns declared%s", "");
    }
    uw_column *c = &sc->columns[sc->num_columns];
    *c = (uw_column){.num_dims = dims};
    if (!name || strlen(name) >= sizeof c->name || dims < 0 || dims > 4 ||
        !uw__dtype_parse(uw__json_get_str(json, "dtype"), &c->dtype)) {
        return refuse(sc, drop_fix, err, "%s: a declared column lacks name, dtype or shape%s", "");
    }
    memcpy(c->name, name, strlen(name));
    if (unit) snprintf(c->unit, sizeof c->unit, "%s", unit);
    int64_t cells = 1;
    for (int32_t d = 0; d < dims; d++) {
        if (!(shape[d] >= 1.0 && shape[d] <= 4096.0)) {
            return refuse(sc, drop_fix, err, "%s: column '%s': declared shape, wanted 1 to 4096",
                          name);
        }
        c->shape[d] = (int64_t)shape[d];
        cells *= c->shape[d];
        if (cells > 4096) {
            return refuse(sc, drop_fix, err, "%s: column '%s': more than 4096 numbers declared",
                          name);
        }
    }
    sc->cells[sc->num_columns++] = (int32_t)cells;
    return UW_OK;
}

/* most: a small file may not ask for more empty episodes than this. */
static uw_status declare_line(uw__csv_schema *sc, const char *line, int64_t most, uw_err *err) {
    const bool dataset = !strncmp(line, UW__CSV_DATASET, strlen(UW__CSV_DATASET));
    const bool column = !strncmp(line, UW__CSV_COLUMN, strlen(UW__CSV_COLUMN));
    uw_json *json = NULL;
    if (!dataset && !column) return UW_OK;
    uw_status s = uw__json_parse(sc->name, strchr(line, '{') ? strchr(line, '{') : "", &json, err);
    if (s) return s;
    if (column) {
        s = declare_column(sc, json, err);
    } else if (!sc->json) {
        sc->json = json;
        json = NULL;
        if (!uw__json_get_i64(sc->json, "episodes", &sc->num_episodes)) sc->num_episodes = -1;
        if (sc->num_episodes < -1 || sc->num_episodes > most) {
            s = refuse(sc, drop_fix, err, "%s: more episodes declared than it can hold%s", "");
        }
    }
    uw__json_free(json);
    return s;
}

/* Read the comment lines at the head of the file. */
static uw_status declared(const char *path, uw__csv_schema *sc, uw_err *err) {
    uint64_t size;
    int fd = -1;
    uw_status s = uw__store_open(path, &fd, &size, err);
    if (s) return s;
    const size_t n = size < HEAD_BYTES ? (size_t)size : (size_t)HEAD_BYTES;
    char *head = malloc(n + 1);
    s = head ? uw__store_read(fd, path, 0, head, n, err) : uw__no_memory(err, sc->name, n);
    uw__store_close(fd);
    if (!s) head[n] = '\0';
    for (char *line = head, *end; !s && line[0] == '#' && (end = strchr(line, '\n'));
         line = end + 1) {
        *end = '\0';
        s = declare_line(sc, line, (int64_t)size + 65536, err);
    }
    sc->declared = sc->num_columns > 0;
    free(head);
    return s;
}

/* Compare the declaration with the header row: a file edited by hand must not be read askew. */
static uw_status match_header(uw__csv_schema *sc, const uw_csv *csv, uw_err *err) {
    char want[NAME_BYTES];
    int32_t at = 1;
    sc->episode_cell = 0;
    for (int32_t i = 0; i < sc->num_columns; i++) {
        sc->first_cell[i] = at;
        for (int32_t k = 0; k < sc->cells[i]; k++, at++) {
            uw__csv_cell_name(&sc->columns[i], k, want);
            if (at < sc->num_cells && !strcmp(uw__csv_name(csv, at), want)) continue;
            return refuse(sc, drop_fix, err, "%s: the header row is not as declared, wanted '%s'",
                          want);
        }
    }
    if (at == sc->num_cells) return UW_OK;
    return refuse(sc, drop_fix, err, "%s: column '%s' was not declared", uw__csv_name(csv, at));
}

/* ---- learned ------------------------------------------------------------------------------ */

/* What all cells seen so far are: whole numbers, true or false; and whether one of them is too long
 * for a double. */
enum { WHOLE = 1, TRUTH = 2, LONG = 4 };
enum { TIMED_STEPS = 4096 }; /* how many steps of a clock tell its rhythm */
static const int64_t exact_whole = (int64_t)1 << 53;

bool uw__csv_whole(const char *text, int64_t *value) {
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits) return false;
    for (const char *p = digits; *p; p++) {
        if (*p < '0' || *p > '9') return false;
    }
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return !errno; /* ERANGE beyond 64 bits */
}

/* The first steps of a column of times, within episodes. */
typedef struct rhythm {
    int32_t cell; /* -1: there is no such column */
    double last;
    int64_t steps, forward; /* all of them; those that go on */
    int32_t count;
    double step[TIMED_STEPS];
} rhythm;

static void rhythm_add(rhythm *r, const double *row, bool new_episode) {
    if (r->cell < 0) return;
    const double t = row[r->cell], step = t - r->last;
    if (!new_episode) {
        r->steps++;
        r->forward += step > 0.0;
        if (step > 0.0 && r->count < TIMED_STEPS) r->step[r->count++] = step;
    }
    r->last = t;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds per row when steps agree within a thousandth, and from where on a step is a gap.  What
 * does not go on nine times of ten is called like a clock, but is none. */
static void rhythm_tell(rhythm *r, uw__csv_schema *sc) {
    if (r->cell < 0 || !r->count || 10 * r->forward < 9 * r->steps) return;
    qsort(r->step, (size_t)r->count, sizeof *r->step, by_size);
    const double median = r->step[r->count / 2];
    double sum = 0.0;
    int32_t regular = 0;
    while (regular < r->count && r->step[regular] <= UW__CSV_GAP * median)
        sum += r->step[regular++];
    const double mean = sum / regular; /* half of them at least are not above the median */
    sc->time_cell = r->cell;
    sc->time_step = median;
    if (r->step[regular - 1] - r->step[0] <= 1e-3 * mean) sc->row_seconds = mean;
}

/* Read all rows: what each cell can be, whether episodes are in order, the rhythm of time. */
static uw_status learn(uw__csv_schema *sc, uw_csv *csv, unsigned char *kinds, rhythm *time,
                       uw_err *err) {
    double *row = calloc((size_t)sc->num_cells, sizeof *row);
    double episode = 0.0;
    int64_t whole;
    bool end = false, first = true;
    uw_status s = row ? UW_OK : uw__no_memory(err, sc->name, (uint64_t)sc->num_cells * sizeof *row);
    memset(kinds, WHOLE | TRUTH, (size_t)sc->num_cells);
    while (!s && !(s = uw__csv_next(csv, row, &end, err)) && !end) {
        for (int32_t i = 0; i < sc->num_cells; i++) {
            const char *text = uw__csv_text(csv, i);
            if ((kinds[i] & TRUTH) && strcasecmp(text, "true") && strcasecmp(text, "false")) {
                kinds[i] &= (unsigned char)~TRUTH;
            }
            if ((kinds[i] & WHOLE) && !uw__csv_whole(text, &whole))
                kinds[i] &= (unsigned char)~WHOLE;
            else if ((kinds[i] & WHOLE) && (whole > exact_whole || whole < -exact_whole))
                kinds[i] |= LONG;
        }
        const double e = sc->episode_cell < 0 ? 0.0 : row[sc->episode_cell];
        if (sc->episode_cell >= 0 &&
            (!(kinds[sc->episode_cell] & WHOLE) || (!first && e < episode))) {
            uw_fail(err, UW_EFORMAT,
                    "%s: line %" PRId64 ": column '%s': wanted whole numbers that never fall",
                    sc->name, uw__csv_line(csv), uw__csv_name(csv, sc->episode_cell));
            uw_err_fix(err, "sort the rows by episode, then by time");
            s = UW_EFORMAT;
        }
        rhythm_add(time, row, first || e > episode);
        episode = e;
        first = false;
    }
    free(row);
    return s;
}

/* A reading that happens to be whole is a number like any other, as long as F64 holds it. */
static uw_dtype type_of(unsigned char kind) {
    if ((kind & WHOLE) && (kind & LONG)) return UW_DTYPE_I64;
    return (kind & TRUTH) && !(kind & WHOLE) ? UW_DTYPE_BOOL : UW_DTYPE_F64;
}

/* Split "x[3]" or "x_3" into its stem's length and index; false for other names. */
static bool indexed(const char *name, size_t *stem, long *index) {
    const size_t n = strlen(name);
    size_t end = n, at;
    const bool bracket = n && name[n - 1] == ']';
    if (bracket) end--;
    at = end;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9') at--;
    if (at == end || end - at > 4 || at < 2 || name[at - 1] != (bracket ? '[' : '_')) return false;
    *index = strtol(name + at, NULL, 10);
    *stem = at - 1;
    return true;
}

/* Return how many cells from `at` on make one column x[0], x[1], ... */
static int32_t run_length(const uw__csv_schema *sc, const uw_csv *csv, int32_t at, size_t *stem) {
    const char *first = uw__csv_name(csv, at);
    long index;
    int32_t n = 1;
    if (!indexed(first, stem, &index) || index) return 0;
    for (size_t other; at + n < sc->num_cells && at + n != sc->episode_cell; n++) {
        const char *name = uw__csv_name(csv, at + n);
        if (!indexed(name, &other, &index) || index != n || other != *stem ||
            strncmp(name, first, *stem + 1)) {
            break;
        }
    }
    return n > 1 || first[*stem] == '[' ? n : 0;
}

static uw_status group(uw__csv_schema *sc, const uw_csv *csv, const unsigned char *kinds,
                       uw_err *err) {
    for (int32_t at = 0; at < sc->num_cells;) {
        if (at == sc->episode_cell) {
            at++;
            continue;
        }
        size_t stem = 0;
        const char *name = uw__csv_name(csv, at);
        const int32_t run = run_length(sc, csv, at, &stem);
        const size_t length = run ? stem : strlen(name);
        if (sc->num_columns == UW_MAX_COLUMNS || length >= UW_MAX_COLUMN_NAME) {
            uw_fail(err, UW_EFORMAT,
                    "%s: column '%.80s': wanted at most %d columns, names of at most 63 bytes",
                    sc->name, name, UW_MAX_COLUMNS);
            uw_err_fix(
                err,
                "name numbers that belong together x[0], x[1], ... to make one column of them");
            return UW_EFORMAT;
        }
        uw_column *c = &sc->columns[sc->num_columns];
        *c = (uw_column){.dtype = type_of(kinds[at]), .num_dims = run ? 1 : 0};
        c->shape[0] = run;
        memcpy(c->name, name, length);
        for (int32_t k = 1; k < run; k++) {
            if (type_of(kinds[at + k]) != c->dtype) c->dtype = UW_DTYPE_F64;
        }
        sc->first_cell[sc->num_columns] = at;
        sc->cells[sc->num_columns++] = run ? run : 1;
        at += run ? run : 1;
    }
    if (sc->num_columns) return UW_OK;
    return refuse(sc, "add the columns that were observed", err,
                  "%s: no columns beside the episode%s", "");
}

static int32_t find_cell(const uw_csv *csv, const char *const *names, size_t count) {
    for (size_t k = 0; k < count; k++) {
        for (int32_t i = 0; i < uw__csv_columns(csv); i++) {
            if (!strcmp(uw__csv_name(csv, i), names[k])) return i;
        }
    }
    return -1;
}

uw_status uw__csv_schema_read(const char *path, uw__csv_schema *out, uw_err *err) {
    static const char *const time_names[] = {"time", "timestamp", "t"};
    uw__csv_schema *sc = out;
    uw_csv *csv = NULL;
    unsigned char *kinds = NULL;
    rhythm *time = NULL;
    memset(sc, 0, sizeof *sc);
    sc->time_cell = -1;
    sc->name = uw__path_tail(path);
    sc->num_episodes = -1;
    uw_status s = declared(path, sc, err);
    if (!s) s = uw__csv_open(path, &csv, err);
    if (s) goto done;
    sc->num_cells = uw__csv_columns(csv);
    if (sc->declared) {
        s = match_header(sc, csv, err);
        goto done;
    }
    sc->episode_cell =
        find_cell(csv, episode_names, sizeof episode_names / sizeof episode_names[0]);
    kinds = malloc((size_t)sc->num_cells);
    time = calloc(1, sizeof *time);
    if (!kinds || !time) {
        s = uw__no_memory(err, sc->name, (uint64_t)sc->num_cells);
        goto done;
    }
    time->cell = find_cell(csv, time_names, sizeof time_names / sizeof time_names[0]);
    s = learn(sc, csv, kinds, time, err);
    if (!s) s = group(sc, csv, kinds, err);
    if (!s) rhythm_tell(time, sc);
done:
    free(time);
    free(kinds);
    uw__csv_close(csv);
    if (s) uw__csv_schema_free(sc);
    return s;
}
