/* Injected events: a world is driven by its usual collecting policy, something happens to it in the
 * middle of the episode, and the band says whether it noticed.
 *
 * Every event branches from the same snapshot as its control, which is drawn anew as the events
 * are: what is alike before is alike to the bit.  Beside the model stand two that know nothing:
 * "nothing changes" in the model's latents, and the same network with random weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "eval_internal.h"
#include "internal.h"
#include "model_internal.h"
#include "policy.h"
#include "statistics.h"
#include "surprise_internal.h"

enum {
    USUAL_EPISODES = 100,
    USUAL_STEPS = 40,
    MAX_STEPS = 10000,
    MAX_EPISODES = 100000,
    ENCODE_ROWS = 64,
    NUM_JUDGES = 3, /* the model, "nothing changes", random weights */
};

static const char *const injection_names[UW_NUM_INJECTIONS] = {"none",  "teleport", "frozen",
                                                               "color", "reversed", "removed"};

const char *uw_injection_str(uw_injection injection) {
    return (unsigned)injection < UW_NUM_INJECTIONS ? injection_names[injection] : "?";
}

/* One who predicts, and the band around its errors. */
typedef struct judge {
    const uw_model *model; /* whose latents: the user's or the twin */
    uw_foresight foresight;
    const uw_surprise *surprise;
    uw_surprise *own; /* to unload; NULL when the caller brought it */
    uw_track track;
} judge;

/* One branch's outcome for one judge. */
typedef struct outcome {
    double largest; /* from the event on */
    int32_t alarm;  /* first alarm at the event or later, -1 = none */
    bool before;    /* an alarm before the event: such an episode says nothing */
} outcome;

typedef struct lab {
    uw_context *ctx, quiet; /* quiet: without progress */
    const uw_env_class *cls;
    uw_env *env;
    uw_model *twin; /* owned */
    uw_injection_options options;
    uw_policy_kind policy;
    int32_t size, skip, hold, event_at;
    size_t row_bytes;        /* of an observation: a picture or the state as floats */
    unsigned char *seen;     /* [steps + 1] observations of the branch in hand */
    float *actions;          /* [steps + 1, A] of that branch */
    unsigned char *snapshot; /* of the world at the event */
    judge judges[NUM_JUDGES];
    outcome *outcomes; /* [judges, kinds, episodes] */
} lab;

static outcome *outcome_at(const lab *l, int32_t j, int32_t kind, int32_t episode) {
    return l->outcomes +
           ((size_t)j * UW_NUM_INJECTIONS + (size_t)kind) * (size_t)l->options.episodes +
           (size_t)episode;
}

/* ---- a branch of an episode ------------------------------------------------------------------ */

/* What of the world is looked at: the block where there is one, else the agent. */
static const uw_factor *object_color(const uw_env_class *cls) {
    const uw_factor *block = uw_env_factor(cls, "block.color", NULL);
    return block ? block : uw_env_factor(cls, "agent.color", NULL);
}

/* The values that a picture is drawn with after an event. */
static void drawn_values(const lab *l, uw_injection kind, double *values) {
    memcpy(values, uw_env_values(l->env), (size_t)l->cls->num_values * sizeof *values);
    const uw_factor *object = object_color(l->cls);
    if (!object || (kind != UW_INJECT_COLOR && kind != UW_INJECT_REMOVED)) return;
    double *color = values + object->offset;
    const uw_factor *floor = uw_env_factor(l->cls, "background.color", NULL);
    if (kind == UW_INJECT_REMOVED && floor) {
        memcpy(color, values + floor->offset, 3 * sizeof *color);
        return;
    }
    const double red = color[0]; /* the channels change places: another hue, as bright */
    color[0] = color[1];
    color[1] = color[2];
    color[2] = red;
}

