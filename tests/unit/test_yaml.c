/* The flat subset of YAML: pairs in order with their lines, and nothing else. */
#include "check.h"
#include "fileio.h"
#include "tempdir.h"
#include "yaml.h"

typedef struct seen {
    char text[500];
    int stop_at; /* 0: never */
    int count;
} seen;

static uw_status note(void *arg, const char *key, const char *value, int32_t line, uw_err *err) {
    seen *s = arg;
    const size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%d:%s=%s|", line, key, value);
    if (++s->count == s->stop_at) return uw_fail(err, UW_EINVAL, "stopped");
    return UW_OK;
}

static uw_status read_text(const char *text, size_t size, seen *s, uw_err *err) {
    const char *path = tempdir_file("case.yaml");
    memset(err, 0, sizeof *err);
    CHECK_OK(uw__file_write_atomic(path, text, size, true, err), err);
    return uw__yaml_flat(path, note, s, err);
}

#if defined(UW_YAML)
static void check_pairs(const char *text, const char *want) {
    seen s = {0};
    uw_err err;
    CHECK_OK(read_text(text, strlen(text), &s, &err), &err);
    assert_string_equal(s.text, want);
}

static void check_refused(const char *text, size_t size, const char *reason, const char *where) {
    seen s = {0};
    uw_err err;
    const uw_status got = read_text(text, size, &s, &err);
    if (got != UW_EFORMAT) fail_msg("%s: got %d: %s", text, got, err.text);
    if (!strstr(err.text, reason)) fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
    if (!strstr(err.text, where)) fail_msg("\"%s\" does not say \"%s\"", err.text, where);
    assert_true(err.fix[0]);
}

static void test_pairs(void **state) {
    (void)state;
    check_pairs("", "");
    check_pairs("# nothing\n", "");
    check_pairs("---\n", "");
    check_pairs("a: 1\nb: two words\n\n# c\nc: \"x\\ty\"\nd: 'it''s'\ne:\n",
                "1:a=1|2:b=two words|5:c=x\ty|6:d=it's|7:e=|");
    check_pairs("---\na: 0x10\nb: ~\nc: yes\n...\n", "2:a=0x10|3:b=~|4:c=yes|"); /* never a type */
    check_pairs("{a: 1, b: 2}\n", "1:a=1|1:b=2|");
    check_pairs("a: |\n  two\n  lines\n", "1:a=two\nlines\n|");
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text, *reason, *where;
    } bad[] = {
        {"a: 1\nb: [1, 2]\n", "not_flat", "line 2"}, {"a:\n  b: 1\n", "not_flat", "line 2"},
        {"- a\n- b\n", "not_flat", "line 1"},        {"just text\n", "not_flat", "line 1"},
        {"a: &x 1\n", "not_flat", "anchor"},         {"a: 1\nb: *a\n", "not_flat", "alias"},
        {"a: !!int 1\n", "not_flat", "tag"},         {"!x\na: 1\n", "not_flat", "tag"},
        {"? [1]\n: 2\n", "not_flat", "line 1"},      {"a: 1\na: 2\n", "duplicate_key", "line 2"},
        {"a: 1\n---\nb: 2\n", "not_flat", "line 2"}, {"a: \"open\n", "bad_yaml", "line"},
        {"a: 1\n\tb: 2\n", "bad_yaml", "line 2"},    {"a: \"x\\0y\"\n", "unsafe_name", "line 1"},
        {"\"\\n\": 1\n", "unsafe_name", "key"},      {"\"\": 1\n", "unsafe_name", "key"},
        {"a: \xff\n", "bad_yaml", "line"},           {"<<: {a: 1}\n", "not_flat", "line 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_refused(bad[i].text, strlen(bad[i].text), bad[i].reason, bad[i].where);
    }
    enum { BIG = 1 << 20 };
    char *text = malloc(BIG + 1);
    assert_non_null(text);
    memset(text, '[', BIG + 1);
    check_refused(text, BIG + 1, "too_large", "");
    check_refused(text, BIG, "not_flat", "line 1"); /* a million brackets: refused at the first */
    size_t n = 0;
    for (int i = 0; i < 1001; i++) n += (size_t)sprintf(text + n, "k%d: 1\n", i);
    check_refused(text, n, "too_large", "line 1001");
    free(text);
}

static void test_callback(void **state) {
    (void)state;
    seen s = {.stop_at = 2};
    uw_err err;
    assert_int_equal(read_text("a: 1\nb: 2\nc: 3\n", 15, &s, &err), UW_EINVAL);
    assert_string_equal(err.text, "stopped");
    assert_string_equal(s.text, "1:a=1|2:b=2|");
    assert_int_equal(uw__yaml_flat(tempdir_file("none"), note, &s, &err), UW_ENOTFOUND);
}
#endif

static void test_left_out(void **state) {
    (void)state;
    seen s = {0};
    uw_err err;
    const uw_status got = read_text("a: 1\n", 5, &s, &err);
#if defined(UW_YAML)
    assert_int_equal(got, UW_OK);
#else
    assert_int_equal(got, UW_EUNSUPPORTED);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if defined(UW_YAML)
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_callback),
#endif
        cmocka_unit_test(test_left_out),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
