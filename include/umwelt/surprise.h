/* Surprise: is what happens what the model expects?  Prediction errors against a band calibrated by episode.
 *
 *     uw_surprise_calibrate(ctx, model, "heldout.uw", &options, &surprise, &err);
 *     uw_surprise_run(ctx, model, surprise, "fresh.uw", NULL, &report, &err);       // events found
 *     controller_options.band = uw_surprise_band(surprise);       // act on it, or uw_eval_options.band
 *
 * The guarantee (split conformal, exchangeable EPISODES): let M be the largest score of an episode.  The
 * threshold is the ceil((n + 1)(1 - alpha))-th smallest M of n calibration episodes.  A fresh episode that is
 * exchangeable with them raises one alarm or more with probability at most alpha, and at least
 * alpha - 1 / (n + 1) without ties; over draws of the calibration episodes that probability is
 * Beta(l, n + 1 - l) distributed, l = floor((n + 1) alpha).  Steps within an episode may depend on each other in
 * any way.  Longer episodes, other policies and other worlds are not exchangeable: nothing is promised there.
 *
 * See      docs/guide/trust.md; Vovk, Gammerman, Shafer 2005 and Vovk 2012 (conditional validity); Lei et al.
 *          2018, theorem 2.2; Dunn, Wasserman, Ramdas 2023 (groups as the exchangeable units) */
#ifndef UW_SURPRISE_H
#define UW_SURPRISE_H

#include <umwelt/context.h>
#include <umwelt/controller.h>
#include <umwelt/eval.h>
#include <umwelt/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A calibrated band: immutable, shared by any number of controllers. */
typedef struct uw_surprise uw_surprise;

enum { UW_MAX_SURPRISE_STEPS = 32 };

typedef struct uw_surprise_options {
    double alpha;  /* probability of any false alarm in an episode; 0 = 0.05 */
    int32_t steps; /* k: decisions predicted ahead, 1 .. UW_MAX_SURPRISE_STEPS; 0 = 1 */
    double share;  /* of the episodes that calibrate: 0 = all; 0.5 leaves every other one to be judged */
} uw_surprise_options;

/* What a calibration rests on. */
typedef struct uw_surprise_facts {
    double alpha, threshold;     /* scores above the threshold are alarms */
    int32_t steps;               /* k */
    int64_t episodes;            /* n: whose largest scores set the threshold */
    int64_t covariance_episodes; /* others, whose errors scale the score */
    int64_t longest;             /* most scored steps of a calibration episode */
    double rate_low, rate_high;  /* 95 % of the Beta above: where this calibration's false-alarm rate lies */
    char data_hash[17], model_sha256[65];
    char data_name[128];         /* the dataset's file name, without its folder */
} uw_surprise_facts;

/* Return the fewest episodes that carry alpha: ceil(1 / alpha) - 1 for the threshold, and half as many again
 * for the covariance (at least 2). */
UW_API int64_t uw_surprise_episodes_needed(double alpha);

/* Calibrate a model's band on a recording that it was not trained on; of its own training data only the
 * held-out episodes are taken.
 *
 * The score of a step is s = (r - m)' S^-1 (r - m) / D with r the k-step latent prediction error under the
 * recorded actions; m and S are the mean and covariance of r over the covariance episodes (a third), S with
 * 1e-3 of its mean eigenvalue added to the diagonal; steps whose columns are not finite have no score.
 *
 * Own      *out is the caller's, uw_surprise_unload
 * Threads  uses the context's pool; bits do not depend on it
 * Returns  UW_OK; UW_EINVAL with too few episodes for alpha, saying how many would do; UW_ESHAPE when model and
 *          data do not fit; UW_ENONFINITE when the model predicts nonsense; UW_ENOMEM.  On error *out is NULL */
UW_API uw_status uw_surprise_calibrate(uw_context *ctx, const uw_model *model, const char *dataset,
                                       const uw_surprise_options *options, uw_surprise **out, uw_err *err);
UW_API void uw_surprise_unload(uw_surprise *surprise);

/* Save a calibration as a small safetensors file, and load it for the model it was made with.  It keeps the
 * episodes' largest scores, so another alpha can be asked for: 0 = the one it was made for.
 * Returns  UW_OK; UW_EEXIST unless overwrite; UW_ESHAPE for another model's; UW_EFORMAT; UW_EINVAL when the
 *          episodes do not carry alpha */
UW_API uw_status uw_surprise_save(const uw_surprise *surprise, const char *path, bool overwrite, uw_err *err);
UW_API uw_status uw_surprise_load(const char *path, const uw_model *model, double alpha, uw_surprise **out,
                                  uw_err *err);

/* Borrow the band for uw_controller_options (made for k = 1; else NULL), and the facts. */
UW_API const uw_band *uw_surprise_band(const uw_surprise *surprise);
UW_API const uw_surprise_facts *uw_surprise_facts_of(const uw_surprise *surprise);

