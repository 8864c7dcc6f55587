/* The pass of rollout.h: a block of candidates goes through all layers and all steps. */
#include "rollout.h"

#include <math.h>
#include <string.h>

#include "adaln_tensors.h"

/* One step of one block: the window's tokens and what of them is still to be done. */
typedef struct step {
    const uw_rollout *r;
    const uw_rollout_call *call;
    const uw_kernels *k;
    float *scratch;           /* of products */
    const uw_rollout_rows *l; /* the worker's */
    size_t begin, n;          /* candidates of the block */
    size_t from, tokens;      /* the window */
    size_t fresh;   /* its tokens before this one are done: their keys and values are kept */
    size_t m_first; /* token of the first modulation */
} step;

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Tokens of the window that all candidates share. */
static size_t shared(const step *s) {
    const size_t past = s->call->history - 1;
    return past > s->from ? past - s->from : 0;
}

/* The row where token t of the window begins; t = tokens: behind the last. */
static size_t row_of(const step *s, size_t t) {
    const size_t common = shared(s);
    return t < common ? t : common + (t - common) * s->n;
}

/* The modulation of the window's first token. */
static float *modulation(const step *s) {
    const size_t past = s->call->history - 1, kept = past > s->m_first ? past - s->m_first : 0;
    const size_t t = s->from - s->m_first, row = t < kept ? t : kept + (t - kept) * s->n;
    return s->l->m + row * (size_t)s->r->net->config.predictor_layers * 6 *
                         (size_t)s->r->net->config.latent_dim;
}

static uw_rows rows_at(uw_rows x, size_t row, size_t column) {
    const size_t at = row * x.ld + column;
    x.p = x.bf16 ? (void *)((uint16_t *)x.p + at) : (void *)((float *)x.p + at);
    return x;
}
static uw_rows rows_of(float *p, size_t ld) {
    return (uw_rows){.p = p, .ld = ld};
}

/* c = a w + bias; the caller adds an epilogue. */
static uw_gemm_args product(const uw_packed *w, uw_rows a, size_t rows, uw_rows c) {
    uw_gemm_args g = uw__packed_gemm(w, a.bf16 ? NULL : a.p, a.ld, rows, c.bf16 ? NULL : c.p, c.ld);
    if (a.bf16) g.a16 = a.p;
    if (c.bf16) g.c16 = c.p;
    return g;
}
static void run(const step *s, const uw_packed *w, const uw_gemm_args *g) {
    uw__packed_run(w, s->k, g, s->scratch);
}
static void multiply(const step *s, const uw_packed *w, uw_rows a, size_t rows, uw_rows c) {
    const uw_gemm_args g = product(w, a, rows, c);
    run(s, w, &g);
}

/* ---- actions ------------------------------------------------------------------------------- */

/* Encode the actions of tokens `first` and on, known so far, and what they do to every layer. */
static void modulate(step *s, size_t first, size_t known) {
    const uw_net *net = s->r->net;
    const uw_rollout_rows *l = s->l;
    const size_t in = (size_t)net->action_in, cond = (size_t)net->cond_dim;
    const size_t smooth = (size_t)net->config.action_smooth_dim;
    const size_t hidden = (size_t)net->config.action_hidden_dim;
    const size_t layers = (size_t)net->config.predictor_layers;
    const size_t d6 = 6 * (size_t)net->config.latent_dim;
    const size_t past = s->call->history - 1;
    size_t rows = 0;

    for (size_t t = first; t < known; t++) {
        const size_t n = t < past ? 1 : s->n;
        for (size_t i = 0; i < n; i++)
            s->call->action(s->call->cookie, s->begin + i, t, l->a + rows++ * in);
    }
    float *c = l->a;
    if (smooth) {
        c = l->c;
        multiply(s, &s->r->action[0], rows_of(l->a, in), rows, rows_of(l->smooth, smooth));
        multiply(s, &s->r->action[1], rows_of(l->smooth, smooth), rows, rows_of(l->hidden, hidden));
        s->k->silu(l->hidden, l->hidden, rows * hidden);
        multiply(s, &s->r->action[2], rows_of(l->hidden, hidden), rows, rows_of(c, cond));
    }
    s->k->silu(c, c, rows * cond);
    step at = *s;
    at.from = first;
    for (size_t i = 0; i < layers; i++)
        multiply(s, &s->r->layer[i].modulation, rows_of(c, cond), rows,
                 rows_of(modulation(&at) + i * d6, layers * d6));
}

