/* Layer norm, batch norm and softmax with their gradients: every variant against double. */
#include "kernel_check.h"

static const struct {
    size_t rows, c;
} shapes[] = {{0, 3}, {1, 1}, {3, 2}, {2, 7}, {5, 16}, {3, 33}, {4, 100}, {9, 192}, {70, 34}};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

/* Rows or columns far from 0, so that a careless mean or variance cancels. */
static kc_buffer shifted(size_t n, float offset) {
    kc_buffer b = kc_normal(n);
    for (size_t i = 0; i < n; i++) b.p[i] += offset;
    return b;
}

/* Mean and variance of n values `step` apart. */
static void moments(const float *x, size_t n, size_t step, double *mean, double *var) {
    *mean = *var = 0;
    for (size_t i = 0; i < n; i++) *mean += (double)x[i * step] / (double)n;
    for (size_t i = 0; i < n; i++)
        *var += ((double)x[i * step] - *mean) * ((double)x[i * step] - *mean) / (double)n;
}

static void layernorm(void **state) {
    (void)state;
    kc_seed(31);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    const float norm_eps = 1e-5f;
    kc_worst_init(w, k, variants, UW_OP_layernorm);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES * 4; at++) {
            const size_t rows = shapes[at / 4].rows, c = shapes[at / 4].c;
            const bool affine = at & 1;
            kc_buffer x = shifted(rows * c, at & 2 ? 100 : 0), y = kc_alloc(rows * c);
            kc_buffer gamma = kc_random(c, 1.5), beta = kc_random(c, 1.5);
            kc_buffer mean = kc_alloc(rows), rstd = kc_alloc(rows), same = kc_copy(&x);
            const float *g = affine ? gamma.p : NULL, *b = affine ? beta.p : NULL;
            k[v].layernorm(y.p, mean.p, rstd.p, x.p, g, b, rows, c, norm_eps);
            k[v].layernorm(same.p, NULL, NULL, same.p, g, b, rows, c, norm_eps);
            for (size_t r = 0; r < rows; r++) {
                double m, var;
                moments(x.p + r * c, c, 1, &m, &var);
                const double scale = 1 / sqrt(var + (double)norm_eps);
                kc_near(&w[v], (double)mean.p[r], m, eps * (fabs(m) + 1 / scale), "mean", r);
                kc_near(&w[v], (double)rstd.p[r], scale, 8 * eps * scale, "rstd", r);
                for (size_t j = 0; j < c; j++) {
                    double exact = ((double)x.p[r * c + j] - m) * scale;
                    if (affine) exact = exact * (double)gamma.p[j] + (double)beta.p[j];
                    kc_near(&w[v], (double)y.p[r * c + j], exact,
                            8 * eps * (1 + fabs(exact)) * sqrt((double)c), "y", r * c + j);
                }
            }
            if (y.n) assert_memory_equal(y.p, same.p, y.n * sizeof(float));
            kc_free(&x), kc_free(&y), kc_free(&gamma), kc_free(&beta);
            kc_free(&mean), kc_free(&rstd), kc_free(&same);
        }
    }
    kc_report(w, variants);
}

