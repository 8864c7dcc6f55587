/* The band: errors' mean and covariance from one part of the calibration episodes, a threshold from
 * the largest scores of the others.
 *
 * The parts are kept apart, so that the score is a fixed function for the episodes that set the
 * threshold: what makes them exchangeable with a fresh one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrices.h"
#include "special.h"
#include "statistics.h"
#include "surprise_internal.h"

/* Added to the covariance's diagonal, of its mean eigenvalue: a latent need not have full rank. Any
 * value keeps the guarantee; it only says how much a dead direction may weigh. */
static const double RIDGE = 1e-3;

/* ---- covariance ------------------------------------------------------------------------------ */

uw_status uw__scatter_init(uw_scatter *scatter, int32_t dim) {
    const size_t d = (size_t)dim;
    *scatter = (uw_scatter){.dim = dim};
    scatter->sum = calloc(d, sizeof *scatter->sum);
    scatter->cross = calloc(d * d, sizeof *scatter->cross);
    if (scatter->sum && scatter->cross) return UW_OK;
    uw__scatter_fini(scatter);
    return UW_ENOMEM;
}

void uw__scatter_fini(uw_scatter *scatter) {
    free(scatter->sum);
    free(scatter->cross);
    *scatter = (uw_scatter){0};
}

void uw__scatter_add(uw_scatter *scatter, const uw_track *track) {
    const size_t d = (size_t)scatter->dim;
    for (int64_t t = 0; t < track->length; t++) {
        if (!track->scored[t]) continue;
        const float *e = track->error + (size_t)t * d;
        scatter->count++;
        for (size_t i = 0; i < d; i++) {
            scatter->sum[i] += (double)e[i];
            for (size_t j = 0; j <= i; j++)
                scatter->cross[i * d + j] += (double)e[i] * (double)e[j];
        }
    }
}

/* Invert a lower triangular factor in place: column j needs the factor's columns from j on, which
 * are still there. */
static void invert(double *l, size_t d) {
    for (size_t j = 0; j < d; j++) {
        l[j * d + j] = 1.0 / l[j * d + j];
        for (size_t i = j + 1; i < d; i++) {
            double sum = 0.0;
            for (size_t k = j; k < i; k++) sum -= l[i * d + k] * l[k * d + j];
            l[i * d + j] = sum / l[i * d + i];
        }
    }
}

/* Fill mean and whiten; UW_EINVAL when the errors do not vary. */
static uw_status whiten(const uw_scatter *scatter, double *s, uw_surprise *out) {
    const size_t d = (size_t)scatter->dim;
    const double n = (double)scatter->count;
    double trace = 0.0;
    for (size_t i = 0; i < d; i++) {
        out->mean[i] = (float)(scatter->sum[i] / n);
        for (size_t j = 0; j <= i; j++)
            s[i * d + j] = (scatter->cross[i * d + j] - scatter->sum[i] * scatter->sum[j] / n) / n;
        trace += s[i * d + i];
    }
    if (!(trace > 0.0) || !uw__cholesky(s, scatter->dim, RIDGE)) return UW_EINVAL;
    invert(s, d);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) out->whiten[i * d + j] = j <= i ? (float)s[i * d + j] : 0.0f;
    return UW_OK;
}

uw_status uw__surprise_new(const uw_scatter *scatter, uw_surprise **out, uw_err *err) {
    const size_t d = (size_t)scatter->dim;
    uw_status s = UW_OK;
    double *work = malloc(d * d * sizeof *work);
    uw_surprise *u = calloc(1, sizeof *u);
    *out = NULL;
    if (u) {
        u->mean = calloc(d, sizeof *u->mean);
        u->whiten = calloc(d * d, sizeof *u->whiten);
    }
    if (!work || !u || !u->mean || !u->whiten) {
        s = uw_fail(err, UW_ENOMEM, "surprise: covariance of %zu numbers", d);
        goto done;
    }
    if (scatter->count < 2 || whiten(scatter, work, u)) {
        s = uw_fail(err, UW_EINVAL,
                    "surprise: prediction errors do not vary, wanted some to scale by");
        uw_err_fix(err, "is the latent collapsed? umwelt probe shows its effective rank");
        goto done;
    }
    u->band = (uw_band){scatter->dim, u->mean, u->whiten, 0.0};
    *out = u;
done:
    if (s) uw_surprise_unload(u);
    free(work);
    return s;
}

