/* Functions of single values: GELU, SiLU, exp, sine and cosine, and bytes to floats. */
#ifndef UW_MAP_BODY_H
#define UW_MAP_BODY_H

typedef vf map_fn(vf x);

VEC void map(float *y, const float *x, size_t n, map_fn *f) {
    size_t i = 0;
    for (; i + VW <= n; i += VW) v_store(y + i, f(v_load(x + i)));
    if (i < n) {
        const size_t left = n - i;
        v_put(y + i, left, f(v_get(x + i, left)));
    }
}

VEC void map_backward(float *dx, const float *dy, const float *x, size_t n, map_fn *slope) {
    size_t i = 0;
    for (; i + VW <= n; i += VW) v_store(dx + i, v_mul(v_load(dy + i), slope(v_load(x + i))));
    if (i < n) {
        const size_t left = n - i;
        v_put(dx + i, left, v_mul(v_get(dy + i, left), slope(v_get(x + i, left))));
    }
}

VEC vf gelu(vf x) {
    return v_fma(x, v_normal_half(x), v_mul(x, v_set(0.5f)));
}
VEC vf gelu_slope(vf x) {
    const vf density = v_mul(v_exp(v_mul(v_mul(x, x), v_set(-0.5f))), v_set(0.398942280401432678f));
    return v_fma(x, density, v_add(v_normal_half(x), v_set(0.5f)));
}
VEC vf silu(vf x) {
    return v_div(x, v_add(v_set(1.0f), v_exp(v_sub(v_zero(), x))));
}
VEC vf silu_slope(vf x) {
    const vf s = v_sigmoid(x);
    return v_fma(v_mul(s, x), v_sub(v_set(1.0f), s), s);
}

void UW_ISA(gelu)(float *y, const float *x, size_t n) {
    map(y, x, n, gelu);
}
void UW_ISA(gelu_backward)(float *dx, const float *dy, const float *x, size_t n) {
    map_backward(dx, dy, x, n, gelu_slope);
}
void UW_ISA(silu)(float *y, const float *x, size_t n) {
    map(y, x, n, silu);
}
void UW_ISA(silu_backward)(float *dx, const float *dy, const float *x, size_t n) {
    map_backward(dx, dy, x, n, silu_slope);
}
void UW_ISA(exp)(float *y, const float *x, size_t n) {
    map(y, x, n, v_exp);
}

void UW_ISA(sincos)(float *s, float *c, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        vf sine, cosine;
        v_sincos(&sine, &cosine, v_get(x + i, left));
        v_put(s + i, left, sine);
        v_put(c + i, left, cosine);
    }
}

void UW_ISA(u8_affine)(float *y, const uint8_t *x, float scale, float shift, size_t n) {
    const vf a = v_set(scale), b = v_set(shift);
    size_t i = 0;
    for (; i + VW <= n; i += VW) v_store(y + i, v_fma(v_from_u8(x + i), a, b));
    if (i < n) {
        uint8_t rest[VW] = {0};
        memcpy(rest, x + i, n - i);
        v_put(y + i, n - i, v_fma(v_from_u8(rest), a, b));
    }
}

#endif
