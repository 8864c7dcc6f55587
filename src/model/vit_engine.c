/* Inference through the ViT, phase by phase.
 *
 * A phase takes rows (tokens) of one picture from attention through the MLP to the next layer's
 * queries, keys and values; it reads all keys and values of the layer before, so that phases are
 * what rows wait for.  With enough pictures a thread takes whole ones through all phases; else
 * their rows are shared out, and the threads meet once per layer. */
#include "vit_engine.h"

#include <math.h>
#include <string.h>

enum {
    PATCH_ROWS = 64, /* patches read at once: they stay in the second cache */
    QUERY_ROWS = 64, /* queries whose scores are held at once, in bf16 */
    TAIL_ROWS = 16   /* pictures whose CLS go through the last layer together */
};

typedef struct vit_run {
    const uw_vit_engine *v;
    const uw_exec *e;
    const uint8_t *frames;
    size_t rows, image; /* pictures, and the one whose rows are shared out */
    size_t parts;
    int32_t phase;
    float *z;
} vit_run;

/* ---- sizes --------------------------------------------------------------------------------- */

static size_t dim_of(const uw_net *net) {
    return (size_t)net->config.vit_dim;
}
static size_t side_of(const uw_net *net) {
    return (size_t)(net->config.image_size / net->config.vit_patch);
}
static size_t patch_reals(const uw_net *net) {
    return (size_t)net->config.vit_patch * (size_t)net->config.vit_patch * 3;
}
static size_t frame_bytes(const uw_net *net) {
    return (size_t)net->config.image_size * (size_t)net->config.image_size * 3;
}

bool uw__vit_engine_serves(const uw_net *net) {
    const uw_model_config *c = &net->config;
    return c->encoder == UW_ENCODER_VIT && c->vit_layers > 0 &&
           (c->input == UW_INPUT_SCALED || c->input == UW_INPUT_IMAGENET);
}

/* Weights with something folded in pass through the scratch of the first worker. */
static size_t largest_fold(const uw_net *net) {
    const size_t dim = dim_of(net), mlp = (size_t)net->config.vit_mlp_dim;
    const size_t first =
        (size_t)uw__max((size_t)net->config.projector_dim, (size_t)net->config.latent_dim);
    const size_t out = uw__max(uw__max(3 * dim, mlp), first);
    return uw__max(dim * (patch_reals(net) + 1), out * (dim + 1));
}

static size_t packed_reals(size_t n, size_t k) {
    return uw__gemm_packed_bytes(n, k) / sizeof(float);
}

size_t uw__vit_engine_extra(const uw_net *net) {
    const size_t tokens = uw__vit_tokens(net), head = dim_of(net) / (size_t)net->config.vit_heads;
    const size_t most = uw__max(largest_fold(net), uw__attention_scratch(tokens, head));
    const size_t bf16 =
        packed_reals(tokens, head) + packed_reals(head, tokens) + QUERY_ROWS * tokens;
    return uw__max(bf16, most > UW_GEMM_SCRATCH ? most - UW_GEMM_SCRATCH : 0);
}

/* ---- layout -------------------------------------------------------------------------------- */

static uw_vit_weights layer_layout(uw_arena *arena, const uw_net *net, bool last) {
    const size_t dim = dim_of(net), mlp = (size_t)net->config.vit_mlp_dim;
    uw_vit_weights w = {.qkv = uw__packed_layout(arena, false, dim, (last ? 2 : 3) * dim, true)};
    if (last) w.q = uw__packed_layout(arena, false, dim, dim, true);
    w.out = uw__packed_layout(arena, false, dim, dim, true);
    w.up = uw__packed_layout(arena, false, dim, mlp, true);
    w.down = uw__packed_layout(arena, false, mlp, dim, true);
    return w;
}

