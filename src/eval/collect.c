/* Collecting: the evaluation loop with a scripted driver and a recorder at its end.
 *
 * Episodes are computed in parallel, each from (seed, number) alone, into slots of a batch; the
 * slots are handed to the recorder in order.  So the bytes depend neither on threads nor on where a
 * run stopped. */
#include <umwelt/dataset.h>
#include <umwelt/eval.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "clock.h"
#include "eval_internal.h"
#include "fileio.h"
#include "internal.h"
#include "policy.h"
#include "process.h"
#include "rng.h"
#include "variation.h"

enum {
    SLOTS_PER_THREAD = 4,
    USUAL_STEPS = 50,
    MAX_VARIATION_TEXT = 2048,
    MAX_REDRAWS = 1000, /* of a reset that breaks a rule of the world */
};
static const uint64_t max_slot_bytes = 1ull << 31;    /* one episode */
static const uint64_t max_batch_bytes = 256ull << 20; /* all slots, when more than one fits */

/* Collecting is no protocol: where the library draws the variations, they must not be those that a
 * test with the same seed will see. */
static const uint64_t variation_salt = 0x636f6c6c65637421u;

/* Where the fixed columns are; -1 = absent. */
typedef struct schema {
    uw_column columns[UW_MAX_COLUMNS];
    size_t row_bytes[UW_MAX_COLUMNS];
    size_t offset[UW_MAX_COLUMNS];           /* of a column in a slot */
    const uw_factor *factor[UW_MAX_COLUMNS]; /* NULL for the fixed columns */
    int32_t count;
    int32_t pixels, action, state, goal, readings, reward, terminated;
    size_t slot_bytes;
} schema;

/* One episode's rows, column after column. */
typedef struct slot {
    unsigned char *data; /* [slot_bytes], part of the batch */
    int64_t rows;        /* written */
    int64_t clipped;     /* rows whose action was outside [-1, 1] */
    uw_status status;
    uw_err err;
} slot;

typedef struct job {
    const uw_env_class *cls;
    const uw_collect_options *options; /* with the usual values filled in */
    uw_policy_kind policy;
    uw_variation variation;
    schema schema;
    int32_t num_envs, num_slots;
    uw_env **envs; /* [num_envs], one per worker */
    slot *slots;   /* [num_slots] */
    unsigned char *memory;
    int64_t first;   /* episode of slot 0 */
    int64_t clipped; /* rows of this run, recorded */
} job;

/* ---- what is recorded --------------------------------------------------------------------------
 */

static int32_t add_column(schema *s, const char *name, uw_dtype dtype, int32_t num_dims,
                          const int64_t *shape, const char *unit) {
    uw_column *c = &s->columns[s->count];
    *c = (uw_column){.dtype = dtype, .num_dims = num_dims};
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->unit, sizeof c->unit, "%s", unit ? unit : "");
    size_t bytes = uw_dtype_bytes(dtype);
    for (int32_t i = 0; i < num_dims; i++) {
        c->shape[i] = shape[i];
        bytes *= (size_t)shape[i];
    }
    s->row_bytes[s->count] = bytes;
    return s->count++;
}

/* A reading called reward is the world's own, of the row's last env step, and finer than float32.
 */
static bool reads_reward(const uw_env_class *cls) {
    for (int32_t i = 0; i < cls->num_readings; i++)
        if (strcmp(cls->readings[i].name, "reward") == 0) return true;
    return false;
}

/* The columns that every world has, and its readings. */
static void add_fixed(job *j, schema *s) {
    const uw_env_class *cls = j->cls;
    const int64_t size = j->options->size;
    const int64_t frame[3] = {size, size, 3}, actions = cls->action_dim, states = cls->state_dim;
    const uw_dtype real = cls->wide_state ? UW_DTYPE_F64 : UW_DTYPE_F32;
    s->pixels = -1;
    if (size > 0) {
        s->pixels = add_column(s, "pixels", UW_DTYPE_U8, 3, frame, "");
#if defined(UW_ZSTD)
        s->columns[s->pixels].codec = UW_CODEC_ZSTD;
#endif
    }
    s->action = add_column(s, "action", UW_DTYPE_F32, 1, &actions, "1");
    s->state = add_column(s, "state", real, 1, &states, cls->state_unit);
    s->goal = add_column(s, "goal_state", real, 1, &states, cls->state_unit);
    s->readings = s->count;
    for (int32_t i = 0; i < cls->num_readings; i++) {
        const int64_t dim = cls->readings[i].dim;
        add_column(s, cls->readings[i].name, real, 1, &dim, cls->readings[i].unit);
    }
    s->reward = reads_reward(cls) ? -1 : add_column(s, "reward", UW_DTYPE_F32, 0, NULL, "");
    s->terminated = add_column(s, "terminated", UW_DTYPE_BOOL, 0, NULL, "");
}

