/* The inside of a model: for the trainer, which makes one, and for io-free access by probes. */
#ifndef UW_MODEL_INTERNAL_H
#define UW_MODEL_INTERNAL_H

#include "net.h"

/* Statistics that turn raw columns into what the network sees; empty arrays = identity. */
typedef struct uw_normalisers {
    int32_t action_dim, observe_dim;
    float *action_mean, *action_std;   /* [action_dim]; std >= 1e-8; NaN rows left out */
    float *observe_mean, *observe_std; /* [observe_dim] */
} uw_normalisers;

/* Make a model that owns copies of the numbers, the normalisers and every string. */
uw_status uw__model_new(const uw_model_config *config, const float *params, const float *buffers,
                        const uw_normalisers *normalisers, const uw_provenance *provenance,
                        uw_model **out, uw_err *err);
/* The same of numbers from malloc that become the model's own: *params and *buffers are NULL then. */
uw_status uw__model_take(const uw_model_config *config, float **params, float **buffers,
                         const uw_normalisers *normalisers, const uw_provenance *provenance,
                         uw_model **out, uw_err *err);
const uw_net *uw__model_net(const uw_model *model);
const float *uw__model_params(const uw_model *model);
const float *uw__model_buffers(const uw_model *model);
const uw_normalisers *uw__model_normalisers(const uw_model *model);

/* A configuration as the flat keys of `umwelt train --help keys` and back; unknown keys are errors with
 * a "did you mean".  json: caller frees. */
uw_status uw__model_config_to_json(const uw_model_config *config, char **json);
uw_status uw__model_config_from_json(const char *json, uw_model_config *config, uw_err *err);

#endif
