/* Training curves, read back from a run's log.csv by column name. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "fileio.h"

enum { COLUMNS = 7, MAX_ROWS = 2000, MAX_FILE_COLUMNS = 256 };

static const char *const column_name[COLUMNS] = {
    "step", "loss", "prediction_loss", "rollout_loss", "sigreg", "sigreg_null", "effective_rank"};

/* Rows of the file so far, growing; every second one is dropped when MAX_ROWS are full. */
typedef struct rows {
    double cell[MAX_ROWS][COLUMNS];
    int32_t n;
    int64_t every, seen;
} rows;

static void keep_row(rows *r, const double *cells) {
    if (r->seen++ % r->every) return;
    if (r->n == MAX_ROWS) {
        for (int32_t i = 0; i < MAX_ROWS / 2; i++)
            memcpy(r->cell[i], r->cell[2 * i], sizeof r->cell[i]);
        r->n = MAX_ROWS / 2;
        r->every *= 2;
        if ((r->seen - 1) % r->every) return;
    }
    memcpy(r->cell[r->n++], cells, sizeof r->cell[0]);
}

static uw_status read_rows(uw_csv *csv, rows *r, uw_err *err) {
    int32_t at[COLUMNS];
    const int32_t columns = uw__csv_columns(csv);
    if (columns > MAX_FILE_COLUMNS) return UW_OK; /* not a log of ours: no curves */
    for (int32_t c = 0; c < COLUMNS; c++) {
        at[c] = -1;
        for (int32_t i = 0; i < columns; i++)
            if (!strcmp(uw__csv_name(csv, i), column_name[c])) at[c] = i;
    }
    if (at[0] < 0) return UW_OK;
    for (;;) {
        double row[MAX_FILE_COLUMNS], cells[COLUMNS];
        bool end = false;
        const uw_status s = uw__csv_next(csv, row, &end, err);
        if (s || end) return s;
        for (int32_t c = 0; c < COLUMNS; c++) cells[c] = at[c] < 0 ? NAN : row[at[c]];
        keep_row(r, cells);
    }
}

uw_status uw__curves_read(const char *run_dir, uw_curves *out, uw_err *err) {
    *out = (uw_curves){0};
    char path[1024];
    if (!run_dir || snprintf(path, sizeof path, "%s/log.csv", run_dir) >= (int)sizeof path)
        return UW_OK;
    if (!uw__file_exists(path)) return UW_OK;
    uw_csv *csv = NULL;
    uw_curves c = {0};
    rows *r = calloc(1, sizeof *r);
    uw_status s = r ? uw__csv_open(path, &csv, err) : uw_fail(err, UW_ENOMEM, "%s: rows", path);
    if (s) goto done;
    r->every = 1;
    s = read_rows(csv, r, err);
    if (s || !r->n) goto done;
    const size_t n = (size_t)r->n;
    c.n = r->n;
    c.table = malloc(COLUMNS * n * sizeof *c.table);
    if (!c.table) {
        s = uw_fail(err, UW_ENOMEM, "%s: rows", path);
        goto done;
    }
    double **const column[COLUMNS] = {&c.step,   &c.loss,        &c.prediction, &c.rollout,
                                      &c.sigreg, &c.sigreg_null, &c.rank};
    for (size_t k = 0; k < COLUMNS; k++) {
        *column[k] = c.table + k * n;
        for (size_t i = 0; i < n; i++) (*column[k])[i] = r->cell[i][k];
    }
    *out = c;
done:
    uw__csv_close(csv);
    free(r);
    return s;
}

void uw__curves_fini(uw_curves *curves) {
    free(curves->table);
    *curves = (uw_curves){0};
}
