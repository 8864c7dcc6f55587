/* The certificate: may the latents of a model be read as the world's true state, up to a rotation?
 *
 *     uw_certificate *c = calloc(1, sizeof *c);
 *     uw_certify_run(ctx, model, "experience.uw", NULL, c, &err);
 *     printf("%s: %s\n", uw_certify_verdict_str(c->verdict), c->headline);
 *
 * Theory: "When Does LeJEPA Learn a World Model?" (arXiv 2605.26379).  When the true latents are standard Gaussian,
 * move by an isotropic Ornstein-Uhlenbeck step, and the code h has as many dimensions, then a white code that is
 * as easy to predict as possible is the true latent z up to a rotation Q, and gracefully so:
 *
 *     E |h - Q z|^2  <=  D + (eps + D)^2,     D = delta / (2 rho (1 - rho)).
 *
 * What it asks of the world is tested on the latents, check by check (A1 .. A14), gated by the size of the effect
 * and not by p-values, with intervals over EPISODES, because frames of one episode are not independent.
 * Label-free checks see h, never z: a certificate without labels is conditional on a Gaussian world.
 * See docs/guide/trust.md. */
#ifndef UW_CERTIFY_H
#define UW_CERTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/context.h>
#include <umwelt/model.h>
#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_NUM_CHECKS = 14, UW_MAX_MEASURES = 8, UW_MAX_CERTIFIED_DIM = 1024 };

/* What the data say about one condition. */
typedef enum uw_finding {
    UW_HOLDS = 0,
    UW_DOUBTFUL = 1,    /* between the two thresholds */
    UW_VIOLATED = 2,
    UW_CANNOT_TELL = 3  /* more data could decide either way, or they lack what is needed: see note */
} uw_finding;

/* One number behind a finding.  pass < fail: small is good; pass > fail: large is good; both NaN: shown for
 * comparison with the literature and not judged. */
typedef struct uw_measure {
    const char *name;   /* static: "excess kurtosis, worst coordinate" */
    double value;       /* corrected for the noise of a finite sample where that has a sign */
    double low, high;   /* 95 %, bootstrap over episodes; NaN when not computed */
    double pass, fail;
    uw_finding finding;
} uw_measure;

/* One condition of the theorem.  measures[0] decides; the others explain. */
typedef struct uw_check {
    const char *id;      /* static: "A1" */
    const char *name;    /* static: "Gaussian coordinates" */
    const char *meaning; /* static, a sentence: what is asked of the world */
    const char *effect;  /* static, a sentence: what a violation does to the guarantee */
    const char *remedy;  /* static, a sentence: what to do */
    uw_finding finding;
    int32_t num_measures; /* 0 when there is nothing to measure: see note */
    uw_measure measures[UW_MAX_MEASURES];
    char note[192];      /* of this run: "the first 8 of 192 directions"; or "" */
} uw_check;

typedef enum uw_certify_verdict {
    UW_CERTIFIED = 0,             /* A1 .. A11 hold and R2 is at least `target` by the bound */
    UW_CERTIFIED_WITH_LABELS = 1, /* the true state is in the data, and the latent is it up to a rotation */
    UW_NOT_COVERED = 2,           /* some condition fails or is in doubt: the theory says nothing here */
    UW_COLLAPSED = 3,             /* the code has (nearly) lost its dimensions */
    UW_TOO_LITTLE_DATA = 4        /* the interval is wider than the question: see needed_episodes */
} uw_certify_verdict;

/* Where the step correlation rho of the true latents comes from. */
typedef enum uw_rho_source {
    UW_RHO_GIVEN = 0,   /* the caller knows it */
    UW_RHO_LABELS = 1,  /* measured on the true latents */
    UW_RHO_FITTED = 2   /* fitted to the latents' own autocorrelation over many lags: conditional on a Gaussian world */
} uw_rho_source;

/* What the labels say, on episodes that the maps were not fitted on (5 folds).  All NaN without labels. */
typedef struct uw_label_scores {
    double r2, r2_low, r2_high;  /* z from h, linear, mean over coordinates */
    double r2_worst;             /* the worst coordinate */
    double r2_back;              /* h from z */
    double r2_orthogonal;        /* z from h by a rotation and one scale */
    double orthogonal_gap;       /* r2 - r2_orthogonal */
    double procrustes;           /* min over rotations of E |h - Q z|^2, to compare with the bound */
    double orthogonality;        /* |A'A - I| / sqrt(n) of the linear map z -> h */
} uw_label_scores;

