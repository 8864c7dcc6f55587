/* Fitting a policy by hindsight: draw a row, draw how many decisions later the goal is seen, learn
 * how few they can be and which action led there.
 *
 * A batch is a function of (seed, step) alone and layers fold sums in a fixed order: the bits do
 * not depend on the number of threads.  The model is only read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/arena.h>

#include "episodes.h"
#include "internal.h"
#include "policy_internal.h"
#include "probe_internal.h"
#include "rng.h"

enum { HORIZON = 20, STEPS = 20000, ROWS = 65536, BATCH = 256 };
static const double QUANTILE = 0.1, RATE = 2e-3;

/* What the recording gives. */
typedef struct lessons {
    uw_row *rows;
    int64_t num_rows;
    float *z;        /* [rows, D] standardised */
    float *action;   /* [rows, A of one row]; NaN where none was recorded */
    int64_t *start;  /* rows that have a whole decision behind them */
    int32_t *behind; /* [starts] decisions that follow in the episode */
    int64_t num_starts;
    int32_t skip;   /* rows per decision */
    size_t per_row; /* action numbers */
} lessons;

static void lessons_fini(lessons *l) {
    free(l->rows);
    free(l->z);
    free(l->action);
    free(l->start);
    free(l->behind);
}

/* ---- reading --------------------------------------------------------------------------------- */

static uw_status read_actions(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                              lessons *l, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    char name[UW_MAX_COLUMN_NAME];
    uw__action_column(model, name, sizeof name);
    const int32_t column = uw_dataset_find(data, name, NULL);
    if (column < 0) return uw_fail(err, UW_ESHAPE, "policy: column %s, wanted one, got none", name);
    const int32_t numbers = uw__column_numbers(uw_dataset_column(data, column));
    if (numbers != config->action_dim) {
        uw_fail(err, UW_ESHAPE, "%s: wanted the %d numbers that the model takes, got %d", name,
                (int)config->action_dim, (int)numbers);
        uw_err_fix(err, "fit to a recording of the world that the model is of");
        return UW_ESHAPE;
    }
    const size_t count = (size_t)l->num_rows * (size_t)numbers;
    double *wide = malloc(count * sizeof *wide);
    l->action = malloc(count * sizeof *l->action);
    l->per_row = (size_t)numbers;
    uw_status s = wide && l->action ? UW_OK : uw_fail(err, UW_ENOMEM, "policy: no memory");
    if (!s) s = uw__rows_read(ctx, data, column, l->rows, l->num_rows, wide, err);
    for (size_t i = 0; i < count && !s; i++) l->action[i] = (float)wide[i];
    free(wide);
    return s;
}

/* Rows with a whole decision of finite actions behind them, and how many decisions follow. */
static uw_status find_starts(lessons *l, uw_err *err) {
    const int64_t n = l->num_rows, skip = l->skip;
    l->start = malloc((size_t)n * sizeof *l->start);
    l->behind = malloc((size_t)n * sizeof *l->behind);
    if (!l->start || !l->behind) return uw_fail(err, UW_ENOMEM, "policy: no memory");
    for (int64_t i = 0, end = 0; i < n; i++) {
        if (i == end) /* one past the episode's last row */
            while (end < n && l->rows[end].episode == l->rows[i].episode) end++;
        bool whole = i + skip < end;
        for (int64_t j = i * (int64_t)l->per_row; whole && j < (i + skip) * (int64_t)l->per_row;
             j++)
            whole = isfinite(l->action[j]);
        if (!whole) continue;
        l->start[l->num_starts] = i;
        l->behind[l->num_starts++] = (int32_t)((end - 1 - i) / skip);
    }
    if (l->num_starts > 0 && l->num_starts < INT32_MAX) return UW_OK;
    return uw_fail(err, UW_ESHAPE, "policy: wanted rows with a recorded decision, got %lld of %lld",
                   (long long)l->num_starts, (long long)n);
}

/* Mean and deviation (1 when constant) of columns, x [n, d]. */
static void moments(const float *x, int64_t n, size_t d, float *mean, float *std) {
    for (size_t j = 0; j < d; j++) {
        double sum = 0.0, square = 0.0;
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = (double)x[(size_t)i * d + j];
            if (!isfinite(v)) continue;
            sum += v;
            count++;
        }
        const double middle = count ? sum / (double)count : 0.0;
        for (int64_t i = 0; i < n; i++) {
            const double v = (double)x[(size_t)i * d + j] - middle;
            if (isfinite(v)) square += v * v;
        }
        const double deviation = count ? sqrt(square / (double)count) : 0.0;
        mean[j] = (float)middle;
        std[j] = deviation > 1e-6 ? (float)deviation : 1.0f;
    }
}

