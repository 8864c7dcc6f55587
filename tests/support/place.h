/* Positions of TwoRoom as the float32 numbers that they are. */
#ifndef PLACE_H
#define PLACE_H

#include <umwelt/env.h>

/* Write the state / the goal of a world with two state numbers. */
static inline void place_state(const uw_env *env, float *at) {
    double state[2];
    uw_env_get_state(env, state);
    at[0] = (float)state[0];
    at[1] = (float)state[1];
}
static inline void place_goal(const uw_env *env, float *at) {
    double goal[2];
    uw_env_get_goal(env, goal);
    at[0] = (float)goal[0];
    at[1] = (float)goal[1];
}
static inline uw_status place_at(uw_env *env, const float *at) {
    return uw_env_set_state(env, (const double[2]){(double)at[0], (double)at[1]});
}
static inline uw_status place_goal_at(uw_env *env, const float *at) {
    return uw_env_set_goal(env, (const double[2]){(double)at[0], (double)at[1]});
}

#endif
