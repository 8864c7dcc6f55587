/* VICReg's variance and covariance terms on windows of latents, as an alternative to SIGReg. */
#ifndef UW_VICREG_H
#define UW_VICREG_H

#include "exec.h"

typedef struct uw_vicreg uw_vicreg;

/* Plan for z [B, T, D]. */
uw_vicreg *uw__vicreg_layout(uw_arena *arena, size_t b, size_t t, size_t d);

/* Write the two terms of z [B, T, D] and add weight * the gradient of each to dz (nullable).
 *
 *   std_loss = mean over t, d of relu(1 - sqrt(var_b + 1e-4)), variance over the batch, divisor B - 1
 *   cov_loss = mean over t of the squared off-diagonal of the batch covariance / (D^2 - D)
 *
 * Returns  both terms 0 for B = 1; cov_loss 0 for D = 1 (there is nothing to decorrelate)          */
void uw__vicreg_loss(const uw_exec *e, uw_vicreg *v, const uw_real *z, double std_weight,
                     double cov_weight, uw_real *dz, double *std_loss, double *cov_loss);

#endif
