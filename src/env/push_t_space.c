/* PushT: the table, one physics step of it.
 *
 * This is what Chipmunk 7's cpSpaceStep does for a space with two bodies and four walls, without
 * gravity, friction, elasticity, sleeping and joints; collisions, impulses and motion are
 * Chipmunk's own functions. Debian's build ends the process when a body's numbers are not finite:
 * they are made so before it looks. */
#include "push_t_world.h"

#include <math.h>
#include <string.h>

enum {
    ITERATIONS = 10,
    MEMORY_STEPS = 3, /* physics steps that a touch is remembered */
    PRIMES = 2
};
static const double time_step = 0.01; /* s */
static const double slop = (double)0.1f;
static const double wall_low = 5, wall_high = 506, wall_radius = 2; /* px */
static const double wildest = 1e12; /* px/s, rad/s: beyond it a velocity is an accident */

/* ---- making bodies and shapes
 * --------------------------------------------------------------------- */

static cpBB update_box(cpShape *shape) {
    return cpShapeUpdate(shape, shape->body->transform);
}

static void make_walls(uw_push_world *world) {
    const cpVect a = cpv(wall_low, wall_high), b = cpv(wall_low, wall_low);
    const cpVect c = cpv(wall_high, wall_low), d = cpv(wall_high, wall_high);
    const cpVect ends[UW_PUSH_WALLS][2] = {{a, b}, {b, c}, {c, d}, {a, d}};
    cpBody *table = cpBodyInit(&world->body[UW_PUSH_TABLE], 0.0, 0.0);
    cpBodySetType(table, CP_BODY_TYPE_STATIC);
    for (int i = 0; i < UW_PUSH_WALLS; i++)
        cpSegmentShapeInit(&world->shape[i].segment, table, ends[i][0], ends[i][1], wall_radius);
    for (int i = 0; i < UW_PUSH_WALLS; i++)
        update_box(&world->shape[i].shape); /* they never move */
    world->num_shapes = UW_PUSH_WALLS;
}

/* Only a disc is moved by its velocity alone; every other agent is pushed as the block is. */
static void make_body(uw_push_world *world, int which, int32_t shape, double scale) {
    uw_push_geometry *g = &world->geometry[which];
    uw__push_geometry((uw_push_shape)shape, scale, g);
    cpBody *body = &world->body[which];
    if (g->num_parts == 0) {
        cpBodyInit(body, 0.0, 0.0);
        cpBodySetType(body, CP_BODY_TYPE_KINEMATIC);
        cpCircleShapeInit(&world->shape[world->num_shapes++].circle, body, g->radius, cpvzero);
        return;
    }
    cpBodyInit(body, 1.0, g->moment);
    for (int i = 0; i < g->num_parts; i++) {
        cpVect hull[UW_PUSH_MAX_HULL];
        for (int k = 0; k < g->corners[i]; k++) hull[k] = cpv(g->hull[i][k][0], g->hull[i][k][1]);
        cpPolyShapeInitRaw(&world->shape[world->num_shapes++].poly, body, g->corners[i], hull, 0.0);
    }
    cpBodySetCenterOfGravity(body, cpv(g->center[0], g->center[1]));
}

/* The order in which a hash set of Chipmunk's lists shapes numbered from the walls on: by their
 * number modulo its size, which grows when it is full. */
static void list_moving(uw_push_world *world) {
    static const int sizes[PRIMES] = {5, 13};
    const int count = world->num_shapes - UW_PUSH_WALLS;
    const int size = sizes[count < sizes[0] ? 0 : 1];
    world->num_moving = 0;
    for (int slot = 0; slot < size; slot++)
        for (int i = UW_PUSH_WALLS; i < world->num_shapes; i++)
            if (i % size == slot) world->order[world->num_moving++] = (int8_t)i;
}

void uw__push_world_shapes(uw_push_world *world) {
    const uw_push_spec *spec = &world->memory.spec;
    memset(world->body, 0,
           sizeof world->body); /* cpBodyInit leaves the centre of gravity as it is */
    memset(world->shape, 0, sizeof world->shape);
    make_walls(world);
    make_body(world, UW_PUSH_AGENT, spec->agent_shape, spec->agent_scale);
    make_body(world, UW_PUSH_BLOCK, spec->block_shape, spec->block_scale);
    for (int i = 0; i < world->num_shapes; i++) world->shape[i].shape.hashid = (cpHashValue)i;
    list_moving(world);
    /* Chipmunk's default: overlap shrinks to a 0.9^60 of it in a second */
    world->correction = 1.0 - pow(pow((double)(1.0f - 0.1f), 60.0), time_step);
}

