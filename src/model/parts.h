/* The parts a network is assembled from, and how they find their numbers. */
#ifndef UW_PARTS_H
#define UW_PARTS_H

#include "layers.h"
#include "net.h"

/* Bind the layer whose weight is tensor `index`; its bias, when it has one, is the next tensor.
 * grads NULL: no weight gradients. */
uw_linear uw__bind_linear(const uw_net *net, int32_t index, bool bias, const uw_real *params,
                          uw_real *grads);
/* weight, bias */
uw_layernorm uw__bind_layernorm(const uw_net *net, int32_t index, uw_real eps,
                                const uw_real *params, uw_real *grads);
/* weight, bias, running_mean, running_var, num_batches_tracked */
uw_batchnorm uw__bind_batchnorm(const uw_net *net, int32_t index, const uw_real *params,
                                uw_real *buffers, uw_real *grads);
/* The numbers of one tensor; NULL stays NULL. */
const uw_real *uw__bind(const uw_net *net, int32_t index, const uw_real *params);
uw_real *uw__bind_grad(const uw_net *net, int32_t index, uw_real *grads);

static inline uw_real *uw__take(uw_arena *arena, size_t count) {
    return uw_arena_alloc(arena, count, sizeof(uw_real));
}
static inline size_t uw__max(size_t a, size_t b) {
    return a > b ? a : b;
}

/* ---- pictures ------------------------------------------------------------------------------------------ */

/* Prepare one picture, frame [Y, X, 3] u8 -> x [Y, X, channels]. */
void uw__prepare_picture(const uw_kernels *k, const uw_net *net, const uw_real *buffers,
                         const uint8_t *frame, uw_real *x);
/* The floor of a picture, to which UW_INPUT_FLOOR_RELATIVE is relative: the lower median per channel. */
void uw__prepare_floor(const uint8_t *frame, size_t pixels, uint8_t floor[3]);
enum { UW_MAX_PATCH = 64 };
/* Return whether a prepared picture is mostly zeros and a first layer of sizes d cuts it into patches. */
bool uw__prepares_patches(const uw_net *net, const uw_conv_dims *d);
/* Find the patches that are not all floor, in order: places [out_y * out_x].  Return their number. */
size_t uw__prepare_places(const uw_conv_dims *d, const uint8_t *frame, const uint8_t floor[3],
                          uint32_t *places);
/* Prepare them: col [count, kernel * kernel * 4], rows of the prepared picture's im2col. */
void uw__prepare_patches(const uw_kernels *k, const uw_conv_dims *d, const uint8_t *frame,
                         const uint8_t floor[3], const uint32_t *places, size_t count,
                         uw_real *col);

/* ---- projector: Linear, BatchNorm, GELU, Linear (or one Linear) --------------------------------------- */

typedef struct uw_projector_acts {
    const uw_real *x;       /* [rows, in], borrowed from the forward */
    uw_real *h, *n, *g;     /* [rows, P]: before BatchNorm, after it, after GELU; one buffer in inference */
    uw_real *mean, *rstd;   /* [P] */
    bool train;             /* of the last forward: batch statistics or running ones */
    uw_real *dg;            /* [rows, P] */
    uw_real *work;
} uw_projector_acts;

void uw__projector_layout(uw_arena *arena, size_t in, size_t hidden, size_t out, size_t max_rows,
                          bool backward, uw_projector_acts *acts);
void uw__projector_forward(const uw_exec *e, const uw_net *net, int32_t at, size_t hidden,
                           const uw_real *params, uw_real *buffers, uw_projector_acts *acts,
                           const uw_real *x, size_t rows, bool train, uw_real *y);
/* dx [rows, in] is written; after an inference forward grads must be NULL. */
void uw__projector_backward(const uw_exec *e, const uw_net *net, int32_t at, size_t hidden,
                            const uw_real *params, uw_projector_acts *acts, const uw_real *dy,
                            size_t rows, uw_real *dx, uw_real *grads);

/* ---- encoders: x [rows, input] -> f [rows, F] ---------------------------------------------------------- */

typedef struct uw_conv_acts {
    uw_real *pre[UW_MAX_CONV_LAYERS], *act[UW_MAX_CONV_LAYERS]; /* [rows, y, x, O] */
    /* with BatchNorm: pre is what GELU sees, conv what the norm sees */
    uw_real *conv[UW_MAX_CONV_LAYERS], *mean[UW_MAX_CONV_LAYERS], *rstd[UW_MAX_CONV_LAYERS];
    uw_real *d[2]; /* gradients, the larger of two neighbouring layers */
    uw_real *work;
    /* without (conv_stack.h): weights laid out for both directions, their gradients per group */
    void *to[UW_MAX_CONV_LAYERS], *from[UW_MAX_CONV_LAYERS];
    uw_real *partials;
    /* the patches of layer 0 that are not zero, when it has patches: pre and act hold their rows alone */
    uint32_t *places, *num_places; /* [rows, y x], [rows] */
    uint8_t *floor;                /* [rows, 3] */
    uw_real *flat_pre, *flat_act;  /* what the others are: [O], [y x, O] */
} uw_conv_acts;

