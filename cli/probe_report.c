/* What a probe run found: as tables for people, and as JSON. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *pair(const double interval[2]) {
    return json_pack("[o,o]", cli_real(interval[0]), cli_real(interval[1]));
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *row_json(const uw_probe_row *p) {
    json_t *row = json_pack(
        "{s:o,s:o,s:o,s:s,s:o,s:o,s:o}", "r2", cli_real(p->r2), "r", cli_real(p->r), "rmse", cli_real(p->rmse),
        "unit", p->unit, "mlp_r2", cli_real(p->mlp_r2), "mlp_r", cli_real(p->mlp_r), "shuffled_r2",
        cli_real(p->shuffled_r2));
    json_t *more = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "r2_ci95", pair(p->r2_ci), "r_ci95", pair(p->r_ci),
                             "rmse_ci95", pair(p->rmse_ci), "mlp_r2_ci95", pair(p->mlp_r2_ci),
                             "shuffled_r2_ci95", pair(p->shuffled_r2_ci), "mlp_shuffled_r2",
                             cli_real(p->mlp_shuffled_r2));
    json_object_update_new(row, more);
    more = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "pca_r2", cli_real(p->pca_r2), "pca_r2_ci95",
                     pair(p->pca_r2_ci), "untrained_r2", cli_real(p->untrained_r2), "untrained_r2_ci95",
                     pair(p->untrained_r2_ci), "window_r2", cli_real(p->window_r2), "window_r",
                     cli_real(p->window_r), "window_r2_ci95", pair(p->window_r2_ci), "window_mlp_r2",
                     cli_real(p->window_mlp_r2));
    json_object_update_new(row, more);
    more = json_pack("{s:b,s:o,s:o,s:I,s:o,s:o}", "angle", p->angle, "degrees", cli_real(p->degrees),
                     "degrees_ci95", pair(p->degrees_ci), "missing", (json_int_t)p->missing, "causal",
                     cli_real(p->causal), "causal_ci95", pair(p->causal_ci));
    json_object_update_new(row, more);
    return row;
}

static json_t *drift_json(const uw_probe_report *r) {
    json_t *drift = json_array();
    for (int32_t i = 0; i < r->num_drift; i++) {
        const uw_drift_row *d = &r->drift[i];
        json_t *row = json_pack("{s:i,s:o,s:o,s:o,s:o}", "step", d->step, "error", cli_real(d->error),
                                "persistence", cli_real(d->persistence), "ratio", cli_real(d->ratio), "rmse",
                                cli_real(d->rmse));
        json_t *more =
            json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "error_ci95", pair(d->error_ci), "ratio_ci95",
                      pair(d->ratio_ci), "rmse_ci95", pair(d->rmse_ci), "linear", cli_real(d->linear),
                      "linear_ratio", cli_real(d->linear_ratio), "linear_ratio_ci95", pair(d->linear_ratio_ci),
                      "head", cli_real(d->head), "head_ratio", cli_real(d->head_ratio), "head_ratio_ci95",
                      pair(d->head_ratio_ci));
        json_object_update_new(row, more);
        more = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "persistence_rmse", cli_real(d->persistence_rmse),
                         "linear_rmse", cli_real(d->linear_rmse), "head_rmse", cli_real(d->head_rmse), "degrees",
                         cli_real(d->degrees), "degrees_ci95", pair(d->degrees_ci), "persistence_degrees",
                         cli_real(d->persistence_degrees));
        json_object_update_new(row, more);
        json_array_append_new(drift, row);
    }
    return drift;
}

static json_t *alarms_json(uint32_t alarms) {
    json_t *names = json_array();
    for (uint32_t bit = 1; bit; bit <<= 1)
        if (alarms & bit) json_array_append_new(names, json_string(uw_alarm_name(bit)));
    return names;
}

json_t *cli_gauges_json(const uw_gauges *g) {
    json_t *steps = json_array();
    for (int32_t i = 0; i < g->num_steps; i++)
        json_array_append_new(steps, json_pack("{s:o,s:o,s:o}", "norm", cli_real(g->steps[i].norm), "variance",
                                               cli_real(g->steps[i].variance), "shift",
                                               cli_real(g->steps[i].shift)));
    json_t *json = json_pack(
        "{s:I,s:o,s:o,s:o,s:i,s:i,s:o,s:o,s:o,s:o}", "rows", (json_int_t)g->rows, "effective_rank",
        cli_real(g->effective_rank), "participation", cli_real(g->participation), "top_share",
        cli_real(g->top_share), "null_directions", g->null_directions, "dead", g->dead, "mean_norm",
        cli_real(g->mean_norm), "mean_variance", cli_real(g->mean_variance), "median_variance",
        cli_real(g->median_variance), "min_variance", cli_real(g->min_variance));
    json_t *more = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "sigreg", cli_real(g->sigreg),
                             "sigreg_null", cli_real(g->sigreg_null), "sigreg_q99", cli_real(g->sigreg_q99),
                             "cluster_share", cli_real(g->cluster_share), "norm_drift", cli_real(g->norm_drift),
                             "steps", steps, "temporal_rank", cli_real(g->temporal_rank), "temporal_share",
                             cli_real(g->temporal_share), "action_sensitivity", cli_real(g->action_sensitivity));
    json_object_update_new(json, more);
    json_object_set_new(json, "alarms", alarms_json(g->alarms & UW_ALARMS));
    json_object_set_new(json, "notices", alarms_json(g->alarms & ~(uint32_t)UW_ALARMS));
    return json;
}

static json_t *geometry_json(const uw_geometry *g) {
    if (!g->known) return json_null();
    json_t *json = json_pack("{s:o,s:o,s:o,s:o,s:o,s:b}", "rho_path", cli_real(g->rho_path), "rho_euclid",
                             cli_real(g->rho_euclid), "hard_rho_path", cli_real(g->hard_rho_path),
                             "hard_rho_euclid", cli_real(g->hard_rho_euclid), "stretch", cli_real(g->stretch),
                             "misleads", uw_geometry_misleads(g));
    json_t *more =
        json_pack("{s:o,s:o,s:o,s:o,s:o,s:i,s:i,s:i}", "rho_path_ci95", pair(g->rho_path_ci),
                  "rho_euclid_ci95", pair(g->rho_euclid_ci), "hard_rho_path_ci95", pair(g->hard_rho_path_ci),
                  "hard_rho_euclid_ci95", pair(g->hard_rho_euclid_ci), "stretch_ci95", pair(g->stretch_ci),
                  "pairs", g->pairs, "hard_pairs", g->hard_pairs, "crossings", g->crossings);
    json_object_update_new(json, more);
    return json;
}

static json_t *causal_json(const uw_causal *k) {
    if (!k->known) return json_pack("{s:b,s:s}", "known", 0, "why", k->why);
    return json_pack("{s:b,s:i,s:i,s:o,s:o,s:o,s:o}", "known", 1, "steps", k->steps, "edits", k->edits,
                     "agreement", cli_real(k->agreement), "agreement_ci95", pair(k->agreement_ci), "redrawn",
                     cli_real(k->redrawn), "random", cli_real(k->random));
}

static const char *limit_name(uw_drift_limit limit) {
    return limit == UW_LIMIT_PREDICTOR ? "predictor" : limit == UW_LIMIT_ENCODER ? "encoder" : "unknown";
}

json_t *cli_probe_json(const uw_probe_report *r) {
    json_t *probes = json_object(), *eigenvalues = json_array(), *excluded = json_array();
    for (int32_t i = 0; i < r->num_probes; i++)
        json_object_set_new(probes, r->probes[i].column, row_json(&r->probes[i]));
    for (int32_t i = 0; i < r->num_eigenvalues; i++)
        json_array_append_new(eigenvalues, cli_real(r->eigenvalues[i]));
    for (int32_t i = 0; i < r->num_excluded; i++)
        json_array_append_new(excluded, json_pack("{s:s,s:s,s:I}", "column", r->excluded[i].column, "why",
                                                  uw_exclusion_str(r->excluded[i].why), "missing",
                                                  (json_int_t)r->excluded[i].missing));
    json_t *json = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I}", "probes", probes, "drift", drift_json(r),
                             "effective_rank", cli_real(r->effective_rank), "participation",
                             cli_real(r->participation), "eigenvalues", eigenvalues, "geometry",
                             geometry_json(&r->geometry), "rows", (json_int_t)r->rows, "episodes",
                             (json_int_t)r->episodes);
    json_t *more = json_pack(
        "{s:I,s:i,s:o,s:o,s:o,s:i,s:i,s:i,s:i,s:s,s:o,s:o,s:i}", "scored_episodes",
        (json_int_t)r->scored_episodes, "window_frames", r->window_frames, "excluded", excluded, "causal",
        causal_json(&r->causal), "gauges", cli_gauges_json(&r->gauges), "drift_windows", r->drift_windows,
        "drift_episodes", r->drift_episodes, "horizon", r->horizon, "horizon_linear", r->horizon_linear,
        "limit", limit_name(r->limit), "head_gain", cli_real(r->head_gain), "head_gain_ci95",
        pair(r->head_gain_ci), "limit_step", r->limit_step);
    json_object_update_new(json, more);
    return json;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* "0.9986 [0.9985, 0.9987]"; without an interval the number alone, and a dash for none. */
