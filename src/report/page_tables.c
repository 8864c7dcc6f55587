/* The page's tables and facts: one side at a time. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- how it was made ------------------------------------------------------------------------ */

static void fact(uw_text *out, const char *name, const char *value) {
    if (!value || !*value) return;
    uw__text_printf(out, "<dt>%s</dt><dd>", name);
    uw__text_escape(out, value);
    uw__text_add(out, "</dd>");
}

static void fact_open(uw_text *out, const char *name) {
    uw__text_printf(out, "<dt>%s</dt><dd>", name);
}

static void seconds(uw_text *out, double s) {
    if (s >= 120.0) {
        uw__text_fixed(out, s / 60.0, 1);
        uw__text_add(out, " min");
    } else {
        uw__text_number(out, s, 3);
        uw__text_add(out, " s");
    }
}

static void training_facts(uw_text *out, const uw_train_result *t) {
    fact_open(out, "training");
    uw__text_count(out, t->steps);
    uw__text_add(out, " steps");
    if (t->flops > 0.0) {
        uw__text_add(out, ", ");
        uw__text_number(out, t->flops * 1e-12, 3);
        uw__text_add(out, " TFLOP");
    }
    if (t->seconds > 0.0) {
        uw__text_add(out, " in ");
        seconds(out, t->seconds);
        if (t->flops > 0.0) {
            uw__text_add(out, " (");
            uw__text_number(out, t->flops / t->seconds * 1e-9, 3);
            uw__text_add(out, " GFLOP/s)");
        }
    }
    uw__text_add(out, t->resumed ? ", continued from a checkpoint</dd>" : "</dd>");
    if (isfinite(t->validation_loss)) {
        fact_open(out, "held-out loss");
        uw__text_number(out, t->validation_loss, 3);
        uw__text_add(out, "</dd>");
    }
}

static void architecture(uw_text *out, const uw_model_config *c) {
    static const char *const encoder[] = {"convolutions", "vision transformer", "MLP", "couplings"};
    static const char *const predictor[] = {"residual MLP predictor", "AdaLN transformer predictor",
                                            "no predictor"};
    fact_open(out, "network");
    if ((unsigned)c->encoder < 4) uw__text_add(out, encoder[c->encoder]);
    if (c->encoder == UW_ENCODER_CONV)
        for (int32_t i = 0; i < c->conv_layers && i < UW_MAX_CONV_LAYERS; i++)
            uw__text_printf(out, "%s%d", i ? "/" : " ", c->conv_channels[i]);
    uw__text_add(out, ", ");
    if ((unsigned)c->predictor < 3) uw__text_add(out, predictor[c->predictor]);
    uw__text_printf(out, ", latent of %d numbers</dd>", c->latent_dim);
    fact_open(out, "sees");
    if (c->input == UW_INPUT_COLUMNS)
        uw__text_printf(out, "%d sensor numbers", c->observe_dim);
    else
        uw__text_printf(out, "%d\xC3\x97%d pixels", c->image_size, c->image_size);
    if (c->input == UW_INPUT_FLOOR_RELATIVE) uw__text_add(out, ", relative to the floor colour");
    if (c->history_size > 1) uw__text_printf(out, ", the last %d frames", c->history_size);
    uw__text_add(out, "</dd>");
}

void uw__page_facts(const uw_report *r, int32_t side, uw_text *out) {
    const uw_report_side *s = &r->in->sides[side];
    const uw_provenance *p = uw_model_provenance(s->model);
    char sha[65];
    uw_model_sha256(s->model, sha);
    uw__text_add(out, "<dl>");
    fact(out, "world", p->env);
    fact(out, "preset", p->preset);
    architecture(out, uw_model_config_of(s->model));
    fact_open(out, "parameters");
    uw__text_count(out, uw_model_num_parameters(s->model));
    uw__text_add(out, "</dd>");
    if (s->train) training_facts(out, s->train);
    fact_open(out, "seed");
    uw__text_printf(out, "%llu</dd>", (unsigned long long)p->seed);
    fact(out, "factors in training",
         p->trained_factors && *p->trained_factors ? p->trained_factors : "none: one look only");
    fact(out, "dataset", p->dataset_hash);
    fact(out, "weights SHA-256", sha);
    fact(out, "umwelt", p->version);
    uw__text_add(out, "</dl>");
    if (p->config_json && *p->config_json) {
        uw__text_add(out, "<details><summary>every training key</summary><pre>");
        uw__text_escape(out, p->config_json);
        uw__text_add(out, "</pre></details>");
    }
}

