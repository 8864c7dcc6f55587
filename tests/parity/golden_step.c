/* Whole training steps of the small LeWM against the reference in fp64: losses, gradient norm,
 * every parameter after one step and after five, running statistics included.  golden_step step1 |
 * step5 */
#include "golden.h"

#include "arena_block.h"
#include "internal.h"
#include "losses.h"
#include "optim.h"
#include "sigreg.h"

enum { B = 6, T = 4, P = 64, D = 48, A = 10 };

static const char *which = "step1";

typedef struct fixture {
    uw_train_config config;
    uw_context *ctx;
    uw_net net;
    uw_arena arena;
    uw_exec exec;
    uw_loss_state *loss;
    uw_optim optim;
    uw_real *params, *buffers, *grads, *start, *x, *a;
} fixture;

static void layout(uw_arena *arena, fixture *f) {
    f->exec = uw__exec_layout(arena, f->ctx->kernels, f->ctx->pool, uw__net_extra_reals(&f->net));
    f->loss = uw__loss_layout(arena, &f->net, &f->config, B);
    f->optim = uw__optim_layout(arena, f->net.num_params);
    f->params = uw_arena_alloc(arena, f->net.num_params, sizeof(uw_real));
    f->start = uw_arena_alloc(arena, f->net.num_params, sizeof(uw_real));
    f->grads = uw_arena_alloc(arena, f->net.num_params, sizeof(uw_real));
    f->buffers = uw_arena_alloc(arena, f->net.num_buffers, sizeof(uw_real));
    f->x = uw_arena_alloc(arena, B * T * f->net.input_reals, sizeof(uw_real));
    f->a = uw_arena_alloc(arena, B * (T - 1) * A, sizeof(uw_real));
}

static void load_weights(fixture *f) {
    char path[512];
    uw_safetensors *weights = NULL;
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/golden/lewm_tiny/weights.safetensors", check_vectors());
    CHECK_OK(uw__safetensors_open(path, 0, &weights, &err), &err);
    for (int32_t i = 0; i < f->net.num_tensors; i++) {
        const uw_net_tensor *t = &f->net.tensors[i];
        const int32_t at = uw__safetensors_find(weights, t->name);
        if (at < 0) fail_msg("%s is not among the reference's tensors", t->name);
        const uw_tensor w = uw__safetensors_tensor(weights, at);
        uw_real *dst = (t->buffer ? f->buffers : f->params) + t->offset;
        assert_int_equal(uw_tensor_count(&w), t->count);
        if (t->counter)
            *dst = (uw_real) * (const int64_t *)w.data;
        else
            memcpy(dst, w.data, t->count * sizeof *dst);
    }
    memcpy(f->start, f->params, f->net.num_params * sizeof *f->start);
    uw__safetensors_close(weights);
}

