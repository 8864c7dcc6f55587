/* Blocks of targets that share their rows are fitted together: first all without a gap, then every
 * number with gaps alone, on the rows that have it. */
#include "fits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "scorecard.h"

/* Targets that are fitted together, and the columns of their labels. */
typedef struct block {
    const uw_targets *t;
    int32_t count, target[UW_MAX_PROBES];
    int32_t at[UW_MAX_PROBES + 1]; /* first column of each; at[count]: all */
} block;

/* Rows of one half, gathered side by side. */
typedef struct half {
    int64_t n;
    float *x;         /* [n, dim] */
    double *y;        /* [n, outputs] */
    int64_t *episode; /* [n] */
} half;

typedef struct fitting {
    uw_context *ctx;
    const uw_latents *latents;
    const double *values; /* [num_rows, t->count] */
    const bool *held;
    const uw_probe_options *o;
    uw_probe_report *out;
} fitting;

static void half_fini(half *h) {
    free(h->x);
    free(h->y);
    free(h->episode);
    *h = (half){0};
}

/* Rows of one half that the view has and whose targets are all there. */
static uw_status gather(const fitting *f, const block *b, const uw_view *v, bool held, half *out) {
    const size_t rows = (size_t)f->latents->num_rows, outputs = (size_t)b->at[b->count];
    half h = {0};
    h.x = malloc(rows * (size_t)v->dim * sizeof *h.x + 1);
    h.y = malloc(rows * outputs * sizeof *h.y + 1);
    h.episode = malloc(rows * sizeof *h.episode + 1);
    if (!h.x || !h.y || !h.episode) {
        half_fini(&h);
        return UW_ENOMEM;
    }
    for (size_t r = 0; r < rows; r++) {
        if (f->held[f->latents->rows[r].episode] != held || (v->there && !v->there[r])) continue;
        const double *value = f->values + r * (size_t)b->t->count;
        bool whole = true;
        for (int32_t i = 0; i < b->count; i++) {
            whole = whole && isfinite(value[b->target[i]]);
            if (whole)
                uw__target_outputs(b->t, b->target[i], value[b->target[i]],
                                   h.y + (size_t)h.n * outputs + b->at[i]);
        }
        if (!whole) continue;
        memcpy(h.x + (size_t)h.n * (size_t)v->dim, v->x + r * (size_t)v->dim,
               (size_t)v->dim * sizeof *h.x);
        h.episode[h.n++] = f->latents->rows[r].episode;
    }
    *out = h;
    return UW_OK;
}

/* Labels [n, 2 k]: the true ones, then those of another episode of the half at the same place in
 * it.  A probe that fits the second half of the columns fits time, not the latent. */
