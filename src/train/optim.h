/* The optimiser: learning-rate schedule, global-norm clipping, AdamW. */
#ifndef UW_OPTIM_H
#define UW_OPTIM_H

#include <umwelt/train.h>

#include "exec.h"

/* Return the learning rate of update `step` (0-based): warm-up, then cosine.
 *
 * Two published forms.  The recipe multiplies a warm-up min(1, (step + 1) / warmup) with a cosine over the
 * whole run that ends at lr_final_fraction; LeWM (warmup_from_zero) rises linearly from exactly 0 and starts
 * its cosine when the warm-up is over. */
double uw__schedule_lr(const uw_train_config *config, int64_t step);

typedef struct uw_optim {
    size_t n;
    uw_real *m, *v;  /* [n] first and second moments: state */
    double *partial; /* [blocks] of the norm */
} uw_optim;

/* Plan the moments and scratch for n parameters. */
uw_optim uw__optim_layout(uw_arena *arena, size_t n);
/* Return the global L2 norm of g [n], folded in block order. */
double uw__optim_norm(const uw_exec *e, uw_optim *o, const uw_real *g);
/* Clip g to clip_norm (0 = never; norm is that of g), apply update `step` (0-based) with rate lr, and leave
 * g at zero for the next one: one pass over all of them. */
void uw__optim_step(const uw_exec *e, uw_optim *o, const uw_train_config *config, uw_real *params,
                    uw_real *g, double norm, double lr, int64_t step);

#endif
