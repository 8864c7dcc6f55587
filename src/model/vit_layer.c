/* One layer of the vision transformer on a batch of frames, forward and backward.
 *
 * Frames meet nowhere inside a layer, so a task carries whole frames through all of it, one after
 * the other, while their numbers are in the second-level cache.  Weight gradients are summed over
 * fixed groups of frames, and the groups folded in order: no sum depends on who ran what.  What is
 * cheap to compute again is not kept: both norms' outputs, the wide rows of the MLP, and the
 * probabilities.
 *
 * The last layer's outputs are read at token 0 alone: there one query per frame attends, and only
 * its row passes the rest of the layer. */
#include <math.h>
#include <string.h>

#include "parts.h"

static const uw_real VIT_EPS = (uw_real)1e-12;

/* Order of a layer's tensors in the table, weights; biases follow. */
enum {
    NORM1 = 0,
    QUERY = 2,
    KEY = 4,
    VALUE = 6,
    OUT = 8,
    NORM2 = 10,
    UP = 12,
    DOWN = 14,
    END = 16
};
enum { GROUPS = 16, FOLD_BLOCK = 8192, PIECE = 132 };

/* One pass over the layer: what every task reads. */
typedef struct layer_pass {
    const uw_exec *e;
    const uw_net *net;
    const uw_real *params;
    uw_real *grads;
    const uw_vit_layer_acts *l;
    const uw_vit_acts *acts;
    int32_t at; /* the layer's first tensor */
    size_t rows, groups, tokens, queries, dim, mlp, heads;
    size_t num_params; /* of the layer: its tensors lie side by side */
} layer_pass;

static layer_pass make_pass(const uw_exec *e, const uw_net *net, const uw_real *params,
                            int32_t layer, const uw_vit_acts *acts, size_t rows, uw_real *grads) {
    const int32_t at = uw__vit_layer_at(net, layer);
    const size_t end = net->tensors[at + END - 1].offset + net->tensors[at + END - 1].count;
    return (layer_pass){.e = e,
                        .net = net,
                        .params = params,
                        .grads = grads,
                        .l = &acts->layer[layer],
                        .acts = acts,
                        .at = at,
                        .rows = rows,
                        .groups = rows < GROUPS ? rows : GROUPS,
                        .tokens = uw__vit_tokens(net),
                        .queries = uw__vit_queries(net, layer),
                        .dim = (size_t)net->config.vit_dim,
                        .mlp = (size_t)net->config.vit_mlp_dim,
                        .heads = (size_t)net->config.vit_heads,
                        .num_params = end - net->tensors[at].offset};
}

static const uw_real *numbers(const layer_pass *p, int tensor) {
    return uw__bind(p->net, p->at + tensor, p->params);
}

/* Where a tensor's gradient lies in the partial sums of a group. */
static uw_real *partial(const layer_pass *p, size_t group, int tensor) {
    const size_t first = p->net->tensors[p->at].offset;
    return p->acts->partials + group * p->num_params + p->net->tensors[p->at + tensor].offset -
           first;
}

static void product(const layer_pass *p, int32_t worker, const uw_gemm_args *g) {
    uw__exec_gemm(p->e, g, uw__exec_gemm_scratch(p->e, worker));
}

/* ---- a task's scratch ---------------------------------------------------------------------- */

/* Attention and the rest of the layer take turns in the same places. */
typedef struct scratch {
    uw_real *n, *dn;   /* [tokens, dim] a norm's output, the gradient of it (or mid) */
    uw_real *dout, *o; /* [tokens, dim] gradient of attention's output; that, when it is not kept */
    uw_real *h, *g;    /* [piece, mlp] before and after GELU */
    uw_real *qkv;      /* [tokens, 3 dim] when it is not kept, else its gradient */
    uw_real *p, *dp;   /* [tokens, tokens] */
    uw_real *head;     /* in the place of p: what attention of one head needs */
} scratch;

/* Rows that pass the second half of the layer together: h and g should stay in the cache. */
static size_t piece_rows(size_t tokens) {
    const size_t pieces = (tokens + PIECE - 1) / PIECE;
    return (tokens + pieces - 1) / pieces;
}

