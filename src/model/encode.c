/* Encoder and projector as one pass: prepared observations in, latents out.
 *
 * The encoder may take its rows in chunks and keep the activations of one; what has BatchNorm,
 * which sees the whole batch, never does: the projector, and convolutions with conv_norm. */
#include <string.h>

#include "parts.h"

static const size_t KEEP_ALL_BYTES = (size_t)4 << 30, CHUNK_BYTES = (size_t)1 << 30;

/* Whether the encoder has statistics across rows, so that no row can be computed without the rest.
 */
static bool sees_batch(const uw_net *net) {
    return net->config.encoder == UW_ENCODER_CONV && net->config.conv_norm == UW_CONV_NORM_BATCH;
}

/* What keeps volume must not be scaled afterwards. */
static bool has_projector(const uw_net *net) {
    return net->config.encoder != UW_ENCODER_COUPLING;
}

static uw_encode_acts *layout(uw_arena *arena, const uw_net *net, size_t max_rows, size_t chunk,
                              bool backward) {
    const uw_model_config *cfg = &net->config;
    const size_t features = (size_t)net->feature_dim;
    uw_encode_acts tmp = {.chunk = chunk}, *acts = uw_arena_alloc(arena, 1, sizeof *acts);

    tmp.f = uw__take(arena, max_rows * features);
    if (backward) tmp.df = uw__take(arena, max_rows * features);
    switch (cfg->encoder) {
    case UW_ENCODER_CONV:
        uw__conv_encoder_layout(arena, net, chunk, backward, &tmp.conv);
        break;
    case UW_ENCODER_VIT:
        uw__vit_encoder_layout(arena, net, chunk, backward, &tmp.vit);
        break;
    case UW_ENCODER_MLP:
        uw__mlp_encoder_layout(arena, net, chunk, backward, &tmp.mlp);
        break;
    case UW_ENCODER_COUPLING:
        uw__coupling_layout(arena, net, chunk, backward, &tmp.coupling);
        break;
    }
    if (has_projector(net))
        uw__projector_layout(arena, features, (size_t)cfg->projector_dim, (size_t)cfg->latent_dim,
                             max_rows, backward, &tmp.projector);
    if (acts && !arena->failed) *acts = tmp;
    return acts;
}

uw_encode_acts *uw__encode_layout(uw_arena *arena, const uw_net *net, size_t max_rows,
                                  bool backward) {
    return layout(arena, net, max_rows, max_rows, backward);
}

uw_encode_acts *uw__encode_layout_chunked(uw_arena *arena, const uw_net *net, size_t max_rows,
                                          size_t chunk) {
    const bool whole = sees_batch(net) || chunk >= max_rows;
    return layout(arena, net, max_rows, whole ? max_rows : chunk, true);
}

size_t uw__encode_chunk(const uw_net *net, size_t rows) {
    if (sees_batch(net)) return rows;
    uw_arena all = UW_ARENA_MEASURE, one = UW_ARENA_MEASURE, two = UW_ARENA_MEASURE;
    layout(&all, net, rows, rows, true);
    if (!all.failed && all.used <= KEEP_ALL_BYTES) return rows;
    layout(&one, net, 0, 1, true);
    layout(&two, net, 0, 2, true);
    if (two.failed) return 1;
    const size_t most = uw__max(CHUNK_BYTES / (two.used - one.used + 1), 1);
    const size_t chunks = (rows + most - 1) / most;
    return (rows + chunks - 1) / chunks; /* even ones */
}

/* ---- one chunk ----------------------------------------------------------------------------- */

static size_t chunk_rows(const uw_encode_acts *acts, size_t at) {
    return acts->rows - at < acts->chunk ? acts->rows - at : acts->chunk;
}

/* What is there from row `at` on. */
static uw_pictures input_at(const uw_net *net, const uw_encode_acts *acts, size_t at) {
    const size_t side = (size_t)net->config.image_size;
    uw_pictures in = acts->in;
    if (in.frames)
        in.frames += at * side * side * 3;
    else
        in.x += at * net->input_reals;
    return in;
}

