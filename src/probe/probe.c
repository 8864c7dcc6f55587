/* One probe run: encode, split by episode, fit on one half, score on the other, then drift,
 * spectrum and geometry.  Nothing here changes the model or the data. */
#include "probe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "rng.h"
#include "spectrum.h"

enum { DEFAULT_ROWS = 8192, DEFAULT_STEPS = 12 };

/* Rows of one half, gathered side by side. */
typedef struct half {
    int64_t n;
    float *x;    /* [n, D] */
    double *y;   /* [n, targets] */
    uw_row *row; /* [n] where they came from */
} half;

static void half_fini(half *h) {
    free(h->x);
    free(h->y);
    free(h->row);
    *h = (half){0};
}

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

/* Rows of one half whose targets are all finite. */
static uw_status gather(const uw_latents *l, const uw_targets *t, const double *values,
                        const bool *held, bool want, half *out) {
    half h = {0};
    const size_t n = (size_t)l->num_rows, d = (size_t)l->dim, k = (size_t)t->count;
    h.x = malloc(n * d * sizeof *h.x);
    h.y = malloc(n * k * sizeof *h.y + 1);
    h.row = malloc(n * sizeof *h.row);
    if (!h.x || !h.y || !h.row) {
        half_fini(&h);
        return UW_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (held[l->rows[i].episode] != want) continue;
        bool finite = true;
        for (size_t j = 0; j < k; j++) finite = finite && isfinite(values[i * k + j]);
        if (!finite) continue;
        memcpy(h.x + (size_t)h.n * d, l->z + i * d, d * sizeof *h.x);
        if (k) memcpy(h.y + (size_t)h.n * k, values + i * k, k * sizeof *h.y);
        h.row[h.n++] = l->rows[i];
    }
    *out = h;
    return UW_OK;
}

/* Labels [n, 2 k]: the true ones, then those of another episode of the half at the same place in
 * it.  A probe that fits the second half of the columns fits time, not the latent. */
