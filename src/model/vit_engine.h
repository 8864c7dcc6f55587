/* The vision transformer of LeWM for inference: u8 pictures in, latents out.
 *
 * Weights are laid out once, with everything around them folded in: the scale and shift of pixels, the
 * affine parts of layer norms, BatchNorm.  The last layer is computed for CLS alone, which is all that
 * anybody reads.  A latent is the same bits for any number of threads and any batch. */
#ifndef UW_VIT_ENGINE_H
#define UW_VIT_ENGINE_H

#include "packed.h"
#include "parts.h"

/* One layer's weights. */
typedef struct uw_vit_weights {
    uw_packed qkv;           /* [3 dim, dim]; of the last layer keys and values alone ... */
    uw_packed q;             /* ... and, there only, queries */
    uw_packed out, up, down;
} uw_vit_weights;

/* What one worker works in. */
typedef struct uw_vit_lane {
    float *x;       /* [T, dim] residual stream of a picture */
    float *qkv[2];  /* [T, 3 dim] of even and odd layers */
    float *n, *o;   /* [T, dim] after a layer norm; attention's output */
    float *wide;    /* rows of patches, or of an MLP's hidden layer (fp32 or bf16) */
} uw_vit_lane;

typedef struct uw_vit_engine {
    const uw_net *net;
    bool bf16;
    uw_packed patch;           /* [dim, P P 3] of (ky, kx, c), on levels - 128 */
    float *start;              /* [T, dim] positions, to the first of which CLS is added */
    uw_vit_weights *layer;     /* [vit_layers] */
    uw_packed project[2];      /* the second one only with a hidden layer */
    uw_vit_lane *lanes;        /* [num_workers] */
    float *cls_x, *cls_o;      /* [max_rows, dim] CLS before the last layer's attention is added, and that */
} uw_vit_engine;

/* Return whether the engine serves a network: a ViT with layers on pixels scaled one by one. */
bool uw__vit_engine_serves(const uw_net *net);
/* Return the extra_reals that its exec needs. */
size_t uw__vit_engine_extra(const uw_net *net);
/* Place an engine for up to max_rows pictures per run. */
uw_vit_engine uw__vit_engine_layout(uw_arena *arena, const uw_net *net, size_t max_rows,
                                    int32_t num_workers);
/* Fill its weights from a network's numbers, for the precision of the exec. */
void uw__vit_engine_fill(uw_vit_engine *v, const uw_exec *e, const float *params,
                         const float *buffers);
/* frames [rows, Y, X, 3] -> z [rows, D]. */
void uw__vit_engine_run(const uw_vit_engine *v, const uw_exec *e, const uint8_t *frames,
                        size_t rows, float *z);

#endif
