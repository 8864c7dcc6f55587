/* The model: an immutable JEPA (encoder, projector, action encoder, predictor, heads, normalisers,
 * provenance) in one safetensors file.
 *
 *     uw_model *model = NULL;
 *     uw_model_load("model.safetensors", &model, &err);
 *     uw_model_encode(ctx, model, frames, 1, z, &err);       // [1, D]
 *
 * One family covers the demo's model (convolutions, residual MLP predictor) and LeWM (ViT, causal AdaLN
 * transformer): only the configuration differs. */
#ifndef UW_MODEL_H
#define UW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/context.h>
#include <umwelt/planner.h>
#include <umwelt/status.h>
#include <umwelt/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum uw_input {
    UW_INPUT_SCALED = 0,         /* u8 / 127.5 - 1, 3 channels */
    UW_INPUT_IMAGENET = 1,       /* u8 * (1/255), ImageNet mean and std, 3 channels */
    UW_INPUT_FLOOR_RELATIVE = 2, /* 2 (x - median colour) and 2 |x - median colour|, 4 channels */
    UW_INPUT_COLUMNS = 3,        /* sensor columns, z-scored */
    UW_INPUT_CENTRED = 4         /* (u8 - mean of this pixel over the data) / one deviation, 3 channels */
} uw_input;
typedef enum uw_encoder_kind {
    UW_ENCODER_CONV = 0,
    UW_ENCODER_VIT = 1,
    UW_ENCODER_MLP = 2,
    UW_ENCODER_COUPLING = 3 /* additive couplings on columns as they are: invertible, keeps volume, no projector */
} uw_encoder_kind;
typedef enum uw_predictor_kind {
    UW_PREDICTOR_MLP = 0,  /* z' = z + W3 gelu(W2 gelu(W1 [z, a])), Markov */
    UW_PREDICTOR_ADALN = 1, /* LeWM's causal transformer conditioned by AdaLN-zero */
    UW_PREDICTOR_NONE = 2  /* z' = z: two views of one thing are drawn together; no actions */
} uw_predictor_kind;

typedef enum uw_conv_norm {
    UW_CONV_NORM_NONE = 0,
    UW_CONV_NORM_BATCH = 1 /* BatchNorm over rows and pixels, before GELU */
} uw_conv_norm;

enum { UW_MAX_CONV_LAYERS = 8 };

/* Everything that fixes the tensors of a model; a plain struct, filled by a preset or from a file. */
typedef struct uw_model_config {
    /* what comes in */
    uw_input input;
    int32_t image_size;    /* Y = X in pixels; 0 with UW_INPUT_COLUMNS */
    int32_t observe_dim;   /* sensor numbers per row; 0 with pictures */
    int32_t action_dim;    /* numbers per dataset row; 0 = no actions */
    int32_t frameskip;     /* dataset rows per model step; A = action_dim * frameskip */
    int32_t history_size;  /* frames the predictor sees, 1 .. 16 */
    int32_t action_history; /* last actions (dataset rows) of the decision before, which the predictor sees
                             * too; 0 = none, at most frameskip, history_size 1.  Before an episode: zeros */
    /* encoder */
    uw_encoder_kind encoder;
    int32_t conv_layers;                         /* GELU after each */
    int32_t conv_channels[UW_MAX_CONV_LAYERS];
    int32_t conv_kernel[UW_MAX_CONV_LAYERS];
    int32_t conv_stride[UW_MAX_CONV_LAYERS];
    int32_t conv_pad[UW_MAX_CONV_LAYERS];
    uw_conv_norm conv_norm;                      /* after each, before GELU */
    int32_t vit_patch, vit_dim, vit_layers, vit_heads, vit_mlp_dim;
    int32_t mlp_layers, mlp_dim;                 /* hidden layers with GELU; 0 layers = straight to projector;
                                                  * mlp_layers is the number of couplings, too */
    /* projector: Linear, BatchNorm, GELU, Linear; projector_dim 0 = one Linear without BatchNorm */
    int32_t projector_dim;
    int32_t latent_dim; /* D */
    /* action encoder: 1x1 convolution to action_smooth_dim, Linear, SiLU, Linear to latent_dim;
     * action_smooth_dim 0 = the actions themselves (z-scored by the normaliser) */
    int32_t action_smooth_dim, action_hidden_dim;
    /* predictor */
    uw_predictor_kind predictor;
    int32_t predictor_layers, predictor_heads, predictor_head_dim; /* AdaLN */
    int32_t predictor_mlp_dim;                                     /* hidden width, both kinds */
    float dropout;                                                 /* training only */
    int32_t pred_proj_dim; /* prediction projector like the projector; 0 = none */
    /* optional head: [z_t, z_t+1] -> GELU hidden -> action; 0 = none */
    int32_t inverse_dim;
    /* optional head: z_t -> Linear -> recorded numbers, z-scored; 0 = none */
    int32_t readout_dim;
} uw_model_config;