/* Make room for one more token's modulation: those of the window move to the front. */
static void make_room(step *s, size_t known) {
    const size_t window = (size_t)s->r->net->config.history_size;
    if (known - s->m_first < 2 * window) return;
    step kept = *s;
    kept.from = known - (window - 1);
    const size_t layers = (size_t)s->r->net->config.predictor_layers;
    const size_t row = layers * 6 * (size_t)s->r->net->config.latent_dim;
    memmove(s->l->m, modulation(&kept), (window - 1) * s->n * row * sizeof *s->l->m);
    s->m_first = kept.from;
}

/* ---- layers -------------------------------------------------------------------------------- */

/* Both norms of a branch, from the residual stream. */
static void branch_norm(const step *s, size_t layer, int branch, size_t row, size_t rows) {
    const size_t d = (size_t)s->r->net->config.latent_dim;
    const size_t ldm = (size_t)s->r->net->config.predictor_layers * 6 * d;
    const float *m = modulation(s) + row * ldm + (layer * 2 + (size_t)branch) * 3 * d;
    const uw_rows y = rows_at(s->l->norm, row, 0);
    const uw_norm_args a = {.rows = rows,
                            .c = d,
                            .x = s->l->x + row * d,
                            .ldx = d,
                            .eps = UW_PLAIN_EPS,
                            .shift = m + UW_ADALN_SHIFT * d,
                            .scale = m + UW_ADALN_SCALE * d,
                            .ldm = ldm,
                            .eps2 = UW_AFFINE_EPS,
                            .gamma2 = s->r->layer[layer].gamma[branch],
                            .beta2 = s->r->layer[layer].beta[branch],
                            .y = y.bf16 ? NULL : y.p,
                            .ldy = y.ld,
                            .y16 = y.bf16 ? y.p : NULL};
    s->k->norm(&a);
}

/* x += gate * (a w + bias), rows from `row` on; no w: x += gate * a. */
static void branch_end(const step *s, size_t layer, int branch, const uw_packed *w, uw_rows a,
                       size_t row, size_t rows) {
    const size_t d = (size_t)s->r->net->config.latent_dim;
    const size_t ldm = (size_t)s->r->net->config.predictor_layers * 6 * d;
    const float *gate =
        modulation(s) + row * ldm + ((layer * 2 + (size_t)branch) * 3 + UW_ADALN_GATE) * d;
    float *x = s->l->x + row * d;
    if (!w->w) {
        for (size_t r = 0; r < rows; r++)
            s->k->gate(x + r * d, (const float *)a.p + r * a.ld, gate + r * ldm, 1, d, ldm);
        return;
    }
    uw_gemm_args g = product(w, a, rows, rows_of(x, d));
    g.epilogue = UW_EPILOGUE_GATE;
    g.residual = x;
    g.ld_residual = d;
    g.gate = gate;
    g.ld_gate = ldm;
    run(s, w, &g);
}

/* What token t's queries pick, in their place. */
static void attend(const step *s, uw_rows kv, size_t t) {
    const uw_model_config *c = &s->r->net->config;
    const size_t inner = uw__adaln_inner(s->r->net), common = shared(s), row = row_of(s, t);
    const uw_rows q = rows_at(s->l->q, row, 0);
    uw_few_keys_args a = {.rows = row_of(s, t + 1) - row,
                          .heads = (size_t)c->predictor_heads,
                          .head_dim = (size_t)c->predictor_head_dim,
                          .num_keys = t + 1,
                          .scale = (float)(1.0 / sqrt((double)c->predictor_head_dim)),
                          .bf16 = q.bf16,
                          .q = q.p,
                          .ld_q = q.ld,
                          .o = q.p,
                          .ld_o = q.ld};
    for (size_t j = 0; j <= t; j++) {
        a.k[j] = rows_at(kv, row_of(s, j), 0).p;
        a.v[j] = rows_at(kv, row_of(s, j), inner).p;
        a.ld_kv[j] = j < common ? 0 : kv.ld;
    }
    s->k->few_keys(&a);
}