static float from_bf16(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* What one row of `norm` has to give, and how far it may be off. */
static void exact_norm(const uw_norm_args *a, size_t r, double *y, double *bound) {
    const double root = 8 * eps * sqrt((double)a->c);
    double m, var, worst = 0;
    moments(a->x + r * a->ldx, a->c, 1, &m, &var);
    for (size_t j = 0; j < a->c; j++) {
        y[j] = ((double)a->x[r * a->ldx + j] - m) / sqrt(var + (double)a->eps);
        if (a->gamma) y[j] = y[j] * (double)a->gamma[j] + (double)a->beta[j];
        bound[j] = root * (1 + fabs(y[j]));
        if (!a->shift) continue;
        const double factor = 1 + (double)a->scale[r * a->ldm + j];
        worst = fmax(worst, bound[j] * fabs(factor));
        y[j] = y[j] * factor + (double)a->shift[r * a->ldm + j];
    }
    if (!a->shift) return;
    m = var = 0;
    for (size_t j = 0; j < a->c; j++) m += y[j] / (double)a->c;
    for (size_t j = 0; j < a->c; j++) var += (y[j] - m) * (y[j] - m) / (double)a->c;
    const double scale = 1 / sqrt(var + (double)a->eps2);
    for (size_t j = 0; j < a->c; j++) {
        const double unit = (y[j] - m) * scale, gamma = a->gamma2 ? (double)a->gamma2[j] : 1;
        y[j] = unit * gamma + (a->beta2 ? (double)a->beta2[j] : 0);
        bound[j] = root * (1 + fabs(y[j])) + worst * scale * fabs(gamma) * (2 + fabs(unit));
    }
}

/* Bits of `how`: 1 first affine, 2 far from 0, 4 modulated, 8 second affine, 16 strides, 32 bf16.
 */
static void check_norm(const uw_kernels *k, kc_worst *w, size_t rows, size_t c, unsigned how) {
    const size_t ld = c + (how & 16 ? 5 : 0), ldm = 3 * c + 1, n = rows ? (rows - 1) * ld + c : 0;
    kc_buffer x = shifted(n, how & 2 ? 100 : 0), y = kc_alloc(n), y16 = kc_alloc((n + 1) / 2);
    kc_buffer affine = kc_random(4 * c, 1.5), m = kc_random(rows ? rows * ldm : 0, 1);
    double *exact = calloc(c + 1, sizeof *exact), *bound = calloc(c + 1, sizeof *bound);
    uw_norm_args a = {.rows = rows, .c = c, .x = x.p, .ldx = ld, .eps = 1e-6f, .y = y.p, .ldy = ld};
    if (how & 1) a.gamma = affine.p, a.beta = affine.p + c;
    if (how & 4) {
        a.shift = m.p, a.scale = m.p + c, a.ldm = ldm, a.eps2 = 1e-5f;
        if (how & 8) a.gamma2 = affine.p + 2 * c, a.beta2 = affine.p + 3 * c;
    }
    if (how & 32) a.y16 = (uint16_t *)(void *)y16.p;
    k->norm(&a);
    for (size_t r = 0; r < rows; r++) {
        exact_norm(&a, r, exact, bound);
        for (size_t j = 0; j < c; j++) {
            const size_t at = r * ld + j;
            const double got = (double)(a.y16 ? from_bf16(a.y16[at]) : y.p[at]);
            const double rounding = a.y16 ? ldexp(fabs(exact[j]) + bound[j], -8) : 0;
            kc_near(w, got, exact[j], bound[j] + rounding, "y", at);
        }
    }
    if (!a.y16) { /* in place: the same bits, and nothing between the rows */
        a.y = x.p;
        k->norm(&a);
        for (size_t i = 0; i < n; i++)
            if (i % ld < c)
                assert_true(x.p[i] == y.p[i]);
            else
                assert_true(isnan(y.p[i]));
    }
    free(exact), free(bound);
    kc_free(&x), kc_free(&y), kc_free(&y16), kc_free(&affine), kc_free(&m);
}

static void norm(void **state) {
    (void)state;
    kc_seed(36);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_norm);
    for (int v = 0; v < variants; v++)
        for (size_t at = 0; at < NUM_SHAPES; at++)
            for (unsigned how = 0; how < 64; how++)
                check_norm(&k[v], &w[v], shapes[at].rows, shapes[at].c, how);
    kc_report(w, variants);
}

/* Check dx of one row (step 1) or column (step ld) of n values against the formula both norms
 * share: dx = rstd (g - mean g - unit mean(g unit)), g = dy gamma. */
