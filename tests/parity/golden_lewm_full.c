/* LeWM at its published size, 18,034,478 numbers in 303 tensors from a closed formula, against the
 * reference: forward, planning and training.  Large stages are compared by norm, mean, spread and
 * samples. */
#include "lewm_golden.h"

static lewm model;

enum { WINDOWS = 2, FRAMES = 4, DIRECTIONS = 1024, SIDE = 224, ACTION = 10 };
enum { FRAME_BYTES = SIDE * SIDE * 3 };

/* In [-1, 1), a multiple of 2^-23: a hash of the name, then splitmix64. */
static double draw(const char *name, uint64_t i) {
    uint64_t h = 0xCBF29CE484222325u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    uint64_t x = h + (i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (double)((x ^ x >> 31) >> 40) / 8388608.0 - 1.0;
}

static bool ends_with(const char *name, const char *tail) {
    const size_t n = strlen(name), m = strlen(tail);
    return n >= m && !strcmp(name + n - m, tail);
}

/* Element value = offset + scale * draw; the first rule that fits. */
static void rule(const uw_net_tensor *t, double *offset, double *scale) {
    const double fan_in = t->num_dims ? (double)t->count / (double)t->shape[0] : 1.0;
    *offset = 0.0;
    if (ends_with(t->name, ".num_batches_tracked"))
        *offset = 1000.0, *scale = 0.0;
    else if (ends_with(t->name, ".running_var"))
        *offset = 1.0, *scale = 0.5;
    else if (ends_with(t->name, ".running_mean"))
        *scale = 0.2;
    else if (t->num_dims == 1 && ends_with(t->name, ".weight"))
        *offset = 1.0, *scale = 0.2;
    else if (t->num_dims == 1)
        *scale = 0.1;
    else if (ends_with(t->name, ".weight"))
        *scale = sqrt(3.0 / fan_in);
    else
        *scale = 0.5;
}

static void fill_numbers(void) {
    for (int32_t i = 0; i < model.net.num_tensors; i++) {
        const uw_net_tensor *t = &model.net.tensors[i];
        float *x = lewm_numbers(&model, t);
        double offset, scale;
        rule(t, &offset, &scale);
        for (size_t k = 0; k < t->count; k++) x[k] = (float)(offset + scale * draw(t->name, k));
    }
}

static void fill(float *x, size_t n, const char *name, double scale) {
    for (size_t i = 0; i < n; i++) x[i] = (float)(scale * draw(name, i));
}

/* Frame f, whole numbers only. */
static void draw_frame(uint8_t *pixels, int f) {
    const int cx = 40 + 24 * (f % 7), cy = 170 - 18 * (f % 7), radius = 18 + 2 * f;
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const bool inside = (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius;
            for (int c = 0; c < 3; c++) {
                const int plain =
                    x * (2 + c) + y * (3 - c) + 41 * f + 64 * (((x >> 4) + (y >> 5) * f) & 1);
                *pixels++ = (uint8_t)((inside ? 90 + 40 * c + 25 * f : plain) & 255);
            }
        }
    }
}

static int setup(void **state) {
    const lewm_sizes sizes = {.image = SIDE,
                              .patch = 14,
                              .hidden = 192,
                              .layers = 12,
                              .heads = 3,
                              .mlp = 768,
                              .proj = 2048,
                              .action = ACTION,
                              .depth = 6,
                              .pheads = 16,
                              .dim_head = 64,
                              .pmlp = 2048,
                              .history = 3};
    (void)state;
    model = lewm_new(&sizes, WINDOWS, FRAMES, DIRECTIONS);
    fill_numbers();
    uint8_t *frame = malloc(FRAME_BYTES);
    for (int f = 0; f < WINDOWS * FRAMES; f++) {
        draw_frame(frame, f);
        uw__net_prepare(&model.e, &model.net, frame, 1, model.x + (size_t)f * FRAME_BYTES);
    }
    free(frame);
    fill(model.a, WINDOWS * FRAMES * ACTION, "actions", 1.5);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lewm_free(&model);
    return 0;
}

/* The generator's own check values: what follows compares nothing if these are off. */
static void test_formula(void **state) {
    (void)state;
    assert_int_equal(model.net.num_tensors, 303);
    assert_int_equal(model.net.num_params, 18034478);
    const uw_net_tensor *qkv = &model.net.tensors[uw__net_find(
        &model.net, "predictor.transformer.layers.0.attn.to_qkv.weight")];
    const float *x = lewm_numbers(&model, qkv);
    CHECK_NEAR(x[0], -0.0288461596, 1e-10);
    CHECK_NEAR(x[1], -0.00859205425, 1e-11);
    CHECK_NEAR(x[qkv->count - 1], 0.112033725, 1e-9);
    uint8_t *frame = malloc(FRAME_BYTES);
    uint64_t sums[2] = {0};
    for (int i = 0; i < 2; i++) {
        draw_frame(frame, 3 * i);
        for (size_t k = 0; k < FRAME_BYTES; k++) sums[i] += frame[k];
    }
    free(frame);
    assert_int_equal(sums[0], 19326522);
    assert_int_equal(sums[1], 19144022);
}