/* What the model was made from; strings are the model's own. */
typedef struct uw_provenance {
    const char *version;      /* of umwelt */
    const char *preset;       /* or "" */
    const char *env;          /* world of the data, or "" */
    const char *dataset_hash; /* hex, or "" */
    const char *config_json;  /* every resolved training key */
    uint64_t seed;
    int32_t action_repeat;    /* env steps per dataset row (the action is held), >= 1 */
    const char *trained_factors; /* factors of variation seen in training, comma-separated, or "" */
    const char *observe;      /* comma-separated columns */
    const char *readout;      /* columns that the readout was trained on, comma-separated, or "" */
} uw_provenance;

typedef struct uw_model uw_model;

/* Load a model from a safetensors file.  Everything is checked before it is used: the header by the
 * letter of the format, then the configuration, then every tensor's name, type and shape; all that is
 * missing, extra or mis-shaped is told, not only the first.
 *
 * Own      *out is the caller's; uw_model_unload
 * Returns  UW_OK; UW_ENOTFOUND; UW_EIO; UW_EFORMAT; UW_ESHAPE; UW_ENOMEM; on error *out is NULL */
UW_API uw_status uw_model_load(const char *path, uw_model **out, uw_err *err);
UW_API void uw_model_unload(uw_model *model);

/* Write the model to path, atomically (temporary file, fsync, rename).
 * Returns  UW_OK; UW_EEXIST unless overwrite; UW_EIO; UW_ENOSPC.  On error an old file is intact. */
UW_API uw_status uw_model_save(const uw_model *model, const char *path, bool overwrite, uw_err *err);

/* Borrow the configuration and the provenance; both live as long as the model. */
UW_API const uw_model_config *uw_model_config_of(const uw_model *model);
UW_API const uw_provenance *uw_model_provenance(const uw_model *model);
/* Borrow the action normaliser, [action_dim] each: z-scored = (action - mean) / std.  Both NULL when the
 * model has none (the identity). */
UW_API void uw_model_action_normaliser(const uw_model *model, const float **mean, const float **std);
/* Return the trained numbers (buffers not counted). */
UW_API int64_t uw_model_num_parameters(const uw_model *model);
UW_API int32_t uw_model_num_tensors(const uw_model *model);
/* Return tensor i, 0 <= i < num_tensors, in file order; views live as long as the model. */
UW_API uw_tensor uw_model_tensor(const uw_model *model, int32_t i);
/* Write the SHA-256 over all tensors (name, dtype, shape, bytes, in name order) as 64 hex digits + NUL. */
UW_API void uw_model_sha256(const uw_model *model, char hex[65]);

/* ---- checkpoints of the reference --------------------------------------------------------------- */

/* Names of LeWM's tensors: as all published checkpoints have them, or as transformers 5.x renamed them. */
typedef enum uw_key_layout { UW_KEYS_TRANSFORMERS_4 = 0, UW_KEYS_TRANSFORMERS_5 = 1 } uw_key_layout;

/* Told one tensor that does not belong ("missing NAME", "extra NAME", "twice NAME", "NAME wanted X, got Y"). */
typedef void uw_misfit_fn(void *cookie, const char *line);

