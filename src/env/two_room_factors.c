/* TwoRoom: its factors of variation, the rules that bind them, and what a seed draws for them. */
#include <math.h>
#include <string.h>

#include "gym_space.h"
#include "two_room.h"
#include "variation.h"

#define RGB_RANGE .low = {0, 0, 0}, .high = {255, 255, 255}
#define COLOR(text, place, r, g, b, shown)                                                         \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_COLOR, .dim = 3, .offset = place, RGB_RANGE,               \
        .init = {r, g, b}, .affects_picture = shown                                                \
    }
/* The last argument may bring more members with it. */
#define SCALAR(text, type, place, of, lo, hi, start, moves, ...)                                   \
    {                                                                                              \
        .name = text, .kind = type, .dim = 1, .offset = place, .low = {lo}, .high = {hi},          \
        .init = {start}, .unit = of, .affects_motion = moves, .affects_picture = __VA_ARGS__       \
    }
#define PLACE(text, at, x, y, why)                                                                 \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_REAL, .dim = 2, .offset = at, .low = {14, 14},             \
        .high = {209, 209}, .init = {x, y}, .placed = true, .unit = "px", .rule = why              \
    }
#define DOORS(text, at, lo, hi, start, why)                                                        \
    {                                                                                              \
        .name = text, .kind = UW_FACTOR_INT, .dim = 3, .offset = at, .low = {lo, lo, lo},          \
        .high = {hi, hi, hi}, .init = {start, start, start}, .affects_motion = true,               \
        .affects_picture = true, .unit = "px", .rule = why                                         \
    }

static const char fit_rule[] = "one of the first door.number sizes is at least 1.1 * agent.radius";
static const char clear_rule[] =
    "across the wall outside 112 -+ (wall.thickness / 2 + agent.radius), even where a door is";
static const char *const axes[] = {"horizontal", "vertical"};

const uw_factor uw__room_factors[UW_ROOM_NUM_FACTORS] = {
    COLOR("agent.color", UW_ROOM_AGENT_COLOR, 255, 0, 0, true),
    PLACE("agent.position", UW_ROOM_AGENT_POSITION, 60, 112, clear_rule),
    SCALAR("agent.radius", UW_FACTOR_REAL, UW_ROOM_AGENT_RADIUS, "px", 7, 14, 7, true, true,
           .rule = fit_rule),
    SCALAR("agent.speed", UW_FACTOR_REAL, UW_ROOM_AGENT_SPEED, "px/step", 1.75, 10.5, 5, true,
           false),
    COLOR("background.color", UW_ROOM_BACKGROUND_COLOR, 255, 255, 255, true),
    UW_DISTRACTOR_FACTORS(UW_ROOM_DISTRACTOR),
    COLOR("door.color", UW_ROOM_DOOR_COLOR, 255, 255, 255, true),
    SCALAR("door.number", UW_FACTOR_INT, UW_ROOM_DOOR_NUMBER, NULL, 1, 3, 1, true, true),
    DOORS("door.position", UW_ROOM_DOOR_POSITION, 0, 223, 49, NULL),
    DOORS("door.size", UW_ROOM_DOOR_SIZE, 1, 21, 14, fit_rule),
    SCALAR("rendering.render_target", UW_FACTOR_INT, UW_ROOM_RENDER_TARGET, NULL, 0, 1, 0, false,
           true),
    COLOR("target.color", UW_ROOM_TARGET_COLOR, 0, 255, 0, true),
    PLACE("target.position", UW_ROOM_TARGET_POSITION, 164, 112, NULL),
    SCALAR("target.radius", UW_FACTOR_REAL, UW_ROOM_TARGET_RADIUS, "px", 7, 14, 7, false, true),
    SCALAR("task.min_steps", UW_FACTOR_INT, UW_ROOM_MIN_STEPS, "step", 15, 114, 25, false, false),
    UW_TEXTURE_FACTORS(UW_ROOM_TEXTURE),
    SCALAR("wall.axis", UW_FACTOR_INT, UW_ROOM_WALL_AXIS, NULL, 0, 1, 1, true, true, .words = axes),
    COLOR("wall.border_color", UW_ROOM_BORDER_COLOR, 0, 0, 0, false),
    COLOR("wall.color", UW_ROOM_WALL_COLOR, 0, 0, 0, true),
    SCALAR("wall.thickness", UW_FACTOR_INT, UW_ROOM_WALL_THICKNESS, "px", 7, 41, 10, true, true),
};

