/* The bf16 product of every variant against sums in double of the rounded operands: all
 * transpositions, packed and plain, epilogues, operands and results in bf16, every tail, guarded
 * ends, and rows that do not depend on how the caller cuts M.
 *
 * The variants for instructions that few machines have run everywhere there is AVX-512, with those
 * instructions replaced by plain C (tests/support/bf16_unit.h). */
#include "kernel_check.h"

#if defined(UW_X86)
uw_gemm_fn uw_gemm_bf16_soft_dot, uw_gemm_bf16_soft_amx;
#endif

typedef struct variant {
    const char *name;
    uw_gemm_fn *gemm;
    uw_gemm_pack_fn *pack;
    uw_to_bf16_fn *round;
} variant;
enum { MAX_VARIANTS = 7 };

static int variants_new(variant v[MAX_VARIANTS]) {
    static const unsigned masks[] = {0, UW_CPU_AVX2, UW_CPU_AVX2 | UW_CPU_AVX512,
                                     UW_CPU_AVX2 | UW_CPU_AVX512 | UW_CPU_AVX512_BF16,
                                     UW_CPU_AVX2 | UW_CPU_AVX512 | UW_CPU_AVX512_BF16 |
                                         UW_CPU_AMX_BF16};
    static const char *const names[] = {"ref", "avx2", "avx512", "avx512bf16", "amx"};
    const unsigned cpu = uw__cpu_detect();
    int count = 0;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        uw_kernels k = {0};
        uw__kernels_init(&k, cpu & masks[i]);
        if (strcmp(k.chosen[UW_OP_gemm_bf16], names[i]) != 0) {
            printf("no %s on this machine or in this build\n", names[i]);
            continue;
        }
        v[count++] = (variant){names[i], k.gemm_bf16, k.gemm_bf16_pack, k.to_bf16};
#if defined(UW_X86)
        if (!strcmp(names[i], "avx512")) {
            v[count++] = (variant){"soft dot", uw_gemm_bf16_soft_dot, k.gemm_bf16_pack, k.to_bf16};
            v[count++] = (variant){"soft amx", uw_gemm_bf16_soft_amx, k.gemm_bf16_pack, k.to_bf16};
        }
#endif
    }
    return count;
}
static void worst_init(kc_worst *w, const variant *v, int variants) {
    for (int i = 0; i < variants; i++) w[i] = (kc_worst){.op = "gemm_bf16", .isa = v[i].name};
}

/* ---- one problem ------------------------------------------------------------------------------
 */

typedef struct problem {
    size_t m, n, k;
    bool trans_a, trans_b, bias, accumulate, packed, a16, c16, sum, in_place;
    uw_epilogue epilogue;
    size_t pad; /* extra elements in every leading dimension */
} problem;

static float *scratch_new(void) {
    float *scratch = malloc(UW_GEMM_SCRATCH * sizeof *scratch);
    assert_non_null(scratch);
    for (size_t i = 0; i < UW_GEMM_SCRATCH; i++) scratch[i] = NAN;
    return scratch;
}
static size_t stored(size_t rows, size_t cols, size_t ld) {
    return rows ? (rows - 1) * ld + cols : 0;
}
/* 8 significant bits, ties to even; by another road than the kernels'. */
static double nearest_bf16(float x) {
    int exponent;
    const double fraction = frexp((double)x, &exponent);
    return ldexp(nearbyint(ldexp(fraction, 8)), exponent - 8);
}
static float widened(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}
static uint16_t upper_half(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}
/* n values of 16 bits that end where the buffer ends. */
static uint16_t *halves(const kc_buffer *b, size_t n) {
    return (uint16_t *)(void *)(b->p + b->n) - n;
}
static kc_buffer halves_alloc(size_t n) {
    return kc_alloc((n + 1) / 2);
}

/* What all variants are given, and the sums they should find. */
typedef struct setting {
    problem p;
    uw_gemm_args g;
    size_t c_count;
    kc_buffer a, a16, b, bias, old, residual, gate;
    double *exact, *bound; /* [M, N], of the sums */
} setting;

