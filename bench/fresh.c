/* Models with fresh weights, and memory for what runs them. */
#include "fresh.h"

#include <stdlib.h>

#include "model_internal.h"
#include "rng.h"

uw_status uw__bench_model(const uw_model_config *config, uw_model **out, uw_err *err) {
    uw_net net = {0};
    float *params = NULL, *buffers = NULL;
    uw_status s = uw__net_init(config, &net, err);
    if (!s) {
        params = calloc(net.num_params + 1, sizeof *params);
        buffers = calloc(net.num_buffers + 1, sizeof *buffers);
        s = params && buffers ? UW_OK : UW_ENOMEM;
    }
    if (!s) {
        const uw_normalisers none = {0};
        const uw_provenance from = {.version = "",
                                    .preset = "",
                                    .env = "",
                                    .dataset_hash = "",
                                    .config_json = "{}",
                                    .action_repeat = 1,
                                    .trained_factors = "",
                                    .observe = "pixels"};
        uw__net_randomise(&net, 1, params, buffers);
        uw_rng r = uw__rng(1, UW_STREAM_TEST, 0);
        for (size_t i = 0; i < net.num_params; i++)
            if (params[i] == 0) params[i] = 0.04f * uw__rng_uniform(&r) - 0.02f;
        s = uw__model_new(config, params, buffers, &none, &from, out, err);
    }
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return s;
}

void *uw__bench_block(size_t bytes) {
    return bytes ? aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN) : NULL;
}
