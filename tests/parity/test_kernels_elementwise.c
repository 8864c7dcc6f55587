/* Entry-by-entry operations, modulation, gate and AdamW: every variant against double, sizes,
 * strides, guards. */
#include "kernel_check.h"

enum { MAX_OPS = 4 };

static void vector_operations(void **state) {
    (void)state;
    kc_seed(21);
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    static const int ops[MAX_OPS] = {UW_OP_axpy, UW_OP_affine, UW_OP_add, UW_OP_muladd};
    kc_worst w[MAX_OPS][KC_MAX_VARIANTS];
    for (int op = 0; op < MAX_OPS; op++) kc_worst_init(w[op], k, variants, ops[op]);
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            kc_buffer x = kc_random(*n, 2), z = kc_random(*n, 2), old = kc_random(*n, 2);
            const float a = kc_uniform(2), b = kc_uniform(2);
            for (int op = 0; op < MAX_OPS; op++) {
                kc_buffer y = kc_copy(&old);
                if (op == 0) k[v].axpy(y.p, a, x.p, *n);
                if (op == 1) k[v].affine(y.p, x.p, a, b, *n);
                if (op == 2) k[v].add(y.p, x.p, z.p, *n);
                if (op == 3) k[v].muladd(y.p, x.p, z.p, *n);
                for (size_t i = 0; i < *n; i++) {
                    const double f = op == 2 ? 1 : op == 3 ? (double)z.p[i] : (double)a;
                    const double product = f * (double)x.p[i];
                    const double rest = op == 1   ? (double)b
                                        : op == 2 ? (double)z.p[i]
                                                  : (double)old.p[i];
                    kc_near(&w[op][v], (double)y.p[i], product + rest,
                            eps * (fabs(product) + fabs(rest)), "value", i);
                }
                kc_free(&y);
            }
            kc_free(&x), kc_free(&z), kc_free(&old);
        }
    }
    for (int op = 0; op < MAX_OPS; op++) kc_report(w[op], variants);
}

/* The shapes of everything that works on rows of c values beside rows of stride ldm. */
static const struct {
    size_t rows, c, ldm;
} shapes[] = {{0, 5, 5}, {3, 0, 4}, {1, 1, 1}, {4, 7, 7}, {5, 16, 96}, {3, 33, 40}, {7, 192, 1152}};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

/* A matrix of `rows` rows of c values with stride ld; what lies between rows must stay. */
static kc_buffer strided(size_t rows, size_t c, size_t ld) {
    kc_buffer b = kc_random(rows ? (rows - 1) * ld + c : 0, 2);
    for (size_t i = 0; i < b.n; i++) {
        if (i % ld >= c) b.p[i] = kc_canary;
    }
    return b;
}
static void check_gaps(const kc_buffer *b, size_t c, size_t ld) {
    for (size_t i = 0; i < b->n; i++) {
        if (i % ld >= c && b->p[i] != kc_canary) fail_msg("wrote between rows, at %zu", i);
    }
}

static void modulation(void **state) {
    (void)state;
    kc_seed(22);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst fwd[KC_MAX_VARIANTS], bwd[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(fwd, k, variants, UW_OP_modulate);
    kc_worst_init(bwd, k, variants, UW_OP_modulate_backward);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES; at++) {
            const size_t rows = shapes[at].rows, c = shapes[at].c, ldm = shapes[at].ldm;
            kc_buffer x = kc_random(rows * c, 2), dy = kc_random(rows * c, 2);
            kc_buffer y = kc_alloc(rows * c), dx = kc_alloc(rows * c);
            kc_buffer shift = strided(rows, c, ldm), scale = strided(rows, c, ldm);
            kc_buffer dshift = strided(rows, c, ldm), dscale = strided(rows, c, ldm);
            k[v].modulate(y.p, x.p, shift.p, scale.p, rows, c, ldm);
            k[v].modulate_backward(dx.p, dshift.p, dscale.p, dy.p, x.p, scale.p, rows, c, ldm);
            for (size_t i = 0; i < rows * c; i++) {
                const size_t m = i / c * ldm + i % c;
                const double in = (double)x.p[i], s = (double)scale.p[m], d = (double)dy.p[i];
                kc_near(&fwd[v], (double)y.p[i], in * (1 + s) + (double)shift.p[m],
                        2 * eps * (fabs(in) * (1 + fabs(s)) + fabs((double)shift.p[m])), "y", i);
                kc_near(&bwd[v], (double)dx.p[i], d * (1 + s), 2 * eps * fabs(d) * (1 + fabs(s)),
                        "dx", i);
                kc_near(&bwd[v], (double)dscale.p[m], d * in, eps * fabs(d * in), "dscale", i);
                assert_true(dshift.p[m] == dy.p[i]);
            }
            check_gaps(&dshift, c, ldm), check_gaps(&dscale, c, ldm);
            kc_free(&x), kc_free(&dy), kc_free(&y), kc_free(&dx);
            kc_free(&shift), kc_free(&scale), kc_free(&dshift), kc_free(&dscale);
        }
    }
    kc_report(fwd, variants);
    kc_report(bwd, variants);
}

