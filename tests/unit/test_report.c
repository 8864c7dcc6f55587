/* The whole report: complete, well formed, safe against hostile names, published atomically; and
 * the animation. */
#include "check.h"

#include <math.h>
#include <sys/stat.h>

#include "../report/synthetic.h"
#include "../report/wellformed.h"

#include <umwelt/dataset.h>

#include "report_internal.h"

static char folder[] = "/tmp/uw_report_XXXXXX";
static uw_context *ctx;

static int setup(void **state) {
    (void)state;
    uw_err err = {0};
    if (!mkdtemp(folder) || synthetic_log(folder)) return -1;
    return uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err);
}

static int teardown(void **state) {
    (void)state;
    char command[64];
    uw_context_free(ctx);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *in_folder(const char *name) {
    static char path[2][256];
    static int turn;
    turn = 1 - turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static char *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: cannot open", path);
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    rewind(f);
    char *text = malloc((size_t)n + 1);
    assert_int_equal(fread(text, 1, (size_t)n, f), n);
    text[n] = '\0';
    fclose(f);
    if (size) *size = (size_t)n;
    return text;
}

/* Nothing that a browser would fetch: every URL is data:, an anchor of the page, or a name space.
 */
static void check_self_contained(const char *html) {
    static const char *const forbidden[] = {"src=\"http", "src=\"/", "href=\"http", "href=\"/",
                                            "url(",       "@import", "<script",     "<iframe",
                                            "<object",    "srcset"};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (strstr(html, forbidden[i])) fail_msg("the page holds %s", forbidden[i]);
}

static void check_page(const char *path, const char *const *must_hold) {
    char why[160];
    char *html = read_file(path, NULL);
    if (!well_formed(html, NULL, why)) fail_msg("%s: %s", path, why);
    check_self_contained(html);
    for (; *must_hold; must_hold++)
        if (!strstr(html, *must_hold)) fail_msg("%s: does not say %s", path, *must_hold);
    free(html);
}

static void test_full_page(void **state) {
    (void)state;
    static synthetic s;
    uw_err err = {0};
    CHECK_OK(synthetic_make(&s, 1, "TwoRoom", folder, NULL, &err), &err);
    synthetic_trust(&s);
    const char *path = in_folder("full.html");
    CHECK_OK(uw_report_write(ctx, &s.inputs, path, NULL, false, &err), &err);
    static const char *const want[] = {
        "98.5\xC2\xA0%",
        "of 200 episodes reached the goal",
        "true-dynamics",
        "id=\"robustness\"",
        "id=\"care\"",
        "It missed 3 of 200 goals; all 3 of the misses had start and goal in different rooms",
        "seen in training",
        "id=\"map\"",
        "id=\"training\"",
        "0.9991",
        "id=\"speed\"",
        "31.2\xC2\xA0ms",
        "width=device-width",
        "0123456789abcdef",
        "umwelt demo --compare",
        "1.12 TFLOP in 20.4 s",
        "NOT COVERED BY THEORY",
        "a condition &lt;b&gt;",
        "no actions in this recording",
        "above 11.3",
        "<td class=\"low\">41 / 100</td>",
        "the model sees no pictures",
        "stuck sensors, flow[1]:",
        "goal_state[0]",
        "Agreement 0.91",
        "<li class=\"warn\">",
        NULL};
    check_page(path, want);
    synthetic_free(&s);
}

static void test_compared_page_warns_of_the_weak_side(void **state) {
    (void)state;
    static synthetic s;
    uw_err err = {0};
    CHECK_OK(synthetic_make(&s, 2, "TwoRoom", folder, NULL, &err), &err);
    const char *path = in_folder("compared.html");
    CHECK_OK(uw_report_write(ctx, &s.inputs, path, in_folder("figures"), false, &err), &err);
    static const char *const want[] = {"colour-robust", "plain",
                                       "Do not use it where the look changes",
                                       "floor colour (7.0\xC2\xA0%)", NULL};
    check_page(path, want);
    static const char *const files[] = {
        "success",    "losses-1", "losses-2",   "sigreg",  "rank",    "probes-2", "drift",
        "drift_unit", "spectrum", "robustness", "map_1-1", "map_2-1", "map_3-2"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64], why[160];
        snprintf(name, sizeof name, "figures/%s.svg", files[i]);
        char *svg = read_file(in_folder(name), NULL);
        if (!well_formed(svg, NULL, why)) fail_msg("%s: %s", name, why);
        free(svg);
        snprintf(name, sizeof name, "figures/%s.csv", files[i]);
        char *csv = read_file(in_folder(name), NULL);
        int commas = 0, here = 0;
        for (const char *p = csv; *p && *p != '\n'; p++) commas += *p == ',';
        for (const char *p = csv; *p; p++) {
            here += *p == ',';
            if (*p != '\n') continue;
            assert_int_equal(here, commas);
            here = 0;
        }
        assert_true(commas > 0);
        free(csv);
    }
    synthetic_free(&s);
}

