/* PushT: scripted policies and tasks.
 *
 * The oracle looks one push ahead.  A frictionless touch moves a resting block in one way only:
 * along the normal, turning about its centre by the lever; so what a push at a point of its edge
 * does is known, and the best of a few dozen points is taken, less what it costs to get there.  It
 * remembers nothing. */
#include "push_t_world.h"

#include <math.h>
#include <string.h>

#include "push_t_path.h"
#include "rng.h"

enum { POINTS_PER_EDGE = 7, MAX_REDRAWS = 1000 };

static const double reach = 100.0;       /* px: an action of 1 */
static const double weak_reach = 100.0;  /* px around the block, per axis */
static const double lever = 60.0;        /* px: a radian of turn weighs as much as this */
static const double near_enough = 7.0;   /* px, rad * lever: the block is where it should be */
static const double longest_push = 60.0; /* px planned at once */
static const double travel_price = 0.4;  /* a px of way, to a px of pushing */
static const double setup_price = 30.0;  /* px that any push costs */
static const double approach = 7.0;      /* px before an edge where pushing begins */
static const double contact_room = 3.0;  /* px: nearer than this to the edge counts as touching */
static const double push_speed = 0.35;   /* largest action while pushing */
static const double edge_room = 6.0;     /* px between tasks' bodies and the walls */

/* Of the policy that pushes the block about. */
static const double weak_share = 0.3;     /* episodes of the weak policy */
static const double spread = 130.0;       /* px: targets around the block's centre, per axis */
static const double homing = 0.15;        /* of the way from the block to the table's centre */
static const double table_centre = 256.0; /* px */
static const double low_target = 40.0, high_target = 472.0;    /* px */
static const double agent_range = 250.0, block_range = 236.0;  /* px from the table's centre */
static const double slowest = 0.1, fastest = 0.7, shake = 0.1; /* of an action */
enum { LEAST_HELD = 2, MOST_HELD = 9 };                        /* env steps for one target */

/* ---- simple ones
 * ---------------------------------------------------------------------------------- */

static double clip(double x, double most) {
    return fmin(fmax(x, -most), most);
}

/* Steer for a point: straight, at most at this speed. */
static void head_for(const double *at, const double *point, double gain, double most,
                     float *action) {
    const double x = gain * (point[0] - at[0]) / reach, y = gain * (point[1] - at[1]) / reach;
    const double largest = fmax(fmax(fabs(x), fabs(y)) / most, 1.0);
    action[0] = (float)(x / largest);
    action[1] = (float)(y / largest);
}

void uw__push_straight(const void *self, float *action) {
    const uw_push_world *world = self;
    double state[UW_PUSH_STATE];
    uw__push_state(world, state);
    head_for(state, world->memory.goal, 1.0, 1.0, action);
}

void uw__push_weak(const void *self, const double *uniform, float *action) {
    double state[UW_PUSH_STATE];
    uw__push_state(self, state);
    for (int i = 0; i < 2; i++) {
        const double block = state[2 + i];
        const double target =
            fmin(fmax(state[i] + uniform[i] * reach, block - weak_reach), block + weak_reach);
        action[i] = (float)clip((target - state[i]) / reach, 1.0);
    }
}

/* What uw__push_about remembers. */
enum { MODE, LEFT, TARGET, SPEED = TARGET + 2 };
enum { NOT_YET, WEAK, PUSHING };

static void choose_target(const uw_push_world *world, const double *state, const double *uniform,
                          double *memory) {
    const cpVect rot = cpvforangle(state[4]);
    const double *c = world->geometry[UW_PUSH_BLOCK].center;
    const double centre[2] = {state[2] + rot.x * c[0] - rot.y * c[1],
                              state[3] + rot.y * c[0] + rot.x * c[1]};
    for (int i = 0; i < 2; i++) {
        const double target =
            centre[i] + spread * (2.0 * uniform[i] - 1.0) + homing * (table_centre - centre[i]);
        memory[TARGET + i] = fmin(fmax(target, low_target), high_target);
    }
    memory[SPEED] = slowest + (fastest - slowest) * uniform[2];
    memory[LEFT] = LEAST_HELD + floor(uniform[3] * (MOST_HELD - LEAST_HELD + 1));
}

