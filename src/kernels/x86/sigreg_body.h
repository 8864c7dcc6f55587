/* SIGReg's cosine and sine sums and their gradient, 8 or 16 directions at a time. */
#ifndef UW_SIGREG_BODY_H
#define UW_SIGREG_BODY_H

enum {
    KNOT_RUN = 32, /* knots walked by one rotation before the angle is computed afresh */
    ROWS_AT_ONCE = 4
};

/* The unit vector (c, s) at angle t_k h, and its rotation to the next knot: by the angle d = dt h,
 *     c' = c + c (cos d - 1) - s sin d,   s' = s + s (cos d - 1) + c sin d,
 * with cos d - 1 = -2 sin^2(d / 2) and sin d = 2 sin(d / 2) cos(d / 2), both to full relative
 * accuracy: the drift per knot is a rounding of size d, not of size 1. */
typedef struct walker {
    vf c, s, cos_less_one, sin_step;
} walker;

/* sin and cos of a h, the product with its rounding error: an angle of 30 keeps its last bits. */
VEC void angle_sincos(vf *s, vf *c, vf a, vf h) {
    const vf angle = v_mul(a, h), lost = v_fma(a, h, v_sub(v_zero(), angle));
    vf sine, cosine;
    v_sincos(&sine, &cosine, angle);
    *s = v_fma(lost, cosine, sine);
    *c = v_fnma(lost, sine, cosine);
}

VEC walker walker_start(vf h, float dt, size_t knot) {
    walker w;
    vf sine, cosine;
    angle_sincos(&sine, &cosine, v_set(0.5f * dt), h);
    w.sin_step = v_mul(v_add(sine, sine), cosine);
    w.cos_less_one = v_mul(v_mul(sine, sine), v_set(-2.0f));
    w.c = v_set(1.0f);
    w.s = v_zero();
    if (knot > 0) {
        /* k dt in two floats: rounded, it would be off by more than the sine's own error. */
        const double t = (double)knot * (double)dt;
        const float high = (float)t, low = (float)(t - (double)high);
        angle_sincos(&w.s, &w.c, v_set(high), h);
        const vf turn = v_mul(v_set(low), h), c = w.c;
        w.c = v_fnma(turn, w.s, w.c);
        w.s = v_fma(turn, c, w.s);
    }
    return w;
}

VEC void walker_step(walker *w) {
    const vf c = v_fma(w->c, w->cos_less_one, v_fnma(w->s, w->sin_step, w->c));
    w->s = v_fma(w->s, w->cos_less_one, v_fma(w->c, w->sin_step, w->s));
    w->c = c;
}

/* Add cos and sin of knots first .. first + count of one row (or four) to the sums. */
VEC void rows_add(vsum *c, vsum *s, const float *h, size_t ldh, size_t left, float dt, size_t first,
                  size_t count, int rows) {
    walker w[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) w[r] = walker_start(v_get(h + (size_t)r * ldh, left), dt, first);
    for (size_t k = 0; k < count; k++) {
        if (rows == ROWS_AT_ONCE) {
            vs_add(&c[k], v_add(v_add(w[0].c, w[1].c), v_add(w[2].c, w[3].c)));
            vs_add(&s[k], v_add(v_add(w[0].s, w[1].s), v_add(w[2].s, w[3].s)));
        } else {
            vs_add(&c[k], w[0].c);
            vs_add(&s[k], w[0].s);
        }
        for (int r = 0; r < rows; r++) walker_step(&w[r]);
    }
}

void UW_ISA(sigreg_sums)(float *c, float *s, const float *h, size_t b, size_t p, size_t ldh,
                         float dt, size_t num_knots) {
    vsum cosines[KNOT_RUN], sines[KNOT_RUN];
    for (size_t j = 0; j < p; j += VW) {
        const size_t left = p - j;
        for (size_t first = 0; first < num_knots; first += KNOT_RUN) {
            const size_t count = num_knots - first < KNOT_RUN ? num_knots - first : KNOT_RUN;
            for (size_t k = 0; k < count; k++) cosines[k] = sines[k] = vs_zero();
            size_t r = 0;
            for (; r + ROWS_AT_ONCE <= b; r += ROWS_AT_ONCE)
                rows_add(cosines, sines, h + r * ldh + j, ldh, left, dt, first, count,
                         ROWS_AT_ONCE);
            for (; r < b; r++)
                rows_add(cosines, sines, h + r * ldh + j, ldh, left, dt, first, count, 1);
            for (size_t k = 0; k < count; k++) {
                v_put(c + (first + k) * p + j, left, vs_round(cosines[k]));
                v_put(s + (first + k) * p + j, left, vs_round(sines[k]));
            }
        }
    }
}

void UW_ISA(sigreg_backward)(float *dh, const float *gc, const float *gs, const float *h, size_t b,
                             size_t p, size_t ldh, float dt, size_t num_knots) {
    for (size_t r = 0; r < b; r++) {
        for (size_t j = 0; j < p; j += VW) {
            const size_t left = p - j;
            const vf x = v_get(h + r * ldh + j, left);
            walker w = walker_start(x, dt, 0);
            vf sum = v_zero();
            for (size_t k = 0; k < num_knots; k++) {
                if (k > 0 && k % KNOT_RUN == 0) w = walker_start(x, dt, k);
                const vf t = v_set((float)((double)k * (double)dt));
                const vf at = v_fnma(v_get(gc + k * p + j, left), w.s,
                                     v_mul(v_get(gs + k * p + j, left), w.c));
                sum = v_fma(t, at, sum);
                walker_step(&w);
            }
            v_put(dh + r * ldh + j, left, sum);
        }
    }
}

#endif
