/* Sums and products entry by entry, AdaLN's modulation and gate, and AdamW. */
#ifndef UW_ELEMENTWISE_BODY_H
#define UW_ELEMENTWISE_BODY_H

#include <math.h>

void UW_ISA(axpy)(float *y, float a, const float *x, size_t n) {
    const vf factor = v_set(a);
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(y + i, left, v_fma(factor, v_get(x + i, left), v_get(y + i, left)));
    }
}

void UW_ISA(affine)(float *y, const float *x, float a, float b, size_t n) {
    const vf factor = v_set(a), shift = v_set(b);
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(y + i, left, v_fma(factor, v_get(x + i, left), shift));
    }
}

void UW_ISA(add)(float *y, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(y + i, left, v_add(v_get(a + i, left), v_get(b + i, left)));
    }
}

void UW_ISA(muladd)(float *y, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(y + i, left, v_fma(v_get(a + i, left), v_get(b + i, left), v_get(y + i, left)));
    }
}

void UW_ISA(modulate)(float *y, const float *x, const float *shift, const float *scale, size_t rows,
                      size_t c, size_t ldm) {
    for (size_t r = 0; r < rows; r++, x += c, y += c, shift += ldm, scale += ldm) {
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            const vf v = v_get(x + j, left);
            v_put(y + j, left, v_add(v_fma(v, v_get(scale + j, left), v), v_get(shift + j, left)));
        }
    }
}

void UW_ISA(modulate_backward)(float *dx, float *dshift, float *dscale, const float *dy,
                               const float *x, const float *scale, size_t rows, size_t c,
                               size_t ldm) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            const vf d = v_get(dy + r * c + j, left);
            v_put(dshift + r * ldm + j, left, d);
            v_put(dscale + r * ldm + j, left, v_mul(d, v_get(x + r * c + j, left)));
            v_put(dx + r * c + j, left, v_fma(d, v_get(scale + r * ldm + j, left), d));
        }
    }
}

void UW_ISA(gate)(float *x, const float *y, const float *gate, size_t rows, size_t c, size_t ldm) {
    for (size_t r = 0; r < rows; r++) UW_ISA(muladd)(x + r * c, gate + r * ldm, y + r * c, c);
}

void UW_ISA(gate_backward)(float *dy, float *dgate, const float *dx, const float *y,
                           const float *gate, size_t rows, size_t c, size_t ldm) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            const vf d = v_get(dx + r * c + j, left);
            v_put(dgate + r * ldm + j, left, v_mul(d, v_get(y + r * c + j, left)));
            v_put(dy + r * c + j, left, v_mul(d, v_get(gate + r * ldm + j, left)));
        }
    }
}

void UW_ISA(adamw)(float *w, float *m, float *v, const float *g, size_t n, const uw_adamw_args *a) {
    const vf scale = v_set(a->grad_scale), eps = v_set(a->eps);
    const vf new1 = v_set((float)(1 - (double)a->beta1));
    const vf old2 = v_set(a->beta2), new2 = v_set((float)(1 - (double)a->beta2));
    const vf keep = v_set((float)(1 - (double)a->lr * (double)a->weight_decay));
    const vf step = v_set((float)((double)a->lr / (double)a->bias1));
    const vf root = v_set((float)(1 / sqrt((double)a->bias2)));
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        const vf grad = v_mul(v_get(g + i, left), scale);
        const vf old = v_get(m + i, left);
        const vf first = v_fma(v_sub(grad, old), new1, old);
        const vf second = v_fma(v_mul(grad, grad), new2, v_mul(v_get(v + i, left), old2));
        const vf size = v_fma(v_sqrt(second), root, eps);
        v_put(m + i, left, first);
        v_put(v + i, left, second);
        v_put(w + i, left, v_fnma(step, v_div(first, size), v_mul(v_get(w + i, left), keep)));
    }
}

#endif
