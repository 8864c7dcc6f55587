/* The report's figures, each drawn from the gathered numbers, and their files: an SVG and the CSV
 * of the numbers in it. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "fileio.h"

/* ---- CSV ------------------------------------------------------------------------------------ */

void uw__csv_word(uw_text *csv, const char *word) {
    if (!csv) return;
    const bool plain = !strpbrk(word, ",\"\r\n");
    if (!plain) uw__text_add(csv, "\"");
    for (; *word; word++) {
        if (*word == '"') uw__text_add(csv, "\"");
        uw__text_bytes(csv, word, 1);
    }
    if (!plain) uw__text_add(csv, "\"");
}

void uw__csv_numbers(uw_text *csv, bool after, const double *x, int32_t n) {
    if (!csv) return;
    for (int32_t i = 0; i < n; i++) {
        char text[64];
        uw__format_f64(text, sizeof text, x[i]);
        if (i || after) uw__text_add(csv, ",");
        uw__text_add(csv, text);
    }
    uw__text_add(csv, "\n");
}

void uw__csv_add(uw_text *csv, const char *text) {
    if (csv) uw__text_add(csv, text);
}

static void csv_rate(uw_text *csv, const char *word, const uw_rate *rate) {
    const double cells[5] = {rate->episodes, rate->successes, rate->rate, rate->low, rate->high};
    uw__csv_word(csv, word);
    uw__csv_numbers(csv, true, cells, 5);
}

/* ---- success -------------------------------------------------------------------------------- */

uw_interval uw__interval_of(const uw_rate *rate) {
    if (!rate || rate->episodes < 1) return (uw_interval){NAN, NAN, NAN};
    return (uw_interval){rate->rate, rate->low, rate->high};
}

bool uw__figure_success(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                        uw_text *csv) {
    (void)side;
    static const char *const note[UW_NUM_DRIVERS] = {
        "plans in its imagination",   "random actions",
        "straight to the true goal",  "same planner, real physics",
        "scripted, knows everything", "does nothing",
        "the recorded actions"};
    uw_interval_row rows[2 + UW_NUM_DRIVERS] = {0};
    int32_t n = 0;
    uw__csv_add(csv, "driver,episodes,successes,rate,low,high\n");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        const uw_eval_result *e = r->in->sides[i].eval;
        if (!e) continue;
        rows[n++] = (uw_interval_row){.label = uw__side_title(r, i),
                                      .of = {uw__interval_of(&e->success)},
                                      .note = note[0],
                                      .strong = true,
                                      .colour = i};
        csv_rate(csv, uw__side_title(r, i), &e->success);
    }
    if (!n) return false;
    for (int32_t d = 1; d < UW_NUM_DRIVERS; d++) {
        const uw_rate *rate = NULL;
        for (int32_t i = r->in->num_sides - 1; i >= 0; i--) {
            const uw_eval_result *b = r->in->sides[i].baselines;
            if (b && b[d].num_episodes > 0) rate = &b[d].success;
        }
        if (!rate) continue;
        rows[n++] = (uw_interval_row){.label = uw_driver_str((uw_driver)d),
                                      .of = {uw__interval_of(rate)},
                                      .note = note[d],
                                      .colour = -1};
        csv_rate(csv, uw_driver_str((uw_driver)d), rate);
    }
    const uw_interval_chart chart = {.title = "Episodes that reached the goal",
                                     .num_series = 1,
                                     .rows = rows,
                                     .num_rows = n,
                                     .reference = NAN};
    uw__svg_intervals(svg, &chart, dress);
    return true;
}

/* ---- training ------------------------------------------------------------------------------- */

static bool any_finite(const double *x, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (isfinite(x[i])) return true;
    return false;
}

