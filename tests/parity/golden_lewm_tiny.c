/* A small LeWM against the reference: every stage forward (inference and training), the losses, the
 * gradient of every parameter, BatchNorm's statistics; with the argument `encode`, the encoder of
 * inference; with `plan`, rollouts as planners see them and their gradients. */
#include "lewm_encoder.h"

static lewm model;
static golden inputs;

static int setup(void **state) {
    (void)state;
    if (!golden_exists("lewm_tiny/inputs") || !golden_exists("lewm_tiny/weights")) return 0;
    inputs = golden_open("lewm_tiny/inputs");
    const lewm_meta meta = lewm_meta_of(&inputs);
    model = lewm_new(&meta, golden_axis(&inputs, "pixels", 0), golden_axis(&inputs, "pixels", 1));
    lewm_load("lewm_tiny/weights", &model.net, model.params, model.buffers);
    const size_t rows = model.windows * model.frames;
    uw__net_prepare(&model.e, &model.net, NULL, golden_tensor(&inputs, "pixels").data, rows,
                    model.x);
    memcpy(model.a, golden_f32(&inputs, "actions"),
           rows * (size_t)model.net.action_block * sizeof(float));
    return 0;
}

/* Skip a test whose file, or the model itself, is not in the folder. */
static void need(const char *name) {
    golden_need("lewm_tiny/inputs");
    golden_need("lewm_tiny/weights");
    golden_need(name);
}

static int teardown(void **state) {
    (void)state;
    if (!inputs.file) return 0;
    golden_close(&inputs);
    lewm_free(&model);
    return 0;
}

/* The reference keeps pictures as [3, Y, X], we as [Y, X, 3]. */
static void test_pixels(void **state) {
    need("lewm_tiny/eval");
    golden g = golden_open("lewm_tiny/eval");
    const float *want = golden_f32(&g, "pixels_norm");
    const size_t side = (size_t)model.net.config.image_size, pixels = side * side;
    (void)state;
    for (size_t r = 0; r < model.windows * model.frames; r++)
        for (size_t i = 0; i < 3 * pixels; i++)
            CHECK_NEAR(model.x[(r * pixels + i % pixels) * 3 + i / pixels],
                       want[r * 3 * pixels + i], 5e-7);
    golden_close(&g);
}

static void check_stage(golden *g, const char *stage, int32_t index, const float *got, size_t n) {
    char name[32];
    snprintf(name, sizeof name, "%s%d", stage, (int)index);
    golden_check(g, name, 0, got, n);
}

static void test_eval(void **state) {
    need("lewm_tiny/eval");
    golden g = golden_open("lewm_tiny/eval");
    const uw_model_config *cfg = &model.net.config;
    const size_t rows = model.windows * model.frames, d = (size_t)cfg->latent_dim;
    const size_t side = (size_t)(cfg->image_size / cfg->vit_patch), patches = side * side;
    const size_t predicted = model.windows * (model.frames - 1) * d;
    (void)state;

    lewm_forward(&model, false);
    golden_check(&g, "patch_embed", 0, model.encode->vit.patches, rows * patches * d);
    golden_check(&g, "embed", 0, model.encode->vit.embedded, rows * (patches + 1) * d);
    for (int32_t i = 0; i + 1 < cfg->vit_layers; i++) /* of the last one, CLS alone is computed */
        check_stage(&g, "layer", i, model.encode->vit.layer[i].next, rows * (patches + 1) * d);
    golden_check(&g, "cls", 0, model.encode->f, rows * d);
    golden_check(&g, "z", 0, model.z, rows * d);
    golden_check(&g, "c", 0, model.c, rows * d);
    for (int32_t i = 0; i < cfg->predictor_layers; i++)
        check_stage(&g, "block", i, model.predict->adaln.block[i].next, predicted);
    golden_check(&g, "pred", 0, model.predict->raw, predicted);
    golden_check(&g, "pred_z", 0, model.pred_z, predicted);
    golden_close(&g);
}

