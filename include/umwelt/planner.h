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
    /* z0 [history, D] (oldest first), past [history - 1, A] (actions between them; NULL when history is
     * 1), actions [n, h, A] in the dynamics' units (the world's [-1, 1], unless whoever made them says
     * otherwise) -> z [n, h, D]. */
    uw_status (*rollout)(void *self, const float *z0, int32_t history, const float *past,
                         const float *actions, int32_t n, int32_t h, float *z);
    /* From the gradient dz [n, h, D] of a cost by the latents that rollout writes for the same arguments,
     * its gradient dactions [n, h, A] by the actions (written).  NULL: there is none. */
    uw_status (*gradient)(void *self, const float *z0, int32_t history, const float *past,
                          const float *actions, int32_t n, int32_t h, const float *dz,
                          float *dactions);
} uw_dynamics;

typedef enum uw_solver { UW_SOLVER_CEM = 0, UW_SOLVER_ICEM = 1 } uw_solver;
typedef enum uw_objective {
    UW_OBJECTIVE_SUM = 0, /* sum over the horizon of |z_h - z_goal|^2 */
    UW_OBJECTIVE_LAST = 1,
    UW_OBJECTIVE_MIN = 2
} uw_objective;

typedef struct uw_planner_options {
    uw_solver solver;
    uw_objective objective;
    int32_t horizon;     /* H decisions, 1 .. 4096 */
    int32_t num_samples; /* N, 2 .. 2^16 */
    int32_t num_elites;  /* K, 1 .. N-1 */
    int32_t iters;       /* refits, 1 .. 1000 */
    int32_t keep_elites; /* best of the previous iteration carried over as candidates, at most K */
    float init_std;      /* at every plan */
    float min_std;       /* floor */
    float noise_ar;      /* CEM: e_h = ar e_(h-1) + sqrt(1 - ar^2) n; 0 = white */
    float noise_beta;    /* iCEM: colour exponent of the noise; 0 = white */
    float momentum;      /* weight of the old mean and std in the refit */
    float action_low, action_high; /* bounds of every number */
    float action_cost;   /* weight of the mean squared action */
    bool warm_start;     /* shift the previous plan by one decision, zero-filled */
    bool return_best;    /* the best candidate seen, instead of the mean */
    bool sample_std;     /* divide the elites' variance by K - 1 instead of K (released LeWM) */
    bool unbounded;      /* do not clip candidates to the bounds (released CEM) */
    double deadline_s;   /* stop refining after this; 0 = none */
    uint64_t seed;
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

/* How one plan went.  A deadline that was hit is an outcome, not an error. */
typedef struct uw_plan_info {
    int32_t iters;           /* refits completed */
    bool deadline_hit;
    float best_cost;         /* cheapest candidate seen */
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
 * Returns  UW_OK; UW_EINVAL for bad options, NULL or misaligned mem; UW_ENOMEM if mem_size is too small */
UW_API uw_status uw_planner_init(const uw_dynamics *dynamics, const uw_planner_options *options,
                                 void *mem, size_t mem_size, uw_planner **out);

/* Forget the warm start and start the noise sequence of `stream` (an episode's number). */
UW_API void uw_planner_reset(uw_planner *planner, uint64_t stream);

/* Fill noise [N, H, A] with the standard-normal draws of iteration iter (from 0) of a plan, before they are
 * coloured.  Anything but UW_OK ends the plan with that status. */
typedef uw_status uw_noise_fn(void *cookie, int32_t iter, float *noise);

/* Take the draws of every later plan from fn instead of the planner's own sequence: to repeat a recorded
 * search number by number.  NULL goes back to the own sequence. */
UW_API void uw_planner_set_noise(uw_planner *planner, uw_noise_fn *fn, void *cookie);

/* Plan from latents to a goal latent.
 *
 * Shapes   z0: [history, D]; past: [history-1, A] or NULL; z_goal: [D]; plan: [H, A]; info: nullable
 * Returns  UW_OK (also when the deadline was hit: the best so far); UW_ENONFINITE when a latent or every
 *          cost is not finite, and what the dynamics or the noise function return: plan is untouched
 * Cost     O(iters * N * H * predictor) */
UW_API uw_status uw_planner_plan(uw_planner *planner, const float *z0, int32_t history,
                                 const float *past, const float *z_goal, float *plan,
                                 uw_plan_info *info);

/* Return [H, D] latents that the last plan's actions lead to, in the model's imagination (computed by
 * one more rollout on demand), into z. */
UW_API uw_status uw_planner_imagine(uw_planner *planner, const float *z0, int32_t history,
                                    const float *past, const float *plan, float *z);

/* Return solver / objective by its word ("cem", "sum"); false when unknown. */
UW_API bool uw_solver_parse(const char *word, uw_solver *out);
UW_API bool uw_objective_parse(const char *word, uw_objective *out);

#ifdef __cplusplus
}
#endif
#endif