static uw_status with_control(const half *h, int32_t outputs, double **out) {
    const size_t n = (size_t)h->n, k = (size_t)outputs;
    int64_t *begin = malloc((n + 1) * sizeof *begin), episodes = 0;
    double *y = malloc(n * 2 * k * sizeof *y);
    if (!begin || !y) {
        free(begin);
        free(y);
        return UW_ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        if (i == 0 || h->episode[i] != h->episode[i - 1]) begin[episodes++] = (int64_t)i;
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

/* Score target i of a block from predictions [n, stride] whose labels begin at column `offset`. */
static uw_status score_one(const fitting *f, const block *b, const half *test, const double *guess,
                           const double *truth, int32_t stride, int32_t offset, int32_t i,
                           uw_scored *out) {
    const uw_scorecard card = {.predicted = guess,
                               .truth = truth,
                               .episode = test->episode,
                               .n = test->n,
                               .stride = stride,
                               .at = offset + b->at[i],
                               .radians = b->t->radians[b->target[i]],
                               .resamples = f->o->resamples,
                               .seed = f->o->seed};
    return uw__scorecard(f->ctx->pool, &card, out);
}

static void copy_pair(double *to, const double *from) {
    memcpy(to, from, 2 * sizeof *to);
}

/* ---- the latent ----------------------------------------------------------------------------- */

/* Keep the first outputs of a block's ridge as rows of the decoder, for latents that are not
 * centred. */
static void keep_probe(const block *b, const uw_ridge *ridge, uw_ridge *all) {
    const size_t d = (size_t)ridge->dim;
    for (int32_t i = 0; i < b->count; i++) {
        const int32_t outputs = b->at[i + 1] - b->at[i], to = b->t->output[b->target[i]];
        for (int32_t c = 0; c < outputs; c++) {
            const double *w = ridge->weight + (size_t)(b->at[i] + c) * d;
            double offset = ridge->intercept[b->at[i] + c];
            for (size_t k = 0; k < d; k++) offset -= w[k] * ridge->mean[k];
            memcpy(all->weight + (size_t)(to + c) * d, w, d * sizeof *w);
            all->intercept[to + c] = offset;
            all->penalty[to + c] = ridge->penalty[b->at[i] + c];
        }
    }
}

static uw_status fit_linear(const fitting *f, const block *b, const uw_view *v, const half *fit,
                            const half *test, uw_ridge *all) {
    const int32_t k = b->at[b->count];
    const size_t cells = 2 * (size_t)test->n * (size_t)k;
    double *labels = NULL, *guess = malloc(cells * sizeof *guess + 1);
    double *truth = malloc(cells * sizeof *truth + 1);
    uw_ridge ridge = {0};
    uw_status s = guess && truth ? with_control(fit, k, &labels) : UW_ENOMEM;
    if (!s) s = uw__ridge_fit(f->ctx->pool, fit->x, labels, fit->n, v->dim, 2 * k, &ridge);
    if (s) goto done;
    for (int64_t i = 0; i < test->n; i++)
        for (int32_t j = 0; j < 2 * k; j++) truth[i * 2 * k + j] = test->y[i * k + j % k];
    uw__ridge_predict(&ridge, test->x, test->n, guess);
    for (int32_t i = 0; i < b->count && !s; i++) {
        uw_probe_row *row = &f->out->probes[b->target[i]];
        uw_scored linear, shuffled;
        s = score_one(f, b, test, guess, truth, 2 * k, 0, i, &linear);
        if (!s) s = score_one(f, b, test, guess, truth, 2 * k, k, i, &shuffled);
        if (s) break;
        row->r2 = linear.r2;
        row->r = linear.r;
        row->rmse = linear.rmse;
        row->degrees = linear.degrees;
        row->shuffled_r2 = shuffled.r2;
        copy_pair(row->r2_ci, linear.r2_ci);
        copy_pair(row->r_ci, linear.r_ci);
        copy_pair(row->rmse_ci, linear.rmse_ci);
        copy_pair(row->degrees_ci, linear.degrees_ci);
        copy_pair(row->shuffled_r2_ci, shuffled.r2_ci);
        if (linear.episodes > f->out->scored_episodes) f->out->scored_episodes = linear.episodes;
    }
    if (!s) keep_probe(b, &ridge, all);
done:
    uw__ridge_fini(&ridge);
    free(labels);
    free(guess);
    free(truth);
    return s;
}

/* The MLP on true labels, or on those of other episodes. */
static uw_status fit_mlp(const fitting *f, const block *b, const uw_view *v, const half *fit,
                         const half *test, bool shuffled, uw_scored *out) {
    const int32_t k = b->at[b->count];
    double *labels = NULL, *y = malloc((size_t)fit->n * (size_t)k * sizeof *y + 1);
    double *guess = malloc((size_t)test->n * (size_t)k * sizeof *guess + 1);
    uw_status s = y && guess ? with_control(fit, k, &labels) : UW_ENOMEM;
    if (s) goto done;
    for (int64_t i = 0; i < fit->n; i++)
        memcpy(y + i * k, labels + i * 2 * k + (shuffled ? k : 0), (size_t)k * sizeof *y);
    s = uw__mlp_probe(f->ctx->kernels, fit->x, y, fit->n, v->dim, k, test->x, test->n, f->o->seed,
                      guess);
    for (int32_t i = 0; i < b->count && !s; i++)
        s = score_one(f, b, test, guess, test->y, k, 0, i, &out[i]);
done:
    free(labels);
    free(y);
    free(guess);
    return s;
}

static uw_status fit_latent(const fitting *f, const block *b, const uw_view *v, uw_ridge *all) {
    half fit = {0}, test = {0};
    uw_scored scored[UW_MAX_PROBES];
    uw_status s = gather(f, b, v, false, &fit);
    if (!s) s = gather(f, b, v, true, &test);
    if (s || !fit.n || !test.n) goto done;
    s = fit_linear(f, b, v, &fit, &test, all);
    if (!s && f->o->mlp) s = fit_mlp(f, b, v, &fit, &test, false, scored);
    for (int32_t i = 0; i < b->count && !s && f->o->mlp; i++) {
        uw_probe_row *row = &f->out->probes[b->target[i]];
        row->mlp_r2 = scored[i].r2;
        row->mlp_r = scored[i].r;
        copy_pair(row->mlp_r2_ci, scored[i].r2_ci);
    }
    if (!s && f->o->mlp && !f->o->quick) s = fit_mlp(f, b, v, &fit, &test, true, scored);
    for (int32_t i = 0; i < b->count && !s && f->o->mlp && !f->o->quick; i++)
        f->out->probes[b->target[i]].mlp_shuffled_r2 = scored[i].r2;
done:
    half_fini(&fit);
    half_fini(&test);
    return s;
}

/* ---- other views ---------------------------------------------------------------------------- */

/* Linear scores of another view, and its MLP's when asked for. */
static uw_status fit_other(const fitting *f, const block *b, const uw_view *v, uw_scored *linear,
                           uw_scored *mlp) {
    const int32_t k = b->at[b->count];
    half fit = {0}, test = {0};
    double *guess = NULL;
    uw_ridge ridge = {0};
    uw_status s = gather(f, b, v, false, &fit);
    if (!s) s = gather(f, b, v, true, &test);
    if (s || !fit.n || !test.n) goto done;
    guess = malloc((size_t)test.n * (size_t)k * sizeof *guess);
    s = guess ? uw__ridge_fit(f->ctx->pool, fit.x, fit.y, fit.n, v->dim, k, &ridge) : UW_ENOMEM;
    if (s) goto done;
    uw__ridge_predict(&ridge, test.x, test.n, guess);
    for (int32_t i = 0; i < b->count && !s; i++)
        s = score_one(f, b, &test, guess, test.y, k, 0, i, &linear[i]);
    if (!s && mlp) s = fit_mlp(f, b, v, &fit, &test, false, mlp);
done:
    uw__ridge_fini(&ridge);
    half_fini(&fit);
    half_fini(&test);
    free(guess);
    return s;
}

static void nothing(uw_scored *scored, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        scored[i] = (uw_scored){.r2 = NAN, .r = NAN, .r2_ci = {NAN, NAN}};
}

static uw_status fit_block(const fitting *f, const block *b, const uw_views *views, uw_ridge *all) {
    uw_scored linear[UW_MAX_PROBES], mlp[UW_MAX_PROBES];
    uw_status s = fit_latent(f, b, &views->latent, all);
    nothing(linear, b->count);
    if (!s && views->pca.x) s = fit_other(f, b, &views->pca, linear, NULL);
    for (int32_t i = 0; i < b->count && !s; i++) {
        uw_probe_row *row = &f->out->probes[b->target[i]];
        row->pca_r2 = linear[i].r2;
        copy_pair(row->pca_r2_ci, linear[i].r2_ci);
    }
    nothing(linear, b->count);
    if (!s && views->untrained.x) s = fit_other(f, b, &views->untrained, linear, NULL);
    for (int32_t i = 0; i < b->count && !s; i++) {
        uw_probe_row *row = &f->out->probes[b->target[i]];
        row->untrained_r2 = linear[i].r2;
        copy_pair(row->untrained_r2_ci, linear[i].r2_ci);
    }
    nothing(linear, b->count);
    nothing(mlp, b->count);
    if (!s && views->window.x) s = fit_other(f, b, &views->window, linear, f->o->mlp ? mlp : NULL);
    for (int32_t i = 0; i < b->count && !s; i++) {
        uw_probe_row *row = &f->out->probes[b->target[i]];
        row->window_r2 = linear[i].r2;
        row->window_r = linear[i].r;
        row->window_mlp_r2 = mlp[i].r2;
        copy_pair(row->window_r2_ci, linear[i].r2_ci);
    }
    return s;
}

/* ---- all ------------------------------------------------------------------------------------ */

static void blank_row(const uw_targets *t, int32_t j, uw_probe_row *row) {
    const double none[2] = {NAN, NAN};
    *row = (uw_probe_row){.r2 = NAN,
                          .r = NAN,
                          .rmse = NAN,
                          .mlp_r2 = NAN,
                          .mlp_r = NAN,
                          .shuffled_r2 = NAN,
                          .mlp_shuffled_r2 = NAN,
                          .degrees = NAN,
                          .causal = NAN,
                          .angle = t->radians[j] > 0.0,
                          .missing = t->missing[j]};
    double *const pairs[] = {row->r2_ci,          row->r_ci,       row->rmse_ci,  row->mlp_r2_ci,
                             row->shuffled_r2_ci, row->degrees_ci, row->causal_ci};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) copy_pair(pairs[i], none);
    memcpy(row->column, t->name[j], sizeof row->column);
    memcpy(row->unit, t->unit[j], sizeof row->unit);
}

static void add_target(block *b, int32_t j) {
    b->target[b->count] = j;
    b->at[b->count + 1] = b->at[b->count] + b->t->output[j + 1] - b->t->output[j];
    b->count++;
}

static uw_status decoder_new(const uw_targets *t, int32_t dim, uw_decoder *decoder) {
    uw_ridge *all = &decoder->ridge;
    const uw_status s = uw__ridge_new(dim, t->output[t->count], all);
    if (s) return s;
    for (int32_t i = 0; i < all->targets; i++) all->intercept[i] = NAN;
    for (int32_t j = 0; j < t->first_count; j++) {
        decoder->places += uw__target_is_place(t, j);
        decoder->turns += t->radians[j] > 0.0;
    }
    return UW_OK;
}

uw_status uw__fits_run(uw_context *ctx, const uw_latents *latents, const uw_targets *t,
                       const double *values, const uw_views *views, const bool *held,
                       const uw_probe_options *options, uw_decoder *decoder, uw_probe_report *out) {
    const fitting f = {ctx, latents, values, held, options, out};
    block *b = calloc(1, sizeof *b);
    uw_status s = b ? decoder_new(t, views->latent.dim, decoder) : UW_ENOMEM;
    if (s) goto done;
    for (int32_t j = 0; j < t->count; j++) blank_row(t, j, &out->probes[j]);
    out->num_probes = t->count;
    b->t = t;
    for (int32_t j = 0; j < t->count; j++)
        if (!t->missing[j]) add_target(b, j);
    if (b->count) s = fit_block(&f, b, views, &decoder->ridge);
    for (int32_t j = 0; j < t->count && !s; j++) {
        if (!t->missing[j]) continue;
        *b = (block){.t = t};
        add_target(b, j);
        s = fit_block(&f, b, views, &decoder->ridge);
    }
done:
    free(b);
    return s;
}
