/* How the cells of a CSV file make columns, and what the file's own comment lines say about them.
 */
#ifndef UW_CSV_SCHEMA_H
#define UW_CSV_SCHEMA_H

#include <umwelt/dataset.h>

struct uw_csv;
struct uw_json;

typedef struct uw__csv_schema {
    const char *name; /* of the file, for messages */
    uw_column columns[UW_MAX_COLUMNS];
    int32_t first_cell[UW_MAX_COLUMNS]; /* where a column's numbers begin in a row */
    int32_t cells[UW_MAX_COLUMNS];      /* how many there are */
    int32_t num_columns;
    int32_t episode_cell; /* -1: the file is one episode */
    int32_t num_cells;    /* of a row */
    int64_t num_episodes; /* declared, so that empty ones are not lost; -1: not declared */
    struct uw_json *json; /* the recording's facts, or NULL; owned */
    bool declared;        /* columns come from comment lines, not from the numbers */
    double row_seconds;   /* from a time column with an even rhythm, else 0 */
    int32_t time_cell;    /* the clock of a file that declares nothing; -1: it has none */
    double time_step;     /* its usual step: more than UW__CSV_GAP of them is a gap */
} uw__csv_schema;

#define UW__CSV_GAP 1.5

/* Find the columns of a file: by its `# umwelt` comment lines, else from names and numbers, for
 * which it is read once.  Own: out, uw__csv_schema_free. */
uw_status uw__csv_schema_read(const char *path, uw__csv_schema *out, uw_err *err);
void uw__csv_schema_free(uw__csv_schema *schema);

/* Name of number i of a column: "state[1][0]", "reward" for a scalar. text: [128] */
void uw__csv_cell_name(const uw_column *column, int64_t i, char *text);

/* Parse a whole number, all 64 bits of it; false for other text. */
bool uw__csv_whole(const char *text, int64_t *value);

/* First words of the comment lines. */
#define UW__CSV_DATASET "# umwelt dataset "
#define UW__CSV_COLUMN  "# umwelt column "

#endif
