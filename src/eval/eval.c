/* The run: episodes side by side on the pool, then sums in episode order.
 *
 * A worker owns a player (world, controller, memory), made before the first episode; an episode
 * writes only its own places.  So results depend on nothing but the options; latencies are the
 * machine's. */
#include "eval_internal.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "internal.h"

enum { MAX_EPISODES = 1000000, MAX_BUDGET = 1000000, MAX_BLOCK = 1 << 16 };

/* Everything the tasks share. */
typedef struct run {
    uw_contest contest;
    const uw_eval_options *options;
    const uw_part *part;
    uw_judge judge;
    uw_pairs *pairs; /* NULL unless the protocol has a dataset */
    uw_eval_result *result;
    uw_planner_options short_planner; /* an actor's: it looks no further than it acts */
    uw_player **players;   /* [threads] */
    float **actions;       /* [threads][rows * action_dim] */
    int32_t max_decisions; /* per episode */
    float *latency;        /* [episodes, max_decisions] ms; NULL unless the driver plans */
    int32_t *decisions;    /* [episodes] */
    bool *done;            /* [episodes] played to its end, now or before a stop */
    uw_status *status;     /* [episodes] */
    uw_err *errors;        /* [threads] of the worker's first failed episode */
    int32_t *failed;       /* [threads] which one that was; -1 = none */
    atomic_int_least64_t finished;
    atomic_bool stop;
} run;

/* ---- one episode
 * ------------------------------------------------------------------------------------ */

static void trace_state(uw_trace *trace, const uw_env *env, int32_t state_dim) {
    if (!trace) return;
    uw_env_get_state(env, trace->states + (size_t)trace->num_states * (size_t)state_dim);
    trace->num_states++;
}

static bool meets(const run *r, const uw_env *env, const uw_task *task, const uw_step *step) {
    double state[UW_MAX_STATE_DIM];
    uw_env_get_state(env, state);
    return uw__judge_meets(&r->judge, state, task->goal, step);
}

/* Carry out one decision's actions until they end, the budget does, or the goal is reached. */
static uw_status carry_out(run *r, uw_env *env, const float *actions, uw_episode *e,
                           int32_t *streak, uw_trace *trace, uw_err *err) {
    const uw_contest *c = &r->contest;
    for (int32_t row = 0; row < c->rows; row++, actions += c->cls->action_dim) {
        for (int32_t k = 0; k < c->hold; k++) {
            if (e->success || e->steps == r->result->budget) return UW_OK;
            uw_step step;
            const uw_status status = uw_env_step(env, actions, &step);
            if (status)
                return uw_fail(err, status, "%s: episode %d, step %d: %s", c->cls->name,
                               (int)e->index, (int)e->steps, uw_status_str(status));
            e->steps++;
            *streak = meets(r, env, &e->task, &step) ? *streak + 1 : 0;
            e->success = *streak >= r->judge.steps;
            e->final_distance = step.distance;
            trace_state(trace, env, c->cls->state_dim);
        }
    }
    return UW_OK;
}

/* Put the world where another episode would start, the goal where it was. */
static uw_status jump(const run *r, uw_env *env, uw_episode *e, uw_err *err) {
    const uint64_t salt = 0x74656c65706f7274u; /* not the start of another episode of this run */
    uw_task task;
    r->contest.cls->sample_task(r->options->seed ^ salt, (uint64_t)e->index, uw_env_values(env),
                                e->task.hard, &task);
    e->jumped = true;
    const uw_status status = uw_env_set_state(env, task.start);
    return status ? uw_fail(err, status, "%s: episode %d: a sampled start is not finite",
                            r->contest.cls->name, (int)e->index)
                  : UW_OK;
}

static void count_surprise(uw_episode *e, const uw_act_info *info, bool just_jumped) {
    e->surprised += info->surprised;
    e->stopped += info->reason == UW_ACT_STOPPED;
    e->held += info->reason == UW_ACT_HELD;
    e->replanned += info->reason == UW_ACT_REPLANNED;
    if (just_jumped) e->noticed = info->surprised;
}