static const char *with_interval(char text[64], double value, const double ci[2], int digits) {
    if (!isfinite(value))
        snprintf(text, 64, "-");
    else if (ci && isfinite(ci[0]))
        snprintf(text, 64, "%.*f [%.*f, %.*f]", digits, value, digits, ci[0], digits, ci[1]);
    else
        snprintf(text, 64, "%.*f", digits, value);
    return text;
}

static const char *plain(char text[64], double value, int digits) {
    return with_interval(text, value, NULL, digits);
}

/* Three digits, wherever they are. */
static const char *small(char text[64], double value) {
    snprintf(text, 64, "%.3g", value);
    return text;
}

static void print_probes(cli *c, const uw_probe_report *r) {
    char a[64], b[64], d[64], e[64];
    bool controls = false, mlp = false;
    for (int32_t i = 0; i < r->num_probes; i++) {
        controls = controls || isfinite(r->probes[i].untrained_r2);
        mlp = mlp || isfinite(r->probes[i].mlp_r2);
    }
    if (r->num_probes)
        cli_say(c, "  linear probes, scored on %lld episodes%s:\n  %-20s %-24s %-7s %s\n",
                (long long)r->scored_episodes,
                r->scored_episodes < UW_PROBE_MIN_EPISODES ? " (too few for intervals: 8 would do)"
                                                           : " [95 % over episodes]",
                "", "R2", "r", "error");
    for (int32_t i = 0; i < r->num_probes; i++) {
        const uw_probe_row *p = &r->probes[i];
        cli_say(c, "  %-20s %-24s %-7s %s %s", p->column, with_interval(a, p->r2, p->r2_ci, 4),
                plain(b, p->r, 4), with_interval(d, p->rmse, p->rmse_ci, 2), p->unit);
        if (p->angle) cli_say(c, " = %s degrees", with_interval(e, p->degrees, p->degrees_ci, 1));
        if (p->missing) cli_say(c, " (%lld rows without it left out)", (long long)p->missing);
        cli_say(c, "\n");
    }
    if (r->num_probes)
        cli_say(c, "  R2 of controls and others:\n  %-20s %-10s%s\n", "", "shuffled",
                controls ? " input PCA  untrained  window     MLP        MLP shuf.  MLP window" : mlp ? " MLP" : "");
    for (int32_t i = 0; i < r->num_probes; i++) {
        const uw_probe_row *p = &r->probes[i];
        cli_say(c, "  %-20s %-10s", p->column, plain(a, p->shuffled_r2, 3));
        const double more[] = {p->pca_r2, p->untrained_r2,    p->window_r2,
                               p->mlp_r2, p->mlp_shuffled_r2, p->window_mlp_r2};
        for (int k = 0; k < 6 && controls; k++) cli_say(c, " %-10s", plain(a, more[k], 3));
        if (!controls && mlp) cli_say(c, " %-10s", plain(a, p->mlp_r2, 3));
        cli_say(c, "\n");
    }
    for (int32_t i = 0; i < r->num_excluded; i++)
        cli_say(c, "  %-20s not probed: %s\n", r->excluded[i].column, uw_exclusion_str(r->excluded[i].why));
}

