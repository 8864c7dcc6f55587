/* What bf16 costs a plan, on the reference's small LeWM and at the published size: error of the
 * last latents and of costs, elites that both precisions choose, and the plan that comes out,
 * priced in fp32. */
#include "solver_recording.h"

#include <umwelt/context.h>

#include "lewm_golden.h"
#include "plan_internal.h"
#include "point_world.h"
#include "random_model.h"
#include "recipe.h"

enum { MAX_ITERS = 64, MAX_ELITES = 64 };

/* One model in one precision. */
typedef struct side {
    uw_context *ctx;
    uw_dynamics y;
    void *memory, *more;
    uw_planner *planner;
    int32_t elites[MAX_ITERS][MAX_ELITES], num_elites[MAX_ITERS], iters;
} side;

static void side_open(side *s, const uw_model *model, uw_precision precision, int32_t n,
                      int32_t h) {
    const uw_dynamics_limits limits = {.num_samples = n, .horizon = h};
    const uw_context_options o = {.num_threads = 1, .precision = precision};
    uw_err err = {0};
    const size_t bytes = uw_model_dynamics_memsize(model, &limits);
    memset(s, 0, sizeof *s);
    CHECK_OK(uw_context_new(&o, &s->ctx, &err), &err);
    s->memory = point_memory(bytes);
    assert_int_equal(uw_model_dynamics_init(s->ctx, model, &limits, false, s->memory, bytes, &s->y),
                     UW_OK);
}

static void side_close(side *s) {
    free(s->more);
    free(s->memory);
    uw_context_free(s->ctx);
}

static void note_elites(void *cookie, const uw_plan_step *step) {
    side *s = cookie;
    if (step->iter >= MAX_ITERS || step->num_elites > MAX_ELITES) return;
    memcpy(s->elites[step->iter], step->elites, (size_t)step->num_elites * sizeof(int32_t));
    s->num_elites[step->iter] = step->num_elites;
    s->iters = step->iter + 1;
}

static void side_plan(side *s, const uw_planner_options *o, const float *z0, const float *z_goal,
                      float *plan) {
    const uw_plan_hook hook = {.cookie = s, .observe = note_elites};
    const size_t bytes = uw_planner_memsize(&s->y.dims, o);
    s->more = point_memory(bytes);
    assert_int_equal(uw_planner_init(&s->y, o, s->more, bytes, &s->planner), UW_OK);
    uw__planner_hook(s->planner, &hook);
    assert_int_equal(uw_planner_plan(s->planner, z0, 1, NULL, z_goal, plan, NULL), UW_OK);
}

/* Last latents [n, D] of candidates [n, h, A]. */
static float *last_latents(const side *s, const float *z0, const float *actions, size_t n, size_t h,
                           size_t d) {
    float *z = calloc(n * h * d, sizeof *z);
    assert_int_equal(s->y.rollout(s->y.self, z0, 1, NULL, actions, (int32_t)n, (int32_t)h, z),
                     UW_OK);
    for (size_t i = 0; i < n; i++) memmove(z + i * d, z + (i * h + h - 1) * d, d * sizeof *z);
    return z;
}

static double distance(const float *x, const float *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double off = (double)x[i] - (y ? (double)y[i] : 0);
        sum += off * off;
    }
    return sum;
}

/* Latents and costs of n random candidates in both precisions. */
static void check_latents(const char *what, const side *full, const side *half, const float *z0,
                          const float *z_goal, size_t n, size_t h) {
    const size_t d = (size_t)full->y.dims.latent_dim, a = (size_t)full->y.dims.action_dim;
    float *actions = calloc(n * h * a, sizeof *actions);
    uw_rng r = uw__rng(5, UW_STREAM_TEST, 1);
    uw__rng_fill_normal(&r, actions, n * h * a);
    float *exact = last_latents(full, z0, actions, n, h, d);
    float *rounded = last_latents(half, z0, actions, n, h, d);
    const double off = sqrt(distance(rounded, exact, n * d) / distance(exact, NULL, n * d));
    double cost = 0;
    for (size_t i = 0; i < n; i++) {
        const double wanted = distance(exact + i * d, z_goal, d);
        cost = fmax(cost, fabs(distance(rounded + i * d, z_goal, d) - wanted) / wanted);
    }
    printf("%s: bf16 is off by %.2g of the last latents, costs by at most %.2g\n", what, off, cost);
    assert_true(off > 0 && off <= 2e-2);
    assert_true(cost <= 4e-2);
    free(actions), free(exact), free(rounded);
}