static uw_vit_lane lane_layout(uw_arena *arena, const uw_net *net) {
    const size_t dim = dim_of(net), tokens = uw__vit_tokens(net), rows = uw__max(tokens, TAIL_ROWS);
    const size_t wide = uw__max(rows * (size_t)net->config.vit_mlp_dim,
                                TAIL_ROWS * (size_t)net->config.projector_dim);
    return (uw_vit_lane){
        .x = uw__take(arena, tokens * dim),
        .qkv = {uw__take(arena, tokens * 3 * dim), uw__take(arena, tokens * 3 * dim)},
        .n = uw__take(arena, rows * dim),
        .o = uw__take(arena, tokens * dim),
        .wide = uw__take(arena, uw__max(wide, PATCH_ROWS * patch_reals(net)))};
}

uw_vit_engine uw__vit_engine_layout(uw_arena *arena, const uw_net *net, size_t max_rows,
                                    int32_t num_workers) {
    const size_t dim = dim_of(net), hidden = (size_t)net->config.projector_dim;
    const size_t latent = (size_t)net->config.latent_dim, first = hidden ? hidden : latent;
    const size_t layers = (size_t)net->config.vit_layers;
    uw_vit_engine v = {.net = net};

    v.patch = uw__packed_layout(arena, false, patch_reals(net), dim, true);
    v.start = uw__take(arena, uw__vit_tokens(net) * dim);
    v.layer = uw_arena_alloc(arena, layers, sizeof *v.layer);
    for (size_t i = 0; i < layers; i++) {
        const uw_vit_weights w = layer_layout(arena, net, i + 1 == layers);
        if (v.layer && !arena->failed) v.layer[i] = w;
    }
    v.project[0] = uw__packed_layout(arena, false, dim, first, true);
    if (hidden) v.project[1] = uw__packed_layout(arena, false, hidden, latent, true);
    v.lanes = uw_arena_alloc(arena, (size_t)num_workers, sizeof *v.lanes);
    for (int32_t i = 0; i < num_workers; i++) {
        const uw_vit_lane lane = lane_layout(arena, net);
        if (v.lanes && !arena->failed) v.lanes[i] = lane;
    }
    v.cls_x = uw__take(arena, max_rows * dim);
    v.cls_o = uw__take(arena, max_rows * dim);
    return v;
}

/* ---- weights ------------------------------------------------------------------------------- */

/* Order of a layer's tensors in the table, weights; biases follow. */
enum { NORM1 = 0, QUERY = 2, KEY = 4, VALUE = 6, OUT = 8, NORM2 = 10, UP = 12, DOWN = 14 };

static const float VIT_EPS = 1e-12f;

/* Lay out a packed layer in the engine's precision. */
static void fill(const uw_vit_engine *v, const uw_exec *e, uw_packed *p, const float *w,
                 const float *b) {
    p->bf16 = v->bf16;
    uw__packed_fill(p, e->k, w, p->in, b);
}

/* w, b = a layer behind a norm's scale and shift: its weights times gamma, and what they make of
 * beta on top of its bias. */
static void fold_norm(const uw_linear *l, const uw_layernorm *norm, float *w, float *b) {
    for (size_t o = 0; o < l->out; o++) {
        double shift = (double)l->b[o];
        for (size_t i = 0; i < l->in; i++) {
            w[o * l->in + i] = l->w[o * l->in + i] * norm->gamma[i];
            shift += (double)l->w[o * l->in + i] * (double)norm->beta[i];
        }
        b[o] = (float)shift;
    }
}

/* Fold a norm into `count` layers of one width side by side, from tensor `at` on. */
static void fill_behind_norm(const uw_vit_engine *v, const uw_exec *e, uw_packed *p, int32_t norm,
                             int32_t at, int32_t count, const float *params) {
    const uw_layernorm n = uw__bind_layernorm(v->net, norm, VIT_EPS, params, NULL);
    float *w = e->scratch, *b = w + p->in * p->out;
    for (int32_t i = 0; i < count; i++) {
        const uw_linear l = uw__bind_linear(v->net, at + 2 * i, true, params, NULL);
        fold_norm(&l, &n, w + (size_t)i * l.in * l.out, b + (size_t)i * l.out);
    }
    fill(v, e, p, w, b);
}

