/* A study: one trained model, everything that was measured on it, and the report of it.  `demo` makes one or two,
 * `report` makes one of any model. */
#ifndef UW_CLI_STUDY_H
#define UW_CLI_STUDY_H

#include "cli.h"

typedef struct study {
    const char *title;
    const char *world;   /* NULL: the model has none, so nothing acts */
    const char *data;    /* path of the recording it is measured on */
    const char *run_dir; /* where log.csv lies; NULL = no training curves */
    int32_t episodes, card_episodes; /* episodes of the headline, and per cell of the card; 0 = no card */
    bool baselines;      /* run them beside the model */
    uw_planner_options planner;
    uw_model *model;
    bool trained;        /* train is filled */
    uw_train_result train;
    uw_eval_result results[UW_NUM_DRIVERS];
    uw_probe_report *probe;
    uw_card card;
    uw_fitness_report *fitness; /* of data; NULL = not looked at */
    uw_certificate *certificate;
    bool surprised, injected;   /* surprise, injections are filled: the recording had episodes enough */
    uw_surprise_report surprise;
    uw_injection_report injections;
} study;

/* Measure a model: episodes, robustness card, probes, certificate, surprise; with `fitness` its recording too.  After an error, too, *s is study_free's. */
uw_status study_measure(cli *c, study *s, bool fitness, uw_err *err);
/* Print what was measured. */
void study_print(cli *c, const study *s);
/* The objects of eval, stress, probe ... under their verbs' names, into c->result or an object of it. */
void study_json(const study *s, json_t *into);
/* Write dir/report.html, dir/episodes.gif, dir/figures/ and dir/MODEL_CARD.md of one study or of two side by side.
 * html [html_size] gets the page's path. */
uw_status study_report(cli *c, const char *dir, const char *title, const char *command, const study *studies,
                       int count, char *html, size_t html_size, uw_err *err);
void study_free(study *s);
/* Make a folder unless it is there. */
uw_status study_folder(const char *dir, uw_err *err);

#endif
