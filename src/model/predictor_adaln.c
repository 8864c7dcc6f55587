/* LeWM's predictor: a causal transformer over (latent, action) tokens whose blocks are modulated by
 * the encoded action of their own token (AdaLN-zero).
 *
 * Traps: two layer norms in a row before each branch: one without weights (1e-6), modulated, then
 * the branch's own affine one (1e-5).  The modulation table is ordered shift1 scale1 gate1 shift2
 * scale2 gate2.  q, k, v lie beside each other, each split as (head, dim).  Positions restart at 0
 * in every window and are added to the latents only.  One head as wide as the latent has no output
 * projection, and then no dropout there either. */
#include <string.h>

#include "adaln_tensors.h"

enum { DROP_PROBABILITIES, DROP_OUT, DROP_UP, DROP_DOWN, DROPS_PER_BLOCK };

/* The mask of one place in the network at one step of training. */
static uw_drop drop_at(const uw_net *net, const uw_dropout *dropout, int32_t block, int place) {
    if (!dropout->on || net->config.dropout == 0.0f) return (uw_drop){0};
    const uint64_t site = (uint64_t)(block * DROPS_PER_BLOCK + place);
    return (uw_drop){.p = (uw_real)net->config.dropout,
                     .seed = dropout->seed + dropout->step * 0x9E3779B97F4A7C15u,
                     .site = (uint64_t)dropout->call << 9 | site};
}

static uw_attention block_attention(const uw_net *net, size_t n, size_t t, uw_drop drop) {
    return (uw_attention){.batch = n,
                          .tokens = t,
                          .heads = (size_t)net->config.predictor_heads,
                          .head_dim = (size_t)net->config.predictor_head_dim,
                          .ld_qkv = 3 * uw__adaln_inner(net),
                          .ld_out = uw__adaln_inner(net),
                          .causal = true,
                          .drop = drop};
}

static void block_layout(uw_arena *arena, const uw_net *net, size_t rows, bool backward,
                         uw_adaln_block_acts *b) {
    const size_t d = (size_t)net->config.latent_dim, inner = uw__adaln_inner(net);
    const size_t mlp = (size_t)net->config.predictor_mlp_dim;
    b->m = uw__take(arena, rows * 6 * d);
    b->qkv = uw__take(arena, rows * 3 * inner);
    b->h = b->g = uw__take(arena, rows * mlp);
    if (backward) b->g = uw__take(arena, rows * mlp);
    for (int i = 0; i < 2; i++) {
        b->n[i] = b->u[i] = b->a[i] = uw__take(arena, rows * d);
        b->y[i] = uw__take(arena, rows * d);
        if (i == 0)
            b->o = uw__adaln_has_out(&net->config) ? uw__take(arena, rows * inner) : b->y[0];
        if (!backward) continue;
        b->u[i] = uw__take(arena, rows * d);
        b->a[i] = uw__take(arena, rows * d);
        b->mean_n[i] = uw__take(arena, rows);
        b->rstd_n[i] = uw__take(arena, rows);
        b->mean_a[i] = uw__take(arena, rows);
        b->rstd_a[i] = uw__take(arena, rows);
    }
}

static void gradient_layout(uw_arena *arena, const uw_net *net, size_t rows, uw_adaln_acts *acts) {
    const size_t d = (size_t)net->config.latent_dim, inner = uw__adaln_inner(net);
    const size_t mlp = (size_t)net->config.predictor_mlp_dim, cond = (size_t)net->cond_dim;
    size_t work = uw__max(uw__layernorm_work(d), uw__linear_work(d, 3 * inner, rows));
    work = uw__max(work, uw__linear_work(inner, d, rows));
    work = uw__max(work, uw__linear_work(d, mlp, rows));
    work = uw__max(work, uw__linear_work(mlp, d, rows));
    work = uw__max(work, uw__linear_work(cond, 6 * d, rows));
    acts->mean = uw__take(arena, rows);
    acts->rstd = uw__take(arena, rows);
    acts->dx = uw__take(arena, rows * d);
    acts->da = uw__take(arena, rows * d);
    acts->du = uw__take(arena, rows * d);
    acts->dy = uw__take(arena, rows * d);
    acts->dm = uw__take(arena, rows * 6 * d);
    acts->ds = uw__take(arena, rows * cond);
    acts->dqkv = uw__take(arena, rows * 3 * inner);
    acts->dout = uw__take(arena, rows * inner);
    acts->dh = uw__take(arena, rows * mlp);
    acts->work = uw__take(arena, work);
}

