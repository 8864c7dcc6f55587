/* Sums over vectors, columns, rows and squared distances, in double where the contract asks. */
#ifndef UW_REDUCE_BODY_H
#define UW_REDUCE_BODY_H

double UW_ISA(sum)(const float *x, size_t n) {
    vsum s = vs_zero();
    for (size_t i = 0; i < n; i += VW) vs_add(&s, v_get(x + i, n - i));
    return vs_total(s);
}

double UW_ISA(dot)(const float *x, const float *y, size_t n) {
    vsum s = vs_zero();
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        vs_add_product(&s, v_get(x + i, left), v_get(y + i, left));
    }
    return vs_total(s);
}

double UW_ISA(sumsq)(const float *x, size_t n) {
    return UW_ISA(dot)(x, x, n);
}

void UW_ISA(colsum)(float *out, const float *x, size_t rows, size_t c, size_t ld, bool accumulate) {
    for (size_t j = 0; j < c; j += VW) {
        const size_t left = c - j;
        vsum s = vs_zero();
        if (accumulate) vs_add(&s, v_get(out + j, left));
        for (size_t r = 0; r < rows; r++) vs_add(&s, v_get(x + r * ld + j, left));
        v_put(out + j, left, vs_round(s));
    }
}

void UW_ISA(sqdist)(float *cost, const float *z, const float *goal, size_t n, size_t d,
                    size_t ldz) {
    for (size_t i = 0; i < n; i++, z += ldz) {
        vf s = v_zero();
        for (size_t j = 0; j < d; j += VW) {
            const size_t left = d - j;
            const vf off = v_sub(v_get(z + j, left), v_get(goal + j, left));
            s = v_fma(off, off, s);
        }
        cost[i] = v_sum(s);
    }
}

#endif
