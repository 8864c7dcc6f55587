/* umwelt report: everything that can be said about one model, on one page. */
#include "study.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const cli_option options[] = {
    {"env", "WORLD", "world to act in; none = measure without acting", "the model's"},
    {"episodes", "N", "episodes of the headline, half of them hard", "200"},
    {"card-episodes", "N", "episodes per cell of the robustness card; 0 = no card", "100"},
    {"no-baselines", NULL, "leave out random, straight, oracle ...", NULL},
    {"title", "TEXT", "over the page", "the model's preset"},
    CLI_PLANNER_OPTIONS,
    {0},
};

/* The world to act in: what was asked for, else the model's own if it is a world of ours. */
static int world_of(cli *c, const uw_model *model, const char **world) {
    const char *asked = cli_str(c, "env", NULL), *own = uw_model_provenance(model)->env;
    const uw_env_class *found;
    *world = NULL;
    if (asked && strcmp(asked, "none") == 0) return CLI_OK;
    if (!asked && !uw_env_find(own)) return CLI_OK;
    const int code = cli_world(c, asked ? asked : own, &found);
    if (!code) *world = found->name;
    return code;
}

/* The model's folder, when the training log lies beside it. */
static const char *run_of(const char *model, char *dir, size_t size) {
    char log[1100];
    const char *slash = strrchr(model, '/');
    snprintf(dir, size, "%.*s", slash ? (int)(slash - model) : 1, slash ? model : ".");
    snprintf(log, sizeof log, "%s/log.csv", dir);
    return access(log, F_OK) == 0 ? dir : NULL;
}

static int run(cli *c) {
    const char *dir = c->out ? c->out : "umwelt-report";
    char run_dir[1024], html[1100], command[1200];
    study s = {.data = c->args[1],
               .baselines = !cli_flag(c, "no-baselines"),
               .planner = UW_EVAL_OPTIONS_DEFAULT.planner};
    const char *solver = cli_str(c, "solver", NULL);
    uw_err err = {0};
    int code;
    if ((code = cli_int(c, "episodes", 200, 2, 100000, &s.episodes)) ||
        (code = cli_int(c, "card-episodes", 100, 0, 100000, &s.card_episodes)) ||
        (code = cli_planner(c, &s.planner)))
        return code;
    if (cli_is_landmark(solver) || cli_is_inverse(solver))
        return cli_usage(c, "--solver", "umwelt eval --solver has it", "the report is of a search, not of %s",
                         solver);
    snprintf(html, sizeof html, "%s/report.html", dir);
    if (!c->force && access(html, F_OK) == 0) {
        return cli_fail(c, uw_fail(&err, UW_EEXIST, "%s: exists already", html), &err);
    }
    uw_status status = uw_model_load(c->args[0], &s.model, &err);
    if (status) return cli_fail(c, status, &err);
    if ((code = world_of(c, s.model, &s.world))) goto done;
    s.run_dir = run_of(c->args[0], run_dir, sizeof run_dir);
    s.title = cli_str(c, "title", uw_model_provenance(s.model)->preset);
    snprintf(command, sizeof command, "umwelt report %s %s --episodes %d --seed %llu", c->args[0], c->args[1],
             s.episodes, (unsigned long long)c->seed);
    status = study_folder(dir, &err);
    if (!status) status = study_measure(c, &s, true, &err);
    if (!status) {
        study_print(c, &s);
        if (s.world && s.card_episodes) cli_print_cards(c, (const uw_card *[]){&s.card}, &s.title, 1);
        status = study_report(c, dir, s.title, command, &s, 1, html, sizeof html, &err);
    }
    if (status == UW_EINTERRUPTED) {
        code = cli_interrupted(c, "the same command (episodes are drawn from the seed alone)");
    } else if (status) {
        code = cli_fail(c, status, &err);
    } else {
        study_json(&s, c->result);
        json_object_set_new(c->result, "report", json_string(html));
        code = cli_finish(c);
    }
done:
    study_free(&s);
    return code;
}

const cli_verb cli_report = {
    .name = "report",
    .summary = "all there is to know of a model, on one page",
    .arguments = "MODEL DATA",
    .about = "Measure a model from every side on a recording that it can be judged by, and write one self-contained "
             "HTML page (readable on a phone, without network), a model card in Markdown, and every figure as SVG "
             "and CSV.  In a world of ours the model also acts, beside the baselines and under other looks.",
    .examples = "  umwelt report run/model.safetensors experience.uw\n"
                "  umwelt report run/model.safetensors held-out.uw --out report --title \"arm 3\"\n"
                "  umwelt report pusht/model.safetensors held.uw --objective min --horizon 5 --iters 5\n"
                "  umwelt report plant/model.safetensors plant.uw --env none --json\n",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .writes = true,
    .run = run,
};
