/* Flat JSON: every number reads back, order is kept, what is not flat is refused with its reason.
 */
#include <locale.h>
#include <math.h>

#include "check.h"
#include "json.h"

static void check_refused(const char *text, const char *word) {
    uw_json *j = (uw_json *)1;
    uw_err err = {0};
    const uw_status s = uw__json_parse("case", text, &j, &err);
    if (s != UW_EFORMAT) fail_msg("%.200s: got %d: %s", text, s, err.text);
    if (!strstr(err.text, word)) fail_msg("\"%s\" does not say \"%s\"", err.text, word);
    assert_true(err.fix[0]);
    assert_null(j);
}

static void test_round_trip(void **state) {
    (void)state;
    static const double numbers[] = {0.0,  -0.0,       0.1, -1e300, 5e-324,   1.0 / 3,
                                     1e16, 1234567890, -42, NAN,    HUGE_VAL, -HUGE_VAL};
    enum { N = sizeof numbers / sizeof numbers[0] };
    uw_json *j = uw__json_new(), *k = NULL;
    uw_err err = {0};
    uw__json_set_i64(j, "replaced", 7);
    uw__json_set_f64s(j, "numbers", numbers, N);
    uw__json_set_f64s(j, "none", NULL, 0);
    uw__json_set_i64(j, "low", INT64_MIN);
    uw__json_set_i64(j, "high", INT64_MAX);
    uw__json_set_bool(j, "yes", true);
    uw__json_set_bool(j, "no", false);
    uw__json_set_str(j, "text", "a\"b\\c\n\x01 \xc3\xa9");
    uw__json_set_str(j, "latin", "caf\xe9");
    uw__json_set_str(j, "replaced", "new");
    char name[16];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "n%d", i);
        uw__json_set_f64(j, name, numbers[i]);
    }
    char *text = uw__json_dump(j);
    assert_non_null(text);
    CHECK_OK(uw__json_parse("case", text, &k, &err), &err);
    assert_int_equal(uw__json_count(k), 9 + N);
    for (int i = 0; i < 9 + N; i++) assert_string_equal(uw__json_key(j, i), uw__json_key(k, i));
    double got[N], one;
    assert_int_equal(uw__json_get_f64s(k, "numbers", got, N), N);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_true(uw__json_get_f64(k, name, &one));
        if (isnan(numbers[i])) {
            assert_true(isnan(one) && isnan(got[i]));
        } else {
            assert_memory_equal(&one, &numbers[i], sizeof one);
            assert_memory_equal(&got[i], &numbers[i], sizeof one);
        }
    }
    assert_int_equal(uw__json_get_f64s(k, "numbers", got, 2), N);
    assert_int_equal(uw__json_get_f64s(k, "none", NULL, 0), 0);
    int64_t v;
    bool b;
    assert_true(uw__json_get_i64(k, "low", &v) && v == INT64_MIN);
    assert_true(uw__json_get_i64(k, "high", &v) && v == INT64_MAX);
    assert_true(uw__json_get_bool(k, "yes", &b) && b);
    assert_true(uw__json_get_bool(k, "no", &b) && !b);
    assert_string_equal(uw__json_get_str(k, "text"), "a\"b\\c\n\x01 \xc3\xa9");
    assert_string_equal(uw__json_get_str(k, "latin"), "caf?");
    assert_string_equal(uw__json_get_str(k, "replaced"), "new");
    assert_string_equal(uw__json_key(k, 0), "replaced");
    char *again = uw__json_dump(k);
    assert_string_equal(again, text);
    free(again);
    free(text);
    uw__json_free(j);
    uw__json_free(k);
}

