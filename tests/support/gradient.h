/* Gradients against central differences, in double: only for programs built with UW_DOUBLE. */
#ifndef UW_GRADIENT_H
#define UW_GRADIENT_H

#include <math.h>

#include "check.h"
#include "exec.h"
#include "rng.h"

#ifndef UW_DOUBLE
#error "central differences need uw_real = double"
#endif

/* The reference kernels in double. */
static inline uw_kernels gradient_kernels(void) {
    uw_kernels k = {.isa = "ref"};
#define X(field, type) k.field = uw_##field##_ref;
    UW_KERNEL_MAP(X)
#undef X
    return k;
}

typedef double gradient_loss(void *arg);

/* Compare grad [n] with (loss(x + h) - loss(x - h)) / 2h at up to `samples` entries of x, spread evenly. */
static inline void gradient_check(const char *what, gradient_loss *loss, void *arg, double *x,
                                  const double *grad, size_t n, size_t samples) {
    const double h = 1e-5;
    double scale = 1.0;
    for (size_t i = 0; i < n; i++) scale = fmax(scale, fabs(grad[i]));
    const size_t step = n > samples ? n / samples : 1;
    for (size_t i = 0; i < n; i += step) {
        const double old = x[i];
        x[i] = old + h;
        const double up = loss(arg);
        x[i] = old - h;
        const double down = loss(arg);
        x[i] = old;
        const double want = (up - down) / (2 * h);
        if (!(fabs(grad[i] - want) <= 2e-7 * scale))
            fail_msg("%s[%zu]: gradient %.12g, central difference %.12g", what, i, grad[i], want);
    }
}

/* Fill with standard normals times scale; another stream for every call. */
static inline void gradient_fill(double *x, size_t n, double scale, uint64_t stream) {
    uw_rng r = uw__rng(check_seed(1), UW_STREAM_TEST, stream);
    for (size_t i = 0; i < n; i++) x[i] = scale * (double)uw__rng_normal(&r);
}

static inline double gradient_dot(const double *a, const double *b, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

#endif
