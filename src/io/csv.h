/* CSV (RFC 4180 with # comments): header required, locale-independent numbers, empty/NA/NaN =
 * missing. */
#ifndef UW_CSV_H
#define UW_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef struct uw_csv uw_csv; /* a reader that streams rows */

uw_status uw__csv_open(const char *path, uw_csv **out, uw_err *err);
void uw__csv_close(uw_csv *csv);
int32_t uw__csv_columns(const uw_csv *csv);
const char *uw__csv_name(const uw_csv *csv, int32_t i);
/* Read the next row's numbers into row [columns]; *end = true at the end of the file. A cell that
 * is not a number is UW_EFORMAT with line and column name; `true`/`false` read as 1/0. */
uw_status uw__csv_next(uw_csv *csv, double *row, bool *end, uw_err *err);
int64_t uw__csv_line(const uw_csv *csv);
/* Text of cell i of the row that uw__csv_next read last, unquoted: for integers beyond 2^53.
 * Borrowed until the next call. */
const char *uw__csv_text(const uw_csv *csv, int32_t i);

/* Format a number so that it reads back exactly: float with %.9g, double with %.17g; NaN = "". */
int uw__format_f32(char *text, size_t size, float value);
int uw__format_f64(char *text, size_t size, double value);
/* Parse a number without locale; false when text is not exactly one number. */
bool uw__parse_f64(const char *text, double *value);

#endif
