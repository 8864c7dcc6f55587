/* Data fitness as it is printed, and as JSON. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>

json_t *cli_fitness_json(const uw_fitness_report *r) {
    json_t *checks = json_array(), *coverage = json_object(), *effects = json_array();
    for (int32_t i = 0; i < r->num_checks; i++) {
        const uw_fitness_check *k = &r->checks[i];
        json_array_append_new(checks, json_pack("{s:s,s:s,s:s,s:o,s:o,s:s,s:s}", "name", k->name, "object", k->object,
                                                "verdict", uw_fitness_verdict_str(k->verdict), "value",
                                                cli_real(k->value), "threshold", cli_real(k->threshold), "what", k->what,
                                                "advice", k->advice));
    }
    for (int32_t i = 0; i < r->num_coverage; i++) {
        const uw_coverage_row *row = &r->coverage[i];
        json_object_set_new(coverage, row->column,
                            json_pack("{s:b,s:o,s:o,s:o,s:o}", "action", row->action, "low", cli_real(row->low), "high",
                                      cli_real(row->high), "cells", cli_real(row->cells), "correlation",
                                      cli_real(row->correlation)));
    }
    for (int32_t i = 0; i < r->num_effects; i++) {
        const uw_action_effect *e = &r->effects[i];
        json_array_append_new(effects, json_pack("{s:i,s:I,s:o,s:o,s:o,s:o,s:o}", "frameskip", e->frameskip,
                                                 "transitions", (json_int_t)e->transitions, "nats", cli_real(e->nats),
                                                 "null_mean", cli_real(e->null_mean), "null_high", cli_real(e->null_high),
                                                 "p_value", cli_real(e->p_value), "share", cli_real(e->share)));
    }
    return json_pack("{s:s,s:o,s:i,s:o,s:s,s:o}", "verdict", uw_fitness_verdict_str(r->verdict), "checks", checks,
                     "left_out", r->left_out, "coverage", coverage, "observation", r->observation, "actions", effects);
}

void cli_print_fitness(cli *c, const uw_fitness_report *r) {
    cli_say(c, "\nData fitness: %s\n", uw_fitness_verdict_str(r->verdict));
    for (int32_t i = 0; i < r->num_checks; i++) {
        const uw_fitness_check *k = &r->checks[i];
        cli_say(c, "  %-11s %-17s %s%s%s\n", uw_fitness_verdict_str(k->verdict), k->name, k->object,
                *k->object ? ": " : "", k->what);
        if (*k->advice) cli_say(c, "  %-11s %-17s -> %s\n", "", "", k->advice);
    }
    if (r->left_out) cli_say(c, "  ... and %d findings more\n", r->left_out);
    if (r->num_coverage)
        cli_say(c, "  %-24s %12s %12s %9s %17s\n", "range and coverage", "0.5 %", "99.5 %", "visited", "like the next row");
    for (int32_t i = 0; i < r->num_coverage; i++) {
        const uw_coverage_row *row = &r->coverage[i];
        cli_say(c, "  %-24s %12.4g %12.4g %7.0f %% %17.3f\n", row->column, row->low, row->high, 100.0 * row->cells,
                row->correlation);
    }
    if (r->num_effects)
        cli_say(c, "  what actions do (%s): share of the change, and information beside shuffled runs\n", r->observation);
    for (int32_t i = 0; i < r->num_effects; i++) {
        const uw_action_effect *e = &r->effects[i];
        cli_say(c, "  frameskip %-3d %5.1f %%  %8.3f nats; shuffled %.3f, 95 %% below %.3f; p %.3f (%" PRId64
                   " transitions)\n",
                e->frameskip, 100.0 * e->share, e->nats, e->null_mean, e->null_high, e->p_value, e->transitions);
    }
}
