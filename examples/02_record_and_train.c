/* Train on your own data: record sensor columns and actions, then train and save a model.
 *
 *     ./02_record_and_train plant.uw run
 *
 * Introduces: uw_recorder_open, _row, _end_episode, uw_train_preset, uw_train_set, uw_train_run. */
#include <math.h>
#include <stdio.h>

#include <umwelt/umwelt.h>

/* A tank that leaks and is heated: level and temperature, valve and heater.  Yours is a real machine. */
static void tank(float state[2], const float action[2]) {
    state[0] += 0.05f * (action[0] - state[0]);
    state[1] += 0.03f * (action[1] - state[1]) - 0.01f * state[0];
}

static uw_status record(const char *path, uw_err *err) {
    const uw_column columns[] = {
        {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}, .unit = "1"},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}, .unit = "1"},
    };
    const uw_dataset_meta meta = {.env = "", .policy = "sine", .variation = "", .action_repeat = 1};
    uw_recorder *recorder = NULL;
    uw_status s = uw_recorder_open(path, columns, 2, &meta, UW_OPEN_OVERWRITE, &recorder, err);
    for (int episode = 0; !s && episode < 64; episode++) {
        float state[2] = {sinf((float)episode), cosf((float)episode)};
        for (int t = 0; !s && t <= 50; t++) {
            /* Row t: what is seen, and the action taken from here; the last row has no action. */
            float action[2] = {sinf(0.3f * (float)(t + 5 * episode)), cosf(0.2f * (float)(t * (episode % 7 + 1)))};
            if (t == 50) action[0] = action[1] = NAN;
            s = uw_recorder_row(recorder, (const void *const[]){state, action}, err);
            if (t < 50) tank(state, action);
        }
        if (!s) s = uw_recorder_end_episode(recorder, err);
    }
    const uw_status closed = uw_recorder_close(recorder, s ? NULL : err);
    return s ? s : closed;
}

int main(int argc, char **argv) {
    uw_err err = {0};
    uw_context *ctx = NULL;
    uw_train_config config;
    uw_train_result result;
    uw_status s = argc == 3 ? UW_OK : uw_fail(&err, UW_EINVAL, "usage: %s DATA RUN", argv[0]);
    if (!s) s = uw_context_new(NULL, &ctx, &err);
    if (!s) s = record(argv[1], &err);
    if (!s) s = uw_train_preset("sensors", &config, &err);
    if (!s) s = uw_train_set(&config, "steps", "100", &err);
    if (!s) s = uw_train_run(ctx, argv[1], argv[2], &config, false, true, &result, &err);
    if (!s) printf("%s: prediction loss %.5f, effective rank %.1f\n", result.model_path, result.prediction_loss,
                   result.effective_rank);
    if (s) fprintf(stderr, "%s\n", err.text[0] ? err.text : uw_status_str(s));
    uw_context_free(ctx);
    return s != UW_OK;
}