void uw__adaln_layout(uw_arena *arena, const uw_net *net, size_t max_n, size_t max_t, bool backward,
                      uw_adaln_acts *acts) {
    const size_t rows = max_n * max_t, d = (size_t)net->config.latent_dim;
    uw_real *x = uw__take(arena, rows * d);

    acts->s = uw__take(arena, rows * (size_t)net->cond_dim);
    if (backward) gradient_layout(arena, net, rows, acts);
    for (int32_t i = 0; i < net->config.predictor_layers; i++) {
        uw_adaln_block_acts *b = &acts->block[i];
        if (i == 0 || backward)
            block_layout(arena, net, rows, backward, b);
        else
            *b = acts->block[0];
        b->x = x;
        b->mid = backward ? uw__take(arena, rows * d) : x;
        b->next = backward ? uw__take(arena, rows * d) : x;
        x = b->next;
    }
}

/* a = LN_affine(modulate(LN(x))) with branch i's columns of the modulation. */
static void branch_norm(const uw_exec *e, const uw_net *net, const uw_real *params, int32_t norm_at,
                        uw_adaln_block_acts *b, int i, const uw_real *x, size_t rows) {
    const size_t d = (size_t)net->config.latent_dim;
    const uw_layernorm plain = {.c = d, .eps = UW_PLAIN_EPS};
    const uw_layernorm affine = uw__bind_layernorm(net, norm_at, UW_AFFINE_EPS, params, NULL);
    const uw_real *m = b->m + (size_t)i * 3 * d;

    uw__layernorm_forward(e, &plain, b->n[i], b->mean_n[i], b->rstd_n[i], x, rows);
    uw__modulate_forward(e, b->u[i], b->n[i], m + UW_ADALN_SHIFT * d, m + UW_ADALN_SCALE * d, rows,
                         d, 6 * d);
    uw__layernorm_forward(e, &affine, b->a[i], b->mean_a[i], b->rstd_a[i], b->u[i], rows);
}

static void block_forward(const uw_exec *e, const uw_net *net, const uw_real *params, int32_t index,
                          uw_adaln_acts *acts, size_t n, size_t t) {
    const size_t d = (size_t)net->config.latent_dim, inner = uw__adaln_inner(net), rows = n * t;
    const uw_linear modulation =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_MODULATION), true, params, NULL);
    const uw_linear qkv =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_QKV), false, params, NULL);
    const uw_linear up =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_UP), true, params, NULL);
    const uw_linear down =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_DOWN), true, params, NULL);
    const uw_dropout *dropout = &acts->dropout;
    const uw_drop drop_out = drop_at(net, dropout, index, DROP_OUT);
    const uw_drop drop_up = drop_at(net, dropout, index, DROP_UP);
    const uw_drop drop_down = drop_at(net, dropout, index, DROP_DOWN);
    const uw_attention attention =
        block_attention(net, n, t, drop_at(net, dropout, index, DROP_PROBABILITIES));
    uw_adaln_block_acts *b = &acts->block[index];

    uw__linear_forward(e, &modulation, b->m, NULL, acts->s, rows);

    branch_norm(e, net, params, uw__adaln_tensor(net, index, UW_ADALN_ATTN_NORM), b, 0, b->x, rows);
    uw__linear_forward(e, &qkv, b->qkv, NULL, b->a[0], rows);
    uw__attention_forward(e, &attention, b->o, b->qkv, b->qkv + inner, b->qkv + 2 * inner);
    if (uw__adaln_has_out(&net->config)) {
        const uw_linear out =
            uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_OUT), true, params, NULL);
        uw__linear_forward(e, &out, b->y[0], NULL, b->o, rows);
        uw__dropout(e, &drop_out, b->y[0], rows, d);
    }
    uw__gate_forward(e, b->mid, b->x, b->y[0], b->m + UW_ADALN_GATE * d, rows, d, 6 * d);

    branch_norm(e, net, params, uw__adaln_tensor(net, index, UW_ADALN_MLP_NORM), b, 1, b->mid,
                rows);
    uw__linear_forward(e, &up, b->h, b->g, b->a[1], rows);
    uw__dropout(e, &drop_up, b->g, rows, up.out);
    uw__linear_forward(e, &down, b->y[1], NULL, b->g, rows);
    uw__dropout(e, &drop_down, b->y[1], rows, d);
    uw__gate_forward(e, b->next, b->mid, b->y[1], b->m + (3 + UW_ADALN_GATE) * d, rows, d, 6 * d);
}