static uw_status schema_init(job *j, const char *path, uw_err *err) {
    schema *s = &j->schema;
    add_fixed(j, s);
    for (int32_t i = 0; i < j->cls->num_factors; i++) {
        const uw_factor *f = &j->cls->factors[i];
        if (j->variation.mode[i] == UW_VARY_DEFAULT || f->placed) continue;
        if (s->count == UW_MAX_COLUMNS)
            return uw_fail(err, UW_EINVAL, "%s: too many factors, wanted at most %d columns", path,
                           (int)UW_MAX_COLUMNS);
        const int64_t dim = f->dim;
        s->factor[s->count] = f;
        add_column(s, f->name, f->wide ? UW_DTYPE_F64 : UW_DTYPE_F32, 1, &dim,
                   f->kind == UW_FACTOR_COLOR && !f->unit ? "0..255" : f->unit);
    }

    const uint64_t rows = (uint64_t)j->options->steps + 1;
    uint64_t used = 0;
    for (int32_t c = 0; c < s->count; c++) {
        uint64_t bytes;
        s->offset[c] = (size_t)used;
        if (!uw__mul_u64(rows, s->row_bytes[c], &bytes) || bytes > max_slot_bytes ||
            (used += (bytes + 63) / 64 * 64) > max_slot_bytes) {
            uw_fail(err, UW_EINVAL, "%s: an episode of %d steps is too large, wanted at most 2 GiB",
                    path, (int)j->options->steps);
            uw_err_fix(err, "record shorter episodes (--steps) or smaller pictures (--size)");
            return UW_EINVAL;
        }
    }
    s->slot_bytes = (size_t)used;
    return UW_OK;
}

static void *cell(const job *j, const slot *at, int32_t column, int64_t row) {
    return at->data + j->schema.offset[column] + (size_t)row * j->schema.row_bytes[column];
}

/* Put doubles into a cell of a real column. */
static void put_reals(const job *j, const slot *at, int32_t column, int64_t row, const double *from,
                      int32_t dim) {
    void *to = cell(j, at, column, row);
    const bool wide = j->schema.columns[column].dtype == UW_DTYPE_F64;
    for (int32_t i = 0; i < dim; i++) {
        if (wide)
            ((double *)to)[i] = from[i];
        else
            ((float *)to)[i] = (float)from[i];
    }
}

/* Write what is seen at a row, and what the way there gave. */
static void write_row(const job *j, const slot *at, const uw_env *env, int64_t row,
                      const uw_step *way) {
    const schema *s = &j->schema;
    const uw_env_class *cls = j->cls;
    double numbers[UW_MAX_READINGS * UW_MAX_STATE_DIM];
    uw_env_get_state(env, numbers);
    put_reals(j, at, s->state, row, numbers, cls->state_dim);
    uw_env_get_goal(env, numbers);
    put_reals(j, at, s->goal, row, numbers, cls->state_dim);
    uw_env_read(env, numbers);
    const double *reading = numbers;
    for (int32_t i = 0; i < cls->num_readings; reading += cls->readings[i++].dim)
        put_reals(j, at, s->readings + i, row, reading, cls->readings[i].dim);
    if (s->reward >= 0) *(float *)cell(j, at, s->reward, row) = way->reward;
    *(uint8_t *)cell(j, at, s->terminated, row) = way->success;
    if (s->pixels >= 0) uw_env_render(env, j->options->size, cell(j, at, s->pixels, row));
    for (int32_t c = 0; c < s->count; c++) {
        if (s->factor[c])
            put_reals(j, at, c, row, uw_env_values(env) + s->factor[c]->offset, s->factor[c]->dim);
    }
}

/* ---- one episode -------------------------------------------------------------------------------
 */

/* Give an expert that arrived another goal, far and near in turn. */
static uw_status next_goal(const job *j, uw_env *env, uint64_t seed, uint64_t number) {
    uw_task task;
    j->cls->sample_task(seed, number, uw_env_values(env), number % 2 == 0, &task);
    return uw_env_set_goal(env, task.goal);
}

/* Begin an episode as stable-worldmodel does with seed S + episode.  Where its reset fails, because
 * the draw breaks a rule, seeds 2^32 apart are tried. */
