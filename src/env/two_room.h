/* TwoRoom: the places of its factors, its geometry, and what its files share.
 *
 * The world is a square of 224 pixels; x points right, y down, pixel (i, j) has its centre at the
 * integer point.  `u` is the coordinate across the wall, `o` the one along it. */
#ifndef UW_TWO_ROOM_H
#define UW_TWO_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/env.h>

#include "distractor.h"
#include "texture.h"

enum { UW_ROOM_DOORS = 3, UW_ROOM_EDGE = 224, UW_ROOM_MIDDLE = 112 };

/* Offsets into a values array, in the factors' alphabetical order. */
enum uw_room_value {
    UW_ROOM_AGENT_COLOR = 0,
    UW_ROOM_AGENT_POSITION = 3,
    UW_ROOM_AGENT_RADIUS = 5,
    UW_ROOM_AGENT_SPEED = 6,
    UW_ROOM_BACKGROUND_COLOR = 7,
    UW_ROOM_DISTRACTOR = 10,
    UW_ROOM_DOOR_COLOR = UW_ROOM_DISTRACTOR + UW_DISTRACTOR_VALUES,
    UW_ROOM_DOOR_NUMBER = UW_ROOM_DOOR_COLOR + 3,
    UW_ROOM_DOOR_POSITION,
    UW_ROOM_DOOR_SIZE = UW_ROOM_DOOR_POSITION + UW_ROOM_DOORS,
    UW_ROOM_RENDER_TARGET = UW_ROOM_DOOR_SIZE + UW_ROOM_DOORS,
    UW_ROOM_TARGET_COLOR,
    UW_ROOM_TARGET_POSITION = UW_ROOM_TARGET_COLOR + 3,
    UW_ROOM_TARGET_RADIUS = UW_ROOM_TARGET_POSITION + 2,
    UW_ROOM_MIN_STEPS,
    UW_ROOM_TEXTURE,
    UW_ROOM_WALL_AXIS = UW_ROOM_TEXTURE + UW_TEXTURE_VALUES,
    UW_ROOM_BORDER_COLOR,
    UW_ROOM_WALL_COLOR = UW_ROOM_BORDER_COLOR + 3,
    UW_ROOM_WALL_THICKNESS = UW_ROOM_WALL_COLOR + 3,
    UW_ROOM_NUM_VALUES,
    UW_ROOM_NUM_FACTORS = 28
};
extern const uw_factor uw__room_factors[UW_ROOM_NUM_FACTORS];

/* What the rules need of the values, in the arithmetic of the rules (float32 factors, double limits). */
typedef struct uw_room {
    int32_t across;             /* index of u in a position: 0 (x) for a vertical wall, 1 (y) else */
    float speed;                /* px per env step at full action */
    double low, high;           /* both coordinates stay in [low, high] */
    double wall_low, wall_high; /* a centre strictly between them is in the wall band */
    int32_t num_doors;
    double least_half;          /* of a door that the agent fits, px */
    int32_t door[UW_ROOM_DOORS], half[UW_ROOM_DOORS]; /* centre along the wall and half extent, px */
} uw_room;

/* One instance. */
typedef struct uw_two_room {
    uw_room room;
    float position[2], goal[2]; /* px */
} uw_two_room;

/* ---- two_room_factors.c: rules and draws ------------------------------------------------------------- */

/* uw_env_class.check and .sample, see env.h. */
uw_status uw__room_check(const double *values, uw_err *err);
uw_status uw__room_sample(uint64_t seed, const bool *sampled, double *values, uw_err *err);
/* Draw start and goal of a reset into values where fixed (nullable: nowhere) does not hold them. */
uw_status uw__room_place(uint64_t seed, const bool *fixed, double *values, uw_err *err);

/* ---- two_room.c: motion ------------------------------------------------------------------------------ */

/* Derive the geometry of values: [UW_ROOM_NUM_VALUES]. */
void uw__room_init(const double *values, uw_room *room);
/* Move an instance by one action in [-1, 1]: the rules of motion, exactly. */
void uw__room_move(const uw_room *room, const float *action, float *position);
/* Return the distance of the success rule, in float32. */
float uw__room_distance(const float *a, const float *b);

/* ---- two_room_path.c, two_room_draw.c ---------------------------------------------------------------- */

/* Return the length of a shortest path; waypoint[2] (nullable) gets the first point to head for.  An end in the
 * wall counts as the nearest place to stand.  INFINITY, and the goal as waypoint, when no door can be reached. */
double uw__room_path(const uw_room *room, const float *from, const float *to, double *waypoint);

/* uw_env_class.draw, see env.h. */
void uw__room_draw(const double *values, const double *state, const double *goal, int64_t steps,
                   int32_t size, uint8_t *rgb);

extern const uw_env_class uw__two_room;

#endif
