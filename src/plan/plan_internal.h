/* The inside of a planner: its memory, the steps that the solvers share, and the seam where tests
 * watch every iteration.  Nothing here knows models, worlds or threads. */
#ifndef UW_PLAN_INTERNAL_H
#define UW_PLAN_INTERNAL_H

#include <umwelt/controller.h>
#include <umwelt/planner.h>

/* What one iteration did, while it is still in the planner's memory. */
typedef struct uw_plan_step {
    int32_t iter;
    int32_t num_elites;        /* finite ones, at most K */
    const float *candidates;   /* [N, H, A] */
    const float *cost;         /* [N] */
    const int32_t *elites;     /* [num_elites] by increasing cost, then index */
    const float *mean, *std;   /* [H, A] after the refit */
} uw_plan_step;

/* A test's eyes inside the search. */
typedef struct uw_plan_hook {
    void *cookie;
    void (*observe)(void *cookie, const uw_plan_step *step); /* nullable */
} uw_plan_hook;

struct uw_planner {
    uw_dynamics dynamics;       /* copied; self is the user's */
    uw_planner_options options; /* checked */
    uw_noise_fn *noise; /* nullable: the planner's own draws */
    void *noise_cookie;
    uw_plan_hook hook;
    int32_t num_kept;  /* candidates carried over: at most K and N - 1 */
    int32_t chunk;     /* candidates per rollout: the dynamics may take fewer than N */
    uint64_t stream;   /* the episode's number */
    uint32_t decision; /* plans since the reset */
    float *warm;       /* [H, A] state: mean that the next plan starts from */
    float *mean, *std; /* [H, A] scratch from here on */
    float *best;       /* [H, A] cheapest candidate of this plan */
    float *candidates; /* [N, H, A] first the noise, then what it becomes, in place */
    float *kept;       /* [num_kept, H, A] */
    float *latents;    /* [chunk, H, D] */
    float *cost;       /* [N] */
    int32_t *elites;   /* [K] */
    float *colour;     /* [H] circular filter of iCEM's noise, built once */
    double *series;    /* [H] one coloured sequence */
};

/* ---- noise.c ------------------------------------------------------------------------------------- */

/* Correlate white noise [n, h, a] along h in place: e_0 = n_0, e_h = ar e_(h-1) + sqrt(1 - ar^2) n_h,
 * which keeps unit variance. */
void uw__noise_correlate(float *noise, size_t n, size_t h, size_t a, float ar);
/* Write the circular filter [h] whose frequency response is f^(-beta/2), f = k/h, the zero frequency
 * scaled like the first. */
void uw__noise_colour_filter(float *filter, size_t h, float beta);
/* Filter [n, h, a] along h in place and scale each sequence to unit standard deviation (h - 1; a single
 * step stays as it is).  series: [h] scratch. */
void uw__noise_colour(float *noise, size_t n, size_t h, size_t a, const float *filter, double *series);

/* ---- objective.c --------------------------------------------------------------------------------- */

/* Cost of n rollouts: latents [n, h, d] against z_goal [d], plus action_cost times the mean squared
 * action of actions [n, h, a].  A cost that is not finite becomes +inf, so that it sorts last. */
void uw__objective_cost(uw_objective objective, float action_cost, const float *latents,
                        const float *actions, const float *z_goal, size_t n, size_t h, size_t d,
                        size_t a, float *cost);
/* Return |x - y|^2 over d numbers, summed in a fixed order. */
float uw__objective_distance(const float *x, const float *y, size_t d);
/* True when all of x[0..n) are finite. */
bool uw__plan_finite(const float *x, size_t n);

/* ---- cem.c, icem.c ------------------------------------------------------------------------------- */

/* Turn the raw draws in candidates into the iteration's candidates. */
void uw__cem_sample(uw_planner *p, int32_t iter);
void uw__icem_sample(uw_planner *p, int32_t iter);
/* Scale draws by std, add the mean, put the mean in slot 0 and the kept elites behind it, clip. */
void uw__cem_place(uw_planner *p, int32_t iter);
/* Write the at most k cheapest finite costs' indices by (cost, index) into elites; return how many. */
int32_t uw__cem_select(const float *cost, int32_t n, int32_t k, int32_t *elites);
/* Move mean and std to the elites', with momentum and floor, and keep the best of them. */
void uw__cem_refit(uw_planner *p, int32_t num_elites);

/* ---- planner.c ----------------------------------------------------------------------------------- */

/* Plan with the deadline counted from start_ns of the monotonic clock. */
uw_status uw__planner_plan_from(uw_planner *p, int64_t start_ns, const float *z0, int32_t history,
                                const float *past, const float *z_goal, float *plan,
                                uw_plan_info *info);
/* Let one decision pass without a plan: the warm start and the noise sequence move on. */
void uw__planner_skip(uw_planner *p);
/* Start the next plan from the first num_decisions blocks of mean [num_decisions, A], zeros behind. */
void uw__planner_warm(uw_planner *p, const float *mean, int32_t num_decisions);
void uw__planner_hook(uw_planner *p, const uw_plan_hook *hook);

/* ---- controller.c ---------------------------------------------------------------------------------- */

/* Write the latents [H, D] that the last plan leads to from the history it was made with.
 * Returns UW_EINVAL before the first observation of an episode. */
uw_status uw__controller_imagine(uw_controller *c, float *z);

#endif
