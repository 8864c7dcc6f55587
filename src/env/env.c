/* The registry of worlds, and instances: what holds for every world is checked here, once. */
#include <umwelt/env.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "push_t.h"
#include "two_room.h"
#include "variation.h"

enum { MAX_WORLDS = 32, INSTANCE_ALIGN = 64 };

/* Registration is a matter of program start-up (see env.h), so a plain table will do. */
#if defined(UW_CHIPMUNK)
static const uw_env_class *worlds[MAX_WORLDS] = {&uw__two_room, &uw__push_t, &uw__push_t_discrete};
static const char *names[MAX_WORLDS + 1] = {"two_room", "pusht", "pusht_discrete"};
static int32_t num_worlds = 3;
#else
static const uw_env_class *worlds[MAX_WORLDS] = {&uw__two_room};
static const char *names[MAX_WORLDS + 1] = {"two_room"};
static int32_t num_worlds = 1;
#endif

struct uw_env {
    const uw_env_class *cls;
    void *self;     /* [cls->instance_bytes], owned, 64-byte aligned */
    double *values; /* [cls->num_values], owned */
    int64_t steps;  /* since the reset */
    bool ready;     /* init went well: fini is due */
};

/* What a snapshot starts with; then values, then the world's own bytes. */
typedef struct snapshot_head {
    char magic[8];
    char world[48];
    int64_t steps;
    uint64_t bytes; /* of the whole snapshot */
} snapshot_head;
static const char snapshot_magic[8] = "uw-snap";

/* ---- registry ----------------------------------------------------------------------------------
 */

static bool functions_ok(const uw_env_class *c) {
    return c->reset && c->step && c->get_state && c->set_state && c->set_goal &&
           c->get_goal && c->draw && c->oracle && c->straight && c->sample_task &&
           !c->init == !c->fini && !c->save == !c->restore && (!c->save || c->snapshot_bytes);
}

static bool readings_ok(const uw_env_class *c) {
    if (c->num_readings < 0 || c->num_readings > UW_MAX_READINGS) return false;
    if (c->num_readings > 0 && (!c->readings || !c->read)) return false;
    for (int32_t i = 0; i < c->num_readings; i++)
        if (!c->readings[i].name || c->readings[i].dim < 1 || c->readings[i].dim > UW_MAX_STATE_DIM)
            return false;
    return true;
}

static bool factors_ok(const uw_env_class *c) {
    if (c->num_factors < 0 || c->num_factors > UW_MAX_FACTOR_VALUES) return false;
    int32_t offset = 0;
    for (int32_t i = 0; i < c->num_factors; i++) {
        const uw_factor *f = &c->factors[i];
        if (!f->name || (i > 0 && strcmp(c->factors[i - 1].name, f->name) >= 0)) return false;
        if (f->dim < 1 || f->dim > UW_MAX_FACTOR_DIM || f->offset != offset) return false;
        for (int32_t k = 0; k < f->dim; k++)
            if (!(f->low[k] <= f->init[k] && f->init[k] <= f->high[k])) return false;
        offset += f->dim;
    }
    return offset == c->num_values && offset <= UW_MAX_FACTOR_VALUES;
}

uw_status uw_env_register(const uw_env_class *cls) {
    if (!cls || !cls->name || !cls->name[0] || !functions_ok(cls)) return UW_EINVAL;
    if (cls->action_dim < 1 || cls->action_dim > UW_MAX_ACTION_DIM || cls->state_dim < 1 ||
        cls->state_dim > UW_MAX_STATE_DIM || cls->instance_bytes == 0 ||
        (cls->num_factors > 0 && !cls->factors) || !factors_ok(cls) || !readings_ok(cls))
        return UW_EINVAL;
    if (uw_env_find(cls->name)) return UW_EEXIST;
    if (num_worlds == MAX_WORLDS) return UW_ENOMEM;
    worlds[num_worlds] = cls;
    names[num_worlds++] = cls->name;
    return UW_OK;
}

const uw_env_class *uw_env_find(const char *name) {
    for (int32_t i = 0; name && i < num_worlds; i++)
        if (!strcmp(names[i], name)) return worlds[i];
    return NULL;
}

const char *const *uw_env_names(void) {
    return names;
}

