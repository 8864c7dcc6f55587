/* Gauges of a cloud of latents: what tells a living latent from a collapsed one, while training and afterwards.
 *
 *     if (result.gauges.alarms & UW_ALARMS) puts(uw_alarm_str(result.gauges.alarms));
 *
 * Thresholds and their derivation: docs/guide/trust.md, Gauges. */
#ifndef UW_GAUGES_H
#define UW_GAUGES_H

#include <stdint.h>

#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a cloud of latents is warned of.  An alarm says that it collapsed, whatever the world; a notice says that it
 * is not white, which a world of few dimensions in a wide latent never is.  See docs/guide/trust.md, Gauges. */
typedef enum uw_alarm {
    UW_ALARM_CONSTANT = 1 << 0, /* no spread at all beside its own size */
    UW_ALARM_SHRUNK = 1 << 1,   /* mean variance below 0.05 where it is held at 1, below 1e-6 elsewhere */
    UW_ALARM_RANK = 1 << 2,     /* a line, or half of the directions without any spread */
    UW_ALARM_DEAD = 1 << 3,     /* a number with less than 1 % of the median variance */
    UW_ALARM_CLUSTERS = 1 << 4, /* two points: they explain 90 % of the variance */
    UW_ALARM_SIGREG = 1 << 5,   /* SIGReg stays above 0.15 after warm-up */
    UW_ALARM_STEP = 1 << 6,     /* latents of one time step are spread 10 times less than those of another */
    UW_ALARM_STILL = 1 << 7,    /* latents change between episodes only */
    UW_ALARM_DEAF = 1 << 8,     /* predictions do not depend on the action */
    UW_NOTICE_NOT_WHITE = 1 << 16, /* SIGReg beyond its 99 % quantile for a Gaussian sample of this size */
    UW_NOTICE_LOW_RANK = 1 << 17,  /* effective rank below a tenth of the latent's width */
    UW_NOTICE_TOP = 1 << 18,       /* one direction holds more than half of the variance */
    UW_NOTICE_NORM = 1 << 19,      /* mean |z|^2 changes by more than a third along a window */
    UW_NOTICE_TEMPORAL = 1 << 20   /* steps of latents lie along a line */
} uw_alarm;
enum { UW_ALARMS = 0xffff, UW_MAX_GAUGE_STEPS = 16 };
/* Return the lowest of these alarms and notices in words, "none" without any; never NULL. */
UW_API const char *uw_alarm_str(uint32_t alarms);
/* Return its name as JSON has it: "constant", "low_rank". */
UW_API const char *uw_alarm_name(uint32_t alarms);

/* Latents at one place in a window of rows. */
typedef struct uw_gauge_step {
    double norm;     /* mean |z|^2 / D */
    double variance; /* mean over numbers */
    double shift;    /* distance of their mean from the mean of all, over the standard deviation of all */
} uw_gauge_step;

/* Gauges of a cloud of latents; NaN: not measured. */
typedef struct uw_gauges {
    int64_t rows;
    double effective_rank, participation; /* of the covariance: exp(entropy), (sum l)^2 / sum l^2 */
    double top_share;       /* largest eigenvalue over the sum */
    int32_t null_directions; /* eigenvalues below 1e-6 of the mean one */
    int32_t dead;           /* numbers whose variance is below 1 % of the median one */
    double mean_norm;       /* mean |z|^2 / D */
    double mean_variance, median_variance, min_variance; /* over numbers */
    double sigreg, sigreg_null, sigreg_q99; /* before "times n": now, a Gaussian sample's mean and 99 % quantile */
    double cluster_share;   /* variance between two clusters over all of it */
    double norm_drift;      /* mean |z|^2 of the last step over that of the first, minus 1 */
    int32_t num_steps;
    uw_gauge_step steps[UW_MAX_GAUGE_STEPS];
    double temporal_rank;   /* effective rank of one-step differences */
    double temporal_share;  /* mean |dz|^2 over twice the variance: 1 for unrelated rows, 0 for stuck ones */
    double action_sensitivity; /* |pred(z, a) - pred(z, a')| over |pred(z, a) - z|, a' of other rows */
    uint32_t alarms;        /* bits of uw_alarm */
} uw_gauges;

#ifdef __cplusplus
}
#endif
#endif