static uw_status play(run *r, uw_player *player, float *actions, int32_t index, uw_err *err) {
    const uw_contest *c = &r->contest;
    uw_episode *e = &r->result->episodes[index];
    uw_trace *trace = index < r->result->num_traces ? &r->result->traces[index] : NULL;
    uw_env *env = uw__player_env(player);
    uw_setup setup;
    uw_status status = r->pairs ? uw__pairs_setup(r->pairs, r->options, index, &setup, err)
                                : uw__protocol_setup(c->cls, r->options, index, &setup, err);
    if (status) return status;
    *e = (uw_episode){
        .index = index, .task = setup.task, .data_episode = setup.episode, .data_row = setup.row};
    uw_step start;
    status = uw__player_begin(player, &setup, index, &start, err);
    if (status) return status;
    e->solved_at_start = uw__judge_meets(&r->judge, setup.task.start, setup.task.goal, &start);
    e->success = e->solved_at_start && !r->pairs; /* the reference plays such starts */
    e->final_distance = start.distance;
    if (trace) {
        memcpy(trace->values, setup.values, sizeof trace->values);
        memcpy(trace->goal_values, setup.goal_values, sizeof trace->goal_values);
    }
    trace_state(trace, env, c->cls->state_dim);

    int32_t decision = 0, streak = 0;
    double ms = 0.0;
    for (; !e->success && e->steps < r->result->budget; decision++) {
        uw_act_info info;
        const int32_t at = r->options->teleport_at;
        const bool jumps = at > 0 && !e->jumped && e->steps >= at;
        if (jumps) status = jump(r, env, e, err);
        if (status) return status;
        status = uw__player_decide(player, decision, actions, &info, err);
        if (status) return status;
        count_surprise(e, &info, jumps);
        if (r->latency) {
            r->latency[(size_t)index * (size_t)r->max_decisions + (size_t)decision] =
                (float)(info.seconds * 1e3);
            ms += info.seconds * 1e3;
        }
        if (trace && trace->imagined)
            uw__player_imagine(player, trace->imagined + (size_t)trace->num_decisions++ *
                                                             (size_t)trace->horizon *
                                                             (size_t)trace->latent_dim);
        status = carry_out(r, env, actions, e, &streak, trace, err);
        if (status) return status;
    }
    r->decisions[index] = decision;
    e->plan_ms_mean = decision ? ms / decision : 0.0;
    return UW_OK;
}

/* A pool task.  Worker 0 is the thread that called the library: only it may report progress. */
static void episode_task(void *arg, size_t index, int32_t worker) {
    run *r = arg;
    if (r->done[index] || atomic_load_explicit(&r->stop, memory_order_relaxed)) return;
    uw_err err = {0};
    r->status[index] = play(r, r->players[worker], r->actions[worker], (int32_t)index, &err);
    if (r->status[index] && (r->failed[worker] < 0 || (int32_t)index < r->failed[worker])) {
        r->failed[worker] = (int32_t)index;
        r->errors[worker] = err;
    }
    r->done[index] = !r->status[index];
    const int64_t finished = atomic_fetch_add(&r->finished, 1) + 1;
    if (worker == 0 &&
        !uw__progress(r->contest.ctx, r->part->what, r->part->done + finished, r->part->total))
        atomic_store(&r->stop, true);
}

/* ---- before and after
 * ------------------------------------------------------------------------------- */

