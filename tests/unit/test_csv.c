/* CSV: quoting, comments, line ends, missing values, and a line and a column in every refusal. */
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "csv.h"
#include "fileio.h"
#include "tempdir.h"

static uw_status open_text(const char *text, size_t size, uw_csv **out, uw_err *err) {
    const char *path = tempdir_file("case.csv");
    memset(err, 0, sizeof *err);
    CHECK_OK(uw__file_write_atomic(path, text, size, true, err), err);
    return uw__csv_open(path, out, err);
}

/* Read all rows; the values as one list. */
static uw_status read_all(const char *text, size_t size, double *values, int *rows, uw_err *err) {
    uw_csv *c = NULL;
    bool end = false;
    *rows = 0;
    uw_status s = open_text(text, size, &c, err);
    if (s) return s;
    for (;;) {
        s = uw__csv_next(c, values, &end, err);
        if (s || end) break;
        values += uw__csv_columns(c);
        ++*rows;
    }
    uw__csv_close(c);
    return s;
}

static void check_refused(const char *text, size_t size, const char *reason, const char *where) {
    static double values[1000];
    int rows;
    uw_err err;
    const uw_status s = read_all(text, size, values, &rows, &err);
    if (s != UW_EFORMAT) fail_msg("%s: got %d, wanted %s: %s", text, s, reason, err.text);
    if (!strstr(err.text, reason)) fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
    if (!strstr(err.text, where)) fail_msg("\"%s\" does not say \"%s\"", err.text, where);
    assert_true(err.fix[0]);
}

static void check_rows(const char *text, const double *want, int count, int rows) {
    double got[64];
    int n;
    uw_err err;
    CHECK_OK(read_all(text, strlen(text), got, &n, &err), &err);
    if (n != rows) fail_msg("%s: %d rows, wanted %d", text, n, rows);
    for (int i = 0; i < count; i++) {
        if (isnan(want[i]) ? !isnan(got[i]) : got[i] != want[i]) {
            fail_msg("%s: value %d is %g, wanted %g", text, i, got[i], want[i]);
        }
    }
}

static void test_rows(void **state) {
    (void)state;
    static const double v[] = {1, 2, 3, 4}, m[] = {NAN, 1, NAN, NAN, NAN, NAN};
    check_rows("a,b\n1,2\n3,4\n", v, 4, 2);
    check_rows("a,b\n1,2\n3,4", v, 4, 2);
    check_rows("a,b\r\n1,2\r\n3,4\r\n", v, 4, 2);
    check_rows("a,b\r\n1,2\r\n3,4\r", v, 4, 2);
    check_rows("\xef\xbb\xbf"
               "a,b\n1,2\n3,4\n",
               v, 4, 2);
    check_rows("# c\n\na,b\n#x,\"y\n1,2\n\r\n\n3,4\n\n#end", v, 4, 2);
    check_rows("a\tb\n1\t2\n3\t4\n", v, 4, 2);
    check_rows("a;b\n1;2\n3;4\n", v, 4, 2);
    check_rows(" a , b \n 1 ,\t2\n3 , 4 \n", v, 4, 2);
    check_rows("\"a\",\"b\"\n\"1\",\"2\"\n\"3\" ,4\n", v, 4, 2);
    check_rows("x\n1\n2\n3\n4\n", v, 4, 4);
    check_rows("a,b,c\n,1,NA\nnan,,NaN\n", m, 6, 2);
    check_rows("a,b\n", v, 0, 0);
    static const double t[] = {1, 0, 1, -0.5, 1e300, HUGE_VAL};
    check_rows("a,b,c\ntrue,False,TRUE\n-.5,1E+300,inf\n", t, 6, 2);
}

static void test_names_and_lines(void **state) {
    (void)state;
    uw_csv *c = NULL;
    uw_err err;
    bool end;
    double row[3];
    const char text[] = "#\n\"a, \"\"b\"\"\",\"two\nlines?\",c\n1,2,3\n";
    assert_int_equal(open_text(text, sizeof text - 1, &c, &err),
                     UW_EFORMAT); /* newline in a name */
    const char good[] = "#\n\"a, \"\"b\"\"\",x\xc3\xa9,c\n1,\"2\n\",3\n\n4,5,6\n";
    CHECK_OK(open_text(good, sizeof good - 1, &c, &err), &err);
    assert_int_equal(uw__csv_columns(c), 3);
    assert_string_equal(uw__csv_name(c, 0), "a, \"b\"");
    assert_string_equal(uw__csv_name(c, 1), "x\xc3\xa9");
    assert_int_equal(uw__csv_next(c, row, &end, &err), UW_EFORMAT); /* "2\n" is no number */
    CHECK_OK(uw__csv_next(c, row, &end, &err), &err);
    assert_int_equal(uw__csv_line(c), 6); /* the quoted line feed counts */
    assert_true(row[2] == 6);
    CHECK_OK(uw__csv_next(c, row, &end, &err), &err);
    assert_true(end);
    uw__csv_close(c);
    uw__csv_close(NULL);
}