static uw_status reset_sampled(const job *j, uw_env *env, int64_t episode, uw_err *err) {
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    uw_status s = UW_EINVAL;
    for (uint64_t k = 0; s == UW_EINVAL && k < MAX_REDRAWS; k++) {
        const uint64_t seed = j->options->seed + (uint64_t)episode + (k << 32);
        s = uw_variation_sample(j->cls, &j->variation, seed, values, fixed, err);
        if (!s) s = uw_env_reset(env, seed, values, fixed, err);
    }
    return s;
}

/* Begin an episode of a world without such seeds; `own` is its seed. */
static uw_status reset_resolved(const job *j, uw_env *env, uint64_t own, int64_t episode,
                                uw_err *err) {
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    const uw_status s =
        uw_variation_resolve(j->cls, &j->variation, j->options->seed ^ variation_salt,
                             (uint64_t)episode, values, fixed, err);
    return s ? s : uw_env_reset(env, own, values, fixed, err);
}

/* Hold an action for a row; *way gets the sum of rewards and whether the goal was met. */
static uw_status carry_out(const job *j, slot *at, uw_env *env, const float *action, uw_step *way) {
    *way = (uw_step){0};
    for (int32_t k = 0; k < j->options->action_repeat; k++) {
        uw_step step;
        const uw_status s = uw_env_step(env, action, &step);
        if (s) return uw_fail(&at->err, s, "%s: the policy's action is not finite", j->cls->name);
        way->reward += step.reward;
        way->success |= step.success;
        way->clipped |= step.clipped;
    }
    at->clipped += way->clipped;
    return UW_OK;
}

/* Whether what `push` moves about has left the picture: nobody could learn from the rest. */
static bool ends_early(const job *j, uw_env *env) {
    return j->policy == UW_POLICY_PUSH && j->cls->astray && j->cls->astray(uw_env_self(env));
}

static uw_status record(const job *j, slot *at, uw_env *env, int64_t episode) {
    const uw_collect_options *o = j->options;
    uw_rng rng = uw__rng(o->seed, UW_STREAM_ENV, (uint64_t)episode + 1); /* 0 is a reset's own */
    const uint64_t own = uw__rng_u64(&rng);
    uw_status s = j->cls->sample ? reset_sampled(j, env, episode, &at->err)
                                 : reset_resolved(j, env, own, episode, &at->err);
    if (s) return s;

    uw_policy policy;
    uw_step way = {.reward = NAN}; /* nothing led to the first row */
    uint64_t goals = 0;
    uw__policy_start(&policy, j->policy, j->cls, o->seed, (uint64_t)episode);
    at->clipped = 0;
    for (int64_t t = 0; t <= o->steps; t++) {
        float *action = cell(j, at, j->schema.action, t);
        write_row(j, at, env, t, &way);
        if (t == o->steps || ends_early(j, env)) {
            at->rows = t + 1;
            for (int32_t i = 0; i < j->cls->action_dim; i++) action[i] = NAN;
            break;
        }
        uw__policy_act(&policy, uw_env_self(env), action);
        s = carry_out(j, at, env, action, &way);
        if (s) return s;
        if (way.success && j->policy == UW_POLICY_EXPERT) {
            s = next_goal(j, env, own, goals++);
            if (s) return uw_fail(&at->err, s, "%s: a sampled goal is not finite", j->cls->name);
        }
    }
    return UW_OK;
}

static void record_task(void *arg, size_t index, int32_t worker) {
    const job *j = arg;
    slot *at = &j->slots[index];
    at->status = record(j, at, j->envs[worker], j->first + (int64_t)index);
}

/* ---- the run -----------------------------------------------------------------------------------
 */

/* Put what is usual in a world where the options do not say. */
static void fill_usual(const uw_env_class *cls, uw_collect_options *o) {
    if (!o->steps) o->steps = cls->usual_steps ? cls->usual_steps : USUAL_STEPS;
    if (!o->action_repeat) o->action_repeat = uw__usual_hold(cls);
    if (!o->policy) o->policy = cls->usual_policy ? cls->usual_policy : "random";
}

