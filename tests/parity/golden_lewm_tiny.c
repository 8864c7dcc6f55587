/* A small LeWM against the reference: every stage forward (inference and training), the losses, the
 * gradient of every parameter, BatchNorm's statistics, and rollouts as planners see them. */
#include "lewm_golden.h"

static lewm model;
static golden inputs;

static int32_t size_of(const uw_json *config, const char *key) {
    int64_t value = 0;
    if (!uw__json_get_i64(config, key, &value)) fail_msg("the metadata has no %s", key);
    return (int32_t)value;
}

static void load_numbers(void) {
    golden weights = golden_open("lewm_tiny/weights");
    assert_int_equal(uw__safetensors_count(weights.file), model.net.num_tensors);
    for (int32_t i = 0; i < model.net.num_tensors; i++) {
        const uw_net_tensor *t = &model.net.tensors[i];
        const uw_tensor from = golden_tensor(&weights, t->name);
        assert_int_equal(from.num_dims, t->num_dims);
        assert_memory_equal(from.shape, t->shape, (size_t)t->num_dims * sizeof *t->shape);
        if (t->counter)
            *lewm_numbers(&model, t) = (float)*(const int64_t *)from.data;
        else
            memcpy(lewm_numbers(&model, t), from.data, t->count * sizeof(float));
    }
    golden_close(&weights);
}

static int setup(void **state) {
    uw_err err = {0};
    uw_json *config = NULL;
    (void)state;
    inputs = golden_open("lewm_tiny/inputs");
    CHECK_OK(uw__json_parse("config", uw__safetensors_meta(inputs.file, "config"), &config, &err),
             &err);
    const lewm_sizes s = {.image = size_of(config, "image"),
                          .patch = size_of(config, "patch"),
                          .hidden = size_of(config, "hidden"),
                          .layers = size_of(config, "layers"),
                          .heads = size_of(config, "heads"),
                          .mlp = size_of(config, "mlp"),
                          .proj = size_of(config, "proj"),
                          .action = size_of(config, "action"),
                          .depth = size_of(config, "depth"),
                          .pheads = size_of(config, "pheads"),
                          .dim_head = size_of(config, "dim_head"),
                          .pmlp = size_of(config, "pmlp"),
                          .history = size_of(config, "history")};
    model = lewm_new(&s, (size_t)size_of(config, "batch"), (size_t)s.history + 1,
                     (size_t)size_of(config, "dirs"));
    uw__json_free(config);
    load_numbers();
    const size_t rows = model.windows * model.frames;
    uw__net_prepare(&model.e, &model.net, golden_tensor(&inputs, "pixels").data, rows, model.x);
    memcpy(model.a, golden_f32(&inputs, "actions"),
           rows * (size_t)model.net.action_block * sizeof(float));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    golden_close(&inputs);
    lewm_free(&model);
    return 0;
}

/* The reference keeps pictures as [3, Y, X], we as [Y, X, 3]. */
static void test_pixels(void **state) {
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
    golden g = golden_open("lewm_tiny/eval");
    const uw_model_config *cfg = &model.net.config;
    const size_t rows = model.windows * model.frames, d = (size_t)cfg->latent_dim;
    const size_t side = (size_t)(cfg->image_size / cfg->vit_patch), patches = side * side;
    const size_t predicted = model.windows * (model.frames - 1) * d;
    (void)state;

    lewm_forward(&model, false);
    golden_check(&g, "patch_embed", 0, model.encode->vit.patches, rows * patches * d);
    golden_check(&g, "embed", 0, model.encode->vit.embedded, rows * (patches + 1) * d);
    for (int32_t i = 0; i < cfg->vit_layers; i++)
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
    load_numbers(); /* the training forward moved the running statistics */
}

static void test_plan(void **state) {
    golden g = golden_open("lewm_tiny/plan");
    const uint8_t *pixels = golden_tensor(&inputs, "pixels").data;
    const uint8_t *goal = golden_tensor(&inputs, "goal").data;
    const float *plans = golden_f32(&inputs, "plans"), *past = golden_f32(&inputs, "actions");
    (void)state;
    lewm_check_plan(&model, &g, 1, pixels, NULL, plans, goal);
    lewm_check_plan(&model, &g, 3, pixels, past, plans, goal);
    golden_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_eval),
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