/* Return the sizes of layer i; the numbers are bound when params is not NULL. */
uw_conv uw__conv_encoder_layer(const uw_net *net, int32_t i, const uw_real *params, uw_real *grads);
void uw__conv_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                             uw_conv_acts *acts);
/* Pictures as the encoder takes them: prepared, or (x NULL) as they were recorded. */
typedef struct uw_pictures {
    const uw_real *x;      /* [rows, input_reals] */
    const uint8_t *frames; /* [rows, Y, X, 3] */
} uw_pictures;
/* train and buffers: of BatchNorm, as uw__encode_forward has them. */
void uw__conv_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_real *buffers, uw_conv_acts *acts, uw_pictures in, size_t rows,
                              bool train, uw_real *f);
void uw__conv_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                               const uw_real *buffers, uw_conv_acts *acts, uw_pictures in,
                               const uw_real *df, size_t rows, uw_real *grads);
/* Return the reals per worker that it needs. */
size_t uw__conv_encoder_extra(const uw_net *net);

/* One ViT layer.  Q tokens of a frame's T are wanted: all, or CLS alone in the last layer.  In inference only
 * the residual stream is there: next is x, and cls in the last layer. */
typedef struct uw_vit_layer_acts {
    uw_real *x;               /* [rows, T, dim] residual stream before */
    uw_real *mid, *next;      /* [rows, Q, dim] between and after */
    uw_real *mean1, *rstd1;   /* [rows, T] of the first layer norm */
    uw_real *mean2, *rstd2;   /* [rows, Q] of the second */
    uw_real *qkv;             /* [rows, T, 3 dim] */
    uw_real *o;               /* [rows, Q, dim] attention's output */
} uw_vit_layer_acts;

enum { UW_MAX_VIT_LAYERS = 64 };
typedef struct uw_vit_acts {
    uw_real *patches;         /* [rows, P, dim] */
    uw_real *embedded;        /* [rows, P + 1, dim] */
    uw_vit_layer_acts layer[UW_MAX_VIT_LAYERS];
    uw_real *cls;             /* [rows, dim] token 0 before the final layer norm */
    uw_real *mean, *rstd;     /* [rows] */
    uw_real *qkv_w, *qkv_b;   /* of the layer at work: its three tensors as one */
    uw_real *packed[5];       /* and its weights as products read them */
    uw_real *partials;        /* [groups, a layer's parameters] gradients */
    uw_real *dx, *dn, *dcls;  /* gradients: [rows, P + 1, dim], [rows, P, dim], [rows, dim] */
    uw_real *work;
} uw_vit_acts;

/* Return P + 1, and how many of a layer's tokens are read by what follows. */
size_t uw__vit_tokens(const uw_net *net);
size_t uw__vit_queries(const uw_net *net, int32_t layer);
/* Return the index of a layer's first tensor. */
int32_t uw__vit_layer_at(const uw_net *net, int32_t layer);
/* Return the reals per worker that a layer needs, both directions. */
size_t uw__vit_layer_extra(const uw_net *net);
/* Place what all layers share. */
void uw__vit_layer_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                          uw_vit_acts *acts);
void uw__vit_layer_forward(const uw_exec *e, const uw_net *net, const uw_real *params, int32_t layer,
                           const uw_vit_acts *acts, size_t rows);
/* On entry dx (dcls when the layer is the last) is the gradient of next, on return dx that of x; grads accumulate. */
void uw__vit_layer_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                            int32_t layer, const uw_vit_acts *acts, size_t rows, uw_real *grads);

/* The patch embedding as a convolution whose stride is its kernel. */
uw_conv uw__vit_patch_layer(const uw_net *net, const uw_real *params, uw_real *grads);
void uw__vit_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                            uw_vit_acts *acts);
void uw__vit_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_vit_acts *acts, const uw_real *x, size_t rows, uw_real *f);
void uw__vit_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_vit_acts *acts, const uw_real *x, const uw_real *df, size_t rows,
                              uw_real *grads);

enum { UW_MAX_MLP_LAYERS = 8 };
typedef struct uw_mlp_acts {
    uw_real *pre[UW_MAX_MLP_LAYERS], *act[UW_MAX_MLP_LAYERS]; /* [rows, mlp_dim] */
    uw_real *d[2];
    uw_real *work;
} uw_mlp_acts;

void uw__mlp_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                            uw_mlp_acts *acts);
void uw__mlp_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_mlp_acts *acts, const uw_real *x, size_t rows, uw_real *f);
void uw__mlp_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_mlp_acts *acts, const uw_real *x, const uw_real *df, size_t rows,
                              uw_real *grads);

