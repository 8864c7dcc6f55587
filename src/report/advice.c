/* "When not to trust it": plain sentences, each derived from a number of the report.
 *
 * The thresholds are those that separated good from bad models when the recipe was made: drift at
 * four decisions below 0.10 of persistence, latent distance that follows the way across rooms
 * better than the straight line, a factor that keeps 90 % of the nominal rate. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double keeps_enough = 0.90, drift_limit = 0.10, leaks = 0.10;

static void open_item(uw_text *out, const char *kind) {
    uw__text_printf(out, "<li class=\"%s\">", kind);
}

static void close(uw_text *out) {
    uw__text_add(out, "</li>");
}

static const char *hard_words(const uw_report *r) {
    return r->world && !strcmp(r->world->name, "two_room") ? "start and goal in different rooms"
                                                           : "the hard pairs";
}

/* ---- success -------------------------------------------------------------------------------- */

static void about_success(const uw_report *r, const uw_report_side *s, uw_text *out) {
    const uw_eval_result *e = s->eval;
    if (!e || e->success.episodes < 1) {
        open_item(out, "warn");
        uw__text_add(out, "Success was not measured, so nothing here says that it reaches goals.");
        close(out);
        return;
    }
    const int32_t misses = e->success.episodes - e->success.successes;
    open_item(out, e->success.rate < 0.9 ? "warn" : "note");
    uw__text_printf(out, "It missed %d of %d goals", misses, e->success.episodes);
    if (misses && e->hard.episodes > 0) {
        const int32_t hard = e->hard.episodes - e->hard.successes;
        uw__text_printf(out, "; %s%d of the misses had ", hard == misses && hard > 1 ? "all " : "",
                        hard);
        uw__text_add(out, hard_words(r));
    }
    uw__text_printf(out, ". With %d episodes a true rate as low as ", e->success.episodes);
    uw__text_percent(out, e->success.low);
    uw__text_add(out, " is still possible.");
    close(out);
    const uw_eval_result *b = s->baselines;
    if (b && b[UW_DRIVER_RANDOM].num_episodes > 0 &&
        e->success.low <= b[UW_DRIVER_RANDOM].success.high) {
        open_item(out, "warn");
        uw__text_add(out, "Its success cannot be told from random actions. Do not use it.");
        close(out);
    }
}

/* ---- robustness ----------------------------------------------------------------------------- */

/* Factors of one kind in a row: "a, b and c". */
static void list_factors(const uw_card *card, bool weak, bool trained, uw_text *out) {
    int32_t total = 0, done = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < card->num_cells; i++) {
            const uw_card_cell *c = &card->cells[i];
            if ((c->of_nominal < keeps_enough) != weak || (!weak && c->in_training != trained))
                continue;
            if (pass == 0) {
                total++;
                continue;
            }
            if (done) uw__text_add(out, done + 1 == total ? " and " : ", ");
            uw__text_escape(out, uw__factor_title(c->factor));
            if (weak) {
                uw__text_add(out, " (");
                uw__text_percent(out, c->rate.rate);
                uw__text_add(out, ")");
            }
            done++;
        }
    }
}

static int32_t count_factors(const uw_card *card, bool weak, bool trained) {
    int32_t n = 0;
    for (int32_t i = 0; i < card->num_cells; i++) {
        const bool is_weak = card->cells[i].of_nominal < keeps_enough;
        n += is_weak == weak && (weak || card->cells[i].in_training == trained);
    }
    return n;
}

static void about_factors(const uw_card *card, uw_text *out) {
    if (!card) {
        open_item(out, "warn");
        uw__text_add(out,
                     "Robustness was not measured: expect nothing when the world looks different.");
        close(out);
        return;
    }
    if (count_factors(card, true, false)) {
        open_item(out, "warn");
        uw__text_add(out, "<b>Do not use it where the look changes:</b> it falls below 90\xC2\xA0% "
                          "of its nominal rate under ");
        list_factors(card, true, false, out);
        uw__text_add(out, ".");
        close(out);
    }
    if (count_factors(card, false, true)) {
        open_item(out, "good");
        uw__text_add(out, "It holds, as it was trained to, under changes of ");
        list_factors(card, false, true, out);
        uw__text_add(out, ". Test values come from the range it was trained on.");
        close(out);
    }
    if (count_factors(card, false, false)) {
        open_item(out, "good");
        uw__text_add(out, "It also holds under changes it never met in training: ");
        list_factors(card, false, false, out);
        uw__text_add(out, ".");
        close(out);
    }
    open_item(out, "note");
    uw__text_add(
        out, "What is not on the card (another layout, texture, light, camera) was not measured; "
             "assume that it fails.");
    close(out);
}

/* ---- imagination ---------------------------------------------------------------------------- */

static void about_drift(const uw_probe_report *p, uw_text *out) {
    if (p->num_drift < 1) return;
    const uw_drift_row *four = &p->drift[p->num_drift < 4 ? p->num_drift - 1 : 3];
    const uw_drift_row *last = &p->drift[p->num_drift - 1];
    const bool bad = !(four->ratio < drift_limit);
    open_item(out, bad ? "warn" : "note");
    uw__text_printf(out, "%d decisions ahead its imagination is off by ", four->step);
    uw__text_percent(out, four->ratio);
    uw__text_add(out, " of what changes");
    if (last != four) {
        uw__text_printf(out, ", %d ahead by ", last->step);
        uw__text_percent(out, last->ratio);
    }
    if (isfinite(last->rmse)) {
        uw__text_add(out, " (");
        uw__text_number(out, last->rmse, 2);
        uw__text_add(out, "\xC2\xA0");
        uw__text_escape(out,
                        p->num_probes > 0 && p->probes[0].unit[0] ? p->probes[0].unit : "units");
        uw__text_add(out, ")");
    }
    uw__text_add(out, bad ? ". Models above 10\xC2\xA0% after four decisions plan badly."
                          : ". Do not read plans further ahead than that.");
    close(out);
}

