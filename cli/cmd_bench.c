/* umwelt bench: the benchmarks that the docs quote. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "bench.h"

static const cli_option options[] = {
    {"quick", NULL, "fewer samples", NULL},
    {"peers", "FILE", "the peers' figures, as bench/side_by_side recorded them on this machine",
     NULL},
    {"data", "FILE", "loader: measure this recording, of umwelt's or HDF5, instead", NULL},
    {0},
};

/* What the sink needs: the command, and the peers' figures by the row's name (NULL: none). */
typedef struct bench_print {
    cli *c;
    json_t *peers;
} bench_print;

/* The peer that met this figure in alternated pairs, and the median of their ratios. */
static void add_peer(const bench_print *p, const char *name, json_t *one) {
    char bf16[128];
    snprintf(bf16, sizeof bf16, "%s bf16", name);
    const json_t *peer = p->peers ? json_object_get(p->peers, p->c->bf16 ? bf16 : name) : NULL;
    if (!peer) return;
    const char *who = json_string_value(json_object_get(peer, "peer"));
    const double value = json_number_value(json_object_get(peer, "peer_median"));
    const double ratio = json_number_value(json_object_get(peer, "ratio_median"));
    const double low = json_number_value(json_object_get(peer, "ratio_min"));
    const double high = json_number_value(json_object_get(peer, "ratio_max"));
    cli_say(p->c, "  %-42s %10.4g of %s: %.2fx [%.2f, %.2f]\n", "", value, who ? who : "the peer",
            ratio, low, high);
    json_object_set_new(one, "peer", json_string(who ? who : ""));
    json_object_set_new(one, "peer_value", cli_real(value));
    json_object_set_new(one, "ratio", cli_real(ratio));
    json_object_set_new(one, "ratio_min", cli_real(low));
    json_object_set_new(one, "ratio_max", cli_real(high));
}

static void sink(void *cookie, const uw_bench_result *r) {
    const bench_print *p = cookie;
    cli *c = p->c;
    cli_say(c, "  %-42s %10.4g %-12s", r->name, r->value, r->unit);
    if (r->percent_of_peak > 0) cli_say(c, " %5.1f %% of peak", r->percent_of_peak);
    cli_say(c, "  n=%d  %s\n", r->samples, r->settings);
    json_t *one = json_pack("{s:s,s:s,s:f,s:i,s:s}", "name", r->name, "unit", r->unit, "value",
                            r->value, "samples", r->samples, "settings", r->settings);
    if (r->percent_of_peak > 0)
        json_object_set_new(one, "percent_of_peak", json_real(r->percent_of_peak));
    json_object_set_new(one, "min", json_real(r->min));
    json_object_set_new(one, "max", json_real(r->max));
    add_peer(p, r->name, one);
    json_array_append_new(json_object_get(c->result, "benches"), one);
}

static int run(cli *c) {
    const char *const *names = uw_bench_names();
    const char *only = c->num_args ? c->args[0] : NULL;
    const int code = only ? cli_name(c, "bench", only, names) : CLI_OK;
    if (code) return code;
    bench_print print = {.c = c};
    const char *peers = cli_str(c, "peers", NULL), *data = cli_str(c, "data", NULL);
    if (peers) {
        json_error_t error;
        print.peers = json_load_file(peers, 0, &error);
        if (!json_is_object(print.peers)) {
            const bool missing =
                !print.peers && json_error_code(&error) == json_error_cannot_open_file;
            json_decref(print.peers);
            uw_err bad = {0};
            const uw_status s = uw_fail(&bad, missing ? UW_ENOTFOUND : UW_EFORMAT,
                                        "%s: wanted the peers' figures as JSON, got %s", peers,
                                        error.text[0] ? error.text : "another value");
            uw_err_fix(&bad, "record them with bench/side_by_side/lewm.py --record %s", peers);
            return cli_fail(c, s, &bad);
        }
    }
    json_object_set_new(c->result, "benches", json_array());
    uw_status status = UW_OK;
    uw_err err = {0};
    for (; *names && !status; names++) {
        if (only && strcmp(only, *names)) continue;
        cli_say(c, "%s\n", *names);
        if (data && !strcmp(*names, "loader"))
            status = uw_bench_loader_of(c->ctx, data, cli_flag(c, "quick"), sink, &print, &err);
        else
            status = uw_bench_run(c->ctx, *names, cli_flag(c, "quick"), sink, &print, &err);
    }
    json_decref(print.peers);
    return status ? cli_fail(c, status, &err) : cli_finish(c);
}

const cli_verb cli_bench = {
    .name = "bench",
    .summary = "the benchmarks that the docs quote",
    .arguments = "[NAME]",
    .about = "Measure this machine: arithmetic against the peak measured in the same run, the "
             "demo's training step, "
             "planning, and the world.  Nothing else should be running.",
    .examples = "  umwelt bench\n  umwelt bench gemm --threads 1 --json\n"
                "  umwelt bench loader --data recording.h5\n",
    .max_args = 1,
    .options = options,
    .run = run,
};
