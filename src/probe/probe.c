/* One probe run: encode, split by episode, fit on one half, score on the other, then drift, gauges,
 * causal check and geometry.  Nothing here changes the model or the data. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_gauges.h"
#include "fits.h"
#include "internal.h"
#include "json.h"
#include "rng.h"
#include "statistics.h"

enum {
    DEFAULT_ROWS = 8192,
    DEFAULT_STEPS = 12,
    DEFAULT_WINDOW = 3,
    DEFAULT_RESAMPLES = 1000,
    MAX_WINDOW = 16,
    MAX_RESAMPLES = 100000,
    SPANS = 256,      /* of the drift curve */
    EVERY_WINDOW = 2, /* every so many rows are looked at as windows: frames are dear */
    DIRECTIONS = 128  /* of SIGReg as a gauge */
};

/* What a run holds. */
typedef struct run {
    uw_context *ctx;
    const uw_model *model;
    const uw_dataset *data;
    uw_observe observe;
    uw_probe_options o;
    bool *held; /* [episodes] */
    uw_latents latents;
    uw_targets *targets;
    double *values;   /* [rows, targets->count] */
    float *untrained; /* [rows, D] */
    float *pca;       /* [rows, D at most] */
    float *window;    /* [rows, frames * D] */
    bool *windowed;   /* [rows] */
    uw_spans spans, fit;
    uw_decoder decoder;
    uw_probe_report *out;
} run;

/* Mark a random half of the episodes as held out; both halves get at least one. */
static uw_status split_episodes(int64_t episodes, uint64_t seed, bool *held) {
    int64_t *order = malloc((size_t)episodes * sizeof *order);
    if (!order) return UW_ENOMEM;
    uw_rng r = uw__rng(seed, UW_STREAM_SPLIT, 0);
    for (int64_t i = 0; i < episodes; i++) order[i] = i;
    for (int64_t i = episodes - 1; i > 0; i--) {
        const int64_t j = (int64_t)uw__rng_below(&r, (uint32_t)(i + 1)), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int64_t i = 0; i < episodes; i++) held[order[i]] = i < episodes / 2;
    free(order);
    return UW_OK;
}

static uw_status check_inputs(const uw_model *model, const uw_dataset *data, const char *path,
                              const uw_probe_options *o, uw_err *err) {
    if (o->max_rows < 0 || o->drift_steps < 0 || o->drift_steps > UW_MAX_DRIFT_STEPS)
        return uw_fail(err, UW_EINVAL, "probe: wanted max_rows >= 0 and 0 <= drift_steps <= %d",
                       UW_MAX_DRIFT_STEPS);
    if (o->window < 1 || o->window > MAX_WINDOW || o->resamples < 1 || o->resamples > MAX_RESAMPLES)
        return uw_fail(err, UW_EINVAL, "probe: wanted 1 <= window <= %d and 1 <= resamples <= %d",
                       MAX_WINDOW, MAX_RESAMPLES);
    if (uw_model_config_of(model)->latent_dim > UW_MAX_LATENT_DIM)
        return uw_fail(err, UW_EUNSUPPORTED, "probe: latent_dim, wanted at most %d, got %d",
                       UW_MAX_LATENT_DIM, uw_model_config_of(model)->latent_dim);
    const int64_t episodes = uw_dataset_episodes(data);
    if (episodes < 2 || episodes > INT32_MAX) {
        uw_fail(err, UW_EINVAL, "%s: episodes to fit and to score on, wanted at least 2, got %lld",
                path, (long long)episodes);
        uw_err_fix(err, "record more episodes: a probe is scored on episodes it was not fitted on");
        return UW_EINVAL;
    }
    return UW_OK;
}

/* ---- views ---------------------------------------------------------------------------------- */

/* Windows of frames that end at every second sampled row: their latents side by side, oldest first.
 */
