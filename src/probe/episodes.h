/* Which rows of a recording a map or a policy is made of. */
#ifndef UW_EPISODES_H
#define UW_EPISODES_H

#include "latents.h"

/* Which rows: every `stride`-th of an episode with a decision of `skip` rows, at most `most`. */
typedef struct uw_row_choice {
    const char *what; /* for messages */
    int32_t skip, stride;
    int64_t most;
    double holdout; /* fraction of episodes left out, as in training */
    uint64_t seed;
} uw_row_choice;
/* Choose whole episodes, spread evenly; the last one may be cut.  Own: *out [*count], free.
 * Returns UW_OK; UW_ESHAPE when no episode has a decision; UW_ENOMEM. */
uw_status uw__rows_choose(const uw_dataset *data, const uw_row_choice *choice, uw_row **out,
                          int64_t *count, uw_err *err);

#endif
