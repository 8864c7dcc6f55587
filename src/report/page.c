/* The page: what it says, in the order a reader asks.
 *
 * Sections leave themselves out when their numbers were not given.  With two sides, figures that
 * can show both do; the rest stands side by side. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- pieces --------------------------------------------------------------------------------- */

/* One figure in a card; caption is ours (markup). */
static bool figure(const uw_report *r, uw_figure_fn *draw, int32_t side, const char *title,
                   const char *caption, uw_text *out) {
    uw_text svg = {0};
    const bool any = draw(r, side, UW_SVG_PAGE, &svg, NULL);
    if (any && svg.data) {
        uw__text_printf(out, "<figure class=\"card\"><figcaption><h3>%s</h3>%s</figcaption>", title,
                        caption);
        uw__text_bytes(out, svg.data, svg.size);
        uw__text_add(out, "</figure>\n");
    }
    out->failed = out->failed || svg.failed;
    uw__text_fini(&svg);
    return any;
}

/* The side's name over what belongs to it; nothing when there is one side. */
static void side_heading(const uw_report *r, int32_t side, uw_text *out) {
    if (r->in->num_sides < 2) return;
    uw__text_printf(out, "<h3><span class=\"dot d%d\"></span>", side);
    uw__text_escape(out, uw__side_title(r, side));
    uw__text_add(out, "</h3>");
}

static void section_open(uw_text *out, const char *id, const char *title, const char *lead) {
    uw__text_printf(out, "<section id=\"%s\"><h2>%s</h2><p class=\"lead\">%s</p>\n", id, title,
                    lead);
}

static void section_close(uw_text *out) {
    uw__text_add(out, "</section>\n");
}

/* A grid with one card per side for which the writer has something. */
static void side_cards(const uw_report *r, void (*write)(const uw_report *, int32_t, uw_text *),
                       uw_text *out) {
    uw__text_add(out, "<div class=\"grid\">");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        uw_text part = {0};
        write(r, i, &part);
        if (part.size) {
            uw__text_add(out, "<div class=\"card\">");
            side_heading(r, i, out);
            uw__text_bytes(out, part.data, part.size);
            uw__text_add(out, "</div>");
        }
        out->failed = out->failed || part.failed;
        uw__text_fini(&part);
    }
    uw__text_add(out, "</div>\n");
}

/* ---- headline ------------------------------------------------------------------------------- */

static void rate_tile(uw_text *out, const uw_rate *rate, const char *label) {
    if (rate->episodes < 1) return;
    uw__text_add(out, "<div class=\"tile\"><b>");
    uw__text_percent(out, rate->rate);
    uw__text_printf(out, "</b><span>%s (%d of %d)</span></div>", label, rate->successes,
                    rate->episodes);
}

static void headline(const uw_report *r, int32_t side, uw_text *out) {
    const uw_eval_result *e = r->in->sides[side].eval;
    const bool rooms = r->world && !strcmp(r->world->name, "two_room");
    if (!e || e->success.episodes < 1) return;
    uw__text_add(out, "<p class=\"big\">");
    uw__text_percent(out, e->success.rate);
    uw__text_printf(
        out,
        "</p><p>of %d episodes reached the goal. The exact 95\xC2\xA0%% interval of this rate is ",
        e->success.episodes);
    uw__text_fixed(out, 100.0 * e->success.low, 1);
    uw__text_add(out, " to ");
    uw__text_percent(out, e->success.high);
    uw__text_add(out, ".</p><div class=\"tiles\">");
    rate_tile(out, &e->hard, rooms ? "goal in the other room" : "hard pairs");
    rate_tile(out, &e->easy, rooms ? "goal in the same room" : "easy pairs");
    if (e->success.successes > 0) {
        uw__text_add(out, "<div class=\"tile\"><b>");
        uw__text_fixed(out, e->mean_steps, 1);
        uw__text_printf(out, "</b><span>steps to the goal on average (%d allowed)</span></div>",
                        e->budget);
    }
    if (e->decisions > 0) {
        uw__text_add(out, "<div class=\"tile\"><b>");
        uw__text_number(out, e->plan_ms_p50, 2);
        uw__text_add(out, "\xC2\xA0ms</b><span>to plan one decision (median)</span></div>");
    }
    uw__text_add(out, "</div>");
}