static void setting_sums(setting *s) {
    const uw_gemm_args *g = &s->g;
    double *a = malloc((g->m * g->k + 1) * sizeof *a), *b = malloc((g->k * g->n + 1) * sizeof *b);
    assert_true(a && b);
    for (size_t i = 0; i < g->m; i++)
        for (size_t k = 0; k < g->k; k++)
            a[i * g->k + k] = nearest_bf16(s->a.p[g->trans_a ? k * g->lda + i : i * g->lda + k]);
    for (size_t j = 0; j < g->n; j++)
        for (size_t k = 0; k < g->k; k++)
            b[j * g->k + k] = nearest_bf16(s->b.p[g->trans_b ? j * g->ldb + k : k * g->ldb + j]);
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < g->k; k++) {
                const double term = a[i * g->k + k] * b[j * g->k + k];
                sum += term, size += fabs(term);
            }
            if (g->bias) sum += (double)g->bias[j], size += fabs((double)g->bias[j]);
            if (g->accumulate) {
                const double c = (double)s->old.p[i * g->ldc + j];
                sum += c, size += fabs(c);
            }
            s->exact[i * g->n + j] = sum;
            s->bound[i * g->n + j] = 2 * (double)(g->k + 4) * eps * size;
        }
    }
    free(a), free(b);
}

static setting setting_new(const problem *p) {
    const size_t a_rows = p->trans_a ? p->k : p->m, a_cols = p->trans_a ? p->m : p->k;
    const size_t b_rows = p->trans_b ? p->n : p->k, b_cols = p->trans_b ? p->k : p->n;
    setting s = {.p = *p,
                 .g = {.trans_a = p->trans_a,
                       .trans_b = p->trans_b,
                       .accumulate = p->accumulate,
                       .m = p->m,
                       .n = p->n,
                       .k = p->k,
                       .lda = a_cols + p->pad,
                       .ldb = b_cols + p->pad,
                       .ldc = p->n + p->pad,
                       .epilogue = p->epilogue,
                       .ld_residual = p->n + p->pad,
                       .ld_gate = p->n + 2 * p->pad}};
    s.c_count = stored(p->m, p->n, s.g.ldc);
    s.a = kc_random(stored(a_rows, a_cols, s.g.lda), 1);
    s.b = kc_random(stored(b_rows, b_cols, s.g.ldb), 1);
    s.a16 = halves_alloc(s.a.n);
    s.bias = kc_random(p->n, 1);
    s.old = kc_alloc(s.c_count);
    s.residual = kc_random(s.c_count, 1);
    s.gate = kc_random(stored(p->m, p->n, s.g.ld_gate), 1);
    for (size_t i = 0; i < s.c_count; i++) {
        if (i % s.g.ldc >= p->n)
            s.old.p[i] = kc_canary;
        else if (p->accumulate)
            s.old.p[i] = kc_uniform(1);
        else if (p->in_place)
            s.old.p[i] = s.residual.p[i];
    }
    for (size_t i = 0; i < s.a.n && p->a16; i++) {
        s.a.p[i] = (float)nearest_bf16(s.a.p[i]);
        halves(&s.a16, s.a.n)[i] = upper_half(s.a.p[i]);
    }
    s.g.bias = p->bias ? s.bias.p : NULL;
    s.g.gate = s.gate.p;
    s.exact = malloc((p->m * p->n + 1) * sizeof *s.exact);
    s.bound = malloc((p->m * p->n + 1) * sizeof *s.bound);
    assert_true(s.exact && s.bound);
    setting_sums(&s);
    return s;
}
static void setting_free(setting *s) {
    kc_free(&s->a), kc_free(&s->a16), kc_free(&s->b), kc_free(&s->bias), kc_free(&s->old);
    kc_free(&s->residual), kc_free(&s->gate);
    free(s->exact), free(s->bound);
}

/* The exact result of entry (i, j) and the bound on its error, epilogue and rounding included. */
static double exact_result(const setting *s, size_t i, size_t j, double *bound) {
    const double x = s->exact[i * s->g.n + j], off = s->bound[i * s->g.n + j];
    const double r = (double)s->residual.p[i * s->g.ld_residual + j];
    const double gate = (double)s->gate.p[i * s->g.ld_gate + j];
    double y = x;
    *bound = off;
    if (s->p.epilogue == UW_EPILOGUE_GELU) {
        y = 0.5 * x * (1 + erf(x * 0.70710678118654752));
        *bound = 1.13 * off + (s->p.c16 ? ldexp(1, -15) : 4 * eps) * (fabs(x) + 1);
    } else if (s->p.epilogue == UW_EPILOGUE_ADD) {
        y = r + x;
        *bound = off + eps * fabs(y);
    } else if (s->p.epilogue == UW_EPILOGUE_GATE) {
        y = r + gate * x;
        *bound = fabs(gate) * off + 2 * eps * (fabs(r) + fabs(gate * x));
    }
    if (s->p.c16) *bound += (fabs(y) + *bound) / 256;
    return y;
}

