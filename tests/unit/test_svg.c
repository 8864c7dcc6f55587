/* The plot library: well-formed for any numbers and names, and exact where a golden drawing says
 * so. */
#include "check.h"

#include <math.h>

#include "../report/wellformed.h"
#include "svg.h"

static const char hostile[] = "</title><script>alert(1)</script> & \"quoted\" \x01 \xFF";

static void check_drawing(uw_text *t, int at_least) {
    char why[160];
    int elements = 0;
    assert_false(t->failed);
    assert_non_null(t->data);
    if (!well_formed(t->data, &elements, why)) fail_msg("%s", why);
    if (elements < at_least) fail_msg("%d elements, wanted at least %d", elements, at_least);
    assert_null(strstr(t->data, "<script"));
    assert_null(strstr(t->data, "nan"));
    assert_null(strstr(t->data, "inf"));
    uw__text_fini(t);
}

static void test_scales_are_round(void **state) {
    (void)state;
    const double x[3] = {0, 5, 10}, y[3] = {0.0, 0.7, 1.0};
    const uw_svg_series s = {.name = NULL, .colour = 0, .x = x, .y = y, .n = 3};
    const uw_line_chart c = {.title = "t", .series = &s, .num_series = 1};
    uw_text t = {0};
    uw__svg_lines(&t, &c, UW_SVG_PAGE);
    /* the ends of the data are the ends of the frame: x 54 .. 426, y 228 .. 8 */
    assert_non_null(strstr(t.data, "d=\"M54 228L240 74L426 8\""));
    for (int i = 0; i <= 5; i++) { /* ticks 0, 0.2 .. 1 */
        char label[32];
        snprintf(label, sizeof label,
                 i == 0   ? ">0</text>"
                 : i == 5 ? ">1</text>"
                          : ">0.%d</text>",
                 2 * i);
        assert_non_null(strstr(t.data, label));
    }
    check_drawing(&t, 10);
}

static void test_golden_interval(void **state) {
    (void)state;
    const uw_interval_row row = {.label = "a<b", .of = {{0.5, 0.25, 0.75}}};
    const uw_interval_chart c = {
        .title = "t", .num_series = 1, .rows = &row, .num_rows = 1, .reference = NAN};
    uw_text t = {0};
    uw__svg_intervals(&t, &c, UW_SVG_PAGE);
    assert_non_null(strstr(t.data, "<text x=\"4\" y=\"14\"><tspan>a&lt;b</tspan></text>"));
    /* the track runs from 4 to 252: 25 % is at 66, 50 % at 128, 75 % at 190 */
    assert_non_null(strstr(t.data, "<line class=\"tr\" x1=\"4\" y1=\"28\" x2=\"252\" y2=\"28\"/>"));
    assert_non_null(
        strstr(t.data, "<line class=\"l iv c0\" x1=\"66\" y1=\"28\" x2=\"190\" y2=\"28\"/>"));
    assert_non_null(strstr(t.data, "<circle class=\"f c0 halo\" r=\"5\" cx=\"128\" cy=\"28\"/>"));
    assert_non_null(strstr(t.data, ">50.0\xC2\xA0%  [25.0, 75.0]</text>"));
    check_drawing(&t, 12);
}

static void test_not_finite_points_break_the_line(void **state) {
    (void)state;
    const double x[5] = {1, 2, 3, 4, 5}, y[5] = {1, 10, NAN, 100, -3};
    const uw_svg_series s = {.colour = 1, .x = x, .y = y, .n = 5, .markers = true};
    const uw_line_chart c = {.title = "t", .y = {.log = true}, .series = &s, .num_series = 1};
    uw_text t = {0};
    uw__svg_lines(&t, &c, UW_SVG_PAGE);
    const char *path = strstr(t.data, " d=\"");
    assert_non_null(path);
    int moves = 0, circles = 0;
    for (const char *p = path + 4; *p != '"'; p++) moves += *p == 'M';
    for (const char *p = t.data; (p = strstr(p, "<circle")); p++) circles++;
    assert_int_equal(moves, 2);   /* one before the gap, one after */
    assert_int_equal(circles, 3); /* a negative value has no place on a log axis */
    check_drawing(&t, 10);
}