bool uw__figure_losses(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                       uw_text *csv) {
    const uw_curves *c = &r->curves[side];
    if (c->n < 2) return false;
    const struct {
        const char *name;
        const double *y;
    } term[4] = {{"total", c->loss},
                 {"one step", c->prediction},
                 {"rollout", c->rollout},
                 {"SIGReg", c->sigreg}};
    uw_svg_series series[4];
    int32_t n = 0;
    for (int32_t k = 0; k < 4; k++)
        if (any_finite(term[k].y, c->n))
            series[n++] = (uw_svg_series){
                .name = term[k].name, .colour = k - 1, .x = c->step, .y = term[k].y, .n = c->n};
    uw__csv_add(csv, "step,loss,prediction_loss,rollout_loss,sigreg\n");
    for (int32_t i = 0; i < c->n; i++) {
        const double cells[5] = {c->step[i], c->loss[i], c->prediction[i], c->rollout[i],
                                 c->sigreg[i]};
        uw__csv_numbers(csv, false, cells, 5);
    }
    const uw_line_chart chart = {.title = "Loss terms while training",
                                 .x = {.label = "training step"},
                                 .y = {.log = true},
                                 .series = series,
                                 .num_series = n};
    uw__svg_lines(svg, &chart, dress);
    return true;
}

/* A gauge of both sides over training; null_of (nullable) adds a dashed line. */
static bool gauge_chart(const uw_report *r, const char *title, const char *word, bool log,
                        bool rank, uw_svg_dress dress, uw_text *svg, uw_text *csv) {
    uw_svg_series series[4];
    int32_t n = 0;
    if (csv) uw__text_printf(csv, "side,step,%s\n", word);
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        const uw_curves *c = &r->curves[i];
        const double *y = rank ? c->rank : c->sigreg;
        if (c->n < 2 || !any_finite(y, c->n)) continue;
        series[n++] = (uw_svg_series){.name = r->in->num_sides > 1 ? uw__side_title(r, i)
                                              : rank               ? NULL
                                                                   : "SIGReg",
                                      .colour = i,
                                      .x = c->step,
                                      .y = y,
                                      .n = c->n};
        for (int32_t k = 0; k < c->n; k++) {
            uw__csv_word(csv, uw__side_title(r, i));
            uw__csv_numbers(csv, true, (const double[]){c->step[k], y[k]}, 2);
        }
    }
    if (!n) return false;
    const uw_curves *c = &r->curves[series[0].colour];
    if (!rank && any_finite(c->sigreg_null, c->n))
        series[n++] = (uw_svg_series){.name = "a perfect Gaussian sample",
                                      .colour = -1,
                                      .x = c->step,
                                      .y = c->sigreg_null,
                                      .n = c->n,
                                      .dashed = true};
    const uw_line_chart chart = {.title = title,
                                 .x = {.label = "training step"},
                                 .y = {.log = log, .from_zero = !log},
                                 .series = series,
                                 .num_series = n};
    uw__svg_lines(svg, &chart, dress);
    return true;
}

bool uw__figure_sigreg(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                       uw_text *csv) {
    (void)side;
    return gauge_chart(r, "SIGReg against its null value", "sigreg", true, false, dress, svg, csv);
}

bool uw__figure_rank(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                     uw_text *csv) {
    (void)side;
    return gauge_chart(r, "Effective rank while training", "effective_rank", false, true, dress,
                       svg, csv);
}

/* ---- what it knows -------------------------------------------------------------------------- */

