/* Sums, column sums, squared distances and SIGReg's sums: every variant against double. */
#include "kernel_check.h"

enum { MAX_OPS = 3 };

static void sums(void **state) {
    (void)state;
    kc_seed(41);
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    static const int ops[MAX_OPS] = {UW_OP_sum, UW_OP_sumsq, UW_OP_dot};
    kc_worst w[MAX_OPS][KC_MAX_VARIANTS];
    for (int op = 0; op < MAX_OPS; op++) kc_worst_init(w[op], k, variants, ops[op]);
    for (int v = 0; v < variants; v++) {
        for (const size_t *n = kc_sizes; *n != SIZE_MAX; n++) {
            kc_buffer x = kc_random(*n, 1), y = kc_random(*n, 1);
            const double got[MAX_OPS] = {k[v].sum(x.p, *n), k[v].sumsq(x.p, *n),
                                         k[v].dot(x.p, y.p, *n)};
            for (int op = 0; op < MAX_OPS; op++) {
                double sum = 0, size = 0;
                for (size_t i = 0; i < *n; i++) {
                    const double other = op == 0 ? 1 : op == 1 ? (double)x.p[i] : (double)y.p[i];
                    sum += (double)x.p[i] * other;
                    size += fabs((double)x.p[i] * other);
                }
                /* Twice the worst of two sums in double, of which either may be the exact one. */
                kc_near(&w[op][v], got[op], sum, 2 * (double)*n * DBL_EPSILON * size, "sum", *n);
            }
            kc_free(&x), kc_free(&y);
        }
    }
    for (int op = 0; op < MAX_OPS; op++) kc_report(w[op], variants);
}

static const struct {
    size_t rows, c, pad;
} shapes[] = {{0, 5, 0}, {4, 0, 2}, {1, 1, 0}, {3, 7, 1}, {300, 16, 0}, {77, 33, 3}, {19, 192, 8}};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

static void column_sums(void **state) {
    (void)state;
    kc_seed(42);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_colsum);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES * 2; at++) {
            const size_t rows = shapes[at / 2].rows, c = shapes[at / 2].c;
            const size_t ld = c + shapes[at / 2].pad;
            const bool accumulate = at & 1;
            kc_buffer x = kc_random(rows ? (rows - 1) * ld + c : 0, 1), old = kc_random(c, 1);
            kc_buffer out = accumulate ? kc_copy(&old) : kc_alloc(c);
            k[v].colsum(out.p, x.p, rows, c, ld, accumulate);
            for (size_t j = 0; j < c; j++) {
                double sum = accumulate ? (double)old.p[j] : 0, size = fabs(sum);
                for (size_t r = 0; r < rows; r++) {
                    sum += (double)x.p[r * ld + j];
                    size += fabs((double)x.p[r * ld + j]);
                }
                kc_near(&w[v], (double)out.p[j], sum, 2 * eps * size, "column", j);
            }
            kc_free(&x), kc_free(&old), kc_free(&out);
        }
    }
    kc_report(w, variants);
}

static void squared_distances(void **state) {
    (void)state;
    kc_seed(43);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_sqdist);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_SHAPES; at++) {
            const size_t n = shapes[at].rows, d = shapes[at].c, ld = d + shapes[at].pad;
            kc_buffer z = kc_random(n ? (n - 1) * ld + d : 0, 1), goal = kc_random(d, 1);
            kc_buffer cost = kc_alloc(n);
            k[v].sqdist(cost.p, z.p, goal.p, n, d, ld);
            for (size_t i = 0; i < n; i++) {
                double sum = 0;
                for (size_t j = 0; j < d; j++) {
                    const double off = (double)z.p[i * ld + j] - (double)goal.p[j];
                    sum += off * off;
                }
                kc_near(&w[v], (double)cost.p[i], sum, 2 * (double)(d + 2) * eps * sum, "cost", i);
            }
            kc_free(&z), kc_free(&goal), kc_free(&cost);
        }
    }
    kc_report(w, variants);
}

