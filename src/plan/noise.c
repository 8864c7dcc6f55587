/* Noise along the horizon: white, AR(1), or a power-law colour.  Owns the filters and
 * nothing else; the draws come from the planner.
 *
 * The colour is a circular convolution instead of a Fourier transform there and back: the response
 * is real and symmetric, so one real filter of length H says the same, for odd horizons and for H =
 * 1 too. */
#include "plan_internal.h"

#include <math.h>

void uw__noise_correlate(float *noise, size_t n, size_t h, size_t a, float ar) {
    if (ar == 0.0f) return;
    const float fresh = sqrtf(1.0f - ar * ar);
    for (size_t i = 0; i < n; i++) {
        float *e = noise + i * h * a;
        for (size_t j = a; j < h * a; j++) e[j] = ar * e[j - a] + fresh * e[j];
    }
}

void uw__noise_colour_filter(float *filter, size_t h, float beta) {
    static const double TWO_PI = 6.283185307179586476925;
    for (size_t t = 0; t < h; t++) {
        double sum = 0.0;
        for (size_t k = 0; k < h; k++) {
            /* Frequency of bin k is min(k, h - k) / h; bin 0 borrows that of bin 1. */
            const size_t fold = k < h - k ? k : h - k;
            const double f = (double)(fold ? fold : 1) / (double)h;
            /* k t mod h keeps the angle small, hence exact for long horizons. */
            sum += pow(f, -0.5 * (double)beta) * cos(TWO_PI * (double)(k * t % h) / (double)h);
        }
        filter[t] = (float)(sum / (double)h);
    }
}

void uw__noise_colour(float *noise, size_t n, size_t h, size_t a, const float *filter,
                      double *series) {
    static const double MIN_STD = 1e-8; /* of LeWM's solver: a flat sequence stays flat */
    if (h < 2) return;                  /* one step has neither colour nor a standard deviation */
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < a; j++) {
            float *x = noise + i * h * a + j; /* [h] with stride a */
            double mean = 0.0, square = 0.0;
            for (size_t t = 0; t < h; t++) {
                double y = 0.0;
                for (size_t u = 0; u < h; u++)
                    y += (double)filter[t >= u ? t - u : t + h - u] * (double)x[u * a];
                series[t] = y;
                mean += y;
            }
            mean /= (double)h;
            for (size_t t = 0; t < h; t++) square += (series[t] - mean) * (series[t] - mean);
            const double std = sqrt(square / (double)(h - 1));
            const double scale = 1.0 / (std > MIN_STD ? std : MIN_STD);
            for (size_t t = 0; t < h; t++) x[t * a] = (float)(series[t] * scale);
        }
    }
}

void uw__noise_shape(uw_planner *p, float *noise) {
    const uw_planner_options *o = &p->options;
    const size_t n = (size_t)o->num_samples, h = (size_t)o->horizon, w = (size_t)p->width;
    const size_t step = (size_t)p->dynamics.dims.step_dim; /* discrete choices have no inside */
    const size_t inside = step && !p->rules->discrete && w % step == 0 ? w / step : 1;
    /* iCEM scales each sequence to unit deviation even when it is white. */
    if (o->noise_beta != 0.0f || (o->solver == UW_SOLVER_ICEM && o->noise_ar == 0.0f))
        uw__noise_colour(noise, n, h, w, p->colour, p->series);
    else
        uw__noise_correlate(noise, n, h * inside, w / inside, o->noise_ar);
}