void uw_surprise_unload(uw_surprise *surprise) {
    if (!surprise) return;
    free(surprise->mean);
    free(surprise->whiten);
    free(surprise->largest);
    free(surprise->used);
    free(surprise);
}

double uw__surprise_largest(const uw_surprise *surprise, const uw_track *track, int64_t first,
                            int64_t *alarm) {
    double largest = -1.0;
    if (alarm) *alarm = -1;
    for (int64_t t = first; t < track->length; t++) {
        if (!track->scored[t]) continue;
        const double score =
            uw__band_score(&surprise->band, track->error + t * surprise->band.latent_dim);
        if (score > largest) largest = score;
        if (alarm && *alarm < 0 && score > surprise->band.threshold) *alarm = t;
    }
    return largest;
}

/* ---- threshold ------------------------------------------------------------------------------- */

int64_t uw__covariance_share(int64_t n) {
    return n / 3 < 2 ? 2 : n / 3;
}

/* How many of n largest scores may lie above the threshold: floor((n + 1) alpha), with room for the
 * rounding of 0.05 * 20. */
static int64_t allowed_above(int64_t n, double alpha) {
    return (int64_t)floor((double)(n + 1) * alpha * (1.0 + 1e-12));
}

int64_t uw_surprise_episodes_needed(double alpha) {
    int64_t n = (int64_t)ceil(1.0 / alpha) - 2; /* one below, so that rounding cannot matter */
    if (n < 1) n = 1;
    while (allowed_above(n, alpha) < 1) n++;
    int64_t total = n;
    while (total - uw__covariance_share(total) < n) total++;
    return total;
}

uw_status uw__surprise_too_few(double alpha, int64_t episodes, uw_err *err) {
    const int64_t setting = episodes - uw__covariance_share(episodes);
    uw_fail(err, UW_EINVAL, "surprise: alpha %g, wanted %lld episodes to calibrate, got %lld",
            alpha, (long long)uw_surprise_episodes_needed(alpha), (long long)episodes);
    if (setting > 1)
        uw_err_fix(err, "record more episodes (one long run counts once), or take --alpha %.2g",
                   ceil(100.0 / (double)(setting + 1)) / 100.0);
    else
        uw_err_fix(err, "record more episodes; one long run counts once");
    return UW_EINVAL;
}

uw_status uw__surprise_threshold(uw_surprise *surprise, const double *largest, int64_t n,
                                 double alpha, uw_err *err) {
    const int64_t above = allowed_above(n, alpha);
    if (above < 1) return uw__surprise_too_few(alpha, n + surprise->facts.covariance_episodes, err);
    double *sorted = malloc((size_t)n * sizeof *sorted);
    if (!sorted) return uw_fail(err, UW_ENOMEM, "surprise: %lld episodes", (long long)n);
    memcpy(sorted, largest, (size_t)n * sizeof *sorted);
    uw__sort(sorted, n);
    free(surprise->largest);
    surprise->largest = sorted;
    surprise->band.threshold = sorted[n - above];
    uw_surprise_facts *f = &surprise->facts;
    f->alpha = alpha;
    f->threshold = surprise->band.threshold;
    f->episodes = n;
    f->rate_low = uw__beta_quantile((double)above, (double)(n + 1 - above), 0.025);
    f->rate_high = uw__beta_quantile((double)above, (double)(n + 1 - above), 0.975);
    return UW_OK;
}

const uw_band *uw_surprise_band(const uw_surprise *surprise) {
    return surprise->facts.steps == 1 ? &surprise->band : NULL;
}

const uw_surprise_facts *uw_surprise_facts_of(const uw_surprise *surprise) {
    return &surprise->facts;
}
