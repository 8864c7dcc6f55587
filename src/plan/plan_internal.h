/* The inside of a planner: its memory, the steps that the solvers share, and the seam where tests
 * watch every iteration.  Nothing here knows models, worlds or threads.
 *
 * A solver searches [H, W]: W = A numbers per decision, or, for discrete actions, W weights in groups
 * of C choices that a fixed table turns into A numbers. */
#ifndef UW_PLAN_INTERNAL_H
#define UW_PLAN_INTERNAL_H

#include <umwelt/controller.h>
#include <umwelt/planner.h>

#include "rng.h"

/* What one iteration did, while it is still in the planner's memory. */
typedef struct uw_plan_step {
    int32_t iter;              /* a gradient solver's last look comes as one iteration more */
    int32_t num_elites;        /* finite ones, at most K */
    const float *candidates;   /* [N, H, W] */
    const float *cost;         /* [N] */
    const int32_t *elites;     /* [num_elites] by increasing cost, then index */
    const float *weights;      /* [num_elites] of MPPI, else NULL */
    const float *mean, *std;   /* [H, W] after the refit */
    const float *grad;         /* [N, H, W] of the loss, gradient solvers only; NULL at the last look */
} uw_plan_step;

/* A test's eyes inside the search. */
typedef struct uw_plan_hook {
    void *cookie;
    void (*observe)(void *cookie, const uw_plan_step *step); /* nullable */
    /* Nullable: the squared gradient norm of other searches that share compat's one clip. */
    double (*others)(void *cookie, int32_t iter);
} uw_plan_hook;

/* What a plan starts from, when it must end, and how it goes. */
typedef struct uw_search {
    const float *z0, *past, *z_goal;
    int32_t history;
    int64_t deadline_ns; /* 0 = none */
    bool looked;         /* a chunk was rolled out: from now on the deadline counts */
    int32_t num_finite;  /* costs of the last evaluation */
    int32_t num_elites;  /* of the last refit */
    float violation;     /* of the best so far, 0 when feasible: feasible goes before cheap */
    uw_rng rng;
    uw_plan_info info;
} uw_search;

/* A solver: where candidates come from, what is learnt from their costs, and which are looked at last. */
typedef struct uw_solver_rules {
    bool refits;   /* keeps a distribution and elites; its mean is a plan */
    bool gradient; /* needs uw_dynamics.gradient */
    bool discrete; /* searches weights of choices */
    /* Write the candidates of iteration iter. */
    uw_status (*propose)(uw_planner *p, uw_search *s, int32_t iter);
    /* Learn from candidates and costs. */
    uw_status (*learn)(uw_planner *p, uw_search *s, int32_t iter);
    /* Put what deserves a last look in front of the candidates; return how many. */
    int32_t (*settle)(uw_planner *p, uw_search *s);
    /* Nullable: after the last look. */
    void (*close)(uw_planner *p);
} uw_solver_rules;

extern const uw_solver_rules uw__cem_rules, uw__mppi_rules, uw__predictive_rules, uw__gradient_rules,
    uw__pgd_rules, uw__categorical_rules, uw__lagrangian_rules;

