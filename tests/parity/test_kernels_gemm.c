/* The matrix product of every variant against sums in double: all transpositions, packed operands,
 * bias, accumulation, epilogues, every tail, guarded ends, and rows that do not depend on how the
 * caller cuts M. */
#include "kernel_check.h"

typedef struct problem {
    size_t m, n, k;
    bool trans_a, trans_b, packed, bias, accumulate;
    uw_epilogue epilogue;
    bool sum;   /* GELU keeps its sums */
    bool alias; /* the residual is C itself */
    size_t pad; /* extra elements in every leading dimension */
} problem;

/* Random inputs of a problem; c holds what stands in C before. */
typedef struct inputs {
    uw_gemm_args g;
    kc_buffer a, b, bias, c, residual, gate;
} inputs;

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

/* A matrix [rows, cols] with canaries between its rows. */
static kc_buffer padded(size_t rows, size_t cols, size_t ld) {
    kc_buffer x = kc_random(stored(rows, cols, ld), 1);
    for (size_t i = 0; i < x.n; i++) {
        if (i % ld >= cols) x.p[i] = kc_canary;
    }
    return x;
}

static inputs inputs_new(const problem *p) {
    const size_t a_rows = p->trans_a ? p->k : p->m, a_cols = p->trans_a ? p->m : p->k;
    const size_t b_rows = p->trans_b ? p->n : p->k, b_cols = p->trans_b ? p->k : p->n;
    inputs x = {.g = {.trans_a = p->trans_a,
                      .trans_b = p->trans_b,
                      .accumulate = p->accumulate,
                      .m = p->m,
                      .n = p->n,
                      .k = p->k,
                      .lda = a_cols + p->pad,
                      .ldb = b_cols + p->pad,
                      .ldc = p->n + p->pad,
                      .epilogue = p->epilogue,
                      .ld_residual = p->n + (p->alias ? p->pad : 2 * p->pad),
                      .ld_gate = p->n + 3 * p->pad}};
    uw_gemm_args *g = &x.g;
    x.a = kc_random(stored(a_rows, a_cols, g->lda), 1);
    x.b = kc_random(stored(b_rows, b_cols, g->ldb), 1);
    x.bias = kc_random(p->n, 1);
    x.c = padded(p->m, p->n, g->ldc);
    x.residual = kc_random(stored(p->m, p->n, g->ld_residual), 1);
    x.gate = kc_random(stored(p->m, p->n, g->ld_gate), 1);
    if (!p->accumulate && !p->alias) {
        for (size_t i = 0; i < x.c.n; i++)
            if (x.c.p[i] != kc_canary) x.c.p[i] = NAN; /* not to be read */
    }
    g->a = x.a.p, g->b = x.b.p, g->bias = p->bias ? x.bias.p : NULL;
    return x;
}

static void inputs_free(inputs *x) {
    kc_free(&x->a), kc_free(&x->b), kc_free(&x->bias);
    kc_free(&x->c), kc_free(&x->residual), kc_free(&x->gate);
}

/* op(B) as gemm_pack of k lays it out, guarded. */
static kc_buffer packed_new(const uw_kernels *k, const uw_gemm_args *g) {
    kc_buffer packed = kc_alloc(uw__gemm_packed_bytes(g->n, g->k) / sizeof(float));
    k->gemm_pack(packed.p, g->b, g->ldb, g->trans_b, g->n, g->k);
    return packed;
}

/* An exact entry and the bound on its error. */
typedef struct entry {
    double value, bound;
} entry;

static entry exact_sum(const inputs *x, size_t i, size_t j) {
    const uw_gemm_args *g = &x->g;
    double sum = 0, size = 0;
    for (size_t k = 0; k < g->k; k++) {
        const double a = (double)g->a[g->trans_a ? k * g->lda + i : i * g->lda + k];
        const double b = (double)g->b[g->trans_b ? j * g->ldb + k : k * g->ldb + j];
        sum += a * b;
        size += fabs(a * b);
    }
    if (g->bias) sum += (double)g->bias[j], size += fabs((double)g->bias[j]);
    if (g->accumulate) {
        sum += (double)x->c.p[i * g->ldc + j];
        size += fabs((double)x->c.p[i * g->ldc + j]);
    }
    return (entry){sum, 2 * (double)(g->k + 4) * eps * size};
}

