/* LeWM at its published size, 18,034,478 numbers in 303 tensors from a closed formula, against the
 * reference: forward and training; with the argument `encode`, the encoder of inference; with `plan`,
 * rollouts and their gradients.  Large stages are compared by norm, mean, spread and samples. */
#include "lewm_encoder.h"
#include "lewm_formula.h"

static lewm model;
static char salt[256]; /* put before every name that is hashed */
static int frame0;     /* number of the first frame */

static const char *const files[] = {"lewm_full/eval", "lewm_full/plan", "lewm_full/train"};

static size_t frame_bytes(void) {
    const size_t side = (size_t)model.net.config.image_size;
    return side * side * 3;
}

/* Frame f, whole numbers only. */
static void draw_frame(uint8_t *pixels, int f) {
    const int side = model.net.config.image_size;
    const int cx = 40 + 24 * (f % 7), cy = 170 - 18 * (f % 7), radius = 18 + 2 * f;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const bool inside = (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius;
            for (int c = 0; c < 3; c++) {
                const int plain =
                    x * (2 + c) + y * (3 - c) + 41 * f + 64 * (((x >> 4) + (y >> 5) * f) & 1);
                *pixels++ = (uint8_t)((inside ? 90 + 40 * c + 25 * f : plain) & 255);
            }
        }
    }
}

/* Take sizes and names from whichever file of the recording is there: windows and frames from the
 * training file's shapes, else one window of history + 1 frames. */
static lewm_meta read_meta(size_t *windows, size_t *frames) {
    lewm_meta meta = {0};
    for (int i = 0; i < 3; i++) {
        if (!golden_exists(files[i])) continue;
        golden g = golden_open(files[i]);
        const char *prefix = uw__safetensors_meta(g.file, "salt");
        const char *first = uw__safetensors_meta(g.file, "frame0");
        assert_true(!prefix || strlen(prefix) < sizeof salt);
        snprintf(salt, sizeof salt, "%s", prefix ? prefix : "");
        frame0 = first ? (int)strtol(first, NULL, 10) : 0;
        meta = lewm_meta_of(&g);
        *frames = (size_t)meta.model.history_size + 1;
        *windows = 2;
        if (i == 2) {
            *windows = golden_axis(&g, "pred", 0);
            *frames = golden_axis(&g, "pred", 1) + 1;
        }
        golden_close(&g);
    }
    return meta;
}

static int setup(void **state) {
    size_t windows = 0, frames = 0;
    (void)state;
    const lewm_meta meta = read_meta(&windows, &frames);
    if (!windows) return 0;
    model = lewm_new(&meta, windows, frames);
    formula_numbers(salt, &model.net, model.params, model.buffers);
    uint8_t *frame = malloc(frame_bytes());
    for (size_t f = 0; f < windows * frames; f++) {
        draw_frame(frame, frame0 + (int)f);
        uw__net_prepare(&model.e, &model.net, NULL, frame, 1, model.x + f * frame_bytes());
    }
    free(frame);
    formula_fill(model.a, windows * frames * (size_t)model.net.action_block, salt, "actions", 1.5);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (model.ctx) lewm_free(&model);
    return 0;
}

/* The generator's own check values: what follows compares nothing if these are off. */
static void test_formula(void **state) {
    (void)state;
    if (!model.ctx) skip();
    if (model.net.config.vit_dim == 192 && model.net.config.action_dim == 10) {
        assert_int_equal(model.net.num_tensors, 303);
        assert_int_equal(model.net.num_params, 18034478);
    }
    const uint64_t qkv = formula_stream("", "predictor.transformer.layers.0.attn.to_qkv.weight");
    CHECK_NEAR((float)(0.125 * formula_draw(qkv, 0)), -0.0288461596, 1e-10);
    CHECK_NEAR((float)(0.125 * formula_draw(qkv, 1)), -0.00859205425, 1e-11);
    if (model.net.config.image_size != 224) return;
    uint8_t *frame = malloc(frame_bytes());
    uint64_t sums[2] = {0};
    for (int i = 0; i < 2; i++) {
        draw_frame(frame, 3 * i);
        for (size_t k = 0; k < frame_bytes(); k++) sums[i] += frame[k];
    }
    free(frame);
    assert_int_equal(sums[0], 19326522);
    assert_int_equal(sums[1], 19144022);
}

