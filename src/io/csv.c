/* A CSV reader that streams: RFC 4180 quoting, lines that begin with # are comments, blank lines
 * are skipped, the first line names the columns.  The separator is the first of comma, tab and
 * semicolon that the header shows outside quotes.  Memory is one line, at most 1 MiB, and the
 * names; a hostile file costs no more. */
#include "csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fileio.h"
#include "utf8.h"

#define FIX_LINE "mend this line of the file"

enum { MAX_COLUMNS = 4096, MAX_LINE = 1 << 20, BUFFER = 1 << 16 };

struct uw_csv {
    char *path;      /* owned */
    char **names;    /* owned [columns], pointing into header */
    char *header;    /* owned copy of the header's cells */
    int32_t columns; /* known once the header was read */
    int fd;
    uint64_t size, offset; /* of the file; of the next read */
    char buffer[BUFFER];   /* bytes read ahead */
    size_t at, held;
    char *line; /* owned: one record, its cells NUL-terminated */
    size_t line_size, line_cap;
    size_t *cells; /* owned [cell_cap]: where each cell begins in line */
    bool *quoted;  /* owned [cell_cap]: a quoted cell is not trimmed and not missing */
    int32_t num_cells, cell_cap;
    char separator; /* '\0' until the header showed it */
    int64_t next_line, record_line;
};

static uw_status refuse(const uw_csv *c, const char *reason, const char *what, uw_err *err) {
    return uw__refuse(err, UW_EFORMAT, c->path, reason, FIX_LINE, "line %lld: %s",
                      (long long)c->record_line, what);
}

/* The next byte, or -1 at the end; -2 with *s set when reading failed. */
static int next_byte(uw_csv *c, uw_status *s, uw_err *err) {
    if (c->at == c->held) {
        const uint64_t left = c->size - c->offset;
        const size_t n = left < BUFFER ? (size_t)left : BUFFER;
        if (!n) return -1;
        if ((*s = uw__read_at(c->fd, c->buffer, n, c->offset, c->path, err))) return -2;
        c->offset += n;
        c->at = 0;
        c->held = n;
    }
    return (unsigned char)c->buffer[c->at++];
}

static int peek_byte(uw_csv *c, uw_status *s, uw_err *err) {
    const int b = next_byte(c, s, err);
    if (b >= 0) c->at--;
    return b;
}

static uw_status put(uw_csv *c, char b, uw_err *err) {
    if (c->line_size == c->line_cap) {
        if (c->line_cap == MAX_LINE) return refuse(c, "too_long", "wanted at most 1 MiB", err);
        const size_t cap = c->line_cap ? 2 * c->line_cap : 1024;
        char *grown = realloc(c->line, cap);
        if (!grown) return uw__no_memory(err, c->path, cap);
        c->line = grown;
        c->line_cap = cap;
    }
    c->line[c->line_size++] = b;
    return UW_OK;
}

static uw_status start_cell(uw_csv *c, uw_err *err) {
    if (c->num_cells == c->cell_cap) {
        if (c->cell_cap == MAX_COLUMNS) {
            return refuse(c, "too_many_columns", "wanted at most 4096 cells", err);
        }
        const int32_t cap = c->cell_cap ? 2 * c->cell_cap : 16;
        size_t *cells = realloc(c->cells, (size_t)cap * sizeof *cells);
        if (cells) c->cells = cells;
        bool *quoted = realloc(c->quoted, (size_t)cap * sizeof *quoted);
        if (quoted) c->quoted = quoted;
        if (!cells || !quoted) return uw__no_memory(err, c->path, (uint64_t)cap * sizeof *cells);
        c->cell_cap = cap;
    }
    c->quoted[c->num_cells] = false;
    c->cells[c->num_cells++] = c->line_size;
    return UW_OK;
}

/* Trim what was not quoted and end the cell with a NUL. */
static uw_status end_cell(uw_csv *c, uw_err *err) {
    const int32_t i = c->num_cells - 1;
    if (!c->quoted[i]) {
        size_t from = c->cells[i];
        while (c->line_size > from &&
               (c->line[c->line_size - 1] == ' ' || c->line[c->line_size - 1] == '\t')) {
            c->line_size--;
        }
        while (from < c->line_size && (c->line[from] == ' ' || c->line[from] == '\t')) from++;
        c->cells[i] = from;
    }
    return put(c, '\0', err);
}