static uw_status load_windows(run *r, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(r->model);
    const int64_t skip = config->frameskip > 1 ? config->frameskip : 1, n = r->latents.num_rows;
    const size_t d = (size_t)r->latents.dim, frames = (size_t)r->o.window;
    const int64_t span = (int64_t)(frames - 1) * skip;
    r->window = calloc((size_t)n * frames * d + 1, sizeof *r->window);
    r->windowed = calloc((size_t)n + 1, sizeof *r->windowed);
    uw_row *rows = malloc((size_t)n * frames * sizeof *rows + 1);
    float *z = malloc((size_t)n * frames * d * sizeof *z + 1);
    bool *whole = NULL;
    int64_t count = 0;
    uw_status s = UW_OK;
    if (!r->window || !r->windowed || !rows || !z) {
        s = uw_fail(err, UW_ENOMEM, "probe: windows of %zu frames", frames);
        goto done;
    }
    for (int64_t i = 0; i < n; i += EVERY_WINDOW) {
        const uw_row last = r->latents.rows[i];
        if (last.row < span) continue;
        r->windowed[i] = true;
        for (size_t f = 0; f + 1 < frames; f++)
            rows[count++] = (uw_row){last.episode, last.row - span + (int64_t)f * skip};
    }
    whole = calloc((size_t)count + 1, sizeof *whole);
    s = whole ? uw__rows_whole(r->ctx, r->data, &r->observe, rows, count, whole, err)
              : uw_fail(err, UW_ENOMEM, "probe: windows of %zu frames", frames);
    if (s) goto done;
    /* a window with a missing number is none */
    const int64_t before = (int64_t)frames - 1, windows = count / before;
    for (int64_t i = 0, w = 0; i < n; i++) {
        if (!r->windowed[i]) continue;
        for (int64_t f = 0; f < before; f++)
            r->windowed[i] = r->windowed[i] && whole[w * before + f];
        w++;
    }
    count = uw__rows_pack(rows, whole, windows, before) * before;
    s = uw__rows_encode(r->ctx, r->model, r->data, &r->observe, rows, count, z, err);
    if (s) goto done;
    count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!r->windowed[i]) continue;
        float *to = r->window + (size_t)i * frames * d;
        memcpy(to, z + (size_t)count * d, (frames - 1) * d * sizeof *to);
        memcpy(to + (frames - 1) * d, r->latents.z + (size_t)i * d, d * sizeof *to);
        count += (int64_t)frames - 1;
    }
    if (count) r->out->window_frames = r->o.window;
done:
    free(whole);
    free(rows);
    free(z);
    return s;
}

static uw_status load_views(run *r, uw_views *v, uw_err *err) {
    const int64_t n = r->latents.num_rows;
    const size_t floats = (size_t)n * (size_t)r->latents.dim;
    *v = (uw_views){.latent = {.x = r->latents.z, .dim = r->latents.dim}};
    if (r->o.quick || !r->targets->count) return UW_OK;
    r->untrained = malloc(floats * sizeof *r->untrained);
    r->pca = malloc(floats * sizeof *r->pca);
    if (!r->untrained || !r->pca)
        return uw_fail(err, UW_ENOMEM, "probe: controls of %lld rows", (long long)n);
    /* any seed but the model's own: a model that was never trained is no control of itself */
    uw_status s = uw__control_untrained(r->ctx, r->model, r->data, &r->observe, r->latents.rows, n,
                                        uw_model_provenance(r->model)->seed + 1, r->untrained, err);
    if (!s)
        s = uw__control_pca(r->ctx, r->model, r->data, &r->observe, r->latents.rows, n, r->held,
                            &v->pca.dim, r->pca, err);
    if (!s && r->o.window > 1) s = load_windows(r, err);
    if (s) return s;
    v->untrained = (uw_view){.x = r->untrained, .dim = r->latents.dim};
    if (v->pca.dim) v->pca.x = r->pca;
    if (r->out->window_frames)
        v->window =
            (uw_view){.x = r->window, .dim = r->o.window * r->latents.dim, .there = r->windowed};
    return UW_OK;
}

/* ---- gauges --------------------------------------------------------------------------------- */

