/* Figures of what makes a model believable: probes beside their controls, surprise, the recording's
 * fitness, success along a run. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>

/* R2 on the scale of a share: what explains less than nothing explains nothing. */
static uw_interval share_of(double r2, const double ci[2]) {
    if (!isfinite(r2)) return (uw_interval){NAN, NAN, NAN};
    const bool known = ci && isfinite(ci[0]) && isfinite(ci[1]);
    return (uw_interval){fmax(0.0, r2), known ? fmax(0.0, ci[0]) : fmax(0.0, r2),
                         known ? fmax(0.0, ci[1]) : fmax(0.0, r2)};
}

bool uw__figure_probes(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                       uw_text *csv) {
    enum { MAX_COLUMNS = 6, READERS = 6 }; /* the table has every column */
    static const char *const reader[READERS] = {"linear probe",       "small MLP",
                                                "linear on a window", "pixels' own PCA",
                                                "untrained encoder",  "shuffled labels"};
    const uw_probe_report *p = r->in->sides[side].probe;
    if (!p || p->num_probes < 1) return false;
    uw_interval_row rows[MAX_COLUMNS * READERS] = {0};
    int32_t n = 0;
    uw__csv_add(csv, "number,reader,r2,low,high\n");
    for (int32_t i = 0; i < p->num_probes; i++) {
        const uw_probe_row *row = &p->probes[i];
        const struct {
            double r2;
            const double *ci;
        } of[READERS] = {{row->r2, row->r2_ci},
                         {row->mlp_r2, row->mlp_r2_ci},
                         {row->window_r2, row->window_r2_ci},
                         {row->pca_r2, row->pca_r2_ci},
                         {row->untrained_r2, row->untrained_r2_ci},
                         {row->shuffled_r2, row->shuffled_r2_ci}};
        for (int32_t k = 0; k < READERS; k++) {
            if (!isfinite(of[k].r2)) continue;
            uw__csv_word(csv, row->column);
            uw__csv_add(csv, ",");
            uw__csv_word(csv, reader[k]);
            uw__csv_numbers(csv, true, (const double[]){of[k].r2, of[k].ci[0], of[k].ci[1]}, 3);
            if (i >= MAX_COLUMNS) continue;
            rows[n++] = (uw_interval_row){.label = k ? reader[k] : row->column,
                                          .note = k ? NULL : reader[0],
                                          .of = {share_of(of[k].r2, of[k].ci)},
                                          .strong = k == 0,
                                          .colour = k < 3 ? (k == 0 ? 0 : 2) : -1};
        }
    }
    const uw_interval_chart chart = {
        .title = "How much of each number is read from the latent, and from controls",
        .num_series = 1,
        .rows = rows,
        .num_rows = n,
        .reference = NAN};
    uw__svg_intervals(svg, &chart, dress);
    return true;
}

bool uw__figure_surprise(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                         uw_text *csv) {
    const uw_injection_report *report = r->in->sides[side].injections;
    if (!report || report->num_rows < 1) return false;
    uw_interval_row rows[UW_NUM_INJECTIONS] = {0};
    int32_t n = 0;
    uw__csv_add(csv, "event,episodes,detected,rate,low,high,delay_median,delay_high,auroc,"
                     "persistence,untrained\n");
    for (int32_t i = 0; i < report->num_rows; i++) {
        const uw_injection_row *row = &report->rows[i];
        if (!row->applies) continue;
        uw__csv_word(csv, uw_injection_str(row->injection));
        uw__csv_numbers(csv, true,
                        (const double[]){row->detected.episodes, row->detected.successes,
                                         row->detected.rate, row->detected.low, row->detected.high,
                                         row->delay_median, row->delay_high, row->auroc,
                                         row->persistence.rate, row->untrained.rate},
                        10);
        rows[n++] = (uw_interval_row){
            .label = uw__injection_title(row->injection),
            .of = {uw__interval_of(&row->detected), uw__interval_of(&row->persistence)},
            .strong = row->injection == UW_INJECT_NOTHING};
    }
    const uw_interval_chart chart = {
        .title = "Events noticed",
        .names = {"the model's band", "a band around \"nothing changes\""},
        .num_series = 2,
        .rows = rows,
        .num_rows = n,
        .reference = report->facts.alpha};
    uw__svg_intervals(svg, &chart, dress);
    return true;
}

bool uw__figure_actions(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                        uw_text *csv) {
    (void)side;
    const uw_fitness_report *f = r->in->fitness;
    if (!f || f->num_effects < 2) return false;
    double x[UW_MAX_FITNESS_SKIPS], found[UW_MAX_FITNESS_SKIPS], null[UW_MAX_FITNESS_SKIPS];
    uw__csv_add(csv, "rows,transitions,nats,null_mean,null_high,p_value,share\n");
    for (int32_t i = 0; i < f->num_effects; i++) {
        const uw_action_effect *e = &f->effects[i];
        x[i] = e->frameskip;
        found[i] = e->nats;
        null[i] = e->null_high;
        uw__csv_numbers(csv, false,
                        (const double[]){e->frameskip, (double)e->transitions, e->nats,
                                         e->null_mean, e->null_high, e->p_value, e->share},
                        7);
    }
    const uw_svg_series series[2] = {{.name = "these actions",
                                      .colour = 0,
                                      .x = x,
                                      .y = found,
                                      .n = f->num_effects,
                                      .markers = true},
                                     {.name = "actions of other episodes, 95 % of shuffles",
                                      .colour = -1,
                                      .x = x,
                                      .y = null,
                                      .n = f->num_effects,
                                      .dashed = true}};
    const uw_line_chart chart = {.title = "What actions say about the next observation",
                                 .x = {.label = "rows ahead"},
                                 .y = {.label = "information, nats", .from_zero = true},
                                 .series = series,
                                 .num_series = 2};
    uw__svg_lines(svg, &chart, dress);
    return true;
}

bool uw__figure_run(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                    uw_text *csv) {
    const uw_run_curve *c = r->in->sides[side].curve;
    if (!c || c->num_points < 2) return false;
    double step[UW_MAX_RUN_POINTS], success[UW_MAX_RUN_POINTS], ratio[UW_MAX_RUN_POINTS];
    uw__csv_add(csv, "step,error,ratio,effective_rank,r2,episodes,successes,success,low,high\n");
    for (int32_t i = 0; i < c->num_points; i++) {
        const uw_run_point *p = &c->points[i];
        step[i] = (double)p->step;
        success[i] = p->episodes ? p->success : NAN;
        ratio[i] = p->ratio;
        uw__csv_numbers(csv, false,
                        (const double[]){(double)p->step, p->error, p->ratio, p->effective_rank,
                                         p->r2, p->episodes, p->successes, p->success,
                                         p->success_low, p->success_high},
                        10);
    }
    const uw_svg_series series[2] = {{.name = "success",
                                      .colour = 0,
                                      .x = step,
                                      .y = success,
                                      .n = c->num_points,
                                      .markers = true},
                                     {.name = "prediction error / persistence",
                                      .colour = 1,
                                      .x = step,
                                      .y = ratio,
                                      .n = c->num_points,
                                      .markers = true}};
    const uw_line_chart chart = {.title = "Prediction and planning along the run",
                                 .x = {.label = "training step"},
                                 .y = {.low = 0.0, .high = 1.0},
                                 .series = series,
                                 .num_series = 2};
    uw__svg_lines(svg, &chart, dress);
    return true;
}