struct uw_planner {
    uw_dynamics dynamics;       /* copied; self is the user's */
    uw_planner_options options; /* checked; zeros replaced by what they mean */
    const uw_solver_rules *rules;
    uw_noise_fn *noise; /* nullable: the planner's own draws */
    void *noise_cookie;
    uw_constraint_fn *constrain;
    void *constrain_cookie;
    uw_value value; /* cost NULL: squared latent distance */
    uw_actor actor; /* act NULL: none */
    bool actor_first; /* a search follows */
    uw_plan_hook hook;
    int32_t width;       /* W */
    int32_t num_choices; /* C; 0 = continuous */
    int32_t total_iters; /* all rounds together */
    int32_t num_kept;  /* candidates carried over: at most K and N - 1 */
    int32_t chunk;     /* candidates per rollout: the dynamics may take fewer than N */
    uint64_t stream;   /* the episode's number */
    uint32_t decision; /* plans since the reset */
    float rho;         /* weight of the squared violation */
    float *lambda;     /* [C] state: multipliers */
    float *warm;       /* [H, W] state: mean that the next plan starts from */
    float *mean, *std; /* [H, W] scratch from here on; categorical: probabilities in mean */
    float *best;       /* [H, W] cheapest candidate of this plan */
    float *candidates; /* [N, H, W] first the noise, then what it becomes, in place */
    float *kept;       /* [num_kept, H, W] */
    float *actions;    /* [chunk, H, A] of discrete candidates */
    float *latents;    /* [chunk, H, D]; gradient solvers: [N, H, D] */
    float *steps;      /* [chunk, H] what the value says */
    float *cost;       /* [N] */
    int32_t *elites;   /* [K] */
    float *weights;    /* [K] of MPPI */
    float *colour;     /* [H] circular filter of coloured noise, built once */
    double *series;    /* [H] one coloured sequence */
    float *draws;      /* [N, H, W] gradient solvers from here on */
    float *grad;       /* [N, H, W] */
    float *moment[2];  /* [N, H, W] of Adam */
    float *dz;         /* [chunk, H, D] */
    float *dactions;   /* [chunk, H, A] by way of the latents */
    float *direct;     /* [chunk, H, A] of discrete candidates: without them */
    float *violations; /* [N, C] constraints */
    float *penalties;  /* [chunk, C] their weight in the loss */
};

static inline size_t uw__plan_size(const uw_planner *p) {
    return (size_t)p->options.horizon * (size_t)p->width;
}

/* ---- options.c ----------------------------------------------------------------------------------- */

/* True when options fit dims; then no size overflows. */
bool uw__options_ok(const uw_dynamics_dims *d, const uw_planner_options *o);
/* Replace zeros by what they mean. */
uw_planner_options uw__options_filled(const uw_planner_options *o);
const uw_solver_rules *uw__solver_rules(uw_solver solver);

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
/* Give N white draws [N, H, W] the correlation that the options ask for. */
void uw__noise_shape(uw_planner *p, float *noise);

/* ---- objective.c --------------------------------------------------------------------------------- */

/* Cost of n rollouts: latents [n, h, d] against z_goal [d], plus action_cost times the mean squared
 * action of actions [n, h, a].  A cost that is not finite becomes +inf, so that it sorts last. */
void uw__objective_cost(uw_objective objective, float action_cost, const float *latents,
                        const float *actions, const float *z_goal, size_t n, size_t h, size_t d,
                        size_t a, float *cost);
/* The same of what each step costs already, steps [n, h]. */
void uw__objective_fold(uw_objective objective, float action_cost, const float *steps,
                        const float *actions, size_t n, size_t h, size_t a, float *cost);
/* Write the gradient dz [h, d] of one rollout's distance by its latents [h, d]. */
void uw__objective_gradient(uw_objective objective, const float *latents, const float *z_goal, size_t h,
                            size_t d, float *dz);
/* Return |x - y|^2 over d numbers, summed in a fixed order. */
float uw__objective_distance(const float *x, const float *y, size_t d);
/* True when all of x[0..n) are finite. */
bool uw__plan_finite(const float *x, size_t n);

/* ---- cem.c: the steps of every sampler ------------------------------------------------------------- */

/* Scale draws by std, add the mean, put the mean in slot 0 and the kept elites behind it, clip. */
void uw__cem_place(uw_planner *p, int32_t iter);
/* Draw, correlate and place. */
uw_status uw__cem_propose(uw_planner *p, uw_search *s, int32_t iter);
/* Write the at most k cheapest finite costs' indices by (cost, index) into elites; return how many. */
int32_t uw__cem_select(const float *cost, int32_t n, int32_t k, int32_t *elites);
/* Select the options' elites and note their spread. */
void uw__cem_elites(uw_planner *p, uw_search *s);
/* Unless the best candidate alone is wanted: the mean. */
int32_t uw__cem_settle(uw_planner *p, uw_search *s);

