/* CEM on a small LeWM, from picture to plan, against the reference's recorded search: encoder,
 * predictor, cost and solver together. */
#include "solver_recording.h"

#include <umwelt/context.h>

#include "lewm_golden.h"
#include "point_world.h"

static uw_model *load_model(const uw_model_config *config) {
    uw_model *model = NULL;
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(config, &net, &err), &err);
    float *params = calloc(net.num_params + 1, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    assert_non_null(params);
    assert_non_null(buffers);
    lewm_load("lewm_tiny/weights", &net, params, buffers);
    CHECK_OK(uw__model_new(config, params, buffers, NULL, NULL, &model, &err), &err);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return model;
}

static void test_cem_on_lewm(void **state) {
    (void)state;
    golden_need("solvers/cem_lewm_tiny");
    golden_need("lewm_tiny/inputs");
    golden_need("lewm_tiny/weights");
    golden g = golden_open("solvers/cem_lewm_tiny"), inputs = golden_open("lewm_tiny/inputs");
    const uw_model_config config = lewm_meta_of(&inputs).model;
    recording r = recording_open(&g, "cem", UW_SOLVER_CEM);
    const uw_planner_options o = recording_options(&r);
    const uw_dynamics_limits limits = {.num_samples = (int32_t)r.n, .horizon = (int32_t)r.h};
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
    float *z0 = calloc(2 * d, sizeof *z0), *plan = calloc(r.h * r.w, sizeof *plan);
    assert_non_null(mem);
    assert_non_null(z0);
    assert_non_null(plan);
    const size_t frame = (size_t)config.image_size * (size_t)config.image_size * 3;
    const uint8_t *pixels = golden_tensor(&inputs, "pixels").data;
    const size_t last =
        golden_axis(&inputs, "pixels", 1) - 1; /* the goal is a window's last frame */
    for (r.env = 0; r.env < r.envs; r.env++) {
        const uint8_t *window = pixels + r.env * (last + 1) * frame;
        uw_planner *p = NULL;
        assert_int_equal(dynamics.encode(dynamics.self, window, z0), UW_OK);
        assert_int_equal(dynamics.encode(dynamics.self, window + last * frame, z0 + d), UW_OK);
        assert_int_equal(uw_planner_init(&dynamics, &o, mem, bytes, &p), UW_OK);
        recording_run(&r, p, &o, z0, z0 + d, plan);
        golden_check(&g, "cem.actions", r.env * r.h * r.w, plan, r.h * r.w);
    }
    free(plan);
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
    return golden_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
