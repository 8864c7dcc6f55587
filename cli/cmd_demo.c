/* umwelt demo: the whole loop on the built-in TwoRoom.  Whatever of it is already in the folder is continued, not
 * redone, so that a stopped demo resumes by running it again. */
#include "study.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char WORLD[] = "two_room";

static const cli_option options[] = {
    {"compare", NULL, "also train the plain model and print both cards side by side", NULL},
    {"episodes", "N", "episodes, half of them across rooms", "200"},
    {"card-episodes", "N", "episodes per cell of the robustness card", "100"},
    {0},
};

static void path_in(const char *dir, const char *name, char *path, size_t size) {
    snprintf(path, size, "%s/%s", dir, name);
}

static uw_status collect(cli *c, const char *data, uw_err *err) {
    uw_collect_options o = UW_COLLECT_OPTIONS_DEFAULT;
    o.seed = c->seed;
    o.overwrite = c->force; /* --force starts afresh, else what is there is continued */
    o.resume = !c->force && access(data, F_OK) == 0;
    uw_collect_result r;
    const uw_status s = uw_collect_run(c->ctx, WORLD, data, &o, &r, err);
    if (s) return s;
    cli_say(c, "collected  %lld episodes, %lld frames, %.1f MB, in %.1f s\n", (long long)r.episodes,
            (long long)r.frames, (double)r.bytes * 1e-6, r.seconds);
    json_object_set_new(c->result, "collect", cli_collect_json(&r));
    return UW_OK;
}

/* Train, or take the finished model that is already there. */
static uw_status train(cli *c, const char *preset, study *s, uw_err *err) {
    uw_train_config config;
    uw_status status = uw_train_preset(preset, &config, err);
    if (status) return status;
    config.seed = c->seed;
    const bool resume = !c->force && access(s->run_dir, F_OK) == 0;
    status = uw_train_run(c->ctx, s->data, s->run_dir, &config, resume, c->force, &s->train, err);
    if (!status) status = uw_model_load(s->train.model_path, &s->model, err);
    if (status) return status;
    s->trained = true;
    if (s->train.resumed) /* the clock and the arithmetic belong to different runs */
        cli_say(c, "trained    %s: %lld steps, continued from what was there; effective rank %.1f\n", s->title,
                (long long)s->train.steps, s->train.effective_rank);
    else
        cli_say(c, "trained    %s: %lld steps in %.1f s (%.1f GFLOP/s), from scratch, from pixels; effective rank "
                   "%.1f\n",
                s->title, (long long)s->train.steps, s->train.seconds, s->train.flops / s->train.seconds * 1e-9,
                s->train.effective_rank);
    return UW_OK;
}

static int run(cli *c) {
    static const struct {
        const char *title, *preset, *run;
    } sides[2] = {{"colour-robust", "two_room_robust", "run"}, {"plain", "two_room", "run-plain"}};
    const char *dir = c->out ? c->out : "umwelt-demo";
    const int count = cli_flag(c, "compare") ? 2 : 1;
    study studies[2] = {0};
    char data[700], runs[2][700], html[800] = "";
    uw_err err = {0};
    int code;

    path_in(dir, "experience.uw", data, sizeof data);
    for (int i = 0; i < 2; i++) {
        path_in(dir, sides[i].run, runs[i], sizeof runs[i]);
        studies[i] = (study){.title = sides[i].title, .world = WORLD, .data = data, .run_dir = runs[i],
                             .baselines = i == 0, .planner = UW_EVAL_OPTIONS_DEFAULT.planner};
        studies[i].planner.seed = c->seed;
        if ((code = cli_int(c, "episodes", 200, 2, 100000, &studies[i].episodes)) ||
            (code = cli_int(c, "card-episodes", 100, 2, 100000, &studies[i].card_episodes)))
            return code;
    }
    uw_status s = study_folder(dir, &err);
    if (!s) s = collect(c, data, &err);
    for (int i = 0; !s && i < count; i++) s = train(c, sides[i].preset, &studies[i], &err);
    for (int i = 0; !s && i < count; i++) s = study_measure(c, &studies[i], i == 0, &err);
    if (!s) {
        study_print(c, &studies[0]);
        cli_print_cards(c, (const uw_card *[]){&studies[0].card, &studies[1].card},
                        (const char *[]){studies[0].title, studies[1].title}, count);
        s = study_report(c, dir, "umwelt in TwoRoom", count == 2 ? "umwelt demo --compare" : "umwelt demo", studies,
                         count, html, sizeof html, &err);
    }
    if (s == UW_EINTERRUPTED) {
        code = cli_interrupted(c, "umwelt demo --out %s --seed %llu%s", dir, (unsigned long long)c->seed,
                               count == 2 ? " --compare" : "");
    } else if (s) {
        code = cli_fail(c, s, &err);
    } else {
        study_json(&studies[0], c->result);
        if (count == 2) {
            json_t *other = json_object();
            study_json(&studies[1], other);
            json_object_set_new(c->result, "compare", other);
        }
        json_object_set_new(c->result, "report", json_string(html));
        cli_say(c, "next:      umwelt eval %s --episodes 600 --seed 7\n", studies[0].train.model_path);
        code = cli_finish(c);
    }
    for (int i = 0; i < 2; i++) study_free(&studies[i]);
    return code;
}

const cli_verb cli_demo = {
    .name = "demo",
    .summary = "the whole loop in a minute: start here",
    .arguments = "",
    .about = "Collect experience in the built-in TwoRoom, train a colour-robust world model from scratch from pixels, "
             "plan in its latent space to goal pictures, measure success beside the baselines, stress it, and write "
             "a report.  Leaves everything in umwelt-demo/ (or --out); run it again to continue a stopped one.",
    .examples = "  umwelt demo\n  umwelt demo --compare\n  umwelt demo --out elsewhere --seed 3 --json\n",
    .options = options,
    .writes = true,
    .run = run,
};
