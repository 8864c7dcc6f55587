/* The matrix product of every variant against sums in double: all transpositions, bias,
 * accumulation, every tail, guarded ends, and rows that do not depend on how the caller cuts M. */
#include "kernel_check.h"

typedef struct problem {
    size_t m, n, k;
    bool trans_a, trans_b, bias, accumulate;
    size_t pad; /* extra elements in every leading dimension */
} problem;

/* NaN everywhere: nothing may be read from it before it is written. */
static float *scratch_new(void) {
    float *scratch = malloc(UW_GEMM_SCRATCH * sizeof *scratch);
    assert_non_null(scratch);
    for (size_t i = 0; i < UW_GEMM_SCRATCH; i++) scratch[i] = NAN;
    return scratch;
}

/* Elements of a stored matrix of `rows` rows: the last row has no padding behind it. */
static size_t stored(size_t rows, size_t cols, size_t ld) {
    return rows ? (rows - 1) * ld + cols : 0;
}

/* The exact entry (i, j) and the bound on its error. */
static double exact_entry(const uw_gemm_args *g, const float *old, size_t i, size_t j,
                          double *bound) {
    double sum = 0, size = 0;
    for (size_t k = 0; k < g->k; k++) {
        const double a = (double)g->a[g->trans_a ? k * g->lda + i : i * g->lda + k];
        const double b = (double)g->b[g->trans_b ? j * g->ldb + k : k * g->ldb + j];
        sum += a * b;
        size += fabs(a * b);
    }
    if (g->bias) sum += (double)g->bias[j], size += fabs((double)g->bias[j]);
    if (g->accumulate) {
        sum += (double)old[i * g->ldc + j];
        size += fabs((double)old[i * g->ldc + j]);
    }
    *bound = 2 * (double)(g->k + 4) * eps * size;
    return sum;
}

/* got[v]: the C of variant v. */
static void compare(kc_worst *w, int variants, const uw_gemm_args *g, const float *old,
                    const kc_buffer *got) {
    char where[96];
    snprintf(where, sizeof where, "%zu x %zu x %zu%s%s%s%s ldc %zu", g->m, g->n, g->k,
             g->trans_a ? " A^T" : "", g->trans_b ? " B^T" : "", g->bias ? " bias" : "",
             g->accumulate ? " +=" : "", g->ldc);
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            double bound;
            const double exact = exact_entry(g, old, i, j, &bound);
            for (int v = 0; v < variants; v++)
                kc_near(&w[v], (double)got[v].p[i * g->ldc + j], exact, bound, where, i * g->n + j);
        }
        for (size_t j = g->n; j < g->ldc && i + 1 < g->m; j++) {
            for (int v = 0; v < variants; v++) {
                if (got[v].p[i * g->ldc + j] != kc_canary)
                    fail_msg("%s %s: wrote between rows of C", w[v].isa, where);
            }
        }
    }
}

static void check_problem(const uw_kernels *k, kc_worst *w, int variants, const problem *p,
                          float *scratch) {
    const size_t a_rows = p->trans_a ? p->k : p->m, a_cols = p->trans_a ? p->m : p->k;
    const size_t b_rows = p->trans_b ? p->n : p->k, b_cols = p->trans_b ? p->k : p->n;
    uw_gemm_args g = {.trans_a = p->trans_a,
                      .trans_b = p->trans_b,
                      .accumulate = p->accumulate,
                      .m = p->m,
                      .n = p->n,
                      .k = p->k,
                      .lda = a_cols + p->pad,
                      .ldb = b_cols + p->pad,
                      .ldc = p->n + p->pad};
    kc_buffer a = kc_random(stored(a_rows, a_cols, g.lda), 1);
    kc_buffer b = kc_random(stored(b_rows, b_cols, g.ldb), 1);
    kc_buffer bias = kc_random(p->n, 1), old = kc_alloc(stored(p->m, p->n, g.ldc));
    for (size_t i = 0; i < old.n; i++) {
        if (i % g.ldc >= p->n)
            old.p[i] = kc_canary;
        else if (p->accumulate)
            old.p[i] = kc_uniform(1);
    }
    g.a = a.p, g.b = b.p, g.bias = p->bias ? bias.p : NULL;
    kc_buffer c[KC_MAX_VARIANTS];
    for (int v = 0; v < variants; v++) {
        c[v] = kc_copy(&old);
        g.c = c[v].p;
        k[v].gemm(&g, scratch);
    }
    compare(w, variants, &g, old.p, c);
    for (int v = 0; v < variants; v++) kc_free(&c[v]);
    kc_free(&a), kc_free(&b), kc_free(&bias), kc_free(&old);
}