/* A number of a summary.  floor: under the table's tolerance, whose row of one number is one fp32
 * run's luck (the errors of a tensor's elements may cancel in its norm and in its mean). */
static void check_value(golden *g, const char *name, const char *what, double value, double floor) {
    char full[160];
    snprintf(full, sizeof full, "%s.%s", name, what);
    const double want = *(const double *)golden_tensor(g, full).data;
    const double tolerance = fmax(golden_tolerance(g, full), floor);
    if (!(fabs(value - want) <= tolerance))
        fail_msg("%s = %.9g, wanted %.9g within %.2g", full, value, want, tolerance);
    golden_note(g, full, fabs(value - want) / tolerance);
}

/* Norm, mean, spread and samples of n values.  relative: what the elements' errors may be together,
 * as a fraction of the norm. */
static void check_summary(golden *g, const char *name, const float *x, size_t n, double relative) {
    char full[160];
    double sum = 0.0, squares = 0.0, spread = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) spread += ((double)x[i] - mean) * ((double)x[i] - mean);
    /* an error of this norm moves mean and spread by at most this */
    const double floor = relative * sqrt(squares / (double)n);
    check_value(g, name, "l2", sqrt(squares), relative * sqrt(squares));
    check_value(g, name, "mean", mean, floor);
    check_value(g, name, "std", sqrt(spread / (double)n), floor);
    snprintf(full, sizeof full, "%s.samples", name);
    const size_t count = golden_axis(g, full, 0);
    float *samples = calloc(count + 1, sizeof *samples);
    for (uint64_t j = 0; j < count; j++) samples[j] = x[(j * 2654435761u + 1013904223u) % n];
    golden_check(g, full, 0, samples, count);
    free(samples);
}

/* What the recording's description asks of fp32: activations and statistics to eight steps of
 * rounding, gradients to 1e-5 of their norm. */
static const double FORWARD = 0x1p-20, GRADIENT = 1e-5;

/* Inference on the first window. */
static void test_eval(void **state) {
    golden_need(files[0]);
    golden g = golden_open(files[0]);
    const uw_model_config *cfg = &model.net.config;
    const size_t d = (size_t)cfg->latent_dim, side = (size_t)(cfg->image_size / cfg->vit_patch);
    const size_t patches = side * side, rows = model.frames, windows = model.windows;
    char name[32];
    (void)state;

    model.windows = 1;
    lewm_forward(&model, false);
    model.windows = windows;
    check_summary(&g, "patch_embed", model.encode->vit.patches, rows * patches * d, FORWARD);
    check_summary(&g, "embed", model.encode->vit.embedded, rows * (patches + 1) * d, FORWARD);
    for (int i = 0; i + 1 < cfg->vit_layers; i++) { /* of the last one, CLS alone is computed */
        snprintf(name, sizeof name, "layer%d", i);
        check_summary(&g, name, model.encode->vit.layer[i].next, rows * (patches + 1) * d, FORWARD);
    }
    golden_check(&g, "cls", 0, model.encode->f, rows * d);
    golden_check(&g, "z", 0, model.z, rows * d);
    golden_check(&g, "c", 0, model.c, rows * d);
    for (int i = 0; i < cfg->predictor_layers; i++) {
        snprintf(name, sizeof name, "block%d", i);
        golden_check(&g, name, 0, model.predict->adaln.block[i].next, (rows - 1) * d);
    }
    golden_check(&g, "pred", 0, model.predict->raw, (rows - 1) * d);
    golden_check(&g, "pred_z", 0, model.pred_z, (rows - 1) * d);
    golden_close(&g);
}

