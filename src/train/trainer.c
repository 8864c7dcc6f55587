/* One training step and what it needs.  All memory is one block, laid out by one function that runs
 * twice. */
#include "trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cloud_gauges.h"
#include "settings.h"

enum { VALIDATION_BATCHES = 8, HUGE_PAGE = 2 << 20 };

static size_t micro_windows(const uw_train_config *c) {
    return (size_t)(c->batch / c->accumulate);
}

/* Parameters [first, end) of what predicts: they lie side by side. */
static void predictor_range(const uw_net *net, size_t *first, size_t *end) {
    *first = net->tensors[net->at_predictor].offset;
    *end = net->tensors[net->at_projector].offset;
}

static void layout_predictor(uw_arena *arena, uw_trainer *t) {
    const size_t windows = (size_t)t->config.predictor_batch;
    const int64_t episodes = uw_dataset_episodes(t->feed.data);
    size_t rows = 0, first, end;
    for (int64_t e = 0; e < episodes; e++) rows += (size_t)uw_dataset_episode_rows(t->feed.data, e);
    predictor_range(&t->net, &first, &end);
    t->start = uw_arena_alloc(arena, (size_t)episodes, sizeof *t->start);
    t->latents = uw_arena_alloc(arena, rows * (size_t)t->net.config.latent_dim, sizeof *t->latents);
    t->latent_batch =
        uw__batch_layout_latents(arena, &t->net, &t->feed, windows, t->exec.num_workers);
    t->latent_loss = uw__loss_layout_predictor(arena, &t->net, &t->config, windows);
    t->latent_optim = uw__optim_layout(arena, end - first);
}

/* Whether a thread loads ahead.  Who asks for one thread gets one; and drawing frames anew never
 * waits for a disk: a thread more would only take the cores from the step. */
static bool loads_ahead(const uw_trainer *t) {
    return uw__pool_threads(t->ctx->pool) > 1 && t->config.augment != UW_AUGMENT_REDRAW;
}

/* One to compute with, and one that is filled meanwhile.  Pictures are prepared when a batch is
 * taken, so the two share that place. */
static void layout_batches(uw_arena *arena, uw_trainer *t) {
    const size_t windows = micro_windows(&t->config);
    const size_t extra = (size_t)(t->config.extra_frames / t->config.accumulate);
    const bool ahead = loads_ahead(t);
    const int32_t workers = t->exec.num_workers + ahead;
    uw_batch **b = t->prefetch.batch;
    b[0] = b[1] = uw__batch_layout(arena, &t->net, &t->feed, windows, extra, workers);
    if (ahead)
        b[1] = uw__batch_layout_second(arena, &t->net, &t->feed, windows, extra, workers, b[0]);
    t->batch = b[0];
    t->prefetch.net = &t->net;
    t->prefetch.feed = &t->feed;
    t->prefetch.config = &t->config;
    t->prefetch.buffers = t->buffers;
}

static void layout(uw_arena *arena, uw_trainer *t) {
    const size_t n = t->net.num_params, d = (size_t)t->net.config.latent_dim;
    const size_t windows = micro_windows(&t->config);

    t->exec = uw__exec_layout(arena, t->ctx->kernels, t->ctx->pool, uw__net_extra_reals(&t->net));
    t->exec.bf16 = t->config.precision == UW_PRECISION_BF16;
    t->params = uw_arena_alloc(arena, n, sizeof *t->params);
    t->buffers = uw_arena_alloc(arena, t->net.num_buffers, sizeof *t->buffers);
    t->grads = uw_arena_alloc(arena, n, sizeof *t->grads);
    t->optim = uw__optim_layout(arena, n);
    layout_batches(arena, t);
    t->loss = uw__loss_layout(arena, &t->net, &t->config, windows);
    if (t->loss && uw__net_takes_frames(&t->net)) uw__loss_frames(t->loss, t->batch->frames);
    if (t->config.predictor_steps) layout_predictor(arena, t);
    t->work = uw_arena_alloc(arena, uw__gauges_work((int32_t)d), sizeof *t->work);
}

static uw_status plan_memory(uw_trainer *t, uw_err *err) {
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, t);
    const size_t windows = micro_windows(&t->config);
    uw__log(t->ctx, UW_LOG_INFO, "train: %zu MB of memory; the encoder keeps %zu of %zu frames",
            measure.used >> 20, uw__loss_chunk(&t->net, &t->config, windows),
            uw__loss_rows(&t->config, windows));
    if (!measure.failed && measure.used < SIZE_MAX - HUGE_PAGE) {
        const size_t bytes = (measure.used + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        t->memory = aligned_alloc(HUGE_PAGE, bytes);
        /* A step sweeps all of it several times; small pages would miss the address cache. */
        if (t->memory) (void)madvise(t->memory, bytes, MADV_HUGEPAGE);
    }
    if (!t->memory) {
        uw_fail(err, UW_ENOMEM, "train: no memory for the step, wanted %zu MB", measure.used >> 20);
        uw_err_fix(err,
                   "lower encoder_chunk or batch, or raise accumulate: umwelt train --help keys");
        return UW_ENOMEM;
    }
    uw_arena place = {.base = t->memory, .cap = measure.used};
    layout(&place, t);
    t->memory_bytes = measure.used;
    return UW_OK;
}