static void header(const uw_report *r, uw_text *out) {
    uw__text_add(out, "<header><p class=\"eyebrow\">umwelt report");
    if (r->in->env && *r->in->env) {
        uw__text_add(out, " \xC2\xB7 ");
        uw__text_escape(out, r->in->env);
    }
    uw__text_add(out, "</p><h1>");
    uw__text_escape(out, r->in->title && *r->in->title ? r->in->title
                                                       : "From experience to a controller");
    uw__text_add(
        out,
        "</h1><p class=\"lead\">From recorded experience to a controller: a model was trained to "
        "imagine what actions do, and plans in its imagination. This page says how often that "
        "works, how it was made, and <b>when not to trust it</b>.</p>");
}

static void result(const uw_report *r, uw_text *out) {
    bool any = false;
    for (int32_t i = 0; i < r->in->num_sides; i++) any = any || r->in->sides[i].eval;
    if (!any) return;
    section_open(out, "result", "Does it reach its goals?",
                 "Start and goal are drawn at random; the goal is given as a picture only. Every "
                 "driver below met "
                 "the same starts and goals.");
    uw__text_add(out, "<div class=\"grid\">");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        if (!r->in->sides[i].eval) continue;
        uw__text_add(out, "<div class=\"card\">");
        side_heading(r, i, out);
        headline(r, i, out);
        uw__text_add(out, "</div>");
    }
    if (r->in->num_sides > 1) uw__text_add(out, "<div class=\"wide\">");
    figure(r, uw__figure_success, 0, "Next to the baselines",
           "Dot: share of episodes that reached the goal. Bar: exact 95\xC2\xA0% interval "
           "(Clopper-Pearson).",
           out);
    uw__text_add(out, r->in->num_sides > 1 ? "</div></div>\n" : "</div>\n");
    section_close(out);
}

static void watch(const uw_report *r, uw_text *out) {
    if (!r->gif_bytes) return;
    /* as uw_report_animation decides */
    const bool memory = r->in->dataset && *r->in->dataset &&
                        uw_model_config_of(r->in->sides[0].model)->input != UW_INPUT_COLUMNS;
    section_open(out, "watch", "Watch it act",
                 memory
                     ? "One row per episode; a green frame says that the goal was reached, within "
                       "the world's tolerance. On the right: of all recorded frames, the one whose "
                       "latent is nearest to what the model imagined for the decision being "
                       "carried out. When middle and right agree, it imagined well."
                     : "One row per episode: the goal picture, and what happened. A green frame "
                       "says that the goal was reached, within the world's tolerance.");
    uw__text_printf(
        out,
        "<div class=\"card\"><div class=\"watch\"><div class=\"cols\" "
        "style=\"grid-template-columns:repeat(%d,1fr)\"><span>goal picture</span><span>what "
        "happened</span>%s</div><img alt=\"Animation: goal, what happened, what was imagined\" "
        "src=\"data:image/gif;base64,",
        memory ? 3 : 2, memory ? "<span>what it imagined</span>" : "");
    uw__text_base64(out, r->gif, r->gif_bytes);
    uw__text_add(out, "\"/></div></div>\n");
    section_close(out);
}

/* ---- making --------------------------------------------------------------------------------- */

static void making(const uw_report *r, uw_text *out) {
    section_open(
        out, "making", "How it was made",
        "Enough to make it again: the same seed gives the same bits, for any number of threads.");
    side_cards(r, uw__page_facts, out);
    if (r->in->command && *r->in->command) {
        uw__text_add(out, "<pre>");
        uw__text_escape(out, r->in->command);
        uw__text_add(out, "</pre>");
    }
    section_close(out);
}

static void training(const uw_report *r, uw_text *out) {
    uw_text part = {0};
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        char title[160] = "Loss terms";
        uw_text name = {0};
        if (r->in->num_sides > 1) {
            uw__text_escape(&name, uw__side_title(r, i));
            if (name.data) snprintf(title, sizeof title, "Loss terms: %.120s", name.data);
        }
        figure(r, uw__figure_losses, i, title,
               "Predicting the next latent, predicting several in a row, and SIGReg, which keeps "
               "the latent "
               "spread out.",
               &part);
        uw__text_fini(&name);
    }
    figure(r, uw__figure_sigreg, 0, "SIGReg against its null value",
           "How far the latent is from a round Gaussian cloud. The dashed line is what a perfect "
           "sample of this size "
           "would score; a small world in many dimensions stays above it.",
           &part);
    for (int32_t i = 0; i < r->in->num_sides; i++)
        figure(r, uw__figure_run, i, "Prediction is not planning",
               "Each kept model of the run: how well it predicts, and how often it reaches goals.",
               &part);
    figure(r, uw__figure_rank, 0, "Effective rank",
           "How many directions of the latent are in use. Falling to 1 would be collapse.", &part);
    if (part.size) {
        section_open(out, "training", "Training",
                     "What was minimised, and whether the latent stayed alive.");
        uw__text_add(out, "<div class=\"grid\">");
        uw__text_bytes(out, part.data, part.size);
        uw__text_add(out,
                     "</div><h3 style=\"margin-top:26px\">Gauges of the finished latent</h3>\n");
        side_cards(r, uw__page_gauges, out);
        section_close(out);
    }
    out->failed = out->failed || part.failed;
    uw__text_fini(&part);
}

