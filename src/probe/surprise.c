/* Surprise on recordings: calibrating a band, and looking for events.
 *
 * Episodes are read one after the other, so memory is that of the longest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dataset_internal.h"
#include "internal.h"
#include "statistics.h"
#include "surprise_internal.h"

static const double DEFAULT_ALPHA = 0.05;

/* A model, a recording, and which of its episodes count. */
typedef struct look {
    uw_context *ctx;
    const uw_model *model;
    uw_dataset *data;
    uw_surprise_options options; /* zeros replaced */
    uw_episode_reader reader;
    uw_foresight foresight;
    uw_track track;
    int64_t num_candidates;
    int64_t *candidates; /* episodes long enough to be scored, and not trained on */
} look;

static void look_fini(look *l) {
    uw__foresight_fini(&l->foresight);
    uw__track_fini(&l->track);
    free(l->candidates);
    uw_dataset_close(l->data);
}

/* Of the data that the model was trained on, only what it held out can tell what fresh data does.
 */
static uw_status find_candidates(look *l, uw_err *err) {
    const int64_t episodes = uw_dataset_episodes(l->data);
    uw_eval_options split = {0};
    const uw_provenance *from = uw_model_provenance(l->model);
    const bool own = *from->dataset_hash && !strcmp(from->dataset_hash, uw_dataset_hash(l->data));
    if (own && uw_eval_holdout(l->model, &split, NULL))
        uw__log(l->ctx, UW_LOG_WARN,
                "the model was trained on all of these episodes: fresh ones will surprise it more");
    l->candidates = malloc((size_t)episodes * sizeof *l->candidates + 1);
    if (!l->candidates)
        return uw_fail(err, UW_ENOMEM, "surprise: %lld episodes", (long long)episodes);
    for (int64_t e = 0; e < episodes; e++) {
        if (uw__episode_steps(&l->reader, e) <= l->options.steps) continue;
        if (split.holdout > 0.0 && !uw__episode_held_out(split.holdout_seed, e, split.holdout))
            continue;
        l->candidates[l->num_candidates++] = e;
    }
    return UW_OK;
}

static uw_status look_init(look *l, const char *dataset, uw_err *err) {
    uw_surprise_options *o = &l->options;
    if (o->alpha == 0.0) o->alpha = DEFAULT_ALPHA;
    if (o->steps == 0) o->steps = 1;
    if (o->share == 0.0) o->share = 1.0;
    if (!(o->alpha > 0.0 && o->alpha < 1.0))
        return uw_fail(err, UW_EINVAL, "alpha: wanted between 0 and 1, got %g", o->alpha);
    if (o->steps < 1 || o->steps > UW_MAX_SURPRISE_STEPS)
        return uw_fail(err, UW_EINVAL, "steps: wanted 1 .. %d, got %d", (int)UW_MAX_SURPRISE_STEPS,
                       (int)o->steps);
    if (!(o->share > 0.0 && o->share <= 1.0))
        return uw_fail(err, UW_EINVAL, "share: wanted above 0, at most 1, got %g", o->share);
    uw_status s = uw_dataset_open(dataset, &l->data, err);
    if (!s) s = uw__episode_reader_init(l->ctx, l->model, l->data, &l->reader, err);
    if (!s) s = uw__foresight_init(l->ctx, l->model, o->steps, &l->foresight, err);
    if (!s) s = find_candidates(l, err);
    return s;
}

/* Read an episode and take its prediction errors. */
static uw_status errors_of(look *l, int64_t episode, uw_err *err) {
    const int64_t steps = uw__episode_steps(&l->reader, episode);
    if (uw__track_resize(&l->track, steps, &l->foresight))
        return uw_fail(err, UW_ENOMEM, "surprise: an episode of %lld steps", (long long)steps);
    const uw_status s = uw__episode_read(&l->reader, episode, &l->track, err);
    return s ? s : uw__foresight_errors(&l->foresight, &l->track, err);
}

static uw_status told(look *l, int64_t done, int64_t total, uw_err *err) {
    if (uw__progress(l->ctx, "surprise", done, total)) return UW_OK;
    return uw_fail(err, UW_EINTERRUPTED, "surprise: stopped on request");
}

static int64_t scored_steps(const uw_track *track) {
    int64_t n = 0;
    for (int64_t t = 0; t < track->length; t++) n += track->scored[t];
    return n;
}

/* ---- calibrating ----------------------------------------------------------------------------- */

/* True for the candidates that calibrate: a share of them, evenly spread. */
static bool calibrates(const look *l, int64_t i) {
    return floor((double)(i + 1) * l->options.share) > floor((double)i * l->options.share);
}

/* The calibrating episodes: every third, from the second on, scales the score until there are
 * enough. */