static void encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                            uw_encode_acts *acts, size_t at) {
    const size_t rows = chunk_rows(acts, at);
    const uw_pictures in = input_at(net, acts, at);
    const uw_real *x = in.x;
    uw_real *f = acts->f + at * (size_t)net->feature_dim;
    switch (net->config.encoder) {
    case UW_ENCODER_CONV:
        uw__conv_encoder_forward(e, net, params, acts->buffers, &acts->conv, in, rows, acts->train,
                                 f);
        break;
    case UW_ENCODER_VIT:
        uw__vit_encoder_forward(e, net, params, &acts->vit, x, rows, f);
        break;
    case UW_ENCODER_MLP:
        uw__mlp_encoder_forward(e, net, params, &acts->mlp, x, rows, f);
        break;
    case UW_ENCODER_COUPLING:
        uw__coupling_forward(e, net, params, &acts->coupling, x, rows, f);
        break;
    }
}

static void encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_encode_acts *acts, size_t at, uw_real *grads) {
    const size_t rows = chunk_rows(acts, at);
    const uw_pictures in = input_at(net, acts, at);
    const uw_real *x = in.x;
    const uw_real *df = acts->df + at * (size_t)net->feature_dim;
    switch (net->config.encoder) {
    case UW_ENCODER_CONV:
        uw__conv_encoder_backward(e, net, params, acts->buffers, &acts->conv, in, df, rows, grads);
        break;
    case UW_ENCODER_VIT:
        uw__vit_encoder_backward(e, net, params, &acts->vit, x, df, rows, grads);
        break;
    case UW_ENCODER_MLP:
        uw__mlp_encoder_backward(e, net, params, &acts->mlp, x, df, rows, grads);
        break;
    case UW_ENCODER_COUPLING:
        uw__coupling_backward(e, net, params, &acts->coupling, df, rows, grads);
        break;
    }
}

/* ---- the pass ------------------------------------------------------------------------------ */

static void forward(const uw_exec *e, const uw_net *net, const uw_real *params, uw_real *buffers,
                    uw_encode_acts *acts, uw_pictures in, size_t rows, bool train, uw_real *z) {
    acts->rows = rows;
    acts->train = train;
    acts->in = in;
    acts->buffers = buffers;
    for (size_t at = 0; at < rows; at += acts->chunk) encoder_forward(e, net, params, acts, at);
    if (has_projector(net))
        uw__projector_forward(e, net, net->at_projector, (size_t)net->config.projector_dim, params,
                              buffers, &acts->projector, acts->f, rows, train, z);
    else
        memcpy(z, acts->f, rows * (size_t)net->feature_dim * sizeof *z);
}

void uw__encode_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_real *buffers, uw_encode_acts *acts, const uw_real *x, size_t rows,
                        bool train, uw_real *z) {
    forward(e, net, params, buffers, acts, (uw_pictures){.x = x}, rows, train, z);
}

bool uw__net_takes_frames(const uw_net *net) {
    return net->config.encoder == UW_ENCODER_CONV && !sees_batch(net);
}

void uw__encode_forward_frames(const uw_exec *e, const uw_net *net, const uw_real *params,
                               uw_real *buffers, uw_encode_acts *acts, const uint8_t *frames,
                               size_t rows, bool train, uw_real *z) {
    UW_ASSERT(uw__net_takes_frames(net));
    forward(e, net, params, buffers, acts, (uw_pictures){.frames = frames}, rows, train, z);
}

void uw__encode_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_encode_acts *acts, const uw_real *dz, uw_real *grads) {
    const size_t chunks = (acts->rows + acts->chunk - 1) / acts->chunk;
    if (has_projector(net))
        uw__projector_backward(e, net, net->at_projector, (size_t)net->config.projector_dim, params,
                               &acts->projector, dz, acts->rows, acts->df, grads);
    else
        memcpy(acts->df, dz, acts->rows * (size_t)net->feature_dim * sizeof *dz);
    /* The forward ended with the last chunk, whose activations are still there. */
    for (size_t i = chunks; i-- > 0;) {
        if (i + 1 < chunks) encoder_forward(e, net, params, acts, i * acts->chunk);
        encoder_backward(e, net, params, acts, i * acts->chunk, grads);
    }
}