static void about_latent(const uw_probe_report *p, uw_text *out) {
    if (p->num_eigenvalues > 0 && p->effective_rank < 2.0) {
        open_item(out, "warn");
        uw__text_add(out, "The latent has collapsed: its spread is worth only ");
        uw__text_fixed(out, p->effective_rank, 1);
        uw__text_printf(out, " of %d directions.", p->num_eigenvalues);
        close(out);
    }
    if (uw_geometry_misleads(&p->geometry)) {
        open_item(out, "warn");
        uw__text_add(out, "Across obstacles its distances follow the way (rank correlation ");
        uw__text_fixed(out, p->geometry.hard_rho_path, 2);
        uw__text_add(out, ") no better than the straight line (");
        uw__text_fixed(out, p->geometry.hard_rho_euclid, 2);
        uw__text_add(out,
                     "): expect it to plan into walls. Planning from memory does not depend on "
                     "them: <code>umwelt eval MODEL --solver landmark --data D.uw</code>.");
        close(out);
    }
    for (int32_t i = 0; i < p->num_probes; i++) {
        if (!(p->probes[i].shuffled_r2 > leaks)) continue;
        open_item(out, "warn");
        uw__text_add(out, "The probe of ");
        uw__text_escape(out, p->probes[i].column);
        uw__text_add(
            out,
            " does well even on shuffled labels: it reads time in the episode, not the state.");
        close(out);
    }
    for (int32_t i = 0; i < p->num_probes; i++) {
        if (!(p->probes[i].r2 < 0.9)) continue;
        open_item(out, "note");
        uw__text_add(out, "It does not keep ");
        uw__text_escape(out, p->probes[i].column);
        uw__text_add(out, " (a linear probe explains ");
        uw__text_percent(out, fmax(0.0, p->probes[i].r2));
        uw__text_add(out, " of it): do not ask it for goals in that number.");
        close(out);
    }
}

/* ---- belief --------------------------------------------------------------------------------- */

/* A probe that reads as much without training says nothing of the training. */
static void about_controls(const uw_probe_report *p, uw_text *out) {
    for (int32_t i = 0; i < p->num_probes; i++) {
        const uw_probe_row *row = &p->probes[i];
        const double control = fmax(row->untrained_r2, row->pca_r2);
        if (!(control >= row->r2 - 0.005) || row->r2 < 0.5) continue;
        open_item(out, "note");
        uw__text_escape(out, row->column);
        uw__text_add(out, " is read as well from an untrained encoder or from the pixels "
                          "themselves: that it is in "
                          "the latent is no merit of the training.");
        close(out);
    }
    const uw_drift_row *last = p->num_drift > 0 ? &p->drift[p->num_drift - 1] : NULL;
    if (last && last->linear_ratio <= last->ratio) {
        open_item(out, "warn");
        uw__text_printf(
            out,
            "%d decisions ahead a linear model of the latents predicts as well as the network.",
            last->step);
        close(out);
    }
}

static void about_certificate(const uw_certificate *c, uw_text *out) {
    if (!c) return;
    const bool vouched = c->verdict == UW_CERTIFIED || c->verdict == UW_CERTIFIED_WITH_LABELS;
    open_item(out, vouched ? "good" : c->verdict == UW_COLLAPSED ? "warn" : "note");
    uw__text_escape(out, c->headline);
    close(out);
}

static void about_surprise(const uw_injection_report *report, uw_text *out) {
    for (int32_t i = 0; report && i < report->num_rows; i++) {
        const uw_injection_row *row = &report->rows[i];
        if (!row->applies || row->injection == UW_INJECT_NOTHING || row->detected.rate >= 0.9)
            continue;
        open_item(out, "warn");
        uw__text_printf(out, "Do not count on an alarm at: %s. It noticed %d of %d.",
                        uw__injection_title(row->injection), row->detected.successes,
                        row->detected.episodes);
        close(out);
    }
}

static void about_recording(const uw_fitness_report *f, uw_text *out) {
    for (int32_t i = 0; f && i < f->num_checks; i++) {
        const uw_fitness_check *c = &f->checks[i];
        if (c->verdict != UW_FITNESS_BAD) continue;
        open_item(out, "warn");
        uw__text_add(out, "The recording itself: ");
        uw__text_escape(out, c->name);
        uw__text_add(out, c->object[0] ? ", " : "");
        uw__text_escape(out, c->object);
        uw__text_add(out, ": ");
        uw__text_escape(out, c->what);
        close(out);
    }
}

static void about_speed(const uw_eval_result *e, uw_text *out) {
    if (!e || e->decisions < 1) return;
    open_item(out, "note");
    uw__text_add(out, "Its slowest decision on this machine took ");
    uw__text_number(out, e->plan_ms_max, 3);
    uw__text_add(out, "\xC2\xA0ms. A control loop faster than that needs a planning deadline.");
    close(out);
}

void uw__page_advice(const uw_report *r, int32_t side, uw_text *out) {
    const uw_report_side *s = &r->in->sides[side];
    uw__text_add(out, "<ul class=\"care\">");
    about_success(r, s, out);
    about_factors(s->card, out);
    if (s->probe) {
        about_drift(s->probe, out);
        about_latent(s->probe, out);
        about_controls(s->probe, out);
    }
    about_certificate(s->certificate, out);
    about_surprise(s->injections, out);
    about_recording(r->in->fitness, out);
    about_speed(s->eval, out);
    uw__text_add(out, "</ul>");
}