static uw_status check_options(const uw_eval_options *o, uw_err *err) {
    if (o->episodes < 1 || o->episodes > MAX_EPISODES)
        return uw_fail(err, UW_EINVAL, "episodes: wanted 1 .. %d, got %d", (int)MAX_EPISODES,
                       (int)o->episodes);
    if (o->budget < 0 || o->budget > MAX_BUDGET)
        return uw_fail(err, UW_EINVAL, "budget: wanted 0 .. %d env steps, got %d", (int)MAX_BUDGET,
                       (int)o->budget);
    if (o->keep_traces < 0)
        return uw_fail(err, UW_EINVAL, "keep_traces: wanted 0 or more, got %d",
                       (int)o->keep_traces);
    if (o->replan < 0)
        return uw_fail(err, UW_EINVAL, "replan: wanted 0 or more decisions, got %d",
                       (int)o->replan);
    if (o->teleport_at < 0)
        return uw_fail(err, UW_EINVAL, "teleport_at: wanted 0 or more env steps, got %d",
                       (int)o->teleport_at);
    return UW_OK;
}

uw_status uw__world_find(const char *name, const uw_env_class **out, uw_err *err) {
    *out = name ? uw_env_find(name) : NULL;
    if (*out) return UW_OK;
    uw_env *none = NULL; /* its message has the nearest name */
    return uw_env_new(name ? name : "", &none, err);
}

static uw_status new_traces(run *r) {
    uw_eval_result *result = r->result;
    const uw_contest *c = &r->contest;
    const int32_t wanted = r->options->keep_traces;
    const int32_t count = wanted < r->options->episodes ? wanted : r->options->episodes;
    if (count == 0) return UW_OK;
    result->traces = calloc((size_t)count, sizeof *result->traces);
    if (!result->traces) return UW_ENOMEM;
    result->num_traces = count;
    for (int32_t i = 0; i < count; i++) {
        uw_trace *t = &result->traces[i];
        t->states =
            calloc(((size_t)result->budget + 1) * (size_t)c->cls->state_dim, sizeof(double));
        if (!t->states) return UW_ENOMEM;
        if (c->driver != UW_DRIVER_MODEL) continue;
        t->horizon = c->planner->horizon;
        t->latent_dim = c->latent_dim;
        t->imagined = calloc((size_t)r->max_decisions * (size_t)t->horizon * (size_t)t->latent_dim,
                             sizeof(float));
        if (!t->imagined) return UW_ENOMEM;
    }
    return UW_OK;
}

/* Take all memory that episodes will use. */
static uw_status prepare(run *r, uw_err *err) {
    const uw_contest *c = &r->contest;
    const size_t episodes = (size_t)r->options->episodes;
    const size_t threads = (size_t)uw_context_threads(c->ctx);
    const size_t block = (size_t)c->rows * (size_t)c->cls->action_dim;
    r->max_decisions = (r->result->budget - 1) / (c->rows * c->hold) + 1;
    r->result->episodes = calloc(episodes, sizeof *r->result->episodes);
    r->result->num_episodes = r->options->episodes;
    r->decisions = calloc(episodes, sizeof *r->decisions);
    r->done = calloc(episodes, sizeof *r->done);
    r->status = calloc(episodes, sizeof *r->status);
    r->players = calloc(threads, sizeof *r->players);
    r->actions = calloc(threads, sizeof *r->actions);
    r->errors = calloc(threads, sizeof *r->errors);
    r->failed = calloc(threads, sizeof *r->failed);
    if (uw__driver_plans(c->driver))
        r->latency = calloc(episodes * (size_t)r->max_decisions, sizeof *r->latency);
    if (!r->result->episodes || !r->decisions || !r->done || !r->status || !r->players ||
        !r->actions || !r->errors || !r->failed || (uw__driver_plans(c->driver) && !r->latency) ||
        new_traces(r))
        return uw_fail(err, UW_ENOMEM, "eval: no memory for %d episodes of %d steps",
                       (int)r->options->episodes, (int)r->result->budget);
    for (size_t t = 0; t < threads; t++) {
        r->failed[t] = -1;
        r->actions[t] = calloc(block, sizeof(float));
        if (!r->actions[t]) return uw_fail(err, UW_ENOMEM, "eval: no memory for actions");
        const uw_status status = uw__player_new(c, &r->players[t], err);
        if (status) return status;
    }
    return UW_OK;
}

/* Take over what the same run finished before it was stopped; episodes with a trace are played
 * again. */