bool uw__push_astray(const void *self) {
    double state[UW_PUSH_STATE], most = 0.0;
    uw__push_state(self, state);
    for (int i = 0; i < 4; i++)
        most = fmax(most, fabs(state[i] - table_centre) - (i < 2 ? agent_range : block_range));
    return most > 0.0;
}

void uw__push_about(const void *self, const double *uniform, const double *normal, double *memory,
                    float *action) {
    double state[UW_PUSH_STATE];
    uw__push_state(self, state);
    if (memory[MODE] == NOT_YET) memory[MODE] = uniform[5] < weak_share ? WEAK : PUSHING;
    if (memory[MODE] == WEAK) {
        const double both_ways[2] = {2.0 * uniform[0] - 1.0, 2.0 * uniform[1] - 1.0};
        uw__push_weak(self, both_ways, action);
        return;
    }
    if (memory[LEFT]-- < 1.0) {
        choose_target(self, state, uniform, memory);
        memory[LEFT] -= 1.0;
    }
    const double x = (memory[TARGET] - state[0]) / reach;
    const double y = (memory[TARGET + 1] - state[1]) / reach;
    const double share = fmax(sqrt(x * x + y * y) / memory[SPEED], 1.0);
    action[0] = (float)clip(x / share + shake * normal[0], 1.0);
    action[1] = (float)clip(y / share + shake * normal[1], 1.0);
}

/* ---- the oracle
 * ----------------------------------------------------------------------------------- */

/* What the oracle sees, in the block's coordinates. */
typedef struct scene {
    const uw_push_geometry *block;
    uw_push_boxes boxes;
    double radius;            /* of the agent */
    double cos, sin;          /* of the block's angle */
    double origin[2];         /* of the block, on the table */
    double agent[2], rest[2]; /* where the agent is, and should end */
    double error[3];          /* what the block lacks: x, y of its origin, and angle * lever */
} scene;

static void to_block(const scene *s, const double *from, double *out) {
    const double x = from[0] - s->origin[0], y = from[1] - s->origin[1];
    out[0] = s->cos * x + s->sin * y;
    out[1] = s->cos * y - s->sin * x;
}

static void to_table(const scene *s, const double *from, double *out) {
    out[0] = s->origin[0] + s->cos * from[0] - s->sin * from[1];
    out[1] = s->origin[1] + s->sin * from[0] + s->cos * from[1];
}

static double agent_radius(const uw_push_geometry *g) {
    double most = g->radius;
    for (int i = 0; i < g->num_parts; i++)
        for (int k = 0; k < g->corners[i]; k++)
            most = fmax(most, sqrt(g->hull[i][k][0] * g->hull[i][k][0] +
                                   g->hull[i][k][1] * g->hull[i][k][1]));
    return most;
}

static void look(const uw_push_world *world, scene *s) {
    double state[UW_PUSH_STATE], goal[2];
    uw__push_state(world, state);
    const cpVect rot = cpvforangle(state[4]);
    *s = (scene){.block = &world->geometry[UW_PUSH_BLOCK],
                 .radius = agent_radius(&world->geometry[UW_PUSH_AGENT]),
                 .cos = rot.x,
                 .sin = rot.y,
                 .origin = {state[2], state[3]}};
    uw__push_boxes(s->block, &s->boxes);
    to_block(s, state, s->agent);
    to_block(s, world->memory.goal, s->rest);
    to_block(s, world->memory.goal + 2, goal);
    const double turn = s->block->symmetry;
    s->error[0] = goal[0];
    s->error[1] = goal[1];
    s->error[2] = lever * remainder(world->memory.goal[4] - state[4], turn);
}

/* How much nearer its goal the block comes by the best push at `point` along `inward`; *distance
 * gets the length of that push. */
