/* Layer norm over rows and batch norm over columns. */
#ifndef UW_NORM_BODY_H
#define UW_NORM_BODY_H

#include <math.h>

/* A mean in two floats, so that subtracting it costs nothing when it is large. */
typedef struct mean_pair {
    float high, low;
} mean_pair;

static mean_pair row_mean(const float *x, size_t c) {
    vsum s = vs_zero();
    for (size_t j = 0; j < c; j += VW) vs_add(&s, v_get(x + j, c - j));
    const double mean = c ? vs_total(s) / (double)c : 0;
    const float high = (float)mean;
    return (mean_pair){high, (float)(mean - (double)high)};
}

VEC vf minus_mean(vf x, mean_pair mean) {
    return v_sub(v_sub(x, v_set(mean.high)), v_set(mean.low));
}

void UW_ISA(layernorm)(float *y, float *mean, float *rstd, const float *x, const float *gamma,
                       const float *beta, size_t rows, size_t c, float eps) {
    for (size_t r = 0; r < rows; r++, x += c, y += c) {
        const mean_pair centre = row_mean(x, c);
        vf square = v_zero();
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            const vf off = v_keep(minus_mean(v_get(x + j, left), centre), v_first(left));
            square = v_fma(off, off, square);
        }
        const double var = c ? (double)v_sum(square) / (double)c : 0;
        const float scale = (float)(1 / sqrt(var + (double)eps));
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            vf unit = v_mul(minus_mean(v_get(x + j, left), centre), v_set(scale));
            if (gamma) unit = v_mul(unit, v_get(gamma + j, left));
            if (beta) unit = v_add(unit, v_get(beta + j, left));
            v_put(y + j, left, unit);
        }
        if (mean) mean[r] = centre.high;
        if (rstd) rstd[r] = scale;
    }
}

/* ---- one or two norms in a pass ---- */

/* What a norm does to a value: (x - near) * factor + rest.  The mean is in two parts, near and the
 * rounding of its sum, which goes into rest. */
typedef struct norm_map {
    vf near, factor, rest;
} norm_map;

VEC vf norm_apply(const norm_map *m, vf x) {
    return v_fma(v_sub(x, m->near), m->factor, m->rest);
}

/* One row, and what its norms see: vector j is computed again wherever it is needed, which is
 * cheaper than keeping a row of any length. */
typedef struct norm_row {
    const float *x, *gamma, *beta, *shift, *scale;
    norm_map first;
} norm_row;

VEC vf norm_source(const norm_row *n, bool second, size_t j, size_t left) {
    vf x = v_get(n->x + j, left);
    if (!second) return x;
    x = norm_apply(&n->first, x);
    if (n->gamma) x = v_mul(x, v_get(n->gamma + j, left));
    if (n->beta) x = v_add(x, v_get(n->beta + j, left));
    return v_fma(x, v_add(v_set(1.0f), v_get(n->scale + j, left)), v_get(n->shift + j, left));
}

VEC norm_map norm_of(const norm_row *n, bool second, size_t c, float eps) {
    const float share = 1 / (float)c;
    vf sum = v_zero(), rest = v_zero(), square = v_zero();
    for (size_t j = 0; j < c; j += VW)
        sum = v_add(sum, v_keep(norm_source(n, second, j, c - j), v_first(c - j)));
    const vf near = v_set(v_sum(sum) * share);
    for (size_t j = 0; j < c; j += VW) {
        const vf off = v_keep(v_sub(norm_source(n, second, j, c - j), near), v_first(c - j));
        rest = v_add(rest, off);
        square = v_fma(off, off, square);
    }
    const float low = v_sum(rest) * share, var = v_sum(square) * share - low * low;
    const vf factor = v_div(v_set(1.0f), v_sqrt(v_set(var + eps)));
    return (norm_map){near, factor, v_mul(v_set(-low), factor)};
}

VEC void norm_rows(const uw_norm_args *a, bool second) {
    const float *gamma = second ? a->gamma2 : a->gamma, *beta = second ? a->beta2 : a->beta;
    for (size_t r = 0; r < a->rows; r++) {
        norm_row n = {.x = a->x + r * a->ldx, .gamma = a->gamma, .beta = a->beta};
        norm_map last = norm_of(&n, false, a->c, a->eps);
        if (second) {
            n.shift = a->shift + r * a->ldm;
            n.scale = a->scale + r * a->ldm;
            n.first = last;
            last = norm_of(&n, true, a->c, a->eps2);
        }
        for (size_t j = 0; j < a->c; j += VW) {
            const size_t left = a->c - j, to = r * a->ldy + j;
            vf y = norm_apply(&last, norm_source(&n, second, j, left));
            if (gamma) y = v_mul(y, v_get(gamma + j, left));
            if (beta) y = v_add(y, v_get(beta + j, left));
            if (a->y16)
                v_put_bf16(a->y16 + to, left, y);
            else
                v_put(a->y + to, left, y);
        }
    }
}

void UW_ISA(norm)(const uw_norm_args *a) {
    if (a->c == 0) return;
    if (a->shift)
        norm_rows(a, true);
    else
        norm_rows(a, false);
}