/* ---- knowing -------------------------------------------------------------------------------- */

static void geometry_tiles(const uw_report *r, int32_t side, uw_text *out) {
    const uw_probe_report *p = r->in->sides[side].probe;
    if (!p || !p->geometry.known) return;
    const uw_geometry *g = &p->geometry;
    const struct {
        double value;
        const char *label;
    } tile[4] = {{g->hard_rho_path, "latent distance with path length, across rooms"},
                 {g->hard_rho_euclid, "latent distance with straight distance, across rooms"},
                 {g->rho_path, "with path length, all pairs"},
                 {g->stretch, "stretch across the wall (1 = none)"}};
    uw__text_add(out, "<div class=\"tiles\">");
    for (int i = 0; i < 4; i++) {
        uw__text_add(out, "<div class=\"tile\"><b>");
        uw__text_exact(out, tile[i].value, i == 3 ? 1 : 2);
        uw__text_printf(out, "</b><span>%s</span></div>", tile[i].label);
    }
    uw__text_add(out, "</div>");
}

static void knowing(const uw_report *r, uw_text *out) {
    bool any = false, geometry = false;
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        any = any || r->in->sides[i].probe;
        geometry = geometry || (r->in->sides[i].probe && r->in->sides[i].probe->geometry.known);
    }
    if (!any) return;
    section_open(out, "knowledge", "What it knows",
                 "Nobody told the model where it is. A probe, fitted on half of the recorded "
                 "episodes, reads the "
                 "numbers below from its latent on the other half. R\xC2\xB2 = 1 is perfect; on "
                 "shuffled labels a "
                 "probe must find nothing.");
    side_cards(r, uw__page_probe_table, out);
    uw__text_add(out, "<div class=\"grid\" style=\"margin-top:18px\">");
    for (int32_t i = 0; i < r->in->num_sides; i++)
        figure(r, uw__figure_probes, i, "How much a probe reads from the latent",
               "Share of each number's variance explained on episodes the probe has not seen, with "
               "95\xC2\xA0% "
               "intervals. Grey: controls. A probe that reads as much from an untrained encoder or "
               "from the "
               "pixels' own main directions says nothing about what was learned.",
               out);
    figure(r, uw__figure_spectrum, 0, "Spectrum of the latent",
           "Share of the latent's variance along each of its main directions. A cliff after a few "
           "means that only "
           "those are used.",
           out);
    uw__text_add(out, "</div>\n");
    if (geometry) {
        uw__text_add(
            out,
            "<h3 style=\"margin-top:26px\">Does its sense of distance know the way around?</h3>"
            "<p class=\"lead\">Rank correlations over random pairs of places. A latent that merely "
            "copies "
            "positions follows the straight line (right through the wall); a useful one is torn "
            "across "
            "the wall and follows the path at least as much.</p>");
        side_cards(r, geometry_tiles, out);
    }
    section_close(out);
}

/* Frames of the recording over what was imagined for them. */
static void imagined(const uw_report *r, int32_t side, uw_text *out) {
    if (!r->imagined_bytes[side]) return;
    uw__text_add(
        out,
        "<h3>What it thinks it sees</h3><p>Upper rows: recorded frames, two decisions apart. Lower "
        "rows: from the first frame and the actions alone, the remembered frame nearest to what it "
        "imagined.</p><div class=\"watch\"><img alt=\"Recorded and imagined frames\" "
        "src=\"data:image/png;base64,");
    uw__text_base64(out, r->imagined[side], r->imagined_bytes[side]);
    uw__text_add(out, "\"/></div>");
}

