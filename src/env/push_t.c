/* PushT: steering, reward, success, resets.
 *
 * The rules are those of stable-worldmodel's PushT; with a float32 action NumPy computes the
 * steering in float32, and so does this. */
#include "push_t_world.h"

#include <math.h>
#include <string.h>

#include "gym_space.h"
#include "internal.h"

static const double turn = 6.283185307179586;
static const double action_scale = 100.0;                  /* px */
static const double k_p = 100.0, k_v = 20.0, dt = 0.01;    /* 1/s^2, 1/s, s */
static const double success_distance = 20.0;               /* px, agent and block together */
static const double success_angle = 3.141592653589793 / 9; /* rad */
static const double most_state = 1e9; /* px: beyond it collision and float32 lose their footing */

/* Angle in [0, 2 pi), as Python's % has it. */
static double wrapped(double angle) {
    double rest = fmod(angle, turn);
    if (rest < 0.0) rest += turn;
    return rest;
}

/* ---- state
 * ---------------------------------------------------------------------------------------- */

void uw__push_state(const uw_push_world *world, double *state) {
    const cpBody *agent = &world->body[UW_PUSH_AGENT], *block = &world->body[UW_PUSH_BLOCK];
    const cpVect at = cpBodyGetPosition(agent), block_at = cpBodyGetPosition(block);
    state[0] = at.x;
    state[1] = at.y;
    state[2] = block_at.x;
    state[3] = block_at.y;
    state[4] = wrapped(block->a);
    state[5] = agent->v.x;
    state[6] = agent->v.y;
}

void uw__push_set(uw_push_world *world, const double *state) {
    cpBody *agent = &world->body[UW_PUSH_AGENT], *block = &world->body[UW_PUSH_BLOCK];
    cpBodySetVelocity(agent, cpv(state[5], state[6]));
    cpBodySetPosition(agent, cpv(state[0], state[1]));
    cpBodySetAngle(block, state[4]);
    cpBodySetPosition(block, cpv(state[2], state[3]));
    uw__push_world_step(world);
}

void uw__push_begin(uw_push_world *world, const double *values, const double *goal,
                    const double *start) {
    uw__push_world_build(world, values);
    memcpy(world->memory.goal, goal, sizeof world->memory.goal);
    uw__push_set(world, goal);
    uw__push_set(world, start);
}

/* ---- one env step
 * --------------------------------------------------------------------------------- */

void uw__push_target(const uw_push_world *world, const double *action, bool wide, double *target) {
    const cpVect p = cpBodyGetPosition(&world->body[UW_PUSH_AGENT]);
    const double at[2] = {p.x, p.y};
    for (int i = 0; i < 2; i++)
        target[i] = wide ? at[i] + action[i] * action_scale
                         : (double)((float)at[i] + (float)action[i] * (float)action_scale);
}

static double steered(double target, double p, double v, bool wide) {
    const double damping = k_v * (0.0 - v);
    if (wide) return v + (k_p * (target - p) + damping) * dt;
    const float pull = (float)k_p * ((float)target - (float)p);
    const float acceleration = pull + (float)damping;
    return (double)((float)v + acceleration * (float)dt);
}

void uw__push_steer(uw_push_world *world, const double *target, bool wide) {
    cpBody *agent = &world->body[UW_PUSH_AGENT];
    const cpVect p = cpBodyGetPosition(agent), v = agent->v;
    const cpVect wanted = {steered(target[0], p.x, v.x, wide), steered(target[1], p.y, v.y, wide)};
    if (isfinite(wanted.x) && isfinite(wanted.y)) cpBodySetVelocity(agent, wanted);
}

double uw__push_reward(const uw_push_world *world) {
    double state[UW_PUSH_STATE], sum = 0.0;
    uw__push_state(world, state);
    for (int i = 0; i < UW_PUSH_STATE; i++) {
        const double off = world->memory.goal[i] - state[i];
        sum += off * off;
    }
    return -sqrt(sum);
}