/* ---- on a recording ------------------------------------------------------------------------------ */

typedef struct uw_surprise_event {
    int64_t episode, row; /* of the dataset */
    int32_t step;         /* decision within the episode: row / frameskip */
    double score;
} uw_surprise_event;

typedef struct uw_surprise_report {
    uw_surprise_facts facts;
    uw_rate alarmed;           /* episodes with an alarm, of those judged */
    int64_t steps, alarms;     /* scored, and of these above the threshold */
    int64_t missing;           /* steps without a score: NaN in the columns, or too early after them */
    int64_t longer;            /* episodes longer than any that calibrated: the guarantee is not for them */
    double median, high, most; /* scores: median, 99 % quantile, largest */
    int64_t num_events;
    uw_surprise_event *events; /* [num_events], in file order */
    double seconds;
} uw_surprise_report;

/* Score every step of a recording.  surprise NULL: it is calibrated on half of the episodes with these options
 * (nullable: defaults) and the other half is judged.  Where the dataset is the one that calibrated, episodes that
 * did are left out.
 *
 * Own      *out, freed by uw_surprise_report_fini
 * Returns  as uw_surprise_calibrate */
UW_API uw_status uw_surprise_run(uw_context *ctx, const uw_model *model, const uw_surprise *surprise,
                                 const char *dataset, const uw_surprise_options *options,
                                 uw_surprise_report *out, uw_err *err);
UW_API void uw_surprise_report_fini(uw_surprise_report *report);

/* ---- injected events ------------------------------------------------------------------------------- */

/* What can happen to a world in the middle of an episode; the first is the control. */
typedef enum uw_injection {
    UW_INJECT_NOTHING = 0,
    UW_INJECT_TELEPORT = 1,  /* the world jumps to another state */
    UW_INJECT_FROZEN = 2,    /* the sensor shows its last picture (or columns) for the rest */
    UW_INJECT_COLOR = 3,     /* the block (in a world without one, the agent) has another colour for the rest */
    UW_INJECT_REVERSED = 4,  /* the world does the opposite of every action for the rest */
    UW_INJECT_REMOVED = 5    /* it is no longer drawn */
} uw_injection;
enum { UW_NUM_INJECTIONS = 6 };
/* Return "none", "teleport", "frozen", "color", "reversed", "removed". */
UW_API const char *uw_injection_str(uw_injection injection);

/* How one event was noticed, over episodes that are the control's up to the event. */
typedef struct uw_injection_row {
    uw_injection injection;
    bool applies;         /* false: the model sees no pictures, so the event would change nothing */
    uw_rate detected;     /* episodes with an alarm at the event or later, of those without one before;
                           * of the control: false alarms in as many steps */
    double delay_median;  /* decisions from the first observation after the event to the alarm; NaN = none */
    double delay_high;    /* 90 % quantile */
    uw_rate paired;       /* largest score from the event on is above the same episode's control */
    double auroc;         /* of that score, against all control episodes */
    uw_rate persistence;  /* detected, by a band around "nothing changes" instead of the model */
    uw_rate untrained;    /* detected, by the same network with random weights */
} uw_injection_row;

typedef struct uw_injection_options {
    int32_t episodes;      /* per event; 0 = 100 */
    int32_t calibration;   /* episodes that calibrate when surprise is NULL, and both controls; 0 = 100 */
    int32_t steps;         /* decisions per episode; 0 = 40 */
    double alpha;          /* 0 = 0.05 */
    uint32_t kinds;        /* bits 1 << uw_injection; 0 = all; the control is always there */
    uint64_t seed;
} uw_injection_options;

typedef struct uw_injection_report {
    char env[48];
    uw_surprise_facts facts; /* of the model's band */
    int32_t steps, event_at; /* decisions per episode; the event comes before this observation */
    int32_t num_rows;
    uw_injection_row rows[UW_NUM_INJECTIONS];
    double seconds;
} uw_injection_report;

/* Make episodes of a world under its usual collecting policy, inject events and see whether they are noticed.
 * The band is calibrated on other episodes made the same way, unless surprise (nullable) brings one.
 *
 * Threads  uses the context's pool; bits do not depend on it
 * Returns  UW_OK; UW_ENOTFOUND for an unknown world; UW_ESHAPE when model and world do not fit; UW_EINVAL;
 *          UW_EINTERRUPTED; UW_ENOMEM.  On error *out is untouched */
UW_API uw_status uw_surprise_inject(uw_context *ctx, const uw_model *model, const uw_surprise *surprise,
                                    const char *env, const uw_injection_options *options,
                                    uw_injection_report *out, uw_err *err);

#ifdef __cplusplus
}
#endif
#endif