const uw_factor *uw_env_factor(const uw_env_class *cls, const char *name, const char **nearest) {
    const char *known[UW_MAX_FACTOR_VALUES];
    for (int32_t i = 0; i < cls->num_factors; i++) {
        if (!strcmp(cls->factors[i].name, name)) return &cls->factors[i];
        known[i] = cls->factors[i].name;
    }
    if (nearest) *nearest = uw__nearest(name, known, cls->num_factors);
    return NULL;
}

/* ---- instances ---------------------------------------------------------------------------------
 */

uw_status uw_env_new(const char *name, uw_env **out, uw_err *err) {
    *out = NULL;
    uw_status status = UW_OK;
    uw_env *env = NULL;
    const uw_env_class *cls = uw_env_find(name);
#if !defined(UW_CHIPMUNK)
    if (!cls && (!strcmp(name, "pusht") || !strcmp(name, "pusht_discrete"))) {
        status = uw_fail(err, UW_EUNSUPPORTED, "%s: this build has no Chipmunk2D", name);
        uw_err_fix(err, "install libchipmunk-dev and build with -DUW_CHIPMUNK=ON");
        goto done;
    }
#endif
    if (!cls) {
        status = uw_fail(err, UW_ENOTFOUND, "%s: no such world", name);
        const char *near = uw__nearest(name, names, num_worlds);
        if (near)
            uw_err_fix(err, "did you mean %s?", near);
        else
            uw_err_fix(err, "the built-in worlds are two_room, pusht and pusht_discrete");
        goto done;
    }
    env = calloc(1, sizeof *env);
    if (env) {
        env->cls = cls;
        env->values = calloc((size_t)cls->num_values + 1, sizeof *env->values);
        const size_t bytes =
            (cls->instance_bytes + INSTANCE_ALIGN - 1) / INSTANCE_ALIGN * INSTANCE_ALIGN;
        env->self = aligned_alloc(INSTANCE_ALIGN, bytes);
        if (env->self) memset(env->self, 0, bytes);
    }
    if (!env || !env->values || !env->self) {
        status = uw_fail(err, UW_ENOMEM, "%s: no memory for an instance of %zu bytes", name,
                         cls->instance_bytes);
        goto done;
    }
    if (cls->init) status = cls->init(env->self, err);
    env->ready = !status;
    if (!status)
        status = uw_env_reset(env, 0, NULL, NULL, err); /* later calls find a valid state */
done:
    if (status)
        uw_env_free(env);
    else
        *out = env;
    return status;
}

void uw_env_free(uw_env *env) {
    if (!env) return;
    if (env->ready && env->cls->fini) env->cls->fini(env->self);
    free(env->self);
    free(env->values);
    free(env);
}

const uw_env_class *uw_env_class_of(const uw_env *env) {
    return env->cls;
}

uw_status uw_env_reset(uw_env *env, uint64_t seed, const double *values, const bool *fixed,
                       uw_err *err) {
    const uw_env_class *cls = env->cls;
    double defaults[UW_MAX_FACTOR_VALUES];
    if (!values) {
        uw_env_default_values(cls, defaults);
        values = defaults;
    }
    uw_status status = uw__values_check(cls, values, fixed, err);
    if (status) return status;
    status = cls->reset(env->self, seed, values, fixed, err);
    if (status) return status;
    memcpy(env->values, values, (size_t)cls->num_values * sizeof *values);
    env->steps = 0;
    return UW_OK;
}

uw_status uw_env_step(uw_env *env, const float *action, uw_step *out) {
    const int32_t dim = env->cls->action_dim;
    float clipped[UW_MAX_ACTION_DIM];
    bool any = false;
    for (int32_t i = 0; i < dim; i++) {
        if (!isfinite(action[i])) return UW_ENONFINITE;
        clipped[i] = fminf(fmaxf(action[i], -1.0f), 1.0f);
        any |= clipped[i] != action[i];
    }
    *out = (uw_step){0};
    env->cls->step(env->self, env->cls->takes_any_action ? action : clipped, out);
    out->clipped = any;
    env->steps++;
    return UW_OK;
}

int64_t uw_env_steps(const uw_env *env) {
    return env->steps;
}

void uw_env_get_state(const uw_env *env, double *state) {
    env->cls->get_state(env->self, state);
}

uw_status uw_env_set_state(uw_env *env, const double *state) {
    return env->cls->set_state(env->self, state);
}

void uw_env_get_goal(const uw_env *env, double *goal) {
    env->cls->get_goal(env->self, goal);
}

