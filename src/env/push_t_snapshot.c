/* PushT: snapshots.  An instance's memory holds no pointer, so a snapshot is a copy of it with the
 * bodies' motion written in; bodies and shapes are made anew from it. */
#include "push_t_world.h"

#include <math.h>
#include <string.h>

/* One block of numbers, so that they can be checked as such. */
enum { MOTION_NUMBERS = sizeof(uw_push_motion) / sizeof(double) };
static const double most = 1e100; /* far beyond any motion, and its square is still a number */

void uw__push_save(const void *self, void *snapshot) {
    const uw_push_world *world = self;
    unsigned char *motions = (unsigned char *)snapshot + offsetof(uw_push_memory, motion);
    memcpy(snapshot, &world->memory, sizeof world->memory);
    for (int i = 0; i < UW_PUSH_BODIES; i++) {
        const cpBody *b = &world->body[i];
        const uw_push_motion motion = {.p = b->p,
                                       .v = b->v,
                                       .v_bias = b->v_bias,
                                       .a = b->a,
                                       .w = b->w,
                                       .w_bias = b->w_bias,
                                       .transform = b->transform};
        memcpy(motions + sizeof motion * (size_t)i, &motion, sizeof motion);
    }
}

static bool sane_numbers(const double *x, int n) {
    for (int i = 0; i < n; i++)
        if (!(fabs(x[i]) <= most)) return false; /* NaN too */
    return true;
}

static bool spec_ok(const uw_push_spec *s) {
    return s->agent_shape >= UW_PUSH_O && s->agent_shape < UW_PUSH_SHAPES &&
           s->block_shape > UW_PUSH_O && s->block_shape < UW_PUSH_SHAPES && s->agent_scale >= 1 &&
           s->agent_scale <= UW_PUSH_EDGE && s->block_scale >= 1 && s->block_scale <= UW_PUSH_EDGE;
}

static bool touch_ok(const uw_push_touch *t, int32_t num_shapes, int32_t num_touches) {
    if (t->a < 0 || t->b < 0 || t->a >= num_shapes || t->b >= num_shapes || t->count < 0 ||
        t->count > CP_MAX_CONTACTS_PER_ARBITER || t->place < -1 || t->place >= num_touches)
        return false;
    return t->state == UW_PUSH_FIRST || t->state == UW_PUSH_AGAIN || t->state == UW_PUSH_CACHED;
}

/* Whether foreign bytes are a state that can be stepped; world has the bodies of their spec. */
static bool memory_ok(const uw_push_memory *m, int32_t num_shapes) {
    double numbers[MOTION_NUMBERS];
    for (int i = 0; i < UW_PUSH_BODIES; i++) {
        memcpy(numbers, &m->motion[i], sizeof numbers);
        if (!sane_numbers(numbers, MOTION_NUMBERS)) return false;
    }
    if (!sane_numbers(m->goal, UW_PUSH_STATE) || !uw__push_tree_ok(&m->tree, num_shapes))
        return false;
    if (m->num_touches < 0 || m->num_touches > UW_PUSH_MAX_PAIRS) return false;
    for (int32_t i = 0; i < m->num_touches; i++)
        if (!touch_ok(&m->touch[i], num_shapes, m->num_touches)) return false;
    return true;
}

static int32_t shapes_of(const uw_push_spec *spec) {
    uw_push_geometry agent, block;
    uw__push_geometry((uw_push_shape)spec->agent_shape, spec->agent_scale, &agent);
    uw__push_geometry((uw_push_shape)spec->block_shape, spec->block_scale, &block);
    return UW_PUSH_WALLS + (agent.num_parts ? agent.num_parts : 1) + block.num_parts;
}

uw_status uw__push_restore(void *self, const void *snapshot) {
    uw_push_world *world = self;
    uw_push_memory m;
    memcpy(&m, snapshot, sizeof m);
    if (!spec_ok(&m.spec) || !memory_ok(&m, shapes_of(&m.spec))) return UW_EFORMAT;
    const bool same = !memcmp(&m.spec, &world->memory.spec, sizeof m.spec);
    world->memory = m;
    if (!same) uw__push_world_shapes(world);
    for (int i = 0; i < UW_PUSH_BODIES; i++) {
        cpBody *b = &world->body[i];
        b->p = m.motion[i].p;
        b->v = m.motion[i].v;
        b->v_bias = m.motion[i].v_bias;
        b->a = m.motion[i].a;
        b->w = m.motion[i].w;
        b->w_bias = m.motion[i].w_bias;
        b->transform = m.motion[i].transform;
    }
    return UW_OK;
}
