/* Made-up certificates, surprise, fitness and controls: plausible, and every kind of finding once.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "synthetic.h"

static const double nothing[2] = {NAN, NAN};

static void around(double ci[2], double value, double half) {
    ci[0] = value - half;
    ci[1] = value + half;
}

void synthetic_controls(uw_probe_report *p) {
    for (int i = 0; i < p->num_probes; i++) {
        uw_probe_row *row = &p->probes[i];
        row->window_r2 = row->degrees = NAN;
        row->pca_r2 = 0.61;
        row->untrained_r2 = 0.83;
        around(row->r2_ci, row->r2, 0.0002);
        around(row->mlp_r2_ci, row->mlp_r2, 0.0001);
        around(row->pca_r2_ci, row->pca_r2, 0.04);
        around(row->untrained_r2_ci, row->untrained_r2, 0.03);
        around(row->shuffled_r2_ci, row->shuffled_r2, 0.02);
        memcpy(row->window_r2_ci, nothing, sizeof nothing);
    }
    for (int i = 0; i < p->num_drift; i++) {
        uw_drift_row *d = &p->drift[i];
        d->linear_ratio = 4.0 * d->ratio;
        d->head_ratio = 0.9 * d->ratio;
        d->linear_rmse = 3.0 * d->rmse;
        d->head_rmse = d->rmse;
        d->persistence_rmse = 10.0 * d->rmse;
    }
    p->num_excluded = 1;
    p->excluded[0] = (uw_excluded){.column = "goal_state[0]", .why = UW_EXCLUDED_STILL};
    p->causal = (uw_causal){
        .known = true, .steps = 4, .edits = 64, .agreement = 0.91, .redrawn = 0.97, .random = -0.2};
    p->gauges = (uw_gauges){.rows = 4096,
                            .effective_rank = 7.4,
                            .participation = 5.1,
                            .mean_variance = 0.93,
                            .sigreg = 0.055,
                            .sigreg_q99 = 0.006,
                            .norm_drift = 0.02,
                            .temporal_rank = 4.2,
                            .action_sensitivity = 0.7,
                            .alarms = UW_ALARM_DEAD | UW_NOTICE_LOW_RANK};
}

static void make_certificate(uw_certificate *c) {
    *c = (uw_certificate){.verdict = UW_NOT_COVERED,
                          .headline =
                              "Two conditions fail, so the theory says nothing about this latent.",
                          .advice = "Record with a larger stride.",
                          .eps = 0.46,
                          .delta = 0.004,
                          .rho_true = 0.95,
                          .bound = NAN,
                          .r2_floor = NAN,
                          .scores = {.r2 = 0.985, .orthogonal_gap = 0.02}};
    for (int i = 0; i < UW_NUM_CHECKS; i++) {
        static const char *const id[UW_NUM_CHECKS] = {"A1",  "A2",  "A3",  "A4", "A5",
                                                      "A6",  "A7",  "A8",  "A9", "A10",
                                                      "A11", "A12", "A13", "A14"};
        c->checks[i] = (uw_check){.id = id[i],
                                  .name = "a condition <b>",
                                  .meaning = "What it asks of the world.",
                                  .effect = "What a violation does.",
                                  .remedy = "What to do.",
                                  .finding = (uw_finding)(i % 4),
                                  .num_measures = i == 12 ? 0 : 1,
                                  .measures = {{.name = "a statistic",
                                                .value = 0.01 * i,
                                                .low = 0.0,
                                                .high = 0.2,
                                                .pass = 0.05,
                                                .fail = 0.2,
                                                .finding = (uw_finding)(i % 4)}}};
        if (i == 12)
            snprintf(c->checks[i].note, sizeof c->checks[i].note, "no actions in this recording");
    }
}

static uw_rate of(int successes, int episodes) {
    return uw_rate_of(successes, episodes);
}

static void make_surprise(uw_surprise_report *s, uw_injection_report *j) {
    *s = (uw_surprise_report){.facts = {.alpha = 0.05,
                                        .threshold = 11.3,
                                        .steps = 1,
                                        .episodes = 150,
                                        .rate_low = 0.02,
                                        .rate_high = 0.08},
                              .alarmed = of(7, 150),
                              .steps = 7400,
                              .alarms = 9};
    *j = (uw_injection_report){.env = "two_room",
                               .facts = s->facts,
                               .steps = 40,
                               .event_at = 20,
                               .num_rows = UW_NUM_INJECTIONS};
    static const int seen[UW_NUM_INJECTIONS] = {4, 100, 97, 41, 99, 0};
    for (int i = 0; i < UW_NUM_INJECTIONS; i++)
        j->rows[i] = (uw_injection_row){.injection = (uw_injection)i,
                                        .applies = i != UW_INJECT_REMOVED,
                                        .detected = of(seen[i], 100),
                                        .delay_median = i ? 1.0 : NAN,
                                        .delay_high = 2.0,
                                        .auroc = 0.98,
                                        .persistence = of(seen[i] / 2, 100),
                                        .untrained = of(5, 100)};
}

static void make_fitness(uw_fitness_report *f) {
    *f = (uw_fitness_report){.episodes = 600,
                             .rows = 30600,
                             .verdict = UW_FITNESS_NOTE,
                             .num_checks = 3,
                             .num_coverage = 2,
                             .num_effects = 3};
    static const struct {
        const char *name, *object, *what, *advice;
        uw_fitness_verdict verdict;
    } check[3] = {{"missing numbers", "", "none", "", UW_FITNESS_GOOD},
                  {"stuck sensors", "flow[1]", "the same for 400 rows", "Look at the sensor.",
                   UW_FITNESS_BAD},
                  {"clock", "", "there is no time column", "Record one.", UW_FITNESS_UNKNOWN}};
    for (int i = 0; i < 3; i++) {
        uw_fitness_check *c = &f->checks[i];
        c->verdict = check[i].verdict;
        snprintf(c->name, sizeof c->name, "%s", check[i].name);
        snprintf(c->object, sizeof c->object, "%s", check[i].object);
        snprintf(c->what, sizeof c->what, "%s", check[i].what);
        snprintf(c->advice, sizeof c->advice, "%s", check[i].advice);
        f->effects[i] = (uw_action_effect){.frameskip = 1 << i,
                                           .transitions = 20000,
                                           .nats = 0.2 + 0.1 * i,
                                           .null_mean = 0.01,
                                           .null_high = 0.02,
                                           .p_value = 0.005,
                                           .share = 0.4};
    }
    for (int i = 0; i < 2; i++)
        f->coverage[i] = (uw_coverage_row){.column = "state[0]",
                                           .action = i == 1,
                                           .low = 20,
                                           .high = 200,
                                           .cells = 14.2,
                                           .correlation = 0.97};
}

void synthetic_trust(synthetic *s) {
    make_certificate(&s->certificate);
    make_surprise(&s->surprise, &s->injections);
    make_fitness(&s->fitness);
    s->curve = (uw_run_curve){.drift_step = 4, .num_points = 3};
    for (int i = 0; i < 3; i++)
        s->curve.points[i] = (uw_run_point){.step = 300 * (i + 1),
                                            .error = 0.1,
                                            .ratio = 0.3 - 0.1 * i,
                                            .effective_rank = 6,
                                            .r2 = 0.99,
                                            .episodes = 50,
                                            .successes = 30 + 9 * i,
                                            .success = 0.6 + 0.18 * i};
    s->inputs.fitness = &s->fitness;
    for (int i = 0; i < s->inputs.num_sides; i++) {
        uw_report_side *side = &s->inputs.sides[i];
        synthetic_controls(&s->probe[i]);
        side->certificate = &s->certificate;
        side->surprise = &s->surprise;
        side->injections = &s->injections;
        side->curve = &s->curve;
    }
}
