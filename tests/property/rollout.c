/* The rollout engine against the order it replaces: one network call on a whole window per step;
 * the same bits for any number of threads; and the arithmetic that it saves. */
#include <math.h>

#include "arena_block.h"
#include "check.h"
#include "context.h"
#include "dynamics_internal.h"
#include "random_model.h"
#include "recipe.h"
#include "rng.h"

typedef struct world {
    uw_context *ctx;
    uw_model *model;
    uw_dynamics y;
    uw_arena block;
    size_t d, a, n, h, known;
    float *z0, *past, *actions; /* [W, D], [W, A], [n, h, A] */
    float *z;                   /* [n, h, D] */
} world;

static float *normals(size_t n, uint64_t stream) {
    float *x = malloc((n + 1) * sizeof *x);
    uw_rng r = uw__rng(8, UW_STREAM_TEST, stream);
    uw__rng_fill_normal(&r, x, n);
    return x;
}

static world world_new(const uw_model_config *config, int32_t threads, size_t n, size_t h) {
    const uw_dynamics_limits limits = {
        .num_samples = (int32_t)n, .horizon = (int32_t)h, .num_threads = threads};
    const size_t most = (size_t)config->history_size;
    world w = {.d = (size_t)config->latent_dim,
               .a = (size_t)config->action_dim * (size_t)config->frameskip,
               .n = n,
               .h = h};
    w.ctx = context(threads);
    w.model = random_model(config, 0.05f);
    w.block = arena_block(uw_model_dynamics_memsize(w.model, &limits));
    assert_int_equal(uw_model_dynamics_init(w.ctx, w.model, &limits, threads > 1, w.block.base,
                                            w.block.cap, &w.y),
                     UW_OK);
    w.z0 = normals(most * w.d, 1);
    w.past = normals(most * w.a, 2);
    w.actions = normals(n * h * w.a, 3);
    w.z = calloc(n * h * w.d, sizeof *w.z);
    return w;
}

static void world_free(world *w) {
    free(w->z0), free(w->past), free(w->actions), free(w->z), free(w->block.base);
    uw_model_unload(w->model);
    uw_context_free(w->ctx);
}

static void roll(world *w, size_t known) {
    const bool told = known > 1 || w->y.dims.lead;
    w->known = known;
    assert_int_equal(w->y.rollout(w->y.self, w->z0, (int32_t)known, told ? w->past : NULL,
                                  w->actions, (int32_t)w->n, (int32_t)w->h, w->z),
                     UW_OK);
}

/* All candidates by the definition; return the greatest difference over the greatest value. */
static double against_plain(world *w) {
    const uw_model_dynamics *m = w->y.self;
    const uw_net *net = uw__model_net(w->model);
    const size_t most = (size_t)net->config.history_size, steps = w->known - 1 + w->h;
    const size_t cond = (size_t)net->cond_dim, in = (size_t)net->action_in, d = w->d;
    const uw_rollout_task task = {.m = (uw_model_dynamics *)m,
                                  .z0 = w->z0,
                                  .past = w->past,
                                  .actions = w->actions,
                                  .history = w->known,
                                  .n = w->n,
                                  .h = w->h,
                                  .lead = (size_t)w->y.dims.lead};
    uw_exec e = {0};
    uw_action_acts *action = NULL;
    uw_predict_acts *predict = NULL;
    float *a = NULL, *c = NULL, *z = NULL, *out = NULL;
    uw_arena arena = UW_ARENA_MEASURE;
    double off = 0, size = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass) arena = arena_block(arena.used);
        e = uw__exec_layout(&arena, w->ctx->kernels, NULL, uw__net_extra_reals(net));
        action = uw__action_layout(&arena, net, steps, false);
        predict = uw__predict_layout(&arena, net, 1, most, false);
        a = uw__take(&arena, steps * in);
        c = uw__take(&arena, steps * cond);
        z = uw__take(&arena, (steps + 1) * d);
        out = uw__take(&arena, most * d);
    }
    for (size_t i = 0; i < w->n; i++) {
        memcpy(z, w->z0, w->known * d * sizeof *z);
        for (size_t s = 0; s < steps; s++)
            uw__dynamics_action(m, uw__dynamics_block(&task, i, (ptrdiff_t)s),
                                uw__dynamics_block(&task, i, (ptrdiff_t)s - 1), a + s * in);
        uw__action_forward(&e, net, uw__model_params(w->model), action, a, steps, c);
        for (size_t s = 0; s < w->h; s++) {
            const size_t known = w->known + s, t = known < most ? known : most;
            uw__predict_forward(&e, net, uw__model_params(w->model),
                                (float *)uw__model_buffers(w->model), predict, z + (known - t) * d,
                                c + (known - t) * cond, 1, t, false, NULL, out);
            memcpy(z + known * d, out + (t - 1) * d, d * sizeof *z);
            for (size_t j = 0; j < d; j++) {
                const double wanted = (double)z[known * d + j];
                off = fmax(off, fabs((double)w->z[(i * w->h + s) * d + j] - wanted));
                size = fmax(size, fabs(wanted));
            }
        }
    }
    free(arena.base);
    assert_true(size > 0.1);
    return off / size;
}

/* ---- shapes ---- */

typedef struct shape {
    const char *what;
    int32_t history, layers, heads, head_dim, latent, smooth, project, action_history;
    size_t n, h;
} shape;

