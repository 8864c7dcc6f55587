/* umwelt bench: the benchmarks that the docs quote. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "bench.h"

static const cli_option options[] = {
    {"quick", NULL, "fewer samples", NULL},
    {0},
};

static void sink(void *cookie, const uw_bench_result *r) {
    cli *c = cookie;
    cli_say(c, "  %-34s %10.4g %-12s", r->name, r->value, r->unit);
    if (r->percent_of_peak > 0) cli_say(c, " %5.1f %% of peak", r->percent_of_peak);
    cli_say(c, "  n=%d  %s\n", r->samples, r->settings);
    json_t *one = json_pack("{s:s,s:s,s:f,s:i,s:s}", "name", r->name, "unit", r->unit, "value", r->value,
                            "samples", r->samples, "settings", r->settings);
    if (r->percent_of_peak > 0) json_object_set_new(one, "percent_of_peak", json_real(r->percent_of_peak));
    json_object_set_new(one, "min", json_real(r->min));
    json_object_set_new(one, "max", json_real(r->max));
    json_array_append_new(json_object_get(c->result, "benches"), one);
}

static int run(cli *c) {
    const char *const *names = uw_bench_names();
    const char *only = c->num_args ? c->args[0] : NULL;
    const int code = only ? cli_name(c, "bench", only, names) : CLI_OK;
    if (code) return code;
    json_object_set_new(c->result, "benches", json_array());
    for (; *names; names++) {
        if (only && strcmp(only, *names)) continue;
        cli_say(c, "%s\n", *names);
        uw_err err = {0};
        const uw_status status = uw_bench_run(c->ctx, *names, cli_flag(c, "quick"), sink, c, &err);
        if (status) return cli_fail(c, status, &err);
    }
    return cli_finish(c);
}

const cli_verb cli_bench = {
    .name = "bench",
    .summary = "the benchmarks that the docs quote",
    .arguments = "[NAME]",
    .about = "Measure this machine: arithmetic against the peak measured in the same run, the demo's training step, "
             "planning, and the world.  Nothing else should be running.",
    .examples = "  umwelt bench\n  umwelt bench gemm --threads 1 --json\n",
    .max_args = 1,
    .options = options,
    .run = run,
};