static const struct {
    size_t b, p, pad, knots;
    double spread; /* of h; 0: every h is the same 4.9, so that errors cannot average out */
} fields[] = {{0, 5, 0, 3, 1},     {5, 0, 0, 3, 1},    {3, 4, 0, 0, 1},     {1, 1, 0, 1, 1},
              {7, 9, 2, 17, 1},    {64, 16, 0, 17, 1}, {130, 33, 3, 17, 3}, {33, 20, 0, 33, 1},
              {256, 16, 0, 17, 0}, {66, 17, 0, 33, 0}, {5, 3, 0, 70, 1}};
enum { NUM_FIELDS = sizeof fields / sizeof *fields };

static kc_buffer projections(size_t at) {
    const size_t b = fields[at].b, ld = fields[at].p + fields[at].pad;
    kc_buffer h = kc_normal(b ? (b - 1) * ld + fields[at].p : 0);
    for (size_t i = 0; i < h.n; i++)
        h.p[i] = fields[at].spread > 0 ? h.p[i] * (float)fields[at].spread : 4.9f;
    return h;
}

static void sigreg_sums(void **state) {
    (void)state;
    kc_seed(44);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_sigreg_sums);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_FIELDS; at++) {
            const size_t b = fields[at].b, p = fields[at].p, ld = p + fields[at].pad;
            const size_t knots = fields[at].knots;
            const float dt = 3.0f / 16;
            kc_buffer h = projections(at), c = kc_alloc(knots * p), s = kc_alloc(knots * p);
            k[v].sigreg_sums(c.p, s.p, h.p, b, p, ld, dt, knots);
            for (size_t i = 0; i < knots * p; i++) {
                const double t = (double)dt * (double)(i / p);
                double cosines = 0, sines = 0;
                for (size_t r = 0; r < b; r++) {
                    cosines += cos(t * (double)h.p[r * ld + i % p]);
                    sines += sin(t * (double)h.p[r * ld + i % p]);
                }
                kc_near(&w[v], (double)c.p[i], cosines, 8 * (double)b * eps, "cos", i);
                kc_near(&w[v], (double)s.p[i], sines, 8 * (double)b * eps, "sin", i);
            }
            kc_free(&h), kc_free(&c), kc_free(&s);
        }
    }
    kc_report(w, variants);
}

static void sigreg_backward(void **state) {
    (void)state;
    kc_seed(45);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_sigreg_backward);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_FIELDS; at++) {
            const size_t b = fields[at].b, p = fields[at].p, ld = p + fields[at].pad;
            const size_t knots = fields[at].knots;
            const float dt = 3.0f / 16;
            kc_buffer h = projections(at), dh = kc_alloc(h.n);
            kc_buffer gc = kc_random(knots * p, 1), gs = kc_random(knots * p, 1);
            k[v].sigreg_backward(dh.p, gc.p, gs.p, h.p, b, p, ld, dt, knots);
            for (size_t i = 0; i < h.n; i++) {
                double sum = 0, size = 0;
                if (i % ld >= p) {
                    assert_true(isnan(dh.p[i])); /* untouched */
                    continue;
                }
                for (size_t knot = 0; knot < knots; knot++) {
                    const double t = (double)dt * (double)knot, angle = t * (double)h.p[i];
                    const double c = (double)gc.p[knot * p + i % ld];
                    const double s = (double)gs.p[knot * p + i % ld];
                    sum += t * (s * cos(angle) - c * sin(angle));
                    size += t * (fabs(s) + fabs(c));
                }
                kc_near(&w[v], (double)dh.p[i], sum, 8 * (double)(knots + 2) * eps * size, "dh", i);
            }
            kc_free(&h), kc_free(&dh), kc_free(&gc), kc_free(&gs);
        }
    }
    kc_report(w, variants);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(column_sums),
        cmocka_unit_test(squared_distances),
        cmocka_unit_test(sigreg_sums),
        cmocka_unit_test(sigreg_backward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
