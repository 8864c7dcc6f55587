/* Sums and products entry by entry, and AdaLN's modulation and gate with their gradients. */
#include "kernels.h"

#include <math.h>

void uw_axpy_ref(uw_real *y, uw_real a, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (uw_real)((double)y[i] + (double)a * (double)x[i]);
}

void uw_affine_ref(uw_real *y, const uw_real *x, uw_real a, uw_real b, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (uw_real)((double)a * (double)x[i] + (double)b);
}

void uw_add_ref(uw_real *y, const uw_real *a, const uw_real *b, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void uw_muladd_ref(uw_real *y, const uw_real *a, const uw_real *b, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (uw_real)((double)y[i] + (double)a[i] * (double)b[i]);
}

void uw_modulate_ref(uw_real *y, const uw_real *x, const uw_real *shift, const uw_real *scale,
                     size_t rows, size_t c, size_t ldm) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, shift += ldm, scale += ldm) {
        for (size_t j = 0; j < c; j++)
            y[j] = (uw_real)((double)x[j] * (1 + (double)scale[j]) + (double)shift[j]);
    }
}

void uw_modulate_backward_ref(uw_real *dx, uw_real *dshift, uw_real *dscale, const uw_real *dy,
                              const uw_real *x, const uw_real *scale, size_t rows, size_t c,
                              size_t ldm) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < c; j++) {
            const uw_real d = dy[r * c + j];
            dshift[r * ldm + j] = d;
            dscale[r * ldm + j] = d * x[r * c + j];
            dx[r * c + j] = (uw_real)((double)d * (1 + (double)scale[r * ldm + j]));
        }
    }
}

void uw_gate_ref(uw_real *x, const uw_real *y, const uw_real *gate, size_t rows, size_t c,
                 size_t ldm) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, gate += ldm) {
        for (size_t j = 0; j < c; j++)
            x[j] = (uw_real)((double)x[j] + (double)gate[j] * (double)y[j]);
    }
}

void uw_gate_backward_ref(uw_real *dy, uw_real *dgate, const uw_real *dx, const uw_real *y,
                          const uw_real *gate, size_t rows, size_t c, size_t ldm) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < c; j++) {
            const uw_real d = dx[r * c + j];
            dgate[r * ldm + j] = d * y[r * c + j];
            dy[r * c + j] = d * gate[r * ldm + j];
        }
    }
}

void uw_u8_affine_ref(uw_real *y, const uint8_t *x, uw_real scale, uw_real shift, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (uw_real)((double)x[i] * (double)scale + (double)shift);
}

void uw_u8_relative_ref(uw_real *y, const uint8_t *rgb, size_t ld, const uint8_t floor[3],
                        size_t rows, size_t n) {
    const uw_real scale = (uw_real)2 / 255;
    for (size_t r = 0; r < rows; r++, rgb += ld) {
        for (size_t i = 0; i < n; i++, y += 4) {
            int square = 0; /* at most 3 * 255^2: exact */
            for (size_t c = 0; c < 3; c++) {
                const int d = rgb[3 * i + c] - floor[c];
                y[c] = scale * (uw_real)d;
                square += d * d;
            }
            y[3] = scale * (uw_real)sqrtf((float)square);
        }
    }
}
