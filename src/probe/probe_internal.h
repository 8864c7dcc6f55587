/* The parts of a probe run, in the order they happen: targets, fits, drift, geometry. */
#ifndef UW_PROBE_INTERNAL_H
#define UW_PROBE_INTERNAL_H

#include <umwelt/env.h>
#include <umwelt/probe.h>

#include "fit.h"
#include "latents.h"

/* The numbers to predict from a latent. */
typedef struct uw_targets {
    int32_t count; /* 0 .. UW_MAX_PROBES */
    char name[UW_MAX_PROBES][64], unit[UW_MAX_PROBES][32];
    int32_t column[UW_MAX_PROBES], number[UW_MAX_PROBES]; /* dataset column, place in it */
    int32_t first_count; /* of these, how many (from 0) are of the first state column */
} uw_targets;

/* Choose the float columns' numbers that vary and could be seen: no actions, no goals that stand
 * still within every episode (they are not in the picture), none that is missing in half of the
 * rows. Names come from the world's states when it is known.  values [num_rows, count], malloc'd.
 */
uw_status uw__targets_find(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                           const uw_row *rows, int64_t num_rows, uw_targets *out, double **values,
                           uw_err *err);

/* Open-loop drift over up to `steps` decisions from windows of the episodes marked in held
 * [episodes]; probe (nullable) decodes targets->first_count numbers.  Fills out->drift and
 * num_drift. */
uw_status uw__drift_run(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                        const uw_observe *observe, const bool *held, int32_t steps,
                        const uw_targets *targets, const uw_ridge *probe, uw_probe_report *out,
                        uw_err *err);

/* Return the name of a model's action column, into name. */
void uw__action_column(const uw_model *model, char *name, size_t size);

#endif
