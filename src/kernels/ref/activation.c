/* GELU, SiLU, exp, and the sine and cosine that never ask libm. */
#include "kernels.h"
#include "ref/sincos.h"

#include <math.h>

static const double inv_sqrt2 = 0.70710678118654752440, inv_sqrt_2pi = 0.39894228040143267794;

void uw_gelu_ref(uw_real *y, const uw_real *x, size_t n) {
    /* erfc keeps the relative accuracy of the far left tail, where 1 + erf would cancel. */
    for (size_t i = 0; i < n; i++)
        y[i] = (uw_real)(0.5 * (double)x[i] * erfc(-(double)x[i] * inv_sqrt2));
}

void uw_gelu_backward_ref(uw_real *dx, const uw_real *dy, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        const double slope = 0.5 * erfc(-v * inv_sqrt2) + v * inv_sqrt_2pi * exp(-0.5 * v * v);
        dx[i] = (uw_real)((double)dy[i] * slope);
    }
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

void uw_silu_ref(uw_real *y, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (uw_real)((double)x[i] * sigmoid((double)x[i]));
}

void uw_silu_backward_ref(uw_real *dx, const uw_real *dy, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double s = sigmoid((double)x[i]);
        dx[i] = (uw_real)((double)dy[i] * s * (1 + (double)x[i] * (1 - s)));
    }
}

void uw_exp_ref(uw_real *y, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (uw_real)exp((double)x[i]);
}

void uw_sincos_ref(uw_real *s, uw_real *c, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double sine, cosine;
        ref_sincos((double)x[i], &sine, &cosine);
        s[i] = (uw_real)sine;
        c[i] = (uw_real)cosine;
    }
}