uw_status uw_env_set_goal(uw_env *env, const double *goal) {
    return env->cls->set_goal(env->self, goal);
}

void uw_env_read(const uw_env *env, double *readings) {
    if (env->cls->num_readings > 0) env->cls->read(env->self, readings);
}

/* ---- snapshots ---------------------------------------------------------------------------------
 */

static size_t own_bytes(const uw_env_class *cls) {
    return cls->save ? cls->snapshot_bytes : cls->instance_bytes;
}

size_t uw_env_snapshot_bytes(const uw_env *env) {
    return sizeof(snapshot_head) + (size_t)env->cls->num_values * sizeof(double) +
           own_bytes(env->cls);
}

void uw_env_save(const uw_env *env, void *snapshot) {
    const size_t values = (size_t)env->cls->num_values * sizeof(double);
    snapshot_head head = {.steps = env->steps, .bytes = uw_env_snapshot_bytes(env)};
    memcpy(head.magic, snapshot_magic, sizeof head.magic);
    snprintf(head.world, sizeof head.world, "%s", env->cls->name);
    unsigned char *to = snapshot;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, env->values, values);
    if (env->cls->save)
        env->cls->save(env->self, to + sizeof head + values);
    else
        memcpy(to + sizeof head + values, env->self, env->cls->instance_bytes);
}

uw_status uw_env_restore(uw_env *env, const void *snapshot, size_t bytes, uw_err *err) {
    const uw_env_class *cls = env->cls;
    const size_t values = (size_t)cls->num_values * sizeof(double);
    const unsigned char *from = snapshot;
    snapshot_head head;
    if (bytes < sizeof head || (memcpy(&head, from, sizeof head),
                                memcmp(head.magic, snapshot_magic, sizeof head.magic) != 0))
        return uw_fail(err, UW_EFORMAT, "%s: snapshot: wanted one of this library", cls->name);
    head.world[sizeof head.world - 1] = '\0';
    if (strncmp(head.world, cls->name, sizeof head.world - 1) != 0)
        return uw_fail(err, UW_ESHAPE, "%s: snapshot: of another world, %s", cls->name, head.world);
    if (bytes != head.bytes || bytes != uw_env_snapshot_bytes(env) || head.steps < 0)
        return uw_fail(err, UW_EFORMAT, "%s: snapshot: wanted %zu bytes, got %zu", cls->name,
                       uw_env_snapshot_bytes(env), bytes);
    double kept[UW_MAX_FACTOR_VALUES] = {0};
    memcpy(kept, from + sizeof head, values);
    uw_status status = uw__values_check(cls, kept, NULL, err);
    if (status) return status;
    const unsigned char *own = from + sizeof head + values;
    if (cls->restore)
        status = cls->restore(env->self, own);
    else
        memcpy(env->self, own, cls->instance_bytes);
    if (status) return uw_fail(err, status, "%s: snapshot: not a state of this world", cls->name);
    memcpy(env->values, kept, values);
    env->steps = head.steps;
    return UW_OK;
}

/* ---- pictures ----------------------------------------------------------------------------------
 */

void uw_env_draw(const uw_env *env, const double *values, const double *state, int32_t size,
                 uint8_t *rgb) {
    if (size < 1 || size > UW_MAX_FRAME_SIZE) return;
    double goal[UW_MAX_STATE_DIM];
    env->cls->get_goal(env->self, goal);
    env->cls->draw(values ? values : env->values, state, goal, env->steps, size, rgb);
}

void uw_env_render(const uw_env *env, int32_t size, uint8_t *rgb) {
    if (size < 1 || size > UW_MAX_FRAME_SIZE) return;
    if (env->cls->render) {
        env->cls->render(env->self, env->values, env->steps, size, rgb);
        return;
    }
    double state[UW_MAX_STATE_DIM];
    env->cls->get_state(env->self, state);
    uw_env_draw(env, NULL, state, size, rgb);
}

void uw_env_render_goal(const uw_env *env, int32_t size, uint8_t *rgb) {
    double goal[UW_MAX_STATE_DIM];
    env->cls->get_goal(env->self, goal);
    uw_env_draw(env, NULL, goal, size, rgb);
}

const double *uw_env_values(const uw_env *env) {
    return env->values;
}

void *uw_env_self(uw_env *env) {
    return env->self;
}
