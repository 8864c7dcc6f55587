/* Text of the report: escaping, base64 by RFC 4648, numbers that no locale can break. */
#include "check.h"

#include <locale.h>
#include <math.h>

#include "text.h"

static void same(uw_text *t, const char *want) {
    assert_false(t->failed);
    assert_string_equal(t->data ? t->data : "", want);
    uw__text_fini(t);
}

static void test_escape(void **state) {
    (void)state;
    uw_text t = {0};
    uw__text_escape(&t, "<script>alert('1 & \"2\"')</script>");
    same(&t, "&lt;script&gt;alert(&#39;1 &amp; &quot;2&quot;&#39;)&lt;/script&gt;");
    uw__text_escape(&t, "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x99\x82");
    same(&t, "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x99\x82");
    uw__text_escape(&t, NULL);
    same(&t, "");
}

static void test_what_xml_forbids_is_replaced(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\x01",         "\x1B",         "\x80",         "\xC0\xAF", "\xE0\x80\x80",
        "\xED\xA0\x80", "\xF5\x80\x80", "\xEF\xBF\xBF", "\xC3",     "\xE2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uw_text t = {0};
        uw__text_escape(&t, bad[i]);
        assert_non_null(t.data);
        assert_memory_equal(t.data, "\xEF\xBF\xBD", 3);
        assert_int_equal(t.size % 3, 0); /* nothing but replacements */
        uw__text_fini(&t);
    }
}

static void test_base64_by_rfc4648(void **state) {
    (void)state;
    static const char *const pair[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"},
                                          {"\xFB\xFF\xFE", "+//+"}};
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        uw_text t = {0};
        uw__text_base64(&t, pair[i][0], strlen(pair[i][0]));
        same(&t, pair[i][1]);
    }
}

static void check_fixed(double v, int decimals, const char *want) {
    uw_text t = {0};
    uw__text_fixed(&t, v, decimals);
    same(&t, want);
}

static void check_number(double v, int digits, const char *want) {
    uw_text t = {0};
    uw__text_number(&t, v, digits);
    same(&t, want);
}

static void test_numbers(void **state) {
    (void)state;
    check_fixed(1.50, 2, "1.5");
    check_fixed(-0.004, 2, "0");
    check_fixed(-0.006, 2, "-0.01");
    check_fixed(2.0, 3, "2");
    check_fixed(0.999, 2, "1");
    check_fixed(NAN, 2, "\xE2\x80\x93");
    check_fixed(INFINITY, 2, "\xE2\x80\x93");
    check_number(0.0, 3, "0");
    check_number(0.034, 3, "0.034");
    check_number(0.0012345, 3, "0.00123");
    check_number(45.64, 3, "45.6");
    check_number(999.6, 3, "1000");
    check_number(30600.0, 3,
                 "30\xE2\x80\xAF"
                 "600");
    check_number(1.2345e-7, 3, "1.23e-7");
    check_number(9.999e-7, 3, "1e-6");
    check_number(-2.5e12, 3, "-2.5e12");
    check_number(NAN, 3, "\xE2\x80\x93");
    check_number(1.7e308, 3, "1.7e308");
    check_number(4.9e-324, 3, "4.94e-324");
}

static void test_percents_and_counts(void **state) {
    (void)state;
    uw_text t = {0};
    uw__text_percent(&t, 0.985);
    same(&t, "98.5\xC2\xA0%");
    uw__text_percent(&t, 0.98);
    same(&t, "98.0\xC2\xA0%");
    uw__text_percent(&t, 1.0);
    same(&t, "100\xC2\xA0%");
    uw__text_percent(&t, NAN);
    same(&t, "\xE2\x80\x93");
    uw__text_count(&t, -1234567);
    same(&t, "-1\xE2\x80\xAF"
             "234\xE2\x80\xAF"
             "567");
    uw__text_exact(&t, 0.5, 3);
    same(&t, "0.500");
}

/* A host that set a locale with decimal commas must not get broken drawings. */
static void test_locale_does_not_matter(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < 3 && !set; i++) set = setlocale(LC_ALL, names[i]);
    check_fixed(3.25, 2, "3.25");
    check_number(1.25e-6, 3, "1.25e-6");
    check_number(1234567.0, 3,
                 "1\xE2\x80\xAF"
                 "234\xE2\x80\xAF"
                 "567");
    setlocale(LC_ALL, "C");
    if (!set) print_message("no locale with decimal commas here: checked in C only\n");
}

static void test_growth(void **state) {
    (void)state;
    uw_text t = {0};
    for (int i = 0; i < 20000; i++) uw__text_printf(&t, "%d;", i % 10);
    assert_int_equal(t.size, 40000);
    assert_memory_equal(t.data + 39996, "8;9;", 5);
    uw__text_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_what_xml_forbids_is_replaced),
        cmocka_unit_test(test_base64_by_rfc4648),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_percents_and_counts),
        cmocka_unit_test(test_locale_does_not_matter),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
