/* The page's tables of what makes a model believable: gauges, certificate, surprise, the
 * recording's fitness. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>

static void tile(uw_text *out, double value, int digits, const char *unit, const char *label) {
    uw__text_add(out, "<div class=\"tile\"><b>");
    uw__text_number(out, value, digits);
    uw__text_add(out, unit);
    uw__text_add(out, "</b><span>");
    uw__text_add(out, label);
    uw__text_add(out, "</span></div>");
}

static void number_cell(uw_text *out, double v, int digits) {
    uw__text_add(out, "<td>");
    uw__text_number(out, v, digits);
    uw__text_add(out, "</td>");
}

static void rate_cell(uw_text *out, const uw_rate *rate, bool low) {
    uw__text_printf(out, "<td%s>", low ? " class=\"low\"" : "");
    if (rate->episodes > 0)
        uw__text_printf(out, "%d / %d", rate->successes, rate->episodes);
    else
        uw__text_add(out, "\xE2\x80\x93");
    uw__text_add(out, "</td>");
}

/* ---- gauges --------------------------------------------------------------------------------- */

void uw__page_gauges(const uw_report *r, int32_t side, uw_text *out) {
    const uw_probe_report *p = r->in->sides[side].probe;
    if (!p || p->gauges.rows < 1) return;
    const uw_gauges *g = &p->gauges;
    uw__text_add(out, "<div class=\"tiles\">");
    tile(out, g->effective_rank, 3, "", "directions in use (entropy of the spectrum)");
    tile(out, g->participation, 3, "", "by participation ratio");
    tile(out, g->sigreg, 3, "", "SIGReg now");
    tile(out, g->sigreg_q99, 3, "", "a Gaussian sample's 99\xC2\xA0% quantile");
    tile(out, g->dead, 2, "", "dead numbers");
    tile(out, g->mean_variance, 3, "", "mean variance of a number");
    if (isfinite(g->norm_drift))
        tile(out, 100.0 * g->norm_drift, 2, "\xC2\xA0%", "change of |z|\xC2\xB2 along a window");
    if (isfinite(g->temporal_rank))
        tile(out, g->temporal_rank, 3, "", "directions of one-step change");
    if (isfinite(g->action_sensitivity))
        tile(out, g->action_sensitivity, 3, "", "of a prediction's step depends on the action");
    uw__text_add(out, "</div><ul class=\"care\" style=\"margin-top:14px\">");
    for (uint32_t left = g->alarms; left; left &= left - 1) {
        const uint32_t one = left & (~left + 1);
        uw__text_printf(out, "<li class=\"%s\">", one & UW_ALARMS ? "warn" : "note");
        uw__text_escape(out, uw_alarm_str(one));
        uw__text_add(out, "</li>");
    }
    if (!(g->alarms & UW_ALARMS))
        uw__text_add(out, "<li class=\"good\">No gauge says that the latent has collapsed.</li>");
    uw__text_add(out, "</ul>");
}

/* ---- certificate ---------------------------------------------------------------------------- */

static const char *finding_class(uw_finding finding) {
    switch (finding) {
    case UW_HOLDS:
        return "good";
    case UW_DOUBTFUL:
        return "note";
    case UW_VIOLATED:
        return "warn";
    case UW_CANNOT_TELL:
        return "note";
    }
    return "note";
}

static void check_row(uw_text *out, const uw_check *c) {
    uw__text_printf(out, "<tr><td>%s ", c->id);
    uw__text_escape(out, c->name);
    uw__text_printf(out, "</td><td><span class=\"tag%s\">",
                    c->finding == UW_VIOLATED ? " low" : "");
    uw__text_escape(out, uw_finding_str(c->finding));
    uw__text_add(out, "</span></td>");
    if (c->num_measures < 1) {
        uw__text_add(out, "<td colspan=\"4\" style=\"white-space:normal;text-align:left\">");
        uw__text_escape(out, c->note);
        uw__text_add(out, "</td></tr>");
        return;
    }
    const uw_measure *m = &c->measures[0];
    number_cell(out, m->value, 3);
    uw__text_add(out, "<td>");
    if (isfinite(m->low)) {
        uw__text_number(out, m->low, 2);
        uw__text_add(out, " \xE2\x80\xA6 ");
        uw__text_number(out, m->high, 2);
    }
    uw__text_add(out, "</td>");
    number_cell(out, m->pass, 2);
    number_cell(out, m->fail, 2);
    uw__text_add(out, "</tr>");
}

