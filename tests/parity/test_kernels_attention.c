/* Attention of one head: every variant against double, and any cut of the queries. */
#include "kernel_check.h"

static const struct {
    size_t rows, tokens, head_dim;
} shapes[] = {{0, 3, 8},   {1, 1, 1},    {3, 2, 5},    {5, 17, 8},    {13, 16, 16},
              {26, 33, 7}, {40, 40, 33}, {65, 65, 64}, {30, 257, 64}, {2, 100, 100}};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct attention_case {
    uw_attention_args a;
    kc_buffer q, k, v, o, scratch;
} attention_case;

static size_t spread(size_t rows, size_t ld, size_t width) {
    return rows ? (rows - 1) * ld + width : 0;
}

/* Rows apart, so that what is written between them shows. */
static attention_case case_new(size_t rows, size_t tokens, size_t head_dim, double size) {
    attention_case c = {.a = {.rows = rows,
                              .tokens = tokens,
                              .head_dim = head_dim,
                              .ld_q = head_dim + 3,
                              .ld_kv = head_dim + 5,
                              .ld_o = head_dim + 2,
                              .scale = (float)(1 / sqrt((double)head_dim))}};
    c.q = kc_random(spread(rows, c.a.ld_q, head_dim), size);
    c.k = kc_random(spread(tokens, c.a.ld_kv, head_dim), size);
    c.v = kc_random(spread(tokens, c.a.ld_kv, head_dim), 2);
    c.o = kc_alloc(spread(rows, c.a.ld_o, head_dim));
    for (size_t i = 0; i < c.o.n; i++) c.o.p[i] = kc_canary;
    /* whole lines up to the guard: as aligned as callers must have it */
    c.scratch = kc_alloc((uw__attention_scratch(tokens, head_dim) + 15) / 16 * 16);
    c.a.q = c.q.p, c.a.k = c.k.p, c.a.v = c.v.p, c.a.o = c.o.p;
    return c;
}

static void case_free(attention_case *c) {
    kc_free(&c->q), kc_free(&c->k), kc_free(&c->v), kc_free(&c->o), kc_free(&c->scratch);
}

static void check_row(kc_worst *w, const uw_attention_args *a, size_t r) {
    double p[257], top = -INFINITY, sum = 0, ds = 0;
    for (size_t j = 0; j < a->tokens; j++) {
        double size = 0;
        p[j] = 0;
        for (size_t d = 0; d < a->head_dim; d++) {
            const double term = (double)a->q[r * a->ld_q + d] * (double)a->k[j * a->ld_kv + d];
            p[j] += (double)a->scale * term;
            size += fabs((double)a->scale * term);
        }
        ds = fmax(ds, 2 * (double)(a->head_dim + 4) * eps * size);
        top = fmax(top, p[j]);
    }
    assert_true(ds <= 0.25);
    for (size_t j = 0; j < a->tokens; j++) sum += p[j] = exp(p[j] - top);
    for (size_t d = 0; d < a->head_dim; d++) {
        double exact = 0, size = 0;
        for (size_t j = 0; j < a->tokens; j++) {
            const double term = p[j] / sum * (double)a->v[j * a->ld_kv + d];
            exact += term, size += fabs(term);
        }
        kc_near(w, (double)a->o[r * a->ld_o + d], exact,
                (2 * ds + 2 * (double)(a->tokens + 16) * eps) * size, "o", r * a->ld_o + d);
    }
}

static void attention(void **state) {
    (void)state;
    kc_seed(41);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_attention);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < 2 * NUM_SHAPES; at++) {
            const size_t i = at / 2; /* flat rows, then rows that pick one token */
            attention_case c =
                case_new(shapes[i].rows, shapes[i].tokens, shapes[i].head_dim, at % 2 ? 20 : 1);
            k[v].attention(&c.a, c.scratch.p);
            for (size_t r = 0; r < c.a.rows; r++) check_row(&w[v], &c.a, r);
            for (size_t e = 0; e < c.o.n; e++) {
                if (e % c.a.ld_o >= c.a.head_dim && c.o.p[e] != kc_canary)
                    fail_msg("attention wrote between rows");
            }
            case_free(&c);
        }
    }
    kc_report(w, variants);
}

/* Queries one by one, or in two calls, are the same bits as all at once. */
static void queries_in_parts(void **state) {
    (void)state;
    kc_seed(42);
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    for (int v = 0; v < variants; v++) {
        attention_case c = case_new(53, 53, 24, 3);
        k[v].attention(&c.a, c.scratch.p);
        kc_buffer whole = kc_copy(&c.o);
        for (size_t step = 1; step <= 29; step += 28) {
            for (size_t i = 0; i < c.o.n; i++) c.o.p[i] = kc_canary;
            for (size_t r = 0; r < c.a.rows; r += step) {
                uw_attention_args part = c.a;
                part.rows = c.a.rows - r < step ? c.a.rows - r : step;
                part.q += r * c.a.ld_q;
                part.o += r * c.a.ld_o;
                k[v].attention(&part, c.scratch.p);
            }
            assert_memory_equal(c.o.p, whole.p, whole.n * sizeof(float));
        }
        kc_free(&whole);
        case_free(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention),
        cmocka_unit_test(queries_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