/* relative: a floor under the table's tolerance.  The row of a gradient's norm is one run's luck
 * (errors of its elements may cancel), so those are asked for 1e-5 of the norm. */
static void check_value(golden *g, const char *name, const char *what, double value,
                        double relative) {
    char full[160];
    snprintf(full, sizeof full, "%s.%s", name, what);
    const double want = *(const double *)golden_tensor(g, full).data;
    const double tolerance = fmax(golden_tolerance(g, full), relative * fabs(want));
    if (!(fabs(value - want) <= tolerance))
        fail_msg("%s = %.9g, wanted %.9g within %.2g", full, value, want, tolerance);
}

/* Norm, mean, spread and samples of n values. */
static void check_summary(golden *g, const char *name, const float *x, size_t n, double relative) {
    char full[160];
    double sum = 0.0, squares = 0.0, spread = 0.0;
    float samples[64];
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) spread += ((double)x[i] - mean) * ((double)x[i] - mean);
    check_value(g, name, "l2", sqrt(squares), relative);
    check_value(g, name, "mean", mean, 0.0);
    check_value(g, name, "std", sqrt(spread / (double)n), relative);
    snprintf(full, sizeof full, "%s.samples", name);
    const uw_tensor want = golden_tensor(g, full);
    const size_t count = (size_t)uw_tensor_count(&want);
    assert_true(count >= 1 && count <= 64);
    for (uint64_t j = 0; j < count; j++) samples[j] = x[(j * 2654435761u + 1013904223u) % n];
    golden_check(g, full, 0, samples, count);
}

/* Inference on the first window. */
static void test_eval(void **state) {
    golden g = golden_open("lewm_full/eval");
    const size_t d = 192, patches = 256;
    char name[32];
    (void)state;

    model.windows = 1;
    lewm_forward(&model, false);
    model.windows = WINDOWS;
    check_summary(&g, "patch_embed", model.encode->vit.patches, FRAMES * patches * d, 0.0);
    check_summary(&g, "embed", model.encode->vit.embedded, FRAMES * (patches + 1) * d, 0.0);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "layer%d", i);
        check_summary(&g, name, model.encode->vit.layer[i].next, FRAMES * (patches + 1) * d, 0.0);
    }
    golden_check(&g, "cls", 0, model.encode->f, FRAMES * d);
    golden_check(&g, "z", 0, model.z, FRAMES * d);
    golden_check(&g, "c", 0, model.c, FRAMES * d);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "block%d", i);
        golden_check(&g, name, 0, model.predict->adaln.block[i].next, (FRAMES - 1) * d);
    }
    golden_check(&g, "pred", 0, model.predict->raw, (FRAMES - 1) * d);
    golden_check(&g, "pred_z", 0, model.pred_z, (FRAMES - 1) * d);
    golden_close(&g);
}

static void test_plan(void **state) {
    golden g = golden_open("lewm_full/plan");
    uint8_t *frames = malloc(4 * FRAME_BYTES);
    float plans[4 * 5 * ACTION];
    (void)state;
    for (int f = 0; f < 3; f++) draw_frame(frames + (size_t)f * FRAME_BYTES, f);
    draw_frame(frames + 3 * FRAME_BYTES, 7);
    fill(plans, sizeof plans / sizeof *plans, "plans", 1.5);
    lewm_check_plan(&model, &g, 1, frames, NULL, plans, frames + 3 * FRAME_BYTES);
    lewm_check_plan(&model, &g, 3, frames, model.a, plans, frames + 3 * FRAME_BYTES);
    free(frames);
    golden_close(&g);
}

/* Both windows with batch statistics, and the gradient of every tensor. */
static void test_train(void **state) {
    golden g = golden_open("lewm_full/train");
    const size_t d = 192;
    float *directions = malloc(d * DIRECTIONS * sizeof *directions);
    char name[160];
    (void)state;

    fill(directions, d * DIRECTIONS, "sigreg.directions", 1.0);
    lewm_directions(&model, directions);
    free(directions);
    lewm_forward(&model, true);
    lewm_losses(&model);
    lewm_backward(&model);
    const float losses[] = {(float)model.loss, (float)model.pred_loss, (float)model.sigreg_loss};
    golden_check(&g, "loss", 0, &losses[0], 1);
    golden_check(&g, "pred_loss", 0, &losses[1], 1);
    golden_check(&g, "sigreg_loss", 0, &losses[2], 1);
    golden_check(&g, "z", 0, model.z, WINDOWS * FRAMES * d);
    golden_check(&g, "pred", 0, model.predict->raw, WINDOWS * (FRAMES - 1) * d);
    golden_check(&g, "pred_z", 0, model.pred_z, WINDOWS * (FRAMES - 1) * d);
    for (int32_t i = 0; i < model.net.num_tensors; i++) {
        const uw_net_tensor *t = &model.net.tensors[i];
        if (t->counter) continue;
        snprintf(name, sizeof name, "%s.%s", t->buffer ? "after" : "grad", t->name);
        check_summary(&g, name, t->buffer ? lewm_numbers(&model, t) : model.grads + t->offset,
                      t->count, t->buffer ? 0.0 : 1e-5);
    }
    golden_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_eval),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_train),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