uw_status uw__trainer_init(uw_context *ctx, const char *dataset, const uw_train_config *config,
                           uw_trainer *t, uw_err *err) {
    *t = (uw_trainer){.ctx = ctx, .config = *config, .feed = {.pixels = -1}};
    uw_status s = uw__settings_check(config, err);
    if (!s) s = uw__feed_open(ctx, dataset, &t->config, &t->feed, err);
    if (!s) s = uw__settings_epochs(&t->config, uw_windows_count(t->feed.train), err);
    if (!s) s = uw__net_init(&t->config.model, &t->net, err);
    if (!s) s = plan_memory(t, err);
    if (!s) {
        uw__net_randomise(&t->net, t->config.seed, t->params, t->buffers);
        s = uw__feed_measure(&t->feed, &t->net, t->buffers, err);
    }
    if (!s && loads_ahead(t)) s = uw__prefetch_start(&t->prefetch, t->exec.num_workers, err);
    if (!s) uw__trainer_null(&t->config, &t->sigreg_null, &t->sigreg_q99);
    return s;
}

void uw__trainer_fini(uw_trainer *t) {
    uw__prefetch_stop(&t->prefetch);
    uw__feed_close(&t->feed);
    uw__net_fini(&t->net);
    free(t->memory);
    *t = (uw_trainer){0};
}

static void add_losses(uw_losses *sum, const uw_losses *l, double scale) {
    sum->total += scale * l->total;
    sum->prediction += scale * l->prediction;
    sum->rollout += scale * l->rollout;
    sum->sigreg += scale * l->sigreg;
    sum->inverse += scale * l->inverse;
    sum->vicreg += scale * l->vicreg;
    sum->readout += scale * l->readout;
}

/* The configuration at a step: the ramp's share of the weights that it holds back. */
static uw_train_config config_at(const uw_train_config *config, int64_t step) {
    uw_train_config c = *config;
    const double ramp = (double)c.prediction_ramp * (double)c.steps;
    if ((double)step < ramp) {
        c.prediction_weight *= (float)((double)step / ramp);
        c.rollout_weight *= (float)((double)step / ramp);
    }
    return c;
}

static uw_status check_finite(const uw_train_config *c, const uw_step_stats *stats, int64_t step,
                              uw_err *err) {
    if (isfinite(stats->losses.total) && isfinite(stats->grad_norm)) return UW_OK;
    uw_fail(err, UW_ENONFINITE,
            "train: step %lld: wanted a finite loss and gradient, got loss %g, gradient norm %g",
            (long long)step + 1, stats->losses.total, stats->grad_norm);
    uw_err_fix(err, "lower lr (now %g), or set clip_norm=1; the last checkpoint is intact",
               (double)c->lr);
    return UW_ENONFINITE;
}

/* Zero where the last update did not. */
static void clear_grads(uw_trainer *t) {
    if (t->grads_left) memset(t->grads, 0, t->net.num_params * sizeof *t->grads);
    t->grads_left = true;
}

/* ---- the predictor alone ------------------------------------------------------------------- */

/* The latents of every row; the encoder will not change any more, so that a resumed run gets the
 * same. */
static uw_status encode_all(uw_trainer *t, uw_err *err) {
    const size_t d = (size_t)t->net.config.latent_dim;
    const int64_t most = (int64_t)(t->batch->windows + t->batch->extra);
    const int64_t episodes = uw_dataset_episodes(t->feed.data);
    int64_t at = 0;
    for (int64_t e = 0; e < episodes; e++) {
        const int64_t rows = uw_dataset_episode_rows(t->feed.data, e);
        t->start[e] = at;
        for (int64_t first = 0; first < rows; first += most) {
            const int64_t n = rows - first < most ? rows - first : most;
            const uw_status s = uw__batch_load_rows(&t->exec, &t->net, &t->feed, t->buffers, e,
                                                    first, n, t->batch, err);
            if (s) return s;
            uw__loss_encode(&t->exec, &t->net, t->params, t->buffers, t->loss, t->batch->x,
                            (size_t)n, t->latents + (size_t)(at + first) * d);
        }
        at += rows;
    }
    t->encoded = true;
    return UW_OK;
}