static void fill_plain(const uw_vit_engine *v, const uw_exec *e, uw_packed *p, int32_t at,
                       const float *params) {
    const uw_linear l = uw__bind_linear(v->net, at, true, params, NULL);
    fill(v, e, p, l.w, l.b);
}

/* Pixels are x = scale u + shift per channel.  The product takes u - 128, which every precision
 * holds exactly and which is no larger than x is. */
static void fill_patch(const uw_vit_engine *v, const uw_exec *e, const float *params) {
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    const bool imagenet = v->net->config.input == UW_INPUT_IMAGENET;
    const size_t dim = dim_of(v->net), area = patch_reals(v->net) / 3;
    const uw_linear l = uw__bind_linear(v->net, v->net->at_encoder + 2, true, params, NULL);
    float *w = e->scratch, *b = w + dim * 3 * area;
    for (size_t o = 0; o < dim; o++) {
        double bias = (double)l.b[o];
        for (size_t i = 0; i < 3 * area; i++) { /* w [dim, c, ky kx] -> [dim, ky kx, c] */
            const size_t c = i % 3;
            const double from = (double)l.w[(o * 3 + c) * area + i / 3];
            const double scale = imagenet ? 1 / (255 * std[c]) : 1 / 127.5;
            bias += from * (128 * scale - (imagenet ? mean[c] / std[c] : 1));
            w[o * 3 * area + i] = (float)(from * scale);
        }
        b[o] = (float)bias;
    }
    uw_packed patch = v->patch;
    fill(v, e, &patch, w, b);
}

/* The final norm in front of the projector, and BatchNorm's running statistics behind its first
 * layer. */
static void fill_projector(uw_vit_engine *v, const uw_exec *e, const float *params,
                           const float *buffers) {
    const int32_t at = v->net->at_projector;
    const int32_t norm_at = uw__vit_layer_at(v->net, v->net->config.vit_layers);
    const uw_layernorm norm = uw__bind_layernorm(v->net, norm_at, VIT_EPS, params, NULL);
    const uw_linear first = uw__bind_linear(v->net, at, true, params, NULL);
    float *w = e->scratch, *b = w + first.in * first.out;
    fold_norm(&first, &norm, w, b);
    if (v->net->config.projector_dim) {
        /* only read: the running statistics of a model do not move */
        const uw_batchnorm bn = uw__bind_batchnorm(v->net, at + 2, params, (float *)buffers, NULL);
        for (size_t o = 0; o < first.out; o++) {
            const float scale = bn.gamma[o] * (float)(1 / sqrt((double)bn.running_var[o] + 1e-5));
            for (size_t i = 0; i < first.in; i++) w[o * first.in + i] *= scale;
            b[o] = (b[o] - bn.running_mean[o]) * scale + bn.beta[o];
        }
        fill_plain(v, e, &v->project[1], at + 7, params);
    }
    fill(v, e, &v->project[0], w, b);
}

void uw__vit_engine_fill(uw_vit_engine *v, const uw_exec *e, const float *params,
                         const float *buffers) {
    const uw_net *net = v->net;
    const int32_t layers = net->config.vit_layers;
    const float *cls = uw__bind(net, net->at_encoder, params);

    v->bf16 = e->bf16;
    v->patch.bf16 = e->bf16;
    fill_patch(v, e, params);
    memcpy(v->start, uw__bind(net, net->at_encoder + 1, params),
           uw__vit_tokens(net) * dim_of(net) * sizeof *cls);
    for (size_t i = 0; i < dim_of(net); i++) v->start[i] += cls[i];
    for (int32_t i = 0; i < layers; i++) {
        uw_vit_weights *w = &v->layer[i];
        const int32_t at = uw__vit_layer_at(net, i);
        const bool last = i + 1 == layers;
        fill_behind_norm(v, e, &w->qkv, at + NORM1, at + (last ? KEY : QUERY), last ? 2 : 3,
                         params);
        if (last) fill_behind_norm(v, e, &w->q, at + NORM1, at + QUERY, 1, params);
        fill_plain(v, e, &w->out, at + OUT, params);
        fill_behind_norm(v, e, &w->up, at + NORM2, at + UP, 1, params);
        fill_plain(v, e, &w->down, at + DOWN, params);
    }
    fill_projector(v, e, params, buffers);
}

