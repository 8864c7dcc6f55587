/* What the latent knows: linear probes, drift against persistence, spectrum, geometry.
 *
 *     uw_probe_run(ctx, model, "experience.uw", &options, &report, &err);
 */
#ifndef UW_PROBE_H
#define UW_PROBE_H

#include <umwelt/context.h>
#include <umwelt/gauges.h>
#include <umwelt/model.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    UW_MAX_PROBES = 64,
    UW_MAX_EXCLUDED = 64,
    UW_MAX_DRIFT_STEPS = 32,
    UW_MAX_LATENT_DIM = 1024,
    UW_MAX_RUN_POINTS = 64,
    UW_PROBE_MIN_EPISODES = 8 /* scored episodes below which no interval is given */
};

/* One number of one state column, predicted from one frame's latent; fitted and scored on different
 * episodes.  NaN: not measured.  Every *_ci is a 95 % interval [low, high] from resampling the scored episodes,
 * NaN with fewer than UW_PROBE_MIN_EPISODES of them.  An angle is predicted as its sine and cosine: r2 and r are
 * of both together, rmse is of the angle, the short way round. */
typedef struct uw_probe_row {
    char column[64], unit[32]; /* "state[0]" */
    double r2, r, rmse;        /* linear (ridge) on held-out episodes; rmse in the column's unit */
    double mlp_r2, mlp_r;      /* small MLP */
    double shuffled_r2;        /* control: labels shuffled between episodes */
    double r2_ci[2], r_ci[2], rmse_ci[2], mlp_r2_ci[2], shuffled_r2_ci[2];
    double mlp_shuffled_r2;    /* control of the MLP: the same labels as shuffled_r2 */
    double pca_r2, pca_r2_ci[2];             /* control: from the observation's main directions, as many as latents */
    double untrained_r2, untrained_r2_ci[2]; /* control: from the same encoder with fresh weights */
    double window_r2, window_r, window_r2_ci[2]; /* linear, from a window of report.window_frames frames */
    double window_mlp_r2;
    bool angle;                /* predicted as sine and cosine */
    double degrees, degrees_ci[2]; /* rmse of an angle in degrees; NaN for other numbers */
    int64_t missing;           /* sampled rows without a number here: left out of its fit and score */
    double causal, causal_ci[2]; /* agreement of an edited latent with an edited world, see uw_causal */
} uw_probe_row;

/* A number of the data that was not probed, and why. */
typedef enum uw_exclusion {
    UW_EXCLUDED_CONSTANT = 0, /* one value in all sampled rows */
    UW_EXCLUDED_GAPS = 1,     /* missing (NaN) in more than half of the sampled rows */
    UW_EXCLUDED_STILL = 2,    /* a goal that stands still within every episode: not in the picture */
    UW_EXCLUDED_SURPLUS = 3   /* beyond UW_MAX_PROBES numbers */
} uw_exclusion;
typedef struct uw_excluded {
    char column[64];
    uw_exclusion why;
    int64_t missing; /* of the sampled rows */
} uw_excluded;
UW_API const char *uw_exclusion_str(uw_exclusion why); /* in words; never NULL */

/* Does the latent's direction for a number act as the number does?  In worlds whose state can be set: the world is
 * moved along one number and rolled on; the latent of the same frame is moved by what that number does to latents
 * (regression of latents on the state numbers), rolled on through the model with the same actions, and read by the
 * linear probe.  Agreement = 1 - |effect read - effect in the world|^2 / |effect in the world|^2, at most 1; 0 is
 * what a latent that does not move scores.  Rows' `causal` is per number; here over all. */
typedef struct uw_causal {
    bool known;
    char why[96];        /* why not, when not known */
    int32_t steps;       /* decisions rolled on */
    int32_t edits;       /* pairs of futures compared */
    double agreement, agreement_ci[2];
    double redrawn;      /* the same for the latent of the moved world's picture: what the model can reach */
    double random;       /* control: the latent moved as far in a random direction */
} uw_causal;