/* Drift of both sides: ratio to persistence, or error in the state's unit. */
static bool drift_chart(const uw_report *r, bool in_unit, uw_svg_dress dress, uw_text *svg,
                        uw_text *csv) {
    static const double one[2] = {1.0, 1.0};
    double x[2][UW_MAX_DRIFT_STEPS], y[2][UW_MAX_DRIFT_STEPS], last = 1.0;
    double other[2][UW_MAX_DRIFT_STEPS]; /* the linear model's and the re-fitted predictor's, with
                                            one side */
    uw_svg_series series[5];
    int32_t n = 0;
    uw__csv_add(csv, "side,step,error,persistence,ratio,ratio_low,ratio_high,linear_ratio,head_"
                     "ratio,rmse,rmse_low,"
                     "rmse_high,linear_rmse,head_rmse,persistence_rmse\n");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        const uw_probe_report *p = r->in->sides[i].probe;
        if (!p) continue;
        for (int32_t k = 0; k < p->num_drift; k++) {
            const uw_drift_row *d = &p->drift[k];
            x[i][k] = d->step;
            y[i][k] = in_unit ? d->rmse : d->ratio;
            last = fmax(last, d->step);
            uw__csv_word(csv, uw__side_title(r, i));
            uw__csv_numbers(csv, true,
                            (const double[]){d->step, d->error, d->persistence, d->ratio,
                                             d->ratio_ci[0], d->ratio_ci[1], d->linear_ratio,
                                             d->head_ratio, d->rmse, d->rmse_ci[0], d->rmse_ci[1],
                                             d->linear_rmse, d->head_rmse, d->persistence_rmse},
                            14);
            if (i) continue;
            other[0][k] = in_unit ? d->linear_rmse : d->linear_ratio;
            other[1][k] = in_unit ? d->head_rmse : d->head_ratio;
        }
        if (p->num_drift < 1 || !any_finite(y[i], p->num_drift)) continue;
        series[n++] = (uw_svg_series){.name = uw__side_title(r, i),
                                      .colour = i,
                                      .x = x[i],
                                      .y = y[i],
                                      .n = p->num_drift,
                                      .markers = true};
    }
    if (!n) return false;
    static const char *const rival[2] = {"a linear model of the latents", "predictor fitted anew"};
    for (int32_t k = 0; k < 2 && r->in->num_sides == 1; k++)
        if (any_finite(other[k], r->in->sides[0].probe->num_drift))
            series[n++] = (uw_svg_series){.name = rival[k],
                                          .colour = 2 + k,
                                          .x = x[0],
                                          .y = other[k],
                                          .n = r->in->sides[0].probe->num_drift,
                                          .dashed = true};
    const double ends[2] = {1.0, last};
    if (!in_unit)
        series[n++] = (uw_svg_series){.name = "\"nothing changes\"",
                                      .colour = -1,
                                      .x = ends,
                                      .y = one,
                                      .n = 2,
                                      .dashed = true};
    char unit[64];
    snprintf(unit, sizeof unit, "error, %s", uw__unit_of(r)[0] ? uw__unit_of(r) : "recorded units");
    const uw_line_chart chart = {.title = in_unit
                                              ? "Imagined against recorded state"
                                              : "Drift of imagination, as a share of persistence",
                                 .x = {.label = "decisions imagined ahead"},
                                 .y = {.label = in_unit ? unit : "error / persistence",
                                       .log = !in_unit,
                                       .from_zero = in_unit},
                                 .series = series,
                                 .num_series = n};
    uw__svg_lines(svg, &chart, dress);
    return true;
}

bool uw__figure_drift(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                      uw_text *csv) {
    (void)side;
    return drift_chart(r, false, dress, svg, csv);
}

bool uw__figure_drift_unit(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                           uw_text *csv) {
    (void)side;
    return drift_chart(r, true, dress, svg, csv);
}

