/* umwelt train: a model from a dataset. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const cli_option options[] = {
    {"preset", "NAME", "two_room | two_room_robust | two_room_layouts | lewm | identifiability | sensors | pusht", "two_room_robust"},
    {"config", "FILE", "flat YAML file of keys, read after the preset", NULL},
    {"set", "KEY=VALUE", "set one key, after the file (repeatable); --help keys lists them", NULL},
    {"steps", "N", "optimiser steps (short for --set steps=N)", NULL},
    {"stop-epoch", "N", "stop after N epochs (short for --set stop_epoch=N)", NULL},
    {"schedule-epochs", "N", "length of the learning rate's cosine (short for --set schedule_epochs=N)", NULL},
    {"minutes", "M", "stop after M minutes (then the result depends on the clock)", NULL},
    {"resume", NULL, "continue from the newest complete checkpoint", NULL},
    {0},
};

static int set_key(cli *c, void *arg, const char *text) {
    char key[64];
    const char *equals = strchr(text, '=');
    if (!equals || (size_t)(equals - text) >= sizeof key)
        return cli_usage(c, "--set", "for example --set latent_dim=32", "wanted KEY=VALUE, got %s", text);
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = 0;
    uw_err err = {0};
    const uw_status status = uw_train_set(arg, key, equals + 1, &err);
    return status ? cli_fail(c, UW_EINVAL, &err) : CLI_OK;
}

static int configure(cli *c, uw_train_config *config) {
    uw_err err = {0};
    const char *preset = cli_str(c, "preset", "two_room_robust");
    int code = cli_name(c, "preset", preset, uw_train_presets());
    if (code) return code;
    uw_status status = uw_train_preset(preset, config, &err);
    config->seed = c->seed;
    const char *file = cli_str(c, "config", NULL);
    if (!status && file) status = uw_train_config_load(file, config, &err);
    if (status) return cli_fail(c, status, &err);
    int32_t steps = 0;
    if ((code = cli_each(c, "set", set_key, config)) ||
        (code = cli_int(c, "steps", 0, 1, 100000000, &steps)))
        return code;
    if (steps) {
        config->steps = steps;
        config->stop_epoch = 0;
    }
    if ((code = cli_int(c, "stop-epoch", config->stop_epoch, 1, 1000000, &config->stop_epoch)) ||
        (code = cli_int(c, "schedule-epochs", config->schedule_epochs, 1, 1000000, &config->schedule_epochs)) ||
        (code = cli_number(c, "minutes", config->minutes, 0, 1e6, &config->minutes)))
        return code;
    return CLI_OK;
}

static int run(cli *c) {
    uw_train_config config;
    int code = configure(c, &config);
    if (code) return code;
    const char *out = c->out ? c->out : "run";
    uw_train_result r;
    uw_err err = {0};
    const uw_status status =
        uw_train_run(c->ctx, c->args[0], out, &config, cli_flag(c, "resume"), c->force, &r, &err);
    if (status == UW_EINTERRUPTED)
        return cli_interrupted(c, "umwelt train %s --out %s --preset %s --seed %llu --resume (with the same "
                                  "--set, --steps and --config)",
                               c->args[0], out, config.preset, (unsigned long long)config.seed);
    if (status) return cli_fail(c, status, &err);
    json_object_update_new(c->result, cli_train_json(&r));
    json_object_set_new(c->result, "gauges", cli_gauges_json(&r.gauges));
    cli_say(c, "%s: %lld steps in %.1f s, %.0f frames/s, prediction %.5f, SIGReg %.4f, effective rank %.1f\n"
               "next: umwelt probe %s %s\n",
            r.model_path, (long long)r.steps, r.seconds, r.frames_per_s, r.prediction_loss, r.sigreg,
            r.effective_rank, r.model_path, c->args[0]);
    if (r.gauges.alarms & UW_ALARMS)
        cli_note(c, "alarm: %s; the warnings above say what to do, docs/guide/trust.md what it means\n",
                 uw_alarm_str(r.gauges.alarms));
    return cli_finish(c);
}

const cli_verb cli_train = {
    .name = "train",
    .summary = "train a model from a dataset",
    .arguments = "DATA",
    .about = "Train a JEPA world model.  Writes RUN/model.safetensors, checkpoints, RUN/log.csv and TensorBoard "
             "events.  The same seed gives the same bits for any number of threads and after any kill and "
             "--resume.  umwelt train --help keys lists every configuration key.",
    .examples = "  umwelt train experience.uw --out run\n"
                "  umwelt train experience.uw --out plain --preset two_room --seed 1\n"
                "  umwelt train plant.uw --preset sensors --set latent_dim=8 --minutes 5\n"
                "  umwelt train pusht.uw --out lewm --preset lewm --stop-epoch 10 --schedule-epochs 100\n"
                "  umwelt train experience.uw --out run --resume\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .writes = true,
    .run = run,
};
