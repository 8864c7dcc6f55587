/* umwelt probe: what the latent knows, and along a run, what prediction says about planning. */
#include "cli.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRIFT_STEP = 4, MAX_PATH = 1024 };

static const cli_option options[] = {
    {"rows", "N", "frames encoded at most", "8192"},
    {"steps", "N", "decisions of the drift curve", "12"},
    {"window", "N", "frames of the window probes", "3"},
    {"resamples", "N", "of the intervals", "1000"},
    {"mlp", NULL, "also fit small MLP probes", NULL},
    {"quick", NULL, "linear probes, drift and gauges alone: no controls, baselines, causal check", NULL},
    {"over-run", NULL, "MODEL is a run folder: also predict and play with every kept model", NULL},
    {"env", "WORLD", "world that --over-run plays in", "the model's"},
    {"episodes", "N", "episodes of --over-run, per model", "60"},
    {0},
};

/* ---- the models of a run -------------------------------------------------------------------- */

typedef struct kept {
    int64_t step;
    char path[MAX_PATH];
} kept;

static int by_step(const void *a, const void *b) {
    const kept *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

/* Collect RUN/milestones/step-N.safetensors in the order of their steps; returns how many, at most `most`. */
static int32_t list_milestones(const char *run, kept *out, int32_t most) {
    char folder[MAX_PATH];
    int32_t count = 0;
    if (snprintf(folder, sizeof folder, "%s/milestones", run) >= (int)sizeof folder) return 0;
    DIR *dir = opendir(folder);
    if (!dir) return 0;
    for (struct dirent *entry; count < most && (entry = readdir(dir)) != NULL;) {
        char *end;
        if (strncmp(entry->d_name, "step-", 5) != 0) continue;
        const long long step = strtoll(entry->d_name + 5, &end, 10);
        if (end == entry->d_name + 5 || strcmp(end, ".safetensors") != 0) continue;
        kept *k = &out[count];
        if (snprintf(k->path, sizeof k->path, "%s/%s", folder, entry->d_name) >= (int)sizeof k->path)
            continue;
        k->step = step;
        count++;
    }
    closedir(dir);
    qsort(out, (size_t)count, sizeof *out, by_step);
    return count;
}

/* Predict and play with one kept model. */
static uw_status measure(cli *c, const kept *k, const char *env, int32_t episodes, uw_probe_report *report,
                         uw_run_point *point, uw_err *err) {
    const uw_probe_options probe = {
        .seed = c->seed, .quick = true, .drift_steps = DRIFT_STEP, .max_rows = 2048, .resamples = 1};
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_eval_result played = {0};
    uw_model *model = NULL;
    o.episodes = episodes;
    o.seed = c->seed;
    uw_status s = uw_model_load(k->path, &model, err);
    if (!s) s = uw_probe_run(c->ctx, model, c->args[1], &probe, report, err);
    const char *world = env ? env : model ? uw_model_provenance(model)->env : "";
    if (!s) s = uw_eval_run(c->ctx, model, world, UW_DRIVER_MODEL, 0, &o, &played, err);
    if (!s) {
        const uw_drift_row *row = report->num_drift ? &report->drift[report->num_drift - 1] : NULL;
        *point = (uw_run_point){.step = k->step,
                                .error = row ? row->error : NAN,
                                .ratio = row ? row->ratio : NAN,
                                .effective_rank = report->effective_rank,
                                .r2 = report->num_probes ? 0.0 : NAN,
                                .episodes = played.success.episodes,
                                .successes = played.success.successes,
                                .success = played.success.rate,
                                .success_low = played.success.low,
                                .success_high = played.success.high};
        for (int32_t i = 0; i < report->num_probes; i++)
            point->r2 += report->probes[i].r2 / report->num_probes;
    }
    uw_eval_result_fini(&played);
    uw_model_unload(model);
    return s;
}

static int over_run(cli *c, uw_probe_report *report) {
    uw_err err = {0};
    int32_t episodes;
    int code = cli_int(c, "episodes", 60, 6, 1000000, &episodes);
    if (code) return code;
    kept *models = calloc(UW_MAX_RUN_POINTS, sizeof *models);
    uw_run_curve *curve = calloc(1, sizeof *curve);
    uw_status s = models && curve ? UW_OK : UW_ENOMEM;
    const int32_t count = s ? 0 : list_milestones(c->args[0], models, UW_MAX_RUN_POINTS);
    if (!s && count < 1) {
        uw_fail(&err, s = UW_ENOTFOUND, "%.150s: milestones/, wanted models kept along the run", c->args[0]);
        uw_err_fix(&err, "train with --set milestone_every=STEPS");
    }
    if (!s) curve->drift_step = DRIFT_STEP;
    for (int32_t i = 0; i < count && !s; i++) {
        s = measure(c, &models[i], cli_str(c, "env", NULL), episodes, report, &curve->points[i], &err);
        curve->num_points = i + 1;
    }
    if (s) {
        code = cli_fail(c, s, &err);
    } else {
        uw_run_curve_rank(curve);
        json_object_set_new(c->result, "over_run", cli_run_curve_json(curve));
        cli_print_run_curve(c, curve);
    }
    free(models);
    free(curve);
    return code;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    const bool along = cli_flag(c, "over-run");
    uw_probe_options o = {.seed = c->seed, .mlp = cli_flag(c, "mlp"), .quick = cli_flag(c, "quick")};
    char path[MAX_PATH];
    int code;
    if (!along && (cli_flag(c, "env") || cli_flag(c, "episodes")))
        return cli_usage(c, cli_flag(c, "env") ? "--env" : "--episodes", NULL, "wanted --over-run with it");
    if ((code = cli_int(c, "rows", 8192, 16, 10000000, &o.max_rows)) ||
        (code = cli_int(c, "steps", 12, 1, UW_MAX_DRIFT_STEPS, &o.drift_steps)) ||
        (code = cli_int(c, "window", 3, 1, 16, &o.window)) ||
        (code = cli_int(c, "resamples", 1000, 1, 100000, &o.resamples)))
        return code;
    if (snprintf(path, sizeof path, along ? "%s/model.safetensors" : "%s", c->args[0]) >= (int)sizeof path)
        return cli_usage(c, "MODEL", NULL, "over-long path");
    uw_probe_report *report = calloc(1, sizeof *report);
    uw_status status = report ? uw_model_load(path, &model, &err) : UW_ENOMEM;
    if (!status) status = uw_probe_run(c->ctx, model, c->args[1], &o, report, &err);
    if (status) {
        code = cli_fail(c, status, &err);
    } else {
        json_object_update_new(c->result, cli_probe_json(report));
        cli_print_probe(c, report);
        if (along) code = over_run(c, report);
        if (!code) code = cli_finish(c);
    }
    uw_model_unload(model);
    free(report);
    return code;
}

const cli_verb cli_probe = {
    .name = "probe",
    .summary = "what the latent knows, and how far it predicts",
    .arguments = "MODEL DATA",
    .about = "Linear (and small MLP) probes of every state column, fitted and scored on different episodes, with "
             "intervals over episodes and controls beside them; the drift curve against persistence, a linear "
             "model and a predictor fitted anew; whether the latent's directions act as the world does; gauges of "
             "collapse; the geometry of latent distance.  docs/guide/trust.md explains every number.",
    .examples = "  umwelt probe run/model.safetensors experience.uw\n"
                "  umwelt probe run/model.safetensors experience.uw --mlp --json\n"
                "  umwelt train experience.uw --out run --set milestone_every=100\n"
                "  umwelt probe run experience.uw --over-run --episodes 100\n",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .run = run,
};
