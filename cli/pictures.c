/* Pictures of a world's factors, one strip per factor: what a value does to the scene. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    EDGE = 112,     /* px of a frame */
    GAP = 4,        /* px of white between frames */
    FRAMES = 5,     /* smallest, default, largest, two draws; a colour: default and four draws */
    MAX_WORDS = 8,  /* values of a whole number that are all shown */
    PUSHES = 3,     /* env steps before a frame where only motion tells */
    DISCS = 6,
    PLACE_SEED = 3, /* of starts, of motion and of draws */
};

/* A value that another factor needs to be seen at all. */
typedef struct prop {
    const char *for_prefix, *factor;
    double value[UW_MAX_FACTOR_DIM];
} prop;
static const prop props[] = {
    {"target.", "rendering.render_target", {1}},
    {"distractor.", "distractor.number", {DISCS}},
    {"texture.", "texture.strength", {1}},
    {"door.position", "door.number", {3}},
    {"door.size", "door.number", {3}},
    {"door.size", "door.position", {49, 112, 175}},
    {"door.number", "door.position", {49, 112, 175}},
    {"agent.angle", "agent.shape", {2}}, /* a T: nothing shows how a disc is turned */
};

static void set_props(const uw_env_class *world, const uw_factor *f, uw_variation *v) {
    for (size_t i = 0; i < sizeof props / sizeof props[0]; i++) {
        const uw_factor *other = uw_env_factor(world, props[i].factor, NULL);
        if (strncmp(f->name, props[i].for_prefix, strlen(props[i].for_prefix)) != 0 || !other || other == f) continue;
        v->mode[other - world->factors] = UW_VARY_FIXED;
        memcpy(v->value[other - world->factors], props[i].value, sizeof props[i].value);
    }
}

/* Frames of a strip: every value of a short whole number, else FRAMES. */
static int32_t count_frames(const uw_factor *f) {
    const double values = f->high[0] - f->low[0] + 1;
    return f->kind == UW_FACTOR_INT && f->dim == 1 && values <= MAX_WORDS ? (int32_t)values : FRAMES;
}

/* What frame k of a factor's strip shows; false when it is drawn from the range. */
static bool frame_value(const uw_factor *f, int32_t k, double *value) {
    const bool every = count_frames(f) != FRAMES || (f->kind == UW_FACTOR_INT && f->high[0] - f->low[0] + 1 == FRAMES);
    const double *ends[] = {f->low, f->init, f->high};
    if (f->kind == UW_FACTOR_COLOR && k > 0) return false;
    if (!every && f->kind != UW_FACTOR_COLOR && k > 2) return false;
    for (int32_t i = 0; i < f->dim; i++)
        value[i] = f->kind == UW_FACTOR_COLOR ? f->init[i] : every ? f->low[i] + k : ends[k][i];
    return true;
}

/* Fix or free the starts and goals: where the world has them by default, or where a reset puts them. */
static void set_places(const uw_env_class *world, bool fix, const uw_factor *but, uw_variation *v) {
    for (int32_t i = 0; i < world->num_factors; i++) {
        const uw_factor *f = &world->factors[i];
        if (!f->placed || f == but) continue;
        v->mode[i] = fix ? UW_VARY_FIXED : UW_VARY_DEFAULT;
        memcpy(v->value[i], f->init, sizeof v->value[i]);
    }
}

static uw_status begin(const uw_env_class *world, uw_env *env, const uw_variation *v, double *values, uw_err *err) {
    bool fixed[UW_MAX_FACTOR_VALUES];
    const uw_status s = uw_variation_resolve(world, v, PLACE_SEED, 0, values, fixed, err);
    return s ? s : uw_env_reset(env, PLACE_SEED, values, fixed, err);
}

/* Begin an episode under v, with the default starts if the rules let it.  A value that no episode may have
 * with the other defaults is only drawn, over the default state: *values says how. */