static void check_variant(const setting *s, const variant *v, kc_worst *w, float *scratch) {
    const problem *p = &s->p;
    uw_gemm_args g = s->g;
    char where[128];
    snprintf(where, sizeof where, "%zu x %zu x %zu%s%s%s%s%s%s%s epilogue %d pad %zu", p->m, p->n,
             p->k, p->trans_a ? " A^T" : "", p->trans_b ? " B^T" : "", p->bias ? " bias" : "",
             p->accumulate ? " +=" : "", p->packed ? " packed" : "", p->a16 ? " a16" : "",
             p->c16 ? " c16" : "", (int)p->epilogue, p->pad);
    kc_buffer c = kc_copy(&s->old), c16 = halves_alloc(s->c_count), sum = kc_alloc(s->c_count);
    kc_buffer packed = kc_alloc(p->packed ? uw__gemm_packed_bytes(p->n, p->k) / sizeof(float) : 0);
    uint16_t *to = halves(&c16, s->c_count);
    memset(to, 0xab, s->c_count * sizeof *to);
    if (p->packed) {
        v->pack(packed.p, s->b.p, g.ldb, g.trans_b, g.n, g.k);
        g.packed = packed.p;
        g.trans_b = kc_below(2); /* no longer means anything, nor does b */
    } else {
        g.b = s->b.p;
    }
    if (p->a16) {
        g.a16 = halves(&s->a16, s->a.n);
    } else {
        g.a = s->a.p;
    }
    if (p->c16) {
        g.c16 = to;
    } else {
        g.c = c.p;
    }
    g.residual = p->in_place ? c.p : s->residual.p;
    g.sum = p->sum ? sum.p : NULL;
    v->gemm(&g, scratch);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < g.ldc && i * g.ldc + j < s->c_count; j++) {
            const size_t at = i * g.ldc + j;
            if (j >= p->n) {
                if (c.p[at] != kc_canary || to[at] != 0xabab)
                    fail_msg("%s %s: wrote between rows of C", v->name, where);
                continue;
            }
            double bound;
            const double exact = exact_result(s, i, j, &bound);
            const double got = (double)(p->c16 ? widened(to[at]) : c.p[at]);
            kc_worst of_bf16 = *w; /* rounding fills its bound, which would hide the sums' */
            kc_near(p->c16 ? &of_bf16 : w, got, exact, bound, where, i * p->n + j);
            if (p->sum)
                kc_near(w, (double)sum.p[at], s->exact[i * p->n + j], s->bound[i * p->n + j], where,
                        i * p->n + j);
        }
    }
    kc_free(&c), kc_free(&c16), kc_free(&sum), kc_free(&packed);
}

/* Everything but the shape at random, within what the contract allows. */
static problem random_problem(size_t m, size_t n, size_t k, unsigned trans) {
    problem p = {.m = m, .n = n, .k = k, .trans_a = trans & 1, .trans_b = trans & 2};
    p.epilogue = (uw_epilogue)kc_below(4);
    p.bias = kc_below(2);
    p.packed = kc_below(2);
    p.a16 = !p.trans_a && kc_below(2);
    p.c16 = kc_below(2);
    p.accumulate = p.epilogue == UW_EPILOGUE_NONE && !p.c16 && kc_below(2);
    p.sum = p.epilogue == UW_EPILOGUE_GELU && kc_below(2);
    p.in_place =
        (p.epilogue == UW_EPILOGUE_ADD || p.epilogue == UW_EPILOGUE_GATE) && !p.c16 && kc_below(2);
    p.pad = kc_below(2) ? 3 : 0;
    return p;
}

static void check_sizes(const size_t *ms, const size_t *ns, const size_t *ks, unsigned rounds) {
    variant v[MAX_VARIANTS];
    kc_worst w[MAX_VARIANTS];
    const int variants = variants_new(v);
    worst_init(w, v, variants);
    float *scratch = scratch_new();
    for (const size_t *m = ms; *m != SIZE_MAX; m++) {
        for (const size_t *n = ns; *n != SIZE_MAX; n++) {
            for (const size_t *k = ks; *k != SIZE_MAX; k++) {
                for (unsigned round = 0; round < rounds; round++) {
                    const problem p = random_problem(*m, *n, *k, round);
                    setting s = setting_new(&p);
                    for (int i = 0; i < variants; i++) check_variant(&s, &v[i], &w[i], scratch);
                    setting_free(&s);
                }
            }
        }
    }
    kc_report(w, variants);
    free(scratch);
}

