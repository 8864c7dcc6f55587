/* A context with a given number of threads. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <umwelt/context.h>

#include "check.h"

static inline uw_context *context(int32_t threads) {
    uw_context *ctx = NULL;
    uw_err err = {0};
    const uw_context_options o = {.num_threads = threads};
    CHECK_OK(uw_context_new(&o, &ctx, &err), &err);
    return ctx;
}

#endif