static void check_dx(kc_worst *w, const float *dx, const float *old, const float *dy,
                     const float *x, const float *gamma, size_t gamma_step, size_t n, size_t step,
                     double mean, double rstd, double factor) {
    double sum = 0, along = 0, sum_size = 0, along_size = 0;
    for (size_t i = 0; i < n; i++) {
        const double g = (double)dy[i * step] * (gamma ? (double)gamma[i * gamma_step] : 1);
        const double unit = ((double)x[i * step] - mean) * rstd;
        sum += g / (double)n, along += g * unit / (double)n;
        sum_size += fabs(g) / (double)n, along_size += fabs(g * unit) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double g = (double)dy[i * step] * (gamma ? (double)gamma[i * gamma_step] : 1);
        const double unit = ((double)x[i * step] - mean) * rstd;
        const double before = old ? (double)old[i * step] : 0;
        const double size = rstd * (fabs(g) + sum_size + fabs(unit) * along_size);
        kc_near(w, (double)dx[i * step], before + rstd * (g - sum - unit * along),
                factor * eps * size + eps * fabs(before), "dx", i);
    }
}

static void layernorm_backward(void **state) {
    (void)state;
    kc_seed(32);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_layernorm_backward);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES * 4; at++) {
            const size_t rows = shapes[at / 4].rows, c = shapes[at / 4].c;
            const bool affine = at & 1, accumulate = at & 2;
            kc_buffer x = shifted(rows * c, 3), dy = kc_random(rows * c, 1);
            kc_buffer old = kc_random(rows * c, 1),
                      dx = accumulate ? kc_copy(&old) : kc_alloc(old.n);
            kc_buffer mean = kc_alloc(rows), rstd = kc_alloc(rows), gamma = kc_random(c, 1.5);
            kc_buffer dgamma = kc_random(c, 1), dbeta = kc_random(c, 1);
            kc_buffer dgamma0 = kc_copy(&dgamma), dbeta0 = kc_copy(&dbeta);
            for (size_t r = 0; r < rows; r++) {
                double m, var;
                moments(x.p + r * c, c, 1, &m, &var);
                mean.p[r] = (float)m, rstd.p[r] = (float)(1 / sqrt(var + 1e-5));
            }
            k[v].layernorm_backward(dx.p, affine ? dgamma.p : NULL, affine ? dbeta.p : NULL, dy.p,
                                    x.p, mean.p, rstd.p, affine ? gamma.p : NULL, rows, c,
                                    accumulate);
            for (size_t r = 0; r < rows; r++) {
                check_dx(&w[v], dx.p + r * c, accumulate ? old.p + r * c : NULL, dy.p + r * c,
                         x.p + r * c, affine ? gamma.p : NULL, 1, c, 1, (double)mean.p[r],
                         (double)rstd.p[r], (double)c + 8);
            }
            for (size_t j = 0; j < c && affine; j++) {
                double scale = (double)dgamma0.p[j], shift = (double)dbeta0.p[j];
                double scale_size = fabs(scale), shift_size = fabs(shift);
                for (size_t r = 0; r < rows; r++) {
                    const double d = (double)dy.p[r * c + j];
                    const double unit =
                        ((double)x.p[r * c + j] - (double)mean.p[r]) * (double)rstd.p[r];
                    scale += d * unit, shift += d;
                    scale_size += fabs(d * unit), shift_size += fabs(d);
                }
                const double factor = 2 * (double)(rows + 4) * eps;
                kc_near(&w[v], (double)dgamma.p[j], scale, factor * scale_size, "dgamma", j);
                kc_near(&w[v], (double)dbeta.p[j], shift, factor * shift_size, "dbeta", j);
            }
            if (c && !affine) assert_memory_equal(dgamma.p, dgamma0.p, c * sizeof(float));
            kc_free(&x), kc_free(&dy), kc_free(&old), kc_free(&dx), kc_free(&mean), kc_free(&rstd);
            kc_free(&gamma), kc_free(&dgamma), kc_free(&dbeta), kc_free(&dgamma0), kc_free(&dbeta0);
        }
    }
    kc_report(w, variants);
}