bool uw__figure_spectrum(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                         uw_text *csv) {
    (void)side;
    double *table = malloc(4 * UW_MAX_LATENT_DIM * sizeof *table);
    uw_svg_series series[2];
    int32_t n = 0;
    if (!table) {
        svg->failed = true;
        return false;
    }
    uw__csv_add(csv, "side,direction,eigenvalue,share\n");
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        const uw_probe_report *p = r->in->sides[i].probe;
        if (!p || p->num_eigenvalues < 1) continue;
        double *x = table + 2 * i * UW_MAX_LATENT_DIM, *y = x + UW_MAX_LATENT_DIM, sum = 0.0;
        for (int32_t k = 0; k < p->num_eigenvalues; k++) sum += fmax(0.0, p->eigenvalues[k]);
        for (int32_t k = 0; k < p->num_eigenvalues; k++) {
            x[k] = k + 1;
            /* what is left below 1e-8 of the whole is rounding */
            y[k] = sum > 0.0 && p->eigenvalues[k] > 1e-8 * sum ? p->eigenvalues[k] / sum : NAN;
            uw__csv_word(csv, uw__side_title(r, i));
            uw__csv_numbers(csv, true, (const double[]){x[k], p->eigenvalues[k], y[k]}, 3);
        }
        if (any_finite(y, p->num_eigenvalues))
            series[n++] =
                (uw_svg_series){.name = r->in->num_sides > 1 ? uw__side_title(r, i) : NULL,
                                .colour = i,
                                .x = x,
                                .y = y,
                                .n = p->num_eigenvalues,
                                .markers = p->num_eigenvalues <= 64};
    }
    const uw_line_chart chart = {.title = "Spectrum of the latent",
                                 .x = {.label = "direction, by variance"},
                                 .y = {.label = "share of the variance", .log = true},
                                 .series = series,
                                 .num_series = n};
    if (n) uw__svg_lines(svg, &chart, dress);
    free(table);
    return n > 0;
}

/* ---- robustness ----------------------------------------------------------------------------- */

static const uw_card_cell *find_cell(const uw_card *card, const uw_card_cell *like) {
    for (int32_t i = 0; card && i < card->num_cells; i++)
        if (!strcmp(card->cells[i].factor, like->factor) &&
            !strcmp(card->cells[i].value, like->value))
            return &card->cells[i];
    return NULL;
}

/* How a factor was changed; of one model, too, whether it had met that in training. */
static void cell_note(const uw_card_cell *cell, bool both, char *text, size_t size) {
    const bool random = strcmp(cell->value, "random") == 0;
    const char *how = uw__value_title(cell->value), *space = *cell->at ? " " : "";
    const char *met = cell->in_training ? "seen in training" : "never in training";
    if (both)
        snprintf(text, size, "%s%s%s", how, space, cell->at);
    else if (random)
        snprintf(text, size, "%s", met);
    else
        snprintf(text, size, "%s%s%s, %s", how, space, cell->at, met);
}

