/* umwelt certify: may the latents be read as the world's true state? */
#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const cli_option options[] = {
    {"state", "NAMES", "columns of the true latents: z, or z0,z1, or state[2]; none = without labels",
     "state columns that the model does not see"},
    {"rho", "R", "step correlation of the true latents, when it is known", "from the data"},
    {"dim", "N", "true dimension of the world, when it is known", "that of the labels"},
    {"target", "R2", "R2 to be certified", "0.9"},
    {"stride", "ROWS", "rows of one step", "the model's frameskip"},
    {"rows", "N", "rows looked at, in whole episodes", "16384 pictures, 200000 rows of numbers"},
    {"resamples", "N", "of the bootstrap over episodes", "200"},
    {"all", NULL, "print every number behind every condition", NULL},
    {0},
};

/* ---- JSON ------------------------------------------------------------------------------------------ */

static json_t *finding_json(uw_finding finding) {
    return finding == UW_CANNOT_TELL ? json_null() : json_boolean(finding == UW_HOLDS);
}

static json_t *measure_json(const uw_measure *m) {
    json_t *judged = isnan(m->pass) ? json_null() : json_string(uw_finding_str(m->finding));
    return json_pack("{s:s,s:o,s:[o,o],s:o,s:o,s:o}", "name", m->name, "value", cli_real(m->value), "ci95",
                     cli_real(m->low), cli_real(m->high), "pass", cli_real(m->pass), "fail", cli_real(m->fail), "finding",
                     judged);
}

static json_t *check_json(const uw_check *k) {
    json_t *measures = json_array();
    for (int32_t i = 0; i < k->num_measures; i++) json_array_append_new(measures, measure_json(&k->measures[i]));
    const bool any = k->num_measures > 0;
    const uw_measure *m = &k->measures[0];
    return json_pack("{s:s,s:s,s:o,s:[o,o],s:o,s:o,s:o,s:s,s:s,s:s,s:s,s:s,s:o}", "name", k->name, "of",
                     any ? m->name : "", "statistic", any ? cli_real(m->value) : json_null(), "ci95",
                     any ? cli_real(m->low) : json_null(), any ? cli_real(m->high) : json_null(), "threshold",
                     any ? cli_real(m->pass) : json_null(), "fail", any ? cli_real(m->fail) : json_null(), "ok",
                     finding_json(k->finding), "finding", uw_finding_str(k->finding), "meaning", k->meaning, "effect",
                     k->effect, "remedy", k->remedy, "note", k->note, "measures", measures);
}

static json_t *places_json(const uw_certificate *c, const int32_t *places, int32_t count) {
    json_t *ids = json_array();
    for (int32_t i = 0; i < count; i++) json_array_append_new(ids, json_string(c->checks[places[i]].id));
    return ids;
}

static json_t *labels_json(const uw_certificate *c) {
    const uw_label_scores *s = &c->scores;
    if (!*c->labels) return json_null();
    return json_pack("{s:s,s:o,s:[o,o],s:o,s:o,s:o,s:o,s:o,s:o}", "columns", c->labels, "r2", cli_real(s->r2), "ci95",
                     cli_real(s->r2_low), cli_real(s->r2_high), "r2_worst", cli_real(s->r2_worst), "r2_back",
                     cli_real(s->r2_back), "r2_orthogonal", cli_real(s->r2_orthogonal), "orthogonal_gap",
                     cli_real(s->orthogonal_gap), "procrustes", cli_real(s->procrustes), "orthogonality",
                     cli_real(s->orthogonality));
}