/* SIGReg of rows z [n, d] over fixed random directions, before "times n". */
static uw_status sigreg_of(run *r, double *mean, uw_gauges *g) {
    enum { KNOTS = 17 };
    const uw_latents *l = &r->latents;
    const size_t d = (size_t)l->dim;
    double t[KNOTS], phi[KNOTS], weight[KNOTS];
    double *line = malloc((size_t)l->num_rows * sizeof *line);
    float *direction = malloc(d * sizeof *direction);
    uw_status s = line && direction ? UW_OK : UW_ENOMEM;
    for (int k = 0; k < KNOTS; k++) {
        t[k] = 3.0 * k / (KNOTS - 1);
        phi[k] = exp(-0.5 * t[k] * t[k]);
        weight[k] = phi[k] * 3.0 / (KNOTS - 1) * (k == 0 || k == KNOTS - 1 ? 1.0 : 2.0);
    }
    *mean = 0.0;
    for (int p = 0; p < DIRECTIONS && !s; p++) {
        uw_rng rng = uw__rng(r->o.seed, UW_STREAM_SIGREG, (uint64_t)p);
        double norm = 0.0;
        uw__rng_fill_normal(&rng, direction, d);
        for (size_t i = 0; i < d; i++) norm += (double)direction[i] * (double)direction[i];
        for (int64_t i = 0; i < l->num_rows; i++) {
            const float *z = l->z + (size_t)i * d;
            double along = 0.0;
            for (size_t k = 0; k < d; k++) along += (double)z[k] * (double)direction[k];
            line[i] = along / sqrt(norm);
        }
        *mean += uw__epps_pulley(line, l->num_rows) / (double)l->num_rows / DIRECTIONS;
    }
    uw__sigreg_null(l->dim, DIRECTIONS, KNOTS, t, phi, weight, &g->sigreg_null, &g->sigreg_q99);
    g->sigreg_null /= (double)l->num_rows;
    g->sigreg_q99 /= (double)l->num_rows;
    free(line);
    free(direction);
    return s;
}

/* Whether training held the variances at 1, and by SIGReg, from the model's own record. */
static void read_weights(const uw_model *model, uw_gauge_judge *judge) {
    const char *config = uw_model_provenance(model)->config_json;
    uw_json *json = NULL;
    double sigreg = 0.0, vicreg = 0.0;
    if (!config || !*config || uw__json_parse("config", config, &json, NULL)) return;
    uw__json_get_f64(json, "sigreg_weight", &sigreg);
    uw__json_get_f64(json, "vicreg_weight", &vicreg);
    judge->sigreg_used = sigreg > 0.0;
    judge->unit_target = sigreg > 0.0 || vicreg > 0.0;
    uw__json_free(json);
}

static uw_status gauge(run *r, uw_err *err) {
    const int32_t d = r->latents.dim;
    uw_gauges g = uw__gauges_none();
    uw_gauge_judge judge = {.dim = d, .carries = r->observe.dim < d ? r->observe.dim : d};
    double *work = malloc(uw__gauges_work(d) * sizeof *work);
    uw_status s = work ? UW_OK : uw_fail(err, UW_ENOMEM, "probe: spectrum of %d numbers", d);
    if (s) return s;
    uw__gauges_cloud(r->latents.z, r->latents.num_rows, d, work, r->out->eigenvalues, &g);
    uw__gauges_time(r->spans.z, r->spans.count, r->spans.frames, d, work, &g);
    free(work);
    read_weights(r->model, &judge);
    if (sigreg_of(r, &g.sigreg, &g)) s = uw_fail(err, UW_ENOMEM, "probe: SIGReg");
    if (!s && r->spans.count)
        s = uw__spans_action_sensitivity(r->ctx, r->model, &r->spans, &g.action_sensitivity, err);
    if (s) return s;
    g.alarms = uw__gauges_judge(&g, &judge);
    r->out->gauges = g;
    r->out->effective_rank = g.effective_rank;
    r->out->participation = g.participation;
    r->out->num_eigenvalues = d;
    return UW_OK;
}

/* ---- the run -------------------------------------------------------------------------------- */

