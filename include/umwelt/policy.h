/* A fast policy from recorded experience: inverse dynamics on a model's frozen latents, in place of a search.
 *
 *     uw_policy_fit(ctx, model, "experience.uw", NULL, &policy, &err);     // seconds
 *     const uw_actor actor = uw_policy_actor(policy);
 *     uw_planner_set_actor(planner, &actor, false);                        // or uw_eval_options.actor = &actor
 *
 * Taught by hindsight: what an episode has reached k decisions later was a goal that its action led to.  One network
 * tells how few decisions a goal takes, another which action goes there in so many: a mixture, because the mean of
 * the ways left and right round an obstacle leads into it. */
#ifndef UW_POLICY_H
#define UW_POLICY_H

#include <umwelt/context.h>
#include <umwelt/model.h>
#include <umwelt/planner.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_MAX_POLICY_HORIZON = 4096, UW_MAX_POLICY_STEPS = 1000000 };

/* Zero in a field means the value behind "0 =". */
typedef struct uw_policy_options {
    int32_t horizon;  /* K: goals lie 1 .. K decisions ahead, 1 .. UW_MAX_POLICY_HORIZON; 0 = 20 */
    int32_t steps;    /* updates of 256 windows, 1 .. UW_MAX_POLICY_STEPS; 0 = 20000 */
    int64_t max_rows; /* encoded at most, whole episodes spread evenly; 0 = 65536 */
    double holdout;   /* fraction of episodes left out, as in training; 0 = none */
    uint64_t holdout_seed;
    uint64_t seed;
} uw_policy_options;

/* Read-only once made, so that any number of planners and threads may share it. */
typedef struct uw_policy uw_policy;

/* Fit a policy to the latents and the column "action" of a recording.
 *
 * Own      *out is the caller's, uw_policy_unload (NULL allowed); ctx outlives it
 * Alloc    some 600 KB kept; the rows' latents and the training besides, freed before return
 * Threads  uses ctx's pool; the bits do not depend on how many threads there are
 * Returns  UW_OK; UW_EINVAL for options out of range, or a model without actions; UW_ESHAPE when model and data do not
 *          fit, or no episode has a whole decision; UW_ENONFINITE; UW_EINTERRUPTED; UW_ENOMEM; as uw_dataset_open.
 *          On error *out is NULL */
UW_API uw_status uw_policy_fit(uw_context *ctx, const uw_model *model, const char *dataset,
                               const uw_policy_options *options, uw_policy **out, uw_err *err);
/* Read a policy that was saved.
 * Returns UW_OK; UW_ESHAPE when it was fitted to another model (its tensors' hash says so); UW_ENOTFOUND; UW_EFORMAT;
 *         UW_ENONFINITE; UW_ENOMEM.  On error *out is NULL */
UW_API uw_status uw_policy_load(uw_context *ctx, const uw_model *model, const char *path,
                                uw_policy **out, uw_err *err);
/* Write a policy to a safetensors file, atomically.  Returns UW_OK; UW_EEXIST unless overwrite; UW_EIO; UW_ENOSPC */
UW_API uw_status uw_policy_save(const uw_policy *policy, const char *path, bool overwrite, uw_err *err);
UW_API void uw_policy_unload(uw_policy *policy);

/* Return the decisions, 1 .. K, that the way from z [D] to z_goal [D] takes when it goes well: the least tenth of
 * what was recorded. */
UW_API float uw_policy_decisions(const uw_policy *policy, const float *z, const float *z_goal);
/* Write the action [A], in the world's units, that leads from z [D] to z_goal [D] in as many decisions.  Of several
 * ways u in [0, 1) picks one, the likelier the sooner.  Alloc: none.  Threads: any number at once.
 * Returns UW_OK; UW_ENONFINITE */
UW_API uw_status uw_policy_act(const uw_policy *policy, const float *z, const float *z_goal, float u,
                               float *action);
/* Return the policy as what a planner asks.  Its memory is the policy itself, which must outlive it. */
UW_API uw_actor uw_policy_actor(const uw_policy *policy);

#ifdef __cplusplus
}
#endif
#endif