void UW_ISA(layernorm_backward)(float *dx, float *dgamma, float *dbeta, const float *dy,
                                const float *x, const float *mean, const float *rstd,
                                const float *gamma, size_t rows, size_t c, bool accumulate) {
    for (size_t r = 0; r < rows; r++, x += c, dy += c, dx += c) {
        const vf centre = v_set(mean[r]), scale = v_set(rstd[r]);
        vf sum = v_zero(), along = v_zero(); /* of g = dy * gamma, and along the normalised row */
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            const vf d = v_get(dy + j, left);
            const vf unit = v_mul(v_sub(v_get(x + j, left), centre), scale);
            const vf g = gamma ? v_mul(d, v_get(gamma + j, left)) : d; /* 0 in dead lanes */
            sum = v_add(sum, g);
            along = v_fma(g, unit, along);
            if (dgamma) v_put(dgamma + j, left, v_fma(d, unit, v_get(dgamma + j, left)));
            if (dbeta) v_put(dbeta + j, left, v_add(d, v_get(dbeta + j, left)));
        }
        const vf mean_g = v_set(v_sum(sum) / (float)c), mean_along = v_set(v_sum(along) / (float)c);
        for (size_t j = 0; j < c; j += VW) {
            const size_t left = c - j;
            const vf unit = v_mul(v_sub(v_get(x + j, left), centre), scale);
            vf g = v_get(dy + j, left);
            if (gamma) g = v_mul(g, v_get(gamma + j, left));
            vf value = v_mul(scale, v_fnma(unit, mean_along, v_sub(g, mean_g)));
            if (accumulate) value = v_add(value, v_get(dx + j, left));
            v_put(dx + j, left, value);
        }
    }
}

void UW_ISA(colmoments)(float *mean, float *var, const float *x, size_t rows, size_t c, size_t ld) {
    const double share = rows ? 1 / (double)rows : 1;
    for (size_t j = 0; j < c; j += VW) {
        const size_t left = c - j;
        vsum sum = vs_zero(), rest = vs_zero(), square = vs_zero();
        for (size_t r = 0; r < rows; r++) vs_add(&sum, v_get(x + r * ld + j, left));
        const vf high = vs_round(vs_scale(sum, share));
        /* The rounding of the mean would enter the variance through its square alone; rest takes
         * it out. */
        for (size_t r = 0; r < rows; r++) {
            const vf off = v_sub(v_get(x + r * ld + j, left), high);
            vs_add(&rest, off);
            vs_add_product(&square, off, off);
        }
        const vf low = vs_round(vs_scale(rest, share));
        v_put(mean + j, left, high);
        v_put(var + j, left, v_fnma(low, low, vs_round(vs_scale(square, share))));
    }
}

void UW_ISA(batchnorm_apply)(float *y, size_t ldy, const float *x, size_t ldx, const float *mean,
                             const float *rstd, const float *gamma, const float *beta, size_t rows,
                             size_t c) {
    for (size_t j = 0; j < c; j += VW) {
        const size_t left = c - j;
        const vf centre = v_get(mean + j, left), shift = v_get(beta + j, left);
        const vf scale = v_mul(v_get(rstd + j, left), v_get(gamma + j, left));
        for (size_t r = 0; r < rows; r++) {
            const vf off = v_sub(v_get(x + r * ldx + j, left), centre);
            v_put(y + r * ldy + j, left, v_fma(off, scale, shift));
        }
    }
}

void UW_ISA(batchnorm_backward)(float *dx, float *dgamma, float *dbeta, const float *dy,
                                const float *x, const float *mean, const float *rstd,
                                const float *gamma, size_t rows, size_t c, size_t ld) {
    const double share = rows ? 1 / (double)rows : 1;
    for (size_t j = 0; j < c; j += VW) {
        const size_t left = c - j;
        const vf centre = v_get(mean + j, left), scale = v_get(rstd + j, left);
        vsum sum = vs_zero(), along = vs_zero(); /* of dy, and along the normalised column */
        for (size_t r = 0; r < rows; r++) {
            const vf d = v_get(dy + r * ld + j, left);
            vs_add(&sum, d);
            vs_add_product(&along, d, v_mul(v_sub(v_get(x + r * ld + j, left), centre), scale));
        }
        const vf mean_dy = vs_round(vs_scale(sum, share));
        const vf mean_along = v_mul(vs_round(vs_scale(along, share)), scale);
        const vf factor = v_mul(v_get(gamma + j, left), scale);
        for (size_t r = 0; r < rows; r++) {
            const vf off = v_sub(v_get(x + r * ld + j, left), centre);
            const vf d = v_sub(v_get(dy + r * ld + j, left), mean_dy);
            v_put(dx + r * ld + j, left, v_mul(factor, v_fnma(off, mean_along, d)));
        }
        vs_add(&along, v_get(dgamma + j, left));
        vs_add(&sum, v_get(dbeta + j, left));
        v_put(dgamma + j, left, vs_round(along));
        v_put(dbeta + j, left, vs_round(sum));
    }
}

#endif
