/* Layers one by one against central differences, at the sizes where their work is cut differently:
 * few and many rows, one chunk and several, ragged ends; and convolution against its definition. */
#include "gradient.h"
#include "layers.h"

static uw_kernels kernels;
static uw_exec e;
static void *memory;

enum { EXTRA = 64 * 1024 };

static int setup(void **state) {
    (void)state;
    kernels = gradient_kernels();
    uw_arena arena = UW_ARENA_MEASURE;
    uw__exec_layout(&arena, &kernels, NULL, EXTRA);
    memory = aligned_alloc(UW_ALIGN, arena.used);
    arena = (uw_arena){.base = memory, .cap = arena.used};
    e = uw__exec_layout(&arena, &kernels, NULL, EXTRA);
    return memory ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    free(memory);
    return 0;
}

static double *numbers(size_t n, double scale, uint64_t stream) {
    double *x = calloc(n, sizeof *x);
    gradient_fill(x, n, scale, stream);
    return x;
}

/* ---- linear ---- */

typedef struct linear_case {
    uw_linear l;
    size_t rows;
    double *w, *b, *x, *y, *act, *weight;
} linear_case;

static double linear_loss(void *arg) {
    linear_case *c = arg;
    uw__linear_forward(&e, &c->l, c->y, c->act, c->x, c->rows);
    return gradient_dot(c->act ? c->act : c->y, c->weight, c->rows * c->l.out);
}