typedef struct scratch_sizes {
    size_t row, wide, qkv, square, total; /* reals, in whole lines of the cache */
} scratch_sizes;

static size_t lines(size_t reals) {
    return (reals + 15) / 16 * 16;
}

static scratch_sizes sizes_of(const uw_net *net) {
    const size_t tokens = uw__vit_tokens(net), dim = (size_t)net->config.vit_dim;
    const size_t head_dim = dim / (size_t)net->config.vit_heads;
    scratch_sizes z = {.row = lines(tokens * dim),
                       .wide = lines(piece_rows(tokens) * (size_t)net->config.vit_mlp_dim),
                       .qkv = lines(tokens * 3 * dim),
                       .square = lines(tokens * tokens)};
    const size_t head = lines(uw__attention_scratch(tokens, head_dim));
    z.total = 3 * z.row + uw__max(2 * z.wide, z.qkv + uw__max(2 * z.square, head));
    return z;
}

size_t uw__vit_layer_extra(const uw_net *net) {
    return net->config.vit_layers ? sizes_of(net).total : 0;
}

static scratch scratch_of(const layer_pass *p, int32_t worker) {
    const scratch_sizes z = sizes_of(p->net);
    uw_real *base = uw__exec_extra(p->e, worker), *rest = base + 3 * z.row;
    scratch s = {.n = base, .dn = base + z.row, .dout = base + 2 * z.row};
    s.o = s.dout;
    s.h = rest;
    s.g = rest + z.wide;
    s.qkv = rest;
    s.p = s.head = rest + z.qkv;
    s.dp = s.p + z.square;
    return s;
}

/* ---- weights, laid out once per pass ------------------------------------------------------- */

/* PACK_AGAIN: in a backward the way up, which is gone once more. */
enum { PACK_QKV, PACK_OUT, PACK_UP, PACK_DOWN, PACK_AGAIN, NUM_PACKS };

static size_t packed_reals(size_t n, size_t k) {
    return uw__gemm_packed_bytes(n, k) / sizeof(uw_real);
}

void uw__vit_layer_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                          uw_vit_acts *acts) {
    const size_t dim = (size_t)net->config.vit_dim, mlp = (size_t)net->config.vit_mlp_dim;
    acts->qkv_w = uw__take(arena, 3 * dim * dim);
    acts->qkv_b = uw__take(arena, 3 * dim);
    acts->packed[PACK_QKV] = uw__take(arena, packed_reals(3 * dim, dim));
    acts->packed[PACK_OUT] = uw__take(arena, packed_reals(dim, dim));
    acts->packed[PACK_UP] = uw__take(arena, packed_reals(mlp, dim));
    acts->packed[PACK_DOWN] = uw__take(arena, packed_reals(dim, mlp));
    if (backward) acts->packed[PACK_AGAIN] = uw__take(arena, packed_reals(mlp, dim));
    if (!backward || net->config.vit_layers == 0) return;
    uw_vit_acts sizes = {0};
    const layer_pass p = make_pass(NULL, net, NULL, 0, &sizes, max_rows, NULL);
    acts->partials = uw__take(arena, p.groups * p.num_params);
}

typedef struct pack_task {
    const layer_pass *p;
    bool backward;
} pack_task;

static void pack(const layer_pass *p, int which, bool backward, const uw_real *w, size_t in,
                 size_t out) {
    uw_gemm_pack_fn *lay = p->e->bf16 ? p->e->k->gemm_bf16_pack : p->e->k->gemm_pack;
    /* forward: x w^T; backward: dy w */
    lay(p->acts->packed[which], w, in, !backward, backward ? in : out, backward ? out : in);
}

/* Query, key and value are three tensors and one product. */
static void join_qkv(const layer_pass *p) {
    const size_t dim = p->dim;
    for (size_t i = 0; i < 3; i++) {
        const int tensor = QUERY + 2 * (int)i;
        memcpy(p->acts->qkv_w + i * dim * dim, numbers(p, tensor), dim * dim * sizeof(uw_real));
        memcpy(p->acts->qkv_b + i * dim, numbers(p, tensor + 1), dim * sizeof(uw_real));
    }
}