/* Observe step t into its place. */
static void observe(lab *l, uw_injection kind, int32_t t) {
    unsigned char *to = l->seen + (size_t)t * l->row_bytes;
    double state[UW_MAX_STATE_DIM], values[UW_MAX_FACTOR_VALUES];
    const bool after = t >= l->event_at;
    if (after && kind == UW_INJECT_FROZEN) {
        memcpy(to, to - l->row_bytes, l->row_bytes);
        return;
    }
    uw_env_get_state(l->env, state);
    if (!l->size) {
        float *numbers = (float *)(void *)to;
        for (int32_t i = 0; i < l->cls->state_dim; i++) numbers[i] = (float)state[i];
    } else if (after) {
        drawn_values(l, kind, values);
        uw_env_draw(l->env, values, state, l->size, to);
    } else {
        uw_env_render(l->env, l->size, to);
    }
}

/* Carry out decision t; the world may do the opposite. */
static uw_status decide(lab *l, uw_policy *policy, uw_injection kind, int32_t t, uint64_t *goals) {
    const int32_t dim = l->cls->action_dim;
    for (int32_t row = 0; row < l->skip; row++) {
        float *taken = l->actions + ((size_t)t * (size_t)l->skip + (size_t)row) * (size_t)dim;
        float done[UW_MAX_ACTION_DIM];
        uw_step step = {0};
        bool arrived = false;
        uw__policy_act(policy, uw_env_self(l->env), taken);
        for (int32_t i = 0; i < dim; i++)
            done[i] = kind == UW_INJECT_REVERSED && t >= l->event_at - 1 ? -taken[i] : taken[i];
        for (int32_t k = 0; k < l->hold; k++) {
            const uw_status s = uw_env_step(l->env, done, &step);
            if (s) return s;
            arrived = arrived || step.success;
        }
        if (!arrived || l->policy != UW_POLICY_EXPERT) continue;
        uw_task task;
        l->cls->sample_task(l->options.seed, (*goals)++, uw_env_values(l->env), true, &task);
        const uw_status s = uw_env_set_goal(l->env, task.goal);
        if (s) return s;
    }
    return UW_OK;
}

/* Put the world into another state that a task could start from. */
static uw_status teleport(lab *l, uint64_t number) {
    uw_task task;
    l->cls->sample_task(l->options.seed ^ 0x74656c65u, number, uw_env_values(l->env), true, &task);
    return uw_env_set_state(l->env, task.start);
}

/* Where an episode stands before the decision that leads to the event. */
typedef struct fork {
    uw_policy policy;
    uint64_t goals, number;
} fork;

/* Play and observe up to the event. */
static uw_status begin(lab *l, uint64_t number, fork *f, uw_err *err) {
    uw_rng rng = uw__rng(l->options.seed, UW_STREAM_PROTOCOL, UINT64_C(1) << 40 | number);
    uw_status s = uw_env_reset(l->env, uw__rng_u32(&rng), NULL, NULL, err);
    if (s) return s;
    f->goals = number << 20;
    f->number = number;
    uw__policy_start(&f->policy, l->policy, l->cls, l->options.seed ^ 0x696e6au, number);
    observe(l, UW_INJECT_NOTHING, 0);
    for (int32_t t = 0; t < l->event_at - 1 && !s; t++) {
        s = decide(l, &f->policy, UW_INJECT_NOTHING, t, &f->goals);
        observe(l, UW_INJECT_NOTHING, t + 1);
    }
    uw_env_save(l->env, l->snapshot);
    return s ? uw_fail(err, s, "%s: the policy's action is not finite", l->cls->name) : UW_OK;
}

/* Play on from the fork with one kind of event. */
static uw_status branch(lab *l, const fork *from, uw_injection kind, uw_err *err) {
    fork f = *from;
    uw_status s = uw_env_restore(l->env, l->snapshot, uw_env_snapshot_bytes(l->env), err);
    if (s) return s;
    for (int32_t t = l->event_at - 1; t < l->options.steps && !s; t++) {
        s = decide(l, &f.policy, kind, t, &f.goals);
        if (!s && t == l->event_at - 1 && kind == UW_INJECT_TELEPORT) s = teleport(l, f.number);
        observe(l, kind, t + 1);
    }
    return s ? uw_fail(err, s, "%s: %s: %s", l->cls->name, uw_injection_str(kind), uw_status_str(s))
             : UW_OK;
}