static void resume(run *r, uint64_t key) {
    uw_progress kept = {r->options->episodes, r->max_decisions, r->done,
                        r->result->episodes,  r->decisions,     r->latency};
    if (!r->options->resume || !uw__progress_load(r->options->resume, key, &kept)) return;
    memset(r->done, 0, (size_t)r->result->num_traces * sizeof *r->done);
    int64_t found = 0;
    for (int32_t i = 0; i < r->options->episodes; i++) found += r->done[i];
    atomic_store(&r->finished, found);
    uw__log(r->contest.ctx, UW_LOG_INFO, "%s: %d of %d episodes were played before",
            uw_driver_str(r->contest.driver), (int)found, (int)r->options->episodes);
}

static uw_status keep(const run *r, uint64_t key, uw_err *err) {
    const uw_progress kept = {r->options->episodes, r->max_decisions, r->done,
                              r->result->episodes,  r->decisions,     r->latency};
    return r->options->resume ? uw__progress_save(r->options->resume, key, &kept, err) : UW_OK;
}

/* The first episode that failed, whoever played it. */
static uw_status first_failure(const run *r, uw_err *err) {
    int32_t first = -1, who = 0;
    for (int32_t t = 0; t < uw_context_threads(r->contest.ctx); t++) {
        if (r->failed[t] < 0 || (first >= 0 && r->failed[t] > first)) continue;
        first = r->failed[t];
        who = t;
    }
    if (first < 0) return UW_OK;
    if (err) *err = r->errors[who];
    return r->status[first];
}