void uw__adaln_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                       uw_adaln_acts *acts, const uw_real *z, const uw_real *c, size_t n, size_t t,
                       const uw_dropout *dropout, uw_real *raw) {
    const size_t d = (size_t)net->config.latent_dim, rows = n * t;
    const int32_t layers = net->config.predictor_layers;
    const uw_layernorm norm =
        uw__bind_layernorm(net, net->at_predictor + 1, UW_AFFINE_EPS, params, NULL);

    acts->c = c;
    acts->dropout = dropout ? *dropout : (uw_dropout){0};
    uw__position_forward(e, acts->block[0].x, z, uw__bind(net, net->at_predictor, params), n, t, d);
    uw__map(e, e->k->silu, acts->s, c, rows * (size_t)net->cond_dim);
    for (int32_t i = 0; i < layers; i++) block_forward(e, net, params, i, acts, n, t);
    uw__layernorm_forward(e, &norm, raw, acts->mean, acts->rstd, acts->block[layers - 1].next,
                          rows);
}

/* From da, the gradient of a branch's normed input, add to dx and write branch i's dshift and
 * dscale. */
static void branch_norm_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                                 int32_t norm_at, const uw_adaln_block_acts *b, int i,
                                 const uw_real *x, uw_adaln_acts *acts, size_t rows,
                                 uw_real *grads) {
    const size_t d = (size_t)net->config.latent_dim, at = (size_t)i * 3 * d;
    const uw_layernorm plain = {.c = d, .eps = UW_PLAIN_EPS};
    const uw_layernorm affine = uw__bind_layernorm(net, norm_at, UW_AFFINE_EPS, params, grads);
    uw_real *dm = acts->dm + at, *dn = acts->da;

    uw__layernorm_backward(e, &affine, acts->du, false, acts->da, b->u[i], b->mean_a[i],
                           b->rstd_a[i], rows, acts->work);
    uw__modulate_backward(e, dn, dm + UW_ADALN_SHIFT * d, dm + UW_ADALN_SCALE * d, acts->du,
                          b->n[i], b->m + at + UW_ADALN_SCALE * d, rows, d, 6 * d);
    uw__layernorm_backward(e, &plain, acts->dx, true, dn, x, b->mean_n[i], b->rstd_n[i], rows,
                           acts->work);
}