/* ---- judging a branch ------------------------------------------------------------------------ */

/* Encode observations first .. steps into the judge's track, and take the errors. */
static uw_status predict(lab *l, judge *j, int32_t first, uw_err *err) {
    const int32_t steps = l->options.steps;
    uw_track *track = &j->track;
    const size_t d = (size_t)j->foresight.dim;
    uw_status s = UW_OK;
    for (int32_t t = first; t <= steps && !s; t += ENCODE_ROWS) {
        const int32_t n = steps + 1 - t < ENCODE_ROWS ? steps + 1 - t : ENCODE_ROWS;
        const unsigned char *rows = l->seen + (size_t)t * l->row_bytes;
        s = uw_model_encode(&l->quiet, j->model, l->size ? rows : NULL,
                            l->size ? NULL : (const float *)(const void *)rows, n,
                            track->z + (size_t)t * d, err);
    }
    if (s) return s;
    memcpy(track->actions + j->foresight.action_dim, l->actions,
           (size_t)steps * (size_t)j->foresight.action_dim * sizeof(float));
    return uw__foresight_errors(&j->foresight, track, err);
}

static outcome outcome_of(const lab *l, const judge *j) {
    outcome o = {0};
    int64_t first = -1, alarm = -1;
    uw__surprise_largest(j->surprise, &j->track, 0, &first);
    o.largest = uw__surprise_largest(j->surprise, &j->track, l->event_at, &alarm);
    o.alarm = (int32_t)alarm;
    o.before = first >= 0 && first < l->event_at;
    return o;
}

/* Latents of the still judge are the model's. */
static uw_status predict_all(lab *l, int32_t first, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t j = 0; j < NUM_JUDGES && !s; j++) {
        judge *at = &l->judges[j];
        if (at->foresight.model) {
            s = predict(l, at, first, err);
            continue;
        }
        memcpy(at->track.z, l->judges[0].track.z,
               (size_t)at->track.length * (size_t)at->foresight.dim * sizeof(float));
        s = uw__foresight_errors(&at->foresight, &at->track, err);
    }
    return s;
}

static uw_status told(const lab *l, int32_t done, uw_err *err) {
    if (uw__progress(l->ctx, "inject", done, l->options.calibration + l->options.episodes))
        return UW_OK;
    return uw_fail(err, UW_EINTERRUPTED, "inject: stopped on request");
}

/* ---- calibrating ----------------------------------------------------------------------------- */

/* Undisturbed episodes: the first third scales the scores, the rest set the thresholds.  They come
 * one by one and are all alike, so which ones come first says nothing. */