static void check_words(uw_text *out, const uw_check *c) {
    uw__text_printf(out, "<li class=\"%s\"><b>%s ", finding_class(c->finding), c->id);
    uw__text_escape(out, c->name);
    uw__text_add(out, ".</b> ");
    uw__text_escape(out, c->meaning);
    if (c->finding == UW_VIOLATED || c->finding == UW_DOUBTFUL) {
        uw__text_add(out, " ");
        uw__text_escape(out, c->effect);
        uw__text_add(out, " ");
        uw__text_escape(out, c->remedy);
    }
    if (c->note[0]) {
        uw__text_add(out, " (");
        uw__text_escape(out, c->note);
        uw__text_add(out, ")");
    }
    uw__text_add(out, "</li>");
}

static void bound_tiles(uw_text *out, const uw_certificate *c) {
    uw__text_add(out, "<div class=\"tiles\">");
    if (isfinite(c->r2_floor))
        tile(out, c->r2_floor, 3, "", "R\xC2\xB2 to the true state, at least");
    if (isfinite(c->bound))
        tile(out, c->bound, 3, "", "bound on the distance to a rotation of the true state");
    tile(out, c->eps, 3, "", "whitening error");
    if (isfinite(c->delta)) tile(out, c->delta, 3, "", "alignment gap");
    if (isfinite(c->rho_true))
        tile(out, c->rho_true, 3, "", "correlation from one step to the next");
    if (isfinite(c->scores.r2))
        tile(out, c->scores.r2, 3, "", "R\xC2\xB2 measured, true state from latent");
    if (isfinite(c->scores.orthogonal_gap))
        tile(out, c->scores.orthogonal_gap, 3, "", "lost when only a rotation is allowed");
    uw__text_add(out, "</div>");
}

void uw__page_certificate(const uw_report *r, int32_t side, uw_text *out) {
    const uw_certificate *c = r->in->sides[side].certificate;
    if (!c) return;
    uw__text_add(out, "<h3>");
    uw__text_escape(out, uw_certify_verdict_str(c->verdict));
    uw__text_add(out, "</h3><p>");
    uw__text_escape(out, c->headline);
    uw__text_add(out, "</p><p class=\"lead\">");
    uw__text_escape(out, c->advice);
    uw__text_add(out, "</p>");
    bound_tiles(out, c);
    uw__text_add(
        out, "<div class=\"scroll\" "
             "style=\"margin-top:14px\"><table><tr><th>condition</th><th>found</th>"
             "<th>number</th><th>95\xC2\xA0%</th><th>holds from</th><th>violated from</th></tr>");
    for (int32_t i = 0; i < UW_NUM_CHECKS; i++)
        if (c->checks[i].id) check_row(out, &c->checks[i]);
    uw__text_add(
        out, "</table></div><details><summary>what each condition asks, and what a violation does"
             "</summary><ul class=\"care\" style=\"margin-top:10px\">");
    for (int32_t i = 0; i < UW_NUM_CHECKS; i++)
        if (c->checks[i].id) check_words(out, &c->checks[i]);
    uw__text_add(out, "</ul></details>");
}

/* ---- surprise ------------------------------------------------------------------------------- */

static void band_words(uw_text *out, const uw_surprise_facts *f) {
    uw__text_add(out, "<p>A step is an alarm when its score is above ");
    uw__text_number(out, f->threshold, 3);
    uw__text_printf(out,
                    ". Calibrated on %lld episodes, so that a fresh episode like them raises a "
                    "false alarm with "
                    "probability at most ",
                    (long long)f->episodes);
    uw__text_percent(out, f->alpha);
    uw__text_add(out, " (this calibration's own rate lies between ");
    uw__text_percent(out, f->rate_low);
    uw__text_add(out, " and ");
    uw__text_percent(out, f->rate_high);
    uw__text_add(out, " with 95\xC2\xA0% confidence).</p>");
}

static void recording_words(uw_text *out, const uw_surprise_report *s) {
    uw__text_printf(
        out, "<p>In the recording, %d of %d judged episodes raised an alarm; %lld of %lld steps.",
        s->alarmed.successes, s->alarmed.episodes, (long long)s->alarms, (long long)s->steps);
    if (s->longer)
        uw__text_printf(
            out,
            " %lld episodes are longer than any that calibrated: the guarantee is not for them.",
            (long long)s->longer);
    uw__text_add(out, "</p>");
}