/* One layer over the fresh tokens; of the last layer only the last token's end is read. */
static void layer_run(const step *s, size_t layer) {
    const uw_rollout_layer *w = &s->r->layer[layer];
    const bool grows = s->from == 0, last = layer + 1 == (size_t)s->r->net->config.predictor_layers;
    const uw_rows kv = s->l->kv[grows ? layer : 0];
    const size_t wanted = last ? s->tokens - 1 : s->fresh; /* tokens from here on go on */
    const size_t fresh = row_of(s, s->fresh), end = row_of(s, s->tokens), row = row_of(s, wanted);
    const size_t ask = wanted ? wanted : 1,
                 asking = row_of(s, ask); /* the first token has one key */

    branch_norm(s, layer, 0, fresh, end - fresh);
    multiply(s, &w->kv, rows_at(s->l->norm, fresh, 0), end - fresh, rows_at(kv, fresh, 0));
    if (asking > row)
        branch_end(s, layer, 0, &w->out, rows_at(kv, row, uw__adaln_inner(s->r->net)), row,
                   asking - row);
    if (end > asking) {
        multiply(s, &w->q, rows_at(s->l->norm, asking, 0), end - asking,
                 rows_at(s->l->q, asking, 0));
        for (size_t t = ask; t < s->tokens; t++) attend(s, kv, t);
        branch_end(s, layer, 0, &w->out, rows_at(s->l->q, asking, 0), asking, end - asking);
    }
    branch_norm(s, layer, 1, row, end - row);
    for (size_t i = row, rows; i < end; i += rows) {
        rows = least(s->r->most, end - i);
        uw_gemm_args up = product(&w->up, rows_at(s->l->norm, i, 0), rows, s->l->wide);
        up.epilogue = UW_EPILOGUE_GELU;
        run(s, &w->up, &up);
        branch_end(s, layer, 1, &w->down, s->l->wide, i, rows);
    }
}

/* ---- steps --------------------------------------------------------------------------------- */

/* The latent of token t of the window, candidate i, and its position: where the residual stream
 * begins. */
static void enter(const step *s, size_t t) {
    const size_t d = (size_t)s->r->net->config.latent_dim, token = s->from + t;
    const size_t row = row_of(s, t), rows = row_of(s, t + 1) - row, known = s->call->history;
    for (size_t i = 0; i < rows; i++) {
        const float *z = token < known
                             ? s->call->z0 + token * d
                             : s->call->z + ((s->begin + i) * s->call->h + token - known) * d;
        s->k->add(s->l->x + (row + i) * d, z, s->r->position + t * d, d);
    }
}

/* The last token's end: the next latent. */
static void leave(const step *s, size_t index) {
    const uw_rollout *r = s->r;
    const size_t d = (size_t)r->net->config.latent_dim, row = row_of(s, s->tokens - 1);
    const uw_rows z = rows_of(s->call->z + (s->begin * s->call->h + index) * d, s->call->h * d);
    const uw_rows norm = rows_at(s->l->norm, row, 0), y = r->net->config.pred_proj_dim ? norm : z;
    const uw_norm_args a = {.rows = s->n,
                            .c = d,
                            .x = s->l->x + row * d,
                            .ldx = d,
                            .eps = UW_AFFINE_EPS,
                            .gamma = r->gamma,
                            .beta = r->beta,
                            .y = y.bf16 ? NULL : y.p,
                            .ldy = y.ld,
                            .y16 = y.bf16 ? y.p : NULL};
    s->k->norm(&a);
    if (!r->net->config.pred_proj_dim) return;
    uw_gemm_args up = product(&r->project[0], norm, s->n, s->l->wide);
    up.epilogue = UW_EPILOGUE_GELU;
    run(s, &r->project[0], &up);
    multiply(s, &r->project[1], s->l->wide, s->n, z);
}

typedef struct rollout_task {
    const uw_rollout *r;
    const uw_exec *e;
    const uw_rollout_call *call;
    size_t block;
} rollout_task;