/* ---- the tests ---------------------------------------------------------------------------------
 */

static void small_sizes(void **state) {
    (void)state;
    kc_seed(1);
    static const size_t m[] = {0, 1, 3, 7, 13, 16, 17, 25, 33, SIZE_MAX};
    static const size_t n[] = {0, 1, 8, 15, 16, 17, 33, 48, 66, SIZE_MAX};
    static const size_t k[] = {0, 1, 2, 5, 31, 32, 33, 64, SIZE_MAX};
    check_sizes(m, n, k, 4);
}

/* Past every block size: rows, columns and depth are cut. */
static void large_sizes(void **state) {
    (void)state;
    kc_seed(2);
    static const size_t m[] = {33, 100, SIZE_MAX};
    static const size_t n[] = {50, 130, SIZE_MAX};
    static const size_t k[] = {192, 588, 1029, SIZE_MAX};
    check_sizes(m, n, k, 4);
    static const size_t few[] = {7, 40, SIZE_MAX}, narrow[] = {20, SIZE_MAX};
    static const size_t many[] = {290, SIZE_MAX}, cut[] = {1000, 1029, SIZE_MAX};
    check_sizes(many, narrow, cut, 8);
    check_sizes(few, many, cut, 4);
    static const size_t deep[] = {2048, 4128, 5001, SIZE_MAX};
    check_sizes(few, narrow, deep, 4);
}

/* A caller may give any rows to any thread: the bits of a row stay the same. */
static void rows_do_not_depend_on_the_cut(void **state) {
    (void)state;
    kc_seed(3);
    enum { M = 171 };
    static const size_t ns[] = {5, 32, 50}, ks[] = {3, 34, 192, 1030, 4100};
    variant v[MAX_VARIANTS];
    const int variants = variants_new(v);
    float *scratch = scratch_new();
    for (size_t at = 0; at < 3 * 5 * 2; at++) {
        const size_t n = ns[at % 3], k = ks[at / 3 % 5];
        const bool is_packed = at / 15;
        kc_buffer a = kc_random(M * k, 1), b = kc_random(n * k, 1);
        kc_buffer packed = kc_alloc(uw__gemm_packed_bytes(n, k) / sizeof(float));
        for (int i = 0; i < variants; i++) {
            kc_buffer whole = kc_alloc(M * n), parts = kc_alloc(M * n);
            v[i].pack(packed.p, b.p, k, true, n, k);
            uw_gemm_args g = {.trans_b = true, .m = M, .n = n, .k = k, .a = a.p, .lda = k};
            g.b = b.p, g.ldb = k, g.c = whole.p, g.ldc = n;
            g.packed = is_packed ? packed.p : NULL;
            v[i].gemm(&g, scratch);
            for (size_t row = 0, rows; row < M; row += rows) {
                rows = 1 + kc_below(60);
                if (rows > M - row) rows = M - row;
                g.m = rows, g.a = a.p + row * k, g.c = parts.p + row * n;
                v[i].gemm(&g, scratch);
            }
            if (memcmp(whole.p, parts.p, M * n * sizeof(float)) != 0)
                fail_msg("%s %zu x %zu%s: rows depend on the cut", v[i].name, n, k,
                         is_packed ? " packed" : "");
            kc_free(&whole), kc_free(&parts);
        }
        kc_free(&a), kc_free(&b), kc_free(&packed);
    }
    free(scratch);
}

/* A NaN or an infinity in one row of A or column of B stays in that row or column, also beside
 * what a K that is no multiple of anything is padded with. */
static void non_finite_values_stay_where_they_are(void **state) {
    (void)state;
    enum { M = 30, N = 41, K = 37 };
    variant v[MAX_VARIANTS];
    const int variants = variants_new(v);
    float *scratch = scratch_new();
    for (int i = 0; i < variants * 2; i++) {
        kc_buffer a = kc_random(M * K, 1), b = kc_random(K * N, 1), c = kc_alloc(M * N);
        kc_buffer a16 = halves_alloc(M * K);
        a.p[11 * K + K - 1] = NAN;
        a.p[12 * K] = INFINITY;
        b.p[(K - 1) * N + 7] = INFINITY;
        for (size_t at = 0; at < M * K; at++) halves(&a16, M * K)[at] = upper_half(a.p[at]);
        const uw_gemm_args g = {.m = M,
                                .n = N,
                                .k = K,
                                .a = a.p,
                                .a16 = i % 2 ? halves(&a16, M * K) : NULL,
                                .lda = K,
                                .b = b.p,
                                .ldb = N,
                                .c = c.p,
                                .ldc = N};
        v[i / 2].gemm(&g, scratch);
        for (size_t row = 0; row < M; row++) {
            for (size_t j = 0; j < N; j++)
                assert_int_equal(isfinite(c.p[row * N + j]) != 0, row != 11 && row != 12 && j != 7);
        }
        kc_free(&a), kc_free(&b), kc_free(&c), kc_free(&a16);
    }
    free(scratch);
}