static void injection_table(uw_text *out, const uw_injection_report *report) {
    uw__text_add(
        out,
        "<div class=\"scroll\"><table><tr><th>what happens</th><th>noticed</th><th>decisions until "
        "then"
        "</th><th>AUROC</th><th>by \"nothing changes\"</th><th>by an untrained network</th></tr>");
    for (int32_t i = 0; i < report->num_rows; i++) {
        const uw_injection_row *row = &report->rows[i];
        uw__text_printf(out, "<tr><td>%s</td>", uw__injection_title(row->injection));
        if (!row->applies) {
            uw__text_add(out, "<td colspan=\"5\">the model sees no pictures</td></tr>");
            continue;
        }
        const bool missed = row->injection != UW_INJECT_NOTHING && row->detected.rate < 0.9;
        rate_cell(out, &row->detected, missed);
        number_cell(out, row->injection == UW_INJECT_NOTHING ? NAN : row->delay_median, 2);
        number_cell(out, row->auroc, 2);
        rate_cell(out, &row->persistence, false);
        rate_cell(out, &row->untrained, false);
        uw__text_add(out, "</tr>");
    }
    uw__text_add(out, "</table></div>");
}

void uw__page_surprise(const uw_report *r, int32_t side, uw_text *out) {
    const uw_report_side *s = &r->in->sides[side];
    if (!s->surprise && !s->injections) return;
    band_words(out, s->surprise ? &s->surprise->facts : &s->injections->facts);
    if (s->surprise) recording_words(out, s->surprise);
    if (s->injections) injection_table(out, s->injections);
}

/* ---- the recording -------------------------------------------------------------------------- */

static void fitness_checks(uw_text *out, const uw_fitness_report *f) {
    static const char *const kind[] = {"good", "note", "warn", "note"};
    uw__text_add(out, "<ul class=\"care\">");
    for (int32_t i = 0; i < f->num_checks; i++) {
        const uw_fitness_check *c = &f->checks[i];
        uw__text_printf(out, "<li class=\"%s\"><b>",
                        kind[(unsigned)c->verdict < 4 ? c->verdict : UW_FITNESS_UNKNOWN]);
        uw__text_escape(out, c->name);
        if (c->object[0]) {
            uw__text_add(out, ", ");
            uw__text_escape(out, c->object);
        }
        uw__text_add(out, ":</b> ");
        uw__text_escape(out, c->what);
        if (c->advice[0]) {
            uw__text_add(out, " <em>");
            uw__text_escape(out, c->advice);
            uw__text_add(out, "</em>");
        }
        uw__text_add(out, "</li>");
    }
    if (f->left_out)
        uw__text_printf(out, "<li class=\"note\">%d more findings are not shown.</li>",
                        f->left_out);
    uw__text_add(out, "</ul>");
}

static void coverage_table(uw_text *out, const uw_fitness_report *f) {
    if (f->num_coverage < 1) return;
    uw__text_add(
        out,
        "<details><summary>how much of its range each number visits</summary><div class=\"scroll\">"
        "<table><tr><th>number</th><th>from</th><th>to</th><th>evenness, of 16</th>"
        "<th>correlation with the next row</th></tr>");
    for (int32_t i = 0; i < f->num_coverage; i++) {
        const uw_coverage_row *row = &f->coverage[i];
        uw__text_add(out, "<tr><td>");
        uw__text_escape(out, row->column);
        uw__text_add(out, row->action ? " (action)</td>" : "</td>");
        number_cell(out, row->low, 3);
        number_cell(out, row->high, 3);
        number_cell(out, row->cells, 3);
        number_cell(out, row->correlation, 2);
        uw__text_add(out, "</tr>");
    }
    uw__text_add(out, "</table></div></details>");
}

void uw__page_fitness(const uw_report *r, uw_text *out) {
    const uw_fitness_report *f = r->in->fitness;
    if (!f) return;
    uw__text_add(out, "<div class=\"tiles\">");
    tile(out, (double)f->episodes, 6, "", "episodes");
    tile(out, (double)f->rows, 8, "", "rows");
    uw__text_add(out, "<div class=\"tile\"><b>");
    uw__text_escape(out, uw_fitness_verdict_str(f->verdict));
    uw__text_add(
        out, "</b><span>fit to train on</span></div></div><div style=\"margin-top:14px\"></div>");
    fitness_checks(out, f);
    coverage_table(out, f);
}
