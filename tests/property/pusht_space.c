/* PushT's table against Chipmunk's own space: the same bodies, shapes and steps, side by side.
 *
 * The table looks at pairs in the space's order and remembers contacts as the space does; if it did
 * not, the two would part within a few pushes.  Every shape of block and agent, overlaps and
 * teleports included. (Making a cpSpace prints two lines: the reason that the library makes none.)
 */
#include "check.h"

#include <math.h>

#include "push_t_world.h"
#include "rng.h"

enum { EPISODES = 84, STEPS = 60 };

/* The same world as Chipmunk's users make it. */
typedef struct twin {
    cpSpace *space;
    cpBody *agent, *block;
    cpShape *shape[UW_PUSH_MAX_SHAPES];
    int num_shapes;
} twin;

static void add_shape(twin *t, cpShape *shape) {
    t->shape[t->num_shapes++] = cpSpaceAddShape(t->space, shape);
}

static cpBody *add_body(twin *t, int32_t shape, double scale, const double *at, double angle) {
    uw_push_geometry g;
    uw__push_geometry((uw_push_shape)shape, scale, &g);
    cpBody *body = g.num_parts ? cpBodyNew(1.0, g.moment) : cpBodyNewKinematic();
    cpShape *parts[UW_PUSH_MAX_PARTS];
    for (int i = 0; i < g.num_parts; i++) {
        cpVect hull[UW_PUSH_MAX_HULL];
        for (int k = 0; k < g.corners[i]; k++) hull[k] = cpv(g.hull[i][k][0], g.hull[i][k][1]);
        parts[i] = cpPolyShapeNew(body, g.corners[i], hull, cpTransformIdentity, 0.0);
    }
    if (g.num_parts) cpBodySetCenterOfGravity(body, cpv(g.center[0], g.center[1]));
    cpBodySetPosition(body, cpv(at[0], at[1]));
    if (g.num_parts) cpBodySetAngle(body, angle);
    cpSpaceAddBody(t->space, body);
    if (g.num_parts == 0) add_shape(t, cpCircleShapeNew(body, g.radius, cpvzero));
    for (int i = 0; i < g.num_parts; i++) add_shape(t, parts[i]);
    return body;
}

static void twin_init(twin *t, const double *values) {
    static const double ends[UW_PUSH_WALLS][4] = {
        {5, 506, 5, 5}, {5, 5, 506, 5}, {506, 5, 506, 506}, {5, 506, 506, 506}};
    *t = (twin){.space = cpSpaceNew()};
    cpSpaceSetDamping(t->space, 0.0);
    for (int i = 0; i < UW_PUSH_WALLS; i++)
        add_shape(t, cpSegmentShapeNew(cpSpaceGetStaticBody(t->space), cpv(ends[i][0], ends[i][1]),
                                       cpv(ends[i][2], ends[i][3]), 2.0));
    t->agent = add_body(t, (int32_t)values[UW_PUSH_AGENT_SHAPE], values[UW_PUSH_AGENT_SCALE],
                        values + UW_PUSH_AGENT_START, values[UW_PUSH_AGENT_ANGLE]);
    t->block = add_body(t, (int32_t)values[UW_PUSH_BLOCK_SHAPE], values[UW_PUSH_BLOCK_SCALE],
                        values + UW_PUSH_BLOCK_START, values[UW_PUSH_BLOCK_ANGLE]);
}

static void twin_fini(twin *t) {
    for (int i = 0; i < t->num_shapes; i++) {
        cpSpaceRemoveShape(t->space, t->shape[i]);
        cpShapeFree(t->shape[i]);
    }
    cpBody *const bodies[] = {t->agent, t->block};
    for (int i = 0; i < 2; i++) {
        cpSpaceRemoveBody(t->space, bodies[i]);
        cpBodyFree(bodies[i]);
    }
    cpSpaceFree(t->space);
}

static void twin_set(twin *t, const double *s) {
    cpBodySetVelocity(t->agent, cpv(s[5], s[6]));
    cpBodySetPosition(t->agent, cpv(s[0], s[1]));
    cpBodySetAngle(t->block, s[4]);
    cpBodySetPosition(t->block, cpv(s[2], s[3]));
    cpSpaceStep(t->space, 0.01);
}

static bool same_body(const cpBody *a, const cpBody *b) {
    return a->p.x == b->p.x && a->p.y == b->p.y && a->v.x == b->v.x && a->v.y == b->v.y &&
           a->a == b->a && a->w == b->w;
}