static void check_linear(size_t rows, size_t in, size_t out, bool bias, bool gelu) {
    linear_case c = {.rows = rows};
    c.w = numbers(in * out, 0.3, 1);
    c.b = numbers(out, 0.3, 2);
    c.x = numbers(rows * in, 1.0, 3);
    c.y = numbers(rows * out, 1.0, 4);
    c.act = gelu ? numbers(rows * out, 1.0, 5) : NULL;
    c.weight = numbers(rows * out, 1.0, 6);
    double *dw = calloc(in * out, sizeof *dw), *db = calloc(out, sizeof *db);
    double *dx = calloc(rows * in, sizeof *dx), *dy = calloc(rows * out, sizeof *dy);
    double *work = calloc(uw__linear_work(in, out, rows) + 1, sizeof *work);
    c.l = (uw_linear){
        .in = in, .out = out, .w = c.w, .b = bias ? c.b : NULL, .dw = dw, .db = bias ? db : NULL};
    linear_loss(&c);
    memcpy(dy, c.weight, rows * out * sizeof *dy);
    if (gelu) uw__map_backward(&e, kernels.gelu_backward, dy, dy, c.y, rows * out);
    uw__linear_backward(&e, &c.l, dx, false, dy, c.x, rows, work);
    gradient_check("linear w", linear_loss, &c, c.w, dw, in * out, 9);
    if (bias) gradient_check("linear b", linear_loss, &c, c.b, db, out, 5);
    gradient_check("linear x", linear_loss, &c, c.x, dx, rows * in, 9);

    /* accumulating doubles it */
    const double before = dx[rows * in - 1];
    uw__linear_backward(&e, &c.l, dx, true, dy, c.x, rows, work);
    CHECK_NEAR(dx[rows * in - 1], 2 * before, 1e-12 * (1 + fabs(before)));
    double *all[] = {c.w, c.b, c.x, c.y, c.act, c.weight, dw, db, dx, dy, work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void test_linear(void **state) {
    (void)state;
    check_linear(1, 3, 4, true, false);
    check_linear(5, 7, 70, true, true);      /* three blocks of outputs, the last ragged */
    check_linear(130, 6, 5, false, false);   /* three blocks of rows */
    check_linear(2300, 5, 6, true, true);    /* the weight gradient is cut by rows */
    check_linear(40, 129, 300, true, false); /* a large weight: seven blocks of outputs */
}

/* ---- convolution ---- */

typedef struct conv_case {
    uw_conv c;
    size_t n;
    double *w, *b, *x, *pre, *act, *weight, *work;
} conv_case;

static double conv_loss(void *arg) {
    conv_case *c = arg;
    uw__conv_forward(&e, &c->c, c->pre, c->act, c->x, c->n, c->work);
    const size_t reals = c->n * c->c.d.out_y * c->c.d.out_x * c->c.out_c;
    return gradient_dot(c->c.gelu ? c->act : c->pre, c->weight, reals);
}

/* pre against the sum that defines it, with PyTorch's weight order. */
static void check_definition(const conv_case *k) {
    const uw_conv_dims *d = &k->c.d;
    for (size_t n = 0; n<k->n; n += k->n> 1 ? k->n - 1 : 1)
        for (size_t y = 0; y < d->out_y; y++)
            for (size_t x = 0; x < d->out_x; x++)
                for (size_t o = 0; o < k->c.out_c; o++) {
                    double want = k->b[o];
                    for (size_t i = 0; i < d->c; i++)
                        for (size_t ky = 0; ky < d->kernel; ky++)
                            for (size_t kx = 0; kx < d->kernel; kx++) {
                                const size_t iy = y * d->stride + ky - d->pad,
                                             ix = x * d->stride + kx - d->pad;
                                if (iy >= d->y || ix >= d->x) continue; /* wraps below 0 too */
                                want += k->w[((o * d->c + i) * d->kernel + ky) * d->kernel + kx] *
                                        k->x[((n * d->y + iy) * d->x + ix) * d->c + i];
                            }
                    const size_t at = ((n * d->out_y + y) * d->out_x + x) * k->c.out_c + o;
                    CHECK_NEAR(k->pre[at], want, 1e-12);
                }
}

static void check_conv(uw_conv_dims d, size_t out_c, size_t n, bool gelu) {
    d.out_y = (d.y + 2 * d.pad - d.kernel) / d.stride + 1;
    d.out_x = (d.x + 2 * d.pad - d.kernel) / d.stride + 1;
    const size_t weights = out_c * d.c * d.kernel * d.kernel, in = n * d.y * d.x * d.c;
    const size_t out = n * d.out_y * d.out_x * out_c;
    conv_case k = {.n = n,
                   .w = numbers(weights, 0.3, 1),
                   .b = numbers(out_c, 0.3, 2),
                   .x = numbers(in, 1.0, 3),
                   .pre = numbers(out, 1.0, 4),
                   .act = numbers(out, 1.0, 5),
                   .weight = numbers(out, 1.0, 6)};
    double *dw = calloc(weights, sizeof *dw), *db = calloc(out_c, sizeof *db);
    double *dx = calloc(in, sizeof *dx), *dact = calloc(out, sizeof *dact);
    k.c = (uw_conv){.d = d, .out_c = out_c, .gelu = gelu, .w = k.w, .b = k.b, .dw = dw, .db = db};
    assert_true(uw__conv_extra(&k.c) <= EXTRA);
    k.work = calloc(uw__conv_work(&k.c, true), sizeof *k.work);
    conv_loss(&k);
    check_definition(&k);
    memcpy(dact, k.weight, out * sizeof *dact);
    uw__conv_backward(&e, &k.c, dx, dact, k.pre, k.x, n, k.work);
    gradient_check("conv w", conv_loss, &k, k.w, dw, weights, 12);
    gradient_check("conv b", conv_loss, &k, k.b, db, out_c, 4);
    gradient_check("conv x", conv_loss, &k, k.x, dx, in, 12);
    double *all[] = {k.w, k.b, k.x, k.pre, k.act, k.weight, k.work, dw, db, dx, dact};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void test_conv(void **state) {
    (void)state;
    check_conv((uw_conv_dims){.y = 8, .x = 8, .c = 3, .kernel = 4, .stride = 4}, 5, 2, true);
    check_conv((uw_conv_dims){.y = 7, .x = 6, .c = 2, .kernel = 3, .stride = 2, .pad = 1}, 4, 1,
               false);
    /* more pictures than groups, several chunks per group */
    check_conv((uw_conv_dims){.y = 16, .x = 16, .c = 8, .kernel = 3, .stride = 1, .pad = 1}, 3, 37,
               true);
    /* one picture is more than a chunk */
    check_conv((uw_conv_dims){.y = 30, .x = 30, .c = 5, .kernel = 3, .stride = 1, .pad = 1}, 2, 2,
               true);
}

/* ---- norms ---- */

typedef struct norm_case {
    uw_layernorm l;
    uw_batchnorm b;
    bool batch;
    size_t rows, c;
    double *gamma, *beta, *x, *y, *mean, *rstd, *weight;
} norm_case;

static double norm_loss(void *arg) {
    norm_case *k = arg;
    if (k->batch)
        uw__batchnorm_forward(&e, &k->b, k->y, k->mean, k->rstd, k->x, k->rows, true);
    else
        uw__layernorm_forward(&e, &k->l, k->y, k->mean, k->rstd, k->x, k->rows);
    return gradient_dot(k->y, k->weight, k->rows * k->c);
}

static void check_norm(bool batch, size_t rows, size_t c, bool affine) {
    const size_t stats = rows > c ? rows : c;
    norm_case k = {.batch = batch,
                   .rows = rows,
                   .c = c,
                   .gamma = numbers(c, 1.0, 1),
                   .beta = numbers(c, 1.0, 2),
                   .x = numbers(rows * c, 2.0, 3),
                   .y = numbers(rows * c, 1.0, 4),
                   .mean = numbers(stats, 1.0, 5),
                   .rstd = numbers(stats, 1.0, 6),
                   .weight = numbers(rows * c, 1.0, 7)};
    double *dgamma = calloc(c, sizeof *dgamma), *dbeta = calloc(c, sizeof *dbeta);
    double *dx = calloc(rows * c, sizeof *dx), *running = calloc(2 * c + 1, sizeof *running);
    double *work = calloc(uw__layernorm_work(c), sizeof *work);
    k.l = (uw_layernorm){.c = c,
                         .eps = 1e-5,
                         .gamma = affine ? k.gamma : NULL,
                         .beta = affine ? k.beta : NULL,
                         .dgamma = affine ? dgamma : NULL,
                         .dbeta = affine ? dbeta : NULL};
    k.b = (uw_batchnorm){.c = c,
                         .gamma = k.gamma,
                         .beta = k.beta,
                         .dgamma = dgamma,
                         .dbeta = dbeta,
                         .running_mean = running,
                         .running_var = running + c,
                         .batches = running + 2 * c};
    norm_loss(&k);
    if (batch)
        uw__batchnorm_backward(&e, &k.b, dx, k.weight, k.x, k.mean, k.rstd, rows);
    else
        uw__layernorm_backward(&e, &k.l, dx, false, k.weight, k.x, k.mean, k.rstd, rows, work);
    gradient_check("norm x", norm_loss, &k, k.x, dx, rows * c, 12);
    if (affine) {
        gradient_check("norm gamma", norm_loss, &k, k.gamma, dgamma, c, 6);
        gradient_check("norm beta", norm_loss, &k, k.beta, dbeta, c, 6);
    }
    double *all[] = {k.gamma,  k.beta, k.x,   k.y, k.mean,  k.rstd,
                     k.weight, dgamma, dbeta, dx,  running, work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void test_norms(void **state) {
    (void)state;
    check_norm(false, 3, 10, true); /* fewer rows than chunks */
    check_norm(false, 200, 10, true);
    check_norm(false, 70, 9, false);
    check_norm(true, 12, 5, true);
    check_norm(true, 9, 70, true); /* three blocks of columns */
}

/* With running statistics, which are constants, every column is a straight line. */
typedef struct running_case {
    uw_batchnorm b;
    size_t rows;
    double *x, *y, *weight, mean[5], rstd[5];
} running_case;

static double running_loss(void *arg) {
    running_case *k = arg;
    uw__batchnorm_forward(&e, &k->b, k->y, k->mean, k->rstd, k->x, k->rows, false);
    return gradient_dot(k->y, k->weight, k->rows * k->b.c);
}

static void test_batchnorm_inference(void **state) {
    enum { ROWS = 7, C = 5 };
    double gamma[C] = {1.5, -0.5, 2, 1, 0.1}, beta[C] = {0.2}, mean[C] = {1, -1, 0, 3, 0.5};
    double var[C] = {2, 0.5, 1, 1e-7, 9}, batches[1] = {0}, dx[ROWS * C];
    running_case k = {.rows = ROWS,
                      .b = {.c = C,
                            .gamma = gamma,
                            .beta = beta,
                            .running_mean = mean,
                            .running_var = var,
                            .batches = batches}};
    (void)state;
    k.x = numbers(ROWS * C, 1.0, 31);
    k.y = numbers(ROWS * C, 1.0, 32);
    k.weight = numbers(ROWS * C, 1.0, 33);
    running_loss(&k);
    uw__batchnorm_backward_running(&e, &k.b, dx, k.weight, k.rstd, ROWS);
    gradient_check("inference norm x", running_loss, &k, k.x, dx, ROWS * C, ROWS * C);
    assert_true(batches[0] == 0 && mean[0] == 1 && var[0] == 2);
    free(k.x);
    free(k.y);
    free(k.weight);
}

/* Running statistics move by a tenth, the variance with divisor n - 1; inference reads them. */
static void test_batchnorm_running(void **state) {
    double x[4] = {1, 2, 3, 6}, y[4], mean[1], rstd[1], running[3] = {10, 4, 0}, gamma[1] = {2},
           beta[1] = {1};
    const uw_batchnorm b = {.c = 1,
                            .gamma = gamma,
                            .beta = beta,
                            .running_mean = running,
                            .running_var = running + 1,
                            .batches = running + 2};
    (void)state;
    uw__batchnorm_forward(&e, &b, y, mean, rstd, x, 4, true);
    CHECK_NEAR(mean[0], 3.0, 1e-12);
    CHECK_NEAR(rstd[0], 1.0 / sqrt(3.5 + 1e-5), 1e-12);
    CHECK_NEAR(y[3], 2.0 * 3.0 / sqrt(3.5 + 1e-5) + 1.0, 1e-12);
    CHECK_NEAR(running[0], 0.9 * 10 + 0.1 * 3, 1e-12);
    CHECK_NEAR(running[1], 0.9 * 4 + 0.1 * 14.0 / 3.0, 1e-12);
    CHECK_NEAR(running[2], 1, 0);
    uw__batchnorm_forward(&e, &b, y, mean, rstd, x, 4, false);
    CHECK_NEAR(y[0], 2.0 * (1 - running[0]) / sqrt(running[1] + 1e-5) + 1.0, 1e-12);
    CHECK_NEAR(running[2], 1, 0);
}

/* ---- attention ---- */

typedef struct attention_case {
    uw_attention a;
    double *qkv, *o, *weight;
} attention_case;

static double attention_loss(void *arg) {
    attention_case *k = arg;
    const size_t inner = k->a.heads * k->a.head_dim;
    uw__attention_forward(&e, &k->a, k->o, k->qkv, k->qkv + inner, k->qkv + 2 * inner);
    return gradient_dot(k->o, k->weight, k->a.batch * k->a.tokens * inner);
}

static void check_attention(size_t tokens, bool causal, double drop) {
    const size_t heads = 2, head_dim = 3, batch = 2, inner = heads * head_dim;
    const size_t n = batch * tokens * inner;
    attention_case k = {
        .qkv = numbers(3 * n, 1.0, 1), .o = numbers(n, 1.0, 2), .weight = numbers(n, 1.0, 3)};
    double *d = calloc(3 * n, sizeof *d);
    k.a = (uw_attention){.batch = batch,
                         .tokens = tokens,
                         .heads = heads,
                         .head_dim = head_dim,
                         .ld_qkv = 3 * inner,
                         .ld_out = inner,
                         .causal = causal,
                         .drop = {.p = drop, .seed = 4, .site = 5}};
    attention_loss(&k);
    uw__attention_backward(&e, &k.a, d, d + inner, d + 2 * inner, k.weight, k.qkv, k.qkv + inner,
                           k.qkv + 2 * inner);
    gradient_check("attention", attention_loss, &k, k.qkv, d, 3 * n, 40);

    if (causal && drop == 0) { /* the last token changes nothing before it */
        double *before = calloc(n, sizeof *before);
        attention_loss(&k);
        memcpy(before, k.o, n * sizeof *before);
        for (size_t i = 0; i < 3 * inner; i++) k.qkv[(tokens - 1) * 3 * inner + i] += 1.0;
        attention_loss(&k);
        assert_memory_equal(before, k.o, (tokens - 1) * inner * sizeof *before);
        assert_memory_not_equal(before + (tokens - 1) * inner, k.o + (tokens - 1) * inner,
                                inner * sizeof *before);
        free(before);
    }
    free(k.qkv);
    free(k.o);
    free(k.weight);
    free(d);
}

static void test_attention(void **state) {
    (void)state;
    check_attention(5, false, 0.0);
    check_attention(4, true, 0.0);
    check_attention(1, true, 0.0);
    check_attention(5, true, 0.3);
    check_attention(5, false, 0.3);
}

/* ---- dropout ---- */

static void test_dropout(void **state) {
    enum { ROWS = 300, ROW = 100 };
    double *x = malloc(ROWS * ROW * sizeof *x), *again = malloc(ROWS * ROW * sizeof *again);
    const uw_drop drop = {.p = 0.25, .seed = 9, .site = 3},
                  other = {.p = 0.25, .seed = 9, .site = 4};
    size_t kept = 0, differ = 0;
    (void)state;
    for (size_t i = 0; i < ROWS * ROW; i++) x[i] = again[i] = 3.0;
    uw__dropout(&e, &drop, x, ROWS, ROW);
    uw__dropout(&e, &drop, again, ROWS, ROW);
    assert_memory_equal(x, again, ROWS * ROW * sizeof *x); /* the backward finds the same mask */
    for (size_t i = 0; i < ROWS * ROW; i++) {
        assert_true(x[i] == 0.0 || fabs(x[i] - 4.0) < 1e-12);
        kept += x[i] != 0.0;
        again[i] = 3.0;
    }
    CHECK_NEAR((double)kept / (ROWS * ROW), 0.75, 0.0125); /* five standard deviations */
    uw__dropout(&e, &other, again, ROWS, ROW);
    for (size_t i = 0; i < ROWS * ROW; i++) differ += (x[i] == 0.0) != (again[i] == 0.0);
    CHECK_NEAR((double)differ / (ROWS * ROW), 0.375, 0.015); /* another place, another mask */
    free(x);
    free(again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_batchnorm_inference),
        cmocka_unit_test(test_batchnorm_running),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
