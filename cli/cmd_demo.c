/* umwelt demo: the whole loop on the built-in TwoRoom.  Whatever of it is already in the folder is continued, not
 * redone, so that a stopped demo resumes by running it again. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char WORLD[] = "two_room";

static const cli_option options[] = {
    {"compare", NULL, "also train the plain model and print both cards side by side", NULL},
    {"episodes", "N", "episodes, half of them across rooms", "200"},
    {"card-episodes", "N", "episodes per cell of the robustness card", "100"},
    {0},
};

/* One trained model and everything measured on it. */
typedef struct side {
    const char *title, *preset, *run;
    uw_model *model;
    uw_train_result train;
    uw_eval_result results[UW_NUM_DRIVERS];
    uw_probe_report *probe;
    uw_card card;
    char run_dir[700];
    int32_t episodes, card_episodes;
} side;

static void side_free(side *s) {
    cli_eval_free(s->results);
    uw_model_unload(s->model);
    free(s->probe);
}

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
static uw_status train(cli *c, const char *data, side *s, uw_err *err) {
    uw_train_config config;
    uw_status status = uw_train_preset(s->preset, &config, err);
    if (status) return status;
    config.seed = c->seed;
    const bool resume = !c->force && access(s->run_dir, F_OK) == 0;
    status = uw_train_run(c->ctx, data, s->run_dir, &config, resume, c->force, &s->train, err);
    if (!status) status = uw_model_load(s->train.model_path, &s->model, err);
    if (status) return status;
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

static uw_status measure(cli *c, const char *data, side *s, bool baselines, uw_err *err) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_probe_options probe = {.seed = c->seed};
    o.episodes = s->episodes;
    o.seed = c->seed;
    o.planner.seed = c->seed;
    o.keep_traces = 3;
    uw_status status = baselines ? cli_eval_all(c, s->model, WORLD, &o, s->results, err)
                                 : uw_eval_run(c->ctx, s->model, WORLD, UW_DRIVER_MODEL, 0, &o,
                                               &s->results[0], err);
    s->probe = calloc(1, sizeof *s->probe);
    if (!status && !s->probe) status = UW_ENOMEM;
    if (!status) status = uw_probe_run(c->ctx, s->model, data, &probe, s->probe, err);
    o.keep_traces = 0;
    o.episodes = s->card_episodes;
    if (!status) status = uw_stress_run(c->ctx, s->model, WORLD, NULL, &o, &s->card, err);
    return status;
}

static uw_status report(cli *c, const char *dir, const char *data, side *sides, int count, char *html,
                        size_t html_size, uw_err *err) {
    char gif[800], figures[800];
    path_in(dir, "episodes.gif", gif, sizeof gif);
    path_in(dir, "report.html", html, html_size);
    path_in(dir, "figures", figures, sizeof figures);
    uw_status s = uw_report_animation(c->ctx, sides[0].model, WORLD, data, &sides[0].results[0], 3, gif, true, err);
    if (s) return s;
    uw_report_inputs in = {.title = "umwelt in TwoRoom",
                           .env = WORLD,
                           .command = count == 2 ? "umwelt demo --compare" : "umwelt demo",
                           .dataset = data,
                           .num_sides = count,
                           .animation = gif,
                           .seed = c->seed};
    for (int i = 0; i < count; i++)
        in.sides[i] = (uw_report_side){.title = sides[i].title,
                                       .model = sides[i].model,
                                       .run_dir = sides[i].run_dir,
                                       .train = &sides[i].train,
                                       .eval = &sides[i].results[0],
                                       .baselines = i == 0 ? sides[0].results : NULL,
                                       .probe = sides[i].probe,
                                       .card = &sides[i].card};
    s = uw_report_write(c->ctx, &in, html, figures, true, err);
    if (!s) cli_say(c, "\nanimation  %s\nreport     %s\n", gif, html);
    return s;
}

static uw_status make_folder(const char *dir, uw_err *err) {
    if (mkdir(dir, 0777) == 0 || errno == EEXIST) return UW_OK;
    uw_err_fix(err, "choose a folder that can be written with --out");
    return uw_fail(err, UW_ENOSPC, "%s: make folder: %s", dir, strerror(errno));
}

static int run(cli *c) {
    const char *dir = c->out ? c->out : "umwelt-demo";
    const int count = cli_flag(c, "compare") ? 2 : 1;
    side sides[2] = {{.title = "colour-robust", .preset = "two_room_robust", .run = "run"},
                     {.title = "plain", .preset = "two_room", .run = "run-plain"}};
    char data[700], html[800] = "";
    uw_err err = {0};
    int code;

    path_in(dir, "experience.uw", data, sizeof data);
    for (int i = 0; i < 2; i++) {
        path_in(dir, sides[i].run, sides[i].run_dir, sizeof sides[i].run_dir);
        if ((code = cli_int(c, "episodes", 200, 2, 100000, &sides[i].episodes)) ||
            (code = cli_int(c, "card-episodes", 100, 2, 100000, &sides[i].card_episodes)))
            return code;
    }
    uw_status s = make_folder(dir, &err);
    if (!s) s = collect(c, data, &err);
    for (int i = 0; !s && i < count; i++) s = train(c, data, &sides[i], &err);
    for (int i = 0; !s && i < count; i++) s = measure(c, data, &sides[i], i == 0, &err);
    if (!s) {
        cli_print_eval(c, "random goals", &sides[0].results[0], sides[0].results);
        cli_print_probe(c, sides[0].probe);
        cli_print_cards(c, (const uw_card *[]){&sides[0].card, &sides[1].card},
                        (const char *[]){sides[0].title, sides[1].title}, count);
        s = report(c, dir, data, sides, count, html, sizeof html, &err);
    }
    if (s == UW_EINTERRUPTED) {
        code = cli_interrupted(c, "umwelt demo --out %s --seed %llu%s", dir, (unsigned long long)c->seed,
                               count == 2 ? " --compare" : "");
    } else if (s) {
        code = cli_fail(c, s, &err);
    } else {
        json_object_set_new(c->result, "train", cli_train_json(&sides[0].train));
        json_object_set_new(c->result, "eval", cli_eval_json(&sides[0].results[0], sides[0].results));
        json_object_set_new(c->result, "stress", cli_card_json(&sides[0].card));
        json_object_set_new(c->result, "probe", cli_probe_json(sides[0].probe));
        if (count == 2)
            json_object_set_new(c->result, "compare",
                                json_pack("{s:o,s:o,s:o}", "train", cli_train_json(&sides[1].train), "eval",
                                          cli_eval_json(&sides[1].results[0], NULL), "stress",
                                          cli_card_json(&sides[1].card)));
        json_object_set_new(c->result, "report", json_string(html));
        cli_say(c, "next:      umwelt eval %s --episodes 600 --seed 7\n", sides[0].train.model_path);
        code = cli_finish(c);
    }
    for (int i = 0; i < 2; i++) side_free(&sides[i]);
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
