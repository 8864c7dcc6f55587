/* A model with fresh weights: planning costs the same whatever they are. */
#ifndef UW_BENCH_FRESH_H
#define UW_BENCH_FRESH_H

#include <umwelt/model.h>

/* Make a model of a configuration; numbers that a recipe starts at zero are small and random, so that what they scale
 * has values.  Own: *out, uw_model_unload. */
uw_status uw__bench_model(const uw_model_config *config, uw_model **out, uw_err *err);

/* Return memory aligned as dynamics and controllers want it, for free(), or NULL. */
void *uw__bench_block(size_t bytes);

#endif