void uw__push_world_build(uw_push_world *world, const double *values) {
    uw_push_memory *m = &world->memory;
    memset(m, 0, sizeof *m);
    m->spec = (uw_push_spec){.agent_shape = (int32_t)values[UW_PUSH_AGENT_SHAPE],
                             .block_shape = (int32_t)values[UW_PUSH_BLOCK_SHAPE],
                             .agent_scale = values[UW_PUSH_AGENT_SCALE],
                             .block_scale = values[UW_PUSH_BLOCK_SCALE]};
    uw__push_world_shapes(world);
    cpBody *agent = &world->body[UW_PUSH_AGENT], *block = &world->body[UW_PUSH_BLOCK];
    const double *at = values + UW_PUSH_AGENT_START, *block_at = values + UW_PUSH_BLOCK_START;
    cpBodySetPosition(agent, cpv(at[0], at[1]));
    if (m->spec.agent_shape != UW_PUSH_O) cpBodySetAngle(agent, values[UW_PUSH_AGENT_ANGLE]);
    cpBodySetPosition(block, cpv(block_at[0], block_at[1]));
    cpBodySetAngle(block, values[UW_PUSH_BLOCK_ANGLE]);

    uw__push_tree_init(&m->tree);
    for (int i = 0; i < world->num_shapes; i++) {
        const cpBB box = update_box(&world->shape[i].shape);
        if (i < UW_PUSH_WALLS)
            uw__push_tree_add_fixed(&m->tree, i, box);
        else
            uw__push_tree_add(&m->tree, i, box, world->shape[i].shape.body->v);
    }
}

/* ---- contacts
 * ------------------------------------------------------------------------------------- */

static uw_push_touch *touch_of(uw_push_memory *m, int8_t a, int8_t b) {
    for (int32_t i = 0; i < m->num_touches; i++) {
        uw_push_touch *t = &m->touch[i];
        if ((t->a == a && t->b == b) || (t->a == b && t->b == a)) return t;
    }
    if (m->num_touches == UW_PUSH_MAX_PAIRS) return NULL; /* more than there are pairs */
    m->touch[m->num_touches] = (uw_push_touch){.state = UW_PUSH_FIRST, .place = -1};
    return &m->touch[m->num_touches++];
}

/* Take over what narrow collision found: contact points relative to the bodies, and the impulses of
 * those that were there before. */
static void take_contacts(uw_push_touch *t, const struct cpCollisionInfo *info) {
    struct cpContact old[CP_MAX_CONTACTS_PER_ARBITER];
    const int32_t num_old = t->count;
    memcpy(old, t->contact, sizeof old);
    for (int i = 0; i < info->count; i++) {
        struct cpContact *c = &t->contact[i];
        *c = info->arr[i];
        c->r1 = cpvsub(c->r1, info->a->body->p);
        c->r2 = cpvsub(c->r2, info->b->body->p);
        c->jnAcc = c->jtAcc = 0.0;
        for (int32_t k = 0; k < num_old; k++) {
            if (old[k].hash != c->hash) continue;
            c->jnAcc = old[k].jnAcc;
            c->jtAcc = old[k].jtAcc;
        }
    }
    t->a = (int8_t)info->a->hashid;
    t->b = (int8_t)info->b->hashid;
    t->count = info->count;
    t->normal = info->n;
    t->age = 0;
    if (t->state == UW_PUSH_CACHED) t->state = UW_PUSH_FIRST;
}

/* Collide the candidates; touches that can be solved get their place.  Returns how many. */
static int32_t collide(uw_push_world *world, const uw_push_candidate *candidate, int32_t count) {
    uw_push_memory *m = &world->memory;
    int32_t solvable = 0;
    for (int32_t i = 0; i < count; i++) {
        const cpShape *a = &world->shape[candidate[i].a].shape;
        const cpShape *b = &world->shape[candidate[i].b].shape;
        if (a->body == b->body || !cpBBIntersects(a->bb, b->bb)) continue;
        uw_push_pair *pair = candidate[i].pair < 0 ? NULL : &m->tree.pair[candidate[i].pair];
        struct cpContact found[CP_MAX_CONTACTS_PER_ARBITER];
        memset(found, 0, sizeof found);
        const struct cpCollisionInfo info = cpCollide(a, b, pair ? pair->id : 0, found);
        if (pair) pair->id = info.id;
        if (info.count == 0) continue;
        uw_push_touch *t = touch_of(m, candidate[i].a, candidate[i].b);
        if (!t) continue;
        take_contacts(t, &info);
        if (a->body->m < (double)INFINITY || b->body->m < (double)INFINITY) {
            t->place = (int8_t)solvable++;
        } else { /* neither gives way: a disc on a wall */
            t->count = 0;
            t->state = UW_PUSH_AGAIN;
        }
    }
    return solvable;
}