static uw_status calibrate(lab *l, uw_err *err) {
    const int32_t total = l->options.calibration;
    const int32_t scaling = (int32_t)uw__covariance_share(total);
    uw_scatter scatter[NUM_JUDGES] = {0};
    double *largest = calloc((size_t)total * NUM_JUDGES, sizeof *largest);
    uw_status s = largest ? UW_OK : uw_fail(err, UW_ENOMEM, "inject: %d episodes", total);
    for (int32_t j = 0; j < NUM_JUDGES && !s; j++)
        if (uw__scatter_init(&scatter[j], l->judges[j].foresight.dim))
            s = uw_fail(err, UW_ENOMEM, "inject: covariance");
    for (int32_t e = 0; e < total && !s; e++) {
        fork f;
        s = begin(l, (uint64_t)e, &f, err);
        if (!s) s = branch(l, &f, UW_INJECT_NOTHING, err);
        if (!s) s = predict_all(l, 0, err);
        for (int32_t j = 0; j < NUM_JUDGES && !s; j++) {
            judge *at = &l->judges[j];
            if (e < scaling) uw__scatter_add(&scatter[j], &at->track);
            if (e == scaling - 1 && !at->surprise) {
                s = uw__surprise_new(&scatter[j], &at->own, err);
                at->surprise = at->own;
                if (at->own) at->own->facts.covariance_episodes = scaling;
            }
            if (e >= scaling && at->own)
                largest[(size_t)j * (size_t)total + (size_t)(e - scaling)] =
                    uw__surprise_largest(at->own, &at->track, 0, NULL);
        }
        if (!s) s = told(l, e + 1, err);
    }
    for (int32_t j = 0; j < NUM_JUDGES && !s; j++)
        if (l->judges[j].own)
            s = uw__surprise_threshold(l->judges[j].own, largest + (size_t)j * (size_t)total,
                                       total - scaling, l->options.alpha, err);
    for (int32_t j = 0; j < NUM_JUDGES; j++) uw__scatter_fini(&scatter[j]);
    free(largest);
    return s;
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool wanted(const lab *l, int32_t kind) {
    return kind == UW_INJECT_NOTHING || !l->options.kinds || l->options.kinds >> kind & 1;
}

static bool applies(const lab *l, int32_t kind) {
    const bool picture = kind == UW_INJECT_COLOR || kind == UW_INJECT_REMOVED;
    return !picture || (l->size && object_color(l->cls));
}

static uw_status play_events(lab *l, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t e = 0; e < l->options.episodes && !s; e++) {
        fork f;
        s = begin(l, (uint64_t)l->options.calibration + (uint64_t)e, &f, err);
        for (int32_t kind = 0; kind < UW_NUM_INJECTIONS && !s; kind++) {
            if (!wanted(l, kind) || !applies(l, kind)) continue;
            s = branch(l, &f, (uw_injection)kind, err);
            /* what lies before the event is encoded already */
            if (!s) s = predict_all(l, kind == UW_INJECT_NOTHING ? 0 : l->event_at, err);
            for (int32_t j = 0; j < NUM_JUDGES && !s; j++)
                *outcome_at(l, j, kind, e) = outcome_of(l, &l->judges[j]);
        }
        if (!s) s = told(l, l->options.calibration + e + 1, err);
    }
    return s;
}

static uw_rate detected(const lab *l, int32_t j, int32_t kind) {
    int32_t eligible = 0, found = 0;
    for (int32_t e = 0; e < l->options.episodes; e++) {
        const outcome *o = outcome_at(l, j, kind, e);
        eligible += !o->before;
        found += !o->before && o->alarm >= 0;
    }
    return uw_rate_of(found, eligible);
}

/* Delays of the model's detections, sorted; work: [episodes]. */
static void fill_delays(const lab *l, uw_injection_row *row, double *work) {
    int32_t n = 0;
    for (int32_t e = 0; e < l->options.episodes; e++) {
        const outcome *o = outcome_at(l, 0, (int32_t)row->injection, e);
        if (!o->before && o->alarm >= 0) work[n++] = o->alarm - l->event_at;
    }
    row->delay_median = row->delay_high = NAN;
    if (!n) return;
    uw__sort(work, n);
    row->delay_median = work[(n - 1) / 2];
    row->delay_high = work[(n * 9 + 9) / 10 - 1];
}

/* Compare scores with the control's: of the same episode, and of all. */
static void fill_contrast(const lab *l, uw_injection_row *row) {
    const int32_t n = l->options.episodes;
    int32_t above = 0;
    double pairs = 0.0;
    for (int32_t e = 0; e < n; e++) {
        const double score = outcome_at(l, 0, (int32_t)row->injection, e)->largest;
        above += score > outcome_at(l, 0, UW_INJECT_NOTHING, e)->largest;
        for (int32_t k = 0; k < n; k++) {
            const double control = outcome_at(l, 0, UW_INJECT_NOTHING, k)->largest;
            pairs += score > control ? 1.0 : score == control ? 0.5 : 0.0;
        }
    }
    row->paired = uw_rate_of(above, n);
    row->auroc = pairs / ((double)n * (double)n);
}