static double gain_of(const scene *s, const double *point, const double *inward, double *distance) {
    const double arm[2] = {point[0] - s->block->center[0], point[1] - s->block->center[1]};
    const double torque = arm[0] * inward[1] - arm[1] * inward[0];
    const double share = 1.0 / (1.0 + torque * torque / s->block->moment);
    const double turn = share * torque / s->block->moment;
    const double *c = s->block->center; /* the origin swings about the centre of gravity */
    const double move[3] = {share * inward[0] + turn * c[1], share * inward[1] - turn * c[0],
                            lever * turn};
    double along = 0.0, size = 0.0, before = 0.0, after = 0.0;
    for (int i = 0; i < 3; i++) {
        along += move[i] * s->error[i];
        size += move[i] * move[i];
    }
    *distance = fmin(fmax(along / size, 0.0), longest_push);
    for (int i = 0; i < 3; i++) {
        const double left = s->error[i] - *distance * move[i];
        before += s->error[i] * s->error[i];
        after += left * left;
    }
    return sqrt(before) - sqrt(after);
}

typedef struct push {
    double score;
    double point[2], inward[2]; /* on the edge */
    double distance;            /* px to push */
    double next[2];             /* where to go first */
    bool touching;
} push;

/* Consider a push at a point of the edge; the better one stays in *best. */
static void consider(const scene *s, const uw_push_map *map, const double *point,
                     const double *inward, push *best) {
    push p = {.point = {point[0], point[1]}, .inward = {inward[0], inward[1]}};
    const double gain = gain_of(s, point, inward, &p.distance);
    if (gain <= 0.0) return;
    const double before[2] = {point[0] - inward[0] * (s->radius + approach),
                              point[1] - inward[1] * (s->radius + approach)};
    if (uw__push_clearance(&s->boxes, before) < s->radius + 1.0) return; /* a corner of the T */
    const double off[2] = {s->agent[0] - point[0], s->agent[1] - point[1]};
    const double beside = fabs(off[0] * inward[1] - off[1] * inward[0]);
    const double away = -(off[0] * inward[0] + off[1] * inward[1]) - s->radius;
    p.touching = beside < contact_room && fabs(away) < approach + contact_room;
    const double way = p.touching ? fmax(away, 0.0) : uw__push_route(map, before, p.next);
    p.score = gain / (travel_price * way + p.distance + setup_price);
    if (p.score > best->score) *best = p;
}

/* The point of the edge that the agent is nearest to: a push that has begun goes on from there. */
static void consider_here(const scene *s, const uw_push_map *map, push *best) {
    double least = INFINITY, point[2] = {0}, inward[2] = {0};
    for (int i = 0; i < s->boxes.count; i++) {
        const double *low = s->boxes.low[i], *high = s->boxes.high[i];
        const double on[2] = {fmin(fmax(s->agent[0], low[0]), high[0]),
                              fmin(fmax(s->agent[1], low[1]), high[1])};
        const double x = on[0] - s->agent[0], y = on[1] - s->agent[1], far = sqrt(x * x + y * y);
        if (far >= least || far < 1e-9) continue;
        least = far;
        memcpy(point, on, sizeof on);
        inward[0] = x / far;
        inward[1] = y / far;
    }
    if (least < s->radius + contact_room) consider(s, map, point, inward, best);
}

static void find_push(const scene *s, const uw_push_map *map, push *best) {
    *best = (push){0};
    consider_here(s, map, best);
    for (int i = 0; i < s->boxes.count; i++)
        for (int edge = 0; edge < 4; edge++) {
            const int across = edge & 1, along = 1 - across;
            const double *low = s->boxes.low[i], *high = s->boxes.high[i];
            double point[2], inward[2] = {0};
            point[across] = edge & 2 ? high[across] : low[across];
            inward[across] = edge & 2 ? -1.0 : 1.0;
            for (int k = 0; k < POINTS_PER_EDGE; k++) {
                const double share = (k + 0.5) / POINTS_PER_EDGE;
                point[along] = low[along] + share * (high[along] - low[along]);
                consider(s, map, point, inward, best);
            }
        }
}

