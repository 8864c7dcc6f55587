/* umwelt probe: what the latent knows. */
#include "cli.h"

#include <stdlib.h>

static const cli_option options[] = {
    {"rows", "N", "frames encoded at most", "8192"},
    {"steps", "N", "decisions of the drift curve", "12"},
    {"mlp", NULL, "also fit a small MLP probe", NULL},
    {0},
};

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    uw_probe_options o = {.seed = c->seed, .mlp = cli_flag(c, "mlp")};
    int code;
    if ((code = cli_int(c, "rows", 8192, 16, 10000000, &o.max_rows)) ||
        (code = cli_int(c, "steps", 12, 1, UW_MAX_DRIFT_STEPS, &o.drift_steps)))
        return code;
    uw_probe_report *report = calloc(1, sizeof *report);
    uw_status status = report ? uw_model_load(c->args[0], &model, &err) : UW_ENOMEM;
    if (!status) status = uw_probe_run(c->ctx, model, c->args[1], &o, report, &err);
    if (status) {
        code = cli_fail(c, status, &err);
    } else {
        json_object_update_new(c->result, cli_probe_json(report));
        cli_print_probe(c, report);
        code = cli_finish(c);
    }
    uw_model_unload(model);
    free(report);
    return code;
}

const cli_verb cli_probe = {
    .name = "probe",
    .summary = "what the latent knows, and how far it predicts",
    .arguments = "MODEL DATA",
    .about = "Linear probes of every state column (fitted and scored on different episodes), the drift curve against "
             "persistence, effective rank, and the geometry of latent distance.",
    .examples = "  umwelt probe run/model.safetensors experience.uw\n"
                "  umwelt probe run/model.safetensors experience.uw --mlp --json\n",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .run = run,
};
