/* A random walk in the plane: recorded, and a model of its state. */
#ifndef UW_WALK_H
#define UW_WALK_H

#include <stdio.h>
#include <stdlib.h>

#include <umwelt/dataset.h>

#include "check.h"
#include "model_internal.h"
#include "rng.h"

/* A step is a tenth of the action, which stands in a column of this name. */
static inline void walk_record_as(const char *action, const char *path, int episodes, int rows) {
    uw_err err = {0};
    uw_recorder *rec = NULL;
    uw_column columns[] = {
        {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
        {.dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}}};
    snprintf(columns[1].name, sizeof columns[1].name, "%s", action);
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    CHECK_OK(uw_recorder_open(path, columns, 2, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(11), UW_STREAM_TEST, 0);
    for (int e = 0; e < episodes; e++) {
        float s[2] = {uw__rng_normal(&r), uw__rng_normal(&r)};
        for (int t = 0; t < rows; t++) {
            const float a[2] = {uw__rng_normal(&r), uw__rng_normal(&r)};
            CHECK_OK(uw_recorder_row(rec, (const void *[]){s, a}, &err), &err);
            for (int i = 0; i < 2; i++) s[i] += 0.1f * a[i];
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

static inline void walk_record(const char *path, int episodes, int rows) {
    walk_record_as("action", path, episodes, rows);
}

/* A model of the state with random weights, two rows per decision; trained with these keys, as JSON. */
static inline uw_model *walk_model_as(const char *keys, uint64_t seed) {
    const uw_model_config config = {.input = UW_INPUT_COLUMNS,
                                    .observe_dim = 2,
                                    .action_dim = 2,
                                    .frameskip = 2,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_MLP,
                                    .latent_dim = 4,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = 16};
    const uw_provenance from = {
        .observe = "state", .env = "", .config_json = keys, .action_repeat = 1};
    uw_err err = {0};
    uw_net net;
    uw_model *model = NULL;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *numbers = calloc(net.num_params + net.num_buffers, sizeof *numbers);
    uw__net_randomise(&net, seed, numbers, numbers + net.num_params);
    CHECK_OK(uw__model_new(&config, numbers, numbers + net.num_params, NULL, &from, &model, &err),
             &err);
    free(numbers);
    uw__net_fini(&net);
    return model;
}

static inline uw_model *walk_model(uint64_t seed) {
    return walk_model_as(NULL, seed);
}

#endif