typedef struct uw_coupling_acts {
    uw_real *x[UW_MAX_MLP_LAYERS + 1]; /* [rows, D] before each coupling and after the last; one without backward */
    uw_real *t[UW_MAX_MLP_LAYERS];     /* [rows, out] what was taken away */
    uw_real *d, *dt;                   /* [rows, D], [rows, out] gradients */
} uw_coupling_acts;

/* Return the width of the half that coupling i reads; it changes the other one. */
size_t uw__coupling_width(const uw_net *net, int32_t i);
void uw__coupling_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                         uw_coupling_acts *acts);
void uw__coupling_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_coupling_acts *acts, const uw_real *x, size_t rows, uw_real *f);
void uw__coupling_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                           uw_coupling_acts *acts, const uw_real *df, size_t rows, uw_real *grads);

/* ---- predictors: z [R, D], c [R, cond] -> raw [R, D] ---------------------------------------------------- */

typedef struct uw_markov_acts {
    uw_real *x;            /* [rows, D + cond] = [z, c] */
    uw_real *h[2], *g[2];  /* [rows, hidden] before and after GELU */
    uw_real *dh[2], *dx;
    uw_real *work;
} uw_markov_acts;

void uw__markov_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                       uw_markov_acts *acts);
void uw__markov_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_markov_acts *acts, const uw_real *z, const uw_real *c, size_t rows,
                        uw_real *raw);
void uw__markov_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_markov_acts *acts, const uw_real *draw, size_t rows, uw_real *dz,
                         uw_real *dc, uw_real *grads);

/* One AdaLN block; rows are tokens. */
typedef struct uw_adaln_block_acts {
    uw_real *x, *mid, *next;           /* [rows, D] residual stream before, between and after */
    uw_real *m;                        /* [rows, 6 D] shift1 scale1 gate1 shift2 scale2 gate2 */
    uw_real *n[2], *u[2], *a[2];       /* [rows, D] plain norm, modulated, affine norm */
    uw_real *mean_n[2], *rstd_n[2], *mean_a[2], *rstd_a[2]; /* [rows] */
    uw_real *qkv;                      /* [rows, 3 inner] */
    uw_real *o;                        /* [rows, inner]; y[0] when nothing projects it */
    uw_real *h, *g;                    /* [rows, mlp] before and after GELU (and dropout) */
    uw_real *y[2];                     /* [rows, D] what each branch adds, before its gate */
} uw_adaln_block_acts;

/* Whether attention ends in a projection: the reference leaves it out when one head is as wide as the
 * latent. */
static inline bool uw__adaln_has_out(const uw_model_config *c) {
    return c->predictor_heads != 1 || c->predictor_head_dim != c->latent_dim;
}

enum { UW_MAX_ADALN_LAYERS = 64 };
typedef struct uw_adaln_acts {
    const uw_real *c;                  /* [rows, cond], borrowed from the forward */
    uw_real *s;                        /* [rows, cond] silu(c) */
    uw_adaln_block_acts block[UW_MAX_ADALN_LAYERS];
    uw_real *mean, *rstd;              /* [rows] of the final norm */
    uw_dropout dropout;                /* of the last forward */
    uw_real *dx, *da, *du, *dy, *dm, *ds, *dqkv, *dout, *dh; /* gradients */
    uw_real *work;
} uw_adaln_acts;

void uw__adaln_layout(uw_arena *arena, const uw_net *net, size_t max_n, size_t max_t,
                      bool backward, uw_adaln_acts *acts);
void uw__adaln_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                       uw_adaln_acts *acts, const uw_real *z, const uw_real *c, size_t n, size_t t,
                       const uw_dropout *dropout, uw_real *raw);
void uw__adaln_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_adaln_acts *acts, const uw_real *draw, size_t n, size_t t, uw_real *dz,
                        uw_real *dc, uw_real *grads);

/* ---- the passes of net.h, open to tests that compare what happens inside -------------------------------- */

struct uw_encode_acts {
    size_t chunk;     /* rows whose activations the encoder keeps */
    size_t rows;      /* of the last forward */
    bool train;       /* how it ran */
    uw_pictures in;   /* its input, borrowed */
    uw_real *buffers; /* its buffers, borrowed */
    uw_real *f, *df;  /* [rows, F] features and their gradient */
    uw_conv_acts conv;
    uw_vit_acts vit;
    uw_mlp_acts mlp;
    uw_coupling_acts coupling;
    uw_projector_acts projector;
};

struct uw_predict_acts {
    size_t n, t;   /* of the last forward */
    uw_real *raw;  /* [rows, D] what the predictor says, before the prediction projector */
    uw_real *draw; /* its gradient */
    uw_markov_acts markov;
    uw_adaln_acts adaln;
    uw_projector_acts projector;
};

#endif
