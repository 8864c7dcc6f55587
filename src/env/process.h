/* Processes: worlds of numbers alone.  Nobody steers them towards a goal or looks at them; they are
 * recorded, and what is recorded beside the observed numbers is the truth behind them. */
#ifndef UW_PROCESS_H
#define UW_PROCESS_H

#include <umwelt/env.h>

typedef struct uw_process {
    const uw_env_class *facts; /* name, factors, usual steps and the check of values; no other function */
    /* Fill out [UW_MAX_READINGS] with the columns that values lead to; return their number. */
    int32_t (*columns)(const double *values, uw_reading *out);
    /* Write count rows of an episode, each the numbers of all columns in order: a function of the
     * arguments.  Actions lead out of their row; those of the last row are NaN.  Returns UW_ENOMEM. */
    uw_status (*record)(const double *values, uint64_t seed, uint64_t episode, int64_t count,
                        double *rows);
} uw_process;

/* Return a process by name, or NULL. */
const uw_process *uw__process_find(const char *name);

#endif