static void fill_report(const lab *l, double *work, uw_injection_report *r) {
    memcpy(r->env, l->cls->name,
           strlen(l->cls->name) < sizeof r->env ? strlen(l->cls->name) : sizeof r->env - 1);
    r->facts = l->judges[0].surprise->facts;
    r->steps = l->options.steps;
    r->event_at = l->event_at;
    for (int32_t kind = 0; kind < UW_NUM_INJECTIONS; kind++) {
        if (!wanted(l, kind)) continue;
        uw_injection_row *row = &r->rows[r->num_rows++];
        *row = (uw_injection_row){.injection = (uw_injection)kind, .applies = applies(l, kind)};
        row->delay_median = row->delay_high = row->auroc = NAN;
        if (!row->applies) continue;
        row->detected = detected(l, 0, kind);
        row->persistence = detected(l, 1, kind);
        row->untrained = detected(l, 2, kind);
        fill_delays(l, row, work);
        fill_contrast(l, row);
    }
}

/* ---- before and after ------------------------------------------------------------------------ */

static uw_status make_twin(const uw_model *model, uint64_t seed, uw_model **out, uw_err *err) {
    const uw_net *net = uw__model_net(model);
    float *params = calloc(net->num_params + 1, sizeof *params);
    float *buffers = calloc(net->num_buffers + 1, sizeof *buffers);
    uw_status s = UW_ENOMEM;
    if (params && buffers) {
        uw__net_randomise(net, seed, params, buffers);
        s = uw__model_new(&net->config, params, buffers, uw__model_normalisers(model),
                          uw_model_provenance(model), out, err);
    } else {
        uw_fail(err, s, "inject: %zu random weights", net->num_params);
    }
    free(params);
    free(buffers);
    return s;
}

static uw_status check_options(uw_injection_options *o, uw_err *err) {
    const struct {
        const char *name;
        int32_t *value, usual, low, high;
    } ranges[] = {{"episodes", &o->episodes, USUAL_EPISODES, 1, MAX_EPISODES},
                  {"calibration", &o->calibration, USUAL_EPISODES, 1, MAX_EPISODES},
                  {"steps", &o->steps, USUAL_STEPS, 4, MAX_STEPS}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (*ranges[i].value == 0) *ranges[i].value = ranges[i].usual;
        if (*ranges[i].value < ranges[i].low || *ranges[i].value > ranges[i].high)
            return uw_fail(err, UW_EINVAL, "inject: %s, wanted %d .. %d, got %d", ranges[i].name,
                           ranges[i].low, ranges[i].high, *ranges[i].value);
    }
    if (o->alpha == 0.0) o->alpha = 0.05;
    if (!(o->alpha > 0.0 && o->alpha < 1.0))
        return uw_fail(err, UW_EINVAL, "alpha: wanted between 0 and 1, got %g", o->alpha);
    const int64_t needed = uw_surprise_episodes_needed(o->alpha);
    if (o->calibration >= needed) return UW_OK;
    uw_fail(err, UW_EINVAL, "inject: alpha %g, wanted %lld episodes to calibrate, got %d", o->alpha,
            (long long)needed, o->calibration);
    uw_err_fix(err, "let more episodes calibrate, or take a larger alpha");
    return UW_EINVAL;
}

/* The model in the world: as an evaluation checks them. */
static uw_status fit(lab *l, const uw_model *model, const char *env, uw_err *err) {
    uw_contest contest = {.ctx = l->ctx, .model = model, .driver = UW_DRIVER_MODEL};
    uw_status s = uw__world_find(env, &contest.cls, err);
    if (!s) s = uw__contest_init(&contest, 0, err);
    if (s) return s;
    l->cls = contest.cls;
    l->size = contest.image_size;
    l->skip = contest.plan_rows;
    l->hold = contest.hold;
    l->row_bytes =
        l->size ? (size_t)l->size * (size_t)l->size * 3 : (size_t)l->cls->state_dim * sizeof(float);
    const char *usual = l->cls->usual_policy ? l->cls->usual_policy : "random";
    uw__policy_parse(usual, &l->policy, NULL);
    return uw_env_new(l->cls->name, &l->env, err);
}