void uw__push_oracle(const void *self, float *action) {
    scene s;
    look(self, &s);
    uw_push_map map;
    uw__push_map(&s.boxes, s.radius + 1.0, s.agent, &map);
    const double missing =
        sqrt(s.error[0] * s.error[0] + s.error[1] * s.error[1] + s.error[2] * s.error[2]);
    push best = {0};
    if (missing > near_enough) find_push(&s, &map, &best);
    double target[2], gain = 2.0, speed = 1.0;
    if (best.score <= 0.0) { /* the block is there: now the agent */
        uw__push_route(&map, s.rest, target);
    } else if (best.touching) {
        const double depth = best.distance - s.radius + 2.0;
        for (int i = 0; i < 2; i++) target[i] = best.point[i] + best.inward[i] * depth;
        gain = 1.0;
        speed = push_speed;
    } else {
        memcpy(target, best.next, sizeof target);
    }
    double at[2], there[2];
    to_table(&s, s.agent, at);
    to_table(&s, target, there);
    head_for(at, there, gain, speed, action);
}

/* ---- tasks
 * ---------------------------------------------------------------------------------------- */

static void draw_place(const uw_factor *f, uw_rng *rng, double *out) {
    for (int i = 0; i < f->dim; i++)
        out[i] = f->low[i] + uw__rng_uniform64(rng) * (f->high[i] - f->low[i]);
}

/* Whether bodies can stand like this: the block inside the walls, the agent clear of it. */
static bool can_stand(const uw_push_geometry *block, double radius, const double *state) {
    const cpVect rot = cpvforangle(state[4]);
    const double low = 7.0 + edge_room, high = 504.0 - edge_room;
    for (int i = 0; i < block->num_parts; i++)
        for (int k = 0; k < block->corners[i]; k++) {
            const double *h = block->hull[i][k];
            const double x = state[2] + rot.x * h[0] - rot.y * h[1];
            const double y = state[3] + rot.y * h[0] + rot.x * h[1];
            if (x < low || x > high || y < low || y > high) return false;
        }
    uw_push_boxes boxes;
    uw__push_boxes(block, &boxes);
    const double x = state[0] - state[2], y = state[1] - state[3];
    const double agent[2] = {rot.x * x + rot.y * y, rot.x * y - rot.y * x};
    return uw__push_clearance(&boxes, agent) > radius + 1.0;
}

void uw__push_sample_task(uint64_t seed, uint64_t index, const double *values, bool hard,
                          uw_task *out) {
    uw_push_geometry block, agent;
    uw__push_geometry((uw_push_shape)values[UW_PUSH_BLOCK_SHAPE], values[UW_PUSH_BLOCK_SCALE],
                      &block);
    uw__push_geometry((uw_push_shape)values[UW_PUSH_AGENT_SHAPE], values[UW_PUSH_AGENT_SCALE],
                      &agent);
    const double radius = agent_radius(&agent);
    /* even counters are tasks, odd ones variations (see variation.c): they share a stream */
    uw_rng rng = uw__rng(seed, UW_STREAM_PROTOCOL, 2 * index);
    *out = (uw_task){.hard = hard};
    for (int k = 0; k < 2; k++) {
        double *state = k ? out->goal : out->start;
        for (int i = 0; i < MAX_REDRAWS; i++) {
            draw_place(&uw__push_factors[UW_PUSH_F_AGENT_START], &rng, state);
            if (k == 0 || hard) {
                draw_place(&uw__push_factors[UW_PUSH_F_BLOCK_START], &rng, state + 2);
                draw_place(&uw__push_factors[UW_PUSH_F_BLOCK_ANGLE], &rng, state + 4);
            } else {
                memcpy(state + 2, out->start + 2, 3 * sizeof *state);
            }
            if (can_stand(&block, radius, state)) break;
        }
    }
}