static const shape shapes[] = {
    {"as published, small", 3, 2, 4, 8, 24, 10, 40, 0, 70, 5},
    {"slides past its room", 3, 2, 4, 8, 24, 10, 40, 0, 5, 17},
    {"never slides", 4, 1, 16, 3, 24, 10, 40, 0, 21, 1},
    {"one step of history", 1, 3, 4, 8, 24, 10, 40, 0, 33, 4},
    {"two", 2, 2, 5, 7, 17, 10, 40, 0, 19, 7},
    {"no prediction projector", 3, 2, 4, 8, 24, 10, 0, 0, 40, 5},
    {"bare actions", 3, 2, 4, 8, 24, 0, 40, 0, 40, 5},
    {"one head without projection", 3, 2, 1, 24, 24, 10, 40, 0, 40, 5},
    {"one narrow head", 3, 2, 1, 10, 24, 10, 0, 0, 40, 5},
    {"the decision before", 1, 2, 4, 8, 24, 10, 40, 2, 40, 5},
    {"many keys", 16, 1, 3, 4, 8, 0, 0, 0, 18, 20},
    {"one candidate", 3, 2, 4, 8, 24, 10, 40, 0, 1, 9},
};

static uw_model_config config_of(const shape *s) {
    uw_model_config c = recipe_lewm_small();
    c.history_size = s->history;
    c.predictor_layers = s->layers;
    c.predictor_heads = s->heads;
    c.predictor_head_dim = s->head_dim;
    c.latent_dim = s->latent;
    c.action_smooth_dim = s->smooth;
    c.pred_proj_dim = s->project;
    c.action_history = s->action_history;
    return c;
}

static void test_plain_order(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const uw_model_config config = config_of(&shapes[i]);
        world w = world_new(&config, 1, shapes[i].n, shapes[i].h);
        for (size_t known = 1; known <= (size_t)config.history_size; known++) {
            roll(&w, known);
            const double off = against_plain(&w);
            if (off > 1e-5 || known == 1)
                printf("%-28s history %zu: off by %.2g of the greatest\n", shapes[i].what, known,
                       off);
            assert_true(off <= 1e-5);
        }
        world_free(&w);
    }
}

static void test_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const uw_model_config config = config_of(&shapes[i]);
        world one = world_new(&config, 1, shapes[i].n, shapes[i].h);
        roll(&one, (size_t)config.history_size);
        for (int32_t threads = 2; threads <= 3; threads++) {
            world many = world_new(&config, threads, shapes[i].n, shapes[i].h);
            roll(&many, (size_t)config.history_size);
            assert_memory_equal(one.z, many.z, one.n * one.h * one.d * sizeof *one.z);
            world_free(&many);
        }
        world_free(&one);
    }
}

/* ---- arithmetic ---- */

static const uw_kernels *real;
static double counted;

static void count_gemm(const uw_gemm_args *g, uw_real *scratch) {
    counted += 2.0 * (double)g->m * (double)g->n * (double)g->k;
    real->gemm(g, scratch);
}
static void count_few_keys(const uw_few_keys_args *a) {
    counted += 4.0 * (double)(a->rows * a->num_keys * a->heads * a->head_dim);
    real->few_keys(a);
}

/* What is said to be done is done. */
static void test_counted(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const uw_model_config config = config_of(&shapes[i]);
        world w = world_new(&config, 1, shapes[i].n, shapes[i].h);
        uw_model_dynamics *m = w.y.self;
        uw_kernels k = *m->exec.k;
        real = m->exec.k;
        k.gemm = count_gemm;
        k.few_keys = count_few_keys;
        m->exec.k = &k;
        for (size_t known = 1; known <= (size_t)config.history_size; known++) {
            counted = 0;
            roll(&w, known);
            assert_true(counted == uw__rollout_flops(&m->model->net, known, w.n, w.h).done);
        }
        m->exec.k = real;
        world_free(&w);
    }
}

/* The published model, by hand.  Multiply-adds of a token: queries 192 * 1024, keys and values
 * twice that, projection 1024 * 192, MLP 2 * 192 * 2048; of an action: modulation of a layer 192 *
 * 1152, encoding 10 * 10 + 10 * 768 + 768 * 192; prediction projector 2 * 192 * 2048; one key 2 *
 * 1024. */
static void test_published(void **state) {
    (void)state;
    const double q = 196608, kv = 393216, out = 196608, mlp = 786432, modulation = 221184;
    const double action = 155236, project = 786432, key = 2048;
    uw_model_config config = recipe_lewm_small();
    config.latent_dim = 192;
    config.action_hidden_dim = 768;
    config.predictor_layers = 6;
    config.predictor_heads = 16;
    config.predictor_head_dim = 64;
    config.predictor_mlp_dim = config.pred_proj_dim = 2048;
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    /* Windows of 1, 2, 3, 3, 3 tokens with 1, 3, 6, 6, 6 pairs of query and key. */
    const double reference =
        12 * (6 * (q + kv + out + mlp + modulation) + project) + 5 * action + 6 * 22 * key;
    /* 1 + 1 + 1 + 3 + 3 tokens, of which 6 have more than one key (15 in all), 5 go to the end (4
     * with 11 keys). */
    const double inside = 9 * (kv + out + mlp) + 6 * q + 15 * key;
    const double end = 9 * kv + 5 * (out + mlp) + 4 * q + 11 * key;
    const double done = 5 * inside + end + 5 * (6 * modulation + project + action);
    const uw_rollout_flops one = uw__rollout_flops(&net, 1, 1, 5);
    assert_true(one.reference == 2 * reference);
    assert_true(one.done == 2 * done);
    const uw_rollout_flops plan = uw__rollout_flops(&net, 1, 300, 5);
    const uw_rollout_flops past = uw__rollout_flops(&net, 3, 300, 5);
    printf("arithmetic of the reference's: %.4f with history 1, %.4f with history 3\n",
           plan.done / plan.reference, past.done / past.reference);
    assert_true(plan.done <= 0.65 * plan.reference);
    assert_true(past.done <= 0.667 * past.reference);
    uw__net_fini(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_order),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