static uw_status options_check(const char *env, const char *path, const uw_collect_options *o,
                               job *j, uw_err *err) {
    const struct {
        const char *name;
        int32_t value, low, high;
    } ranges[] = {
        {"episodes", o->episodes, 1, INT32_MAX},
        {"steps", o->steps, 1, INT32_MAX - 1},
        {"size", o->size, 0, UW_MAX_FRAME_SIZE},
        {"action_repeat", o->action_repeat, 1, 10000},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].value < ranges[i].low || ranges[i].value > ranges[i].high)
            return uw_fail(err, UW_EINVAL, "%s: %s out of range, wanted %d .. %d, got %d", path,
                           ranges[i].name, (int)ranges[i].low, (int)ranges[i].high,
                           (int)ranges[i].value);
    const char *nearest = NULL;
    if (!uw__policy_parse(o->policy, &j->policy, &nearest)) {
        uw_fail(err, UW_EINVAL,
                "%s: no such policy, wanted random, expert, weak, none or push, got '%s'", path,
                o->policy);
        if (nearest) uw_err_fix(err, "did you mean %s?", nearest);
        return UW_EINVAL;
    }
    if (j->policy == UW_POLICY_PUSH && !j->cls->push) {
        uw_fail(err, UW_EINVAL, "%s: policy push, wanted a world with things to push, got %s", path,
                env);
        uw_err_fix(err, "collect pusht, or take --policy random");
        return UW_EINVAL;
    }
    if (o->variation) j->variation = *o->variation;
    /* a variation that no episode can have is refused before a file is made */
    uw_env *trial = NULL;
    uw_status s = uw_env_new(env, &trial, err);
    if (!s)
        s = j->cls->sample ? reset_sampled(j, trial, 0, err) : reset_resolved(j, trial, 0, 0, err);
    uw_env_free(trial);
    return s;
}

static uw_status job_alloc(job *j, uw_context *ctx, const char *path, uw_err *err) {
    const int32_t threads = uw_context_threads(ctx);
    const uint64_t fit = max_batch_bytes / j->schema.slot_bytes;
    uint64_t count = (uint64_t)threads * SLOTS_PER_THREAD;
    if (count > fit) count = fit;
    if (count > (uint64_t)j->options->episodes) count = (uint64_t)j->options->episodes;
    if (count < 1) count = 1;
    j->num_slots = (int32_t)count;
    j->slots = calloc(count, sizeof *j->slots);
    j->memory = calloc(count, j->schema.slot_bytes); /* zeroed: padding between columns */
    j->envs = calloc((size_t)threads, sizeof(uw_env *));
    if (!j->slots || !j->memory || !j->envs) {
        uw_fail(err, UW_ENOMEM, "%s: no memory for %d episodes of %zu bytes", path,
                (int)j->num_slots, j->schema.slot_bytes);
        uw_err_fix(err, "record shorter episodes (--steps) or smaller pictures (--size)");
        return UW_ENOMEM;
    }
    for (int32_t i = 0; i < j->num_slots; i++)
        j->slots[i].data = j->memory + (size_t)i * j->schema.slot_bytes;
    for (; j->num_envs < threads; j->num_envs++) {
        const uw_status s = uw_env_new(j->cls->name, &j->envs[j->num_envs], err);
        if (s) return s;
    }
    return UW_OK;
}

static void job_fini(job *j) {
    for (int32_t i = 0; i < j->num_envs; i++) uw_env_free(j->envs[i]);
    free(j->envs);
    free(j->slots);
    free(j->memory);
}