/* The learning rate begins anew: warm-up and cosine over these steps. */
static uw_status predictor_step(uw_trainer *t, int64_t step, uw_step_stats *out, uw_err *err) {
    const int64_t own = step - t->config.steps;
    uw_train_config schedule = t->config;
    size_t first, end;
    schedule.steps = t->config.predictor_steps;
    schedule.schedule_steps = 0;
    uw_step_stats stats = {.lr = uw__schedule_lr(&schedule, own)};
    uw_status s = t->encoded ? UW_OK : encode_all(t, err);
    if (!s)
        s = uw__batch_load_latents(&t->exec, &t->net, &t->feed, &t->config, own, t->latents,
                                   t->start, t->latent_batch, uw__loss_latents(t->latent_loss),
                                   err);
    if (s) return s;
    predictor_range(&t->net, &first, &end);
    clear_grads(t);
    uw__loss_gradient(&t->exec, &t->net, &t->config, t->params, t->buffers, t->latent_loss, NULL,
                      t->latent_batch->a, NULL, (uint64_t)step, 1.0, t->grads, &stats.losses);
    uw_optim *o =
        &t->latent_optim; /* the moments of the whole, where these parameters have theirs */
    o->m = t->optim.m + first;
    o->v = t->optim.v + first;
    stats.grad_norm = uw__optim_norm(&t->exec, o, t->grads + first);
    s = check_finite(&t->config, &stats, step, err);
    if (s) return s;
    uw__optim_step(&t->exec, o, &t->config, t->params + first, t->grads + first, stats.grad_norm,
                   stats.lr, step);
    *out = stats;
    return UW_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* Take a micro-batch, and have the one behind it filled while this one is computed with. */
static uw_status next_batch(uw_trainer *t, int64_t step, int32_t micro, uw_err *err) {
    const uw_status s = uw__prefetch_take(&t->prefetch, &t->exec, step, micro, &t->batch, err);
    if (s) return s;
    if (uw__net_takes_frames(&t->net)) uw__loss_frames(t->loss, t->batch->frames);
    if (++micro == t->config.accumulate) {
        micro = 0;
        step++;
    }
    if (step < t->config.steps) uw__prefetch_order(&t->prefetch, step, micro);
    return UW_OK;
}

uw_status uw__trainer_step(uw_trainer *t, int64_t step, uw_step_stats *out, uw_err *err) {
    if (step >= t->config.steps) return predictor_step(t, step, out, err);
    const uw_train_config now = config_at(&t->config, step), *c = &now;
    const double scale = 1.0 / (double)c->accumulate;
    uw_step_stats stats = {.lr = uw__schedule_lr(c, step)};

    clear_grads(t);
    for (int32_t micro = 0; micro < c->accumulate; micro++) {
        uw_losses l;
        const uint64_t draw = (uint64_t)step * (uint64_t)c->accumulate + (uint64_t)micro;
        const uw_status s = next_batch(t, step, micro, err);
        if (s) return s;
        uw__loss_gradient(&t->exec, &t->net, c, t->params, t->buffers, t->loss, t->batch->x,
                          t->batch->a, t->batch->y, draw, scale, t->grads, &l);
        add_losses(&stats.losses, &l, scale);
    }
    stats.grad_norm = uw__optim_norm(&t->exec, &t->optim, t->grads);
    const uw_status s = check_finite(c, &stats, step, err);
    if (s) return s;
    uw__optim_step(&t->exec, &t->optim, c, t->params, t->grads, stats.grad_norm, stats.lr, step);
    t->grads_left = false; /* the update left them at zero */
    *out = stats;
    return UW_OK;
}

uw_status uw__trainer_validate(uw_trainer *t, double *loss, uw_err *err) {
    double sum = 0.0;
    *loss = NAN;
    if (!t->feed.valid) return UW_OK;
    for (int32_t i = 0; i < VALIDATION_BATCHES; i++) {
        const uw_status s = uw__batch_load_validation(&t->exec, &t->net, &t->feed, t->buffers, i,
                                                      VALIDATION_BATCHES, t->batch, err);
        if (s) return s;
        sum += uw__loss_validate(&t->exec, &t->net, t->params, t->buffers, t->loss, t->batch->x,
                                 t->batch->a);
    }
    *loss = sum / VALIDATION_BATCHES;
    return UW_OK;
}

/* ---- the result ---------------------------------------------------------------------------- */

uw_status uw__trainer_model(const uw_trainer *t, const char *config_json, uw_model **out,
                            uw_err *err) {
    const uw_dataset_meta *meta = uw_dataset_meta_of(t->feed.data);
    const uw_provenance provenance = {
        .version = uw_version(),
        .preset = t->config.preset,
        .env = meta->env ? meta->env : "",
        .dataset_hash = uw_dataset_hash(t->feed.data),
        .config_json = config_json,
        .seed = t->config.seed,
        .action_repeat = meta->action_repeat,
        .trained_factors = t->feed.trained,
        .observe = t->feed.observe,
        .readout = t->config.readout,
    };
    return uw__model_new(&t->config.model, t->params, t->buffers, &t->feed.norm, &provenance, out,
                         err);
}