static void test_any_numbers_are_well_formed(void **state) {
    (void)state;
    static const double nasty[][4] = {{0, 0, 0, 0},          {NAN, NAN, NAN, NAN},
                                      {1e300, -1e300, 0, 1}, {1e-300, 2e-300, 1, 2},
                                      {-5, -5, -5, -5},      {INFINITY, 1, 2, -INFINITY},
                                      {1, 1 + 1e-15, 1, 1},  {5e-324, 1e308, 1, 1}};
    for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        for (int log = 0; log < 2; log++) {
            for (int dress = 0; dress < 2; dress++) {
                const uw_svg_series s = {.name = hostile,
                                     .colour = 7,
                                     .x = nasty[i],
                                     .y = nasty[i],
                                     .n = 4,
                                     .markers = true,
                                     .dashed = true};
                const uw_line_chart c = {
                    .title = hostile,
                    .x = {.label = hostile, .log = log == 1},
                    .y = {.label = hostile, .log = log == 1, .from_zero = true},
                    .series = &s,
                    .num_series = 1};
                uw_text t = {0};
                uw__svg_lines(&t, &c, (uw_svg_dress)dress);
                check_drawing(&t, 4);
            }
        }
        uw_bar_group g = {.label = hostile};
        memcpy(g.value, nasty[i], sizeof nasty[i]);
        const uw_bar_chart b = {.title = hostile,
                                .names = {hostile, NULL, "b"},
                                .num_bars = 4,
                                .num_groups = 1,
                                .groups = &g};
        uw_text t = {0};
        uw__svg_bars(&t, &b, UW_SVG_FILE);
        check_drawing(&t, 4);
    }
}

static void test_nothing_is_well_formed(void **state) {
    (void)state;
    const uw_line_chart lines = {.title = "nothing"};
    const uw_bar_chart bars = {.title = "nothing"};
    const uw_interval_chart intervals = {.title = "nothing", .num_series = 1, .reference = 0.5};
    const uw_map_chart map = {.title = "nothing"};
    uw_text t = {0};
    uw__svg_lines(&t, &lines, UW_SVG_FILE);
    check_drawing(&t, 2);
    uw__svg_bars(&t, &bars, UW_SVG_FILE);
    check_drawing(&t, 2);
    uw__svg_intervals(&t, &intervals, UW_SVG_FILE);
    check_drawing(&t, 2);
    uw__svg_map(&t, &map, UW_SVG_FILE);
    check_drawing(&t, 2);
}

static void test_map_keeps_shape(void **state) {
    (void)state;
    const double x[3] = {0, 2, 1}, y[3] = {0, 0, 1}, value[3] = {0, 1, 2};
    const uw_map_chart c = {.title = "t", .x = x, .y = y, .value = value, .n = 3};
    uw_text t = {0};
    uw__svg_map(&t, &c, UW_SVG_PAGE);
    /* 308 units over 2: half as high as wide; ends of viridis at the ends of the values */
    assert_non_null(strstr(t.data, "cx=\"38\" cy=\"241\" fill=\"#440154\""));
    assert_non_null(strstr(t.data, "cx=\"346\" cy=\"241\" fill=\"#26828e\""));
    assert_non_null(strstr(t.data, "cx=\"192\" cy=\"87\" fill=\"#fde725\""));
    check_drawing(&t, 10);
}

/* A file carries its own colours; a drawing of the page has none and follows the page's. */
static void test_dresses(void **state) {
    (void)state;
    const double x[2] = {0, 1};
    const uw_svg_series s = {.x = x, .y = x, .n = 2};
    const uw_line_chart c = {.title = "t", .series = &s, .num_series = 1};
    uw_text page = {0}, file = {0};
    uw__svg_lines(&page, &c, UW_SVG_PAGE);
    uw__svg_lines(&file, &c, UW_SVG_FILE);
    assert_null(strstr(page.data, "<style>"));
    assert_null(strstr(page.data, "#0072b2"));
    assert_non_null(strstr(file.data, "<style>"));
    assert_non_null(strstr(file.data, "#0072b2"));
    assert_null(strstr(file.data, "var(--"));
    check_drawing(&page, 5);
    check_drawing(&file, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scales_are_round),
        cmocka_unit_test(test_golden_interval),
        cmocka_unit_test(test_not_finite_points_break_the_line),
        cmocka_unit_test(test_any_numbers_are_well_formed),
        cmocka_unit_test(test_nothing_is_well_formed),
        cmocka_unit_test(test_map_keeps_shape),
        cmocka_unit_test(test_dresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
