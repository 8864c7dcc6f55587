/* The parts of a probe run, in the order they happen: targets, fits, drift, causal check, geometry. */
#ifndef UW_PROBE_INTERNAL_H
#define UW_PROBE_INTERNAL_H

#include <umwelt/env.h>
#include <umwelt/probe.h>

#include "fit.h"
#include "latents.h"
#include "spans.h"

/* The numbers to predict from a latent.  An angle is two outputs of a fit, its sine and cosine; any other number
 * is one. */
typedef struct uw_targets {
    int32_t count; /* 0 .. UW_MAX_PROBES */
    char name[UW_MAX_PROBES][64], unit[UW_MAX_PROBES][32];
    int32_t column[UW_MAX_PROBES], number[UW_MAX_PROBES]; /* dataset column, place in it */
    double radians[UW_MAX_PROBES]; /* > 0: an angle, and radians per unit */
    int64_t missing[UW_MAX_PROBES]; /* rows without it */
    double deviation[UW_MAX_PROBES]; /* over the rows, in its unit */
    int32_t output[UW_MAX_PROBES + 1]; /* first output of each; output[count]: all */
    int32_t first_count; /* of these, how many (from 0) are of the first state column */
} uw_targets;

/* Choose the float columns' numbers that vary and could be seen: no actions, no goals that stand
 * still within every episode (they are not in the picture), none that is missing in half of the
 * rows; what is left out is told in report->excluded.  Names come from the world's states when it is known.
 * values [num_rows, count], malloc'd. */
uw_status uw__targets_choose(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                             const uw_row *rows, int64_t num_rows, uw_targets *out, double **values,
                             uw_probe_report *report, uw_err *err);
/* The same for who does not ask what is left out. */
uw_status uw__targets_find(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                           const uw_row *rows, int64_t num_rows, uw_targets *out, double **values,
                           uw_err *err);
/* Write a target's outputs (one, or sine and cosine) of its value. */
void uw__target_outputs(const uw_targets *t, int32_t j, double value, double *outputs);
/* True for a number of the first state column that shares the unit of its first plain number. */
bool uw__target_is_place(const uw_targets *t, int32_t j);

/* Linear probes of all targets' outputs; ridge.memory NULL: none could be fitted. */
typedef struct uw_decoder {
    const uw_targets *targets;
    uw_ridge ridge;        /* owned; outputs that were not fitted have weight 0 and intercept NaN */
    int32_t places, turns; /* numbers of the first state column: in its first unit, and angles */
} uw_decoder;
/* Read the first state column's numbers from a latent: values [first_count], in their units. */
void uw__decode(const uw_decoder *decoder, const float *z, double *values);

/* Open-loop drift over held-out spans, against persistence and, fitted on `fit` (one decision each; count 0: left
 * out), a linear model and a new head.  Fills out->drift and what is said about it. */
uw_status uw__drift_run(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                        const uw_spans *spans, const uw_spans *fit, const uw_decoder *decoder,
                        const uw_probe_options *options, uw_probe_report *out, uw_err *err);

/* Move the world and the latent likewise on held-out spans and compare what comes of it: out->causal, and the rows'
 * `causal`.  z [n, D] and values [n, count]: the rows that latents' response to the state is fitted on. */
uw_status uw__causal_run(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                         const uw_spans *spans, const uw_decoder *decoder, const float *z,
                         const double *values, int64_t n, const uw_probe_options *options,
                         uw_probe_report *out, uw_err *err);

/* Latents for the controls: of the same encoder with fresh weights [n, D], and the observation's coordinates along
 * its main directions [n, dim], dim <= D, found on the rows whose episode is not held. */
uw_status uw__control_untrained(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                                const uw_observe *observe, const uw_row *rows, int64_t n, uint64_t seed,
                                float *z, uw_err *err);
uw_status uw__control_pca(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                          const uw_observe *observe, const uw_row *rows, int64_t n, const bool *held,
                          int32_t *dim, float *x, uw_err *err);

/* Return the name of a model's action column, into name. */
void uw__action_column(const uw_model *model, char *name, size_t size);

#endif