/* The epilogue of sum s: its slope carries the sum's error, its own rounding comes on top. */
static entry exact_result(const inputs *x, bool alias, size_t i, size_t j, entry s) {
    const uw_gemm_args *g = &x->g;
    const double r =
        (double)(alias ? x->c.p[i * g->ldc + j] : x->residual.p[i * g->ld_residual + j]);
    const double gate = (double)x->gate.p[i * g->ld_gate + j];
    switch (g->epilogue) {
    case UW_EPILOGUE_GELU:
        return (entry){0.5 * s.value * (1 + erf(s.value * sqrt(0.5))),
                       1.13 * s.bound + 4 * eps * (fabs(s.value) + 1)};
    case UW_EPILOGUE_ADD:
        return (entry){r + s.value, s.bound + eps * (fabs(r) + fabs(s.value))};
    case UW_EPILOGUE_GATE:
        return (entry){r + gate * s.value,
                       fabs(gate) * s.bound + 2 * eps * (fabs(r) + fabs(gate * s.value))};
    case UW_EPILOGUE_NONE:
        break;
    }
    return s;
}

/* The exact sums and results of a problem, [M, N] each. */
typedef struct expected {
    entry *sum, *result;
} expected;

static expected expected_new(const inputs *x, bool alias) {
    const size_t m = x->g.m, n = x->g.n;
    expected e = {malloc((m * n + 1) * sizeof(entry)), malloc((m * n + 1) * sizeof(entry))};
    assert_non_null(e.sum);
    assert_non_null(e.result);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            e.sum[i * n + j] = exact_sum(x, i, j);
            e.result[i * n + j] = exact_result(x, alias, i, j, e.sum[i * n + j]);
        }
    }
    return e;
}

/* got, sums: C and the sums of GELU (or NULL) of one variant. */
static void compare(kc_worst *w, const uw_gemm_args *g, const expected *e, const char *where,
                    const float *got, const float *sums) {
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            const size_t at = i * g->n + j;
            const entry y = e->result[at], s = e->sum[at];
            kc_near(w, (double)got[i * g->ldc + j], y.value, y.bound, where, at);
            if (sums) kc_near(w, (double)sums[i * g->ldc + j], s.value, s.bound, where, at);
        }
        for (size_t j = g->n; j < g->ldc && i + 1 < g->m; j++) {
            if (got[i * g->ldc + j] != kc_canary || (sums && sums[i * g->ldc + j] != kc_canary))
                fail_msg("%s %s: wrote between rows of C", w->isa, where);
        }
    }
}

static void check_problem(const uw_kernels *k, kc_worst *w, int variants, const problem *p,
                          float *scratch) {
    static const char *const names[] = {"", " gelu", " add", " gate"};
    char where[128];
    snprintf(where, sizeof where, "%zu x %zu x %zu%s%s%s%s%s%s%s%s pad %zu", p->m, p->n, p->k,
             p->trans_a ? " A^T" : "", p->trans_b ? " B^T" : "", p->packed ? " packed" : "",
             p->bias ? " bias" : "", p->accumulate ? " +=" : "", names[p->epilogue],
             p->sum ? " sum" : "", p->alias ? " in C" : "", p->pad);
    inputs x = inputs_new(p);
    expected e = expected_new(&x, p->alias);
    for (int v = 0; v < variants; v++) {
        kc_buffer c = kc_copy(&x.c), sums = kc_copy(&x.c);
        kc_buffer packed = p->packed ? packed_new(&k[v], &x.g) : kc_alloc(0);
        uw_gemm_args g = x.g;
        g.c = c.p;
        g.residual = p->alias ? c.p : x.residual.p;
        g.gate = x.gate.p;
        g.sum = p->sum ? sums.p : NULL;
        if (p->packed) g.packed = packed.p, g.b = NULL;
        k[v].gemm(&g, scratch);
        compare(&w[v], &g, &e, where, c.p, g.sum);
        kc_free(&c), kc_free(&sums), kc_free(&packed);
    }
    free(e.sum), free(e.result);
    inputs_free(&x);
}