typedef struct uw_certificate {
    uw_certify_verdict verdict;
    char headline[256];          /* the verdict in a sentence or two */
    char advice[384];            /* what to do next */

    char dataset_hash[17], model_hash[65]; /* hex; "" for a plain series */
    int64_t rows, pairs;         /* rows used, pairs one step apart */
    int64_t dropped_rows;        /* rows with NaN or infinity, left out */
    int64_t episodes, needed_episodes; /* needed for an answer; 0 = enough, or more would not help */
    double effective_rows;       /* N_eff = N (1 - rho^2) / (1 + rho^2) */
    int32_t latent_dim;          /* K */
    int32_t true_dim;            /* n, from labels or options; 0 = not known (the bound takes n = K) */
    char labels[256];            /* columns taken as the true latents, or "" */
    char excluded[256];          /* columns left out and why, or "" */

    double rho[UW_MAX_CERTIFIED_DIM]; /* [num_rho] step correlations, descending */
    int32_t num_rho;
    double rho_true;             /* step correlation that delta is measured against (mean over coordinates) */
    uw_rho_source rho_source;
    double rho_gap;              /* rho (1 - rho), or rho_min - rho_max^2 where coordinates differ: D's denominator */

    double eps;                  /* whitening error |Cov h - I|_F */
    double eps_floor;            /* what N_eff white rows would show: sqrt(K (K + 1) / N_eff) */
    double delta;                /* alignment gap: L - 2 (1 - rho) tr Cov h */
    double nonlinear;            /* D: at most this much of h is not linear in z */
    double bound, bound_high;    /* D + (eps + D)^2, and its 95 % upper limit; NaN: no bound */
    double r2_floor;             /* 1 - bound_high / n: R2 is at least this, by the theory; NaN: no bound */
    double target;               /* r2_floor asked for */

    uw_check checks[UW_NUM_CHECKS];
    int32_t num_failed, failed[UW_NUM_CHECKS];     /* places in checks of the violated ones */
    int32_t num_doubtful, doubtful[UW_NUM_CHECKS]; /* in doubt, or not to be told and needed */
    uw_label_scores scores;
} uw_certificate;

typedef struct uw_certify_options {
    const char *state;     /* columns (or "column[2]") of the true latents, comma-separated; NULL = state columns that
                            * the model does not see, when there are; "none" = without labels */
    double rho;            /* step correlation of the true latents when it is known; 0 = find it out */
    int32_t true_dim;      /* n, when it is known; 0 = from the labels, else K */
    int32_t stride;        /* rows of one step; 0 = the model's frameskip */
    int64_t max_rows;      /* rows encoded at most, whole episodes; 0 = 16384 pictures or 200000 rows of numbers */
    int32_t resamples;     /* of the bootstrap; 0 = 200 */
    double target;         /* R2 to be certified; 0 = 0.9 */
    uint64_t seed;
} uw_certify_options;

/* Certify a model on a dataset.
 *
 * Shapes   out: the caller's, filled; its strings are its own or static
 * Alloc    scratch, freed before return.  Threads: uses the context's pool; bits do not depend on it
 * Returns  UW_OK whatever the verdict; UW_ESHAPE when model and data do not fit (the column is named); UW_ENOTFOUND for
 *          a state column that is not there; UW_EINVAL; UW_ENONFINITE without one finite row; UW_ENOMEM; as
 *          uw_dataset_open.  On error *out is untouched */
UW_API uw_status uw_certify_run(uw_context *ctx, const uw_model *model, const char *dataset,
                                const uw_certify_options *options, uw_certificate *out, uw_err *err);

/* Latents in episodes, without a model or a file. */
typedef struct uw_series {
    const float *h;          /* [rows, dim] */
    const double *z;         /* [rows, num_states] true latents; NULL without */
    const double *actions;   /* [rows, num_actions], taken from that row on; NaN in last rows; NULL without */
    const int64_t *start;    /* [episodes + 1] first row of each episode; start[episodes] = rows */
    int64_t rows, episodes;
    int32_t dim, num_states, num_actions;
} uw_series;

/* Certify a plain array; options->state, stride and max_rows are not looked at.  As uw_certify_run. */
UW_API uw_status uw_certify_series(uw_context *ctx, const uw_series *series,
                                   const uw_certify_options *options, uw_certificate *out, uw_err *err);

/* Return "holds", "in doubt", "violated", "cannot tell". */
UW_API const char *uw_finding_str(uw_finding finding);
/* Return "CERTIFIED", "CERTIFIED WITH LABELS", "NOT COVERED BY THEORY", "COLLAPSED", "TOO LITTLE DATA". */
UW_API const char *uw_certify_verdict_str(uw_certify_verdict verdict);
/* Return "given", "labels", "fitted". */
UW_API const char *uw_rho_source_str(uw_rho_source source);

#ifdef __cplusplus
}
#endif
#endif