static void print_causal(cli *c, const uw_causal *k) {
    char a[64];
    if (k->known)
        cli_say(c, "  causal check, %d edits, %d decisions on: agreement of an edited latent with the edited "
                   "world %s (redrawn picture %.2f, random direction %.2f)\n",
                k->edits, k->steps, with_interval(a, k->agreement, k->agreement_ci, 2), k->redrawn, k->random);
    else if (*k->why)
        cli_say(c, "  causal check: cannot tell, %s\n", k->why);
}

static void print_drift(cli *c, const uw_probe_report *r) {
    char a[64], b[64], d[64], e[64];
    if (!r->num_drift) return;
    cli_say(c, "  open-loop prediction over %d windows of %d episodes, error / error of \"nothing changes\":\n"
               "  %9s  %-24s %-8s %-8s %s\n",
            r->drift_windows, r->drift_episodes, "decisions", "model", "linear", "new head", "in the state's unit");
    for (int32_t i = 0; i < r->num_drift; i++) {
        const uw_drift_row *row = &r->drift[i];
        if (row->step > 4 && row->step % 4) continue;
        cli_say(c, "  %9d  %-24s %-8s %-8s", row->step, with_interval(a, row->ratio, row->ratio_ci, 3),
                plain(b, row->linear_ratio, 3), plain(d, row->head_ratio, 3));
        if (isfinite(row->rmse))
            cli_say(c, " %s %s (nothing changes: %.1f)", with_interval(e, row->rmse, row->rmse_ci, 1),
                    r->probes[0].unit, row->persistence_rmse);
        if (isfinite(row->degrees))
            cli_say(c, ", %.1f degrees (%.1f)", row->degrees, row->persistence_degrees);
        cli_say(c, "\n");
    }
    if (r->horizon < r->num_drift)
        cli_say(c, "  beats \"nothing changes\" for %d of %d decisions\n", r->horizon, r->num_drift);
    else
        cli_say(c, "  beats \"nothing changes\" over all %d decisions\n", r->num_drift);
    static const char *const limits[] = {
        "cannot be told from this data", "the predictor: one fitted anew does better",
        "the latents or the world: a predictor fitted anew does no better"};
    if (isfinite(r->head_gain))
        cli_say(c, "  what holds it back: %s (error of a new head over the model's, 1 decision: %s)\n",
                limits[r->limit], with_interval(a, r->head_gain, r->head_gain_ci, 2));
}

