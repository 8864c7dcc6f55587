/* The model's own memory; only the files that make, load and save one see it. */
#ifndef UW_MODEL_STRUCT_H
#define UW_MODEL_STRUCT_H

#include "model_internal.h"

struct uw_model {
    uw_net net;
    float *params, *buffers; /* [num_params], [num_buffers] */
    int64_t *counters;       /* [num_tensors] counter tensors as files hold them */
    uw_tensor *sorted;       /* [num_tensors] views by name, for the digest */
    uw_normalisers normalisers;
    uw_provenance provenance;
    char *strings[8];        /* what provenance points to */
};

#endif
