/* Prediction against planning, over the kept models of a run. */
#include <math.h>

#include <umwelt/probe.h>

#include "fit.h"

static void rank(const double *x, const double *y, int64_t n, double *rho, double interval[2]) {
    double work[4 * UW_MAX_RUN_POINTS];
    *rho = n < 4 ? NAN : uw__spearman(x, y, n, work);
    uw__spearman_interval(*rho, n, interval);
}

void uw_run_curve_rank(uw_run_curve *c) {
    double success[UW_MAX_RUN_POINTS], error[UW_MAX_RUN_POINTS], ratio[UW_MAX_RUN_POINTS];
    double rank_of[UW_MAX_RUN_POINTS];
    int64_t n = 0;
    for (int32_t i = 0; i < c->num_points; i++) {
        const uw_run_point *p = &c->points[i];
        if (!p->episodes) continue;
        success[n] = p->success;
        error[n] = p->error;
        ratio[n] = p->ratio;
        rank_of[n++] = p->effective_rank;
    }
    rank(error, success, n, &c->rho_error, c->rho_error_ci);
    rank(ratio, success, n, &c->rho_ratio, c->rho_ratio_ci);
    rank(rank_of, success, n, &c->rho_rank, c->rho_rank_ci);
}