/* ---- rows of one picture -------------------------------------------------------------------- */

/* A worker's place, and the picture it works on. */
typedef struct vit_part {
    const uw_vit_engine *v;
    const uw_kernels *k;
    const uint8_t *frame;
    float *x, *qkv[2];   /* of the picture */
    float *n, *o, *wide; /* the worker's own */
    float *scratch;
    size_t first, count; /* rows */
} vit_part;

/* n = LN(x), without its affine part, as products of this precision take it. */
static void normalise(const vit_part *t, const float *x, size_t rows) {
    const size_t dim = dim_of(t->v->net);
    const uw_norm_args a = {.rows = rows,
                            .c = dim,
                            .x = x,
                            .ldx = dim,
                            .eps = VIT_EPS,
                            .y = t->n,
                            .ldy = dim,
                            .y16 = t->v->bf16 ? (uint16_t *)t->n : NULL};
    t->k->norm(&a);
}

/* The product of what is in n. */
static uw_gemm_args of_normalised(const vit_part *t, const uw_packed *p, size_t rows, float *c,
                                  size_t ldc) {
    uw_gemm_args g = uw__packed_gemm(p, t->n, p->in, rows, c, ldc);
    if (t->v->bf16) g.a16 = (const uint16_t *)t->n;
    return g;
}

/* c [rows, p->out] += a [rows, p->in] p. */
static void add_product(const vit_part *t, const uw_packed *p, const float *a, size_t rows,
                        float *c) {
    uw_gemm_args g = uw__packed_gemm(p, a, p->in, rows, c, p->out);
    g.accumulate = true;
    uw__packed_run(p, t->k, &g, t->scratch);
}

/* Up into the hidden layer, through GELU, and down: c = (c +) what comes out. */
static void up_and_down(const vit_part *t, const uw_packed *up, const uw_packed *down, size_t rows,
                        float *c, bool accumulate) {
    uw_gemm_args g = of_normalised(t, up, rows, t->wide, up->out);
    uw_gemm_args h = uw__packed_gemm(down, t->wide, down->in, rows, c, down->out);
    g.epilogue = UW_EPILOGUE_GELU;
    h.accumulate = accumulate;
    if (t->v->bf16) g.c16 = (uint16_t *)t->wide, h.a16 = g.c16;
    uw__packed_run(up, t->k, &g, t->scratch);
    uw__packed_run(down, t->k, &h, t->scratch);
}

/* The patch of token `token` >= 1 as levels - 128, in the order (ky, kx, c). */
static void read_patch(const vit_part *t, size_t token, float *to) {
    const size_t patch = (size_t)t->v->net->config.vit_patch, side = side_of(t->v->net);
    const size_t row = side * patch * 3, p = token - 1;
    const uint8_t *from = t->frame + p / side * patch * row + p % side * patch * 3;
    for (size_t y = 0; y < patch; y++, from += row, to += patch * 3)
        t->k->u8_affine(to, from, 1, -128, patch * 3);
}

static void embed(const vit_part *t) {
    const size_t dim = dim_of(t->v->net), reals = patch_reals(t->v->net);
    const size_t end = t->first + t->count;
    size_t at = t->first;
    memcpy(t->x + at * dim, t->v->start + at * dim, t->count * dim * sizeof *t->x);
    if (at == 0) at = 1;
    for (size_t rows; at < end; at += rows) {
        rows = end - at < PATCH_ROWS ? end - at : PATCH_ROWS;
        for (size_t r = 0; r < rows; r++) read_patch(t, at + r, t->wide + r * reals);
        add_product(t, &t->v->patch, t->wide, rows, t->x + at * dim);
    }
}