static void test_only_a_model(void **state) {
    (void)state;
    uw_err err = {0};
    uw_model *model = NULL;
    CHECK_OK(synthetic_model(&model, &err), &err);
    const uw_report_inputs in = {.num_sides = 1, .sides = {{.model = model}}};
    const char *path = in_folder("model.html");
    CHECK_OK(uw_report_write(ctx, &in, path, NULL, false, &err), &err);
    static const char *const want[] = {"Success was not measured", "Robustness was not measured",
                                       NULL};
    check_page(path, want);
    uw_model_unload(model);
}

static void test_hostile_words(void **state) {
    (void)state;
    static const char bad[] =
        "</title></style><script src=\"http://x/\">\x02\xFF' \" & <img src=/x>";
    static synthetic s;
    uw_err err = {0};
    CHECK_OK(synthetic_make(&s, 2, bad, folder, NULL, &err), &err);
    s.inputs.command = bad;
    s.inputs.env = "no such world <b>";
    for (int i = 0; i < 2; i++) {
        s.inputs.sides[i].title = bad;
        snprintf(s.probe[i].probes[0].column, sizeof s.probe[i].probes[0].column, "%.60s", bad);
        snprintf(s.probe[i].probes[0].unit, sizeof s.probe[i].probes[0].unit, "<u>&");
        snprintf(s.card[i].cells[0].factor, sizeof s.card[i].cells[0].factor, "<i>\"");
        s.probe[i].probes[0].r2 = -3.0;
        s.probe[i].probes[0].shuffled_r2 = 0.5;
    }
    const char *path = in_folder("hostile.html");
    CHECK_OK(uw_report_write(ctx, &s.inputs, path, in_folder("hostile"), false, &err), &err);
    static const char *const want[] = {"&lt;/title&gt;", "reads time in the episode", NULL};
    check_page(path, want);
    synthetic_free(&s);
}

static void test_numbers_that_are_not(void **state) {
    (void)state;
    static synthetic s;
    uw_err err = {0};
    CHECK_OK(synthetic_make(&s, 1, "t", NULL, NULL, &err), &err);
    const double nan = strtod("nan", NULL);
    for (int i = 0; i < s.probe[0].num_drift; i++)
        s.probe[0].drift[i] = (uw_drift_row){
            .step = i + 1, .error = nan, .persistence = nan, .ratio = nan, .rmse = nan};
    for (int i = 0; i < 32; i++) s.probe[0].eigenvalues[i] = nan;
    s.probe[0].probes[0].r2 = s.probe[0].probes[0].r = s.probe[0].probes[1].mlp_r2 = nan;
    s.train[0].validation_loss = nan;
    s.eval[0].mean_steps = s.eval[0].plan_ms_max = nan;
    const char *path = in_folder("nan.html");
    CHECK_OK(uw_report_write(ctx, &s.inputs, path, NULL, false, &err), &err);
    static const char *const want[] = {"id=\"knowledge\"", NULL};
    check_page(path, want);
    char *html = read_file(path, NULL);
    assert_null(strstr(html, ">nan"));
    assert_null(strstr(html, "=\"nan"));
    free(html);
    synthetic_free(&s);
}

