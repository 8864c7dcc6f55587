/* Multi-head attention, one task per (batch element, head).  The probabilities are not kept for the
 * backward: they are computed again, which costs one small product and saves batch * heads *
 * tokens^2. */
#include <math.h>
#include <string.h>

#include "layers.h"

typedef struct attention_task {
    const uw_exec *e;
    const uw_attention *a;
    uw_real scale;
    uw_real *o, *dq, *dk, *dv;
    const uw_real *q, *k, *v, *dout;
} attention_task;

size_t uw__attention_extra(size_t tokens) {
    return 3 * tokens * tokens;
}

/* C [m, n] = op(A) op(B), strides given. */
static void product(const attention_task *t, int32_t worker, bool trans_a, bool trans_b, size_t m,
                    size_t n, size_t k, const uw_real *a, size_t lda, const uw_real *b, size_t ldb,
                    uw_real *c, size_t ldc) {
    const uw_gemm_args g = {.trans_a = trans_a,
                            .trans_b = trans_b,
                            .m = m,
                            .n = n,
                            .k = k,
                            .a = a,
                            .lda = lda,
                            .b = b,
                            .ldb = ldb,
                            .c = c,
                            .ldc = ldc};
    uw__exec_gemm(t->e, &g, uw__exec_gemm_scratch(t->e, worker));
}

/* p [T, T] = softmax(scale q k^T), the future masked when causal. */
static void probabilities(const attention_task *t, int32_t worker, uw_real *p, const uw_real *q,
                          const uw_real *k) {
    const uw_attention *a = t->a;
    const size_t n = a->tokens;
    product(t, worker, false, true, n, n, a->head_dim, q, a->ld_qkv, k, a->ld_qkv, p, n);
    t->e->k->softmax(p, n, n, n, t->scale, a->causal);
}

static void drop_rows(const uw_attention *a, uw_real *p, size_t index) {
    if (a->drop.p == 0) return;
    for (size_t r = 0; r < a->tokens; r++)
        uw__dropout_row(&a->drop, p + r * a->tokens, index * a->tokens + r, a->tokens);
}

static void forward_head(void *arg, size_t index, int32_t worker) {
    const attention_task *t = arg;
    const uw_attention *a = t->a;
    const size_t b = index / a->heads, h = index % a->heads, n = a->tokens, hd = a->head_dim;
    const size_t in = b * n * a->ld_qkv + h * hd, out = b * n * a->ld_out + h * hd;
    uw_real *p = uw__exec_extra(t->e, worker); /* [T, T] */

    probabilities(t, worker, p, t->q + in, t->k + in);
    drop_rows(a, p, index);
    product(t, worker, false, false, n, hd, n, p, n, t->v + in, a->ld_qkv, t->o + out, a->ld_out);
}

static void backward_head(void *arg, size_t index, int32_t worker) {
    const attention_task *t = arg;
    const uw_attention *a = t->a;
    const size_t b = index / a->heads, h = index % a->heads, n = a->tokens, hd = a->head_dim;
    const size_t in = b * n * a->ld_qkv + h * hd, out = b * n * a->ld_out + h * hd;
    uw_real *p = uw__exec_extra(t->e, worker), *dp = p + n * n, *dropped = p; /* [T, T] each */

    probabilities(t, worker, p, t->q + in, t->k + in);
    if (a->drop.p != 0) {
        dropped = dp + n * n;
        memcpy(dropped, p, n * n * sizeof *p);
        drop_rows(a, dropped, index);
    }
    /* o = dropped v:  dv = dropped^T do,  ddropped = do v^T */
    product(t, worker, true, false, n, hd, n, dropped, n, t->dout + out, a->ld_out, t->dv + in,
            a->ld_qkv);
    product(t, worker, false, true, n, n, hd, t->dout + out, a->ld_out, t->v + in, a->ld_qkv, dp,
            n);
    drop_rows(a, dp, index);
    /* p = softmax(scale s), s = q k^T:  dq = ds k,  dk = ds^T q */
    t->e->k->softmax_backward(dp, p, n, n, n, t->scale);
    product(t, worker, false, false, n, hd, n, dp, n, t->k + in, a->ld_qkv, t->dq + in, a->ld_qkv);
    product(t, worker, true, false, n, hd, n, dp, n, t->q + in, a->ld_qkv, t->dk + in, a->ld_qkv);
}

static size_t attention_work(const uw_attention *a) {
    return a->batch * a->heads * a->tokens * a->tokens * a->head_dim;
}

void uw__attention_forward(const uw_exec *e, const uw_attention *a, uw_real *o, const uw_real *q,
                           const uw_real *k, const uw_real *v) {
    attention_task t = {.e = e,
                        .a = a,
                        .scale = (uw_real)(1.0 / sqrt((double)a->head_dim)),
                        .o = o,
                        .q = q,
                        .k = k,
                        .v = v};
    uw__pool_run(uw__exec_pool(e, attention_work(a)), a->batch * a->heads, forward_head, &t);
}

void uw__attention_backward(const uw_exec *e, const uw_attention *a, uw_real *dq, uw_real *dk,
                            uw_real *dv, const uw_real *dout, const uw_real *q, const uw_real *k,
                            const uw_real *v) {
    attention_task t = {.e = e,
                        .a = a,
                        .scale = (uw_real)(1.0 / sqrt((double)a->head_dim)),
                        .dq = dq,
                        .dk = dk,
                        .dv = dv,
                        .dout = dout,
                        .q = q,
                        .k = k,
                        .v = v};
    uw__pool_run(uw__exec_pool(e, attention_work(a)), a->batch * a->heads, backward_head, &t);
}
