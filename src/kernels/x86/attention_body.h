/* Softmax over the rows of attention scores, and its gradient. */
#ifndef UW_ATTENTION_BODY_H
#define UW_ATTENTION_BODY_H

#include <math.h>

/* One row of which `count` scores are seen. */
static void softmax_row(float *s, size_t count, float scale) {
    vf top = v_set(-INFINITY);
    for (size_t j = 0; j < count; j += VW) {
        const size_t left = count - j;
        const vf x = v_mul(v_get(s + j, left), v_set(scale));
        top = v_pick(v_first(left), v_max(top, x), top);
    }
    /* One rounding per argument, whatever the size of the scores. */
    const vf shift = v_set(-v_largest(top));
    vsum sum = vs_zero();
    for (size_t j = 0; j < count; j += VW) {
        const size_t left = count - j;
        const vf p = v_keep(v_exp(v_fma(v_get(s + j, left), v_set(scale), shift)), v_first(left));
        vs_add(&sum, p);
        v_put(s + j, left, p);
    }
    const vf factor = v_set((float)(1 / vs_total(sum)));
    for (size_t j = 0; j < count; j += VW) {
        const size_t left = count - j;
        v_put(s + j, left, v_mul(v_get(s + j, left), factor));
    }
}

void UW_ISA(softmax)(float *s, size_t rows, size_t cols, size_t ld, float scale, bool causal) {
    for (size_t r = 0; r < rows; r++, s += ld) {
        size_t count = cols;
        if (causal) count = r + cols + 1 > rows ? r + cols + 1 - rows : 0;
        softmax_row(s, count, scale);
        for (size_t j = count; j < cols; j++) s[j] = 0;
    }
}

void UW_ISA(softmax_backward)(float *dp, const float *p, size_t rows, size_t cols, size_t ld,
                              float scale) {
    for (size_t r = 0; r < rows; r++, dp += ld, p += ld) {
        vsum s = vs_zero();
        for (size_t j = 0; j < cols; j += VW) {
            const size_t left = cols - j;
            vs_add_product(&s, v_get(p + j, left), v_get(dp + j, left));
        }
        const vf sum = v_set((float)vs_total(s));
        for (size_t j = 0; j < cols; j += VW) {
            const size_t left = cols - j;
            const vf factor = v_mul(v_get(p + j, left), v_set(scale));
            v_put(dp + j, left, v_mul(factor, v_sub(v_get(dp + j, left), sum)));
        }
    }
}

#endif