/* The encoder of inference on the first window. */
static void test_encode(void **state) {
    golden_need(files[0]);
    golden g = golden_open(files[0]);
    uint8_t *pixels = malloc(model.frames * frame_bytes());
    (void)state;
    for (size_t f = 0; f < model.frames; f++)
        draw_frame(pixels + f * frame_bytes(), frame0 + (int)f);
    lewm_check_encoder(&model, &g, pixels);
    free(pixels);
    golden_close(&g);
}

/* The goal is the last frame of the last window. */
static void test_plan(void **state) {
    golden_need(files[1]);
    golden g = golden_open(files[1]);
    const size_t frames = (size_t)model.net.config.history_size;
    const uw_tensor shape = golden_tensor(&g, "h1.grad"); /* as the candidates */
    const size_t count = (size_t)uw_tensor_count(&shape);
    uint8_t *pixels = malloc((frames + 1) * frame_bytes());
    float *plans = calloc(count, sizeof *plans);
    (void)state;
    for (size_t f = 0; f < frames; f++) draw_frame(pixels + f * frame_bytes(), frame0 + (int)f);
    uint8_t *goal = pixels + frames * frame_bytes();
    draw_frame(goal, frame0 + (int)(model.windows * model.frames) - 1);
    formula_fill(plans, count, salt, "plans", 1.5);
    const lewm_plan plan = {.frames = pixels, .goal = goal, .past = model.a, .plans = plans};
    lewm_check_plans(&model, &g, &plan);
    free(pixels);
    free(plans);
    golden_close(&g);
}

/* All windows with batch statistics, and the gradient of every tensor. */
static void test_train(void **state) {
    golden_need(files[2]);
    golden g = golden_open(files[2]);
    const size_t d = (size_t)model.net.config.latent_dim;
    const size_t rows = model.windows * model.frames, predicted = rows - model.windows;
    float *directions = malloc(d * model.directions * sizeof *directions);
    char name[160];
    (void)state;

    formula_fill(directions, d * model.directions, salt, "sigreg.directions", 1.0);
    lewm_directions(&model, directions);
    free(directions);
    lewm_forward(&model, true);
    lewm_losses(&model);
    lewm_backward(&model);
    const float losses[] = {(float)model.loss, (float)model.pred_loss, (float)model.sigreg_loss};
    golden_check(&g, "loss", 0, &losses[0], 1);
    golden_check(&g, "pred_loss", 0, &losses[1], 1);
    golden_check(&g, "sigreg_loss", 0, &losses[2], 1);
    golden_check(&g, "z", 0, model.z, rows * d);
    golden_check(&g, "pred", 0, model.predict->raw, predicted * d);
    golden_check(&g, "pred_z", 0, model.pred_z, predicted * d);
    for (int32_t i = 0; i < model.net.num_tensors; i++) {
        const uw_net_tensor *t = &model.net.tensors[i];
        if (t->counter) continue;
        snprintf(name, sizeof name, "%s.%s", t->buffer ? "after" : "grad", t->name);
        check_summary(&g, name, t->buffer ? lewm_numbers(&model, t) : model.grads + t->offset,
                      t->count, t->buffer ? FORWARD : GRADIENT);
    }
    golden_close(&g);
}

int main(int argc, char **argv) {
    const struct CMUnitTest model_tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_eval),
        cmocka_unit_test(test_train),
    };
    const struct CMUnitTest encode_tests[] = {cmocka_unit_test(test_formula),
                                              cmocka_unit_test(test_encode)};
    const struct CMUnitTest plan_tests[] = {cmocka_unit_test(test_formula),
                                            cmocka_unit_test(test_plan)};
    if (argc > 1 && !strcmp(argv[1], "plan"))
        return golden_exit(cmocka_run_group_tests_name("plan", plan_tests, setup, teardown));
    if (argc > 1 && !strcmp(argv[1], "encode"))
        return golden_exit(cmocka_run_group_tests_name("encode", encode_tests, setup, teardown));
    return golden_exit(cmocka_run_group_tests_name("model", model_tests, setup, teardown));
}