static uw_status choose(look *l, int64_t **scaling, int64_t **setting, int64_t *num_scaling,
                        int64_t *num_setting, uw_err *err) {
    int64_t total = 0, place = 0;
    for (int64_t i = 0; i < l->num_candidates; i++) total += calibrates(l, i);
    const int64_t wanted = uw__covariance_share(total);
    *scaling = malloc((size_t)total * sizeof **scaling + 1);
    *setting = malloc((size_t)total * sizeof **setting + 1);
    if (!*scaling || !*setting)
        return uw_fail(err, UW_ENOMEM, "surprise: %lld episodes", (long long)total);
    for (int64_t i = 0; i < l->num_candidates; i++) {
        if (!calibrates(l, i)) continue;
        const bool scales = *num_scaling < wanted && (place % 3 == 1 || total < 6);
        if (scales)
            (*scaling)[(*num_scaling)++] = l->candidates[i];
        else
            (*setting)[(*num_setting)++] = l->candidates[i];
        place++;
    }
    return UW_OK;
}

static int by_number(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Say what the calibration rests on. */
static uw_status describe(const look *l, uw_surprise *u, const char *path, const int64_t *scaling,
                          int64_t num_scaling, const int64_t *setting, int64_t num_setting,
                          uw_err *err) {
    const char *slash = strrchr(path, '/');
    snprintf(u->facts.data_name, sizeof u->facts.data_name, "%s", slash ? slash + 1 : path);
    snprintf(u->facts.data_hash, sizeof u->facts.data_hash, "%s", uw_dataset_hash(l->data));
    uw_model_sha256(l->model, u->facts.model_sha256);
    u->facts.steps = l->options.steps;
    u->facts.covariance_episodes = num_scaling;
    u->num_used = num_scaling + num_setting;
    u->used = malloc((size_t)u->num_used * sizeof *u->used);
    if (!u->used) return uw_fail(err, UW_ENOMEM, "surprise: %lld episodes", (long long)u->num_used);
    memcpy(u->used, scaling, (size_t)num_scaling * sizeof *u->used);
    memcpy(u->used + num_scaling, setting, (size_t)num_setting * sizeof *u->used);
    qsort(u->used, (size_t)u->num_used, sizeof *u->used, by_number);
    return UW_OK;
}

static uw_status calibrate(look *l, const char *path, uw_surprise **out, uw_err *err) {
    int64_t *scaling = NULL, *setting = NULL, num_scaling = 0, num_setting = 0, n = 0;
    double *largest = NULL;
    uw_scatter scatter = {0};
    uw_surprise *u = NULL;
    uw_status s = choose(l, &scaling, &setting, &num_scaling, &num_setting, err);
    if (s) goto done;
    if (num_scaling + num_setting < uw_surprise_episodes_needed(l->options.alpha)) {
        s = uw__surprise_too_few(l->options.alpha, num_scaling + num_setting, err);
        goto done;
    }
    largest = malloc((size_t)num_setting * sizeof *largest + 1);
    if (!largest || uw__scatter_init(&scatter, l->foresight.dim)) {
        s = uw_fail(err, UW_ENOMEM, "surprise: covariance of %d numbers", l->foresight.dim);
        goto done;
    }
    const int64_t total = num_scaling + num_setting;
    for (int64_t i = 0; i < num_scaling && !s; i++) {
        s = errors_of(l, scaling[i], err);
        if (!s) uw__scatter_add(&scatter, &l->track);
        if (!s) s = told(l, i + 1, total, err);
    }
    if (!s) s = uw__surprise_new(&scatter, &u, err);
    if (!s) s = describe(l, u, path, scaling, num_scaling, setting, num_setting, err);
    for (int64_t i = 0; i < num_setting && !s; i++) {
        s = errors_of(l, setting[i], err);
        if (s) break;
        const int64_t steps = scored_steps(&l->track);
        if (steps) largest[n++] = uw__surprise_largest(u, &l->track, 0, NULL);
        if (steps > u->facts.longest) u->facts.longest = steps;
        s = told(l, num_scaling + i + 1, total, err);
    }
    if (!s) s = uw__surprise_threshold(u, largest, n, l->options.alpha, err);
done:
    if (s) {
        uw_surprise_unload(u);
        u = NULL;
    }
    *out = u;
    uw__scatter_fini(&scatter);
    free(scaling);
    free(setting);
    free(largest);
    return s;
}

uw_status uw_surprise_calibrate(uw_context *ctx, const uw_model *model, const char *dataset,
                                const uw_surprise_options *options, uw_surprise **out,
                                uw_err *err) {
    look l = {.ctx = ctx, .model = model};
    if (options) l.options = *options;
    *out = NULL;
    uw_status s = look_init(&l, dataset, err);
    if (!s) s = calibrate(&l, dataset, out, err);
    look_fini(&l);
    return s;
}

/* ---- judging --------------------------------------------------------------------------------- */

/* Scores so far and what stood out. */
typedef struct tally {
    uw_surprise_report report;
    int64_t event_room, score_room;
    double *scores; /* [report.steps] */
    int64_t judged, alarmed;
} tally;

static void *grown(void *items, int64_t *room, int64_t wanted, size_t each) {
    if (wanted <= *room) return items;
    const int64_t more = 2 * wanted + 64;
    void *bigger = realloc(items, (size_t)more * each);
    if (bigger) *room = more;
    return bigger;
}

static uw_status judge(const look *l, const uw_surprise *u, int64_t episode, tally *t) {
    const uw_track *track = &l->track;
    uw_surprise_report *r = &t->report;
    bool alarmed = false;
    const int64_t steps = scored_steps(track);
    double *scores = grown(t->scores, &t->score_room, r->steps + steps, sizeof *scores);
    if (!scores) return UW_ENOMEM;
    t->scores = scores;
    r->longer += steps > u->facts.longest;
    r->missing += track->length - l->options.steps - steps;
    for (int64_t i = 0; i < track->length; i++) {
        if (!track->scored[i]) continue;
        const double score = uw__band_score(&u->band, track->error + i * u->band.latent_dim);
        t->scores[r->steps++] = score;
        if (!(score > u->band.threshold)) continue;
        uw_surprise_event *events =
            grown(r->events, &t->event_room, r->num_events + 1, sizeof *events);
        if (!events) return UW_ENOMEM;
        r->events = events;
        events[r->num_events++] =
            (uw_surprise_event){episode, i * l->reader.skip, (int32_t)i, score};
        alarmed = true;
    }
    t->judged += steps > 0;
    t->alarmed += alarmed;
    return UW_OK;
}

static void summarise(tally *t) {
    uw_surprise_report *r = &t->report;
    const int64_t n = r->steps;
    r->alarms = r->num_events;
    r->alarmed = uw_rate_of((int32_t)t->alarmed, (int32_t)t->judged);
    r->median = r->high = r->most = NAN;
    if (!n) return;
    uw__sort(t->scores, n);
    r->median = t->scores[(n - 1) / 2];
    r->high = t->scores[(n * 99 + 99) / 100 - 1];
    r->most = t->scores[n - 1];
}

static bool took_part(const look *l, const uw_surprise *u, int64_t episode) {
    if (strcmp(u->facts.data_hash, uw_dataset_hash(l->data)) != 0) return false;
    return bsearch(&episode, u->used, (size_t)u->num_used, sizeof episode, by_number) != NULL;
}

static uw_status run(look *l, const uw_surprise *u, tally *t, uw_err *err) {
    uw_status s = UW_OK;
    for (int64_t i = 0; i < l->num_candidates && !s; i++) {
        const int64_t e = l->candidates[i];
        if (took_part(l, u, e)) continue;
        s = errors_of(l, e, err);
        if (!s && judge(l, u, e, t)) s = uw_fail(err, UW_ENOMEM, "surprise: events");
        if (!s) s = told(l, i + 1, l->num_candidates, err);
    }
    if (!s && !t->judged) {
        s = uw_fail(err, UW_EINVAL,
                    "surprise: no episode to judge, wanted one of more than %d steps "
                    "that did not calibrate",
                    (int)l->options.steps);
        uw_err_fix(err, "give another recording, or --calibrate with one");
    }
    return s;
}

uw_status uw_surprise_run(uw_context *ctx, const uw_model *model, const uw_surprise *surprise,
                          const char *dataset, const uw_surprise_options *options,
                          uw_surprise_report *out, uw_err *err) {
    const double start = uw__clock_s();
    look l = {.ctx = ctx, .model = model};
    tally t = {0};
    uw_surprise *own = NULL;
    if (options) l.options = *options;
    if (surprise)
        l.options = (uw_surprise_options){surprise->facts.alpha, surprise->facts.steps, 1.0};
    if (!surprise && l.options.share == 0.0) l.options.share = 0.5;
    uw_status s = look_init(&l, dataset, err);
    if (!s && surprise && surprise->band.latent_dim != l.foresight.dim)
        s = uw_fail(err, UW_ESHAPE, "calibration: latent numbers, wanted %d, got %d",
                    l.foresight.dim, surprise->band.latent_dim);
    if (!s && !surprise) s = calibrate(&l, dataset, &own, err);
    if (!s) s = run(&l, surprise ? surprise : own, &t, err);
    if (!s) {
        summarise(&t);
        t.report.facts = surprise ? surprise->facts : own->facts;
        t.report.seconds = uw__clock_s() - start;
        *out = t.report;
    } else {
        free(t.report.events);
    }
    uw_surprise_unload(own);
    free(t.scores);
    look_fini(&l);
    return s;
}

void uw_surprise_report_fini(uw_surprise_report *report) {
    free(report->events);
    *report = (uw_surprise_report){0};
}
