/* Planning from memory: a map of places seen in a recording, and how many decisions lie between them.
 *
 *     uw_landmarks_load(ctx, model, "experience.uw", &options, &landmarks, &err);
 *     const uw_value value = uw_landmarks_value(landmarks);
 *     uw_planner_set_value(planner, &value);             // or uw_eval_options.value = &value
 *
 * For a latent whose distance says nothing about the way: the map knows ways only from what happened. */
#ifndef UW_LANDMARKS_H
#define UW_LANDMARKS_H

#include <umwelt/context.h>
#include <umwelt/model.h>
#include <umwelt/planner.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_MAX_LANDMARKS = 4096 };

/* Zero in a field means the value behind "0 =". */
typedef struct uw_landmarks_options {
    int32_t num_landmarks; /* L, 1 .. UW_MAX_LANDMARKS; fewer where fewer latents differ; 0 = 512 */
    int64_t max_rows;      /* encoded at most, whole episodes spread evenly; 0 = 32768 */
    double holdout;        /* fraction of episodes left out, as in training; 0 = none */
    uint64_t holdout_seed;
} uw_landmarks_options;

/* Read-only once loaded, so that any number of planners and threads may share it. */
typedef struct uw_landmarks uw_landmarks;

/* Build the map of a recording: landmarks are the first latent and then, again and again, the one farthest
 * from all of them (the first of equals); an edge of cost 1 leads from one landmark's cell to another's when a
 * recorded decision did; all shortest ways between them.
 *
 * Own      *out is the caller's, uw_landmarks_unload (NULL allowed)
 * Alloc    L (4 D + 2 L) bytes kept; the rows' latents besides, freed before return
 * Threads  encodes on ctx's pool; the bits do not depend on how many threads there are
 * Returns  UW_OK; UW_EINVAL for options out of range, or when no episode is left; UW_ESHAPE when model and
 *          data do not fit, or no episode has a whole decision; UW_ENONFINITE when a latent is not finite;
 *          UW_EINTERRUPTED; UW_ENOMEM; as uw_dataset_open.  On error *out is NULL
 * Cost     O(rows L D + L E) for E edges */
UW_API uw_status uw_landmarks_load(uw_context *ctx, const uw_model *model, const char *dataset,
                                   const uw_landmarks_options *options, uw_landmarks **out,
                                   uw_err *err);
UW_API void uw_landmarks_unload(uw_landmarks *landmarks);
UW_API int32_t uw_landmarks_count(const uw_landmarks *landmarks);
/* Return the number of the landmark nearest to z [D], the first of equals.  Alloc: none. */
UW_API int32_t uw_landmarks_nearest(const uw_landmarks *landmarks, const float *z);
/* Return the fewest decisions that lead from one landmark to another; -1 when no recorded way does. */
UW_API int32_t uw_landmarks_decisions(const uw_landmarks *landmarks, int32_t from, int32_t to);

/* Return the map as what latents cost on the way to a goal: the decisions to the goal's landmark, averaged over
 * the four landmarks nearest to the latent with weights 1 / distance, plus 0.5 min(2, |z - z_goal| / delta).
 * delta is the mean latent distance of a recorded decision; landmarks without a way count one decision more than
 * the longest way there is.  The costs' memory is the map itself, which must outlive them.  Alloc: none. */
UW_API uw_value uw_landmarks_value(const uw_landmarks *landmarks);

/* Return planner options that suit these costs: CEM over 5 decisions, 64 candidates, 3 refits. */
UW_API uw_planner_options uw_landmarks_planner(void);

#ifdef __cplusplus
}
#endif
#endif