static void test_refusals(void **state) {
    (void)state;
    check_refused("", 0, "no_header", "empty");
    check_refused("# only\n", 7, "no_header", "empty");
    check_refused("1,2\n3,4\n", 8, "no_header", "line 1");
    check_refused("a,\n1,2\n", 7, "unnamed_column", "column 2");
    check_refused("a,b,a\n", 6, "duplicate_column", "a twice");
    check_refused("a,\xff\n", 5, "unsafe_name", "column 2");
    check_refused("a,b\n1\n", 6, "wrong_cells", "line 2: wanted 2 cells, got 1");
    check_refused("a,b\n1,2,3\n", 10, "wrong_cells", "got 3");
    check_refused("a,b\n\n1,x y\n", 11, "bad_number", "line 3, column b: wanted a number, got x y");
    check_refused("a,b\n1,0x10\n", 11, "bad_number", "0x10");
    check_refused("a,b\n1,1.5.2\n", 12, "bad_number", "1.5.2");
    check_refused("a,b\n1,\x1b[2J\n", 11, "bad_number", "binary");
    check_refused("a,b\n1,\"2\n", 9, "open_quote", "line 2");
    check_refused("a,b\n1,\"2\"3\n", 11, "bad_quote", "line 2");
    check_refused("a,b\n1,\0\n", 8, "binary", "line 2");
    check_refused("a,b\n\"\0\",1\n", 10, "binary", "line 2");
    check_refused("a,b\n\r1,2\n", 9, "bad_line_end", "line 2");

    enum { BIG = 3 << 20 };
    char *text = malloc(BIG);
    assert_non_null(text);
    memset(text, 'x', BIG);
    check_refused(text, BIG, "too_long", "line 1");
    memset(text, ',', BIG);
    check_refused(text, BIG, "too_many_columns", "line 1");
    memset(text, '\n', BIG);
    check_refused(text, BIG, "no_header", "empty");
    free(text);
    uw_csv *c = (uw_csv *)1;
    uw_err err;
    assert_int_equal(uw__csv_open(tempdir_file("none"), &c, &err), UW_ENOTFOUND);
    assert_null(c);
}

/* Longer than the read-ahead, so that every state crosses a refill. */
static void test_long_file(void **state) {
    (void)state;
    enum { ROWS = 20000 };
    char *text = malloc(ROWS * 40);
    double *values = malloc(ROWS * 3 * sizeof *values);
    uw_err err;
    int rows;
    assert_true(text && values);
    size_t n = (size_t)sprintf(text, "i,\"q\",x\r\n");
    for (int i = 0; i < ROWS; i++) {
        n += (size_t)sprintf(text + n, "%d,\"%d\",%.17g\r\n", i, -i, i / 7.0);
    }
    CHECK_OK(read_all(text, n, values, &rows, &err), &err);
    assert_int_equal(rows, ROWS);
    for (int i = 0; i < ROWS; i++) {
        assert_true(values[3 * i] == i && values[3 * i + 1] == -i && values[3 * i + 2] == i / 7.0);
    }
    free(text);
    free(values);
}

static void test_numbers(void **state) {
    (void)state;
    char text[64];
    double back;
    uint64_t bits = 88172645463325252u; /* xorshift over all bit patterns */
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double d;
        float f;
        const uint32_t low = (uint32_t)bits;
        memcpy(&d, &bits, sizeof d);
        memcpy(&f, &low, sizeof f);
        if (isnan(d) || isnan(f)) continue;
        assert_true(uw__format_f64(text, sizeof text, d) == (int)strlen(text));
        assert_true(uw__parse_f64(text, &back));
        assert_memory_equal(&back, &d, sizeof d);
        uw__format_f32(text, sizeof text, f);
        assert_true(uw__parse_f64(text, &back));
        const float narrow = (float)back;
        assert_memory_equal(&narrow, &f, sizeof f);
    }
    assert_int_equal(uw__format_f64(text, sizeof text, NAN), 0);
    assert_string_equal(text, "");
    static const char *const bad[] = {"",    " ",    "1 ",  " 1",  "+",     ".",
                                      "e1",  "1e",   "1e+", "--1", "1,5",   "0x1",
                                      "1_0", "nano", "in",  "1f",  "nan(1)"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (uw__parse_f64(bad[i], &back)) fail_msg("\"%s\" is no number", bad[i]);
    }
    assert_true(uw__parse_f64("-Infinity", &back) && back == -HUGE_VAL);
    assert_true(uw__parse_f64("+NaN", &back) && isnan(back));
    assert_true(uw__parse_f64("007.", &back) && back == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_names_and_lines),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_long_file),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