/* ---- what it knows -------------------------------------------------------------------------- */

static void cell(uw_text *out, double v, int decimals, bool low) {
    uw__text_add(out, low ? "<td class=\"low\">" : "<td>");
    uw__text_exact(out, v, decimals);
    uw__text_add(out, "</td>");
}

/* R2 to the decimals that matter: 0.9996 and 0.83. */
static void r2_cell(uw_text *out, double v, bool low) {
    cell(out, v, v > 0.995 ? 4 : v > 0.95 ? 3 : 2, low);
}

static void r2_ci_cell(uw_text *out, double r2, const double ci[2], bool low) {
    uw__text_add(out, low ? "<td class=\"low\">" : "<td>");
    const int decimals = r2 > 0.995 ? 4 : r2 > 0.95 ? 3 : 2;
    uw__text_exact(out, r2, decimals);
    if (isfinite(ci[0])) {
        uw__text_add(out, " <small>");
        uw__text_exact(out, ci[0], decimals);
        uw__text_add(out, "\xE2\x80\xA6");
        uw__text_exact(out, ci[1], decimals);
        uw__text_add(out, "</small>");
    }
    uw__text_add(out, "</td>");
}

static void error_cell(uw_text *out, const uw_probe_row *row) {
    uw__text_add(out, "<td>");
    uw__text_number(out, isfinite(row->degrees) ? row->degrees : row->rmse, 3);
    if (isfinite(row->degrees) || row->unit[0]) {
        uw__text_add(out, "\xC2\xA0");
        uw__text_escape(out, isfinite(row->degrees) ? "degrees" : row->unit);
    }
    uw__text_add(out, "</td>");
}

static void excluded_words(uw_text *out, const uw_probe_report *p) {
    if (p->num_excluded < 1) return;
    uw__text_printf(out, "<details><summary>numbers left out: %d</summary><ul>", p->num_excluded);
    for (int32_t i = 0; i < p->num_excluded; i++) {
        uw__text_add(out, "<li>");
        uw__text_escape(out, p->excluded[i].column);
        uw__text_add(out, ": ");
        uw__text_escape(out, uw_exclusion_str(p->excluded[i].why));
        uw__text_add(out, "</li>");
    }
    uw__text_add(out, "</ul></details>");
}

static void causal_words(uw_text *out, const uw_causal *c) {
    if (!c->known) return;
    uw__text_printf(
        out,
        "<p style=\"margin-top:12px\">Moved by hand: the latent was pushed along what each number "
        "does to latents, rolled on for %d decisions, and compared with the world moved likewise. "
        "Agreement ",
        c->steps);
    uw__text_exact(out, c->agreement, 2);
    uw__text_add(out, " (1 = the same effect; the moved world's own picture reaches ");
    uw__text_exact(out, c->redrawn, 2);
    uw__text_add(out, ", a random push ");
    uw__text_exact(out, c->random, 2);
    uw__text_add(out, ").</p>");
}

void uw__page_probe_table(const uw_report *r, int32_t side, uw_text *out) {
    const uw_probe_report *p = r->in->sides[side].probe;
    if (!p || p->num_probes < 1) return;
    bool mlp = false, controls = false;
    for (int32_t i = 0; i < p->num_probes; i++) {
        mlp = mlp || isfinite(p->probes[i].mlp_r2);
        controls = controls || isfinite(p->probes[i].pca_r2);
    }
    uw__text_printf(
        out,
        "<div class=\"scroll\"><table><tr><th>number</th><th>R\xC2\xB2 <small>95 %%</small></th>"
        "<th>r</th><th>typical error</th>%s%s<th>shuffled</th></tr>",
        mlp ? "<th>MLP R\xC2\xB2</th>" : "",
        controls ? "<th>from pixels' PCA</th><th>untrained</th>" : "");
    for (int32_t i = 0; i < p->num_probes; i++) {
        const uw_probe_row *row = &p->probes[i];
        uw__text_add(out, "<tr><td>");
        uw__text_escape(out, row->column);
        uw__text_add(out, "</td>");
        r2_ci_cell(out, row->r2, row->r2_ci, row->r2 < 0.9);
        r2_cell(out, row->r, false);
        error_cell(out, row);
        if (mlp) r2_cell(out, row->mlp_r2, false);
        if (controls) cell(out, row->pca_r2, 2, false);
        if (controls) cell(out, row->untrained_r2, 2, false);
        cell(out, row->shuffled_r2, 2, row->shuffled_r2 > 0.1);
        uw__text_add(out, "</tr>");
    }
    uw__text_add(out, "</table></div>");
    excluded_words(out, p);
    causal_words(out, &p->causal);
}