static void standardise(float *x, int64_t n, size_t d, const float *mean, const float *std) {
    for (int64_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            x[(size_t)i * d + j] = (x[(size_t)i * d + j] - mean[j]) / std[j];
}

static uw_status read_lessons(uw_context *ctx, const uw_model *model, const char *path,
                              const uw_policy_options *o, uw_policy *p, lessons *l, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    uw_dataset *data = NULL;
    uw_observe observe;
    l->skip = config->frameskip;
    uw_status s = uw_dataset_open(path, &data, err);
    if (!s) s = uw__observe_find(model, data, &observe, err);
    const uw_row_choice choice = {.what = "policy",
                                  .skip = l->skip,
                                  .stride = 1,
                                  .most = o->max_rows,
                                  .holdout = o->holdout,
                                  .seed = o->holdout_seed};
    if (!s) s = uw__rows_choose(data, &choice, &l->rows, &l->num_rows, err);
    if (!s) s = read_actions(ctx, model, data, l, err);
    if (!s) s = find_starts(l, err);
    if (s) goto done;
    l->z = malloc((size_t)l->num_rows * p->dim * sizeof *l->z);
    s = l->z ? uw__rows_encode(ctx, model, data, &observe, l->rows, l->num_rows, l->z, err)
             : uw_fail(err, UW_ENOMEM, "%s: policy of %lld rows", path, (long long)l->num_rows);
    for (size_t i = 0; !s && i < (size_t)l->num_rows * p->dim; i++)
        if (!isfinite(l->z[i])) s = uw_fail(err, UW_ENONFINITE, "%s: a latent is not finite", path);
    if (s) goto done;
    snprintf(p->dataset, sizeof p->dataset, "%s", uw_dataset_hash(data));
    moments(l->z, l->num_rows, p->dim, p->latent_mean, p->latent_std);
    standardise(l->z, l->num_rows, p->dim, p->latent_mean, p->latent_std);
    moments(l->action, l->num_rows, l->per_row, p->action_mean, p->action_std);
    standardise(l->action, l->num_rows, l->per_row, p->action_mean, p->action_std);
    for (size_t j = l->per_row; j < p->action_dim; j++) { /* every row of a decision alike */
        p->action_mean[j] = p->action_mean[j - l->per_row];
        p->action_std[j] = p->action_std[j - l->per_row];
    }
done:
    uw_dataset_close(data);
    return s;
}

/* ---- training -------------------------------------------------------------------------------- */

/* One network while it learns. */
typedef struct pupil {
    uw_head *head;
    size_t size;                      /* numbers */
    float *grads, *m, *v;             /* [size] */
    float *h[2], *g[2], *dh, *y, *dy; /* [BATCH, HIDDEN | out] */
    float *work;
} pupil;

typedef struct school {
    uw_exec exec;
    pupil decisions, action;
    float *x;     /* [BATCH, 2 D + 1]: with log k behind */
    float *x_way; /* [BATCH, 2 D]: without */
    float *want, *log_k;
} school;

static pupil pupil_layout(uw_arena *arena, uw_head *head) {
    pupil p = {.head = head, .size = uw__head_size(head->in, head->out)};
    float **const state[] = {&p.grads, &p.m, &p.v};
    float **const wide[] = {&p.h[0], &p.h[1], &p.g[0], &p.g[1], &p.dh};
    size_t work = 0;
    for (int i = 0; i < 3; i++) *state[i] = uw_arena_alloc(arena, p.size, sizeof(float));
    for (int i = 0; i < 5; i++)
        *wide[i] = uw_arena_alloc(arena, BATCH * UW_HEAD_HIDDEN, sizeof(float));
    p.y = uw_arena_alloc(arena, BATCH * head->out, sizeof(float));
    p.dy = uw_arena_alloc(arena, BATCH * head->out, sizeof(float));
    for (int32_t i = 0; i < 3; i++) {
        const uw_linear l = uw__head_layer(&(uw_head){head->in, head->out, head->params}, i, NULL);
        const size_t need = uw__linear_work(l.in, l.out, BATCH);
        work = need > work ? need : work;
    }
    p.work = uw_arena_alloc(arena, work, sizeof(float));
    return p;
}

static school school_layout(uw_arena *arena, uw_context *ctx, uw_policy *p) {
    school s = {.exec = uw__exec_layout(arena, ctx->kernels, ctx->pool, 0),
                .decisions = pupil_layout(arena, &p->decisions),
                .action = pupil_layout(arena, &p->action)};
    s.x = uw_arena_alloc(arena, BATCH * (2 * p->dim + 1), sizeof(float));
    s.x_way = uw_arena_alloc(arena, BATCH * 2 * p->dim, sizeof(float));
    s.want = uw_arena_alloc(arena, BATCH * p->action_dim, sizeof(float));
    s.log_k = uw_arena_alloc(arena, BATCH, sizeof(float));
    return s;
}

static void forward(const uw_exec *e, pupil *p, const float *x) {
    const float *from = x;
    for (int32_t i = 0; i < 3; i++) {
        const uw_linear l = uw__head_layer(p->head, i, NULL);
        uw__linear_forward(e, &l, i < 2 ? p->h[i] : p->y, i < 2 ? p->g[i] : NULL, from, BATCH);
        if (i < 2) from = p->g[i];
    }
}

/* Gradients from dy, then one step of AdamW. */
static void learn(const uw_exec *e, pupil *p, const float *x, int64_t step, int64_t steps) {
    const float *dy = p->dy;
    memset(p->grads, 0, p->size * sizeof *p->grads);
    for (int32_t i = 2; i >= 0; i--) {
        const uw_linear l = uw__head_layer(p->head, i, p->grads);
        float *dx = i == 0 ? NULL : i == 2 ? p->dh : p->g[1]; /* g[1] has been read by then */
        uw__linear_backward(e, &l, dx, false, dy, i ? p->g[i - 1] : x, BATCH, p->work);
        if (i)
            uw__map_backward(e, e->k->gelu_backward, dx, dx, p->h[i - 1], BATCH * UW_HEAD_HIDDEN);
        dy = dx;
    }
    const double t = (double)(step + 1);
    const double rate =
        RATE * 0.5 * (1.0 + cos(3.14159265358979323846 * (double)step / (double)steps));
    const uw_adamw_args a = {.lr = (float)rate,
                             .beta1 = 0.9f,
                             .beta2 = 0.999f,
                             .eps = 1e-8f,
                             .weight_decay = 1e-4f,
                             .bias1 = (float)(1.0 - pow(0.9, t)),
                             .bias2 = (float)(1.0 - pow(0.999, t)),
                             .grad_scale = 1.0f};
    e->k->adamw(p->head->params, p->m, p->v, p->grads, p->size, &a);
}

static void load_batch(const uw_policy *p, const lessons *l, uint64_t seed, int64_t step,
                       school *s) {
    const size_t d = p->dim;
    uw_rng r = uw__rng(seed, UW_STREAM_BATCH, (uint64_t)step);
    for (size_t b = 0; b < BATCH; b++) {
        const size_t i = uw__rng_below(&r, (uint32_t)l->num_starts);
        const int32_t most = l->behind[i] < p->horizon ? l->behind[i] : p->horizon;
        const int64_t k = 1 + (int64_t)uw__rng_below(&r, (uint32_t)most);
        const float *z = l->z + (size_t)l->start[i] * d, *goal = z + (size_t)(k * l->skip) * d;
        float *x = s->x + b * (2 * d + 1);
        for (size_t j = 0; j < d; j++) {
            x[j] = z[j];
            x[d + j] = goal[j] - z[j];
        }
        x[2 * d] = s->log_k[b] = logf((float)k);
        memcpy(s->x_way + b * 2 * d, x, 2 * d * sizeof *x);
        memcpy(s->want + b * p->action_dim, l->action + (size_t)l->start[i] * l->per_row,
               p->action_dim * sizeof *s->want);
    }
}

/* As PyTorch's layers; the mixture begins small, its means at recorded actions. */
static void randomise(uw_policy *p, const lessons *l, uint64_t seed) {
    uw_rng r = uw__rng(seed, UW_STREAM_INIT, 0);
    for (int h = 0; h < 2; h++)
        for (int32_t i = 0; i < 3; i++) {
            const uw_head *head = h ? &p->action : &p->decisions;
            const uw_linear layer = uw__head_layer(head, i, head->params); /* dw, db: the numbers */
            const double small = h && i == 2 ? 0.1 : 1.0, bound = small / sqrt((double)layer.in);
            for (size_t j = 0; j < layer.out * layer.in; j++)
                layer.dw[j] = (float)(bound * (2.0 * (double)uw__rng_uniform(&r) - 1.0));
            for (size_t j = 0; j < layer.out; j++)
                layer.db[j] = (float)(bound * (2.0 * (double)uw__rng_uniform(&r) - 1.0));
        }
    const uw_linear last = uw__head_layer(&p->action, 2, p->action.params);
    for (size_t m = 0; m < UW_POLICY_WAYS; m++) {
        const size_t i = uw__rng_below(&r, (uint32_t)l->num_starts);
        memcpy(last.db + m * (p->action_dim + 2) + 2, l->action + (size_t)l->start[i] * l->per_row,
               p->action_dim * sizeof(float));
    }
}

static uw_status train(uw_context *ctx, uw_policy *p, const lessons *l, const uw_policy_options *o,
                       uw_err *err) {
    uw_arena measure = UW_ARENA_MEASURE;
    school_layout(&measure, ctx, p);
    const size_t bytes = uw_arena_used(&measure);
    void *memory = measure.failed
                       ? NULL
                       : aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN);
    if (!memory) return uw_fail(err, UW_ENOMEM, "policy: no memory to learn in");
    memset(memory, 0, bytes);
    uw_arena arena = {.base = memory, .cap = bytes};
    school s = school_layout(&arena, ctx, p);
    uw_status status = UW_OK;
    randomise(p, l, o->seed);
    for (int64_t step = 0; step < o->steps && !status; step++) {
        load_batch(p, l, o->seed, step, &s);
        forward(&s.exec, &s.decisions, s.x_way);
        uw__pinball(s.decisions.y, s.log_k, BATCH, QUANTILE, s.decisions.dy);
        learn(&s.exec, &s.decisions, s.x_way, step, o->steps);
        forward(&s.exec, &s.action, s.x);
        const double loss = uw__mixture_loss(s.action.y, s.want, BATCH, p->action_dim, s.action.dy);
        learn(&s.exec, &s.action, s.x, step, o->steps);
        if (!isfinite(loss))
            status = uw_fail(err, UW_ENONFINITE, "policy: the loss of update %lld is not finite",
                             (long long)step);
        else if (!uw__progress(ctx, "fit", step + 1, o->steps))
            status = uw_fail(err, UW_EINTERRUPTED, "policy: stopped on request");
    }
    free(memory);
    return status;
}

