/* What only training needs: SIGReg's cosine and sine sums, their gradient, and AdamW. */
#include "kernels.h"
#include "ref/sincos.h"

#include <math.h>

/* Knots walked by one rotation before the angle is computed afresh: keeps the drift of the
 * recurrence below 1e-14 for any number of knots. */
enum { KNOT_RUN = 32 };

/* Add cos(t_k h) and sin(t_k h) of one column to sums c[k], s[k] of knots first .. first + count.
 */
static void sum_run(double *c, double *s, const uw_real *h, size_t b, size_t ldh, double dt,
                    size_t first, size_t count) {
    for (size_t r = 0; r < b; r++) {
        const double angle = dt * (double)h[r * ldh];
        double sin_step, cos_step, sine, cosine;
        ref_sincos(angle, &sin_step, &cos_step);
        ref_sincos(angle * (double)first, &sine, &cosine);
        for (size_t k = 0; k < count; k++) {
            c[k] += cosine;
            s[k] += sine;
            const double next = cosine * cos_step - sine * sin_step;
            sine = sine * cos_step + cosine * sin_step;
            cosine = next;
        }
    }
}

void uw_sigreg_sums_ref(uw_real *c, uw_real *s, const uw_real *h, size_t b, size_t p, size_t ldh,
                        uw_real dt, size_t num_knots) {
    for (size_t j = 0; j < p; j++) {
        for (size_t first = 0; first < num_knots; first += KNOT_RUN) {
            const size_t count = num_knots - first < KNOT_RUN ? num_knots - first : KNOT_RUN;
            double cosines[KNOT_RUN] = {0}, sines[KNOT_RUN] = {0};
            sum_run(cosines, sines, h + j, b, ldh, (double)dt, first, count);
            for (size_t k = 0; k < count; k++) {
                c[(first + k) * p + j] = (uw_real)cosines[k];
                s[(first + k) * p + j] = (uw_real)sines[k];
            }
        }
    }
}

void uw_sigreg_backward_ref(uw_real *dh, const uw_real *gc, const uw_real *gs, const uw_real *h,
                            size_t b, size_t p, size_t ldh, uw_real dt, size_t num_knots) {
    for (size_t r = 0; r < b; r++) {
        for (size_t j = 0; j < p; j++) {
            const double angle = (double)dt * (double)h[r * ldh + j];
            double sin_step, cos_step, sine = 0, cosine = 1, sum = 0;
            ref_sincos(angle, &sin_step, &cos_step);
            for (size_t k = 0; k < num_knots; k++) {
                const double t = (double)dt * (double)k;
                if (k % KNOT_RUN == 0) ref_sincos(angle * (double)k, &sine, &cosine);
                sum += t * ((double)gs[k * p + j] * cosine - (double)gc[k * p + j] * sine);
                const double next = cosine * cos_step - sine * sin_step;
                sine = sine * cos_step + cosine * sin_step;
                cosine = next;
            }
            dh[r * ldh + j] = (uw_real)sum;
        }
    }
}

void uw_adamw_ref(uw_real *w, uw_real *m, uw_real *v, const uw_real *g, size_t n,
                  const uw_adamw_args *a) {
    const double lr = (double)a->lr, beta1 = (double)a->beta1, beta2 = (double)a->beta2;
    const double keep = 1 - lr * (double)a->weight_decay;
    const double step = lr / (double)a->bias1, root = sqrt((double)a->bias2);
    for (size_t i = 0; i < n; i++) {
        const double grad = (double)g[i] * (double)a->grad_scale;
        const double first = (double)m[i] + (grad - (double)m[i]) * (1 - beta1);
        const double second = (double)v[i] * beta2 + (1 - beta2) * grad * grad;
        const double size = sqrt(second) / root + (double)a->eps;
        m[i] = (uw_real)first;
        v[i] = (uw_real)second;
        w[i] = (uw_real)((double)w[i] * keep - step * first / size);
    }
}