static void batchnorm(void **state) {
    (void)state;
    kc_seed(33);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst moment[KC_MAX_VARIANTS], apply[KC_MAX_VARIANTS], back[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(moment, k, variants, UW_OP_colmoments);
    kc_worst_init(apply, k, variants, UW_OP_batchnorm_apply);
    kc_worst_init(back, k, variants, UW_OP_batchnorm_backward);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES * 2; at++) {
            const size_t rows = shapes[at / 2].rows, c = shapes[at / 2].c,
                         ld = c + (at & 1 ? 5 : 0);
            const size_t n = rows ? (rows - 1) * ld + c : 0;
            kc_buffer x = shifted(n, 50), dy = kc_random(n, 1), y = kc_alloc(n), dx = kc_alloc(n);
            kc_buffer mean = kc_alloc(c), var = kc_alloc(c), rstd = kc_alloc(c);
            kc_buffer gamma = kc_random(c, 1.5), beta = kc_random(c, 1.5);
            kc_buffer dgamma = kc_random(c, 1), dbeta = kc_random(c, 1);
            kc_buffer dgamma0 = kc_copy(&dgamma), dbeta0 = kc_copy(&dbeta);
            k[v].colmoments(mean.p, var.p, x.p, rows, c, ld);
            for (size_t j = 0; j < c; j++) rstd.p[j] = 1 / sqrtf(var.p[j] + 1e-5f);
            k[v].batchnorm_apply(y.p, ld, x.p, ld, mean.p, rstd.p, gamma.p, beta.p, rows, c);
            k[v].batchnorm_backward(dx.p, dgamma.p, dbeta.p, dy.p, x.p, mean.p, rstd.p, gamma.p,
                                    rows, c, ld);
            for (size_t j = 0; j < c && rows; j++) {
                double m, variance, scale = 0, shift = 0, scale_size = 0, shift_size = 0;
                moments(x.p + j, rows, ld, &m, &variance);
                kc_near(&moment[v], (double)mean.p[j], m, eps * fabs(m), "mean", j);
                kc_near(&moment[v], (double)var.p[j], variance, 4 * eps * variance + 1e-12, "var",
                        j);
                const double centre = (double)mean.p[j], r = (double)rstd.p[j];
                for (size_t i = 0; i < rows; i++) {
                    const double d = (double)dy.p[i * ld + j];
                    const double unit = ((double)x.p[i * ld + j] - centre) * r;
                    const double scaled = unit * (double)gamma.p[j];
                    kc_near(&apply[v], (double)y.p[i * ld + j], scaled + (double)beta.p[j],
                            4 * eps * (fabs(scaled) + fabs((double)beta.p[j])), "y", i * ld + j);
                    scale += d * unit, shift += d;
                    scale_size += fabs(d * unit), shift_size += fabs(d);
                }
                check_dx(&back[v], dx.p + j, NULL, dy.p + j, x.p + j, gamma.p + j, 0, rows, ld,
                         centre, r, 8);
                const double old_scale = (double)dgamma0.p[j], old_shift = (double)dbeta0.p[j];
                kc_near(&back[v], (double)dgamma.p[j], old_scale + scale,
                        4 * eps * (scale_size + fabs(old_scale)), "dgamma", j);
                kc_near(&back[v], (double)dbeta.p[j], old_shift + shift,
                        eps * (shift_size + fabs(old_shift)), "dbeta", j);
            }
            for (size_t i = 0; i < n; i++) {
                if (i % ld >= c) assert_true(isnan(y.p[i]) && isnan(dx.p[i])); /* untouched */
            }
            kc_free(&x), kc_free(&dy), kc_free(&y), kc_free(&dx), kc_free(&mean), kc_free(&var);
            kc_free(&rstd), kc_free(&gamma), kc_free(&beta), kc_free(&dgamma), kc_free(&dbeta);
            kc_free(&dgamma0), kc_free(&dbeta0);
        }
    }
    kc_report(moment, variants);
    kc_report(apply, variants);
    kc_report(back, variants);
}