static bool same_text(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Whether an episode of these options may have so many rows: those of `push` may end early. */
static bool could_be(const uw_collect_options *options, const uw_dataset_meta *meta, int64_t rows) {
    const int64_t most = (int64_t)options->steps + 1;
    return rows == most || (rows < most && same_text(meta->policy, "push"));
}

/* Refuse to continue a file that was collected otherwise: its later episodes would not belong. */
uw_status uw__collect_resume_check(const uw_collect_options *options, const char *path,
                                   const uw_dataset_meta *meta, uw_err *err) {
    uw_dataset *data = NULL;
    uw_status s = uw_dataset_open(path, &data, err);
    if (s) return s;
    const uw_dataset_meta *old = uw_dataset_meta_of(data);
    const int64_t episodes = uw_dataset_episodes(data);
    const char *what = !same_text(old->env, meta->env)               ? "world"
                       : !same_text(old->policy, meta->policy)       ? "policy"
                       : !same_text(old->variation, meta->variation) ? "variation"
                       : old->action_repeat != meta->action_repeat   ? "action_repeat"
                       : old->seed != meta->seed                     ? "seed"
                       : episodes > 0 && !could_be(options, meta, uw_dataset_episode_rows(data, 0))
                           ? "steps"
                           : NULL;
    if (what) {
        s = uw_fail(err, UW_EINVAL, "%s: resume: wanted the %s it was collected with, got another",
                    path, what);
    } else if (episodes > options->episodes) {
        s = uw_fail(err, UW_EINVAL, "%s: resume: wanted %d episodes, got a file with %lld", path,
                    (int)options->episodes, (long long)episodes);
    }
    if (s) uw_err_fix(err, "repeat the options of the first run, or write to another file");
    uw_dataset_close(data);
    return s;
}

uw_status uw__collect_stopped(const char *path, int64_t done, int64_t total, uw_err *err) {
    uw_fail(err, UW_EINTERRUPTED, "%s: stopped after %lld of %lld episodes", path, (long long)done,
            (long long)total);
    uw_err_fix(err, "the same command with --resume continues");
    return UW_EINTERRUPTED;
}

/* Compute and record everything from `done` on; on a stop or an error the complete episodes stay.
 */
static uw_status run_batches(job *j, uw_context *ctx, const char *path, uw_recorder *rec,
                             int64_t done, uw_err *err) {
    const int64_t total = j->options->episodes;
    while (done < total) {
        const int64_t left = total - done;
        const size_t count = (size_t)(left < j->num_slots ? left : j->num_slots);
        j->first = done;
        uw__pool_run(ctx->pool, count, record_task, j);
        for (size_t i = 0; i < count; i++) {
            const slot *at = &j->slots[i];
            if (at->status) {
                if (err) *err = at->err;
                return at->status;
            }
            j->clipped += at->clipped;
            const void *cells[UW_MAX_COLUMNS];
            for (int32_t c = 0; c < j->schema.count; c++) cells[c] = cell(j, at, c, 0);
            const uw_status s = uw_recorder_episode(rec, ctx, cells, at->rows, err);
            if (s) return s;
            done++;
            if (!uw__progress(ctx, "collect", done, total) && done < total) {
                return uw__collect_stopped(path, done, total, err);
            }
        }
    }
    return UW_OK;
}

/* What the file holds now. */
uw_status uw__collect_measure(const char *path, int64_t found, int64_t episodes, double seconds,
                              uw_collect_result *out, uw_err *err) {
    uw_dataset *data = NULL;
    uint64_t bytes = 0;
    int64_t old = 0, all = 0;
    uw_status s = uw__file_size(path, &bytes, err);
    if (!s) s = uw_dataset_open(path, &data, err);
    if (s) return s;
    for (int64_t e = 0; e < episodes; e++) {
        const int64_t rows = uw_dataset_episode_rows(data, e);
        all += rows;
        old += e < found ? rows : 0;
    }
    uw_dataset_close(data);
    *out = (uw_collect_result){.episodes = episodes,
                               .frames = all,
                               .bytes = (int64_t)bytes,
                               .seconds = seconds,
                               .new_frames = all - old};
    return UW_OK;
}

uw_status uw_collect_run(uw_context *ctx, const char *env, const char *path,
                         const uw_collect_options *options, uw_collect_result *out, uw_err *err) {
    const double started = uw__clock_s();
    uw_collect_options filled = *options;
    job j = {.options = &filled};
    uw_recorder *rec = NULL;
    char variation[MAX_VARIATION_TEXT];
    int64_t found = 0, episodes = 0;
    const uw_process *process = uw__process_find(env);
    if (process) return uw__collect_process(ctx, process, path, options, out, err);
    uw_status s = uw__world_find(env, &j.cls, err);
    if (s) return s;
    fill_usual(j.cls, &filled);
    options = &filled;
    s = options_check(env, path, options, &j, err);
    if (!s) s = schema_init(&j, path, err);
    if (s) goto done;
    uw__variation_format(j.cls, &j.variation, variation, sizeof variation);
    const uw_dataset_meta meta = {.env = j.cls->name,
                                  .policy = options->policy,
                                  .variation = variation,
                                  .action_repeat = options->action_repeat,
                                  .seed = options->seed};
    uw_open_mode mode = options->overwrite ? UW_OPEN_OVERWRITE : UW_OPEN_NEW;
    if (options->resume && uw__file_exists(path)) {
        mode = UW_OPEN_APPEND;
        s = uw__collect_resume_check(options, path, &meta, err);
        if (s) goto done;
    }
    s = job_alloc(&j, ctx, path, err);
    if (!s) s = uw_recorder_open(path, j.schema.columns, j.schema.count, &meta, mode, &rec, err);
    if (s) goto done;

    found = uw_recorder_episodes(rec);
    s = run_batches(&j, ctx, path, rec, found, err);
    episodes = uw_recorder_episodes(rec);
    /* close in any case, so that what is complete is indexed; the first error is the one to tell */
    const uw_status closed = uw_recorder_close(rec, s ? NULL : err);
    if (!s) s = closed;
    if (!s || (s == UW_EINTERRUPTED && !closed)) {
        const uw_status measured = uw__collect_measure(
            path, found, episodes, uw__clock_s() - started, out, s ? NULL : err);
        if (!measured) out->clipped = j.clipped;
        if (!s) s = measured;
    }
done:
    job_fini(&j);
    return s;
}