static void print_gauges(cli *c, const uw_gauges *g) {
    char a[64], b[64], d[64], e[64];
    cli_say(c, "  gauges: variance %s (least %s), dead numbers %d, top direction %s of the variance, two "
               "clusters %s\n",
            small(a, g->mean_variance), small(b, g->min_variance), g->dead, plain(d, g->top_share, 2),
            plain(e, g->cluster_share, 2));
    cli_say(c, "          SIGReg %s (a Gaussian sample: %s, 99 %% below %s)\n", plain(a, g->sigreg, 4),
            plain(b, g->sigreg_null, 5), plain(d, g->sigreg_q99, 5));
    cli_say(c, "          steps: rank %s, share of the spread %s; sensitivity to actions %s\n",
            plain(a, g->temporal_rank, 1), plain(b, g->temporal_share, 3),
            plain(d, g->action_sensitivity, 2));
}

/* Alarms and notices, one line each. */
static void print_alarms(cli *c, uint32_t alarms) {
    for (uint32_t bit = 1; bit; bit <<= 1)
        if (alarms & bit)
            cli_say(c, "  %s: %s\n", bit & UW_ALARMS ? "ALARM" : "notice", uw_alarm_str(bit));
}

static void print_geometry(cli *c, const uw_geometry *g) {
    char a[64], b[64], d[64];
    if (!g->known) return;
    cli_say(c, "  geometry: latent distance follows path length with rank correlation %s across rooms (Euclid "
               "%s); stretch across the wall %s\n",
            with_interval(a, g->hard_rho_path, g->hard_rho_path_ci, 2),
            with_interval(b, g->hard_rho_euclid, g->hard_rho_euclid_ci, 2),
            with_interval(d, g->stretch, g->stretch_ci, 1));
    if (uw_geometry_misleads(g))
        cli_say(c, "  latent distance is no guide round obstacles here: plan with umwelt eval --solver landmark "
                   "--data D.uw\n");
}

