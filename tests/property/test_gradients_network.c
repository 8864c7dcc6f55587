/* Every gradient of the network, through whole passes and for every tensor, against central
 * differences. */
#include "gradient.h"
#include "net.h"

/* A network of one configuration with perturbed numbers: no weight is 0 or 1. */
typedef struct fixture {
    uw_net net;
    uw_exec e;
    double *params, *buffers, *grads;
    void *mem;
    uw_encode_acts *encode;
    uw_action_acts *action;
    uw_predict_acts *predict;
    uw_inverse_acts *inverse;
} fixture;

static uw_kernels kernels;

enum { ROWS = 18, N = 3, T = 3 };

static void layout(uw_arena *arena, fixture *f) {
    f->e = uw__exec_layout(arena, &kernels, NULL, uw__net_extra_reals(&f->net));
    f->encode = uw__encode_layout(arena, &f->net, ROWS, true);
    f->action = uw__action_layout(arena, &f->net, ROWS, true);
    f->predict = uw__predict_layout(arena, &f->net, N, T, true);
    if (f->net.config.inverse_dim) f->inverse = uw__inverse_layout(arena, &f->net, ROWS);
}

static fixture fixture_new(const uw_model_config *config) {
    fixture f = {0};
    kernels = gradient_kernels();
    uw_err err = {0};
    CHECK_OK(uw__net_init(config, &f.net, &err), &err);
    f.params = calloc(f.net.num_params, sizeof *f.params);
    f.grads = calloc(f.net.num_params, sizeof *f.grads);
    f.buffers = calloc(f.net.num_buffers + 1, sizeof *f.buffers);
    uw__net_randomise(&f.net, 7, f.params, f.buffers);
    double *noise = calloc(f.net.num_params, sizeof *noise);
    gradient_fill(noise, f.net.num_params, 0.1, 1);
    for (size_t i = 0; i < f.net.num_params; i++) f.params[i] += noise[i];
    free(noise);
    uw_arena arena = UW_ARENA_MEASURE;
    layout(&arena, &f);
    f.mem = aligned_alloc(UW_ALIGN, arena.used);
    arena = (uw_arena){.base = f.mem, .cap = arena.used};
    layout(&arena, &f);
    assert_false(arena.failed);
    return f;
}

static void fixture_free(fixture *f) {
    uw__net_fini(&f->net);
    free(f->params);
    free(f->grads);
    free(f->buffers);
    free(f->mem);
}

/* Check grads of every tensor that index range [first, last) holds; none may be untouched. */
static void check_tensors(fixture *f, gradient_loss *loss, void *arg, int32_t first, int32_t last) {
    for (int32_t i = first; i < last; i++) {
        const uw_net_tensor *t = &f->net.tensors[i];
        if (t->buffer) continue;
        gradient_check(t->name, loss, arg, f->params + t->offset, f->grads + t->offset, t->count,
                       7);
    }
}

/* ---- encoder and projector ---- */

typedef struct encode_case {
    fixture *f;
    double *x, *z, *weight; /* loss = weight . z */
} encode_case;

static double encode_loss(void *arg) {
    encode_case *c = arg;
    fixture *f = c->f;
    uw__encode_forward(&f->e, &f->net, f->params, f->buffers, f->encode, c->x, ROWS, true, c->z);
    return gradient_dot(c->z, c->weight, ROWS * (size_t)f->net.config.latent_dim);
}

static void check_encode(fixture *f) {
    const size_t latent = ROWS * (size_t)f->net.config.latent_dim;
    encode_case c = {.f = f};
    c.x = calloc(ROWS * f->net.input_reals, sizeof *c.x);
    c.z = calloc(latent, sizeof *c.z);
    c.weight = calloc(latent, sizeof *c.weight);
    gradient_fill(c.x, ROWS * f->net.input_reals, 0.7, 2);
    gradient_fill(c.weight, latent, 1.0, 3);
    memset(f->grads, 0, f->net.num_params * sizeof *f->grads);
    encode_loss(&c);
    uw__encode_backward(&f->e, &f->net, f->params, f->encode, c.weight, f->grads);
    check_tensors(f, encode_loss, &c, f->net.at_encoder, f->net.at_predictor);
    check_tensors(f, encode_loss, &c, f->net.at_projector, f->net.at_pred_proj);

    /* gradients accumulate: twice the same backward doubles them */
    const double before = f->grads[f->net.tensors[f->net.at_projector].offset];
    uw__encode_backward(&f->e, &f->net, f->params, f->encode, c.weight, f->grads);
    CHECK_NEAR(f->grads[f->net.tensors[f->net.at_projector].offset], 2 * before, 1e-9);
    free(c.x);
    free(c.z);
    free(c.weight);
}

/* ---- predictor and prediction projector ---- */