void uw__page_drift_table(const uw_report *r, int32_t side, uw_text *out) {
    const uw_probe_report *p = r->in->sides[side].probe;
    if (!p || p->num_drift < 1) return;
    static const int32_t shown[] = {1, 2, 4, 8, 12, 16, 24, 32};
    uw__text_add(out, "<div class=\"scroll\"><table><tr><th>decisions ahead</th>");
    for (size_t i = 0; i < sizeof shown / sizeof *shown && shown[i] <= p->num_drift; i++)
        uw__text_printf(out, "<th>%d</th>", shown[i]);
    uw__text_add(out, "</tr><tr><td>error / persistence</td>");
    for (size_t i = 0; i < sizeof shown / sizeof *shown && shown[i] <= p->num_drift; i++)
        cell(out, p->drift[shown[i] - 1].ratio, 3, p->drift[shown[i] - 1].ratio >= 0.1);
    if (isfinite(p->drift[0].rmse)) {
        uw__text_add(out, "</tr><tr><td>error");
        if (p->num_probes > 0 && p->probes[0].unit[0]) {
            uw__text_add(out, ", ");
            uw__text_escape(out, p->probes[0].unit);
        }
        uw__text_add(out, "</td>");
        for (size_t i = 0; i < sizeof shown / sizeof *shown && shown[i] <= p->num_drift; i++) {
            uw__text_add(out, "<td>");
            uw__text_number(out, p->drift[shown[i] - 1].rmse, 3);
            uw__text_add(out, "</td>");
        }
    }
    uw__text_add(out, "</tr></table></div>");
}

/* ---- robustness ----------------------------------------------------------------------------- */

void uw__page_card_table(const uw_report *r, int32_t side, uw_text *out) {
    const uw_card *card = r->in->sides[side].card;
    if (!card) return;
    bool how = false; /* worth a column? */
    for (int32_t i = 0; i < card->num_cells; i++)
        how = how || strcmp(card->cells[i].value, "random") != 0;
    uw__text_printf(out,
                    "<div class=\"scroll\"><table><tr><th>what changes</th>%s<th>reached</th>"
                    "<th>of nominal</th><th>in training</th></tr>",
                    how ? "<th>how</th>" : "");
    uw__text_printf(out, "<tr><td><b>nothing</b></td>%s<td>%d / %d</td><td></td><td></td></tr>",
                    how ? "<td></td>" : "", card->nominal.successes, card->nominal.episodes);
    for (int32_t i = 0; i < card->num_cells; i++) {
        const uw_card_cell *c = &card->cells[i];
        uw__text_add(out, "<tr><td>");
        uw__text_escape(out, uw__factor_title(c->factor));
        uw__text_add(out, "</td>");
        if (how) {
            uw__text_add(out, "<td>");
            uw__text_escape(out, uw__value_title(c->value));
            uw__text_add(out, "</td>");
        }
        uw__text_printf(out, "<td>%d / %d</td><td%s>", c->rate.successes, c->rate.episodes,
                        c->of_nominal < 0.9 ? " class=\"low\"" : "");
        uw__text_percent(out, c->of_nominal);
        uw__text_printf(out, "</td><td><span class=\"tag\">%s</span></td></tr>",
                        c->in_training ? "yes" : "no");
    }
    uw__text_add(out, "</table></div>");
}

/* ---- speed ---------------------------------------------------------------------------------- */

static void tile(uw_text *out, double ms, const char *label) {
    uw__text_add(out, "<div class=\"tile\"><b>");
    uw__text_number(out, ms, 3);
    uw__text_printf(out, "\xC2\xA0ms</b><span>%s</span></div>", label);
}

void uw__page_latency(const uw_report *r, int32_t side, uw_text *out) {
    const uw_eval_result *e = r->in->sides[side].eval;
    if (!e || e->decisions < 1) return;
    uw__text_add(out, "<div class=\"tiles\">");
    tile(out, e->plan_ms_p50, "half of the decisions are faster");
    tile(out, e->plan_ms_p99, "99 of 100 are faster");
    tile(out, e->plan_ms_max, "slowest of all");
    uw__text_add(out, "<div class=\"tile\"><b>");
    uw__text_count(out, e->decisions);
    uw__text_add(out, "</b><span>decisions timed</span></div></div>");
}