static uw_status with_control(const half *h, int32_t targets, double **out) {
    const size_t n = (size_t)h->n, k = (size_t)targets;
    int64_t *begin = malloc((n + 1) * sizeof *begin), episodes = 0;
    double *y = malloc(n * 2 * k * sizeof *y);
    if (!begin || !y) {
        free(begin);
        free(y);
        return UW_ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        if (i == 0 || h->row[i].episode != h->row[i - 1].episode) begin[episodes++] = (int64_t)i;
    begin[episodes] = h->n;
    /* episodes swap labels with the one half-way round: far apart, and never with themselves */
    const int64_t shift = episodes > 1 ? episodes / 2 : 0;
    for (int64_t e = 0; e < episodes; e++) {
        const int64_t other = (e + shift) % episodes;
        const int64_t first = begin[other], length = begin[other + 1] - first;
        for (int64_t i = begin[e]; i < begin[e + 1]; i++) {
            memcpy(y + (size_t)i * 2 * k, h->y + (size_t)i * k, k * sizeof *y);
            memcpy(y + (size_t)i * 2 * k + k, h->y + (size_t)(first + (i - begin[e]) % length) * k,
                   k * sizeof *y);
        }
    }
    free(begin);
    *out = y;
    return UW_OK;
}

/* Split a ridge of 2 k targets into its first k, sharing memory. */
static uw_ridge first_targets(const uw_ridge *ridge, int32_t k) {
    uw_ridge r = *ridge;
    r.targets = k;
    return r;
}

static uw_status fit_probes(uw_context *ctx, const half *fit, const half *test, const uw_targets *t,
                            const uw_probe_options *options, uw_ridge *ridge,
                            uw_probe_report *out) {
    const int32_t k = t->count, d = ridge->dim;
    double *labels = NULL, *guess = NULL, *truth = NULL, *mlp = NULL;
    uw_status s = with_control(fit, k, &labels);
    if (s) goto done;
    s = uw__ridge_fit(ctx->pool, fit->x, labels, fit->n, d, 2 * k, ridge);
    if (s) goto done;
    s = UW_ENOMEM;
    const size_t cells = (size_t)test->n * (size_t)k;
    guess = malloc(2 * cells * sizeof *guess + 1);
    truth = malloc(2 * cells * sizeof *truth + 1);
    mlp = malloc(cells * sizeof *mlp + 1);
    if (!guess || !truth || !mlp) goto done;
    for (int64_t i = 0; i < test->n; i++)
        for (int32_t j = 0; j < 2 * k; j++) truth[i * 2 * k + j] = test->y[i * k + j % k];
    uw__ridge_predict(ridge, test->x, test->n, guess);
    s = UW_OK;
    if (options->mlp)
        s = uw__mlp_probe(ctx->kernels, fit->x, fit->y, fit->n, d, k, test->x, test->n,
                          options->seed, mlp);
    if (s) goto done;
    for (int32_t j = 0; j < k; j++) {
        uw_probe_row *row = &out->probes[j];
        const uw_score linear = uw__score(guess, truth, test->n, 2 * k, j);
        *row = (uw_probe_row){
            .r2 = linear.r2, .r = linear.r, .rmse = linear.rmse, .mlp_r2 = NAN, .mlp_r = NAN};
        row->shuffled_r2 = uw__score(guess, truth, test->n, 2 * k, k + j).r2;
        if (options->mlp) {
            const uw_score small = uw__score(mlp, test->y, test->n, k, j);
            row->mlp_r2 = small.r2;
            row->mlp_r = small.r;
        }
        memcpy(row->column, t->name[j], sizeof row->column);
        memcpy(row->unit, t->unit[j], sizeof row->unit);
    }
    out->num_probes = k;
done:
    free(labels);
    free(guess);
    free(truth);
    free(mlp);
    return s;
}

static uw_status spectrum_of(const uw_latents *l, uw_probe_report *out) {
    const size_t d = (size_t)l->dim;
    double *work = malloc((2 * d * d + 4 * d) * sizeof *work);
    if (!work) return UW_ENOMEM;
    uw__spectrum(l->z, l->num_rows, l->dim, work, out->eigenvalues, &out->effective_rank,
                 &out->participation);
    out->num_eigenvalues = l->dim;
    free(work);
    return UW_OK;
}

static uw_status check_inputs(const uw_model *model, const uw_dataset *data, const char *path,
                              const uw_probe_options *o, uw_err *err) {
    if (o->max_rows < 0 || o->drift_steps < 0 || o->drift_steps > UW_MAX_DRIFT_STEPS)
        return uw_fail(err, UW_EINVAL, "probe: wanted max_rows >= 0 and 0 <= drift_steps <= %d",
                       UW_MAX_DRIFT_STEPS);
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

/* Everything that needs the sampled latents. */
static uw_status probe_latents(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                               const uw_observe *observe, const uw_probe_options *o,
                               const uw_latents *l, const bool *held, uw_probe_report *out,
                               uw_err *err) {
    uw_targets *t = calloc(1, sizeof *t);
    double *values = NULL;
    half fit = {0}, test = {0};
    uw_ridge ridge = {.dim = l->dim};
    uw_status s = t ? uw__targets_find(ctx, model, data, l->rows, l->num_rows, t, &values, err)
                    : uw_fail(err, UW_ENOMEM, "probe: targets");
    if (s) goto done;
    s = gather(l, t, values, held, false, &fit);
    if (!s) s = gather(l, t, values, held, true, &test);
    if (!s && t->count && fit.n && test.n) s = fit_probes(ctx, &fit, &test, t, o, &ridge, out);
    if (!s) s = spectrum_of(l, out);
    if (s) {
        uw_fail(err, s, "probe: %lld rows: %s", (long long)l->num_rows, uw_status_str(s));
        goto done;
    }
    const uw_ridge linear = first_targets(&ridge, t->count);
    const int32_t steps = o->drift_steps ? o->drift_steps : DEFAULT_STEPS;
    s = uw__drift_run(ctx, model, data, observe, held, steps, t, ridge.memory ? &linear : NULL, out,
                      err);
done:
    uw__ridge_fini(&ridge);
    half_fini(&fit);
    half_fini(&test);
    free(values);
    free(t);
    return s;
}

uw_status uw_probe_run(uw_context *ctx, const uw_model *model, const char *dataset,
                       const uw_probe_options *options, uw_probe_report *out, uw_err *err) {
    const uw_probe_options o = options ? *options : (uw_probe_options){0};
    uw_dataset *data = NULL;
    uw_latents latents = {0};
    uw_observe observe;
    bool *held = NULL;
    uw_probe_report *report = calloc(1, sizeof *report);
    uw_status s = report ? uw_dataset_open(dataset, &data, err) : uw_fail(err, UW_ENOMEM, "probe");
    if (!s) s = check_inputs(model, data, dataset, &o, err);
    if (!s) s = uw__observe_find(model, data, &observe, err);
    if (s) goto done;
    const int64_t episodes = uw_dataset_episodes(data);
    held = calloc((size_t)episodes, sizeof *held);
    if (!held || split_episodes(episodes, o.seed, held)) {
        s = uw_fail(err, UW_ENOMEM, "probe: %lld episodes", (long long)episodes);
        goto done;
    }
    s = uw__latents_sample(ctx, model, data, &observe, o.max_rows ? o.max_rows : DEFAULT_ROWS,
                           &latents, err);
    if (!s) s = probe_latents(ctx, model, data, &observe, &o, &latents, held, report, err);
    if (!s) s = uw_geometry_run(ctx, model, o.seed, &report->geometry, err);
    if (s) goto done;
    report->rows = latents.num_rows;
    report->episodes = episodes;
    *out = *report;
done:
    uw__latents_fini(&latents);
    uw_dataset_close(data);
    free(held);
    free(report);
    return s;
}
