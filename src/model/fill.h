/* Tensors of a file into a network's arrays: the same judgement for models of ours and for
 * checkpoints from elsewhere. */
#ifndef UW_FILL_H
#define UW_FILL_H

#include "net.h"

typedef struct uw_fill_rules {
    bool widen;           /* F16 and BF16 stand for F32 */
    const char *fix;      /* advice when tensors do not belong */
    uw_misfit_fn *misfit; /* nullable: told each of them */
    void *cookie;
} uw_fill_rules;

/* Check that the tensors, sorted by name, are the network's, every one once and no other.  What is
 * missing, extra, there twice or of another type or shape is counted, and named as far as the line
 * is long.
 *
 * Returns  UW_OK; UW_ESHAPE, wrong_tensors */
uw_status uw__fill_check(const char *path, const uw_net *net, const uw_tensor *sorted,
                         int32_t count, const uw_fill_rules *rules, uw_err *err);
/* Fetch the bytes of a checked tensor that is not in memory. */
typedef uw_status uw_fill_read(void *cookie, const uw_tensor *tensor, void *to, uw_err *err);
/* Take the numbers of checked tensors, refusing what is not finite.  read, with its cookie: where
 * they come from; NULL = the tensors' own data.  Only these are widened. */
uw_status uw__fill(const char *path, const uw_net *net, const uw_tensor *sorted, int32_t count,
                   uw_fill_read *read, void *cookie, float *params, float *buffers, uw_err *err);

#endif
