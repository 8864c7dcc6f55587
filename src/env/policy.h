/* Scripted policies for collecting experience: what acts where no controller does. */
#ifndef UW_POLICY_H
#define UW_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/env.h>

#include "rng.h"

typedef enum uw_policy_kind {
    UW_POLICY_RANDOM = 0, /* keeps a heading that drifts, and sometimes takes another */
    UW_POLICY_EXPERT = 1, /* the world's expert under strong noise */
    UW_POLICY_WEAK = 2,   /* independent uniform actions */
    UW_POLICY_NONE = 3,   /* stands still */
    UW_POLICY_PUSH = 4    /* the world's own, which pushes things about */
} uw_policy_kind;

/* The state of one episode's policy. */
typedef struct uw_policy {
    uw_policy_kind kind;
    const uw_env_class *cls;
    uw_rng rng;
    bool started;
    double heading[UW_MAX_ACTION_DIM]; /* [action_dim] unit vector */
    double memory[UW_POLICY_MEMORY];   /* of UW_POLICY_PUSH */
} uw_policy;

/* Parse "random", "expert", "weak", "none" or "push"; *nearest (nullable) gets the closest word. */
bool uw__policy_parse(const char *name, uw_policy_kind *out, const char **nearest);

/* Start an episode's policy: its actions are a function of seed, episode and what the oracle says. */
void uw__policy_start(uw_policy *policy, uw_policy_kind kind, const uw_env_class *cls,
                      uint64_t seed, uint64_t episode);

/* Write the next decision's action.  self: the world's instance; action: [action_dim] in [-1, 1]. */
void uw__policy_act(uw_policy *policy, const void *self, float *action);

#endif
