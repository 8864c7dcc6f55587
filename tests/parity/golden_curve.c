/* Fifty optimiser steps on PushT against the reference's: from the same weights, batches and
 * directions the loss, its two terms and the gradient norm stay within the recorded band at every
 * step.
 *
 * scripts/record_lewm_curve.py records; weights and directions come from the closed formula. */
#include "lewm_formula.h"
#include "lewm_golden.h"

#include "losses.h"
#include "optim.h"

typedef struct fixture {
    golden g;
    uw_train_config config;
    uw_context *ctx;
    uw_net net;
    uw_arena arena;
    uw_exec exec;
    uw_loss_state *loss;
    uw_optim optim;
    float *params, *buffers, *grads, *x, *a, *raw;
    size_t b, t, p, d, block; /* B, T, P, D, A */
} fixture;

static void layout(uw_arena *arena, fixture *f) {
    f->exec = uw__exec_layout(arena, f->ctx->kernels, f->ctx->pool, uw__net_extra_reals(&f->net));
    f->loss = uw__loss_layout(arena, &f->net, &f->config, f->b);
    f->optim = uw__optim_layout(arena, f->net.num_params);
    f->params = uw__take(arena, f->net.num_params);
    f->grads = uw__take(arena, f->net.num_params);
    f->buffers = uw__take(arena, f->net.num_buffers);
    f->x = uw__take(arena, f->b * f->t * f->net.input_reals);
    f->a = uw__take(arena, f->b * (f->t - 1) * f->block);
    f->raw = uw__take(arena, f->d * f->p);
}

static void fixture_init(fixture *f) {
    uw_err err = {0};
    const uw_context_options options = {.num_threads = 2};
    *f = (fixture){.g = golden_open("curve/curve")};
    const lewm_meta meta = lewm_meta_of(&f->g);
    f->b = golden_axis(&f->g, "picks", 1);
    f->t = golden_axis(&f->g, "pixels", 1);
    f->block = golden_axis(&f->g, "actions", 2);
    f->p = meta.directions;
    f->d = (size_t)meta.model.latent_dim;
    CHECK_OK(uw_train_preset("lewm", &f->config, &err), &err);
    f->config.model = meta.model;
    f->config.window = (int32_t)f->t;
    f->config.batch = (int32_t)f->b;
    f->config.sigreg_directions = (int32_t)f->p;
    f->config.lr = (float)lewm_meta_number(&f->g, "lr");
    f->config.weight_decay = (float)lewm_meta_number(&f->g, "weight_decay");
    f->config.clip_norm = (float)lewm_meta_number(&f->g, "clip");
    f->config.schedule_steps = (int32_t)lewm_meta_number(&f->g, "schedule_steps");
    const int32_t warmup = (int32_t)(0.01 * (double)f->config.schedule_steps);
    f->config.warmup_steps = warmup > 1 ? warmup : 1;
    CHECK_OK(uw_context_new(&options, &f->ctx, &err), &err);
    CHECK_OK(uw__net_init(&f->config.model, &f->net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, f);
    f->arena = arena_block(measure.used);
    layout(&f->arena, f);
    formula_numbers(uw__safetensors_meta(f->g.file, "salt"), &f->net, f->params, f->buffers);
}

/* Batch and directions of a step. */
static void load(fixture *f, size_t step) {
    const int64_t *picks = (const int64_t *)golden_tensor(&f->g, "picks").data + step * f->b;
    const uint8_t *pixels = golden_tensor(&f->g, "pixels").data;
    const float *actions = golden_f32(&f->g, "actions");
    const size_t frames = f->t * f->net.input_reals, used = (f->t - 1) * f->block;
    char name[48];
    for (size_t b = 0; b < f->b; b++) {
        const size_t w = (size_t)picks[b];
        uw__net_prepare(&f->exec, &f->net, NULL, pixels + w * frames, f->t, f->x + b * frames);
        memcpy(f->a + b * used, actions + w * f->t * f->block, used * sizeof *actions);
    }
    snprintf(name, sizeof name, "directions.%zu", step);
    formula_fill(f->raw, f->d * f->p, uw__safetensors_meta(f->g.file, "salt"), name, 1.0);
    lewm_unit_rows(f->raw, f->d, f->p, uw__sigreg_directions_give(uw__loss_sigreg(f->loss)));
}

/* One recorded number of a step; the largest relative distance so far is kept. */
static void check(fixture *f, const char *name, size_t step, double got, double *worst) {
    const double want = ((const double *)golden_tensor(&f->g, name).data)[step];
    const float value = (float)got;
    golden_check(&f->g, name, step, &value, 1);
    *worst = fmax(*worst, fabs(got - want) / fabs(want));
}

static void test_curve(void **state) {
    (void)state;
    golden_need("curve/curve");
    fixture f;
    fixture_init(&f);
    const size_t steps = golden_axis(&f.g, "loss", 0);
    const double *rates = golden_tensor(&f.g, "lr").data;
    double worst[2] = {0.0, 0.0};
    for (size_t step = 0; step < steps; step++) {
        const double lr = uw__schedule_lr(&f.config, (int64_t)step);
        uw_losses l;
        CHECK_NEAR(lr, rates[step], 1e-7 * (double)f.config.lr);
        load(&f, step);
        memset(f.grads, 0, f.net.num_params * sizeof *f.grads);
        uw__loss_gradient(&f.exec, &f.net, &f.config, f.params, f.buffers, f.loss, f.x, f.a, NULL,
                          0, 1.0, f.grads, &l);
        const double norm = uw__optim_norm(&f.exec, &f.optim, f.grads);
        check(&f, "loss", step, l.total, &worst[0]);
        check(&f, "pred_loss", step, l.prediction, &worst[0]);
        check(&f, "sigreg_loss", step, l.sigreg, &worst[0]);
        check(&f, "grad_norm", step, norm, &worst[1]);
        uw__optim_step(&f.exec, &f.optim, &f.config, f.params, f.grads, norm, lr, (int64_t)step);
    }
    print_message("%zu steps: losses within %.1e of the reference's in double, norms within %.1e\n",
                  steps, worst[0], worst[1]);
    golden_close(&f.g);
    uw__net_fini(&f.net);
    uw_context_free(f.ctx);
    free(f.arena.base);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_curve)};
    return golden_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
