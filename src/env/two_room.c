/* TwoRoom: its rules of motion, tasks, scripted controllers.
 *
 * The rules are those of stable-worldmodel's TwoRoom, whose recorded motion they replay exactly:
 * positions and speeds are float32, limits are compared in double.  Collision looks at the end
 * point of a step only, so a step may cut the edge of a door; that is part of the world. */
#include "two_room.h"

#include <math.h>
#include <string.h>

#include "internal.h"
#include "rng.h"
#include "variation.h"

enum { MAX_ORACLE_STEPS = 1000 };

static const double border = 14.0;     /* px: inner edge of the outer walls, 14 and 210 */
static const double door_slack = 1.75; /* px: a door is this much wider to the rules than drawn */
static const double push_back = 0.5;   /* px: a blocked step ends this far before the wall */
static const double fit = 1.1;         /* radii: half of a door that the agent fits */
static const float door_reached =
    10.5f; /* px from a door's centre where the expert turns to the goal */
static const float success_radius = 16;    /* px */
static const float min_task_distance = 32; /* px between start and goal of a task */

/* ---- motion ------------------------------------------------------------------------------------
 */

void uw__room_init(const double *values, uw_room *room) {
    const double radius = (double)(float)values[UW_ROOM_AGENT_RADIUS];
    const double half =
        (double)((int32_t)values[UW_ROOM_WALL_THICKNESS] / 2); /* odd: rounded down */
    *room = (uw_room){
        .across = values[UW_ROOM_WALL_AXIS] == 1.0 ? 0 : 1,
        .speed = (float)values[UW_ROOM_AGENT_SPEED],
        .low = border + radius,
        .high = UW_ROOM_EDGE - border - radius,
        .wall_low = UW_ROOM_MIDDLE - half - radius,
        .wall_high = UW_ROOM_MIDDLE + half + radius,
        .least_half = fit * radius,
        .num_doors = (int32_t)values[UW_ROOM_DOOR_NUMBER],
    };
    for (int32_t i = 0; i < room->num_doors; i++) {
        room->door[i] = (int32_t)values[UW_ROOM_DOOR_POSITION + i];
        room->half[i] = (int32_t)values[UW_ROOM_DOOR_SIZE + i];
    }
}

static bool in_door(const uw_room *room, double along) {
    for (int32_t i = 0; i < room->num_doors; i++) {
        const double reach = room->half[i] + door_slack;
        if (along >= room->door[i] - reach && along <= room->door[i] + reach) return true;
    }
    return false;
}

void uw__room_move(const uw_room *room, const float *action, float *position) {
    float next[2];
    for (int i = 0; i < 2; i++) {
        const float moved = position[i] + action[i] * room->speed;
        next[i] = (float)fmin(fmax((double)moved, room->low), room->high);
    }
    /* the wall: which side the step began on decides, and only where it ends is looked at */
    const int32_t u = room->across;
    const bool free = in_door(room, (double)next[1 - u]);
    if (position[u] < UW_ROOM_MIDDLE) {
        if ((double)next[u] > room->wall_low && !free)
            next[u] = (float)(room->wall_low - push_back);
    } else if ((double)next[u] < room->wall_high && !free) {
        next[u] = (float)(room->wall_high + push_back);
    }
    position[0] = next[0];
    position[1] = next[1];
}

float uw__room_distance(const float *a, const float *b) {
    const float dx = a[0] - b[0], dy = a[1] - b[1];
    return sqrtf(dx * dx + dy * dy);
}

static void room_step(void *self, const float *action, uw_step *out) {
    uw_two_room *world = self;
    uw__room_move(&world->room, action, world->position);
    out->reward = 0.0f;
    out->distance = uw__room_distance(world->position, world->goal);
    out->success = out->distance < success_radius;
}

/* ---- starts and goals --------------------------------------------------------------------------
 */

/* Draw a position that motion can reach: inside one room, as far from the wall as it pushes. */
static void place_in(const uw_room *room, bool far_side, uw_rng *rng, float *position) {
    const double from = far_side ? room->wall_high + push_back : room->low;
    const double to = far_side ? room->high : room->wall_low - push_back;
    const double across = from + uw__rng_uniform64(rng) * (to - from);
    const double along = room->low + uw__rng_uniform64(rng) * (room->high - room->low);
    position[room->across] = (float)across;
    position[1 - room->across] = (float)along;
}

static uw_status room_reset(void *self, uint64_t seed, const double *values, const bool *fixed,
                            uw_err *err) {
    uw_two_room *world = self;
    double placed[UW_ROOM_NUM_VALUES];
    memcpy(placed, values, sizeof placed);
    const uw_status status = uw__room_place(seed, fixed, placed, err);
    if (status) return status;
    uw__room_init(placed, &world->room);
    for (int i = 0; i < 2; i++) {
        world->position[i] = (float)placed[UW_ROOM_AGENT_POSITION + i];
        world->goal[i] = (float)placed[UW_ROOM_TARGET_POSITION + i];
    }
    return UW_OK;
}

static void room_oracle(const void *self, float *action);

/* Count the env steps the scripted controller needs; 0 when it does not arrive. */
static int32_t oracle_steps(const uw_room *room, const float *start, const float *goal) {
    uw_two_room world = {
        .room = *room, .position = {start[0], start[1]}, .goal = {goal[0], goal[1]}};
    for (int32_t t = 1; t <= MAX_ORACLE_STEPS; t++) {
        float action[2];
        uw_step step;
        room_oracle(&world, action);
        room_step(&world, action, &step);
        if (step.success) return t;
    }
    return 0;
}

