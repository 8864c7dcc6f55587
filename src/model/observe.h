/* Observations on their way in: shared by encoding in bulk and by the planner's dynamics. */
#ifndef UW_OBSERVE_H
#define UW_OBSERVE_H

#include "model_internal.h"

/* z-score sensor columns [rows, observe_dim] into x; false when a number is not finite. */
bool uw__observe_columns(const uw_net *net, const uw_normalisers *n, const float *columns,
                         size_t rows, float *x);
bool uw__all_finite(const float *x, size_t n);

#endif
