/* Planning: search action sequences in a dynamics model against an objective.
 *
 *     size_t bytes = uw_planner_memsize(&dynamics.dims, &options);
 *     uw_planner_init(&dynamics, &options, mem, bytes, &planner);
 *     uw_planner_plan(planner, z0, z_goal, plan, &info);       // plan: [H, A]
 */
#ifndef UW_PLANNER_H
#define UW_PLANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct uw_dynamics_dims {
    int32_t latent_dim;   /* D */
    int32_t action_dim;   /* A: numbers per decision */
    int32_t history_size; /* latents a rollout starts from, >= 1 */
    int32_t lead;         /* 1: past begins with the decision before z0, and is [history, A]; NULL = it stood
                           * still, as before an episode.  0: past is [history - 1, A] */
    int32_t step_dim;     /* numbers of one action where a decision is several, one after the other: noise is
                           * correlated from action to action; 0 = A */
    int32_t num_samples;  /* N: most candidates per rollout call */
    int32_t horizon;      /* H: longest rollout */
    size_t observation_bytes; /* of what encode reads: a frame, or columns */
} uw_dynamics_dims;

/* The small interface planners see.  A learned model fills it, a true simulator fills it, you may.
 * No call allocates; one call at a time per instance. */
typedef struct uw_dynamics {
    uw_dynamics_dims dims;
    void *self;
    /* observation -> z [D]. */
    uw_status (*encode)(void *self, const void *observation, float *z);
    /* z0 [history, D] (oldest first), past [lead + history - 1, A] (actions between them; NULL when history
     * is 1), actions [n, h, A] in the dynamics' units (the world's [-1, 1], unless whoever made them says
     * otherwise) -> z [n, h, D]. */
    uw_status (*rollout)(void *self, const float *z0, int32_t history, const float *past,
                         const float *actions, int32_t n, int32_t h, float *z);
    /* From the gradient dz [n, h, D] of a cost by the latents that rollout writes for the same arguments,
     * its gradient dactions [n, h, A] by the actions (written).  NULL: there is none. */
    uw_status (*gradient)(void *self, const float *z0, int32_t history, const float *past,
                          const float *actions, int32_t n, int32_t h, const float *dz,
                          float *dactions);
} uw_dynamics;

typedef enum uw_solver {
    UW_SOLVER_CEM = 0,
    UW_SOLVER_ICEM = 1, /* CEM with coloured noise, momentum and kept elites */
    UW_SOLVER_MPPI = 2,
    UW_SOLVER_PREDICTIVE = 3,
    UW_SOLVER_GRADIENT = 4,        /* needs uw_dynamics.gradient, as do PGD and LAGRANGIAN */
    UW_SOLVER_PGD = 5,             /* discrete actions, as CATEGORICAL */
    UW_SOLVER_CATEGORICAL = 6,
    UW_SOLVER_LAGRANGIAN = 7       /* GRADIENT under constraints: uw_planner_set_constraints */
} uw_solver;
typedef enum uw_objective {
    UW_OBJECTIVE_SUM = 0, /* sum over the horizon of |z_h - z_goal|^2, or of what uw_value says */
    UW_OBJECTIVE_LAST = 1,
    UW_OBJECTIVE_MIN = 2
} uw_objective;
typedef enum uw_descent { UW_DESCENT_ADAM = 0, UW_DESCENT_ADAMW = 1, UW_DESCENT_SGD = 2 } uw_descent;