static uw_status check_options(uw_policy_options *o, uw_err *err) {
    if (o->horizon == 0) o->horizon = HORIZON;
    if (o->steps == 0) o->steps = STEPS;
    if (o->max_rows == 0) o->max_rows = ROWS;
    if (o->horizon < 1 || o->horizon > UW_MAX_POLICY_HORIZON)
        return uw_fail(err, UW_EINVAL, "horizon: wanted 1 .. %d, got %d", UW_MAX_POLICY_HORIZON,
                       (int)o->horizon);
    if (o->steps < 1 || o->steps > UW_MAX_POLICY_STEPS)
        return uw_fail(err, UW_EINVAL, "steps: wanted 1 .. %d, got %d", UW_MAX_POLICY_STEPS,
                       (int)o->steps);
    if (o->max_rows < 2 || o->max_rows > INT32_MAX)
        return uw_fail(err, UW_EINVAL, "max_rows: wanted 2 .. %d, got %lld", INT32_MAX,
                       (long long)o->max_rows);
    if (!(o->holdout >= 0.0 && o->holdout < 1.0))
        return uw_fail(err, UW_EINVAL, "holdout: wanted 0 .. below 1, got %g", o->holdout);
    return UW_OK;
}

uw_status uw_policy_fit(uw_context *ctx, const uw_model *model, const char *dataset,
                        const uw_policy_options *options, uw_policy **out, uw_err *err) {
    uw_policy_options o = options ? *options : (uw_policy_options){0};
    lessons l = {0};
    uw_policy *p = NULL;
    *out = NULL;
    uw_status s = check_options(&o, err);
    if (!s) s = uw__policy_new(ctx, model, o.horizon, &p, err);
    if (!s) s = read_lessons(ctx, model, dataset, &o, p, &l, err);
    if (!s) s = train(ctx, p, &l, &o, err);
    if (!s) {
        uw__policy_seal(p);
        *out = p;
        p = NULL;
    }
    uw_policy_unload(p);
    lessons_fini(&l);
    return s;
}