static uw_status probe_latents(run *r, uw_err *err) {
    uw_views views;
    uw_status s = uw__targets_choose(r->ctx, r->model, r->data, r->latents.rows,
                                     r->latents.num_rows, r->targets, &r->values, r->out, err);
    if (!s) s = load_views(r, &views, err);
    if (s) return s;
    r->decoder.targets = r->targets;
    if (r->targets->count && uw__fits_run(r->ctx, &r->latents, r->targets, r->values, &views,
                                          r->held, &r->o, &r->decoder, r->out))
        return uw_fail(err, UW_ENOMEM, "probe: fits of %lld rows", (long long)r->latents.num_rows);
    return UW_OK;
}

static uw_status probe_futures(run *r, uw_err *err) {
    const int32_t pairs = r->o.quick ? 0 : r->o.max_rows / 2;
    uw_status s = uw__spans_load(r->ctx, r->model, r->data, &r->observe, r->held, true,
                                 r->o.drift_steps, SPANS, &r->spans, err);
    if (!s && pairs && r->spans.count)
        s = uw__spans_load(r->ctx, r->model, r->data, &r->observe, r->held, false, 1, pairs,
                           &r->fit, err);
    if (!s)
        s = uw__drift_run(r->ctx, r->model, r->data, &r->spans, &r->fit, &r->decoder, &r->o, r->out,
                          err);
    if (!s && !r->o.quick)
        s = uw__causal_run(r->ctx, r->model, r->data, &r->spans, &r->decoder, r->latents.z,
                           r->values, r->latents.num_rows, &r->o, r->out, err);
    if (!s) s = gauge(r, err);
    if (!s) s = uw_geometry_run(r->ctx, r->model, r->o.seed, &r->out->geometry, err);
    return s;
}

static void run_fini(run *r) {
    uw__latents_fini(&r->latents);
    uw__spans_fini(&r->spans);
    uw__spans_fini(&r->fit);
    uw__ridge_fini(&r->decoder.ridge);
    free(r->held);
    free(r->targets);
    free(r->values);
    free(r->untrained);
    free(r->pca);
    free(r->window);
    free(r->windowed);
    free(r->out);
}

static uw_probe_options resolve(const uw_probe_options *options) {
    uw_probe_options o = options ? *options : (uw_probe_options){0};
    if (!o.max_rows) o.max_rows = DEFAULT_ROWS;
    if (!o.drift_steps) o.drift_steps = DEFAULT_STEPS;
    if (!o.window) o.window = DEFAULT_WINDOW;
    if (!o.resamples) o.resamples = DEFAULT_RESAMPLES;
    return o;
}

uw_status uw_probe_run(uw_context *ctx, const uw_model *model, const char *dataset,
                       const uw_probe_options *options, uw_probe_report *out, uw_err *err) {
    uw_dataset *data = NULL;
    run r = {.ctx = ctx, .model = model, .o = resolve(options)};
    r.out = calloc(1, sizeof *r.out);
    r.targets = calloc(1, sizeof *r.targets);
    uw_status s = r.out && r.targets ? uw_dataset_open(dataset, &data, err)
                                     : uw_fail(err, UW_ENOMEM, "probe: report");
    if (!s) s = check_inputs(model, data, dataset, &r.o, err);
    if (!s) s = uw__observe_find(model, data, &r.observe, err);
    if (s) goto done;
    const int64_t episodes = uw_dataset_episodes(data);
    r.data = data;
    r.held = calloc((size_t)episodes, sizeof *r.held);
    if (!r.held || split_episodes(episodes, r.o.seed, r.held)) {
        s = uw_fail(err, UW_ENOMEM, "probe: %lld episodes", (long long)episodes);
        goto done;
    }
    s = uw__latents_sample(ctx, model, data, &r.observe, r.o.max_rows, &r.latents, err);
    if (!s) s = probe_latents(&r, err);
    if (!s) s = probe_futures(&r, err);
    if (s) goto done;
    r.out->rows = r.latents.num_rows;
    r.out->episodes = episodes;
    *out = *r.out;
done:
    run_fini(&r);
    uw_dataset_close(data);
    return s;
}