/* Zero in a field of the second part means the value behind "0 =". */
typedef struct uw_planner_options {
    uw_solver solver;
    uw_objective objective;
    int32_t horizon;     /* H decisions, 1 .. 4096 */
    int32_t num_samples; /* N, 2 .. 2^16; 1 will do for GRADIENT, PGD and LAGRANGIAN */
    int32_t num_elites;  /* K, 1 .. N-1; MPPI also N; read by the solvers that refit */
    int32_t iters;       /* refits or gradient steps, 1 .. 1000 */
    int32_t keep_elites; /* best of the previous iteration carried over as candidates, at most K */
    float init_std;      /* at every plan; MPPI and PREDICTIVE keep it */
    float min_std;       /* floor */
    float noise_ar;      /* e_i = ar e_(i-1) + sqrt(1 - ar^2) n along the horizon's actions; 0 = white */
    float noise_beta;    /* colour exponent of the noise, instead of noise_ar; 0 = white */
    float momentum;      /* weight of the old mean and std (or probabilities) in the refit */
    float action_low, action_high; /* bounds of every number, in the dynamics' units */
    float action_cost;   /* weight of the mean squared action */
    bool warm_start;     /* shift the previous plan by one decision, zero-filled */
    bool return_best;    /* the best candidate seen; else the mean where that is cheaper */
    bool sample_std;     /* divide the elites' variance by K - 1 instead of K (released LeWM) */
    bool unbounded;      /* do not clip candidates to the bounds (released CEM) */
    double deadline_s;   /* stop refining after this; 0 = none */
    uint64_t seed;

    bool compat;         /* keep the reference's mistakes, to repeat its searches: docs/guide/solvers.md */
    float temperature;   /* MPPI: weights exp(-(cost - least) / temperature); 0 = 0.5 */
    float smoothing;     /* CATEGORICAL: added to every frequency of the elites */
    int32_t choice_dim;  /* discrete: numbers set by one choice, divides A; 0 = A.  The choices are rest, then
                          * action_high and action_low on each of these axes */
    uw_descent descent;  /* GRADIENT, LAGRANGIAN; PGD is plain SGD */
    float learning_rate; /* 0 = 0.1; PGD 1 */
    float weight_decay;  /* ADAMW */
    float grad_clip;     /* norm of a candidate's gradient; 0 = none */
    float action_noise;  /* deviation of what is added after every gradient step */
    int32_t num_constraints; /* C of LAGRANGIAN, 0 .. 64 */
    int32_t outer_iters;     /* LAGRANGIAN: rounds of iters steps, then multipliers move; 0 = 5 */
    float penalty;           /* LAGRANGIAN: first weight of the squared violation; 0 = 1 */
    float penalty_growth;    /* its factor per round; 0 = 2 */
    float penalty_max;       /* 0 = 1e4 */
    bool forget_multipliers; /* start every plan from zero, not only every episode */
} uw_planner_options;

/* CEM of the demo. The horizon outlasts the longest way between two states (56 env steps, 12 decisions of 5):
 * with 12 some cross-room goals lie beyond every plan. */
#define UW_PLANNER_OPTIONS_DEFAULT                                                            \
    ((uw_planner_options){.solver = UW_SOLVER_CEM, .objective = UW_OBJECTIVE_SUM, .horizon = 16, \
                          .num_samples = 128, .num_elites = 16, .iters = 4, .keep_elites = 4,  \
                          .init_std = 1.0f, .min_std = 0.05f, .noise_ar = 0.8f,                \
                          .action_low = -1.0f, .action_high = 1.0f, .warm_start = true})

/* Return UW_PLANNER_OPTIONS_DEFAULT, for languages without C's macros. */
UW_API uw_planner_options uw_planner_options_default(void);

/* Return options that suit a solver: the defaults above where it reads them, and what it needs besides. */
UW_API uw_planner_options uw_planner_options_for(uw_solver solver);

/* Return the reference's defaults of a solver, its mistakes included: the last step's cost, no bounds where
 * it has none, no warm start, compat.
 * See      stable-worldmodel, planning/solver */
UW_API uw_planner_options uw_planner_options_reference(uw_solver solver);

/* True when a solver needs uw_dynamics.gradient (uw_dynamics_limits.gradient asks a model for it). */
UW_API bool uw_solver_needs_gradient(uw_solver solver);

/* How one plan went.  A deadline that was hit is an outcome, not an error. */
typedef struct uw_plan_info {
    int32_t iters;           /* refits or gradient steps completed */
    bool deadline_hit;
    float best_cost;         /* cheapest candidate seen: the plan's own, unless options say compat */
    float violation;         /* LAGRANGIAN: largest constraint of that candidate; <= 0 = all satisfied */
    float elite_cost_spread; /* dearest minus cheapest elite of the last refit */
    double seconds;
} uw_plan_info;

typedef struct uw_planner uw_planner;

/* Return the bytes uw_planner_init needs, or 0 if options do not fit dims. */
UW_API size_t uw_planner_memsize(const uw_dynamics_dims *dims, const uw_planner_options *options);

/* Build a planner inside caller memory.
 *
 * Own      mem: the caller's, 64-byte aligned, must outlive *out, as must what dynamics->self points to
 *          (the struct itself is copied)
 * Alloc    none, here and in every later call
 * Returns  UW_OK; UW_EINVAL for bad options, NULL or misaligned mem; UW_ENOMEM if mem_size is too small;
 *          UW_EUNSUPPORTED when the solver descends a gradient and the dynamics have none (nothing is
 *          differentiated numerically in its place) */
UW_API uw_status uw_planner_init(const uw_dynamics *dynamics, const uw_planner_options *options,
                                 void *mem, size_t mem_size, uw_planner **out);

