/* Rules of success: the world's own, and those of CLEAR-LeWM v0.9 with full-turn wrapping.
 *
 * CLEAR asks more of a block: no symmetry of its shape excuses an angle, and the strict rule wants
 * it held.  For worlds without a block it asks for the agent; of its strict rule there (swept
 * collisions, legal crossings) only the distance is tested, since these worlds do not let a wall be
 * crossed. */
#include "eval_internal.h"

#include <math.h>
#include <string.h>

static const double turn = 6.283185307179586;
static const double moderate_px = 20.0, strict_px = 10.0; /* with a block */
static const double moderate_degrees = 20.0, strict_degrees = 10.0;
static const double moderate_agent_px = 16.0, strict_agent_px = 8.0; /* without one */
enum { STRICT_STEPS = 3 };

static int32_t place_of(const uw_env_class *cls, const char *name) {
    for (int32_t i = 0; i < cls->state_dim; i++)
        if (cls->state_names && strcmp(cls->state_names[i], name) == 0) return i;
    return -1;
}

uw_status uw__judge_init(uw_judge *judge, const uw_protocol *protocol, const uw_env_class *cls,
                         uw_err *err) {
    uw_judge j = {.rule = protocol->rule,
                  .agent = {place_of(cls, "agent.x"), place_of(cls, "agent.y")},
                  .block = {place_of(cls, "block.x"), place_of(cls, "block.y")},
                  .angle = place_of(cls, "block.angle"),
                  .steps = 1};
    const bool block = j.block[0] >= 0 && j.block[1] >= 0 && j.angle >= 0;
    if (!block) j.block[0] = -1;
    if (j.rule == UW_RULE_STRICT && block) j.steps = STRICT_STEPS;
    if (j.rule != UW_RULE_WORLD && (j.agent[0] < 0 || j.agent[1] < 0)) {
        uw_fail(err, UW_ESHAPE,
                "%s: %s: its rule is about agent.x and agent.y, got a state without", cls->name,
                protocol->name);
        uw_err_fix(err, "use released, which has the world's own rule");
        return UW_ESHAPE;
    }
    *judge = j;
    return UW_OK;
}

static double square_off(const int32_t place[2], const double *state, const double *goal) {
    const double x = state[place[0]] - goal[place[0]], y = state[place[1]] - goal[place[1]];
    return x * x + y * y;
}

bool uw__judge_meets(const uw_judge *judge, const double *state, const double *goal,
                     const uw_step *step) {
    if (judge->rule == UW_RULE_WORLD) return step->success;
    const bool strict = judge->rule == UW_RULE_STRICT;
    const double agent = square_off(judge->agent, state, goal);
    if (judge->block[0] < 0) return sqrt(agent) < (strict ? strict_agent_px : moderate_agent_px);
    const double block = square_off(judge->block, state, goal);
    const double off = fmod(fabs(state[judge->angle] - goal[judge->angle]), turn);
    const double degrees = fmin(off, turn - off) * 360.0 / turn;
    return strict ? sqrt(block) < strict_px && degrees < strict_degrees
                  : sqrt(agent + block) < moderate_px && degrees < moderate_degrees;
}
