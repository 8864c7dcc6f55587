/* The policy's arithmetic: a perceptron of three layers, the pinball loss of a quantile, and the
 * mixture of Gaussians with its gradient written out.
 *
 *     p(a) = sum_m softmax(logit)_m N(a; mean_m, exp(2 log_std_m) I)
 *
 * With r_m the share of way m in p(a):
 *     d/dlogit_m = softmax_m - r_m        d/dmean_m = r_m (mean_m - a) / var_m
 *     d/dlog_std_m = r_m (A - |a - mean_m|^2 / var_m)
 * See Bishop, "Mixture density networks", 1994. */
#include "policy_internal.h"

#include <math.h>

/* A way may be sharp or wide only within these: exp(-4) of an action's deviation is a point. */
static const double LEAST_LOG_STD = -4.0, MOST_LOG_STD = 2.0;

/* ---- the perceptron -------------------------------------------------------------------------- */

uw_linear uw__head_layer(const uw_head *head, int32_t layer, float *grads) {
    const size_t h = UW_HEAD_HIDDEN;
    const size_t in = layer == 0 ? head->in : h, out = layer == 2 ? head->out : h;
    const size_t at = (layer > 0 ? h * head->in + h : 0) + (layer > 1 ? h * h + h : 0);
    return (uw_linear){.in = in,
                       .out = out,
                       .w = head->params + at,
                       .b = head->params + at + out * in,
                       .dw = grads ? grads + at : NULL,
                       .db = grads ? grads + at + out * in : NULL};
}

void uw__head_forward_one(const uw_kernels *k, const uw_head *head, const float *x, float *y) {
    float h1[UW_HEAD_HIDDEN], h2[UW_HEAD_HIDDEN];
    const float *from[] = {x, h1, h2};
    float *to[] = {h1, h2, y};
    for (int32_t layer = 0; layer < 3; layer++) {
        const uw_linear l = uw__head_layer(head, layer, NULL);
        for (size_t o = 0; o < l.out; o++)
            to[layer][o] = (float)(k->dot(l.w + o * l.in, from[layer], l.in) + (double)l.b[o]);
        if (layer < 2) k->gelu(to[layer], to[layer], l.out);
    }
}

/* ---- losses ---------------------------------------------------------------------------------- */

double uw__pinball(const float *y, const float *want, size_t n, double quantile, float *dy) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double off = (double)want[i] - (double)y[i];
        const double slope = off > 0.0 ? quantile : quantile - 1.0;
        sum += slope * off;
        dy[i] = (float)(-slope / (double)n);
    }
    return sum / (double)n;
}

/* One row's ways: log of their weight, log of their share in p(action). */
typedef struct ways {
    double log_weight[UW_POLICY_WAYS], log_share[UW_POLICY_WAYS];
    double log_std[UW_POLICY_WAYS], square[UW_POLICY_WAYS]; /* |action - mean|^2 / var */
    double log_density;
} ways;

static double log_sum_exp(const double *x, size_t n) {
    double most = x[0], sum = 0.0;
    for (size_t i = 1; i < n; i++) most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++) sum += exp(x[i] - most);
    return most + log(sum);
}

static void weigh(const float *y, size_t a, ways *w) {
    for (size_t m = 0; m < UW_POLICY_WAYS; m++) w->log_weight[m] = (double)y[m * (a + 2)];
    const double all = log_sum_exp(w->log_weight, UW_POLICY_WAYS);
    for (size_t m = 0; m < UW_POLICY_WAYS; m++) w->log_weight[m] -= all;
}

static void share(const float *y, const float *action, size_t a, ways *w) {
    static const double LOG_TWO_PI = 1.8378770664093453;
    weigh(y, a, w);
    for (size_t m = 0; m < UW_POLICY_WAYS; m++) {
        const float *way = y + m * (a + 2), *mean = way + 2;
        w->log_std[m] = fmin(MOST_LOG_STD, fmax(LEAST_LOG_STD, (double)way[1]));
        double square = 0.0;
        for (size_t j = 0; j < a; j++) {
            const double off = (double)action[j] - (double)mean[j];
            square += off * off;
        }
        w->square[m] = square * exp(-2.0 * w->log_std[m]);
        w->log_share[m] =
            w->log_weight[m] - 0.5 * w->square[m] - (double)a * (w->log_std[m] + 0.5 * LOG_TWO_PI);
    }
    w->log_density = log_sum_exp(w->log_share, UW_POLICY_WAYS);
}

double uw__mixture_loss(const float *y, const float *action, size_t n, size_t a, float *dy) {
    const size_t size = uw__mixture_size(a);
    const double scale = 1.0 / (double)n;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++, y += size, dy += size, action += a) {
        ways w;
        share(y, action, a, &w);
        sum -= w.log_density;
        for (size_t m = 0; m < UW_POLICY_WAYS; m++) {
            const float *way = y + m * (a + 2);
            float *d = dy + m * (a + 2);
            const double r = exp(w.log_share[m] - w.log_density);
            const bool held = (double)way[1] != w.log_std[m]; /* at a bound: no slope */
            const double inverse = exp(-2.0 * w.log_std[m]);
            d[0] = (float)(scale * (exp(w.log_weight[m]) - r));
            d[1] = held ? 0.0f : (float)(scale * r * ((double)a - w.square[m]));
            for (size_t j = 0; j < a; j++)
                d[2 + j] = (float)(scale * r * ((double)way[2 + j] - (double)action[j]) * inverse);
        }
    }
    return sum * scale;
}

int32_t uw__mixture_pick(const float *y, size_t a, float u) {
    ways w;
    weigh(y, a, &w);
    for (size_t m = 0; m < UW_POLICY_WAYS; m++) w.log_weight[m] *= 2.0;
    const double all = log_sum_exp(w.log_weight, UW_POLICY_WAYS);
    double sum = 0.0;
    int32_t last = 0;
    for (int32_t m = 0; m < UW_POLICY_WAYS; m++) {
        const double p = exp(w.log_weight[m] - all);
        if (p > 0.0) last = m;
        sum += p;
        if ((double)u < sum) return m;
    }
    return last; /* the sum fell short of 1 by a rounding */
}
