/* Fitting and scoring the probes of a run. */
#ifndef UW_FITS_H
#define UW_FITS_H

#include "probe_internal.h"

/* One way of looking at the sampled rows: the numbers that probes are fitted on. */
typedef struct uw_view {
    const float *x;    /* [num_rows, dim]; NULL: this view is left out */
    int32_t dim;
    const bool *there; /* [num_rows] rows that have it; NULL: all */
} uw_view;
typedef struct uw_views {
    uw_view latent, untrained, pca, window;
} uw_views;

/* Fit on rows of episodes not held, score on the others, target by target, and keep the linear probes of the latent
 * in decoder->ridge (the caller's to free).  values [num_rows, count].  Fills the rows of out.
 * Returns UW_OK, the decoder empty where a half has no row; UW_ENOMEM. */
uw_status uw__fits_run(uw_context *ctx, const uw_latents *latents, const uw_targets *targets,
                       const double *values, const uw_views *views, const bool *held,
                       const uw_probe_options *options, uw_decoder *decoder, uw_probe_report *out);

#endif
