/* CEM on a small LeWM, from picture to plan, against the reference's recorded search: encoder,
 * predictor, cost and solver together. */
#include "solver_recording.h"

#include <umwelt/context.h>

#include "json.h"
#include "model_internal.h"
#include "point_world.h"

static int32_t size_of(const uw_json *sizes, const char *key) {
    int64_t value = 0;
    if (!uw__json_get_i64(sizes, key, &value)) fail_msg("the metadata has no %s", key);
    return (int32_t)value;
}

static uw_model_config config_of(const char *json) {
    uw_json *s = NULL;
    uw_err err = {0};
    CHECK_OK(uw__json_parse("config", json, &s, &err), &err);
    const uw_model_config config = {.input = UW_INPUT_IMAGENET,
                                    .image_size = size_of(s, "image"),
                                    .action_dim = 2,
                                    .frameskip = size_of(s, "action") / 2,
                                    .history_size = size_of(s, "history"),
                                    .encoder = UW_ENCODER_VIT,
                                    .vit_patch = size_of(s, "patch"),
                                    .vit_dim = size_of(s, "hidden"),
                                    .vit_layers = size_of(s, "layers"),
                                    .vit_heads = size_of(s, "heads"),
                                    .vit_mlp_dim = size_of(s, "mlp"),
                                    .projector_dim = size_of(s, "proj"),
                                    .latent_dim = size_of(s, "hidden"),
                                    .action_smooth_dim = 10,
                                    .action_hidden_dim = 4 * size_of(s, "hidden"),
                                    .predictor = UW_PREDICTOR_ADALN,
                                    .predictor_layers = size_of(s, "depth"),
                                    .predictor_heads = size_of(s, "pheads"),
                                    .predictor_head_dim = size_of(s, "dim_head"),
                                    .predictor_mlp_dim = size_of(s, "pmlp"),
                                    .pred_proj_dim = size_of(s, "proj")};
    uw__json_free(s);
    return config;
}

static uw_model *load_model(const uw_model_config *config) {
    golden weights = golden_open("lewm_tiny/weights");
    uw_model *model = NULL;
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(config, &net, &err), &err);
    float *params = calloc(net.num_params + 1, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    assert_non_null(params);
    assert_non_null(buffers);
    for (int32_t i = 0; i < net.num_tensors; i++) {
        const uw_net_tensor *t = &net.tensors[i];
        const uw_tensor from = golden_tensor(&weights, t->name);
        float *to = (t->buffer ? buffers : params) + t->offset;
        assert_int_equal(uw_tensor_count(&from), (int64_t)t->count);
        if (t->counter)
            *to = (float)*(const int64_t *)from.data;
        else
            memcpy(to, from.data, t->count * sizeof(float));
    }
    CHECK_OK(uw__model_new(config, params, buffers, NULL, NULL, &model, &err), &err);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    golden_close(&weights);
    return model;
}

static void test_cem_on_lewm(void **state) {
    (void)state;
    enum { HORIZON = 3, FRAMES = 4 };
    golden g = golden_open("solvers/cem_lewm_tiny"), inputs = golden_open("lewm_tiny/inputs");
    const uw_model_config config = config_of(uw__safetensors_meta(inputs.file, "config"));
    const uw_planner_options o =
        recording_options(uw__safetensors_meta(g.file, "cem"), false, HORIZON);
    const uw_dynamics_limits limits = {.num_samples = RECORDING_N, .horizon = HORIZON};
    const uw_context_options c = {.num_threads = 2};
    uw_context *ctx = NULL;
    uw_dynamics dynamics;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&c, &ctx, &err), &err);
    uw_model *model = load_model(&config);
    const size_t model_bytes = uw_model_dynamics_memsize(model, &limits);
    void *model_mem = point_memory(model_bytes);
    assert_non_null(model_mem);
    assert_int_equal(
        uw_model_dynamics_init(ctx, model, &limits, false, model_mem, model_bytes, &dynamics),
        UW_OK);
    const size_t bytes = uw_planner_memsize(&dynamics.dims, &o), d = (size_t)config.latent_dim;
    void *mem = point_memory(bytes);
    float *z0 = calloc(2 * d, sizeof *z0);
    assert_non_null(mem);
    assert_non_null(z0);
    const size_t frame = (size_t)config.image_size * (size_t)config.image_size * 3;
    const uint8_t *pixels = golden_tensor(&inputs, "pixels").data;
    for (size_t env = 0; env < RECORDING_ENVS; env++) {
        recording r = {.file = &g,
                       .name = "cem",
                       .env = env,
                       .h = HORIZON,
                       .a = (size_t)dynamics.dims.action_dim,
                       .k = (size_t)o.num_elites};
        const uint8_t *window = pixels + env * FRAMES * frame;
        uw_planner *p = NULL;
        assert_int_equal(dynamics.encode(dynamics.self, window, z0), UW_OK);
        assert_int_equal(dynamics.encode(dynamics.self, window + (FRAMES - 1) * frame, z0 + d),
                         UW_OK);
        assert_int_equal(uw_planner_init(&dynamics, &o, mem, bytes, &p), UW_OK);
        recording_run(&r, p, &o, z0, z0 + d);
    }
    free(z0);
    free(mem);
    free(model_mem);
    uw_model_unload(model);
    uw_context_free(ctx);
    golden_close(&inputs);
    golden_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cem_on_lewm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