/* A problem of this size, what else there is to choose drawn. */
static problem drawn(size_t m, size_t n, size_t k, bool trans_a, bool trans_b) {
    problem p = {.m = m, .n = n, .k = k, .trans_a = trans_a, .trans_b = trans_b};
    p.packed = kc_below(2);
    p.bias = kc_below(2);
    p.epilogue = (uw_epilogue)kc_below(4);
    p.accumulate = p.epilogue == UW_EPILOGUE_NONE && kc_below(2);
    p.sum = p.epilogue == UW_EPILOGUE_GELU && kc_below(2);
    p.alias = p.epilogue >= UW_EPILOGUE_ADD && kc_below(2);
    p.pad = kc_below(2) ? 3 : 0;
    return p;
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
                    const problem p = drawn(*m, *n, *depth, flags & 1, flags & 2);
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

/* Deeper and wider than the scratch holds: op(B) passes in parts, and sums wait for an epilogue. */
static void beyond_the_scratch(void **state) {
    (void)state;
    kc_seed(4);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_gemm);
    float *scratch = scratch_new();
    for (unsigned at = 0; at < 4 * 4; at++) {
        const uw_epilogue epilogue = (uw_epilogue)(at % 4);
        const bool deep = at & 8, trans_a = at & 4;
        const problem p = {.m = 13,
                           .n = deep ? 99 : 523,
                           .k = deep ? 4217 : 513,
                           .trans_a = trans_a,
                           .trans_b = !trans_a,
                           .bias = true,
                           .accumulate = epilogue == UW_EPILOGUE_NONE,
                           .epilogue = epilogue,
                           .sum = epilogue == UW_EPILOGUE_GELU,
                           .alias = epilogue >= UW_EPILOGUE_ADD,
                           .pad = 1};
        check_problem(k, w, variants, &p, scratch);
    }
    kc_report(w, variants);
    free(scratch);
}

/* A caller may give any rows to any thread: the bits of a row stay the same. */
static void rows_do_not_depend_on_the_cut(void **state) {
    (void)state;
    kc_seed(3);
    enum { M = 271 };
    static const size_t ns[] = {5, 16, 32, 50, 128, 500}, ks[] = {3, 34, 144, 588};
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    float *scratch = scratch_new();
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < 6 * 4 * 2 * 2; at++) {
            problem p = drawn(M, ns[at % 6], ks[at / 6 % 4], false, at / 24 % 2);
            p.packed = at / 48;
            inputs x = inputs_new(&p);
            kc_buffer whole = kc_copy(&x.c), parts = kc_copy(&x.c);
            kc_buffer packed = packed_new(&k[v], &x.g);
            uw_gemm_args g = x.g;
            if (p.packed) g.packed = packed.p;
            g.c = whole.p, g.residual = p.alias ? whole.p : x.residual.p, g.gate = x.gate.p;
            k[v].gemm(&g, scratch);
            for (size_t i = 0, rows; i < M; i += rows) {
                rows = 1 + kc_below(100);
                if (rows > M - i) rows = M - i;
                g.m = rows, g.a = x.a.p + i * g.lda, g.c = parts.p + i * g.ldc;
                g.residual = p.alias ? g.c : x.residual.p + i * g.ld_residual;
                g.gate = x.gate.p + i * g.ld_gate;
                k[v].gemm(&g, scratch);
            }
            assert_memory_equal(whole.p, parts.p, whole.n * sizeof(float));
            kc_free(&whole), kc_free(&parts), kc_free(&packed);
            inputs_free(&x);
        }
    }
    free(scratch);
}

/* A NaN or an infinity in one row of A or column of B stays in that row or column. */
static void non_finite_values_stay_where_they_are(void **state) {
    (void)state;
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    float *scratch = scratch_new();
    for (int v = 0; v < variants; v++) {
        for (unsigned at = 0; at < 2 * 4; at++) {
            const problem p = {.m = 30, .n = 41, .k = 37, .epilogue = (uw_epilogue)(at / 2)};
            inputs x = inputs_new(&p);
            x.a.p[11 * p.k + p.k - 1] = NAN;
            x.b.p[(p.k - 1) * p.n + 7] = INFINITY;
            kc_buffer packed = packed_new(&k[v], &x.g);
            uw_gemm_args g = x.g;
            g.c = x.c.p, g.residual = x.residual.p, g.gate = x.gate.p;
            if (at % 2) g.packed = packed.p;
            k[v].gemm(&g, scratch);
            for (size_t i = 0; i < p.m; i++) {
                for (size_t j = 0; j < p.n; j++) {
                    if (i == 11) assert_true(isnan(x.c.p[i * p.n + j]));
                    /* gelu(-infinity) is 0 or NaN */
                    if (i != 11 && (j != 7 || p.epilogue != UW_EPILOGUE_GELU))
                        assert_int_equal(isfinite(x.c.p[i * p.n + j]) != 0, j != 7);
                }
            }
            kc_free(&packed);
            inputs_free(&x);
        }
    }
    free(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_sizes),
        cmocka_unit_test(large_sizes),
        cmocka_unit_test(beyond_the_scratch),
        cmocka_unit_test(rows_do_not_depend_on_the_cut),
        cmocka_unit_test(non_finite_values_stay_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