typedef struct predict_case {
    fixture *f;
    double *z, *c, *out, *weight, *dz, *dc;
    uw_dropout dropout;
    bool train;
} predict_case;

static double predict_loss(void *arg) {
    predict_case *p = arg;
    fixture *f = p->f;
    uw__predict_forward(&f->e, &f->net, f->params, f->buffers, f->predict, p->z, p->c, N, T,
                        p->train, &p->dropout, p->out);
    return gradient_dot(p->out, p->weight, N * T * (size_t)f->net.config.latent_dim);
}

/* train: batch statistics and every gradient; else running statistics, gradients of the inputs
 * alone. */
static void check_predict(fixture *f, bool dropout, bool train) {
    const size_t latent = N * T * (size_t)f->net.config.latent_dim;
    const size_t cond = N * T * (size_t)f->net.cond_dim;
    predict_case p = {
        .f = f, .dropout = {.on = dropout, .seed = 5, .step = 3, .call = 1}, .train = train};
    double **arrays[] = {&p.z, &p.out, &p.weight, &p.dz};
    for (int i = 0; i < 4; i++) {
        *arrays[i] = calloc(latent, sizeof(double));
        gradient_fill(*arrays[i], latent, 1.0, 10 + (uint64_t)i);
    }
    p.c = calloc(cond, sizeof *p.c);
    p.dc = calloc(cond, sizeof *p.dc);
    gradient_fill(p.c, cond, 1.0, 20);
    memset(f->grads, 0, f->net.num_params * sizeof *f->grads);
    predict_loss(&p);
    uw__predict_backward(&f->e, &f->net, f->params, f->predict, p.weight, p.dz, p.dc,
                         train ? f->grads : NULL);
    if (train) {
        check_tensors(f, predict_loss, &p, f->net.at_predictor, f->net.at_action);
        check_tensors(f, predict_loss, &p, f->net.at_pred_proj, f->net.at_inverse);
    }
    gradient_check("z", predict_loss, &p, p.z, p.dz, latent, 12);
    gradient_check("c", predict_loss, &p, p.c, p.dc, cond, 12);
    for (int i = 0; i < 4; i++) free(*arrays[i]);
    free(p.c);
    free(p.dc);
}

/* ---- action encoder ---- */

typedef struct action_case {
    fixture *f;
    double *a, *c, *weight, *da;
} action_case;

static double action_loss(void *arg) {
    action_case *p = arg;
    fixture *f = p->f;
    uw__action_forward(&f->e, &f->net, f->params, f->action, p->a, ROWS, p->c);
    return gradient_dot(p->c, p->weight, ROWS * (size_t)f->net.cond_dim);
}

static void check_action(fixture *f) {
    const size_t in = ROWS * (size_t)f->net.action_block, cond = ROWS * (size_t)f->net.cond_dim;
    action_case p = {.f = f};
    p.a = calloc(in, sizeof *p.a);
    p.da = calloc(in, sizeof *p.da);
    p.c = calloc(cond, sizeof *p.c);
    p.weight = calloc(cond, sizeof *p.weight);
    gradient_fill(p.a, in, 1.0, 30);
    gradient_fill(p.weight, cond, 1.0, 31);
    memset(f->grads, 0, f->net.num_params * sizeof *f->grads);
    action_loss(&p);
    uw__action_backward(&f->e, &f->net, f->params, f->action, p.weight, p.da, f->grads);
    check_tensors(f, action_loss, &p, f->net.at_action, f->net.at_projector);
    gradient_check("a", action_loss, &p, p.a, p.da, in, 12);
    free(p.a);
    free(p.da);
    free(p.c);
    free(p.weight);
}

/* ---- inverse head ---- */

typedef struct inverse_case {
    fixture *f;
    double *z0, *z1, *a, *weight, *dz0, *dz1;
} inverse_case;

static double inverse_loss(void *arg) {
    inverse_case *p = arg;
    fixture *f = p->f;
    uw__inverse_forward(&f->e, &f->net, f->params, f->inverse, p->z0, p->z1, ROWS, p->a);
    return gradient_dot(p->a, p->weight, ROWS * (size_t)f->net.action_block);
}

static void check_inverse(fixture *f) {
    const size_t latent = ROWS * (size_t)f->net.config.latent_dim;
    const size_t out = ROWS * (size_t)f->net.action_block;
    inverse_case p = {.f = f};
    double **arrays[] = {&p.z0, &p.z1, &p.dz0, &p.dz1};
    for (int i = 0; i < 4; i++) {
        *arrays[i] = calloc(latent, sizeof(double));
        gradient_fill(*arrays[i], latent, 1.0, 40 + (uint64_t)i);
    }
    p.a = calloc(out, sizeof *p.a);
    p.weight = calloc(out, sizeof *p.weight);
    gradient_fill(p.weight, out, 1.0, 50);
    memset(f->grads, 0, f->net.num_params * sizeof *f->grads);
    inverse_loss(&p);
    uw__inverse_backward(&f->e, &f->net, f->params, f->inverse, p.weight, p.dz0, p.dz1, f->grads);
    check_tensors(f, inverse_loss, &p, f->net.at_inverse, f->net.num_tensors);
    gradient_check("z0", inverse_loss, &p, p.z0, p.dz0, latent, 12);
    gradient_check("z1", inverse_loss, &p, p.z1, p.dz1, latent, 12);
    for (int i = 0; i < 4; i++) free(*arrays[i]);
    free(p.a);
    free(p.weight);
}