/* Touches that were not found in this step grow old, then are forgotten. */
static void forget(uw_push_memory *m) {
    int32_t kept = 0;
    for (int32_t i = 0; i < m->num_touches; i++) {
        uw_push_touch *t = &m->touch[i];
        if (t->age >= 1) t->state = UW_PUSH_CACHED;
        if (t->age < MEMORY_STEPS) m->touch[kept++] = *t;
    }
    m->num_touches = kept;
}

/* ---- one step
 * ------------------------------------------------------------------------------------- */

static bool tame(double x) {
    return fabs(x) <= wildest; /* false for NaN */
}

static void keep_sane(cpBody *body) {
    if (!tame(body->v.x) || !tame(body->v.y)) body->v = cpvzero;
    if (!tame(body->w)) body->w = 0.0;
    if (!tame(body->v_bias.x) || !tame(body->v_bias.y)) body->v_bias = cpvzero;
    if (!tame(body->w_bias)) body->w_bias = 0.0;
}

static void solve(uw_push_world *world, int32_t count) {
    uw_push_memory *m = &world->memory;
    cpArbiter arbiter[UW_PUSH_MAX_PAIRS];
    for (int32_t i = 0; i < m->num_touches; i++) {
        uw_push_touch *t = &m->touch[i];
        if (t->place < 0) continue;
        const cpShape *a = &world->shape[t->a].shape, *b = &world->shape[t->b].shape;
        arbiter[t->place] = (cpArbiter){.a = a,
                                        .b = b,
                                        .body_a = a->body,
                                        .body_b = b->body,
                                        .count = t->count,
                                        .contacts = t->contact,
                                        .n = t->normal,
                                        .state = (enum cpArbiterState)t->state};
        m->contact_points += t->count;
    }
    for (int32_t i = 0; i < count; i++)
        cpArbiterPreStep(&arbiter[i], time_step, slop, world->correction);
    for (int i = UW_PUSH_AGENT; i <= UW_PUSH_BLOCK; i++) /* damping 0: nothing glides */
        cpBodyUpdateVelocity(&world->body[i], cpvzero, 0.0, time_step);
    for (int32_t i = 0; i < count; i++)
        cpArbiterApplyCachedImpulse(&arbiter[i], m->moved ? 1.0 : 0.0);
    for (int k = 0; k < ITERATIONS; k++)
        for (int32_t i = 0; i < count; i++) cpArbiterApplyImpulse(&arbiter[i]);
}

void uw__push_world_step(uw_push_world *world) {
    uw_push_memory *m = &world->memory;
    for (int32_t i = 0; i < m->num_touches; i++) {
        uw_push_touch *t = &m->touch[i];
        if (t->place >= 0) t->state = UW_PUSH_AGAIN;
        t->place = -1;
        t->age++;
    }
    for (int i = UW_PUSH_AGENT; i <= UW_PUSH_BLOCK; i++)
        cpBodyUpdatePosition(&world->body[i], time_step);

    cpBB box[UW_PUSH_MAX_SHAPES];
    cpVect velocity[UW_PUSH_MAX_SHAPES];
    for (int32_t i = UW_PUSH_WALLS; i < world->num_shapes; i++) {
        box[i] = update_box(&world->shape[i].shape);
        velocity[i] = world->shape[i].shape.body->v;
    }
    uw_push_candidate candidate[UW_PUSH_MAX_PAIRS];
    const int32_t count =
        uw__push_tree_update(&m->tree, world->order, world->num_moving, box, velocity, candidate);
    const int32_t solvable = collide(world, candidate, count);
    forget(m);
    solve(world, solvable);
    m->moved = 1;
    for (int i = UW_PUSH_AGENT; i <= UW_PUSH_BLOCK; i++) keep_sane(&world->body[i]);
}

void uw__push_world_contacts(const uw_push_world *world, uw_push_view *view) {
    const uw_push_memory *m = &world->memory;
    view->num_contacts = 0;
    for (int32_t place = 0; place < m->num_touches; place++)
        for (int32_t i = 0; i < m->num_touches; i++) {
            const uw_push_touch *t = &m->touch[i];
            if (t->place != place) continue;
            const cpVect a = world->shape[t->a].shape.body->p, b = world->shape[t->b].shape.body->p;
            for (int32_t k = 0; k < t->count && view->num_contacts < UW_PUSH_MAX_CONTACTS; k++) {
                const cpVect from = cpvadd(a, t->contact[k].r1), to = cpvadd(b, t->contact[k].r2);
                view->contacts[view->num_contacts++] = (uw_push_contact){
                    .a = {from.x, from.y}, .b = {to.x, to.y}, .normal = {t->normal.x, t->normal.y}};
            }
        }
}