/* On entry dx is the gradient of next, on return of x; ds accumulates. */
static void block_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                           int32_t index, uw_adaln_acts *acts, size_t n, size_t t, uw_real *grads) {
    const size_t d = (size_t)net->config.latent_dim, inner = uw__adaln_inner(net), rows = n * t;
    const uw_linear modulation = uw__bind_linear(
        net, uw__adaln_tensor(net, index, UW_ADALN_MODULATION), true, params, grads);
    const uw_linear qkv =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_QKV), false, params, grads);
    const uw_linear up =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_UP), true, params, grads);
    const uw_linear down =
        uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_DOWN), true, params, grads);
    const uw_dropout *dropout = &acts->dropout;
    const uw_drop drop_out = drop_at(net, dropout, index, DROP_OUT);
    const uw_drop drop_up = drop_at(net, dropout, index, DROP_UP);
    const uw_drop drop_down = drop_at(net, dropout, index, DROP_DOWN);
    const uw_attention attention =
        block_attention(net, n, t, drop_at(net, dropout, index, DROP_PROBABILITIES));
    const uw_adaln_block_acts *b = &acts->block[index];
    uw_real *dx = acts->dx, *dy = acts->dy, *dm = acts->dm, *work = acts->work;

    uw__gate_backward(e, dy, dm + (3 + UW_ADALN_GATE) * d, dx, b->y[1],
                      b->m + (3 + UW_ADALN_GATE) * d, rows, d, 6 * d);
    uw__dropout(e, &drop_down, dy, rows, d);
    uw__linear_backward(e, &down, acts->dh, false, dy, b->g, rows, work);
    uw__dropout(e, &drop_up, acts->dh, rows, up.out);
    uw__map_backward(e, e->k->gelu_backward, acts->dh, acts->dh, b->h, rows * up.out);
    uw__linear_backward(e, &up, acts->da, false, acts->dh, b->a[1], rows, work);
    branch_norm_backward(e, net, params, uw__adaln_tensor(net, index, UW_ADALN_MLP_NORM), b, 1,
                         b->mid, acts, rows, grads);

    uw__gate_backward(e, dy, dm + UW_ADALN_GATE * d, dx, b->y[0], b->m + UW_ADALN_GATE * d, rows, d,
                      6 * d);
    uw_real *dout = dy;
    if (uw__adaln_has_out(&net->config)) {
        const uw_linear out =
            uw__bind_linear(net, uw__adaln_tensor(net, index, UW_ADALN_OUT), true, params, grads);
        uw__dropout(e, &drop_out, dy, rows, d);
        uw__linear_backward(e, &out, acts->dout, false, dy, b->o, rows, work);
        dout = acts->dout;
    }
    uw__attention_backward(e, &attention, acts->dqkv, acts->dqkv + inner, acts->dqkv + 2 * inner,
                           dout, b->qkv, b->qkv + inner, b->qkv + 2 * inner);
    uw__linear_backward(e, &qkv, acts->da, false, acts->dqkv, b->a[0], rows, work);
    branch_norm_backward(e, net, params, uw__adaln_tensor(net, index, UW_ADALN_ATTN_NORM), b, 0,
                         b->x, acts, rows, grads);

    uw__linear_backward(e, &modulation, acts->ds, true, dm, acts->s, rows, work);
}

void uw__adaln_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_adaln_acts *acts, const uw_real *draw, size_t n, size_t t, uw_real *dz,
                        uw_real *dc, uw_real *grads) {
    const size_t d = (size_t)net->config.latent_dim, rows = n * t;
    const size_t cond = rows * (size_t)net->cond_dim;
    const int32_t layers = net->config.predictor_layers;
    const uw_layernorm norm =
        uw__bind_layernorm(net, net->at_predictor + 1, UW_AFFINE_EPS, params, grads);

    uw__layernorm_backward(e, &norm, acts->dx, false, draw, acts->block[layers - 1].next,
                           acts->mean, acts->rstd, rows, acts->work);
    memset(acts->ds, 0, cond * sizeof *acts->ds);
    for (int32_t i = layers - 1; i >= 0; i--) block_backward(e, net, params, i, acts, n, t, grads);
    if (grads) {
        uw__position_backward(e, uw__bind_grad(net, net->at_predictor, grads), acts->dx, n, t, d);
    }
    if (dz) memcpy(dz, acts->dx, rows * d * sizeof *dz);
    if (dc) uw__map_backward(e, e->k->silu_backward, dc, acts->ds, acts->c, cond);
}
