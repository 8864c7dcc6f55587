/* The parts of surprise: estimating a band from errors, choosing its threshold, and the file. */
#ifndef UW_SURPRISE_INTERNAL_H
#define UW_SURPRISE_INTERNAL_H

#include <umwelt/surprise.h>

#include "foresight.h"
#include "plan_internal.h"

struct uw_surprise {
    uw_surprise_facts facts;
    uw_band band;     /* views of mean and whiten */
    float *mean;      /* [D] */
    float *whiten;    /* [D, D] */
    double *largest;  /* [facts.episodes] ascending: of each calibration episode */
    int64_t *used;    /* [num_used] ascending: episodes that took part, of the dataset of facts.data_hash */
    int64_t num_used;
};

/* Sums of errors, from which mean and covariance come. */
typedef struct uw_scatter {
    int32_t dim;
    int64_t count;
    double *sum;   /* [D] */
    double *cross; /* [D, D], lower triangle */
} uw_scatter;

/* Own: uw__scatter_fini.  Returns UW_ENOMEM. */
uw_status uw__scatter_init(uw_scatter *scatter, int32_t dim);
void uw__scatter_fini(uw_scatter *scatter);
/* Add the scored errors of a track. */
void uw__scatter_add(uw_scatter *scatter, const uw_track *track);

/* Make a surprise without a threshold: mean and whitener of the errors so far.
 * Returns UW_EINVAL when they do not vary; UW_ENOMEM.  Own: *out, uw_surprise_unload. */
uw_status uw__surprise_new(const uw_scatter *scatter, uw_surprise **out, uw_err *err);
/* Return the largest score from step `first` on, -1 when none is scored; *alarm (nullable) gets the first step
 * above the threshold, -1 = none. */
double uw__surprise_largest(const uw_surprise *surprise, const uw_track *track, int64_t first, int64_t *alarm);
/* Set the threshold from the largest scores [n] of calibration episodes (copied); UW_EINVAL when n does not
 * carry alpha. */
uw_status uw__surprise_threshold(uw_surprise *surprise, const double *largest, int64_t n, double alpha,
                                 uw_err *err);
/* Say how many episodes alpha needs, and which alpha those at hand carry; UW_EINVAL. */
uw_status uw__surprise_too_few(double alpha, int64_t episodes, uw_err *err);
/* Return how many of n calibrating episodes scale the score; the rest set the threshold. */
int64_t uw__covariance_share(int64_t n);

#endif