/* ---- rules --------------------------------------------------------------------------------------
 */

static double widest_door(const double *values) {
    double widest = 0.0;
    for (int32_t i = 0; i < (int32_t)values[UW_ROOM_DOOR_NUMBER]; i++)
        widest = fmax(widest, values[UW_ROOM_DOOR_SIZE + i]);
    return widest;
}

static bool door_fits(const double *values) {
    uw_room room;
    uw__room_init(values, &room);
    return widest_door(values) >= room.least_half;
}

/* The reference compares in float32; a position that is NaN is not placed yet, and breaks no rule.
 */
static bool clear_of_wall(const double *values) {
    uw_room room;
    uw__room_init(values, &room);
    const float across = (float)values[UW_ROOM_AGENT_POSITION + room.across];
    return !(across >= (float)room.wall_low && across <= (float)room.wall_high);
}

uw_status uw__room_check(const double *values, uw_err *err) {
    if (!door_fits(values)) {
        uw_fail(err, UW_EINVAL,
                "two_room: door.size: no door fits the agent, wanted at least %.4g (1.1 * "
                "agent.radius) in the first %d, got %g",
                1.1 * values[UW_ROOM_AGENT_RADIUS], (int)values[UW_ROOM_DOOR_NUMBER],
                widest_door(values));
        uw_err_fix(err, "make agent.radius smaller, or set door.size=16,16,16");
        return UW_EINVAL;
    }
    if (!clear_of_wall(values)) {
        uw_room room;
        uw__room_init(values, &room);
        uw_fail(err, UW_EINVAL,
                "two_room: agent.position: inside the wall, wanted %s outside [%g, %g], got %g",
                room.across == 0 ? "x" : "y", room.wall_low, room.wall_high,
                values[UW_ROOM_AGENT_POSITION + room.across]);
        uw_err_fix(err, "start the agent in a room; the wall band counts even where a door is");
        return UW_EINVAL;
    }
    return UW_OK;
}

/* ---- draws --------------------------------------------------------------------------------------
 */

/* The predicate that stable-worldmodel redraws a factor by; NULL: any draw will do. */
static bool (*predicate_of(const uw_factor *f))(const double *values) {
    if (f->offset == UW_ROOM_AGENT_POSITION) return clear_of_wall;
    if (f->offset == UW_ROOM_DOOR_SIZE) return door_fits;
    return NULL;
}

static uw_status draw(uint64_t seed, int32_t factor, double *values, uw_err *err) {
    const uw_factor *f = &uw__room_factors[factor];
    if (uw__gym_sample(&uw__two_room, seed, factor, predicate_of(f), values)) return UW_OK;
    uw_fail(err, UW_EINVAL, "two_room: %s: none of %d draws kept its rule: %s", f->name,
            UW_MAX_REDRAWS, f->rule);
    uw_err_fix(err, "choose other values for the factors that the rule names");
    return UW_EINVAL;
}

/* A predicate looks at the values of its moment, so what has one is drawn after the rest: that
 * gives what the reference's own sampling order gives, as every factor draws from a generator of
 * its own. */
uw_status uw__room_sample(uint64_t seed, const bool *sampled, double *values, uw_err *err) {
    uw_status status = UW_OK;
    for (int ruled = 0; ruled < 2; ruled++)
        for (int32_t i = 0; !status && i < UW_ROOM_NUM_FACTORS; i++)
            if (sampled[i] && (predicate_of(&uw__room_factors[i]) != NULL) == ruled)
                status = draw(seed, i, values, err);
    return status;
}

uw_status uw__room_place(uint64_t seed, const bool *fixed, double *values, uw_err *err) {
    bool sampled[UW_ROOM_NUM_FACTORS];
    for (int32_t i = 0; i < UW_ROOM_NUM_FACTORS; i++)
        sampled[i] = uw__room_factors[i].placed && !(fixed && fixed[i]);
    return uw__room_sample(seed, sampled, values, err);
}