static void check_sizes(const size_t *ms, const size_t *ns, const size_t *ks) {
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_gemm);
    float *scratch = scratch_new();
    for (const size_t *m = ms; *m != SIZE_MAX; m++) {
        for (const size_t *n = ns; *n != SIZE_MAX; n++) {
            for (const size_t *depth = ks; *depth != SIZE_MAX; depth++) {
                for (unsigned flags = 0; flags < 4; flags++) {
                    const unsigned extra = (unsigned)kc_below(4);
                    const problem p = {*m,        *n,        *depth,    flags & 1,
                                       flags & 2, extra & 1, extra & 2, kc_below(2) ? 3 : 0};
                    check_problem(k, w, variants, &p, scratch);
                }
            }
        }
    }
    kc_report(w, variants);
    free(scratch);
}

static void small_sizes(void **state) {
    (void)state;
    kc_seed(1);
    static const size_t m[] = {0, 1, 2, 5, 6, 13, 25, SIZE_MAX};
    static const size_t n[] = {0, 1, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 50, 64, SIZE_MAX};
    static const size_t k[] = {0, 1, 2, 3, 5, 11, 16, SIZE_MAX};
    check_sizes(m, n, k);
}

/* Past every block size: rows, columns and depth are cut, and packing is worth its while. */
static void large_sizes(void **state) {
    (void)state;
    kc_seed(2);
    static const size_t m[] = {33, 250, SIZE_MAX};
    static const size_t n[] = {16, 34, 531, SIZE_MAX};
    static const size_t k[] = {34, 129, 270, SIZE_MAX};
    check_sizes(m, n, k);
    static const size_t few[] = {7, SIZE_MAX}, long_k[] = {3001, SIZE_MAX};
    check_sizes(few, n, long_k);
}

/* A caller may give any rows to any thread: the bits of a row stay the same. */
static void rows_do_not_depend_on_the_cut(void **state) {
    (void)state;
    kc_seed(3);
    enum { M = 271 };
    static const size_t ns[] = {5, 16, 32, 50, 128, 500}, ks[] = {3, 34, 144, 288};
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    float *scratch = scratch_new();
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < 6 * 4 * 2; at++) {
            const size_t n = ns[at % 6], depth = ks[at / 6 % 4];
            const bool trans_b = at / 24;
            kc_buffer a = kc_random(M * depth, 1), b = kc_random(n * depth, 1);
            kc_buffer whole = kc_alloc(M * n), parts = kc_alloc(M * n);
            uw_gemm_args g = {.trans_b = trans_b,
                              .m = M,
                              .n = n,
                              .k = depth,
                              .a = a.p,
                              .lda = depth,
                              .b = b.p,
                              .ldb = trans_b ? depth : n,
                              .c = whole.p,
                              .ldc = n};
            k[v].gemm(&g, scratch);
            for (size_t i = 0, rows; i < M; i += rows) {
                rows = 1 + kc_below(100);
                if (rows > M - i) rows = M - i;
                g.m = rows, g.a = a.p + i * depth, g.c = parts.p + i * n;
                k[v].gemm(&g, scratch);
            }
            assert_memory_equal(whole.p, parts.p, M * n * sizeof(float));
            kc_free(&a), kc_free(&b), kc_free(&whole), kc_free(&parts);
        }
    }
    free(scratch);
}

/* A NaN or an infinity in one row of A or column of B stays in that row or column. */
static void non_finite_values_stay_where_they_are(void **state) {
    (void)state;
    enum { M = 30, N = 41, K = 37 };
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    float *scratch = scratch_new();
    for (int v = 0; v < variants; v++) {
        kc_buffer a = kc_random(M * K, 1), b = kc_random(K * N, 1), c = kc_alloc(M * N);
        a.p[11 * K + K - 1] = NAN;
        b.p[(K - 1) * N + 7] = INFINITY;
        const uw_gemm_args g = {
            .m = M, .n = N, .k = K, .a = a.p, .lda = K, .b = b.p, .ldb = N, .c = c.p, .ldc = N};
        k[v].gemm(&g, scratch);
        for (size_t i = 0; i < M; i++) {
            for (size_t j = 0; j < N; j++)
                assert_int_equal(isfinite(c.p[i * N + j]) != 0, i != 11 && j != 7);
        }
        kc_free(&a), kc_free(&b), kc_free(&c);
    }
    free(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_sizes),
        cmocka_unit_test(large_sizes),
        cmocka_unit_test(rows_do_not_depend_on_the_cut),
        cmocka_unit_test(non_finite_values_stay_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
