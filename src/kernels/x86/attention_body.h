/* Softmax over the rows of attention scores, its gradient, and attention to a few keys. */
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

/* ---- attention to a few keys, heads in lanes ---- */

enum { DIMS = 4 }; /* dimensions at once: independent sums */

VEC vf few_get(const void *p, size_t at, bool bf16, size_t left) {
    return bf16 ? v_get_bf16((const uint16_t *)p + at, left) : v_get((const float *)p + at, left);
}

/* VW heads of one row from lane `at` on, of which `left` are there. */
VEC void few_keys_lanes(const uw_few_keys_args *a, size_t r, size_t at, size_t left, bool bf16) {
    const size_t hd = a->head_dim, step = a->heads, q = r * a->ld_q + at, o = r * a->ld_o + at;
    vf p[UW_MAX_KEYS], top = v_set(-INFINITY), sum = v_zero();
    for (size_t j = 0; j < a->num_keys; j++) {
        const size_t k = r * a->ld_kv[j] + at;
        vf s[DIMS] = {v_zero(), v_zero(), v_zero(), v_zero()};
        size_t d = 0;
        for (; d + DIMS <= hd; d += DIMS)
            for (size_t i = 0; i < DIMS; i++)
                s[i] = v_fma(few_get(a->q, q + (d + i) * step, bf16, left),
                             few_get(a->k[j], k + (d + i) * step, bf16, left), s[i]);
        for (; d < hd; d++)
            s[0] = v_fma(few_get(a->q, q + d * step, bf16, left),
                         few_get(a->k[j], k + d * step, bf16, left), s[0]);
        p[j] = v_mul(v_add(v_add(s[0], s[1]), v_add(s[2], s[3])), v_set(a->scale));
        top = v_max(top, p[j]);
    }
    for (size_t j = 0; j < a->num_keys; j++) {
        p[j] = v_exp(v_sub(p[j], top));
        sum = v_add(sum, p[j]);
    }
    const vf share = v_div(v_set(1.0f), sum);
    for (size_t j = 0; j < a->num_keys; j++) p[j] = v_mul(p[j], share);
    for (size_t d = 0; d < hd; d += DIMS) {
        const size_t dims = hd - d < DIMS ? hd - d : DIMS;
        vf y[DIMS] = {v_zero(), v_zero(), v_zero(), v_zero()};
        for (size_t j = 0; j < a->num_keys; j++) {
            const size_t v = r * a->ld_kv[j] + at + d * step;
            for (size_t i = 0; i < DIMS; i++)
                if (i < dims) y[i] = v_fma(p[j], few_get(a->v[j], v + i * step, bf16, left), y[i]);
        }
        for (size_t i = 0; i < dims; i++) {
            const size_t to = o + (d + i) * step;
            if (bf16)
                v_put_bf16((uint16_t *)a->o + to, left, y[i]);
            else
                v_put((float *)a->o + to, left, y[i]);
        }
    }
}

VEC void few_keys_rows(const uw_few_keys_args *a, bool bf16) {
    for (size_t r = 0; r < a->rows; r++) {
        size_t at = 0;
        for (; at + VW <= a->heads; at += VW) few_keys_lanes(a, r, at, VW, bf16);
        if (at < a->heads) few_keys_lanes(a, r, at, a->heads - at, bf16);
    }
}

void UW_ISA(few_keys)(const uw_few_keys_args *a) {
    if (a->bf16)
        few_keys_rows(a, true);
    else
        few_keys_rows(a, false);
}

#endif