/* What a checkpoint of the reference does not hold itself; all zero = defaults. */
typedef struct uw_import_options {
    const char *config;       /* its config.json; NULL = the one in the weights' folder */
    int32_t frameskip;        /* dataset rows per model step; 0 = 5, as published */
    const float *action_mean; /* [action_dim], with action_std, from uw_dataset_file_normaliser; NULL = */
    const float *action_std;  /* [action_dim]  actions are taken as z-scored already */
    const char *env;          /* world of the data, or NULL */
    uw_misfit_fn *misfit;     /* called for every tensor that does not belong: an error names the first ones only */
    void *cookie;             /* for misfit */
} uw_import_options;

/* Read from config.json alone how many numbers an action of the dataset must have, before anything is loaded.
 * Returns UW_OK; UW_ESHAPE when frameskip does not divide the model's action block; else as uw_model_import. */
UW_API uw_status uw_model_import_action_dim(const char *weights, const uw_import_options *options,
                                            int32_t *action_dim, uw_err *err);

/* Make a model from a state dict of stable-worldmodel's LeWM: a PyTorch file (zip or legacy, of torch.save or of
 * Lightning) or a safetensors file, in either key layout, fp32, fp16 or bf16.  Nothing in it is executed.
 *
 *     uw_model_import_action_dim("weights.pt", &options, &dim, &err);
 *     uw_dataset_file_normaliser(ctx, "data.h5", "action", dim, mean, std, &err);
 *     options.action_mean = mean, options.action_std = std;
 *     uw_model_import("weights.pt", &options, &model, &err);
 *
 * Own      *out is the caller's; uw_model_unload
 * Returns  UW_OK; UW_ENOTFOUND; UW_EFORMAT with the reason; UW_ESHAPE when tensors are missing, extra, twice or
 *          mis-shaped (all counted), or actions do not fit; UW_EUNSUPPORTED for another network; UW_ENONFINITE;
 *          UW_ENOMEM; on error *out is NULL
 * See      docs/formats/pt.md */
UW_API uw_status uw_model_import(const char *weights, const uw_import_options *options, uw_model **out,
                                 uw_err *err);

/* Write a model as the reference keeps one: a state dict at path (.pt), and config.json in the same folder, each
 * atomically.  torch.load(weights_only=True) and the reference's load_pretrained take them.  Normalisers and
 * provenance have no place there.
 *
 * Returns  UW_OK; UW_EUNSUPPORTED for a model that is not of LeWM's kind, or of 4 GiB; UW_EEXIST unless
 *          overwrite, for either file; UW_EIO; UW_ENOSPC */
UW_API uw_status uw_model_export(const uw_model *model, const char *path, uw_key_layout layout,
                                 bool overwrite, uw_err *err);

/* ---- any file of weights ------------------------------------------------------------------------- */

/* A checked safetensors or PyTorch file of whatever origin, read-only: for inspection. */
typedef struct uw_weights uw_weights;
/* Open one. Own: *out, uw_weights_close. Returns as uw_model_load. */
UW_API uw_status uw_weights_open(const char *path, uw_weights **out, uw_err *err);
UW_API void uw_weights_close(uw_weights *weights);
UW_API int32_t uw_weights_num_tensors(const uw_weights *weights);
UW_API uw_tensor uw_weights_tensor(const uw_weights *weights, int32_t i);
/* Return the value of a __metadata__ key, or NULL; a PyTorch file has none. */
UW_API const char *uw_weights_meta(const uw_weights *weights, const char *key);
/* As uw_model_sha256. */
UW_API void uw_weights_sha256(const uw_weights *weights, char hex[65]);

/* ---- encoding ------------------------------------------------------------------------------------ */

/* An encoder laid out once for a stream of observations: what a robot's loop calls, and what
 * uw_model_encode makes for one call.
 *
 *     size_t bytes = uw_encoder_memsize(model, 1, uw_context_threads(ctx));
 *     uw_encoder_init(ctx, model, 1, true, mem, bytes, &encoder);
 *     uw_encoder_run(encoder, frame, NULL, 1, z);             // [1, D], and so on */
typedef struct uw_encoder uw_encoder;

/* Return the bytes uw_encoder_init needs for up to max_rows (1 .. 65536) observations per run, on
 * num_threads threads (0 = 1); 0 when either is out of range. */