static void block_run(void *arg, size_t index, int32_t worker) {
    const rollout_task *task = arg;
    const uw_rollout *r = task->r;
    const uw_rollout_call *call = task->call;
    const size_t window = (size_t)r->net->config.history_size;
    step s = {.r = r,
              .call = call,
              .k = task->e->k,
              .scratch = uw__exec_gemm_scratch(task->e, worker),
              .l = &r->lanes[task->e->num_workers == 1 ? 0 : worker],
              .begin = index * task->block};
    s.n = least(task->block, call->n - s.begin);

    for (size_t i = 0; i < call->h; i++) {
        const size_t known = call->history + i;
        if (i) make_room(&s, known - 1);
        modulate(&s, i ? known - 1 : 0, known);
        s.tokens = least(known, window);
        s.from = known - s.tokens;
        s.fresh = i && s.from == 0 ? s.tokens - 1 : 0;
        for (size_t t = s.fresh; t < s.tokens; t++) enter(&s, t);
        for (size_t layer = 0; layer < (size_t)r->net->config.predictor_layers; layer++)
            layer_run(&s, layer);
        leave(&s, i);
    }
}

size_t uw__rollout_block(const uw_rollout *r, int32_t num_workers, size_t n) {
    enum { UNIT = 4, FEWEST = 16 }; /* rows of a product */
    const size_t workers = (size_t)num_workers;
    const size_t rounds = (n + workers * r->most - 1) / (workers * r->most);
    const size_t even = (n + workers * rounds - 1) / (workers * (rounds ? rounds : 1));
    const size_t block = (even + UNIT - 1) / UNIT * UNIT;
    return least(r->most, block < FEWEST ? FEWEST : block);
}

void uw__rollout_run(const uw_rollout *r, const uw_exec *e, const uw_rollout_call *call) {
    rollout_task task = {.r = r, .e = e, .call = call};
    if (call->n == 0) return;
    task.block = uw__rollout_block(r, e->num_workers, call->n);
    uw__pool_run(e->pool, (call->n + task.block - 1) / task.block, block_run, &task);
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

/* Products of one token, in multiply-adds. */
typedef struct terms {
    double action, modulation, q, kv, out, mlp, project, key; /* key: one query against one key */
} terms;

static terms terms_of(const uw_net *net) {
    const uw_model_config *c = &net->config;
    const double d = c->latent_dim, inner = (double)uw__adaln_inner(net),
                 smooth = c->action_smooth_dim;
    const double in = net->action_in, hidden = smooth > 0 ? c->action_hidden_dim : 0;
    const double cond = net->cond_dim;
    return (terms){.action = in * smooth + smooth * hidden + (smooth > 0 ? hidden * cond : 0),
                   .modulation = cond * 6 * d,
                   .q = d * inner,
                   .kv = 2 * d * inner,
                   .out = uw__adaln_has_out(c) ? inner * d : 0,
                   .mlp = 2 * d * c->predictor_mlp_dim,
                   .project = 2 * d * c->pred_proj_dim,
                   .key = 2 * inner};
}

uw_rollout_flops uw__rollout_flops(const uw_net *net, size_t history, size_t n, size_t h) {
    const terms w = terms_of(net);
    const size_t window = (size_t)net->config.history_size, past = history - 1;
    const double layers = net->config.predictor_layers, all = (double)n;
    double done = 0, reference = 0;

    for (size_t i = 0; i < h; i++) {
        const size_t known = history + i, tokens = least(known, window), from = known - tokens;
        const size_t fresh = i && from == 0 ? tokens - 1 : 0;
        for (size_t t = 0; t < tokens; t++) {
            const double keys = (double)(t + 1);
            reference +=
                all *
                (layers * (w.modulation + w.q + w.kv + w.out + w.mlp + keys * w.key) + w.project);
            if (t < fresh) continue;
            const double rows = from + t < past ? 1 : all;
            const double ask = t ? w.q + keys * w.key : 0;
            const double whole = t + 1 == tokens ? layers : layers - 1;
            done += rows * (layers * w.kv + whole * (ask + w.out + w.mlp));
        }
        done += all * w.project;
    }
    reference += all * (double)(past + h) * w.action;
    done += ((double)past + all * (double)h) * (w.action + layers * w.modulation);
    return (uw_rollout_flops){.done = 2 * done, .reference = 2 * reference};
}