/* Every upper half, with lower halves at and around the tie. */
static void rounding(void **state) {
    (void)state;
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { LOWER = sizeof lower / sizeof *lower, COUNT = 65536 * LOWER + 5 };
    variant v[MAX_VARIANTS];
    const int variants = variants_new(v);
    kc_buffer x = kc_alloc(COUNT), y = halves_alloc(COUNT);
    uint16_t *got = halves(&y, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t bits = (i / LOWER) << 16 | lower[i % LOWER];
        memcpy(&x.p[i], &bits, sizeof bits);
    }
    for (int i = 0; i < variants; i++) {
        v[i].round(got, x.p, COUNT);
        for (size_t at = 0; at < COUNT; at++) {
            const float from = x.p[at], to = widened(got[at]);
            if (isnan(from) ? isnan(to) : (double)to == nearest_bf16(from)) continue;
            if (isinf(to) && nearest_bf16(from) >= ldexp(1, 128)) continue;
            if (isinf(to) && nearest_bf16(from) <= -ldexp(1, 128)) continue;
            if (fabsf(from) < FLT_MIN && fabsf(to) <= FLT_MIN)
                continue; /* denormals: near enough */
            fail_msg("%s: %a became %a", v[i].name, (double)from, (double)to);
        }
    }
    kc_free(&x), kc_free(&y);
}

#if defined(UW_X86)
/* Where the processor has the instructions, plain C has their bits: what passes above on other
 * machines stands for the real thing.  The digest tells two machines apart. */
static void plain_c_has_the_instructions_bits(void **state) {
    (void)state;
    kc_seed(4);
    static const struct {
        const char *real, *soft;
    } pairs[] = {{"avx512bf16", "soft dot"}, {"amx", "soft amx"}};
    static const size_t shapes[][3] = {{3, 20, 33}, {16, 64, 64}, {33, 50, 96}, {41, 33, 1056}};
    variant v[MAX_VARIANTS];
    const int variants = variants_new(v);
    float *scratch = scratch_new();
    for (size_t at = 0; at < sizeof shapes / sizeof *shapes; at++) {
        const size_t m = shapes[at][0], n = shapes[at][1], k = shapes[at][2];
        kc_buffer a = kc_random(m * k, 1), b = kc_random(n * k, 1);
        for (size_t pair = 0; pair < 2; pair++) {
            kc_buffer c[2] = {kc_alloc(m * n), kc_alloc(m * n)};
            bool have[2] = {false, false};
            for (int i = 0; i < variants; i++) {
                const bool real = !strcmp(v[i].name, pairs[pair].real);
                if (!real && strcmp(v[i].name, pairs[pair].soft) != 0) continue;
                const uw_gemm_args g = {.trans_b = true,
                                        .m = m,
                                        .n = n,
                                        .k = k,
                                        .a = a.p,
                                        .lda = k,
                                        .b = b.p,
                                        .ldb = k,
                                        .c = c[real].p,
                                        .ldc = n};
                v[i].gemm(&g, scratch);
                have[real] = true;
                uint64_t digest = 1469598103934665603u;
                for (size_t byte = 0; byte < m * n * sizeof(float); byte++)
                    digest = (digest ^ ((unsigned char *)c[real].p)[byte]) * 1099511628211u;
                printf("%-10s %2zu x %zu x %-4zu %016llx\n", v[i].name, m, n, k,
                       (unsigned long long)digest);
            }
            if (have[0] && have[1]) assert_memory_equal(c[0].p, c[1].p, m * n * sizeof(float));
            kc_free(&c[0]), kc_free(&c[1]);
        }
        kc_free(&a), kc_free(&b);
    }
    free(scratch);
}
#endif

/* An argument names the tests to run, with * and ?. */
int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_sizes),
        cmocka_unit_test(large_sizes),
        cmocka_unit_test(rows_do_not_depend_on_the_cut),
        cmocka_unit_test(non_finite_values_stay_where_they_are),
        cmocka_unit_test(rounding),
#if defined(UW_X86)
        cmocka_unit_test(plain_c_has_the_instructions_bits),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