static void gate(void **state) {
    (void)state;
    kc_seed(23);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst fwd[KC_MAX_VARIANTS], bwd[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(fwd, k, variants, UW_OP_gate);
    kc_worst_init(bwd, k, variants, UW_OP_gate_backward);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES; at++) {
            const size_t rows = shapes[at].rows, c = shapes[at].c, ldm = shapes[at].ldm;
            kc_buffer old = kc_random(rows * c, 2), x = kc_copy(&old), y = kc_random(rows * c, 2);
            kc_buffer dx = kc_random(rows * c, 2), dy = kc_alloc(rows * c);
            kc_buffer weight = strided(rows, c, ldm), dgate = strided(rows, c, ldm);
            k[v].gate(x.p, y.p, weight.p, rows, c, ldm);
            k[v].gate_backward(dy.p, dgate.p, dx.p, y.p, weight.p, rows, c, ldm);
            for (size_t i = 0; i < rows * c; i++) {
                const size_t m = i / c * ldm + i % c;
                const double before = (double)old.p[i], d = (double)dx.p[i];
                const double g = (double)weight.p[m], in = (double)y.p[i];
                kc_near(&fwd[v], (double)x.p[i], before + g * in,
                        eps * (fabs(before) + fabs(g * in)), "x", i);
                kc_near(&bwd[v], (double)dy.p[i], d * g, eps * fabs(d * g), "dy", i);
                kc_near(&bwd[v], (double)dgate.p[m], d * in, eps * fabs(d * in), "dgate", i);
            }
            check_gaps(&dgate, c, ldm);
            kc_free(&old), kc_free(&x), kc_free(&y), kc_free(&dx), kc_free(&dy);
            kc_free(&weight), kc_free(&dgate);
        }
    }
    kc_report(fwd, variants);
    kc_report(bwd, variants);
}

/* Several steps, each from the variant's own state; the exact step is taken in double from there.
 */
static void adamw(void **state) {
    (void)state;
    kc_seed(24);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst worst[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(worst, k, variants, UW_OP_adamw);
    for (int variant = 0; variant < variants; variant++) {
        kc_worst *report = &worst[variant];
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            kc_buffer w = kc_random(*n, 1), m = kc_random(*n, 0), v = kc_random(*n, 0);
            for (int step = 1; step <= 3; step++) {
                const uw_adamw_args a = {.lr = 2e-3f,
                                         .beta1 = 0.9f,
                                         .beta2 = 0.999f,
                                         .eps = 1e-8f,
                                         .weight_decay = 1e-2f,
                                         .grad_scale = 0.37f,
                                         .bias1 = (float)(1 - pow(0.9, step)),
                                         .bias2 = (float)(1 - pow(0.999, step))};
                kc_buffer g = kc_random(*n, 0.1);
                kc_buffer w0 = kc_copy(&w), m0 = kc_copy(&m), v0 = kc_copy(&v);
                k[variant].adamw(w.p, m.p, v.p, g.p, *n, &a);
                for (size_t i = 0; i < *n; i++) {
                    const double grad = (double)g.p[i] * (double)a.grad_scale;
                    const double first =
                        (double)m0.p[i] * (double)a.beta1 + grad * (1 - (double)a.beta1);
                    const double second =
                        (double)v0.p[i] * (double)a.beta2 + grad * grad * (1 - (double)a.beta2);
                    const double size = sqrt(second) / sqrt((double)a.bias2) + (double)a.eps;
                    const double move = (double)a.lr / (double)a.bias1 * first / size;
                    const double kept =
                        (double)w0.p[i] * (1 - (double)a.lr * (double)a.weight_decay);
                    const double terms = fabs((double)m0.p[i]) + fabs(grad);
                    kc_near(report, (double)m.p[i], first, 4 * eps * terms, "m", i);
                    kc_near(report, (double)v.p[i], second, 4 * eps * second, "v", i);
                    kc_near(report, (double)w.p[i], kept - move,
                            2 * eps * fabs(kept) +
                                8 * eps * (double)a.lr / (double)a.bias1 * terms / size,
                            "w", i);
                }
                kc_free(&g), kc_free(&w0), kc_free(&m0), kc_free(&v0);
            }
            kc_free(&w), kc_free(&m), kc_free(&v);
        }
    }
    kc_report(worst, variants);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_operations),
        cmocka_unit_test(modulation),
        cmocka_unit_test(gate),
        cmocka_unit_test(adamw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