static void judge(const uw_push_world *world, uw_step *out) {
    const double *goal = world->memory.goal;
    double state[UW_PUSH_STATE], sum = 0.0;
    uw__push_state(world, state);
    for (int i = 0; i < 4; i++) sum += (goal[i] - state[i]) * (goal[i] - state[i]);
    const double symmetry = world->geometry[UW_PUSH_BLOCK].symmetry;
    const double off = fmod(fabs(goal[4] - state[4]), symmetry);
    const double distance = sqrt(sum);
    out->distance = (float)distance;
    out->reward = (float)uw__push_reward(world);
    out->success = distance < success_distance && fmin(off, symmetry - off) < success_angle;
}

void uw__push_act(uw_push_world *world, const double *action, bool wide, uw_step *out) {
    double target[2];
    world->memory.contact_points = 0;
    uw__push_target(world, action, wide, target);
    for (int i = 0; i < 2; i++) target[i] = fmin(fmax(target[i], -most_state), most_state);
    for (int k = 0; k < UW_PUSH_SUBSTEPS; k++) {
        uw__push_steer(world, target, wide);
        uw__push_world_step(world);
    }
    judge(world, out);
}

static void push_step(void *self, const float *action, uw_step *out) {
    uw__push_act(self, (const double[2]){(double)action[0], (double)action[1]}, false, out);
}

/* ---- polar bins
 * ----------------------------------------------------------------------------------- */

static int32_t bin_of(double share) {
    return (int32_t)fmin(fmax(share * UW_PUSH_BINS, 0.0), UW_PUSH_BINS - 1.0);
}

void uw__push_quantize(const double *action, int32_t *bin) {
    bin[0] = bin_of(sqrt(action[0] * action[0] + action[1] * action[1]));
    bin[1] = bin_of(wrapped(atan2(action[1], action[0])) / turn);
}

void uw__push_bin_action(const int32_t *bin, float *action) {
    const double radius = (bin[0] + 0.5) / UW_PUSH_BINS;
    const double angle = (bin[1] + 0.5) / UW_PUSH_BINS * 2.0 * (turn / 2.0);
    action[0] = (float)(radius * cos(angle));
    action[1] = (float)(radius * sin(angle));
}

static void discrete_step(void *self, const float *action, uw_step *out) {
    int32_t bin[2];
    float snapped[2];
    uw__push_quantize((const double[2]){(double)action[0], (double)action[1]}, bin);
    uw__push_bin_action(bin, snapped);
    push_step(self, snapped, out);
}

/* ---- the class
 * ------------------------------------------------------------------------------------ */

static uw_status push_check(const double *values, uw_err *err) {
    (void)values, (void)err; /* no factor forbids another: what overlaps is pushed apart */
    return UW_OK;
}

static uw_status push_reset(void *self, uint64_t seed, const double *values, const bool *fixed,
                            uw_err *err) {
    (void)err;
    static const int placed[] = {UW_PUSH_F_AGENT_START, UW_PUSH_F_BLOCK_START,
                                 UW_PUSH_F_BLOCK_ANGLE};
    double start[UW_PUSH_NUM_VALUES], goal[UW_PUSH_NUM_VALUES];
    memcpy(start, values, sizeof start);
    for (int i = 0; i < 3; i++) {
        const int32_t at = uw__push_factors[placed[i]].offset;
        if (!fixed || !fixed[placed[i]]) uw__gym_draw(&uw__push_t, seed, placed[i], 0, start + at);
        uw__gym_draw(&uw__push_t, seed, placed[i], 1, goal + at);
    }
    const double *v = values + UW_PUSH_AGENT_VELOCITY;
    double set[2][UW_PUSH_STATE];
    for (int i = 0; i < 2; i++) {
        const double *from = i ? goal : start;
        memcpy(set[i], from + UW_PUSH_AGENT_START, 2 * sizeof *from);
        memcpy(set[i] + 2, from + UW_PUSH_BLOCK_START, 2 * sizeof *from);
        set[i][4] = from[UW_PUSH_BLOCK_ANGLE];
        memcpy(set[i] + 5, v, 2 * sizeof *v);
    }
    uw__push_begin(self, start, set[1], set[0]);
    return UW_OK;
}

static void push_get_state(const void *self, double *state) {
    uw__push_state(self, state);
}

static uw_status in_reach(const double *state) {
    for (int i = 0; i < UW_PUSH_STATE; i++) {
        if (!isfinite(state[i])) return UW_ENONFINITE;
        if (fabs(state[i]) > most_state) return UW_EINVAL;
    }
    return UW_OK;
}

