/* PushT: its factors of variation, in alphabetical order. */
#include "push_t.h"

#define TURN 6.283185307179586 /* 2 pi as stable-worldmodel has it */

static const char *const agent_shapes[UW_PUSH_SHAPES] = {"o",      "L", "T",         "Z",
                                                         "square", "I", "small_tee", "+"};

#define COLOR(text, place, r, g, b)                                                                \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_COLOR, .dim = 3, .offset = place, .low = {0, 0, 0},        \
        .high = {255, 255, 255}, .init = {r, g, b}, .affects_picture = true                        \
    }
#define ANGLE(text, place, start, ...)                                                             \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_REAL, .dim = 1, .offset = place, .low = {-TURN},           \
        .high = {TURN}, .init = {start}, .wide = true, .unit = "rad", __VA_ARGS__                  \
    }
#define SCALE(text, place, start, moves)                                                           \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_REAL, .dim = 1, .offset = place, .low = {20},              \
        .high = {60}, .init = {start}, .affects_motion = moves, .affects_picture = moves,          \
        .unit = "px"                                                                               \
    }
#define PLACE(text, place, lo, hi, x, y, ...)                                                      \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_REAL, .dim = 2, .offset = place, .low = {lo, lo},          \
        .high = {hi, hi}, .init = {x, y}, .wide = true, __VA_ARGS__                                \
    }

const uw_factor uw__push_factors[UW_PUSH_NUM_FACTORS] = {
    /* nothing shows the angle of a disc */
    ANGLE("agent.angle", UW_PUSH_AGENT_ANGLE, 0, .affects_motion = true, .affects_picture = true),
    COLOR("agent.color", UW_PUSH_AGENT_COLOR, 65, 105, 225),
    SCALE("agent.scale", UW_PUSH_AGENT_SCALE, 40, true),
    {.name = "agent.shape",
     .kind = UW_FACTOR_INT,
     .dim = 1,
     .offset = UW_PUSH_AGENT_SHAPE,
     .low = {0},
     .high = {7},
     .init = {UW_PUSH_O},
     .affects_motion = true,
     .affects_picture = true,
     .words = agent_shapes},
    PLACE("agent.start_position", UW_PUSH_AGENT_START, 50, 450, 256, 400, .placed = true,
          .unit = "px"),
    PLACE("agent.velocity", UW_PUSH_AGENT_VELOCITY, 0, 512, 0, 0, .affects_motion = true,
          .unit = "px/s"),
    COLOR("background.color", UW_PUSH_BACKGROUND_COLOR, 255, 255, 255),
    ANGLE("block.angle", UW_PUSH_BLOCK_ANGLE, 0, .placed = true),
    COLOR("block.color", UW_PUSH_BLOCK_COLOR, 119, 136, 153),
    SCALE("block.scale", UW_PUSH_BLOCK_SCALE, 30, true),
    {.name = "block.shape",
     .kind = UW_FACTOR_INT,
     .dim = 1,
     .offset = UW_PUSH_BLOCK_SHAPE,
     .low = {1},
     .high = {7},
     .init = {UW_PUSH_T},
     .affects_motion = true,
     .affects_picture = true,
     .words = agent_shapes + 1},
    PLACE("block.start_position", UW_PUSH_BLOCK_START, 100, 400, 400, 100, .placed = true,
          .unit = "px"),
    UW_DISTRACTOR_FACTORS(UW_PUSH_DISTRACTOR),
    /* where the goal is painted; what counts is the goal state */
    ANGLE("goal.angle", UW_PUSH_GOAL_ANGLE, 0.7853981633974483, .affects_picture = true),
    COLOR("goal.color", UW_PUSH_GOAL_COLOR, 144, 238, 144),
    PLACE("goal.position", UW_PUSH_GOAL_POSITION, 50, 450, 256, 256, .affects_picture = true,
          .unit = "px"),
    SCALE("goal.scale", UW_PUSH_GOAL_SCALE, 40, false),
    {.name = "rendering.render_goal",
     .kind = UW_FACTOR_INT,
     .dim = 1,
     .offset = UW_PUSH_RENDER_GOAL,
     .low = {0},
     .high = {1},
     .init = {1},
     .affects_picture = true},
};