/* ---- gradient.c: the steps of every descent -------------------------------------------------------- */

/* The start of every candidate (iter 0), else one optimizer step and the action noise; not clipped. */
uw_status uw__gradient_step(uw_planner *p, uw_search *s, int32_t iter);
/* Write the gradient of the loss by all candidates into grad. */
uw_status uw__gradient_learn(uw_planner *p, uw_search *s, int32_t iter);
/* uw__gradient_step, within the bounds. */
uw_status uw__gradient_propose(uw_planner *p, uw_search *s, int32_t iter);
/* All candidates, after the last step. */
int32_t uw__gradient_settle(uw_planner *p, uw_search *s);

/* ---- discrete.c ---------------------------------------------------------------------------------- */

/* Choices of one group: rest, and both bounds on each of choice_dim axes. */
int32_t uw__discrete_choices(int32_t choice_dim);
/* Turn weights [n, H, W] into actions [n, H, A]. */
void uw__discrete_decode(const uw_planner *p, const float *weights, size_t n, float *actions);
/* Turn the gradient by actions [n, H, A] into that by weights [n, H, W]. */
void uw__discrete_gradient(const uw_planner *p, const float *dactions, size_t n, float *dweights);
/* Replace each group of weights [n, H, W] by its one largest, the first of equals. */
void uw__discrete_round(const uw_planner *p, float *weights, size_t n);

/* ---- actor.c ------------------------------------------------------------------------------------- */

/* Write what the actor does in the dynamics' imagination: plan [H, A].  Overwrites the latents. */
uw_status uw__actor_plan(uw_planner *p, const uw_search *s, float *plan);

/* ---- planner.c ----------------------------------------------------------------------------------- */

/* Write the raw draws [N, H, W] of an iteration. */
uw_status uw__planner_draw(uw_planner *p, uw_search *s, int32_t iter, float *noise);
/* Clip n plans [n, H, A] to the bounds, unless there are none. */
void uw__planner_clip(const uw_planner *p, float *plans, size_t n);
/* Return the actions of n candidates from `first` on, decoded when they are discrete. */
const float *uw__planner_actions(uw_planner *p, size_t first, size_t n);
/* Plan with the deadline counted from start_ns of the monotonic clock. */
uw_status uw__planner_plan_from(uw_planner *p, int64_t start_ns, const float *z0, int32_t history,
                                const float *past, const float *z_goal, float *plan,
                                uw_plan_info *info);
/* Let one decision pass without a plan: the warm start and the noise sequence move on. */
void uw__planner_skip(uw_planner *p);
/* Start the next plan from nothing. */
void uw__planner_forget(uw_planner *p);
/* Start the next plan from the first num_decisions blocks of mean [num_decisions, W], zeros behind. */
void uw__planner_warm(uw_planner *p, const float *mean, int32_t num_decisions);
/* The multipliers [C] that the next plan starts from. */
float *uw__planner_multipliers(uw_planner *p);
void uw__planner_hook(uw_planner *p, const uw_plan_hook *hook);

/* ---- band.c ---------------------------------------------------------------------------------------- */

/* True when the band's numbers are all there and finite. */
bool uw__band_ok(const uw_band *band);
/* Return |W (error - mean)|^2 / D; error: [D]. */
double uw__band_score(const uw_band *band, const float *error);

/* ---- controller.c ---------------------------------------------------------------------------------- */

/* Write the latents [H, D] that the last plan leads to from the history it was made with.
 * Returns UW_EINVAL before the first observation of an episode. */
uw_status uw__controller_imagine(uw_controller *c, float *z);

#endif