/* Forget the warm start and start the noise sequence of `stream` (an episode's number). */
UW_API void uw_planner_reset(uw_planner *planner, uint64_t stream);

/* Fill noise [N, H, W] with the raw draws of iteration iter (from 0) of a plan, before they are coloured.
 * W = A and standard normal for all solvers but the discrete ones, whose W = choices per decision; for
 * CATEGORICAL they are uniform in [0, 1).  The solvers with a gradient ask with iter 0 for the spread
 * of the start and, with action_noise, with iter i for what follows step i.  Anything but UW_OK ends the
 * plan with that status. */
typedef uw_status uw_noise_fn(void *cookie, int32_t iter, float *noise);

/* Take the draws of every later plan from fn instead of the planner's own sequence: to repeat a recorded
 * search number by number.  NULL goes back to the own sequence. */
UW_API void uw_planner_set_noise(uw_planner *planner, uw_noise_fn *fn, void *cookie);

/* Constraints of n candidates, satisfied when <= 0: latents z [n, h, D] of actions [n, h, A].
 * With weight NULL: write g [n, C].  Else add the gradient of sum_c weight[i, c] g[i, c] to dz [n, h, D] by
 * the latents and to dactions [n, h, A] by the actions. */
typedef uw_status uw_constraint_fn(void *cookie, const float *z, const float *actions, int32_t n,
                                   int32_t h, float *g, const float *weight, float *dz,
                                   float *dactions);

/* Set what computes the options' num_constraints; without it such a planner does not plan (UW_EINVAL). */
UW_API void uw_planner_set_constraints(uw_planner *planner, uw_constraint_fn *fn, void *cookie);

/* What latents cost on the way to a goal, in place of squared latent distance. */
typedef struct uw_value {
    const void *self;
    uint64_t id; /* tells values apart that cost differently */
    /* Write cost [n] of latents z [n, D].  Allocates nothing; planners that share self may call it at once. */
    uw_status (*cost)(const void *self, const float *z, const float *z_goal, int32_t n, float *cost);
} uw_value;

/* Let the objectives of every later plan fold these costs (the struct is copied); NULL goes back to latent
 * distance.  They have no gradient: solvers that need one then do not plan (UW_EUNSUPPORTED). */
UW_API void uw_planner_set_value(uw_planner *planner, const uw_value *value);

/* What acts at sight: an action from a latent and a goal's, without a search. */
typedef struct uw_actor {
    const void *self;
    uint64_t id; /* tells actors apart that act otherwise */
    /* Write action [A], in the dynamics' units, on the way from z [D] to z_goal [D]; u in [0, 1) settles what is
     * left to chance.  Allocates nothing; planners that share self may call it at once. */
    uw_status (*act)(const void *self, const float *z, const float *z_goal, float u, float *action);
} uw_actor;

/* Let every later plan be what an actor does, step by step, in the dynamics' imagination (the struct is copied).
 * With search, a solver goes on from there: that plan is its first candidate, in place of the warm start.  NULL: no
 * actor.  With an actor, solvers of discrete actions do not plan (UW_EUNSUPPORTED). */
UW_API void uw_planner_set_actor(uw_planner *planner, const uw_actor *actor, bool search);

/* Plan from latents to a goal latent.
 *
 * Shapes   z0: [history, D]; past: [lead + history - 1, A] or NULL; z_goal: [D]; plan: [H, A]; info: nullable
 * Returns  UW_OK (also when the deadline was hit: the best so far); UW_ENONFINITE when a latent or every
 *          cost is not finite, and what the dynamics, the noise function or the value return: plan is
 *          untouched
 * Cost     O(iters * N * H * predictor) */
UW_API uw_status uw_planner_plan(uw_planner *planner, const float *z0, int32_t history,
                                 const float *past, const float *z_goal, float *plan,
                                 uw_plan_info *info);

/* Return [H, D] latents that the last plan's actions lead to, in the model's imagination (computed by
 * one more rollout on demand), into z. */
UW_API uw_status uw_planner_imagine(uw_planner *planner, const float *z0, int32_t history,
                                    const float *past, const float *plan, float *z);

/* Return solver / objective by its word ("predictive", "sum"); false when unknown. */
UW_API bool uw_solver_parse(const char *word, uw_solver *out);
UW_API bool uw_objective_parse(const char *word, uw_objective *out);
/* Return the words of all solvers in the order of their numbers, behind the last a NULL. */
UW_API const char *const *uw_solver_words(void);

#ifdef __cplusplus
}
#endif
#endif