void cli_print_probe(cli *c, const uw_probe_report *r) {
    cli_say(c, "\nWhat the latent knows: effective rank %.1f of %d (participation %.1f); %lld frames, %lld "
               "episodes\n",
            r->effective_rank, r->num_eigenvalues, r->participation, (long long)r->rows,
            (long long)r->episodes);
    print_probes(c, r);
    print_causal(c, &r->causal);
    print_drift(c, r);
    print_gauges(c, &r->gauges);
    print_alarms(c, r->gauges.alarms);
    print_geometry(c, &r->geometry);
}

/* ---- over a run ----------------------------------------------------------------------------- */

json_t *cli_run_curve_json(const uw_run_curve *curve) {
    json_t *points = json_array();
    for (int32_t i = 0; i < curve->num_points; i++) {
        const uw_run_point *p = &curve->points[i];
        const uw_rate rate = {p->episodes, p->successes, p->success, p->success_low, p->success_high};
        json_array_append_new(points, json_pack("{s:I,s:o,s:o,s:o,s:o,s:o}", "step", (json_int_t)p->step,
                                                "error", cli_real(p->error), "ratio", cli_real(p->ratio),
                                                "effective_rank", cli_real(p->effective_rank), "r2",
                                                cli_real(p->r2), "success", cli_rate_json(&rate)));
    }
    return json_pack("{s:i,s:o,s:{s:{s:o,s:o},s:{s:o,s:o},s:{s:o,s:o}}}", "drift_step", curve->drift_step,
                     "points", points, "spearman", "error", "rho", cli_real(curve->rho_error), "ci95",
                     pair(curve->rho_error_ci), "ratio", "rho", cli_real(curve->rho_ratio), "ci95",
                     pair(curve->rho_ratio_ci), "effective_rank", "rho", cli_real(curve->rho_rank), "ci95",
                     pair(curve->rho_rank_ci));
}

void cli_print_run_curve(cli *c, const uw_run_curve *curve) {
    char a[64], b[64], d[64], text[64];
    cli_say(c, "\nPrediction is not planning: error after %d decisions, and success, along the run\n"
               "  %9s  %-10s %-10s %-8s %-8s %s\n",
            curve->drift_step, "step", "error", "/ nothing", "rank", "R2", "success");
    for (int32_t i = 0; i < curve->num_points; i++) {
        const uw_run_point *p = &curve->points[i];
        const uw_rate rate = {p->episodes, p->successes, p->success, p->success_low, p->success_high};
        cli_say(c, "  %9lld  %-10.5f %-10s %-8.1f %-8s %s\n", (long long)p->step, p->error,
                plain(a, p->ratio, 4), p->effective_rank, plain(b, p->r2, 3), cli_rate_text(&rate, text));
    }
    cli_say(c, "  rank correlation with success: raw error %s, error / nothing %s, effective rank %s\n",
            with_interval(a, curve->rho_error, curve->rho_error_ci, 2),
            with_interval(b, curve->rho_ratio, curve->rho_ratio_ci, 2),
            with_interval(d, curve->rho_rank, curve->rho_rank_ci, 2));
}
