/* A certificate of a model on a recording: which rows and columns it takes, what it leaves out and
 * says so. */
#include "check.h"

#include <math.h>

#include <umwelt/certify.h>
#include <umwelt/dataset.h>

#include "model_internal.h"
#include "rng.h"
#include "tempdir.h"

enum { EPISODES = 30, ROWS = 60 };

static uw_context *ctx;
static uw_certificate *c;

static int setup(void **state) {
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    c = calloc(1, sizeof *c);
    return uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err);
}

static int teardown(void **state) {
    uw_context_free(ctx);
    free(c);
    return tempdir_teardown(state);
}

static uw_column column(const char *name, int64_t n) {
    uw_column col = {.dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {n}};
    snprintf(col.name, sizeof col.name, "%s", name);
    return col;
}

/* x = what is seen of z; z_1 is flat, z_2 mostly missing, load a sensor that is no state; a gap in
 * x every 20 rows. */
static const char *record(void) {
    const char *path = tempdir_file("plant.uw");
    uw_err err = {0};
    uw_recorder *rec = NULL;
    const uw_column columns[] = {column("x", 2), column("z", 2), column("z_1", 1), column("z_2", 1),
                                 column("load", 1)};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    CHECK_OK(uw_recorder_open(path, columns, 5, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(11), UW_STREAM_TEST, 0);
    for (int e = 0; e < EPISODES; e++) {
        float z[2] = {uw__rng_normal(&r), uw__rng_normal(&r)};
        for (int t = 0; t < ROWS; t++) {
            const float x[2] = {t % 20 == 7 ? NAN : z[0] + z[1], z[0] - z[1]};
            const float flat = 2.0f, missing = t % 3 ? NAN : z[0], load = uw__rng_normal(&r);
            const void *cells[] = {x, z, &flat, &missing, &load};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            for (int i = 0; i < 2; i++) z[i] = 0.6f * z[i] + 0.8f * uw__rng_normal(&r);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    return path;
}

static uw_model *linear_model(const char *observe, int32_t observe_dim) {
    const uw_model_config config = {.input = UW_INPUT_COLUMNS,
                                    .observe_dim = observe_dim,
                                    .frameskip = 1,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_MLP,
                                    .latent_dim = 2,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = 16};
    uw_err err = {0};
    uw_net net;
    uw_model *model = NULL;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *numbers = calloc(net.num_params + net.num_buffers, sizeof *numbers);
    uw__net_randomise(&net, 5, numbers, numbers + net.num_params);
    const uw_provenance from = {.observe = observe, .env = "", .action_repeat = 1};
    CHECK_OK(uw__model_new(&config, numbers, numbers + net.num_params, NULL, &from, &model, &err),
             &err);
    free(numbers);
    uw__net_fini(&net);
    return model;
}

static void test_defaults(void **state) {
    (void)state;
    const char *path = record();
    uw_err err = {0};
    uw_model *model = linear_model("x", 2);
    CHECK_OK(uw_certify_run(ctx, model, path, NULL, c, &err), &err);
    /* a linear code of the truth is read perfectly, whatever its covariance */
    CHECK_NEAR(c->scores.r2, 1.0, 1e-4);
    assert_string_equal(c->labels, "z[0], z[1]");
    assert_non_null(strstr(c->excluded, "z_1: constant"));
    assert_non_null(strstr(c->excluded, "z_2: missing in most rows"));
    assert_null(strstr(c->excluded, "load"));
    assert_int_equal(c->true_dim, 2);
    assert_int_equal(c->dropped_rows, EPISODES * 3);
    assert_int_equal(c->rows, EPISODES * (ROWS - 3));
    assert_int_equal(c->episodes, EPISODES);
    assert_true(strlen(c->dataset_hash) == 16 && strlen(c->model_hash) == 64);
    assert_int_equal(c->checks[12].num_measures, 0); /* no actions */
    uw_model_unload(model);
}

static void test_choices(void **state) {
    (void)state;
    const char *path = record();
    uw_err err = {0};
    uw_model *model = linear_model("x", 2);
    CHECK_OK(uw_certify_run(ctx, model, path, &(uw_certify_options){.state = "none"}, c, &err),
             &err);
    assert_true(isnan(c->scores.r2) && !*c->labels && c->true_dim == 0);
    CHECK_OK(uw_certify_run(ctx, model, path, &(uw_certify_options){.state = "z[1],load"}, c, &err),
             &err);
    assert_string_equal(c->labels, "z[1], load");
    assert_true(c->scores.r2_worst < 0.1 && c->scores.r2 > 0.45); /* load is not in x */
    CHECK_OK(uw_certify_run(ctx, model, path, &(uw_certify_options){.max_rows = 600}, c, &err),
             &err);
    assert_int_equal(c->episodes, 10);
    assert_int_equal(c->verdict == UW_CERTIFIED, false);
    CHECK_OK(uw_certify_run(ctx, model, path, &(uw_certify_options){.stride = 2}, c, &err), &err);
    CHECK_NEAR(c->rho_true, 0.36, 0.08);
    uw_model_unload(model);
}

static void test_refusals(void **state) {
    (void)state;
    const char *path = record();
    uw_err err = {0};
    uw_model *model = linear_model("x", 2), *other = linear_model("y", 2),
             *wide = linear_model("x,load", 2);
    const struct {
        const uw_model *model;
        const char *state, *says;
        uw_status status;
    } cases[] = {{model, "zz", "zz: no such column", UW_ENOTFOUND},
                 {model, "z[2]", "z: number 2", UW_ESHAPE},
                 {model, "z[x]", "wanted COLUMN or COLUMN[NUMBER]", UW_EINVAL},
                 {other, NULL, "y: wanted this column", UW_ESHAPE},
                 {wide, NULL, "wanted 2, got 3", UW_ESHAPE}};
    memset(c, 7, sizeof *c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uw_certify_options o = {.state = cases[i].state};
        const uw_status s = uw_certify_run(ctx, cases[i].model, path, &o, c, &err);
        if (s != cases[i].status) fail_msg("case %zu: %d: %s", i, (int)s, err.text);
        if (!strstr(err.text, cases[i].says)) fail_msg("%s lacks %s", err.text, cases[i].says);
    }
    assert_int_equal(uw_certify_run(ctx, model, tempdir_file("none.uw"), NULL, c, &err),
                     UW_ENOTFOUND);
    for (size_t i = 0; i < sizeof *c; i++) assert_int_equal(((const unsigned char *)c)[i], 7);
    uw_model_unload(model);
    uw_model_unload(other);
    uw_model_unload(wide);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_choices),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
