/* What the latent knows: linear probes, drift against persistence, spectrum, geometry.
 *
 *     uw_probe_run(ctx, model, "experience.uw", &options, &report, &err);
 */
#ifndef UW_PROBE_H
#define UW_PROBE_H

#include <umwelt/context.h>
#include <umwelt/model.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_MAX_PROBES = 64, UW_MAX_DRIFT_STEPS = 32, UW_MAX_LATENT_DIM = 1024 };

/* One number of one state column, predicted from one frame's latent; fitted and scored on different
 * episodes. */
typedef struct uw_probe_row {
    char column[64], unit[32]; /* "state[0]" */
    double r2, r, rmse;        /* linear (ridge) on held-out episodes; rmse in the column's unit */
    double mlp_r2, mlp_r;      /* small MLP */
    double shuffled_r2;        /* control: labels shuffled between episodes */
} uw_probe_row;

/* Open-loop prediction after k decisions. */
typedef struct uw_drift_row {
    int32_t step;         /* k */
    double error;         /* mean squared latent error */
    double persistence;   /* the same for "nothing changes" */
    double ratio;         /* error / persistence */
    double rmse;          /* of the first state column through the linear probe, in its unit; NaN = none */
} uw_drift_row;

/* Latent distance against the world, over random pairs (worlds that know their path lengths). */
typedef struct uw_geometry {
    bool known;
    double rho_path, rho_euclid;         /* Spearman, all pairs */
    double hard_rho_path, hard_rho_euclid; /* pairs in different rooms */
    double stretch; /* latent distance across the wall over that of equal spans inside a room */
} uw_geometry;

/* Compare latent distance with path length on states drawn fresh by the model's world.
 *
 * Alloc    scratch, freed before return.  Threads: uses the context's pool; bits do not depend on it
 * Returns  UW_OK, with out->known false and NaN where the world does not tell path lengths or the model sees no
 *          pictures; UW_ENOMEM; as uw_model_encode.  On error *out is all NaN */
UW_API uw_status uw_geometry_run(uw_context *ctx, const uw_model *model, uint64_t seed,
                                 uw_geometry *out, uw_err *err);

/* True when flat latent distance is no guide round obstacles: between rooms it follows the straight line at least
 * as well as the way (or the way not at all).  Then plan by uw_landmarks (umwelt eval --solver landmark).
 * False where geometry is not known. */
UW_API bool uw_geometry_misleads(const uw_geometry *geometry);

typedef struct uw_probe_options {
    int32_t max_rows;    /* frames encoded at most; 0 = 8192 */
    int32_t drift_steps; /* 0 = 12 */
    bool mlp;            /* also fit the small MLP */
    uint64_t seed;
} uw_probe_options;

typedef struct uw_probe_report {
    int32_t num_probes;
    uw_probe_row probes[UW_MAX_PROBES];
    int32_t num_drift;
    uw_drift_row drift[UW_MAX_DRIFT_STEPS];
    double effective_rank;     /* exp of the entropy of the normalised spectrum */
    double participation;      /* (sum l)^2 / sum l^2 */
    int32_t num_eigenvalues;
    double eigenvalues[UW_MAX_LATENT_DIM]; /* of the latent covariance, descending */
    uw_geometry geometry;
    int64_t rows, episodes;
} uw_probe_report;

/* Probe a model on a dataset: fit on one half of the episodes, score on the other.
 *
 * Shapes   out: the caller's, filled; rows that do not apply are left out (num_probes, num_drift)
 * Units    rmse in each column's unit; drift ratio and ranks dimensionless
 * Alloc    scratch, freed before return.  Threads: uses the context's pool; bits do not depend on it
 * Returns  UW_OK; UW_EINVAL with fewer than two episodes; UW_ESHAPE when model and data do not fit;
 *          UW_ENOMEM; as uw_dataset_open.  On error *out is untouched
 * See      docs/guide/evaluation.md */
UW_API uw_status uw_probe_run(uw_context *ctx, const uw_model *model, const char *dataset,
                              const uw_probe_options *options, uw_probe_report *out, uw_err *err);

/* ---- remembered frames ----------------------------------------------------------------------------- */

/* Recorded frames and their latents: the way to look at a latent is the recorded frame nearest to it. */
typedef struct uw_memories uw_memories;

/* Encode at most max_rows frames of a dataset, spread evenly over it.
 *
 * Own      *out is the caller's, uw_memories_unload (NULL allowed); ctx outlives it
 * Returns  UW_OK; UW_ESHAPE when model and data do not fit, or the model sees no pictures; UW_ENOMEM; as
 *          uw_dataset_open.  On error *out is NULL */
UW_API uw_status uw_memories_load(uw_context *ctx, const uw_model *model, const char *dataset,
                                  int64_t max_rows, uw_memories **out, uw_err *err);
UW_API void uw_memories_unload(uw_memories *memories);
/* Return the edge of the frames in pixels. */
UW_API int32_t uw_memories_size(const uw_memories *memories);
/* Return the number of the memory nearest to z [D].  Alloc: none. */
UW_API int64_t uw_memories_nearest(uw_memories *memories, const float *z);
/* Copy a memory's frame into rgb [size, size, 3]. */
UW_API uw_status uw_memories_frame(const uw_memories *memories, int64_t index, uint8_t *rgb,
                                   uw_err *err);

#ifdef __cplusplus
}
#endif
#endif