/* Read what stands between quotes, the opening one taken; "" is a quote. */
static uw_status read_quoted(uw_csv *c, uw_err *err) {
    uw_status s = UW_OK;
    c->quoted[c->num_cells - 1] = true;
    for (;;) {
        const int b = next_byte(c, &s, err);
        if (b == -2) return s;
        if (b == -1) return refuse(c, "open_quote", "wanted a closing quote, got the end", err);
        if (b == '\n') c->next_line++;
        if (!b) return refuse(c, "binary", "wanted text, got a zero byte", err);
        if (b == '"') {
            const int after = peek_byte(c, &s, err);
            if (after == -2) return s;
            if (after != '"') return UW_OK;
            c->at++;
        }
        if ((s = put(c, (char)b, err))) return s;
    }
}

static bool is_separator(uw_csv *c, int b) {
    if (!c->separator && (b == ',' || b == '\t' || b == ';')) c->separator = (char)b;
    return c->separator && b == c->separator;
}

/* Read one record into cells; the first byte was looked at and is neither end, # nor line end. */
static uw_status read_record(uw_csv *c, uw_err *err) {
    uw_status s = start_cell(c, err);
    bool fresh = true, closed = false; /* nothing of this cell yet; behind its closing quote */
    while (!s) {
        int b = next_byte(c, &s, err);
        if (b == -2) return s;
        if (b == '\r') { /* of a line end, or the last byte of the file */
            const int after = peek_byte(c, &s, err);
            if (after == -2) return s;
            if (after == '\n' || after == -1) b = next_byte(c, &s, err);
        }
        if (b == -1 || b == '\n') {
            c->next_line++;
            return end_cell(c, err);
        }
        if (!b) return refuse(c, "binary", "wanted text, got a zero byte", err);
        if (is_separator(c, b)) {
            if (!(s = end_cell(c, err))) s = start_cell(c, err);
            fresh = true;
            closed = false;
        } else if (b == '"' && fresh) {
            s = read_quoted(c, err);
            fresh = false;
            closed = true;
        } else if (closed) {
            if (b != ' ' && b != '\t') {
                return refuse(c, "bad_quote", "wanted a separator behind the closing quote", err);
            }
        } else {
            fresh = fresh && (b == ' ' || b == '\t');
            s = put(c, (char)b, err);
        }
    }
    return s;
}