static void imagining(const uw_report *r, uw_text *out) {
    uw_text part = {0};
    figure(r, uw__figure_drift, 0, "Against \"nothing changes\"",
           "Error of the imagined latent over the error of guessing that nothing changes. Below "
           "0.1 after four "
           "decisions is what good planners have had.",
           &part);
    figure(r, uw__figure_drift_unit, 0, "In the world's own unit",
           "The imagined latent, read by the linear probe, against the recorded state.", &part);
    if (part.size) {
        section_open(out, "imagination", "How far it can imagine",
                     "From a recorded frame the model imagines what the recorded actions will do, "
                     "without looking "
                     "again, and is compared with what really came.");
        uw__text_add(out, "<div class=\"grid\">");
        uw__text_bytes(out, part.data, part.size);
        uw__text_add(out, "</div><div style=\"margin-top:18px\"></div>\n");
        side_cards(r, uw__page_drift_table, out);
        uw__text_add(out, "<div style=\"margin-top:18px\"></div>\n");
        side_cards(r, imagined, out);
        section_close(out);
    }
    out->failed = out->failed || part.failed;
    uw__text_fini(&part);
}

static void robustness(const uw_report *r, uw_text *out) {
    bool any = false;
    for (int32_t i = 0; i < r->in->num_sides; i++) any = any || r->in->sides[i].card;
    if (!any) return;
    section_open(
        out, "robustness", "When the world looks different",
        r->in->num_sides > 1
            ? "The same task with one thing changed at a time, drawn anew for every episode, "
              "and with everything changed at once. Bars are exact 95\xC2\xA0% intervals."
            : "The same task with one thing changed at a time, drawn anew for every episode, "
              "and with everything changed at once. Bars are exact 95\xC2\xA0% intervals; "
              "the dashed line is the nominal rate.");
    uw__text_add(out, "<div class=\"grid\">");
    figure(r, uw__figure_robustness, 0, "Robustness card",
           "Share of episodes that reached the goal.", out);
    uw__text_add(out, "<div class=\"stack\">");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        if (!r->in->sides[i].card) continue;
        uw__text_add(out, "<div class=\"card\">");
        side_heading(r, i, out);
        uw__page_card_table(r, i, out);
        uw__text_add(out, "</div>");
    }
    uw__text_add(out, "</div></div>\n");
    section_close(out);
}

/* ---- believing ------------------------------------------------------------------------------ */

static void certificate(const uw_report *r, uw_text *out) {
    bool any = false;
    for (int32_t i = 0; i < r->in->num_sides; i++) any = any || r->in->sides[i].certificate;
    if (!any) return;
    section_open(out, "certificate", "Does theory vouch for it?",
                 "Under conditions that can be tested, a latent like this one must be the world's "
                 "true state, "
                 "turned. Each condition is judged by the size of its violation, with intervals "
                 "over episodes. "
                 "Most real recordings are not covered: then the measurements on this page are "
                 "what there is.");
    side_cards(r, uw__page_certificate, out);
    section_close(out);
}

static void surprise(const uw_report *r, uw_text *out) {
    bool any = false;
    for (int32_t i = 0; i < r->in->num_sides; i++)
        any = any || r->in->sides[i].surprise || r->in->sides[i].injections;
    if (!any) return;
    section_open(out, "surprise", "Does it notice when something is wrong?",
                 "At every step the model knows what it expects to see next. An alarm is raised "
                 "when what comes is "
                 "farther off than in (almost) any calibration episode.");
    side_cards(r, uw__page_surprise, out);
    uw__text_add(out, "<div class=\"grid\" style=\"margin-top:18px\">");
    for (int32_t i = 0; i < r->in->num_sides; i++)
        figure(r, uw__figure_surprise, i, "Events noticed",
               "Share of episodes in which the event raised an alarm. Dashed: the false alarms "
               "that were "
               "allowed.",
               out);
    uw__text_add(out, "</div>\n");
    section_close(out);
}

static void recording(const uw_report *r, uw_text *out) {
    if (!r->in->fitness) return;
    section_open(out, "recording", "Is the recording fit?",
                 "What any model trained on this recording inherits: looked over without a model.");
    uw__text_add(out, "<div class=\"grid\"><div class=\"card\">");
    uw__page_fitness(r, out);
    uw__text_add(out, "</div>");
    figure(r, uw__figure_actions, 0, "Do actions matter?",
           "Information about the next observation that the actions add to the present one, "
           "against actions "
           "taken from other episodes. Where the lines meet, actions cannot be learned.",
           out);
    uw__text_add(out, "</div>\n");
    section_close(out);
}