static void test_old_report_is_kept(void **state) {
    (void)state;
    static synthetic s;
    uw_err err = {0};
    size_t size = 0;
    CHECK_OK(synthetic_make(&s, 1, "one", NULL, NULL, &err), &err);
    const char *path = in_folder("kept.html");
    CHECK_OK(uw_report_write(ctx, &s.inputs, path, NULL, false, &err), &err);
    s.inputs.title = "renamed title";
    assert_int_equal(uw_report_write(ctx, &s.inputs, path, NULL, false, &err), UW_EEXIST);
    s.inputs.animation = "/nowhere.gif";
    assert_int_equal(uw_report_write(ctx, &s.inputs, path, NULL, true, &err), UW_ENOTFOUND);
    char *html = read_file(path, &size);
    assert_null(strstr(html, "renamed title"));
    free(html);
    s.inputs.num_sides = 3;
    assert_int_equal(uw_report_write(ctx, &s.inputs, path, NULL, true, &err), UW_EINVAL);
    synthetic_free(&s);
}

/* The same inputs give the same bytes, for any number of threads. */
static void test_deterministic(void **state) {
    (void)state;
    static synthetic s;
    uw_err err = {0};
    CHECK_OK(synthetic_make(&s, 2, "t", folder, NULL, &err), &err);
    char *first = NULL;
    size_t first_size = 0;
    for (int threads = 1; threads <= 3; threads++) {
        uw_context *mine = NULL;
        CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = threads}, &mine, &err), &err);
        const char *path = in_folder("same.html");
        CHECK_OK(uw_report_write(mine, &s.inputs, path, NULL, true, &err), &err);
        size_t size = 0;
        char *html = read_file(path, &size);
        if (first) {
            assert_int_equal(size, first_size);
            assert_memory_equal(html, first, size);
            free(html);
        } else {
            first = html;
            first_size = size;
        }
        uw_context_free(mine);
    }
    free(first);
    synthetic_free(&s);
}

static void test_projection(void **state) {
    (void)state;
    /* an ellipse, 3 to 1, turned into five dimensions */
    enum { N = 64, D = 5 };
    const double u[D] = {0.6, 0.0, 0.8, 0.0, 0.0}, v[D] = {0.0, -1.0, 0.0, 0.0, 0.0};
    float x[N * D];
    double pc1[N], pc2[N], share[2];
    for (int i = 0; i < N; i++) {
        const double a = 3.0 * cos(6.283185307179586 * i / N), b = sin(6.283185307179586 * i / N);
        for (int k = 0; k < D; k++) x[i * D + k] = (float)(7.0 + a * u[k] + b * v[k]);
    }
    assert_int_equal(uw__project(x, N, D, pc1, pc2, share), UW_OK);
    CHECK_NEAR(share[0], 0.9, 1e-6);
    CHECK_NEAR(share[1], 0.1, 1e-6);
    for (int i = 0; i < N; i++) {
        CHECK_NEAR(pc1[i], 3.0 * cos(6.283185307179586 * i / N), 1e-5);
        CHECK_NEAR(pc2[i], -sin(6.283185307179586 * i / N),
                   1e-5); /* largest weight made positive */
    }
}