/* Compare bodies and the solved contacts, in the solver's order. */
static void compare(const uw_push_world *world, const twin *t, int episode, int row) {
    if (!same_body(&world->body[UW_PUSH_AGENT], t->agent) ||
        !same_body(&world->body[UW_PUSH_BLOCK], t->block))
        fail_msg("episode %d, physics step %d: bodies differ", episode, row);
    uw_push_view view;
    uw__push_world_contacts(world, &view);
    int n = 0;
    for (int i = 0; i < t->space->arbiters->num; i++) {
        const cpArbiter *arb = t->space->arbiters->arr[i];
        for (int k = 0; k < arb->count; k++, n++) {
            const cpVect a = cpvadd(arb->body_a->p, arb->contacts[k].r1);
            if (n >= view.num_contacts || view.contacts[n].a[0] != a.x ||
                view.contacts[n].a[1] != a.y)
                fail_msg("episode %d, physics step %d: contact %d differs", episode, row, n);
        }
    }
    assert_int_equal(n, view.num_contacts);
}

static double between(uw_rng *rng, double low, double high) {
    return low + uw__rng_uniform64(rng) * (high - low);
}

/* Every block shape with every agent shape, at a scale of its own. */
static void draw_values(uw_rng *rng, int episode, double *values) {
    uw_env_default_values(&uw__push_t, values);
    values[UW_PUSH_BLOCK_SHAPE] = 1 + episode % 7;
    values[UW_PUSH_AGENT_SHAPE] = episode < EPISODES / 3 ? 0 : episode / 7 % 8;
    values[UW_PUSH_AGENT_SCALE] = (double)(float)between(rng, 20, 60);
    values[UW_PUSH_BLOCK_SCALE] = (double)(float)between(rng, 20, 60);
    values[UW_PUSH_AGENT_ANGLE] = between(rng, -6, 6);
    values[UW_PUSH_BLOCK_ANGLE] = between(rng, -6, 6);
    for (int i = 0; i < 2; i++) {
        values[UW_PUSH_AGENT_START + i] = between(rng, 50, 450);
        values[UW_PUSH_BLOCK_START + i] = between(rng, 100, 400);
    }
}

static void draw_state(uw_rng *rng, const double *block, double *state) {
    for (int i = 0; i < 2; i++) {
        state[2 + i] = between(rng, 60, 440);
        state[i] = block ? state[2 + i] + between(rng, -30, 30) : between(rng, 50, 450);
        state[5 + i] = between(rng, -200, 200);
    }
    state[4] = between(rng, -9, 9);
}

static void test_same_as_space(void **state) {
    (void)state;
    const uint64_t seed = check_seed(3);
    static uw_push_world world;
    int64_t touching = 0, crowded = 0;
    for (int e = 0; e < EPISODES; e++) {
        uw_rng rng = uw__rng(seed, UW_STREAM_TEST, (uint64_t)e);
        double values[UW_MAX_FACTOR_VALUES], set[UW_PUSH_STATE];
        twin other;
        draw_values(&rng, e, values);
        uw__push_world_build(&world, values);
        twin_init(&other, values);
        for (int t = 0; t < STEPS; t++) {
            double now[UW_PUSH_STATE], action[2], target[2];
            if (t % 25 == 0) { /* now and then into the block */
                draw_state(&rng, t % 50 == 25 ? set : NULL, set);
                uw__push_set(&world, set);
                twin_set(&other, set);
            }
            uw__push_state(&world, now);
            for (int i = 0; i < 2; i++) /* about the block, hard */
                action[i] = (now[2 + i] - now[i]) / 100 + between(&rng, -2, 2);
            uw__push_target(&world, action, e % 2 == 1, target);
            for (int k = 0; k < UW_PUSH_SUBSTEPS; k++) {
                uw__push_steer(&world, target, e % 2 == 1);
                const cpVect v = world.body[UW_PUSH_AGENT].v;
                cpBodySetVelocity(other.agent, v);
                uw__push_world_step(&world);
                cpSpaceStep(other.space, 0.01);
                compare(&world, &other, e, t * UW_PUSH_SUBSTEPS + k);
                touching += other.space->arbiters->num > 0;
                crowded += other.space->arbiters->num > 2;
            }
        }
        twin_fini(&other);
    }
    print_message("seed %d: %d physics steps in contact, %d with three pairs or more\n", (int)seed,
                  (int)touching, (int)crowded);
    assert_true(touching > EPISODES * STEPS && crowded > EPISODES);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_space)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