static uw_status make_judges(lab *l, const uw_model *model, const uw_surprise *surprise,
                             uw_err *err) {
    const int32_t steps = surprise ? surprise->facts.steps : 1;
    uw_status s = make_twin(model, l->options.seed + 1, &l->twin, err);
    l->judges[0].model = l->judges[1].model = model;
    l->judges[2].model = l->twin;
    if (!s) s = uw__foresight_init(l->ctx, model, steps, &l->judges[0].foresight, err);
    if (!s) s = uw__foresight_init(l->ctx, l->twin, steps, &l->judges[2].foresight, err);
    if (s) return s;
    l->judges[1].foresight = uw__foresight_still(&l->judges[0].foresight);
    l->judges[0].surprise = surprise;
    for (int32_t j = 0; j < NUM_JUDGES; j++) {
        uw_track *track = &l->judges[j].track;
        if (uw__track_resize(track, l->options.steps + 1, &l->judges[j].foresight))
            return uw_fail(err, UW_ENOMEM, "inject: %d steps", l->options.steps);
        for (int32_t t = 0; t <= l->options.steps; t++) track->usable[t] = true;
        memset(track->actions, 0,
               (size_t)(l->options.steps + 2) * (size_t)l->judges[j].foresight.action_dim *
                   sizeof(float));
    }
    return UW_OK;
}

static uw_status make_room(lab *l, uw_err *err) {
    const size_t frames = (size_t)l->options.steps + 1;
    l->seen = calloc(frames, l->row_bytes);
    l->actions = calloc(frames * (size_t)l->skip * (size_t)l->cls->action_dim, sizeof *l->actions);
    l->snapshot = calloc(1, uw_env_snapshot_bytes(l->env));
    l->outcomes = calloc((size_t)NUM_JUDGES * UW_NUM_INJECTIONS * (size_t)l->options.episodes,
                         sizeof *l->outcomes);
    if (l->seen && l->actions && l->snapshot && l->outcomes) return UW_OK;
    return uw_fail(err, UW_ENOMEM, "inject: %d steps of %zu bytes", l->options.steps, l->row_bytes);
}

static void lab_fini(lab *l) {
    for (int32_t j = 0; j < NUM_JUDGES; j++) {
        uw__foresight_fini(&l->judges[j].foresight);
        uw__track_fini(&l->judges[j].track);
        uw_surprise_unload(l->judges[j].own);
    }
    uw_env_free(l->env);
    uw_model_unload(l->twin);
    free(l->seen);
    free(l->actions);
    free(l->snapshot);
    free(l->outcomes);
}

uw_status uw_surprise_inject(uw_context *ctx, const uw_model *model, const uw_surprise *surprise,
                             const char *env, const uw_injection_options *options,
                             uw_injection_report *out, uw_err *err) {
    const double start = uw__clock_s();
    lab l = {.ctx = ctx, .quiet = *ctx};
    l.quiet.options.progress = NULL;
    if (options) l.options = *options;
    uw_injection_report report = {0};
    double *work = NULL;
    uw_status s = check_options(&l.options, err);
    if (!s) s = fit(&l, model, env, err);
    if (!s) s = make_judges(&l, model, surprise, err);
    if (!s) s = make_room(&l, err);
    l.event_at = l.options.steps / 2;
    if (!s) s = calibrate(&l, err);
    if (!s) s = play_events(&l, err);
    if (!s) {
        work = malloc((size_t)l.options.episodes * sizeof *work);
        if (!work) s = uw_fail(err, UW_ENOMEM, "inject: %d episodes", l.options.episodes);
    }
    if (!s) {
        fill_report(&l, work, &report);
        report.seconds = uw__clock_s() - start;
        *out = report;
    }
    free(work);
    lab_fini(&l);
    return s;
}
