/* umwelt stress: the robustness card. */
#include "cli.h"

#include <stdio.h>

static const cli_option options[] = {
    {"env", "WORLD", "world to act in", "the model's"},
    {"factors", "A,B,...",
     "factors of variation; all, goal.colors, goal.looks, distractors and texture are combined ones; every = all of these",
     "the usual card"},
    {"values", "V,...", "of min, max and random: what each factor is set to", "random"},
    {"full", NULL, "short for --factors every --values min,max,random: some fifty cells, so think of --episodes", NULL},
    {"variation", "F=V | F~sample", "fix or draw a factor in every cell (repeatable)", NULL},
    {"episodes", "N", "episodes per cell, half of them hard", "200"},
    {"data", "D.uw", "recording of --solver landmark's map, of --solver inverse's policy", NULL},
    CLI_GUIDE_OPTIONS,
    CLI_PLANNER_OPTIONS,
    {0},
};

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    uw_status status = uw_model_load(c->args[0], &model, &err);
    if (status) return cli_fail(c, status, &err);

    const uw_env_class *world;
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_variation variation;
    uw_card card;
    cli_guide guide = {0};
    const char *solver = cli_str(c, "solver", NULL);
    bool varied;
    const bool full = cli_flag(c, "full");
    const uw_card_options cells = {.factors = cli_str(c, "factors", full ? "every" : NULL),
                                   .values = cli_str(c, "values", full ? "min,max,random" : NULL)};
    const char *env = uw_model_provenance(model)->env;
    int code;
    if ((code = cli_world(c, cli_str(c, "env", *env ? env : "two_room"), &world)) ||
        (code = cli_int(c, "episodes", o.episodes, 1, 1000000, &o.episodes)) ||
        (code = cli_planner(c, &o.planner)) || (code = cli_guide_check(c, solver, NULL)) ||
        (code = cli_variation(c, world, &variation, &varied)))
        goto done;
    o.seed = c->seed;
    if (varied) o.variation = &variation;
    status = cli_guide_make(c, solver, cli_policy_first(c), model, 0, 0, &guide, &err);
    cli_guide_eval(&guide, &o);
    if (!status) status = uw_card_run(c->ctx, model, world->name, &cells, &o, &card, &err);
    if (status) {
        code = status == UW_EINTERRUPTED
                   ? cli_interrupted(c, "the same command (episodes are drawn from the seed alone)")
                   : cli_fail(c, status == UW_ENOTFOUND ? UW_EINVAL : status, &err);
        goto done;
    }
    json_object_update_new(c->result, cli_card_json(&card));
    json_object_set_new(c->result, "trained_factors", json_string(uw_model_provenance(model)->trained_factors));
    cli_print_cards(c, (const uw_card *[]){&card}, (const char *[]){c->args[0]}, 1);
    cli_say(c, "  varied in training, by the model's own record: %s\n",
            *uw_model_provenance(model)->trained_factors ? uw_model_provenance(model)->trained_factors
                                                         : "nothing");
    code = cli_finish(c);
done:
    cli_guide_free(&guide);
    uw_model_unload(model);
    return code;
}

const cli_verb cli_stress = {
    .name = "stress",
    .summary = "the robustness card: what breaks the model",
    .arguments = "MODEL",
    .about = "Success under factors of variation, one at a time at their smallest, largest and random values, and all "
             "at once, on the same start and goal pairs, with exact intervals; says which factors were varied in "
             "training.  Smallest and largest are the ends of the range, the first and last word, black and white, "
             "or what comes nearest of what the world's rules allow.",
    .examples = "  umwelt stress run/model.safetensors\n"
                "  umwelt stress run/model.safetensors --full --episodes 50\n"
                "  umwelt stress run/model.safetensors --factors wall.thickness,door.size --values min,max\n"
                "  umwelt stress run/model.safetensors --factors background.color,all --episodes 100 --json\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
