/* The encoder of inference: the ViT by its own engine, everything else by the network's forward.
 *
 * It keeps no observation: a latent is a function of the model and one observation. */
#include "encoder.h"

#include <math.h>

#include "model_struct.h"
#include "observe.h"
#include "vit_engine.h"

enum { MAX_ROWS = 1 << 16, MAX_THREADS = 256, MODEST_BYTES = 32 << 20, MODEST_ROWS = 256 };

struct uw_encoder {
    const uw_model *model;
    size_t max_rows;
    uw_exec exec;
    bool by_engine;
    uw_vit_engine vit;
    uw_encode_acts *acts; /* of the network's forward */
    float *x;             /* [max_rows, input_reals]; NULL when it takes frames */
};

uw_encoder *uw__encoder_layout(uw_arena *arena, const uw_model *model, size_t max_rows,
                               int32_t workers) {
    const uw_net *net = &model->net;
    uw_encoder tmp = {
        .model = model, .max_rows = max_rows, .by_engine = uw__vit_engine_serves(net)};
    uw_encoder *self = uw_arena_alloc(arena, 1, sizeof *self);

    tmp.exec = uw__exec_layout_for(
        arena, workers, tmp.by_engine ? uw__vit_engine_extra(net) : uw__net_extra_reals(net));
    if (tmp.by_engine) {
        tmp.vit = uw__vit_engine_layout(arena, net, max_rows, workers);
    } else {
        tmp.acts = uw__encode_layout(arena, net, max_rows, false);
        if (!uw__net_takes_frames(net))
            tmp.x = uw_arena_alloc(arena, max_rows * net->input_reals, sizeof *tmp.x);
    }
    if (self && !arena->failed) *self = tmp;
    return self;
}

void uw__encoder_start(uw_encoder *e, const uw_context *ctx, bool parallel) {
    e->exec.k = ctx->kernels;
    e->exec.pool = parallel ? ctx->pool : NULL;
    e->exec.bf16 = ctx->options.precision == UW_PRECISION_BF16;
    if (e->by_engine) uw__vit_engine_fill(&e->vit, &e->exec, e->model->params, e->model->buffers);
}

size_t uw__encoder_rows(const uw_model *model, int64_t n) {
    uw_arena none = UW_ARENA_MEASURE, one = UW_ARENA_MEASURE;
    uw__encoder_layout(&none, model, 0, 1);
    uw__encoder_layout(&one, model, 1, 1);
    size_t rows = MODEST_BYTES / (one.used - none.used + 1);
    if (rows < 1) rows = 1;
    if (rows > MODEST_ROWS) rows = MODEST_ROWS;
    return (int64_t)rows < n ? rows : (size_t)n;
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool sizes_ok(int32_t max_rows, int32_t num_threads) {
    return max_rows >= 1 && max_rows <= MAX_ROWS && num_threads >= 0 && num_threads <= MAX_THREADS;
}

size_t uw_encoder_memsize(const uw_model *model, int32_t max_rows, int32_t num_threads) {
    uw_arena measure = UW_ARENA_MEASURE;
    if (!sizes_ok(max_rows, num_threads)) return 0;
    uw__encoder_layout(&measure, model, (size_t)max_rows, num_threads ? num_threads : 1);
    return measure.failed ? 0 : measure.used;
}

uw_status uw_encoder_init(uw_context *ctx, const uw_model *model, int32_t max_rows, bool parallel,
                          void *mem, size_t mem_size, uw_encoder **out) {
    *out = NULL;
    if (!ctx || !sizes_ok(max_rows, 0) || !mem || (uintptr_t)mem % UW_ALIGN) return UW_EINVAL;
    uw_arena arena = {.base = mem, .cap = mem_size};
    uw_encoder *self =
        uw__encoder_layout(&arena, model, (size_t)max_rows, parallel ? uw_context_threads(ctx) : 1);
    if (arena.failed) return UW_ENOMEM;
    uw__encoder_start(self, ctx, parallel);
    *out = self;
    return UW_OK;
}

/* ---- observations -------------------------------------------------------------------------- */

bool uw__observe_columns(const uw_net *net, const uw_normalisers *n, const float *columns,
                         size_t rows, float *x) {
    const size_t dim = net->input_reals;
    for (size_t i = 0; i < rows * dim; i++) {
        if (!isfinite(columns[i])) return false;
        x[i] = columns[i];
        if (n->observe_dim) x[i] = (x[i] - n->observe_mean[i % dim]) / n->observe_std[i % dim];
    }
    return true;
}

bool uw__all_finite(const float *x, size_t n) {
    float sum = 0.0f; /* x - x is 0 for finite x, NaN otherwise */
    for (size_t i = 0; i < n; i++) sum += x[i] - x[i];
    return sum == 0.0f;
}

uw_status uw_encoder_run(uw_encoder *e, const uint8_t *frames, const float *columns, int32_t n,
                         float *z) {
    const uw_model *model = e->model;
    const uw_net *net = &model->net;
    const bool wants_columns = net->config.input == UW_INPUT_COLUMNS;
    const size_t rows = (size_t)n;
    if (n < 0 || rows > e->max_rows || (wants_columns ? frames || !columns : columns || !frames))
        return UW_EINVAL;

    /* the running statistics are read only: nothing is written to the buffers */
    if (e->by_engine) {
        uw__vit_engine_run(&e->vit, &e->exec, frames, rows, z);
    } else if (uw__net_takes_frames(net)) {
        uw__encode_forward_frames(&e->exec, net, model->params, model->buffers, e->acts, frames,
                                  rows, false, z);
    } else {
        if (!wants_columns)
            uw__net_prepare(&e->exec, net, model->buffers, frames, rows, e->x);
        else if (!uw__observe_columns(net, &model->normalisers, columns, rows, e->x))
            return UW_ENONFINITE;
        uw__encode_forward(&e->exec, net, model->params, model->buffers, e->acts, e->x, rows, false,
                           z);
    }
    return uw__all_finite(z, rows * (size_t)net->config.latent_dim) ? UW_OK : UW_ENONFINITE;
}