bool uw__figure_robustness(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                           uw_text *csv) {
    (void)side;
    const uw_card *card[2] = {r->in->sides[0].card,
                              r->in->num_sides > 1 ? r->in->sides[1].card : NULL};
    const bool both = card[0] && card[1];
    const uw_card *lead = card[0] ? card[0] : card[1];
    if (!lead) return false;
    uw_interval_row rows[UW_MAX_CARD_CELLS + 1] = {0};
    char notes[UW_MAX_CARD_CELLS][128];
    rows[0] = (uw_interval_row){
        .label = "nominal",
        .note = "nothing changed",
        .strong = true,
        .of = {uw__interval_of(&lead->nominal), uw__interval_of(both ? &card[1]->nominal : NULL)}};
    uw__csv_add(csv, "side,factor,value,in_training,episodes,successes,rate,low,high\n");
    for (int32_t i = 0; i < lead->num_cells; i++) {
        const uw_card_cell *cell = &lead->cells[i], *other = both ? find_cell(card[1], cell) : NULL;
        cell_note(cell, both, notes[i], sizeof notes[i]);
        rows[i + 1] = (uw_interval_row){
            .label = uw__factor_title(cell->factor),
            .note = notes[i],
            .colour = cell->in_training ? 0 : 1,
            .of = {uw__interval_of(&cell->rate), uw__interval_of(other ? &other->rate : NULL)}};
    }
    for (int32_t k = 0; k < 2; k++) {
        for (int32_t i = 0; card[k] && i < card[k]->num_cells; i++) {
            const uw_card_cell *cell = &card[k]->cells[i];
            char word[96];
            snprintf(word, sizeof word, "%s,%s,%d", cell->factor, cell->value, cell->in_training);
            uw__csv_word(csv, uw__side_title(r, k));
            uw__csv_add(csv, ",");
            uw__csv_add(csv, word);
            uw__csv_numbers(csv, true,
                            (const double[]){cell->rate.episodes, cell->rate.successes,
                                             cell->rate.rate, cell->rate.low, cell->rate.high},
                            5);
        }
    }
    const uw_interval_chart chart = {
        .title = "Success when the world looks different",
        .names = {uw__side_title(r, 0), both ? uw__side_title(r, 1) : NULL},
        .num_series = both ? 2 : 1,
        .rows = rows,
        .num_rows = lead->num_cells + 1,
        .reference = both ? NAN : lead->nominal.rate};
    uw__svg_intervals(svg, &chart, dress);
    return true;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static bool map_chart(const uw_report *r, int32_t side, int32_t which, uw_svg_dress dress,
                      uw_text *svg, uw_text *csv) {
    const uw_latent_map *m = &r->map[side];
    if (m->n < 1 || which >= m->num_values) return false;
    char axis[2][48], title[160];
    for (int i = 0; i < 2; i++)
        snprintf(axis[i], sizeof axis[i], "main direction %d (%d %% of variance)", i + 1,
                 (int)lround(100.0 * m->share[i]));
    snprintf(title, sizeof title, "Latent map by %s", m->name[which]);
    uw__csv_add(csv, "pc1,pc2,value\n");
    for (int32_t i = 0; csv && i < m->n; i++)
        uw__csv_numbers(csv, false, (const double[]){m->pc1[i], m->pc2[i], m->value[which][i]}, 3);
    const uw_map_chart chart = {.title = title,
                                .x_label = axis[0],
                                .y_label = axis[1],
                                .value_label = m->name[which],
                                .x = m->pc1,
                                .y = m->pc2,
                                .value = m->value[which],
                                .n = m->n};
    uw__svg_map(svg, &chart, dress);
    return true;
}

bool uw__figure_map_1(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                      uw_text *csv) {
    return map_chart(r, side, 0, dress, svg, csv);
}

bool uw__figure_map_2(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                      uw_text *csv) {
    return map_chart(r, side, 1, dress, svg, csv);
}

bool uw__figure_map_3(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                      uw_text *csv) {
    return map_chart(r, side, 2, dress, svg, csv);
}

/* ---- files ---------------------------------------------------------------------------------- */

static uw_status write_one(const uw_report *r, uw_figure_fn *figure, const char *dir,
                           const char *name, int32_t side, bool numbered, bool overwrite,
                           uw_err *err) {
    uw_text svg = {0}, csv = {0};
    uw_status s = UW_OK;
    if (figure(r, side, UW_SVG_FILE, &svg, &csv)) {
        const uw_text *part[2] = {&svg, &csv};
        static const char *const ending[2] = {"svg", "csv"};
        for (int i = 0; i < 2 && !s; i++) {
            char path[1024], number[16] = "";
            if (numbered) snprintf(number, sizeof number, "-%d", side + 1);
            if (snprintf(path, sizeof path, "%s/%s%s.%s", dir, name, number, ending[i]) >=
                (int)sizeof path)
                s = uw_fail(err, UW_EINVAL, "%s: over-long path", dir);
            else if (part[i]->failed)
                s = uw_fail(err, UW_ENOMEM, "%s: figure", path);
            else
                s = uw__file_write_atomic(path, part[i]->data, part[i]->size, overwrite, err);
        }
    }
    uw__text_fini(&svg);
    uw__text_fini(&csv);
    return s;
}

uw_status uw__figures_write(const uw_report *r, const char *dir, bool overwrite, uw_err *err) {
    static const struct {
        const char *name;
        uw_figure_fn *draw;
        bool per_side;
    } figures[] = {
#define X(name, per_side) {#name, uw__figure_##name, per_side},
        UW_FIGURE_MAP(X)
#undef X
    };
    uw_status s = uw__mkdirs(dir, err);
    for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
        const int32_t sides = figures[f].per_side ? r->in->num_sides : 1;
        for (int32_t side = 0; side < sides && !s; side++)
            s = write_one(r, figures[f].draw, dir, figures[f].name, side, sides > 1, overwrite,
                          err);
    }
    return s;
}