/* ---- configurations ---- */

/* Recipe S in small: strided convolutions, residual MLP predictor, inverse head. */
static const uw_model_config recipe = {.input = UW_INPUT_FLOOR_RELATIVE,
                                       .image_size = 16,
                                       .action_dim = 2,
                                       .frameskip = 1,
                                       .history_size = 1,
                                       .encoder = UW_ENCODER_CONV,
                                       .conv_layers = 3,
                                       .conv_channels = {5, 6, 7},
                                       .conv_kernel = {4, 3, 3},
                                       .conv_stride = {4, 2, 1},
                                       .conv_pad = {0, 1, 1},
                                       .projector_dim = 33,
                                       .latent_dim = 6,
                                       .predictor = UW_PREDICTOR_MLP,
                                       .predictor_mlp_dim = 11,
                                       .inverse_dim = 9};

/* LeWM in small, dropout included. */
static const uw_model_config lewm = {.input = UW_INPUT_IMAGENET,
                                     .image_size = 12,
                                     .action_dim = 2,
                                     .frameskip = 3,
                                     .history_size = 3,
                                     .encoder = UW_ENCODER_VIT,
                                     .vit_patch = 4,
                                     .vit_dim = 12,
                                     .vit_layers = 2,
                                     .vit_heads = 3,
                                     .vit_mlp_dim = 20,
                                     .projector_dim = 14,
                                     .latent_dim = 12,
                                     .action_smooth_dim = 5,
                                     .action_hidden_dim = 16,
                                     .predictor = UW_PREDICTOR_ADALN,
                                     .predictor_layers = 2,
                                     .predictor_heads = 2,
                                     .predictor_head_dim = 5,
                                     .predictor_mlp_dim = 18,
                                     .dropout = 0.25f,
                                     .pred_proj_dim = 15,
                                     .inverse_dim = 8};

/* Sensors: an MLP encoder and a projector that is one Linear; the predictor is projected. */
static const uw_model_config sensors = {.input = UW_INPUT_COLUMNS,
                                        .observe_dim = 5,
                                        .action_dim = 1,
                                        .frameskip = 2,
                                        .history_size = 2,
                                        .encoder = UW_ENCODER_MLP,
                                        .mlp_layers = 2,
                                        .mlp_dim = 10,
                                        .latent_dim = 4,
                                        .predictor = UW_PREDICTOR_MLP,
                                        .predictor_mlp_dim = 9,
                                        .pred_proj_dim = 6};

static void test_recipe(void **state) {
    (void)state;
    fixture f = fixture_new(&recipe);
    check_encode(&f);
    check_predict(&f, false, true);
    check_predict(&f, false, false);
    check_action(&f);
    check_inverse(&f);
    fixture_free(&f);
}

static void test_lewm(void **state) {
    (void)state;
    fixture f = fixture_new(&lewm);
    check_encode(&f);
    check_predict(&f, false, true);
    check_predict(&f, false, false);
    check_action(&f);
    check_inverse(&f);
    fixture_free(&f);
}

/* The backward finds the masks of the forward again. */
static void test_lewm_dropout(void **state) {
    (void)state;
    fixture f = fixture_new(&lewm);
    check_predict(&f, true, true);
    fixture_free(&f);
}

/* One head as wide as the latent: attention is not projected. */
static void test_lewm_one_head(void **state) {
    (void)state;
    uw_model_config config = lewm;
    config.predictor_heads = 1;
    config.predictor_head_dim = config.latent_dim;
    fixture f = fixture_new(&config);
    assert_int_equal(uw__net_find(&f.net, "predictor.transformer.layers.0.attn.to_out.0.weight"),
                     -1);
    check_predict(&f, false, true);
    check_predict(&f, true, true);
    check_predict(&f, false, false);
    fixture_free(&f);
}

static void test_sensors(void **state) {
    (void)state;
    fixture f = fixture_new(&sensors);
    check_encode(&f);
    check_predict(&f, false, true);
    check_predict(&f, false, false);
    check_action(&f);
    fixture_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe),       cmocka_unit_test(test_lewm),
        cmocka_unit_test(test_lewm_dropout), cmocka_unit_test(test_lewm_one_head),
        cmocka_unit_test(test_sensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