/* Queries, keys and values of a layer. */
static void project_rows(const vit_part *t, int32_t layer) {
    const uw_vit_weights *w = &t->v->layer[layer];
    const size_t dim = dim_of(t->v->net), at = t->first * dim;
    const bool last = layer + 1 == t->v->net->config.vit_layers;
    float *qkv = t->qkv[layer % 2] + 3 * at;
    normalise(t, t->x + at, t->count);
    uw_gemm_args g = of_normalised(t, &w->qkv, t->count, qkv + (last ? dim : 0), 3 * dim);
    uw__packed_run(&w->qkv, t->k, &g, t->scratch);
    if (!last || t->first > 0) return;
    g = of_normalised(t, &w->q, 1, qkv, 3 * dim);
    uw__packed_run(&w->q, t->k, &g, t->scratch);
}

/* One head by products of bf16: keys and values are laid out once, then a few queries at a time. */
static void attend_bf16(const vit_part *t, const uw_attention_args *a) {
    float *keys = t->scratch + UW_GEMM_SCRATCH;
    float *values = keys + packed_reals(a->tokens, a->head_dim);
    float *s = values + packed_reals(a->head_dim, a->tokens);
    t->k->gemm_bf16_pack(keys, a->k, a->ld_kv, true, a->tokens, a->head_dim);
    t->k->gemm_bf16_pack(values, a->v, a->ld_kv, false, a->head_dim, a->tokens);
    for (size_t r = 0, rows; r < a->rows; r += rows) {
        rows = a->rows - r < QUERY_ROWS ? a->rows - r : QUERY_ROWS;
        const uw_gemm_args scores = {.m = rows,
                                     .n = a->tokens,
                                     .k = a->head_dim,
                                     .a = a->q + r * a->ld_q,
                                     .lda = a->ld_q,
                                     .packed = keys,
                                     .c = s,
                                     .ldc = a->tokens};
        const uw_gemm_args picked = {.m = rows,
                                     .n = a->head_dim,
                                     .k = a->tokens,
                                     .a = s,
                                     .lda = a->tokens,
                                     .packed = values,
                                     .c = a->o + r * a->ld_o,
                                     .ldc = a->ld_o};
        t->k->gemm_bf16(&scores, t->scratch);
        t->k->softmax(s, rows, a->tokens, a->tokens, a->scale, false);
        t->k->gemm_bf16(&picked, t->scratch);
    }
}

/* o [count, dim] of rows first .. first + count, all heads. */
static void attend(const vit_part *t, int32_t layer, size_t count, float *o) {
    const size_t dim = dim_of(t->v->net), heads = (size_t)t->v->net->config.vit_heads;
    const size_t head_dim = dim / heads;
    const float *qkv = t->qkv[layer % 2];
    for (size_t h = 0; h < heads; h++) {
        const uw_attention_args a = {.rows = count,
                                     .tokens = uw__vit_tokens(t->v->net),
                                     .head_dim = head_dim,
                                     .q = qkv + 3 * t->first * dim + h * head_dim,
                                     .ld_q = 3 * dim,
                                     .k = qkv + dim + h * head_dim,
                                     .v = qkv + 2 * dim + h * head_dim,
                                     .ld_kv = 3 * dim,
                                     .o = o + h * head_dim,
                                     .ld_o = dim,
                                     .scale = (float)(1 / sqrt((double)head_dim))};
        if (t->v->bf16)
            attend_bf16(t, &a);
        else
            t->k->attention(&a, t->scratch);
    }
}

/* Phase 0: patches to the first layer's qkv; phase i: the rest of layer i - 1, then layer i's qkv.
 */
static void run_phase(const vit_part *t, int32_t phase) {
    if (phase == 0) {
        embed(t);
    } else {
        const uw_vit_weights *w = &t->v->layer[phase - 1];
        float *x = t->x + t->first * dim_of(t->v->net);
        attend(t, phase - 1, t->count, t->o);
        add_product(t, &w->out, t->o, t->count, x);
        normalise(t, x, t->count);
        up_and_down(t, &w->up, &w->down, t->count, x, true);
    }
    project_rows(t, phase);
}