static void pack_one(void *arg, size_t index, int32_t worker) {
    const pack_task *t = arg;
    const layer_pass *p = t->p;
    (void)worker;
    switch (index) {
    case PACK_QKV:
        join_qkv(p);
        pack(p, PACK_QKV, t->backward, p->acts->qkv_w, p->dim, 3 * p->dim);
        break;
    case PACK_OUT:
        pack(p, PACK_OUT, t->backward, numbers(p, OUT), p->dim, p->dim);
        break;
    case PACK_UP:
        pack(p, PACK_UP, t->backward, numbers(p, UP), p->dim, p->mlp);
        break;
    case PACK_DOWN:
        pack(p, PACK_DOWN, t->backward, numbers(p, DOWN), p->mlp, p->dim);
        break;
    default:
        pack(p, PACK_AGAIN, false, numbers(p, UP), p->dim, p->mlp);
        break;
    }
}

static void pack_weights(const layer_pass *p, bool backward) {
    pack_task t = {p, backward};
    uw__pool_run(uw__exec_pool(p->e, p->num_params), backward ? NUM_PACKS : PACK_AGAIN, pack_one,
                 &t);
}

/* The product of x [rows, in] with packed weights. */
static uw_gemm_args through(const layer_pass *p, int which, const uw_real *x, size_t rows,
                            size_t in, size_t out, uw_real *y) {
    return (uw_gemm_args){.m = rows,
                          .n = out,
                          .k = in,
                          .a = x,
                          .lda = in,
                          .packed = p->acts->packed[which],
                          .c = y,
                          .ldc = out};
}

/* ---- forward ------------------------------------------------------------------------------- */

static uw_real *qkv_of(const layer_pass *p, const scratch *s, size_t frame) {
    return p->l->qkv ? p->l->qkv + frame * p->tokens * 3 * p->dim : s->qkv;
}

/* probabilities [queries, tokens] of head h. */
static void probabilities(const layer_pass *p, int32_t worker, const uw_real *qkv, size_t h,
                          uw_real *to) {
    const size_t hd = p->dim / p->heads, ld = 3 * p->dim;
    const uw_real scale = (uw_real)(1.0 / sqrt((double)hd));
    product(p, worker,
            &(uw_gemm_args){.trans_b = true,
                            .m = p->queries,
                            .n = p->tokens,
                            .k = hd,
                            .a = qkv + h * hd,
                            .lda = ld,
                            .b = qkv + p->dim + h * hd,
                            .ldb = ld,
                            .c = to,
                            .ldc = p->tokens});
    p->e->k->softmax(to, p->queries, p->tokens, p->tokens, scale, false);
}

/* Columns of head h of o [queries, dim].  In bf16 its two products are products like the others. */
static void attend_head(const layer_pass *p, int32_t worker, const scratch *s, const uw_real *qkv,
                        size_t h, uw_real *o) {
    const size_t hd = p->dim / p->heads, ld = 3 * p->dim;
    const uw_real *q = qkv + h * hd, *k = q + p->dim, *v = k + p->dim;
    if (!p->e->bf16) {
        p->e->k->attention(&(uw_attention_args){.rows = p->queries,
                                                .tokens = p->tokens,
                                                .head_dim = hd,
                                                .q = q,
                                                .ld_q = ld,
                                                .k = k,
                                                .v = v,
                                                .ld_kv = ld,
                                                .o = o + h * hd,
                                                .ld_o = p->dim,
                                                .scale = (uw_real)(1.0 / sqrt((double)hd))},
                           s->head);
        return;
    }
    probabilities(p, worker, qkv, h, s->p);
    product(p, worker,
            &(uw_gemm_args){.m = p->queries,
                            .n = hd,
                            .k = p->tokens,
                            .a = s->p,
                            .lda = p->tokens,
                            .b = v,
                            .ldb = ld,
                            .c = o + h * hd,
                            .ldc = p->dim});
}

