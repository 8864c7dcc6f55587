/* Functions of single values, every variant against libm in double over sizes, ranges and guards.
 */
#include "kernel_check.h"

typedef double exact_fn(double x);

static double normal(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752440);
}
static double exact_gelu(double x) {
    return x * normal(x);
}
static double gelu_slope(double x) {
    return normal(x) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
}
static double exact_silu(double x) {
    return x / (1 + exp(-x));
}
static double silu_slope(double x) {
    const double s = 1 / (1 + exp(-x));
    return s * (1 + x * (1 - s));
}

/* n values over the range, its ends, zeros of both signs and the tails among them. */
static kc_buffer inputs(size_t n, double range) {
    kc_buffer x = kc_random(n, range);
    const float special[] = {0, -0.0f, (float)range, (float)-range, 1e-30f, -1e-30f, 5.3f, -5.3f};
    for (size_t i = 0; i < n; i += 5) x.p[i] = special[i / 5 % 8];
    return x;
}

/* y within bound_eps eps (|x| + 1) of the exact value; in place, too. */
static void check_map(int op, uw_map_fn *(*pick)(const uw_kernels *), exact_fn *exact, double range,
                      double bound_eps) {
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, op);
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            kc_buffer x = inputs(*n, range), y = kc_alloc(*n), same = kc_copy(&x);
            pick (&k[v])(y.p, x.p, *n);
            pick (&k[v])(same.p, same.p, *n);
            for (size_t i = 0; i < *n; i++) {
                const double at = (double)x.p[i];
                kc_near(&w[v], (double)y.p[i], exact(at), bound_eps * eps * (fabs(at) + 1), "map",
                        i);
            }
            if (*n) assert_memory_equal(y.p, same.p, *n * sizeof(float));
            kc_free(&x), kc_free(&y), kc_free(&same);
        }
    }
    kc_report(w, variants);
}

static void check_backward(int op, uw_map_backward_fn *(*pick)(const uw_kernels *), exact_fn *slope,
                           double range) {
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, op);
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            kc_buffer x = inputs(*n, range), dy = kc_random(*n, 3), dx = kc_alloc(*n);
            kc_buffer same = kc_copy(&dy);
            pick (&k[v])(dx.p, dy.p, x.p, *n);
            pick (&k[v])(same.p, same.p, x.p, *n);
            for (size_t i = 0; i < *n; i++) {
                const double at = (double)x.p[i], d = (double)dy.p[i];
                kc_near(&w[v], (double)dx.p[i], d * slope(at),
                        4 * eps * (fabs(at) + 1) * fabs(d) + (double)FLT_MIN, "slope", i);
            }
            if (*n) assert_memory_equal(dx.p, same.p, *n * sizeof(float));
            kc_free(&x), kc_free(&dy), kc_free(&dx), kc_free(&same);
        }
    }
    kc_report(w, variants);
}

static uw_map_fn *pick_gelu(const uw_kernels *k) {
    return k->gelu;
}
static uw_map_fn *pick_silu(const uw_kernels *k) {
    return k->silu;
}
static uw_map_backward_fn *pick_gelu_backward(const uw_kernels *k) {
    return k->gelu_backward;
}
static uw_map_backward_fn *pick_silu_backward(const uw_kernels *k) {
    return k->silu_backward;
}

static void gelu_and_silu(void **state) {
    (void)state;
    kc_seed(11);
    static const double ranges[] = {1, 7, 300};
    for (size_t i = 0; i < 3; i++) {
        check_map(UW_OP_gelu, pick_gelu, exact_gelu, ranges[i], 4);
        check_map(UW_OP_silu, pick_silu, exact_silu, ranges[i], 4);
        check_backward(UW_OP_gelu_backward, pick_gelu_backward, gelu_slope, ranges[i]);
        check_backward(UW_OP_silu_backward, pick_silu_backward, silu_slope, ranges[i]);
    }
}

/* Infinities and NaN have one right answer. */
static void ends_of_the_line(void **state) {
    (void)state;
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    const float x[] = {INFINITY, NAN, -1e30f, 1e30f, -INFINITY};
    float y[5], dy[5] = {1, 1, 1, 1, 1};
    for (int v = 0; v < variants; v++) {
        k[v].gelu(y, x, 4);
        assert_true(y[0] == INFINITY && isnan(y[1]) && y[2] == 0 && y[3] == 1e30f);
        k[v].silu(y, x, 4);
        assert_true(y[0] == INFINITY && isnan(y[1]) && y[2] == 0 && y[3] == 1e30f);
        k[v].exp(y, x, 5);
        assert_true(y[0] == INFINITY && isnan(y[1]) && y[2] == 0 && y[3] == INFINITY && y[4] == 0);
        k[v].gelu_backward(y, dy, x + 1, 3);
        assert_true(isnan(y[0]) && y[1] == 0 && y[2] == 1);
        k[v].silu_backward(y, dy, x + 1, 3);
        assert_true(isnan(y[0]) && y[1] == 0 && y[2] == 1);
        k[v].sincos(y, dy, x + 1, 1);
        assert_true(isnan(y[0]) && isnan(dy[0]));
        dy[0] = 1;
    }
}

