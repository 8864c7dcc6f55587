/* Attention of one query per row to a few keys, heads in lanes: every variant against double. */
#include "kernel_check.h"

static uint16_t to_bf16(float x) {
    uint16_t y;
    uw_to_bf16_ref(&y, &x, 1);
    return y;
}
static double from_bf16(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return (double)y;
}

typedef struct rows_of {
    kc_buffer b; /* floats, or bf16 in half as many */
    bool bf16;
} rows_of;

static rows_of rows_random(size_t n, double scale, bool bf16) {
    rows_of x = {.b = bf16 ? kc_alloc((n + 1) / 2) : kc_random(n, scale), .bf16 = bf16};
    /* from the end, which is guarded */
    uint16_t *half = (uint16_t *)(void *)(x.b.p + x.b.n) - n;
    for (size_t i = 0; bf16 && i < n; i++) half[i] = to_bf16(kc_uniform(scale));
    return x;
}
static void *rows_at(const rows_of *x, size_t n) {
    return x->bf16 ? (void *)((uint16_t *)(void *)(x->b.p + x->b.n) - n) : (void *)x->b.p;
}
static double value(const void *p, size_t i, bool bf16) {
    return bf16 ? from_bf16(((const uint16_t *)p)[i]) : (double)((const float *)p)[i];
}

/* One head of a row: what it has to be, and how far off. */
static void check_head(const uw_few_keys_args *a, kc_worst *w, const void *q, size_t r, size_t h) {
    double p[UW_MAX_KEYS] = {0}, ds = 0, top = -INFINITY, sum = 0;
    for (size_t j = 0; j < a->num_keys; j++) {
        double size = 0;
        for (size_t d = 0; d < a->head_dim; d++) {
            const size_t at = d * a->heads + h;
            const double t =
                value(q, r * a->ld_q + at, a->bf16) * value(a->k[j], r * a->ld_kv[j] + at, a->bf16);
            p[j] += t * (double)a->scale, size += fabs(t * (double)a->scale);
        }
        ds = fmax(ds, 2 * (double)(a->head_dim + 4) * eps * size);
        top = fmax(top, p[j]);
    }
    for (size_t j = 0; j < a->num_keys; j++) sum += p[j] = exp(p[j] - top);
    for (size_t d = 0; d < a->head_dim; d++) {
        const size_t at = d * a->heads + h;
        double o = 0, size = 0;
        for (size_t j = 0; j < a->num_keys; j++) {
            const double v = value(a->v[j], r * a->ld_kv[j] + at, a->bf16);
            o += p[j] / sum * v, size += p[j] / sum * fabs(v);
        }
        const double bound = (2 * ds + 16 * eps) * size;
        kc_near(w, value(a->o, r * a->ld_o + at, a->bf16), o,
                bound + (a->bf16 ? ldexp(fabs(o) + bound, -8) : 0), "o", r * a->ld_o + at);
    }
}

/* Keys every other of which is one row for all queries, and o in the place of q. */
static void check_shape(const uw_kernels *k, kc_worst *w, size_t rows, size_t heads,
                        size_t head_dim, size_t keys, bool bf16) {
    const size_t c = heads * head_dim, ld = c + 3, n = rows ? (rows - 1) * ld + c : 0;
    rows_of q = rows_random(n, 1, bf16), o = rows_random(n, 1, bf16), kv[2 * UW_MAX_KEYS];
    uw_few_keys_args a = {.rows = rows,
                          .heads = heads,
                          .head_dim = head_dim,
                          .num_keys = keys,
                          .scale = 0.7f,
                          .bf16 = bf16,
                          .q = rows_at(&q, n),
                          .ld_q = ld,
                          .o = rows_at(&o, n),
                          .ld_o = ld};
    for (size_t j = 0; j < keys; j++) {
        const size_t count = j % 2 ? n : c;
        a.ld_kv[j] = j % 2 ? ld : 0;
        kv[2 * j] = rows_random(count, 2, bf16), kv[2 * j + 1] = rows_random(count, 2, bf16);
        a.k[j] = rows_at(&kv[2 * j], count), a.v[j] = rows_at(&kv[2 * j + 1], count);
    }
    k->few_keys(&a);
    for (size_t r = 0; r < rows; r++)
        for (size_t h = 0; h < heads; h++) check_head(&a, w, a.q, r, h);
    const size_t bytes = bf16 ? sizeof(uint16_t) : sizeof(float);
    uint8_t *wanted = malloc(n * bytes + 1), *got = rows_at(&q, n);
    memcpy(wanted, a.o, n * bytes);
    a.o = got;
    k->few_keys(&a);
    for (size_t i = 0; i < n; i++)
        if (i % ld < c) assert_memory_equal(got + i * bytes, wanted + i * bytes, bytes);
    free(wanted);
    kc_free(&q.b), kc_free(&o.b);
    for (size_t j = 0; j < 2 * keys; j++) kc_free(&kv[j].b);
}

static void few_keys(void **state) {
    static const size_t shapes[][3] = {{0, 4, 4},  {1, 1, 1},  {2, 3, 5},  {3, 8, 7},  {2, 16, 64},
                                       {5, 9, 10}, {2, 17, 3}, {1, 33, 6}, {2, 1, 192}};
    (void)state;
    kc_seed(37);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_few_keys);
    for (int v = 0; v < variants; v++)
        for (size_t at = 0; at < sizeof shapes / sizeof *shapes; at++)
            for (size_t keys = 1; keys <= UW_MAX_KEYS; keys += keys < 4 ? 1 : 6)
                for (int bf16 = 0; bf16 < 2; bf16++)
                    check_shape(&k[v], &w[v], shapes[at][0], shapes[at][1], shapes[at][2], keys,
                                bf16);
    kc_report(w, variants);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