/* The share of elites that both choose in an iteration. */
static double overlap(const side *x, const side *y, int32_t iter) {
    int32_t both = 0;
    for (int32_t i = 0; i < x->num_elites[iter]; i++)
        for (int32_t j = 0; j < y->num_elites[iter]; j++)
            both += x->elites[iter][i] == y->elites[iter][j];
    return (double)both / x->num_elites[iter];
}

static void check_plans(side *full, side *half, const uw_planner_options *o, const float *z0,
                        const float *z_goal) {
    const size_t d = (size_t)full->y.dims.latent_dim, h = (size_t)o->horizon;
    const size_t size = h * (size_t)full->y.dims.action_dim;
    float *plans = calloc(2 * size, sizeof *plans);
    side_plan(full, o, z0, z_goal, plans);
    side_plan(half, o, z0, z_goal, plans + size);
    float *z = last_latents(full, z0, plans, 2, h, d);
    const double exact = distance(z, z_goal, d), rounded = distance(z + d, z_goal, d);
    const double off = sqrt(distance(plans + size, plans, size) / distance(plans, NULL, size));
    double mean = 0;
    for (int32_t i = 0; i < full->iters; i++) mean += overlap(full, half, i) / full->iters;
    printf("plan: elites shared %.3f at first, %.3f over %d iterations; plans %.2g apart; cost in "
           "fp32 %.6g, of the fp32 plan %.6g\n",
           overlap(full, half, 0), mean, (int)full->iters, off, rounded, exact);
    assert_int_equal(full->iters, half->iters);
    assert_true(overlap(full, half, 0) >= 0.9);
    /* One elite exchanged, and the searches go ways of their own: to plans as good. */
    assert_true(rounded <= exact * 1.02);
    free(plans), free(z);
}

static uw_model *golden_model(const uw_model_config *config) {
    uw_model *model = NULL;
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(config, &net, &err), &err);
    float *params = calloc(net.num_params + 1, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    lewm_load("lewm_tiny/weights", &net, params, buffers);
    CHECK_OK(uw__model_new(config, params, buffers, NULL, NULL, &model, &err), &err);
    free(params), free(buffers);
    uw__net_fini(&net);
    return model;
}

static void test_golden(void **state) {
    (void)state;
    golden_need("lewm_tiny/inputs");
    golden_need("lewm_tiny/weights");
    golden inputs = golden_open("lewm_tiny/inputs");
    const uw_model_config config = lewm_meta_of(&inputs).model;
    uw_planner_options o = uw_planner_options_reference(UW_SOLVER_CEM);
    uw_model *model = golden_model(&config);
    const size_t d = (size_t)config.latent_dim;
    const size_t frame = (size_t)config.image_size * (size_t)config.image_size * 3;
    const size_t last = golden_axis(&inputs, "pixels", 1) - 1;
    const uint8_t *pixels = golden_tensor(&inputs, "pixels").data;
    static side full, half;
    float *z = calloc(2 * d, sizeof *z);

    o.num_samples = 300, o.num_elites = 30, o.iters = 4, o.horizon = 5;
    side_open(&full, model, UW_PRECISION_F32, o.num_samples, o.horizon);
    side_open(&half, model, UW_PRECISION_BF16, o.num_samples, o.horizon);
    assert_int_equal(full.y.encode(full.y.self, pixels, z), UW_OK);
    assert_int_equal(full.y.encode(full.y.self, pixels + last * frame, z + d), UW_OK);
    check_latents("lewm_tiny", &full, &half, z, z + d, 100, 5);
    check_plans(&full, &half, &o, z, z + d);
    side_close(&full);
    side_close(&half);
    free(z);
    uw_model_unload(model);
    golden_close(&inputs);
}

/* Random weights; four candidates, since plain C takes its time. */
static void test_published_size(void **state) {
    (void)state;
    uw_model_config config = recipe_lewm_small();
    config.latent_dim = 192;
    config.action_hidden_dim = 768;
    config.predictor_layers = 6;
    config.predictor_heads = 16;
    config.predictor_head_dim = 64;
    config.predictor_mlp_dim = config.pred_proj_dim = 2048;
    uw_model *model = random_model(&config, 0.02f);
    static side full, half;
    float z[2 * 192];
    uw_rng r = uw__rng(5, UW_STREAM_TEST, 2);
    uw__rng_fill_normal(&r, z, 2 * 192);
    side_open(&full, model, UW_PRECISION_F32, 4, 5);
    side_open(&half, model, UW_PRECISION_BF16, 4, 5);
    check_latents("published size", &full, &half, z, z + 192, 4, 5);
    side_close(&full);
    side_close(&half);
    uw_model_unload(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_published_size)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