json_t *cli_certificate_json(const uw_certificate *c) {
    json_t *checks = json_object(), *rho = json_array();
    for (int i = 0; i < UW_NUM_CHECKS; i++) json_object_set_new(checks, c->checks[i].id, check_json(&c->checks[i]));
    for (int32_t i = 0; i < c->num_rho; i++) json_array_append_new(rho, cli_real(c->rho[i]));
    json_t *json = json_pack(
        "{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "verdict", uw_certify_verdict_str(c->verdict), "headline",
        c->headline, "advice", c->advice, "bound", cli_real(c->bound), "bound_high", cli_real(c->bound_high), "r2_floor",
        cli_real(c->r2_floor), "target", cli_real(c->target), "whitening_error", cli_real(c->eps), "whitening_floor",
        cli_real(c->eps_floor), "alignment_gap", cli_real(c->delta), "nonlinear", cli_real(c->nonlinear));
    json_t *more = json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:s,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:i,s:i,s:o,s:s,s:s,s:s}", "checks", checks, "failed",
        places_json(c, c->failed, c->num_failed), "doubtful", places_json(c, c->doubtful, c->num_doubtful), "rho", rho,
        "rho_true", cli_real(c->rho_true), "rho_source", uw_rho_source_str(c->rho_source), "rho_gap", cli_real(c->rho_gap),
        "rows", (json_int_t)c->rows, "pairs", (json_int_t)c->pairs, "dropped_rows", (json_int_t)c->dropped_rows,
        "episodes", (json_int_t)c->episodes, "needed_episodes", (json_int_t)c->needed_episodes, "effective_rows",
        cli_real(c->effective_rows), "latent_dim", c->latent_dim, "true_dim", c->true_dim, "labels", labels_json(c),
        "excluded", c->excluded, "dataset_hash", c->dataset_hash, "tensors_sha256", c->model_hash);
    json_object_update_new(json, more);
    return json;
}

/* ---- the table ------------------------------------------------------------------------------------- */

/* "0.0131 [0, 0.037]" */
static const char *value_text(const uw_measure *m, char text[64]) {
    if (isnan(m->low) || isnan(m->high))
        snprintf(text, 64, "%.3g", m->value);
    else
        snprintf(text, 64, "%.3g [%.2g, %.2g]", m->value, m->low, m->high);
    return text;
}

static const char *gate_text(const uw_measure *m, char text[64]) {
    if (isnan(m->pass))
        snprintf(text, 64, "-");
    else if (m->pass == m->fail)
        snprintf(text, 64, "wanted %g", m->pass);
    else
        snprintf(text, 64, "wanted %s %g, fails %s %g", m->pass < m->fail ? "<=" : ">=", m->pass,
                 m->pass < m->fail ? ">" : "<", m->fail);
    return text;
}

static void print_check(cli *c, const uw_check *k, bool all) {
    char value[64], gate[64];
    cli_say(c, "  %-4s%-26s%-12s", k->id, k->name, uw_finding_str(k->finding));
    if (k->num_measures && !isnan(k->measures[0].pass))
        cli_say(c, "%-24s %s\n", value_text(&k->measures[0], value), gate_text(&k->measures[0], gate));
    else
        cli_say(c, "%s\n", k->note);
    for (int32_t i = 0; all && i < k->num_measures; i++)
        cli_say(c, "        %s: %s (%s)\n", k->measures[i].name, value_text(&k->measures[i], value),
                gate_text(&k->measures[i], gate));
    if (all && *k->note && k->num_measures) cli_say(c, "        %s\n", k->note);
}

/* What is wrong, why it matters, what to do. */
static void print_trouble(cli *c, const uw_certificate *r, const int32_t *places, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const uw_check *k = &r->checks[places[i]];
        cli_say(c, "\n%s %s, %s: %s%s%s\n  %s\n  to do: %s\n", k->id, k->name, uw_finding_str(k->finding), k->meaning,
                k->num_measures ? "\n  measured by: " : "", k->num_measures ? k->measures[0].name : "", k->effect,
                k->remedy);
    }
}

static void print_bound(cli *c, const uw_certificate *r) {
    cli_say(c, "  rho %.4f (%s), whitening error %.3g (white rows would show %.2g), alignment gap %.3g\n", r->rho_true,
            uw_rho_source_str(r->rho_source), r->eps, r->eps_floor, r->delta);
    if (isnan(r->bound))
        cli_say(c, "  no bound on E|h - Qz|^2: its conditions are not met\n");
    else if (isnan(r->r2_floor))
        cli_say(c, "  bound on E|h - Qz|^2: %.3g, but these data leave its upper end open: nothing is known of R2\n",
                r->bound);
    else
        cli_say(c, "  E|h - Qz|^2 <= %.3g, with 95 %% confidence <= %.3g: R2 is at least %.3f%s\n", r->bound,
                r->bound_high, r->r2_floor,
                r->rho_source == UW_RHO_FITTED ? ", if the world is Gaussian" : "");
}