/* o = Attention(LN(x)) of one frame; returns o [queries, dim]. */
static uw_real *attend(const layer_pass *p, int32_t worker, const scratch *s, size_t frame,
                       uw_real *o) {
    const uw_vit_layer_acts *l = p->l;
    const size_t first = frame * p->tokens;
    uw_real *qkv = qkv_of(p, s, frame);

    p->e->k->layernorm(s->n, l->mean1 ? l->mean1 + first : NULL, l->rstd1 ? l->rstd1 + first : NULL,
                       l->x + first * p->dim, numbers(p, NORM1), numbers(p, NORM1 + 1), p->tokens,
                       p->dim, VIT_EPS);
    uw_gemm_args g = through(p, PACK_QKV, s->n, p->tokens, p->dim, 3 * p->dim, qkv);
    g.bias = p->acts->qkv_b;
    product(p, worker, &g);
    for (size_t h = 0; h < p->heads; h++) attend_head(p, worker, s, qkv, h, o);
    return o;
}

/* mid = x + Out(o);  next = mid + MLP(LN(mid)), for rows [first, first + count) of the wanted ones.
 */
static void finish(const layer_pass *p, int32_t worker, const scratch *s, const uw_real *o,
                   size_t first, size_t count) {
    const uw_vit_layer_acts *l = p->l;
    const size_t dim = p->dim,
                 apart = p->tokens / p->queries; /* tokens from one wanted to the next */
    uw_real *mid = l->mid ? l->mid + first * dim : s->dn;

    uw_gemm_args g = through(p, PACK_OUT, o, count, dim, dim, mid);
    g.bias = numbers(p, OUT + 1);
    g.epilogue = UW_EPILOGUE_ADD;
    g.residual = l->x + first * apart * dim;
    g.ld_residual = apart * dim;
    product(p, worker, &g);

    p->e->k->layernorm(s->n, l->mean2 ? l->mean2 + first : NULL, l->rstd2 ? l->rstd2 + first : NULL,
                       mid, numbers(p, NORM2), numbers(p, NORM2 + 1), count, dim, VIT_EPS);
    g = through(p, PACK_UP, s->n, count, dim, p->mlp, s->g);
    g.bias = numbers(p, UP + 1);
    g.epilogue = UW_EPILOGUE_GELU;
    product(p, worker, &g);
    g = through(p, PACK_DOWN, s->g, count, p->mlp, dim, l->next + first * dim);
    g.bias = numbers(p, DOWN + 1);
    g.epilogue = UW_EPILOGUE_ADD;
    g.residual = mid;
    g.ld_residual = dim;
    product(p, worker, &g);
}

/* Frames that finish together: one, or as many rows of one query each as the scratch holds. */
static size_t frames_at_once(const layer_pass *p, size_t left) {
    const size_t most = p->tokens / p->queries;
    return left < most ? left : most;
}

static void forward_group(void *arg, size_t group, int32_t worker) {
    const layer_pass *p = arg;
    const scratch s = scratch_of(p, worker);
    const size_t end = (group + 1) * p->rows / p->groups, row = p->queries * p->dim;
    for (size_t f = group * p->rows / p->groups, n; f < end; f += n) {
        n = frames_at_once(p, end - f);
        uw_real *o = p->l->o ? p->l->o + f * row : s.o;
        for (size_t i = 0; i < n; i++) attend(p, worker, &s, f + i, o + i * row);
        const size_t wanted = n * p->queries, most = piece_rows(p->tokens);
        for (size_t at = 0; at < wanted; at += most)
            finish(p, worker, &s, o + at * p->dim, f * p->queries + at,
                   wanted - at < most ? wanted - at : most);
    }
}

void uw__vit_layer_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                           int32_t layer, const uw_vit_acts *acts, size_t rows) {
    layer_pass p = make_pass(e, net, params, layer, acts, rows, NULL);
    pack_weights(&p, false);
    uw__pool_run(uw__exec_pool(e, rows * p.tokens * p.num_params), p.groups, forward_group, &p);
}

/* ---- backward ------------------------------------------------------------------------------ */

/* dw (+)= dy^T x and db (+)= sum dy, over `rows` rows, into the partial sums of a group. */
static void weight_gradient(const layer_pass *p, int32_t worker, size_t group, int tensor, bool add,
                            const uw_real *dy, size_t ldy, size_t out, const uw_real *x, size_t in,
                            size_t rows) {
    product(p, worker,
            &(uw_gemm_args){.trans_a = true,
                            .accumulate = add,
                            .m = out,
                            .n = in,
                            .k = rows,
                            .a = dy,
                            .lda = ldy,
                            .b = x,
                            .ldb = in,
                            .c = partial(p, group, tensor),
                            .ldc = in});
    p->e->k->colsum(partial(p, group, tensor + 1), dy, rows, out, ldy, add);
}