/* Step over comments and blank lines to the next record; *end at the end of the file. */
static uw_status next_record(uw_csv *c, bool *end, uw_err *err) {
    uw_status s = UW_OK;
    *end = false;
    for (;;) {
        int b = peek_byte(c, &s, err);
        if (b == -2) return s;
        if (b == -1) {
            *end = true;
            return UW_OK;
        }
        if (b != '#' && b != '\n' && b != '\r') break;
        const bool comment = b == '#';
        do {
            b = next_byte(c, &s, err);
            if (!comment && b != '\n' && b != '\r' && b >= 0) {
                c->record_line = c->next_line;
                return refuse(c, "bad_line_end", "wanted a line feed behind the carriage return",
                              err);
            }
        } while (b >= 0 && b != '\n');
        if (b == -2) return s;
        c->next_line++;
    }
    c->record_line = c->next_line;
    c->line_size = 0;
    c->num_cells = 0;
    return read_record(c, err);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Columns are found by name: each has one, no two the same, and a first line of numbers is data. */
static uw_status check_header(uw_csv *c, uw_err *err) {
    uw_status s = UW_OK;
    bool all_numbers = true;
    double number;
    char **sorted = malloc((size_t)c->columns * sizeof *sorted);
    if (!sorted) return uw__no_memory(err, c->path, (uint64_t)c->columns * sizeof *sorted);
    for (int32_t i = 0; i < c->columns && !s; i++) {
        sorted[i] = c->names[i];
        all_numbers = all_numbers && uw__parse_f64(c->names[i], &number);
        if (!c->names[i][0]) {
            s = uw__refuse(err, UW_EFORMAT, c->path, "unnamed_column", "name every column",
                           "line %lld: column %d has no name", (long long)c->record_line, i + 1);
        } else if (!uw__utf8_clean(c->names[i], false)) {
            s = uw__refuse(err, UW_EFORMAT, c->path, "unsafe_name", "write the names as UTF-8",
                           "line %lld: column %d: wanted UTF-8 without control characters",
                           (long long)c->record_line, i + 1);
        }
    }
    if (!s && all_numbers) {
        s = uw__refuse(err, UW_EFORMAT, c->path, "no_header",
                       "put a line with the names of the columns first",
                       "line %lld: wanted names, got numbers", (long long)c->record_line);
    }
    if (!s) qsort(sorted, (size_t)c->columns, sizeof *sorted, by_text);
    for (int32_t i = 1; i < c->columns && !s; i++) {
        if (strcmp(sorted[i - 1], sorted[i])) continue;
        s = uw__refuse(err, UW_EFORMAT, c->path, "duplicate_column", "rename one of them",
                       "line %lld: %.60s twice", (long long)c->record_line, sorted[i]);
    }
    free(sorted);
    return s;
}

/* Keep the cells of the first record as the names. */
static uw_status read_header(uw_csv *c, uw_err *err) {
    static const char mark[] = "\xef\xbb\xbf"; /* what some editors put before UTF-8 */
    bool end;
    uw_status s = UW_OK;
    if (peek_byte(c, &s, err) == -2) return s;
    if (c->held >= 3 && !memcmp(c->buffer, mark, 3)) c->at = 3;
    if ((s = next_record(c, &end, err))) return s;
    if (end) {
        return uw__refuse(err, UW_EFORMAT, c->path, "no_header",
                          "put a line with the names of the columns first",
                          "wanted a header, got an empty file");
    }
    c->header = malloc(c->line_size);
    c->names = malloc((size_t)c->num_cells * sizeof *c->names);
    if (!c->header || !c->names) return uw__no_memory(err, c->path, c->line_size);
    memcpy(c->header, c->line, c->line_size);
    c->columns = c->num_cells;
    for (int32_t i = 0; i < c->columns; i++) c->names[i] = c->header + c->cells[i];
    if (!c->separator) c->separator = ',';
    return check_header(c, err);
}

uw_status uw__csv_open(const char *path, uw_csv **out, uw_err *err) {
    uw_status s;
    *out = NULL;
    uw_csv *c = calloc(1, sizeof *c);
    if (!c) return uw__no_memory(err, path, sizeof *c);
    c->fd = -1;
    c->next_line = 1;
    c->path = strdup(path);
    if (!c->path)
        s = uw__no_memory(err, path, strlen(path) + 1);
    else
        s = uw__file_open(path, &c->fd, &c->size, err);
    if (!s) s = read_header(c, err);
    if (s)
        uw__csv_close(c);
    else
        *out = c;
    return s;
}

void uw__csv_close(uw_csv *csv) {
    if (!csv) return;
    if (csv->fd >= 0) close(csv->fd);
    free(csv->path);
    free(csv->names);
    free(csv->header);
    free(csv->line);
    free(csv->cells);
    free(csv->quoted);
    free(csv);
}

int32_t uw__csv_columns(const uw_csv *csv) {
    return csv->columns;
}

const char *uw__csv_name(const uw_csv *csv, int32_t i) {
    return csv->names[i];
}

int64_t uw__csv_line(const uw_csv *csv) {
    return csv->record_line;
}

const char *uw__csv_text(const uw_csv *csv, int32_t i) {
    return csv->line + csv->cells[i];
}

static bool parse_cell(const char *text, double *value) {
    if (!text[0] || !strcasecmp(text, "na")) {
        *value = (double)NAN;
        return true;
    }
    if (!strcasecmp(text, "true") || !strcasecmp(text, "false")) {
        *value = text[0] == 't' || text[0] == 'T';
        return true;
    }
    return uw__parse_f64(text, value);
}

uw_status uw__csv_next(uw_csv *csv, double *row, bool *end, uw_err *err) {
    bool last;
    const uw_status s = next_record(csv, &last, err);
    if (s) return s;
    if (!last && csv->num_cells != csv->columns) {
        return uw__refuse(err, UW_EFORMAT, csv->path, "wrong_cells", FIX_LINE,
                          "line %lld: wanted %d cells, got %d", (long long)csv->record_line,
                          csv->columns, csv->num_cells);
    }
    for (int32_t i = 0; i < csv->columns && !last; i++) {
        const char *text = csv->line + csv->cells[i];
        if (parse_cell(text, &row[i])) continue;
        return uw__refuse(err, UW_EFORMAT, csv->path, "bad_number", FIX_LINE,
                          "line %lld, column %.40s: wanted a number, got %.30s",
                          (long long)csv->record_line, csv->names[i],
                          uw__utf8_clean(text, false) ? text : "binary");
    }
    *end = last;
    return UW_OK;
}