static int compare_floats(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Nearest-rank percentiles over all decisions. */
static void summarise_latency(run *r) {
    uw_eval_result *result = r->result;
    if (!r->latency || result->decisions == 0) return;
    size_t count = 0;
    for (int32_t i = 0; i < result->num_episodes; i++) {
        memmove(r->latency + count, r->latency + (size_t)i * (size_t)r->max_decisions,
                (size_t)r->decisions[i] * sizeof(float));
        count += (size_t)r->decisions[i];
    }
    qsort(r->latency, count, sizeof(float), compare_floats);
    result->plan_ms_p50 = (double)r->latency[(count + 1) / 2 - 1];
    result->plan_ms_p99 = (double)r->latency[(count * 99 + 99) / 100 - 1];
    result->plan_ms_max = (double)r->latency[count - 1];
}

static void summarise(run *r) {
    uw_eval_result *result = r->result;
    int32_t successes[2] = {0}, episodes[2] = {0}; /* easy, hard */
    int32_t jumped = 0, noticed = 0;
    double steps = 0.0;
    for (int32_t i = 0; i < result->num_episodes; i++) {
        const uw_episode *e = &result->episodes[i];
        episodes[e->task.hard]++;
        successes[e->task.hard] += e->success;
        result->solved_at_start += e->solved_at_start;
        result->decisions += r->decisions[i];
        result->surprised += e->surprised;
        result->stopped += e->stopped;
        result->held += e->held;
        result->replanned += e->replanned;
        jumped += e->jumped;
        noticed += e->noticed;
        if (e->success) steps += e->steps;
    }
    const int32_t total = successes[0] + successes[1];
    result->success = uw_rate_of(total, result->num_episodes);
    result->easy = uw_rate_of(successes[0], episodes[0]);
    result->hard = uw_rate_of(successes[1], episodes[1]);
    if (jumped) result->noticed = uw_rate_of(noticed, jumped);
    result->mean_steps = total ? steps / total : 0.0;
    summarise_latency(r);
}

static void run_fini(run *r) {
    const int32_t threads = uw_context_threads(r->contest.ctx);
    for (int32_t t = 0; t < threads; t++) {
        if (r->players) uw__player_free(r->players[t]);
        if (r->actions) free(r->actions[t]);
    }
    free(r->players);
    free(r->actions);
    free(r->latency);
    free(r->decisions);
    free(r->done);
    uw__pairs_free(r->pairs);
    free(r->status);
    free(r->errors);
    free(r->failed);
}

uw_status uw__eval_part(uw_context *ctx, const uw_model *model, const char *env, uw_driver driver,
                        int32_t action_repeat, const uw_eval_options *options, const uw_part *part,
                        uw_eval_result *out, uw_err *err) {
    const double start = uw__clock_s();
    const uw_protocol *protocol = NULL;
    uw_eval_result result = {.driver = driver};
    run r = {.contest = {.ctx = ctx,
                         .model = model,
                         .driver = driver,
                         .planner = &options->planner,
                         .value = options->value,
                         .actor = options->actor,
                         .actor_first = options->actor_first,
                         .band = options->band,
                         .on_surprise = options->on_surprise,
                         .script = part->script,
                         .seed = options->seed},
             .options = options,
             .part = part,
             .result = &result};
    uw_status status = check_options(options, err);
    if (!status) status = uw__protocol_find(options->protocol, &protocol, err);
    if (!status) status = uw__world_find(env, &r.contest.cls, err);
    if (!status) status = uw__protocol_check(protocol, r.contest.cls, options, err);
    if (!status) status = uw__judge_init(&r.judge, protocol, r.contest.cls, err);
    if (!status && protocol->offset)
        status =
            uw__pairs_new(protocol, r.contest.cls, options, uw_context_threads(ctx), &r.pairs, err);
    r.contest.pairs = r.pairs;
    if (!status) status = uw__contest_init(&r.contest, action_repeat, err);
    if (status) goto done;
    uw__contest_execute(&r.contest, options->replan, protocol->solve);
    if (driver == UW_DRIVER_MODEL && options->actor && !options->actor_first) {
        r.short_planner = options->planner;
        r.short_planner.horizon = r.contest.execute;
        r.contest.planner = &r.short_planner;
    }
    if (driver == UW_DRIVER_MODEL && options->band && r.contest.execute > 1) {
        status =
            uw_fail(err, UW_EINVAL, "surprise: looks after every decision, wanted replan 1, got %d",
                    (int)r.contest.execute);
        uw_err_fix(err, "evaluate with --replan 1");
        goto done;
    }

    snprintf(result.protocol, sizeof result.protocol, "%s", protocol->name);
    snprintf(result.env, sizeof result.env, "%s", r.contest.cls->name);
    r.contest.budget = result.budget = options->budget ? options->budget : protocol->budget;
    result.action_repeat = r.contest.hold;
    result.plan_steps = r.contest.hold * r.contest.rows;
    if (r.pairs) uw__pairs_describe(r.pairs, &result);
    status = prepare(&r, err);
    if (status) goto done;
    const uint64_t key = uw__progress_key(&r.contest, protocol, options);
    resume(&r, key);
    uw__pool_run(ctx->pool, (size_t)options->episodes, episode_task, &r);
    status = first_failure(&r, err);
    if (!status) status = keep(&r, key, err);
    if (!status && atomic_load(&r.stop))
        status = uw_fail(err, UW_EINTERRUPTED, "%s: stopped after %d of %d episodes", part->what,
                         (int)atomic_load(&r.finished), (int)options->episodes);
    if (status) goto done;
    summarise(&r);
    result.seconds = uw__clock_s() - start;
    *out = result;
done:
    if (status) uw_eval_result_fini(&result);
    run_fini(&r);
    return status;
}

uw_status uw_eval_run(uw_context *ctx, const uw_model *model, const char *env, uw_driver driver,
                      int32_t action_repeat, const uw_eval_options *options, uw_eval_result *out,
                      uw_err *err) {
    const uw_part part = {"eval", 0, options->episodes, NULL};
    return uw__eval_part(ctx, model, env, driver, action_repeat, options, &part, out, err);
}

void uw_eval_result_fini(uw_eval_result *result) {
    for (int32_t i = 0; i < result->num_traces; i++) {
        free(result->traces[i].states);
        free(result->traces[i].imagined);
    }
    free(result->traces);
    free(result->episodes);
    *result = (uw_eval_result){0};
}