/* On entry d [count, dim] is the gradient of next, on return of mid; dout [count, dim] becomes that
 * of attention's output. */
static void finish_backward(const layer_pass *p, int32_t worker, const scratch *s, size_t group,
                            bool add, uw_real *d, uw_real *dout, size_t first, size_t count) {
    const uw_vit_layer_acts *l = p->l;
    const uw_kernels *k = p->e->k;
    const size_t dim = p->dim, mlp = p->mlp;
    const uw_real *mid = l->mid + first * dim;

    k->layernorm(s->n, NULL, NULL, mid, numbers(p, NORM2), numbers(p, NORM2 + 1), count, dim,
                 VIT_EPS);
    uw_gemm_args g = through(p, PACK_AGAIN, s->n, count, dim, mlp, s->g);
    g.bias = numbers(p, UP + 1);
    g.epilogue = UW_EPILOGUE_GELU;
    g.sum = s->h;
    product(p, worker, &g);
    weight_gradient(p, worker, group, DOWN, add, d, dim, dim, s->g, mlp, count);
    uw_real *dh = s->g; /* g is spent */
    g = through(p, PACK_DOWN, d, count, dim, mlp, dh);
    product(p, worker, &g);
    k->gelu_backward(dh, dh, s->h, count * mlp);
    weight_gradient(p, worker, group, UP, add, dh, mlp, mlp, s->n, dim, count);
    g = through(p, PACK_UP, dh, count, mlp, dim, s->dn);
    product(p, worker, &g);
    k->layernorm_backward(d, partial(p, group, NORM2), partial(p, group, NORM2 + 1), s->dn, mid,
                          l->mean2 + first, l->rstd2 + first, numbers(p, NORM2), count, dim, true);

    weight_gradient(p, worker, group, OUT, add, d, dim, dim, l->o + first * dim, dim, count);
    g = through(p, PACK_OUT, d, count, dim, dim, dout);
    product(p, worker, &g);
}

/* Gradients of q, k and v of one frame and head, from that of the head's output. */
static void head_backward(const layer_pass *p, int32_t worker, const scratch *s, const uw_real *qkv,
                          const uw_real *dout, size_t h) {
    const size_t hd = p->dim / p->heads, ld = 3 * p->dim, t = p->tokens, dim = p->dim;
    const uw_real *q = qkv + h * hd, *k = q + dim, *v = k + dim, *dy = dout + h * hd;
    uw_real *dq = s->qkv + h * hd, *dk = dq + dim, *dv = dk + dim;
    const uw_gemm_args columns = {
        .trans_a = true, .m = t, .n = hd, .k = p->queries, .lda = t, .ldc = ld};
    uw_gemm_args g = columns;

    probabilities(p, worker, qkv, h, s->p);
    /* o = p v:  dv = p^T do,  dp = do v^T */
    g.a = s->p;
    g.b = dy;
    g.ldb = dim;
    g.c = dv;
    product(p, worker, &g);
    product(p, worker,
            &(uw_gemm_args){.trans_b = true,
                            .m = p->queries,
                            .n = t,
                            .k = hd,
                            .a = dy,
                            .lda = dim,
                            .b = v,
                            .ldb = ld,
                            .c = s->dp,
                            .ldc = t});
    /* p = softmax(scale z), z = q k^T:  dq = dz k,  dk = dz^T q */
    p->e->k->softmax_backward(s->dp, s->p, p->queries, t, t, (uw_real)(1.0 / sqrt((double)hd)));
    product(p, worker,
            &(uw_gemm_args){.m = p->queries,
                            .n = hd,
                            .k = t,
                            .a = s->dp,
                            .lda = t,
                            .b = k,
                            .ldb = ld,
                            .c = dq,
                            .ldc = ld});
    g = columns;
    g.a = s->dp;
    g.b = q;
    g.ldb = ld;
    g.c = dk;
    product(p, worker, &g);
}