/* ---- tasks --------------------------------------------------------------------------------- */

/* Rows of the picture `image`, in the worker's memory; the picture itself in that of `owner`. */
static vit_part part_of(const vit_run *r, size_t image, int32_t worker, int32_t owner) {
    const int32_t lane = r->e->num_workers == 1 ? 0 : worker;
    const uw_vit_lane *own = &r->v->lanes[lane];
    const uw_vit_lane *of = &r->v->lanes[owner < 0 ? lane : owner];
    return (vit_part){.v = r->v,
                      .k = r->e->k,
                      .frame = r->frames + image * frame_bytes(r->v->net),
                      .x = of->x,
                      .qkv = {of->qkv[0], of->qkv[1]},
                      .n = own->n,
                      .o = own->o,
                      .wide = own->wide,
                      .scratch = uw__exec_gemm_scratch(r->e, worker),
                      .count = uw__vit_tokens(r->v->net)};
}

/* Attention of CLS in the last layer: what the tail goes on from. */
static void keep_cls(const vit_run *r, const vit_part *t, size_t image) {
    const size_t dim = dim_of(r->v->net);
    memcpy(r->v->cls_x + image * dim, t->x, dim * sizeof *t->x);
    attend(t, r->v->net->config.vit_layers - 1, 1, r->v->cls_o + image * dim);
}

static void whole_picture(void *arg, size_t index, int32_t worker) {
    const vit_run *r = arg;
    const vit_part t = part_of(r, index, worker, -1);
    for (int32_t i = 0; i < r->v->net->config.vit_layers; i++) run_phase(&t, i);
    keep_cls(r, &t, index);
}

static void picture_part(void *arg, size_t index, int32_t worker) {
    const vit_run *r = arg;
    vit_part t = part_of(r, r->image, worker, 0);
    t.first = t.count * index / r->parts;
    t.count = t.count * (index + 1) / r->parts - t.first;
    if (t.count) run_phase(&t, r->phase);
}

/* The last layer behind its attention, the final norm and the projector, for a few CLS. */
static void tail(void *arg, size_t index, int32_t worker) {
    const vit_run *r = arg;
    const uw_vit_engine *v = r->v;
    const size_t dim = dim_of(v->net), first = index * TAIL_ROWS;
    const size_t rows = r->rows - first < TAIL_ROWS ? r->rows - first : TAIL_ROWS;
    const uw_vit_weights *w = &v->layer[v->net->config.vit_layers - 1];
    const vit_part t = part_of(r, 0, worker, -1);
    float *x = v->cls_x + first * dim, *z = r->z + first * (size_t)v->net->config.latent_dim;

    add_product(&t, &w->out, v->cls_o + first * dim, rows, x);
    normalise(&t, x, rows);
    up_and_down(&t, &w->up, &w->down, rows, x, true);
    normalise(&t, x, rows);
    if (v->project[1].w) {
        up_and_down(&t, &v->project[0], &v->project[1], rows, z, false);
    } else {
        const uw_gemm_args g = of_normalised(&t, &v->project[0], rows, z, v->project[0].out);
        uw__packed_run(&v->project[0], t.k, &g, t.scratch);
    }
}

void uw__vit_engine_run(const uw_vit_engine *v, const uw_exec *e, const uint8_t *frames,
                        size_t rows, float *z) {
    const size_t workers = (size_t)e->num_workers, alone = rows - rows % workers;
    vit_run r = {.v = v, .e = e, .frames = frames, .rows = rows, .parts = workers, .z = z};

    uw__pool_run(e->pool, alone, whole_picture, &r);
    for (r.image = alone; r.image < rows; r.image++) {
        for (r.phase = 0; r.phase < v->net->config.vit_layers; r.phase++)
            uw__pool_run(e->pool, r.parts, picture_part, &r);
        const vit_part t = part_of(&r, r.image, 0, 0);
        keep_cls(&r, &t, r.image);
    }
    uw__pool_run(e->pool, uw__num_blocks(rows, TAIL_ROWS), tail, &r);
}
