/* Measuring a model from every side, in the order of the report. */
#include "study.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TRACES = 3 }; /* episodes of the animation */

static uw_status act(cli *c, study *s, uw_err *err) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    o.episodes = s->episodes;
    o.seed = c->seed;
    o.planner = s->planner;
    o.keep_traces = TRACES;
    uw_status status = s->baselines ? cli_eval_all(c, s->model, s->world, &o, s->results, err)
                                    : uw_eval_run(c->ctx, s->model, s->world, UW_DRIVER_MODEL, 0, &o,
                                                  &s->results[0], err);
    if (status || s->card_episodes < 1) return status;
    o.keep_traces = 0;
    o.episodes = s->card_episodes;
    return uw_stress_run(c->ctx, s->model, s->world, NULL, &o, &s->card, err);
}

/* Whether to believe it.  A recording with too few episodes for a band is said, and is no error. */
static uw_status trust(cli *c, study *s, uw_err *err) {
    const uw_certify_options certify = {.seed = c->seed};
    const uw_injection_options inject = {.seed = c->seed};
    s->certificate = calloc(1, sizeof *s->certificate);
    if (!s->certificate) return UW_ENOMEM;
    uw_status status = uw_certify_run(c->ctx, s->model, s->data, &certify, s->certificate, err);
    if (status) return status;
    status = uw_surprise_run(c->ctx, s->model, NULL, s->data, NULL, &s->surprise, err);
    s->surprised = status == UW_OK;
    if (status == UW_EINVAL) cli_note(c, "no surprise from the recording: %s\n", err->text);
    if (status && status != UW_EINVAL) return status;
    if (!s->world) return UW_OK;
    status = uw_surprise_inject(c->ctx, s->model, NULL, s->world, &inject, &s->injections, err);
    s->injected = status == UW_OK;
    if (status == UW_EINVAL) cli_note(c, "no injected events: %s\n", err->text);
    return status == UW_EINVAL ? UW_OK : status;
}

uw_status study_measure(cli *c, study *s, bool fitness, uw_err *err) {
    const uw_probe_options probe = {.seed = c->seed, .mlp = true};
    uw_status status = s->world ? act(c, s, err) : UW_OK;
    if (status) return status;
    s->probe = calloc(1, sizeof *s->probe);
    s->fitness = fitness ? calloc(1, sizeof *s->fitness) : NULL;
    if (!s->probe || (fitness && !s->fitness)) return UW_ENOMEM;
    status = uw_probe_run(c->ctx, s->model, s->data, &probe, s->probe, err);
    if (!status) status = trust(c, s, err);
    if (!status && fitness) status = uw_fitness_run(c->ctx, s->data, NULL, s->fitness, err);
    return status;
}

void study_print(cli *c, const study *s) {
    if (s->world) cli_print_eval(c, "random goals", &s->results[0], s->baselines ? s->results : NULL);
    cli_print_probe(c, s->probe);
    cli_say(c, "\n%s: %s\n", uw_certify_verdict_str(s->certificate->verdict), s->certificate->headline);
    if (s->injected) cli_print_injection(c, &s->injections);
    if (s->fitness) cli_say(c, "recording: %s to train on\n", uw_fitness_verdict_str(s->fitness->verdict));
}

void study_json(const study *s, json_t *into) {
    if (s->trained) json_object_set_new(into, "train", cli_train_json(&s->train));
    if (s->world)
        json_object_set_new(into, "eval", cli_eval_json(&s->results[0], s->baselines ? s->results : NULL));
    if (s->world && s->card_episodes) json_object_set_new(into, "stress", cli_card_json(&s->card));
    json_object_set_new(into, "probe", cli_probe_json(s->probe));
    json_object_set_new(into, "certify", cli_certificate_json(s->certificate));
    if (s->surprised) json_object_set_new(into, "surprise", cli_surprise_json(&s->surprise));
    if (s->injected) json_object_set_new(into, "injections", cli_injection_json(&s->injections));
    if (s->fitness) json_object_set_new(into, "fitness", cli_fitness_json(s->fitness));
}

uw_status study_folder(const char *dir, uw_err *err) {
    if (mkdir(dir, 0777) == 0 || errno == EEXIST) return UW_OK;
    uw_err_fix(err, "choose a folder that can be written with --out");
    return uw_fail(err, UW_ENOSPC, "%s: make folder: %s", dir, strerror(errno));
}

static uw_report_side side_of(const study *s) {
    return (uw_report_side){.title = s->title,
                            .model = s->model,
                            .run_dir = s->run_dir,
                            .train = s->trained ? &s->train : NULL,
                            .eval = s->world ? &s->results[0] : NULL,
                            .baselines = s->world && s->baselines ? s->results : NULL,
                            .probe = s->probe,
                            .card = s->world && s->card_episodes ? &s->card : NULL,
                            .certificate = s->certificate,
                            .surprise = s->surprised ? &s->surprise : NULL,
                            .injections = s->injected ? &s->injections : NULL};
}

uw_status study_report(cli *c, const char *dir, const char *title, const char *command, const study *studies,
                       int count, char *html, size_t html_size, uw_err *err) {
    char gif[1100], figures[1100], card[1100];
    const study *first = &studies[0];
    snprintf(gif, sizeof gif, "%s/episodes.gif", dir);
    snprintf(html, html_size, "%s/report.html", dir);
    snprintf(figures, sizeof figures, "%s/figures", dir);
    snprintf(card, sizeof card, "%s/MODEL_CARD.md", dir);
    uw_report_inputs in = {.title = title,
                           .env = first->world,
                           .command = command,
                           .dataset = first->data,
                           .fitness = first->fitness,
                           .num_sides = count,
                           .seed = c->seed};
    uw_status s = UW_OK;
    if (first->world) {
        s = uw_report_animation(c->ctx, first->model, first->world, first->data, &first->results[0], TRACES, gif,
                                true, err);
        in.animation = gif;
    }
    for (int i = 0; i < count; i++) in.sides[i] = side_of(&studies[i]);
    if (!s) s = uw_report_write(c->ctx, &in, html, figures, true, err);
    if (!s) s = uw_report_model_card(&in, card, true, err);
    if (s) return s;
    if (first->world) cli_say(c, "\nanimation  %s", gif);
    cli_say(c, "\nreport     %s\nmodel card %s\n", html, card);
    return UW_OK;
}

void study_free(study *s) {
    cli_eval_free(s->results);
    uw_model_unload(s->model);
    if (s->surprised) uw_surprise_report_fini(&s->surprise);
    free(s->probe);
    free(s->certificate);
    free(s->fitness);
}
