/* umwelt eval: episodes under a protocol, next to the baselines. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const cli_option options[] = {
    {"env", "WORLD", "world to act in", "the model's"},
    {"protocol", "NAME", "random-goal", "random-goal"},
    {"episodes", "N", "episodes, half of them hard", "200"},
    {"budget", "STEPS", "env steps per episode; 0 = the protocol's", "0"},
    {"variation", "F=V | F~sample", "fix or draw a factor of variation (repeatable)", NULL},
    {"video", "OUT.gif", "animation of the first three episodes (needs --data)", NULL},
    {"data", "D.uw", "dataset for the nearest remembered frames of --video", NULL},
    CLI_PLANNER_OPTIONS,
    {0},
};

/* The table's place: --out, else beside the model under the first free name. */
static void table_path(const cli *c, const char *protocol, char *path, size_t size) {
    if (c->out) {
        snprintf(path, size, "%s", c->out);
        return;
    }
    for (int k = 0; k < 10000; k++) {
        char suffix[16] = "";
        if (k) snprintf(suffix, sizeof suffix, "-%d", k);
        snprintf(path, size, "%s.%s-seed%llu%s.csv", c->args[0], protocol, (unsigned long long)c->seed,
                 suffix);
        FILE *taken = fopen(path, "rb");
        if (!taken) return;
        fclose(taken);
    }
}

static int configure(cli *c, const char *model_env, const uw_env_class **world, uw_eval_options *o,
                     uw_variation *variation) {
    static const char *const protocols[] = {"random-goal", NULL};
    bool varied;
    int code;
    const char *env = cli_str(c, "env", *model_env ? model_env : "two_room");
    o->protocol = cli_str(c, "protocol", o->protocol);
    if ((code = cli_world(c, env, world)) || (code = cli_name(c, "protocol", o->protocol, protocols)) ||
        (code = cli_int(c, "episodes", o->episodes, 1, 1000000, &o->episodes)) ||
        (code = cli_int(c, "budget", 0, 0, 1000000, &o->budget)) || (code = cli_planner(c, &o->planner)) ||
        (code = cli_variation(c, *world, variation, &varied)))
        return code;
    o->seed = c->seed;
    if (varied) o->variation = variation;
    if (cli_flag(c, "video")) {
        if (!cli_flag(c, "data"))
            return cli_usage(c, "--video", "add --data with the dataset it was trained on",
                             "wanted --data for the nearest remembered frames");
        o->keep_traces = 3;
    }
    return CLI_OK;
}

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    uw_status status = uw_model_load(c->args[0], &model, &err);
    if (status) return cli_fail(c, status, &err);

    const uw_env_class *world;
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_variation variation;
    uw_eval_result results[UW_NUM_DRIVERS];
    char table[1024];
    memset(results, 0, sizeof results);
    int code = configure(c, uw_model_provenance(model)->env, &world, &o, &variation);
    if (code) goto done;

    table_path(c, o.protocol, table, sizeof table);
    status = cli_eval_all(c, model, world->name, &o, results, &err);
    if (!status) status = uw_eval_write_csv(&results[0], table, c->force, &err);
    const char *video = cli_str(c, "video", NULL);
    if (!status && video)
        status = uw_report_animation(c->ctx, model, world->name, cli_str(c, "data", NULL), &results[0], 3,
                                     video, c->force, &err);
    if (status == UW_EINTERRUPTED) {
        code = cli_interrupted(c, "the same command (episodes are drawn from the seed alone)");
        goto done;
    }
    if (status) {
        code = cli_fail(c, status, &err);
        goto done;
    }
    json_object_update_new(c->result, cli_eval_json(&results[0], results));
    json_object_set_new(c->result, "episode_table", json_string(table));
    if (video) json_object_set_new(c->result, "video", json_string(video));
    cli_print_eval(c, o.protocol, &results[0], results);
    cli_say(c, "  episodes: %s\nnext: umwelt stress %s\n", table, c->args[0]);
    code = cli_finish(c);
done:
    cli_eval_free(results);
    uw_model_unload(model);
    return code;
}

const cli_verb cli_eval = {
    .name = "eval",
    .summary = "success under a protocol, beside the baselines",
    .arguments = "MODEL",
    .about = "Act in a world towards goal pictures under a protocol and report success with its exact interval, "
             "beside random, straight, true-dynamics and oracle in the same episodes.",
    .examples = "  umwelt eval run/model.safetensors\n"
                "  umwelt eval run/model.safetensors --episodes 600 --seed 7 --json\n"
                "  umwelt eval run/model.safetensors --variation background.color=#cccccc\n"
                "  umwelt eval run/model.safetensors --data experience.uw --video episodes.gif\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .writes = true,
    .run = run,
};