static uw_status begin_or_pretend(const uw_env_class *world, uw_env *env, const uw_factor *f, uw_variation *v,
                                  double *values, uw_err *err) {
    set_places(world, true, f, v);
    if (!begin(world, env, v, values, err)) return UW_OK;
    set_places(world, false, f, v);
    if (!begin(world, env, v, values, err)) return UW_OK;
    uw_variation plain = {.mode = {UW_VARY_DEFAULT}};
    set_places(world, true, NULL, &plain);
    const uw_status s = begin(world, env, &plain, values, err);
    for (int32_t i = 0; i < world->num_factors; i++)
        if (v->mode[i] == UW_VARY_FIXED)
            memcpy(values + world->factors[i].offset, v->value[i], (size_t)world->factors[i].dim * sizeof *values);
    return s;
}

static uw_status draw_frame(const uw_env_class *world, uw_env *env, const uw_factor *f, int32_t k, uint8_t *rgb,
                            uw_err *err) {
    const ptrdiff_t at = f - world->factors;
    uw_variation v = {.mode = {UW_VARY_DEFAULT}};
    double values[UW_MAX_FACTOR_VALUES], state[UW_MAX_STATE_DIM];
    set_props(world, f, &v);
    v.mode[at] = UW_VARY_FIXED;
    if (!frame_value(f, k, v.value[at])) {
        uw_variation one = {.mode = {UW_VARY_DEFAULT}};
        bool fixed[UW_MAX_FACTOR_VALUES];
        one.mode[at] = UW_VARY_SAMPLE;
        const uw_status s = uw_variation_resolve(world, &one, PLACE_SEED, (uint64_t)k, values, fixed, err);
        if (s) return s;
        memcpy(v.value[at], values + f->offset, (size_t)f->dim * sizeof *values);
    }
    const uw_status s = begin_or_pretend(world, env, f, &v, values, err);
    if (s) return s;
    float push[UW_MAX_ACTION_DIM] = {0.8f, -0.4f};
    uw_step step;
    const bool by_motion = f->affects_motion && !f->affects_picture;
    const int32_t steps = by_motion || !strcmp(f->name, "distractor.speed") ? PUSHES : 0;
    for (int32_t t = 0; t < steps; t++) {
        if (!by_motion) push[0] = push[1] = 0.0f;
        if (uw_env_step(env, push, &step)) return uw_fail(err, UW_ENONFINITE, "%s: %s", world->name, f->name);
    }
    uw_env_get_state(env, state);
    uw_env_draw(env, values, state, EDGE, rgb);
    return UW_OK;
}

static uw_status write_strip(cli *c, const uw_env_class *world, uw_env *env, const uw_factor *f, const char *folder,
                             uw_err *err) {
    const int32_t frames = count_frames(f), width = frames * (EDGE + GAP) - GAP;
    const size_t stride = (size_t)width * 3, row = (size_t)EDGE * 3;
    uint8_t *strip = malloc(stride * EDGE), *frame = malloc(row * EDGE);
    uw_status s = strip && frame ? UW_OK : uw_fail(err, UW_ENOMEM, "%s: no memory for pictures", world->name);
    char path[700];
    if (!s) memset(strip, 255, stride * EDGE);
    for (int32_t k = 0; !s && k < frames; k++) {
        s = draw_frame(world, env, f, k, frame, err);
        for (int32_t y = 0; !s && y < EDGE; y++)
            memcpy(strip + (size_t)y * stride + (size_t)k * (row + GAP * 3), frame + (size_t)y * row, row);
    }
    snprintf(path, sizeof path, "%.600s/%s.png", folder, f->name);
    if (!s) s = uw_png_write(path, strip, width, EDGE, c->force, err);
    free(strip);
    free(frame);
    return s;
}

uw_status cli_world_pictures(cli *c, const uw_env_class *world, const char *folder, uw_err *err) {
    uw_env *env = NULL;
    if (mkdir(folder, 0777) && errno != EEXIST)
        return uw_fail(err, UW_EIO, "%s: cannot make the folder: %s", folder, strerror(errno));
    uw_status s = uw_env_new(world->name, &env, err);
    for (int32_t i = 0; !s && i < world->num_factors; i++)
        s = write_strip(c, world, env, &world->factors[i], folder, err);
    uw_env_free(env);
    if (!s) cli_say(c, "  pictures: %s/FACTOR.png\n", folder);
    return s;
}