static void fixture_init(fixture *f, const golden *inputs) {
    uw_err err = {0};
    const uw_context_options options = {.num_threads = 2};
    *f = (fixture){
        .config = {.window = T,
                   .batch = B,
                   .steps = 8,
                   .lr = 5e-5f,
                   .warmup_steps = 2,
                   .warmup_from_zero = true,
                   .beta1 = 0.9f,
                   .beta2 = 0.999f,
                   .adam_eps = 1e-8f,
                   .weight_decay = 1e-3f,
                   .clip_norm = 1.0f,
                   .prediction_weight = 1.0f,
                   .sigreg_weight = 0.09f,
                   .sigreg_directions = P,
                   .sigreg_knots = 17,
                   .sigreg_per_step = true,
                   .sigreg_times_n = true},
    };
    f->config.model = (uw_model_config){.input = UW_INPUT_IMAGENET,
                                        .image_size = 56,
                                        .action_dim = 2,
                                        .frameskip = 5,
                                        .history_size = 3,
                                        .encoder = UW_ENCODER_VIT,
                                        .vit_patch = 14,
                                        .vit_dim = 48,
                                        .vit_layers = 2,
                                        .vit_heads = 3,
                                        .vit_mlp_dim = 192,
                                        .projector_dim = 96,
                                        .latent_dim = D,
                                        .action_smooth_dim = 10,
                                        .action_hidden_dim = 192,
                                        .predictor = UW_PREDICTOR_ADALN,
                                        .predictor_layers = 2,
                                        .predictor_heads = 4,
                                        .predictor_head_dim = 16,
                                        .predictor_mlp_dim = 96,
                                        .pred_proj_dim = 96};
    CHECK_OK(uw_context_new(&options, &f->ctx, &err), &err);
    CHECK_OK(uw__net_init(&f->config.model, &f->net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, f);
    f->arena = arena_block(measure.used);
    layout(&f->arena, f);
    load_weights(f);

    const uw_tensor pixels = golden_tensor(inputs, "pixels");
    const float *actions = golden_f32(inputs, "actions");
    uw__net_prepare(&f->exec, &f->net, pixels.data, B * T, f->x);
    for (size_t b = 0; b < B; b++) {
        memcpy(f->a + b * (T - 1) * A, actions + b * T * A, (T - 1) * A * sizeof *actions);
    }
}

static void fixture_fini(fixture *f) {
    uw__net_fini(&f->net);
    free(f->arena.base);
    uw_context_free(f->ctx);
}

static void gradient(fixture *f, const golden *inputs, int dirs, uw_losses *l) {
    const double *d = (const double *)golden_tensor(inputs, "dirs").data + (size_t)dirs * D * P;
    uw_real *mine = uw__sigreg_directions_give(uw__loss_sigreg(f->loss));
    for (size_t p = 0; p < P; p++) {
        for (size_t i = 0; i < D; i++) mine[p * D + i] = (uw_real)d[i * P + p];
    }
    memset(f->grads, 0, f->net.num_params * sizeof *f->grads);
    uw__loss_gradient(&f->exec, &f->net, &f->config, f->params, f->buffers, f->loss, f->x, f->a, 0,
                      1.0, f->grads, l);
}

/* Parameters whose true gradient is zero: Adam turns rounding noise into steps of up to lr. */
static bool is_noise(const char *name) {
    return strstr(name, "attention.key.bias") || !strcmp(name, "encoder.layernorm.bias") ||
           !strcmp(name, "predictor.transformer.norm.bias") ||
           !strcmp(name, "projector.net.0.bias") || !strcmp(name, "pred_proj.net.0.bias");
}

/* The change of every trained tensor by relative L2; statistics by the recorded tolerance. */
static void check_params(fixture *f, golden *g, double sum_lr) {
    double worst = 0.0;
    for (int32_t i = 0; i < f->net.num_tensors; i++) {
        const uw_net_tensor *t = &f->net.tensors[i];
        char key[128];
        snprintf(key, sizeof key, "param.%s", t->name);
        if (t->counter || (t->buffer && uw__safetensors_find(g->file, key) < 0)) continue;
        const uw_tensor tensor = golden_tensor(g, key);
        const double *want = tensor.data;
        double error = 0.0, change = 0.0;
        if (t->buffer) {
            golden_check(g, key, 0, f->buffers + t->offset, t->count);
            continue;
        }
        for (size_t k = 0; k < t->count; k++) {
            const double e = (double)f->params[t->offset + k] - want[k];
            const double c = want[k] - (double)f->start[t->offset + k];
            error += e * e;
            change += c * c;
            if (is_noise(t->name))
                CHECK_NEAR(f->params[t->offset + k], want[k], 2.0 * sum_lr + 1e-7);
        }
        if (is_noise(t->name)) continue;
        const double ratio = sqrt(error / change);
        if (!(ratio <= 5e-3)) fail_msg("%s: its change is off by %.2e of itself", t->name, ratio);
        if (ratio > worst) worst = ratio;
    }
    print_message("%s: worst change off by %.2e of itself, wanted below 5e-3\n", which, worst);
}

static void check_losses(golden *g, int step, const uw_losses *l) {
    const float got[3] = {(float)l->total, (float)l->prediction, (float)l->sigreg};
    golden_check(g, "loss", (size_t)step * 3, got, 3);
}

static void steps(void **state) {
    (void)state;
    const int count = strcmp(which, "step5") ? 1 : 5;
    char name[32];
    fixture f;
    uw_losses l;
    double sum_lr = 0.0;
    snprintf(name, sizeof name, "lewm_tiny/%s", which);
    golden g = golden_open(name), inputs = golden_open("lewm_tiny/inputs");
    const double *lrs = golden_tensor(&inputs, "lrs").data;
    fixture_init(&f, &inputs);
    for (int k = 0; k < count; k++) {
        /* one step alone has the peak rate; five follow the schedule */
        const double lr = count == 1 ? 5e-5 : uw__schedule_lr(&f.config, k);
        if (count == 5) CHECK_NEAR(lr, lrs[k], 1e-11);
        gradient(&f, &inputs, k, &l);
        check_losses(&g, k, &l);
        const double norm = uw__optim_norm(&f.exec, &f.optim, f.grads);
        const float norm32 = (float)norm;
        golden_check(&g, "grad_norm", (size_t)k, &norm32, 1);
        uw__optim_step(&f.exec, &f.optim, &f.config, f.params, f.grads, norm, lr, k);
        sum_lr += lr;
    }
    check_params(&f, &g, sum_lr);
    if (count == 5) {
        gradient(&f, &inputs, 0, &l);
        check_losses(&g, 5, &l);
    }
    golden_close(&g);
    uw__safetensors_close(inputs.file);
    fixture_fini(&f);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps)};
    if (argc > 1) which = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