static void test_kinds(void **state) {
    (void)state;
    uw_json *j = NULL;
    uw_err err = {0};
    double f;
    int64_t i;
    bool b;
    CHECK_OK(uw__json_parse("case",
                            " {\"i\" : 3, \"f\":3.0,\"e\":1e2,\"big\":9223372036854775808, "
                            "\"s\":\"x\",\"t\":true,\"a\":[ 1 , \"NaN\" , 2.5 ]}\n",
                            &j, &err),
             &err);
    assert_true(uw__json_get_i64(j, "i", &i) && i == 3);
    assert_true(uw__json_get_f64(j, "i", &f) && f == 3);
    assert_false(uw__json_get_i64(j, "f", &i));
    assert_true(uw__json_get_f64(j, "e", &f) && f == 100);
    assert_false(uw__json_get_i64(j, "big", &i));
    assert_true(uw__json_get_f64(j, "big", &f) && f == 9223372036854775808.0);
    assert_false(uw__json_get_f64(j, "s", &f));
    assert_false(uw__json_get_f64(j, "t", &f));
    assert_false(uw__json_get_bool(j, "i", &b));
    assert_null(uw__json_get_str(j, "i"));
    assert_null(uw__json_get_str(j, "absent"));
    assert_false(uw__json_get_f64(j, "absent", &f));
    assert_int_equal(uw__json_get_f64s(j, "i", &f, 1), -1);
    assert_int_equal(uw__json_get_f64s(j, "a", NULL, 0), 3);
    uw__json_free(j);
    CHECK_OK(uw__json_parse("case", "{}", &j, &err), &err);
    assert_int_equal(uw__json_count(j), 0);
    uw__json_free(j);
    uw__json_free(NULL);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "[]",
                                      "1",
                                      "{",
                                      "{}x",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\":01}",
                                      "{\"a\":+1}",
                                      "{\"a\":1.}",
                                      "{\"a\":.5}",
                                      "{\"a\":1e}",
                                      "{\"a\":-}",
                                      "{\"a\":0x1}",
                                      "{\"a\":nan}",
                                      "{\"a\":1e999}",
                                      "{\"a\":tru}",
                                      "{\"a\":trueish}",
                                      "{\"a\":[1}",
                                      "{\"a\":[1,]}",
                                      "{\"a\":\"\xff\"}",
                                      "{'a':1}",
                                      "{a:1}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const bool list = !strcmp(bad[i], "{\"a\":[1,]}") || !strcmp(bad[i], "{\"a\":nan}");
        check_refused(bad[i], list ? "not_flat" : "bad_json");
    }
    check_refused("{\"a\":{}}", "not_flat");
    check_refused("{\"a\":null}", "not_flat");
    check_refused("{\"a\":[[1]]}", "not_flat");
    check_refused("{\"a\":[true]}", "not_flat");
    check_refused("{\"a\":[\"x\"]}", "not_flat");
    check_refused("{\"a\":1,\"\\u0061\":2}", "duplicate_key");
    check_refused("{\"a\\u0000\":1}", "unsafe_name");
    check_refused("{\"a\":\"\\u0000\"}", "unsafe_name");

    enum { BIG = 5 << 20 };
    char *text = malloc(BIG + 1);
    assert_non_null(text);
    memset(text, ' ', BIG);
    text[BIG] = '\0';
    check_refused(text, "too_large");
    memset(text, '[', BIG);
    memcpy(text, "{\"a\":", 5);
    text[3 << 20] = '\0';
    check_refused(text, "not_flat"); /* three million brackets: refused at the second */
    size_t n = 1;
    text[0] = '{';
    for (int i = 0; i < 5000; i++) n += (size_t)sprintf(text + n, "%s\"k%d\":0", i ? "," : "", i);
    strcpy(text + n, "}");
    check_refused(text, "too_large"); /* keys */
    free(text);
}

/* A decimal comma in the user's language must not reach the files. */
static void test_locale(void **state) {
    (void)state;
    const char *found = NULL;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "sv_SE.UTF-8"};
    for (int i = 0; i < 4 && !found; i++) found = setlocale(LC_ALL, names[i]);
    if (!found) skip();
    uw_json *j = uw__json_new();
    uw__json_set_f64(j, "x", 0.5);
    char *text = uw__json_dump(j);
    assert_string_equal(text, "{\"x\":0.5}");
    free(text);
    uw__json_free(j);
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
