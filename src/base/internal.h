/* The inside of a context, assertions, and messages: what every layer above base may use. */
#ifndef UW_INTERNAL_H
#define UW_INTERNAL_H

#include <umwelt/context.h>

#include "pool.h"

struct uw_kernels;

struct uw_context {
    uw_pool *pool;                    /* owned */
    const struct uw_kernels *kernels; /* owned, built once; see kernels.h */
    unsigned cpu;                     /* features in use, after the cap */
    uw_context_options options;       /* log, progress, cookie */
};

/* Send a formatted message to the context's log, if there is one. */
void uw__log(const uw_context *ctx, uw_log_level level, const char *format, ...) UW_PRINTF(3, 4);

/* Report progress; false when the caller of the library asked for a stop. */
bool uw__progress(const uw_context *ctx, const char *what, int64_t done, int64_t total);

/* Ask the system for huge pages under memory that will all be used: a fault for 2 MiB, not for 4 KiB.
 * Only whole pages inside are touched; a system that does not know how is asked in vain. */
void uw__advise_large(void *memory, size_t bytes);

/* A broken invariant of ours.  Checked in Debug, test and fuzz builds only. */
#if defined(UW_ENABLE_ASSERT)
void uw__assert_fail(const char *expr, const char *file, int line);
#define UW_ASSERT(expr) ((expr) ? (void)0 : uw__assert_fail(#expr, __FILE__, __LINE__))
#else
#define UW_ASSERT(expr) ((void)sizeof(expr))
#endif

/* Offer the name nearest to `given` among names[0..count): NULL when none is close (more than a
 * third of the letters differ).  For "did you mean". */
const char *uw__nearest(const char *given, const char *const *names, int32_t count);

#endif