static void test_curves(void **state) {
    (void)state;
    uw_err err = {0};
    uw_curves c;
    CHECK_OK(uw__curves_read(folder, &c, &err), &err);
    assert_int_equal(c.n, 100);
    CHECK_NEAR(c.step[0], 10, 0);
    CHECK_NEAR(c.step[99], 1000, 0);
    CHECK_NEAR(c.sigreg_null[5], 0.0041, 0);
    assert_true(isnan(c.rank[0]) && !isnan(c.rank[4]));
    uw__curves_fini(&c);
    CHECK_OK(uw__curves_read("/nowhere", &c, &err), &err);
    assert_int_equal(c.n, 0);
    /* a long log is thinned, evenly */
    assert_int_equal(mkdir(in_folder("long"), 0777), 0);
    FILE *f = fopen(in_folder("long/log.csv"), "w");
    fputs("step,loss\n", f);
    for (int i = 1; i <= 50000; i++) fprintf(f, "%d,1\n", i);
    fclose(f);
    CHECK_OK(uw__curves_read(in_folder("long"), &c, &err), &err);
    assert_true(c.n > 1000 && c.n <= 2000);
    for (int i = 1; i < c.n; i++) CHECK_NEAR(c.step[i] - c.step[i - 1], c.step[1] - c.step[0], 0);
    uw__curves_fini(&c);
}

/* ---- animation ------------------------------------------------------------------------------ */

enum { SIZE = 64 };