static void caring(const uw_report *r, uw_text *out) {
    section_open(out, "care", "When not to trust it", "Read off the numbers on this page.");
    side_cards(r, uw__page_advice, out);
    section_close(out);
}

static void maps(const uw_report *r, uw_text *out) {
    static uw_figure_fn *const draw[UW_MAP_VALUES] = {uw__figure_map_1, uw__figure_map_2,
                                                      uw__figure_map_3};
    bool any = false, recorded = false;
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        any = any || r->map[i].n > 0;
        recorded = recorded || r->map[i].recorded;
    }
    if (!any) return;
    section_open(out, "map", "A map of its latent space",
                 recorded ? "Rows of the recording, encoded, and laid flat along the two main "
                            "directions of the latent. Colours that flow smoothly mean that the "
                            "model has found that number by itself; colours that mix mean that "
                            "these two directions do not show it."
                          : "Places all over the world, drawn, encoded, and laid flat along the "
                            "two main directions of the latent. Colours that flow smoothly mean "
                            "that the model has found the coordinate by itself; a gap is where it "
                            "keeps places apart.");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        if (r->map[i].n < 1) continue;
        side_heading(r, i, out);
        uw__text_add(out, "<div class=\"grid maps\">");
        for (int32_t k = 0; k < r->map[i].num_values; k++) {
            uw_text title = {0};
            uw__text_add(&title, "By ");
            uw__text_escape(&title, r->map[i].name[k]);
            figure(r, draw[k], i, title.data ? title.data : "", "", out);
            out->failed = out->failed || title.failed;
            uw__text_fini(&title);
        }
        uw__text_add(out, "</div>\n");
    }
    section_close(out);
}

static void speed(const uw_report *r, uw_text *out) {
    bool any = false;
    for (int32_t i = 0; i < r->in->num_sides; i++)
        any = any || (r->in->sides[i].eval && r->in->sides[i].eval->decisions > 0);
    if (!any) return;
    section_open(out, "speed", "How fast it decides",
                 "Looking at a frame and planning the next action, per decision.");
    side_cards(r, uw__page_latency, out);
    section_close(out);
}

void uw__page_write(const uw_report *r, uw_text *out) {
    uw__text_add(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                      "<link rel=\"icon\" href=\"data:,\"/>\n<title>");
    uw__text_escape(out, r->in->title && *r->in->title ? r->in->title : "umwelt report");
    uw__text_add(out, "</title>\n");
    uw__page_style(out);
    uw__text_add(out, "</head><body><div class=\"wrap\">\n");
    header(r, out);
    uw_text body = {0};
    result(r, &body);
    watch(r, &body);
    robustness(r, &body);
    caring(r, &body);
    imagining(r, &body);
    knowing(r, &body);
    maps(r, &body);
    surprise(r, &body);
    certificate(r, &body);
    speed(r, &body);
    recording(r, &body);
    training(r, &body);
    making(r, &body);
    static const struct {
        const char *id, *title;
    } entry[] = {{"result", "Result"},
                 {"watch", "Watch"},
                 {"robustness", "Robustness"},
                 {"care", "When not to trust it"},
                 {"imagination", "Imagination"},
                 {"knowledge", "Knowledge"},
                 {"map", "Map"},
                 {"surprise", "Surprise"},
                 {"certificate", "Certificate"},
                 {"speed", "Speed"},
                 {"recording", "Recording"},
                 {"training", "Training"},
                 {"making", "Making"}};
    uw__text_add(out, "<nav aria-label=\"Sections\">");
    for (size_t i = 0; i < sizeof entry / sizeof *entry; i++) {
        char anchor[64];
        snprintf(anchor, sizeof anchor, "<section id=\"%s\"", entry[i].id);
        if (!body.data || !strstr(body.data, anchor)) continue;
        uw__text_printf(out, "<a href=\"#%s\">%s</a>", entry[i].id, entry[i].title);
    }
    uw__text_add(out, "</nav></header>\n<main>\n");
    if (body.data) uw__text_bytes(out, body.data, body.size);
    out->failed = out->failed || body.failed;
    uw__text_fini(&body);
    uw__text_printf(out,
                    "</main><footer>Written by umwelt %s. This file is complete: it needs no "
                    "network.</footer>\n"
                    "</div></body></html>\n",
                    uw_version());
}
