/* A report's inputs made up for tests: a small untrained model and plausible numbers. */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include <umwelt/report.h>

typedef struct synthetic {
    uw_model *model;
    uw_train_result train[2];
    uw_eval_result eval[2], baselines[UW_NUM_DRIVERS];
    uw_probe_report probe[2];
    uw_card card[2];
    uw_certificate certificate;
    uw_surprise_report surprise;
    uw_injection_report injections;
    uw_fitness_report fitness;
    uw_run_curve curve;
    uw_report_inputs inputs;
} synthetic;

/* Fill s; run_dir (nullable) holds a log.csv, gif is the path of an animation or NULL. */
uw_status synthetic_make(synthetic *s, int num_sides, const char *title, const char *run_dir,
                         const char *gif, uw_err *err);
/* Add what makes a model believable: controls, certificate, surprise, fitness, the run's curve. */
void synthetic_trust(synthetic *s);
void synthetic_controls(uw_probe_report *p);
void synthetic_free(synthetic *s);
/* Write run_dir/log.csv with made-up curves. */
int synthetic_log(const char *run_dir);
/* Make a small untrained model that sees 64x64 pixels. */
uw_status synthetic_model(uw_model **out, uw_err *err);

#endif