/* Relative to the result, down to where floats run out. */
static void exponential(void **state) {
    (void)state;
    kc_seed(12);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_exp);
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            for (int wide = 0; wide < 2; wide++) {
                kc_buffer x = kc_random(*n, wide ? 88.7 : 1), y = kc_alloc(*n);
                for (size_t i = 0; wide && i < *n; i += 3) x.p[i] = -80 - (float)(i % 30);
                k[v].exp(y.p, x.p, *n);
                for (size_t i = 0; i < *n; i++) {
                    const double exact = exp((double)x.p[i]);
                    kc_near(&w[v], (double)y.p[i], exact, 4 * eps * exact + 0x1p-148, "exp", i);
                }
                kc_free(&x), kc_free(&y);
            }
        }
    }
    kc_report(w, variants);
}

static void sine_and_cosine(void **state) {
    (void)state;
    kc_seed(13);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_sincos);
    static const double ranges[] = {1, 10, 1e4};
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            for (size_t range = 0; range < 3; range++) {
                kc_buffer x = kc_random(*n, ranges[range]), s = kc_alloc(*n), c = kc_alloc(*n);
                /* Multiples of pi / 2, where the reduction cancels most. */
                for (size_t i = 0; i < *n; i += 2)
                    x.p[i] = (float)((double)(i % 6366) * 1.5707963267948966);
                k[v].sincos(s.p, c.p, x.p, *n);
                for (size_t i = 0; i < *n; i++) {
                    kc_near(&w[v], (double)s.p[i], sin((double)x.p[i]), 4 * eps, "sin", i);
                    kc_near(&w[v], (double)c.p[i], cos((double)x.p[i]), 4 * eps, "cos", i);
                }
                kc_free(&x), kc_free(&s), kc_free(&c);
            }
        }
    }
    kc_report(w, variants);
}

static void bytes(void **state) {
    (void)state;
    kc_seed(14);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_u8_affine);
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            kc_buffer room = kc_alloc((*n + 3) / 4), y = kc_alloc(*n);
            uint8_t *x = (uint8_t *)(room.p + room.n) - *n; /* ends at the guard */
            for (size_t i = 0; i < *n; i++) x[i] = (uint8_t)(i < 256 ? i : kc_below(256));
            const float scale = kc_uniform(1), shift = kc_uniform(1);
            k[v].u8_affine(y.p, x, scale, shift, *n);
            for (size_t i = 0; i < *n; i++) {
                const double part = (double)x[i] * (double)scale;
                kc_near(&w[v], (double)y.p[i], part + (double)shift,
                        eps * (fabs(part) + fabs((double)shift)), "u8", i);
            }
            kc_free(&room), kc_free(&y);
        }
    }
    kc_report(w, variants);
}

/* Rows of pixels that end at the guard, in the same bits as their definition. */
static void relative(void **state) {
    (void)state;
    kc_seed(15);
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    const float scale = 2.0f / 255;
    for (int v = 0; v < variants; v++) {
        for (size_t n = 0; n < 20; n++) {
            const size_t rows = 1 + n % 5, ld = 3 * n + n % 7;
            const size_t used = n ? (rows - 1) * ld + 3 * n : 0;
            kc_buffer room = kc_alloc((used + 3) / 4), y = kc_alloc(rows * n * 4);
            uint8_t *rgb = (uint8_t *)(room.p + room.n) - used, floor[3];
            for (size_t i = 0; i < used; i++) rgb[i] = (uint8_t)kc_below(256);
            for (int c = 0; c < 3; c++)
                floor[c] = (uint8_t)(n % 3 ? kc_below(256) : c == 1 ? 255u : 0u);
            k[v].u8_relative(y.p, rgb, ld, floor, rows, n);
            for (size_t i = 0; i < rows * n; i++) {
                const uint8_t *pixel = rgb + i / n * ld + i % n * 3;
                int square = 0;
                for (int c = 0; c < 3; c++) {
                    const int d = pixel[c] - floor[c];
                    square += d * d;
                    assert_true(y.p[4 * i + (size_t)c] == scale * (float)d);
                }
                assert_true(y.p[4 * i + 3] == scale * sqrtf((float)square));
            }
            kc_free(&room), kc_free(&y);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_and_silu), cmocka_unit_test(ends_of_the_line),
        cmocka_unit_test(exponential),   cmocka_unit_test(sine_and_cosine),
        cmocka_unit_test(bytes),         cmocka_unit_test(relative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
