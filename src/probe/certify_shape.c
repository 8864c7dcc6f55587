/* Is the white latent Gaussian?  Coordinate by coordinate, along random slices, and as a whole.
 *
 * The effect is the Epps-Pulley statistic per row, Int |phi(t) - exp(-t^2/2)|^2 exp(-t^2/2) dt,
 * corrected for noise by the bootstrap over episodes: on independent rows that is (T - 1.05) / N,
 * and it holds for dependent ones too. */
#include <math.h>
#include <stdlib.h>

#include "certify_internal.h"
#include "internal.h"
#include "rng.h"

enum {
    MOST_ROWS = 16384, /* rows looked at, evenly spread: neighbours repeat each other */
    SLICES = 256,
    FEW_SLICES = 64,          /* of up to four dimensions */
    ECF = 2 * (UW_KNOTS - 1), /* cosines and sines; the knot at 0 says nothing */
    PER_COORDINATE = ECF + 4
};

enum { V_WORST, V_SKEW, V_KURTOSIS, V_MEAN_SLICE, V_MARDIA, V_WORST_SLICE, V_COUNT };

typedef struct shape {
    const uw_sample *o;
    int32_t p, slices;
    int64_t every;
    double *direction; /* [slices, P] */
    int64_t size;
} shape;

/* Add cos and sin of t x at all knots: one sine and cosine, then turns by the same angle. */
static void add_ecf(double x, double *to) {
    const double angle = uw__knot(1) * x, c = cos(angle), s = sin(angle);
    double re = c, im = s;
    for (int k = 0; k < UW_KNOTS - 1; k++) {
        to[2 * k] += re;
        to[2 * k + 1] += im;
        const double turned = re * c - im * s;
        im = im * c + re * s;
        re = turned;
    }
}

static void add_episode(void *arg, int64_t first, int64_t last, double *sums) {
    const shape *sh = arg;
    const int64_t start = (first + sh->every - 1) / sh->every * sh->every;
    for (int64_t t = start; t < last; t += sh->every) {
        const double *y = sh->o->y + t * sh->p;
        double norm = 0.0, *to = sums + 3;
        for (int32_t i = 0; i < sh->p; i++, to += PER_COORDINATE) {
            const double x = y[i], xx = x * x;
            norm += xx;
            add_ecf(x, to);
            to[ECF] += x;
            to[ECF + 1] += xx;
            to[ECF + 2] += xx * x;
            to[ECF + 3] += xx * xx;
        }
        for (int32_t m = 0; m < sh->slices; m++, to += ECF) {
            double x = 0.0;
            for (int32_t i = 0; i < sh->p; i++) x += sh->direction[(int64_t)m * sh->p + i] * y[i];
            add_ecf(x, to);
        }
        sums[0] += 1.0;
        sums[1] += norm;
        sums[2] += norm * norm;
    }
}

static double effect(const double *ecf, double n) {
    double sum = 0.0;
    for (int k = 1; k < UW_KNOTS; k++) {
        const double t = uw__knot(k);
        const double re = ecf[2 * k - 2] / n - exp(-0.5 * t * t), im = ecf[2 * k - 1] / n;
        sum += uw__knot_weight(k) * (re * re + im * im);
    }
    return sum;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *v) {
    (void)scratch;
    const shape *sh = arg;
    const double n = total[0], *at = total + 3;
    v[V_WORST] = v[V_SKEW] = v[V_KURTOSIS] = v[V_MEAN_SLICE] = v[V_WORST_SLICE] = 0.0;
    for (int32_t i = 0; i < sh->p; i++, at += PER_COORDINATE) {
        const double mean = at[ECF] / n, m2 = at[ECF + 1] / n - mean * mean;
        const double raw3 = at[ECF + 2] / n, raw4 = at[ECF + 3] / n;
        const double m3 = raw3 - 3.0 * mean * m2 - mean * mean * mean;
        const double m4 =
            raw4 - 4.0 * mean * raw3 + 6.0 * mean * mean * m2 + 3.0 * mean * mean * mean * mean;
        v[V_WORST] = fmax(v[V_WORST], effect(at, n));
        v[V_SKEW] = fmax(v[V_SKEW], fabs(m3) / (m2 * sqrt(m2)));
        v[V_KURTOSIS] = fmax(v[V_KURTOSIS], fabs(m4 / (m2 * m2) - 3.0));
    }
    for (int32_t m = 0; m < sh->slices; m++, at += ECF) {
        const double e = effect(at, n);
        v[V_MEAN_SLICE] += e / sh->slices;
        v[V_WORST_SLICE] = fmax(v[V_WORST_SLICE], e);
    }
    const double square = total[1] / n, p = sh->p;
    v[V_MARDIA] = fabs(total[2] / n / (square * square) * p / (p + 2.0) - 1.0);
}

static void draw_directions(shape *sh, uint64_t seed) {
    uw_rng r = uw__rng(seed, UW_STREAM_SIGREG, 0);
    for (int32_t m = 0; m < sh->slices; m++) {
        double *a = sh->direction + (int64_t)m * sh->p, norm = 0.0;
        for (int32_t i = 0; i < sh->p; i++) {
            a[i] = (double)uw__rng_normal(&r);
            norm += a[i] * a[i];
        }
        for (int32_t i = 0; i < sh->p; i++) a[i] /= sqrt(norm);
    }
}

uw_status uw__certify_shape(uw_certifier *run) {
    const uw_sample *o = run->sample;
    shape sh = {.o = o, .p = o->rank, .every = (o->rows + MOST_ROWS - 1) / MOST_ROWS};
    sh.slices = o->rank == 1 ? 0 : o->rank <= 4 ? FEW_SLICES : SLICES;
    sh.size = 3 + (int64_t)sh.p * PER_COORDINATE + (int64_t)sh.slices * ECF;
    uw_estimate e[V_COUNT];
    uw_status s = UW_ENOMEM;
    double *sums = NULL;
    sh.direction = malloc((size_t)sh.slices * (size_t)sh.p * sizeof *sh.direction + 1);
    if (!sh.direction) goto done;
    draw_directions(&sh, run->options->seed);
    sums = uw__sample_sums(run->ctx, o, sh.size, add_episode, &sh);
    if (!sums) goto done;
    const uw_bootstrap b = {.sums = sums,
                            .groups = o->num_groups,
                            .size = sh.size,
                            .count = V_COUNT,
                            .eval = evaluate,
                            .arg = &sh};
    s = uw__bootstrap(run->ctx->pool, &b, run->resamples, run->options->seed, e);
    if (s) goto done;
    uw__check_add(run, A1, "Epps-Pulley effect per row, worst coordinate", &e[V_WORST], false,
                  0.002, 0.01);
    uw__check_add(run, A1, "|skewness|, worst coordinate", &e[V_SKEW], false, 0.1, 0.5);
    uw__check_add(run, A1, "|excess kurtosis|, worst coordinate", &e[V_KURTOSIS], false, 0.2, 1.0);
    uw__check_add(run, A2, "|Mardia's kurtosis / K (K + 2) - 1|", &e[V_MARDIA], false, 0.05, 0.15);
    if (sh.slices) {
        uw__check_add(run, A2, "Epps-Pulley effect per row, worst slice", &e[V_WORST_SLICE], false,
                      0.002, 0.01);
        uw__check_add(run, A1, "Epps-Pulley effect per row, mean over slices", &e[V_MEAN_SLICE],
                      false, NAN, NAN);
        uw__check_note(run, A2, "%d random slices", sh.slices);
    }
done:
    free(sh.direction);
    free(sums);
    return s;
}