static void room_sample_task(uint64_t seed, uint64_t index, const double *values, bool hard,
                             uw_task *out) {
    uw_room room;
    uw__room_init(values, &room);
    /* even counters are tasks, odd ones variations (see variation.c): they share a stream */
    uw_rng rng = uw__rng(seed, UW_STREAM_PROTOCOL, 2 * index);
    float start[2], goal[2];
    for (int i = 0; i < UW_MAX_REDRAWS; i++) {
        const bool far_side = uw__rng_below(&rng, 2) == 1;
        place_in(&room, far_side, &rng, start);
        place_in(&room, far_side != hard, &rng, goal);
        if (uw__room_distance(start, goal) >= min_task_distance) break;
    }
    *out = (uw_task){.hard = hard, .shortest = oracle_steps(&room, start, goal)};
    for (int i = 0; i < 2; i++) {
        out->start[i] = (double)start[i];
        out->goal[i] = (double)goal[i];
    }
}

/* ---- state, scripted controllers ---------------------------------------------------------------
 */

static void widen(double *to, const float *from) {
    for (int i = 0; i < 2; i++) to[i] = (double)from[i];
}

static void room_get_state(const void *self, double *state) {
    widen(state, ((const uw_two_room *)self)->position);
}

static void room_get_goal(const void *self, double *goal) {
    widen(goal, ((const uw_two_room *)self)->goal);
}

static uw_status copy_finite(float *to, const double *from) {
    if (!isfinite((float)from[0]) || !isfinite((float)from[1])) return UW_ENONFINITE;
    for (int i = 0; i < 2; i++) to[i] = (float)from[i];
    return UW_OK;
}

static uw_status room_set_state(void *self, const double *state) {
    return copy_finite(((uw_two_room *)self)->position, state);
}

static uw_status room_set_goal(void *self, const double *goal) {
    return copy_finite(((uw_two_room *)self)->goal, goal);
}

/* Head for a point along the straight line: the larger component at full speed, or just there. */
static void head_for(const uw_two_room *world, const double *point, float *action) {
    double delta[2], largest = 1.0;
    for (int i = 0; i < 2; i++) {
        delta[i] = (point[i] - (double)world->position[i]) / (double)world->room.speed;
        largest = fmax(largest, fabs(delta[i]));
    }
    for (int i = 0; i < 2; i++) action[i] = (float)(delta[i] / largest);
}

static void room_oracle(const void *self, float *action) {
    const uw_two_room *world = self;
    double point[2];
    uw__room_path(&world->room, world->position, world->goal, point);
    head_for(world, point, action);
}

static void room_straight(const void *self, float *action) {
    const uw_two_room *world = self;
    const double point[2] = {(double)world->goal[0], (double)world->goal[1]};
    head_for(world, point, action);
}

/* Write the centre of the nearest door that fits; return how far it is, INFINITY (and the origin)
 * when there is none. */
static float nearest_door(const uw_two_room *world, float *center) {
    const uw_room *room = &world->room;
    float nearest = INFINITY;
    center[0] = center[1] = 0.0f;
    for (int32_t i = 0; i < room->num_doors; i++) {
        float at[2];
        at[room->across] = UW_ROOM_MIDDLE;
        at[1 - room->across] = (float)room->door[i];
        const float far = uw__room_distance(at, world->position);
        if (room->half[i] < room->least_half || far >= nearest) continue;
        nearest = far;
        memcpy(center, at, sizeof at);
    }
    return nearest;
}

/* The reference's expert: through the nearest door that fits when the goal is in the other room,
 * straight otherwise, with actions of length 1.  It is not the shortest way, but its datasets were
 * made with it. */
static void room_expert(const void *self, float *action) {
    const uw_two_room *world = self;
    const int32_t u = world->room.across;
    float point[2] = {world->goal[0], world->goal[1]}, door[2];
    if ((world->position[u] > UW_ROOM_MIDDLE) != (world->goal[u] > UW_ROOM_MIDDLE)) {
        const float far = nearest_door(world, door);
        if (isinf(far))
            point[u] = UW_ROOM_MIDDLE; /* the wall before the goal: as near as one gets */
        else if (far > door_reached)
            memcpy(point, door, sizeof point);
    }
    const float length = uw__room_distance(point, world->position);
    for (int i = 0; i < 2; i++)
        action[i] = length > 1e-8f ? (point[i] - world->position[i]) / length : 0.0f;
}

static double room_path_length(const double *values, const double *from, const double *to) {
    uw_room room;
    uw__room_init(values, &room);
    const float a[2] = {(float)from[0], (float)from[1]}, b[2] = {(float)to[0], (float)to[1]};
    return uw__room_path(&room, a, b, NULL);
}

static const char *const state_names[] = {"agent.x", "agent.y"};

const uw_env_class uw__two_room = {
    .name = "two_room",
    .action_dim = 2,
    .state_dim = 2,
    .instance_bytes = sizeof(uw_two_room),
    .num_factors = UW_ROOM_NUM_FACTORS,
    .num_values = UW_ROOM_NUM_VALUES,
    .factors = uw__room_factors,
    .state_names = state_names,
    .state_unit = "px",
    .usual_hold = 5, /* as the published recipe records */
    .check = uw__room_check,
    .reset = room_reset,
    .sample = uw__room_sample,
    .step = room_step,
    .get_state = room_get_state,
    .set_state = room_set_state,
    .set_goal = room_set_goal,
    .get_goal = room_get_goal,
    .draw = uw__room_draw,
    .oracle = room_oracle,
    .straight = room_straight,
    .expert = room_expert,
    .sample_task = room_sample_task,
    .path_length = room_path_length,
};
