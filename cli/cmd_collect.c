/* umwelt collect: record experience in a built-in world. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const cli_option options[] = {
    {"episodes", "N", "episodes to record", "600"},
    {"steps", "N", "decisions per episode (rows are one more)", "50, pusht 100"},
    {"policy", "NAME", "random | expert | weak | none | push (pusht)", "random, pusht weak"},
    {"size", "PX", "edge of the recorded frames; 0 = none", "64"},
    {"hold", "N", "env steps that each action is held for", "1, two_room 5"},
    {"variation", "F=V | F~sample", "fix or draw a factor of variation, per episode (repeatable)", NULL},
    {"resume", NULL, "continue after the last complete episode", NULL},
    {0},
};

/* The command that goes on: what was given, and --resume. */
static int interrupted(cli *c) {
    char given[480] = "";
    size_t used = 0;
    for (int i = 0; i < c->num_given && used < sizeof given; i++) {
        const char *name = c->given[i].name, *value = c->given[i].value;
        if (strcmp(name, "resume") == 0 || strcmp(name, "force") == 0) continue;
        used += (size_t)snprintf(given + used, sizeof given - used, " --%s%s%s", name, *value ? " " : "",
                                 value);
    }
    return cli_interrupted(c, "umwelt collect %s%s --resume", c->args[0], given);
}

static int run(cli *c) {
    const uw_env_class *world;
    uw_collect_options o = UW_COLLECT_OPTIONS_DEFAULT;
    uw_variation variation;
    bool varied;
    static const char *const policies[] = {"random", "expert", "weak", "none", "push", NULL};
    o.policy = cli_str(c, "policy", NULL);
    int code;
    world = uw_process_find(c->args[0]);
    if ((!world && (code = cli_world(c, c->args[0], &world))) ||
        (o.policy && (code = cli_name(c, "policy", o.policy, policies))) ||
        (code = cli_int(c, "episodes", o.episodes, 1, 10000000, &o.episodes)) ||
        (cli_flag(c, "steps") && (code = cli_int(c, "steps", 1, 1, 1000000, &o.steps))) ||
        (code = cli_int(c, "size", o.size, 0, 1024, &o.size)) ||
        (cli_flag(c, "hold") && (code = cli_int(c, "hold", 1, 1, 1000, &o.action_repeat))) ||
        (code = cli_variation(c, world, &variation, &varied)))
        return code;
    if (!c->out) return cli_usage(c, "--out", "for example --out experience.uw", "wanted a file to write");
    o.seed = c->seed;
    o.resume = cli_flag(c, "resume");
    o.overwrite = c->force;
    if (varied) o.variation = &variation;

    uw_collect_result result;
    uw_err err = {0};
    const uw_status status = uw_collect_run(c->ctx, world->name, c->out, &o, &result, &err);
    if (status == UW_EINTERRUPTED)
        return interrupted(c);
    if (status) return cli_fail(c, status, &err);
    json_object_update_new(c->result, cli_collect_json(&result));
    if (result.clipped)
        cli_say(c, "%lld actions were outside [-1, 1]: %s\n", (long long)result.clipped,
                world->takes_any_action ? "taken as they are, as this world does" : "clipped");
    cli_say(c, "%s: %lld episodes, %lld frames, %.1f MB in %.1f s\nnext: umwelt inspect %s\n", c->out,
            (long long)result.episodes, (long long)result.frames, (double)result.bytes * 1e-6,
            result.seconds, c->out);
    return cli_finish(c);
}

const cli_verb cli_collect = {
    .name = "collect",
    .summary = "record experience in a built-in world",
    .arguments = "WORLD",
    .about = "Record episodes of a world: frames, actions, states, factors of variation.  The same seed gives the "
             "same bytes for any number of threads, and after a stop and --resume.",
    .examples = "  umwelt collect two_room --out experience.uw\n"
                "  umwelt collect two_room --out red.uw --episodes 50 --variation agent.color=#d02020\n"
                "  umwelt collect two_room --out any.uw --variation background.color~sample\n"
                "  umwelt collect ou --out ou.uw --variation mixing=banana --variation rho=0.99,0.97\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .writes = true,
    .run = run,
};