/* Open-loop prediction after k decisions.  Intervals as of uw_probe_row, over windows' episodes. */
typedef struct uw_drift_row {
    int32_t step;         /* k */
    double error;         /* mean squared latent error */
    double persistence;   /* the same for "nothing changes" */
    double ratio;         /* error / persistence */
    double rmse;          /* of the first state column through the linear probe, in its unit; NaN = none */
    double error_ci[2], ratio_ci[2], rmse_ci[2];
    double linear, linear_ratio, linear_ratio_ci[2]; /* a ridge (latents, action) -> next latent, rolled out */
    double head, head_ratio, head_ratio_ci[2]; /* a small MLP in the predictor's place, fitted on frozen latents */
    double persistence_rmse, linear_rmse, head_rmse; /* as rmse */
    double degrees, degrees_ci[2], persistence_degrees; /* of the first state column's angles; NaN = none */
} uw_drift_row;

/* What holds imagination back. */
typedef enum uw_drift_limit {
    UW_LIMIT_UNKNOWN = 0,   /* cannot be told from this data */
    UW_LIMIT_PREDICTOR = 1, /* a predictor re-fitted on the frozen latents does clearly better */
    UW_LIMIT_ENCODER = 2    /* it does not: what is left lies in the latents or in the world */
} uw_drift_limit;

/* Latent distance against the world, over random pairs (worlds that know their path lengths). */
typedef struct uw_geometry {
    bool known;
    double rho_path, rho_euclid;         /* Spearman, all pairs */
    double hard_rho_path, hard_rho_euclid; /* pairs in different rooms */
    double stretch; /* latent distance across the wall over that of equal spans inside a room */
    double rho_path_ci[2], rho_euclid_ci[2];           /* 95 %, over pairs */
    double hard_rho_path_ci[2], hard_rho_euclid_ci[2];
    double stretch_ci[2];
    int32_t pairs, hard_pairs, crossings; /* behind them */
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

/* ---- one run ----------------------------------------------------------------------------------------- */

typedef struct uw_probe_options {
    int32_t max_rows;    /* frames encoded at most; 0 = 8192 */
    int32_t drift_steps; /* 0 = 12 */
    bool mlp;            /* also fit the small MLP */
    uint64_t seed;
    bool quick;          /* leave out controls, window probes, causal check and baselines of drift */
    int32_t window;      /* frames of the window probes; 0 = 3 */
    int32_t resamples;   /* of the intervals; 0 = 1000 */
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
    int64_t scored_episodes;   /* of these, held out: what intervals are over */
    int32_t num_excluded;
    uw_excluded excluded[UW_MAX_EXCLUDED];
    int32_t window_frames;     /* of the window probes; 0 = none */
    uw_causal causal;
    int32_t drift_windows, drift_episodes;
    int32_t horizon;           /* decisions up to which the model surely beats persistence; num_drift: all tried */
    int32_t horizon_linear;    /* the same against the linear model */
    uw_drift_limit limit;
    double head_gain, head_gain_ci[2]; /* head's error over the model's, at drift[limit_step - 1] */
    int32_t limit_step;
    uw_gauges gauges;
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

/* ---- over a run -------------------------------------------------------------------------------------- */

/* One kept model of a run: what it predicts, and what it does. */
typedef struct uw_run_point {
    int64_t step;                 /* of training */
    double error, ratio;          /* at uw_run_curve.drift_step: raw, and over persistence */
    double effective_rank, r2;    /* r2: mean over linear probes */
    int32_t episodes, successes;  /* 0 episodes: not played */
    double success, success_low, success_high; /* exact 95 % */
} uw_run_point;

/* Prediction is not planning: both along a run, and how they rank together (Spearman, with 95 % intervals). */
typedef struct uw_run_curve {
    int32_t drift_step;
    int32_t num_points;
    uw_run_point points[UW_MAX_RUN_POINTS];
    double rho_error, rho_error_ci[2]; /* raw error with success */
    double rho_ratio, rho_ratio_ci[2]; /* error / persistence with success */
    double rho_rank, rho_rank_ci[2];   /* effective rank with success */
} uw_run_curve;

/* Fill the rank correlations from the points that were played; NaN with fewer than four of them, or where one side
 * is constant.  Intervals are those of independent points (Bonett and Wright 2000): along one run points follow each
 * other, so take them as the least width there could be.  Alloc: none. */
UW_API void uw_run_curve_rank(uw_run_curve *curve);

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