/* 30 frames of an agent crossing a room. */
static void record_walk(const char *path) {
    uw_err err = {0};
    uw_recorder *rec = NULL;
    uw_env *env = NULL;
    const uw_column columns[1] = {{.name = "pixels",
                                   .dtype = UW_DTYPE_U8,
                                   .num_dims = 3,
                                   .shape = {SIZE, SIZE, 3},
                                   .codec = UW_CODEC_RAW}};
    const uw_dataset_meta meta = {
        .env = "two_room", .policy = "", .variation = "", .action_repeat = 1};
    static uint8_t rgb[SIZE * SIZE * 3];
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    CHECK_OK(uw_recorder_open(path, columns, 1, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    for (int i = 0; i < 30; i++) {
        const double state[2] = {30.0 + 2.0 * i, 60.0};
        uw_env_draw(env, NULL, state, SIZE, rgb);
        CHECK_OK(uw_recorder_row(rec, (const void *[]){rgb}, &err), &err);
    }
    CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_env_free(env);
}

/* Count pictures of a GIF by its block structure; -1 when it is broken. */
static int gif_pictures(const unsigned char *g, size_t size, int *width, int *height) {
    if (size < 13 || memcmp(g, "GIF89a", 6)) return -1;
    *width = g[6] | g[7] << 8;
    *height = g[8] | g[9] << 8;
    size_t at = 13 + (g[10] & 0x80 ? 3u << ((g[10] & 7) + 1) : 0);
    int pictures = 0;
    while (at < size && g[at] != 0x3B) {
        if (g[at] == 0x21)
            at += 2;
        else if (g[at] == 0x2C) {
            if (at + 10 >= size) return -1;
            const unsigned flags = g[at + 9];
            at += 11 + (flags & 0x80 ? 3u << ((flags & 7) + 1) : 0);
            pictures++;
        } else
            return -1;
        while (at < size && g[at]) at += 1u + g[at];
        at++;
    }
    return at < size ? pictures : -1;
}

static void test_animation(void **state) {
    (void)state;
#if !defined(UW_GIF)
    skip(); /* this build has no GIF */
#endif
    uw_err err = {0};
    uw_model *model = NULL;
    CHECK_OK(synthetic_model(&model, &err), &err);
    record_walk(in_folder("walk.uw"));
    double states[2][21 * 2];
    float imagined[2][4 * 3 * 16] = {{0}};
    uw_trace traces[2] = {0};
    uw_episode episodes[2] = {0};
    double values[UW_MAX_FACTOR_VALUES];
    uw_env_default_values(uw_env_find("two_room"), values);
    for (int e = 0; e < 2; e++) {
        for (int i = 0; i < 21; i++) {
            states[e][2 * i] = 30.0 + 2.0 * i;
            states[e][2 * i + 1] = 60.0 + 40.0 * e;
        }
        traces[e] = (uw_trace){.num_states = e ? 11 : 21,
                               .states = states[e],
                               .num_decisions = e ? 2 : 4,
                               .horizon = 3,
                               .latent_dim = 16,
                               .imagined = imagined[e]};
        memcpy(traces[e].values, values, sizeof values);
        memcpy(traces[e].goal_values, values, sizeof values);
        episodes[e] = (uw_episode){.index = e, .success = e == 0, .task.goal = {70.0f, 60.0f}};
    }
    const uw_eval_result eval = {.action_repeat = 5,
                                 .num_episodes = 2,
                                 .episodes = episodes,
                                 .num_traces = 2,
                                 .traces = traces};
    const struct {
        const char *dataset;
        int panels;
    } kind[2] = {{in_folder("walk.uw"), 3}, {NULL, 2}};
    for (int k = 0; k < 2; k++) {
        const char *path = in_folder("walk.gif");
        CHECK_OK(uw_report_animation(ctx, model, "two_room", kind[k].dataset, &eval, 3, path, true,
                                     &err),
                 &err);
        size_t size = 0;
        int width = 0, height = 0;
        char *gif = read_file(path, &size);
        assert_int_equal(gif_pictures((const unsigned char *)gif, size, &width, &height), 21);
        assert_int_equal(width, 6 + kind[k].panels * (128 + 6));
        assert_int_equal(height, 6 + 2 * (128 + 6));
        free(gif);
    }
    const uw_eval_result none = {.num_episodes = 2, .episodes = episodes};
    assert_int_equal(
        uw_report_animation(ctx, model, "two_room", NULL, &none, 3, in_folder("x.gif"), true, &err),
        UW_EINVAL);
    assert_int_equal(
        uw_report_animation(ctx, model, "no_world", NULL, &eval, 3, in_folder("x.gif"), true, &err),
        UW_ENOTFOUND);
    assert_int_equal(uw_report_animation(ctx, model, "two_room", "/nowhere.uw", &eval, 3,
                                         in_folder("x.gif"), true, &err),
                     UW_ENOTFOUND);
    struct stat st;
    assert_int_not_equal(stat(in_folder("x.gif"), &st), 0);
    uw_model_unload(model);
}

static void test_png_round_trip(void **state) {
    (void)state;
#if !defined(UW_PNG)
    skip(); /* this build has no PNG */
#endif
    uint8_t rgb[5 * 3 * 3], *back = NULL;
    int32_t width = 0, height = 0;
    uw_err err = {0};
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(37 * i);
    CHECK_OK(uw_png_write(in_folder("p.png"), rgb, 5, 3, false, &err), &err);
    CHECK_OK(uw_png_read(in_folder("p.png"), &back, &width, &height, &err), &err);
    assert_int_equal(width, 5);
    assert_int_equal(height, 3);
    assert_memory_equal(back, rgb, sizeof rgb);
    uw_free(back);
    assert_int_equal(uw_png_write(in_folder("p.png"), rgb, 5, 3, false, &err), UW_EEXIST);
    assert_int_equal(uw_png_write(in_folder("q.png"), rgb, 0, 3, false, &err), UW_EINVAL);
    assert_int_equal(uw_png_read(in_folder("log.csv"), &back, &width, &height, &err), UW_EFORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_page),
        cmocka_unit_test(test_compared_page_warns_of_the_weak_side),
        cmocka_unit_test(test_only_a_model),
        cmocka_unit_test(test_hostile_words),
        cmocka_unit_test(test_numbers_that_are_not),
        cmocka_unit_test(test_old_report_is_kept),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_projection),
        cmocka_unit_test(test_curves),
        cmocka_unit_test(test_animation),
        cmocka_unit_test(test_png_round_trip),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