UW_API size_t uw_encoder_memsize(const uw_model *model, int32_t max_rows, int32_t num_threads);
/* Make an encoder in the caller's memory, in the precision of the context.
 *
 * Own      mem: the caller's, 64-byte aligned, outlives *out; model and ctx outlive it too
 * Alloc    none, here and in every later call
 * Threads  serial when parallel is false (many side by side); else uses ctx's pool
 * Returns  UW_OK; UW_EINVAL for max_rows out of range, NULL or misaligned mem; UW_ENOMEM when mem_size is
 *          too small, or ctx has more threads than it was measured for.  On error *out is NULL. */
UW_API uw_status uw_encoder_init(uw_context *ctx, const uw_model *model, int32_t max_rows, bool parallel,
                                 void *mem, size_t mem_size, uw_encoder **out);
/* Encode n observations with the running statistics.
 *
 * Shapes   frames: [n, Y, X, 3] u8 or NULL; columns: [n, observe_dim] or NULL (which one: the input);
 *          z: [n, D], the same bits for any number of threads and any cut of observations into runs
 * Alloc    none
 * Threads  one run at a time per encoder
 * Returns  UW_OK; UW_EINVAL when n is above max_rows or the wrong kind is given; UW_ENONFINITE, z holds what
 *          came out */
UW_API uw_status uw_encoder_run(uw_encoder *encoder, const uint8_t *frames, const float *columns, int32_t n,
                                float *z);

/* Encode n observations, however many, by an encoder made for the call.
 *
 * Shapes   frames: [n, Y, X, 3] u8 or NULL; columns: [n, observe_dim] or NULL (which one: the input);
 *          z: [n, D]
 * Alloc    scratch, freed before return
 * Threads  uses the context's pool
 * Returns  UW_OK; UW_EINVAL when the wrong kind is given; UW_ENONFINITE; UW_ENOMEM */
UW_API uw_status uw_model_encode(uw_context *ctx, const uw_model *model, const uint8_t *frames,
                                 const float *columns, int64_t n, float *z, uw_err *err);

/* ---- planning on a model ---------------------------------------------------------------------- */

typedef struct uw_dynamics_limits {
    int32_t num_samples; /* N: most candidates per rollout call */
    int32_t horizon;     /* H: longest rollout */
    int32_t num_threads; /* parallel: uw_context_threads(ctx); 0 = 1 */
    bool normalised_actions; /* actions come z-scored by the model's normaliser, as LeWM's released planner
                              * searches them; false: in the world's units */
    bool gradient;       /* plan memory for uw_dynamics.gradient, which is NULL otherwise */
} uw_dynamics_limits;

/* Return the bytes uw_model_dynamics_init needs; 0 when limits are out of range. */
UW_API size_t uw_model_dynamics_memsize(const uw_model *model, const uw_dynamics_limits *limits);
/* Present a model to planners as uw_dynamics (latent_dim D, action_dim A per decision).
 *
 * Own      mem: the caller's, 64-byte aligned, outlives *out; model and ctx outlive it too
 * Alloc    none, here and in every later call
 * Threads  serial when parallel is false (many instances side by side); else uses ctx's pool
 * Returns  UW_OK; UW_EINVAL for limits out of range, NULL or misaligned mem; UW_ENOMEM when mem_size is too
 *          small, or parallel and ctx has more threads than limits say.  On error *out is zero. */
UW_API uw_status uw_model_dynamics_init(uw_context *ctx, const uw_model *model,
                                        const uw_dynamics_limits *limits, bool parallel, void *mem,
                                        size_t mem_size, uw_dynamics *out);

/* Measure distance in what the model's readout says, instead of in latents: the squared difference of its
 * numbers, which are deviations of what was recorded (and the sines and cosines of angles).
 *
 * Own      model outlives *out
 * Returns  UW_OK; UW_EUNSUPPORTED for a model without a readout, *out is zero */
UW_API uw_status uw_model_readout_value(const uw_model *model, uw_value *out);

#ifdef __cplusplus
}
#endif
#endif