static void print_certificate(cli *c, const uw_certificate *r, bool all) {
    const uw_label_scores *s = &r->scores;
    cli_say(c, "%s\n  %s\n  %s\n\n", uw_certify_verdict_str(r->verdict), r->headline, r->advice);
    cli_say(c, "  %" PRId64 " rows of %" PRId64 " episodes, worth %.0f independent ones; %d latent dimensions\n", r->rows,
            r->episodes, r->effective_rows, r->latent_dim);
    if (r->dropped_rows) cli_say(c, "  %" PRId64 " rows with missing numbers left out\n", r->dropped_rows);
    if (*r->excluded) cli_say(c, "  not taken as true latents: %s\n", r->excluded);
    if (!isnan(r->rho_true)) print_bound(c, r);
    if (!isnan(s->r2))
        cli_say(c,
                "  against %s, held-out episodes: R2 %.4f [%.4f, %.4f], worst %.4f; by a rotation alone %.4f\n"
                "  measured E|h - Qz|^2 = %.3g, map %.3g away from a rotation\n",
                r->labels, s->r2, s->r2_low, s->r2_high, s->r2_worst, s->r2_orthogonal, s->procrustes,
                s->orthogonality);
    cli_say(c, "\n");
    for (int i = 0; i < UW_NUM_CHECKS; i++) print_check(c, &r->checks[i], all);
    print_trouble(c, r, r->failed, r->num_failed);
    print_trouble(c, r, r->doubtful, r->num_doubtful);
    if (!*r->labels)
        cli_say(c, "\nWithout labels the conditions are tested on the latent, not on the world.\n");
}

static int run(cli *c) {
    uw_err err = {0};
    uw_model *model = NULL;
    int32_t rows;
    uw_certify_options o = {.seed = c->seed, .state = cli_str(c, "state", NULL)};
    int code;
    if ((code = cli_number(c, "rho", 0.0, 1e-6, 1.0 - 1e-9, &o.rho)) ||
        (code = cli_int(c, "dim", 0, 1, UW_MAX_CERTIFIED_DIM, &o.true_dim)) ||
        (code = cli_number(c, "target", 0.9, 1e-6, 1.0 - 1e-6, &o.target)) ||
        (code = cli_int(c, "stride", 0, 1, 1000000, &o.stride)) ||
        (code = cli_int(c, "rows", 0, 100, 100000000, &rows)) ||
        (code = cli_int(c, "resamples", 200, 20, 100000, &o.resamples)))
        return code;
    o.max_rows = rows;
    uw_certificate *r = calloc(1, sizeof *r);
    uw_status status = r ? uw_model_load(c->args[0], &model, &err) : UW_ENOMEM;
    if (!status) status = uw_certify_run(c->ctx, model, c->args[1], &o, r, &err);
    if (status) {
        code = cli_fail(c, status, &err);
    } else {
        json_object_update_new(c->result, cli_certificate_json(r));
        print_certificate(c, r, cli_flag(c, "all"));
        code = cli_finish(c);
    }
    uw_model_unload(model);
    free(r);
    return code;
}

const cli_verb cli_certify = {
    .name = "certify",
    .summary = "may the latent be read as the true state?",
    .arguments = "MODEL DATA",
    .about = "The identifiability certificate: fourteen conditions of the theory of JEPA world models, each tested by the "
             "size of the effect with an interval over episodes, a bound on how far the latent is from a rotation of the "
             "true state, and a verdict in plain words.  See docs/guide/trust.md.",
    .examples = "  umwelt certify run/model.safetensors experience.uw\n"
                "  umwelt certify run/model.safetensors plant.uw --state level,flow --json\n"
                "  umwelt certify run/model.safetensors world.uw --rho 0.95 --dim 2 --all\n",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .run = run,
};