static uw_status push_set_state(void *self, const double *state) {
    const uw_status status = in_reach(state);
    if (!status) uw__push_set(self, state);
    return status;
}

static uw_status push_set_goal(void *self, const double *goal) {
    const uw_status status = in_reach(goal);
    if (!status) memcpy(((uw_push_world *)self)->memory.goal, goal, UW_PUSH_STATE * sizeof *goal);
    return status;
}

static void push_get_goal(const void *self, double *goal) {
    memcpy(goal, ((const uw_push_world *)self)->memory.goal, UW_PUSH_STATE * sizeof *goal);
}

static void push_read(const void *self, double *out) {
    const uw_push_world *world = self;
    const cpBody *agent = &world->body[UW_PUSH_AGENT], *block = &world->body[UW_PUSH_BLOCK];
    const cpVect at = cpBodyGetPosition(agent), block_at = cpBodyGetPosition(block);
    const double readings[] = {
        block_at.x,
        block_at.y,
        block->a, /* block_pose */
        block->v.x,
        block->v.y,
        block->w,                                                      /* block_velocity */
        ceil((double)world->memory.contact_points / UW_PUSH_SUBSTEPS), /* n_contacts */
        at.x,
        at.y,
        agent->v.x,
        agent->v.y,             /* proprio */
        uw__push_reward(world), /* reward */
    };
    memcpy(out, readings, sizeof readings);
}

static void push_render(const void *self, const double *values, int64_t steps, int32_t size,
                        uint8_t *rgb) {
    const uw_push_world *world = self;
    const cpBody *agent = &world->body[UW_PUSH_AGENT], *block = &world->body[UW_PUSH_BLOCK];
    const cpVect at = cpBodyGetPosition(agent), block_at = cpBodyGetPosition(block);
    uw_push_view view = {.agent = {at.x, at.y},
                         .agent_angle = agent->a,
                         .block = {block_at.x, block_at.y},
                         .block_angle = block->a,
                         .steps = steps};
    uw__push_world_contacts(world, &view);
    uw__push_draw_view(values, &view, size, rgb);
}

static const char *const state_names[UW_PUSH_STATE] = {
    "agent.x", "agent.y", "block.x", "block.y", "block.angle", "agent.vx", "agent.vy"};

static const uw_reading readings[] = {
    {"block_pose", 3, "px, rad"}, {"block_velocity", 3, "px/s, rad/s"},
    {"n_contacts", 1, NULL},      {"proprio", 4, "px, px/s"},
    {"reward", 1, NULL},
};

#define PUSH_T(text, step_function)                                                                \
    {                                                                                              \
        .name = text, .action_dim = 2, .state_dim = UW_PUSH_STATE, .takes_any_action = true,       \
        .instance_bytes = sizeof(uw_push_world), .num_factors = UW_PUSH_NUM_FACTORS,               \
        .num_values = UW_PUSH_NUM_VALUES, .factors = uw__push_factors, .state_names = state_names, \
        .state_unit = "px, rad, px/s", .wide_state = true, .usual_steps = 100,                     \
        .usual_policy = "weak", .expert_noise = 0.3,                                               \
        .num_readings = sizeof readings / sizeof readings[0], .readings = readings,                \
        .check = push_check, .reset = push_reset, .sample = uw__push_sample,                       \
        .step = step_function, .get_state = push_get_state, .set_state = push_set_state,           \
        .set_goal = push_set_goal, .get_goal = push_get_goal,                                      \
        .snapshot_bytes = sizeof(uw_push_memory), .save = uw__push_save,                           \
        .restore = uw__push_restore, .read = push_read, .draw = uw__push_draw,                     \
        .render = push_render, .oracle = uw__push_oracle, .straight = uw__push_straight,           \
        .weak = uw__push_weak, .push = uw__push_about, .astray = uw__push_astray,                  \
        .sample_task = uw__push_sample_task                                                        \
    }

const uw_env_class uw__push_t = PUSH_T("pusht", push_step);
const uw_env_class uw__push_t_discrete = PUSH_T("pusht_discrete", discrete_step);