/* From dout [queries, dim] through attention and its norm: dx [tokens, dim] of one frame, added to
 * (or, where only some tokens had a gradient, written). */
static void attend_backward(const layer_pass *p, int32_t worker, const scratch *s, size_t group,
                            bool add, const uw_real *dout, size_t frame) {
    const uw_vit_layer_acts *l = p->l;
    const uw_kernels *k = p->e->k;
    const size_t dim = p->dim, t = p->tokens, first = frame * t;
    const uw_real *qkv = l->qkv + first * 3 * dim, *x = l->x + first * dim;
    uw_real *dqkv = s->qkv;

    for (size_t h = 0; h < p->heads; h++) head_backward(p, worker, s, qkv, dout, h);
    for (size_t r = p->queries; r < t; r++) /* who asked nothing */
        memset(dqkv + r * 3 * dim, 0, dim * sizeof(uw_real));
    k->layernorm(s->n, NULL, NULL, x, numbers(p, NORM1), numbers(p, NORM1 + 1), t, dim, VIT_EPS);
    for (size_t i = 0; i < 3; i++)
        weight_gradient(p, worker, group, QUERY + 2 * (int)i, add, dqkv + i * dim, 3 * dim, dim,
                        s->n, dim, t);
    const uw_gemm_args g = through(p, PACK_QKV, dqkv, t, 3 * dim, dim, s->dn);
    product(p, worker, &g);
    k->layernorm_backward(p->acts->dx + first * dim, partial(p, group, NORM1),
                          partial(p, group, NORM1 + 1), s->dn, x, l->mean1 + first,
                          l->rstd1 + first, numbers(p, NORM1), t, dim, p->queries == t);
}

static void backward_group(void *arg, size_t group, int32_t worker) {
    const layer_pass *p = arg;
    const scratch s = scratch_of(p, worker);
    const size_t begin = group * p->rows / p->groups, end = (group + 1) * p->rows / p->groups;
    const size_t row = p->queries * p->dim, frame = p->tokens * p->dim;
    const bool whole = p->queries == p->tokens;

    memset(partial(p, group, NORM1), 0, 2 * p->dim * sizeof(uw_real));
    memset(partial(p, group, NORM2), 0, 2 * p->dim * sizeof(uw_real));
    for (size_t f = begin, n; f < end; f += n) {
        n = frames_at_once(p, end - f);
        uw_real *d = (whole ? p->acts->dx : p->acts->dcls) + f * row;
        const size_t wanted = n * p->queries, most = piece_rows(p->tokens);
        for (size_t at = 0; at < wanted; at += most)
            finish_backward(p, worker, &s, group, f > begin || at, d + at * p->dim,
                            s.dout + at * p->dim, f * p->queries + at,
                            wanted - at < most ? wanted - at : most);
        for (size_t i = 0; i < n; i++) {
            attend_backward(p, worker, &s, group, f + i > begin, s.dout + i * row, f + i);
            /* what passed attention by */
            if (!whole) p->e->k->axpy(p->acts->dx + (f + i) * frame, 1, d + i * row, row);
        }
    }
}

static void fold_block(void *arg, size_t index, int32_t worker) {
    const layer_pass *p = arg;
    const size_t at = index * FOLD_BLOCK, left = p->num_params - at;
    const size_t n = left < FOLD_BLOCK ? left : FOLD_BLOCK;
    uw_real *to = p->grads + p->net->tensors[p->at].offset + at;
    (void)worker;
    for (size_t i = 0; i < p->groups; i++)
        p->e->k->axpy(to, 1, p->acts->partials + i * p->num_params + at, n);
}

void uw__vit_layer_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                            int32_t layer, const uw_vit_acts *acts, size_t rows, uw_real *grads) {
    layer_pass p = make_pass(e, net, params, layer, acts, rows, grads);
    pack_weights(&p, true);
    uw__pool_run(uw__exec_pool(e, rows * p.tokens * p.num_params), p.groups, backward_group, &p);
    if (p.groups)
        uw__pool_run(uw__exec_pool(e, p.num_params), uw__num_blocks(p.num_params, FOLD_BLOCK),
                     fold_block, &p);
}