/* Scores of moderate size: relative to every entry.  Of any size: 16 eps in all. */
static void check_softmax(const uw_kernels *k, kc_worst *w, size_t rows, size_t cols, bool causal,
                          double size) {
    const size_t ld = cols + 3;
    const float scale = kc_below(2) ? 0.125f : -0.7f;
    kc_buffer s = kc_random(rows ? (rows - 1) * ld + cols : 0, size / fabs((double)scale));
    for (size_t i = 0; i < s.n; i++) {
        if (i % ld >= cols) s.p[i] = kc_canary;
    }
    kc_buffer p = kc_copy(&s);
    k->softmax(p.p, rows, cols, ld, scale, causal);
    for (size_t r = 0; r < rows; r++) {
        const float *row = s.p + r * ld;
        size_t seen = cols;
        if (causal) seen = r + cols + 1 > rows ? r + cols + 1 - rows : 0;
        double top = -INFINITY, sum = 0;
        for (size_t j = 0; j < seen; j++) top = fmax(top, (double)scale * (double)row[j]);
        for (size_t j = 0; j < seen; j++) sum += exp((double)scale * (double)row[j] - top);
        for (size_t j = 0; j < cols; j++) {
            const double exact = j < seen ? exp((double)scale * (double)row[j] - top) / sum : 0;
            kc_near(w, (double)p.p[r * ld + j], exact, 16 * eps * (size > 8 ? 1 : exact), "p",
                    r * ld + j);
        }
    }
    for (size_t i = 0; i < s.n; i++) {
        if (i % ld >= cols && p.p[i] != kc_canary) fail_msg("softmax wrote between rows");
    }
    kc_free(&s), kc_free(&p);
}

static void softmax(void **state) {
    (void)state;
    kc_seed(34);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_softmax);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES; at++) {
            for (int causal = 0; causal < 2; causal++) {
                check_softmax(&k[v], &w[v], shapes[at].rows, shapes[at].c, causal, 4);
                check_softmax(&k[v], &w[v], shapes[at].rows, shapes[at].c, causal, 3000);
            }
        }
        check_softmax(&k[v], &w[v], 3, 5, true, 4); /* more to see than rows ... */
        check_softmax(&k[v], &w[v], 7, 4, true, 4); /* ... and first rows that see nothing */
    }
    kc_report(w, variants);
}

static void softmax_backward(void **state) {
    (void)state;
    kc_seed(35);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_softmax_backward);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES; at++) {
            const size_t rows = shapes[at].rows, cols = shapes[at].c, ld = cols + 2;
            const size_t n = rows ? (rows - 1) * ld + cols : 0;
            kc_buffer p = kc_random(n, 1), dp = kc_random(n, 1), ds = kc_copy(&dp);
            const double scale = 0.125;
            k[v].softmax_backward(ds.p, p.p, rows, cols, ld, (float)scale);
            for (size_t r = 0; r < rows; r++) {
                double sum = 0, size = 0;
                for (size_t j = r * ld; j < r * ld + cols; j++) {
                    sum += (double)p.p[j] * (double)dp.p[j];
                    size += fabs((double)p.p[j] * (double)dp.p[j]);
                }
                for (size_t j = r * ld; j < r * ld + cols; j++) {
                    const double weight = scale * (double)p.p[j], d = (double)dp.p[j];
                    kc_near(&w[v], (double)ds.p[j], weight * (d - sum),
                            4 * eps * fabs(weight) * (fabs(d) + size), "ds", j);
                }
            }
            for (size_t i = 0; i < n; i++) {
                if (i % ld >= cols) assert_true(ds.p[i] == dp.p[i]);
            }
            kc_free(&p), kc_free(&dp), kc_free(&ds);
        }
    }
    kc_report(w, variants);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layernorm),
        cmocka_unit_test(norm),
        cmocka_unit_test(layernorm_backward),
        cmocka_unit_test(batchnorm),
        cmocka_unit_test(softmax),
        cmocka_unit_test(softmax_backward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
