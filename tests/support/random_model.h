/* A model of any configuration with two action numbers: random weights that are nowhere at rest, and
 * actions that are z-scored. */
#ifndef RANDOM_MODEL_H
#define RANDOM_MODEL_H

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "model_internal.h"

/* push: how far weights that start at zero or one are moved from there. */
static inline uw_model *random_model(const uw_model_config *config, float push) {
    static float mean[2] = {0.25f, -0.5f}, std[2] = {0.5f, 2.0f};
    const uw_normalisers normalisers = {
        .action_dim = config->action_dim, .action_mean = mean, .action_std = std};
    uw_model *model = NULL;
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(config, &net, &err), &err);
    float *params = calloc(net.num_params, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    uw__net_randomise(&net, 3, params, buffers);
    for (size_t i = 0; i < net.num_params; i++) params[i] += push * sinf((float)i);
    CHECK_OK(uw__model_new(config, params, buffers, &normalisers, NULL, &model, &err), &err);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return model;
}

#endif
