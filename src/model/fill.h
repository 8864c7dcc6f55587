/* Tensors of a file into a network's arrays: the same judgement for models of ours and for
 * checkpoints from elsewhere. */
#ifndef UW_FILL_H
#define UW_FILL_H

#include "net.h"

/* Check that the tensors are the network's, every one once and no other.  What is missing, extra,
 * there twice or of another type or shape is counted, and named as far as the line is long.
 *
 * sorted   by name
 * widen    F16 and BF16 stand for F32
 * Returns  UW_OK; UW_ESHAPE, wrong_tensors, with `fix` */
uw_status uw__fill_check(const char *path, const uw_net *net, const uw_tensor *sorted,
                         int32_t count, bool widen, const char *fix, uw_err *err);
/* Copy the numbers of checked tensors, refusing what is not finite. */
uw_status uw__fill(const char *path, const uw_net *net, const uw_tensor *sorted, int32_t count,
                   float *params, float *buffers, uw_err *err);

#endif