static void check_statistics(golden *g) {
    for (int32_t i = 0; i < model.net.num_tensors; i++) {
        const uw_net_tensor *t = &model.net.tensors[i];
        char name[128];
        if (!t->buffer) continue;
        snprintf(name, sizeof name, "after.%s", t->name);
        if (t->counter) {
            const int64_t want = *(const int64_t *)golden_tensor(g, name).data;
            assert_int_equal((int64_t)*lewm_numbers(&model, t), want);
        } else {
            golden_check(g, name, 0, lewm_numbers(&model, t), t->count);
        }
    }
}

static void test_train(void **state) {
    need("lewm_tiny/train");
    need("lewm_tiny/grads");
    golden g = golden_open("lewm_tiny/train"), grads = golden_open("lewm_tiny/grads");
    const uw_model_config *cfg = &model.net.config;
    const size_t rows = model.windows * model.frames, d = (size_t)cfg->latent_dim;
    const size_t side = (size_t)(cfg->image_size / cfg->vit_patch), patches = side * side;
    const size_t predicted = model.windows * (model.frames - 1) * d;
    (void)state;

    lewm_directions(&model, golden_f32(&inputs, "dirs_raw"));
    lewm_forward(&model, true);
    golden_check(&g, "z", 0, model.z, rows * d);
    for (int32_t i = 0; i < cfg->predictor_layers; i++)
        check_stage(&g, "block", i, model.predict->adaln.block[i].next, predicted);
    golden_check(&g, "pred", 0, model.predict->raw, predicted);
    golden_check(&g, "pred_z", 0, model.pred_z, predicted);
    check_statistics(&g);

    lewm_losses(&model);
    const float losses[] = {(float)model.loss, (float)model.pred_loss, (float)model.sigreg_loss};
    golden_check(&g, "loss", 0, &losses[0], 1);
    golden_check(&g, "pred_loss", 0, &losses[1], 1);
    golden_check(&g, "sigreg_loss", 0, &losses[2], 1);

    lewm_backward(&model);
    golden_check(&g, "grad_of.pred_z", 0, model.dpred_z, predicted);
    golden_check(&g, "grad_of.pred", 0, model.predict->draw, predicted);
    golden_check(&g, "grad_of.c", 0, model.dc, rows * d);
    golden_check(&g, "grad_of.z", 0, model.dz, rows * d);
    golden_check(&g, "grad_of.embed", 0, model.encode->vit.dx, rows * (patches + 1) * d);
    golden_check(&g, "grad_of.patch_embed", 0, model.encode->vit.dn, rows * patches * d);
    for (int32_t i = 0; i < model.net.num_tensors; i++) {
        const uw_net_tensor *t = &model.net.tensors[i];
        if (!t->buffer) golden_check(&grads, t->name, 0, model.grads + t->offset, t->count);
    }
    golden_close(&g);
    golden_close(&grads);
    /* the training forward moved the running statistics */
    lewm_load("lewm_tiny/weights", &model.net, model.params, model.buffers);
}

static void test_encode(void **state) {
    need("lewm_tiny/eval");
    golden g = golden_open("lewm_tiny/eval");
    (void)state;
    lewm_check_encoder(&model, &g, golden_tensor(&inputs, "pixels").data);
    golden_close(&g);
}

static void test_plan(void **state) {
    need("lewm_tiny/plan");
    golden g = golden_open("lewm_tiny/plan");
    const lewm_plan plan = {.frames = golden_tensor(&inputs, "pixels").data,
                            .goal = golden_tensor(&inputs, "goal").data,
                            .past = golden_f32(&inputs, "actions"),
                            .plans = golden_f32(&inputs, "plans")};
    (void)state;
    lewm_check_plans(&model, &g, &plan);
    golden_close(&g);
}

int main(int argc, char **argv) {
    const struct CMUnitTest model_tests[] = {
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_eval),
        cmocka_unit_test(test_train),
    };
    const struct CMUnitTest encode_tests[] = {cmocka_unit_test(test_encode)};
    const struct CMUnitTest plan_tests[] = {cmocka_unit_test(test_plan)};
    if (argc > 1 && !strcmp(argv[1], "plan"))
        return golden_exit(cmocka_run_group_tests_name("plan", plan_tests, setup, teardown));
    if (argc > 1 && !strcmp(argv[1], "encode"))
        return golden_exit(cmocka_run_group_tests_name("encode", encode_tests, setup, teardown));
    return golden_exit(cmocka_run_group_tests_name("model", model_tests, setup, teardown));
}
