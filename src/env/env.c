/* The registry of worlds, and instances: what holds for every world is checked here, once. */
#include <umwelt/env.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "two_room.h"
#include "variation.h"

enum { MAX_WORLDS = 32, INSTANCE_ALIGN = 64 };

/* Registration is a matter of program start-up (see env.h), so a plain table will do. */
static const uw_env_class *worlds[MAX_WORLDS] = {&uw__two_room};
static const char *names[MAX_WORLDS + 1] = {"two_room"};
static int32_t num_worlds = 1;

struct uw_env {
    const uw_env_class *cls;
    void *self;     /* [cls->instance_bytes], owned, 64-byte aligned */
    double *values; /* [cls->num_values], owned */
};

/* ---- registry ----------------------------------------------------------------------------------
 */

static bool functions_ok(const uw_env_class *c) {
    return c->check && c->reset && c->step && c->get_state && c->set_state && c->set_goal &&
           c->get_goal && c->draw && c->oracle && c->straight && c->sample_task && c->path_length;
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
        (cls->num_factors > 0 && !cls->factors) || !factors_ok(cls))
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
    if (!cls) {
        status = uw_fail(err, UW_ENOTFOUND, "%s: no such world", name);
        const char *near = uw__nearest(name, names, num_worlds);
        if (near)
            uw_err_fix(err, "did you mean %s?", near);
        else
            uw_err_fix(err, "the built-in world is two_room");
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
    status = uw_env_reset(env, 0, NULL, NULL, err); /* every call after this finds a valid state */
done:
    if (status)
        uw_env_free(env);
    else
        *out = env;
    return status;
}

void uw_env_free(uw_env *env) {
    if (!env) return;
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
    env->cls->step(env->self, clipped, out);
    out->clipped = any;
    return UW_OK;
}

void uw_env_get_state(const uw_env *env, float *state) {
    env->cls->get_state(env->self, state);
}

uw_status uw_env_set_state(uw_env *env, const float *state) {
    return env->cls->set_state(env->self, state);
}

void uw_env_get_goal(const uw_env *env, float *goal) {
    env->cls->get_goal(env->self, goal);
}

uw_status uw_env_set_goal(uw_env *env, const float *goal) {
    return env->cls->set_goal(env->self, goal);
}

void uw_env_draw(const uw_env *env, const double *values, const float *state, int32_t size,
                 uint8_t *rgb) {
    if (size < 1 || size > UW_MAX_FRAME_SIZE) return;
    float goal[UW_MAX_STATE_DIM];
    env->cls->get_goal(env->self, goal);
    env->cls->draw(values ? values : env->values, state, goal, size, rgb);
}

void uw_env_render(const uw_env *env, int32_t size, uint8_t *rgb) {
    float state[UW_MAX_STATE_DIM];
    env->cls->get_state(env->self, state);
    uw_env_draw(env, NULL, state, size, rgb);
}

void uw_env_render_goal(const uw_env *env, int32_t size, uint8_t *rgb) {
    float goal[UW_MAX_STATE_DIM];
    env->cls->get_goal(env->self, goal);
    uw_env_draw(env, NULL, goal, size, rgb);
}

const double *uw_env_values(const uw_env *env) {
    return env->values;
}

void *uw_env_self(uw_env *env) {
    return env->self;
}
