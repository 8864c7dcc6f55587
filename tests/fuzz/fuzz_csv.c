/* CSV: what is accepted is written with all digits and read as the same names and numbers. */
#include <math.h>
#include <string.h>

#include "csv.h"
#include "json_text.h"
#include "mutate.h"

/* A cell in quotes, quotes doubled. */
static void put_cell(uw_text *t, const char *s) {
    uw__text_put(t, "\"", 1);
    for (; *s; s++) uw__text_put(t, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    uw__text_put(t, "\"", 1);
}

/* All rows of a file, as text of ours; refused: false. */
static bool rewrite(const char *path, uw_text *out, uw_err *why) {
    uw_csv *c = NULL;
    bool end = false;
    uw_status s = uw__csv_open(path, &c, why);
    FUZZ_REQUIRE(!s == !!c, "a reader without success, or the reverse");
    if (s) return false;
    const int32_t n = uw__csv_columns(c);
    double *row = malloc((size_t)n * sizeof *row);
    FUZZ_REQUIRE(row && n > 0, "columns");
    for (int32_t i = 0; i < n; i++) {
        if (i) uw__text_str(out, ",");
        put_cell(out, uw__csv_name(c, i));
    }
    while (!(s = uw__csv_next(c, row, &end, why)) && !end) {
        for (int32_t i = 0; i < n; i++) {
            char number[40];
            uw__format_f64(number, sizeof number, row[i]);
            uw__text_str(out, i ? "," : "\n");
            /* a line with nothing on it would be skipped */
            uw__text_str(out, number[0] || n > 1 ? number : "NA");
        }
    }
    uw__text_str(out, "\n");
    free(row);
    uw__csv_close(c);
    return !s;
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_text first = {0}, second = {0};
    const bool accepted = rewrite(fuzz_file(0, data, size), &first, why);
    if (accepted) {
        FUZZ_REQUIRE(rewrite(fuzz_file(1, first.at, first.size), &second, why), why->text);
        FUZZ_REQUIRE(first.size == second.size && !memcmp(first.at, second.at, first.size),
                     "numbers or names changed");
    }
    free(first.at);
    free(second.at);
    return accepted;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const char *const texts[] = {
        "a\n1\n", "# made by hand\na,\"b, \"\"c\"\"\",d\r\n1,-2.5e3,\r\n\"4\",NA,inf\r\n",
        "t\tx\ty\n0.1\ttrue\t-0\n0.2\tnan\t1e-300\n", "\xef\xbb\xbf\x61;b\n1;2\n\n#\n3;4"};
    return i < 4 && fuzz_copy(texts[i], strlen(texts[i]), data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    fuzz_text((const char *)data, size, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "csv",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 3000,
                                            .least_reasons = 10};
