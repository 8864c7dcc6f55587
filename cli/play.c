/* Playing a world: one tick, the dream beside it, the panels of a picture. */
#include "play.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MEMORIES = 8192, DEFAULT_SIZE = 224 };

/* ---- opening ------------------------------------------------------------------------------------- */

/* Everything that plays on a model: imagination, and the planner that may drive. */
static uw_status open_model(play *p, const uw_planner_options *planner, const char *data, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(p->model);
    const uw_provenance *origin = uw_model_provenance(p->model);
    if (config->image_size == 0)
        return uw_fail(err, UW_ESHAPE, "%s: wanted a model of pictures, got one of columns", p->c->args[0]);
    if (config->action_dim != p->world->action_dim)
        return uw_fail(err, UW_ESHAPE, "%s: action, wanted %d numbers as world %s has, got %d", p->c->args[0],
                       p->world->action_dim, p->world->name, config->action_dim);
    p->repeat = origin->action_repeat > 0 ? origin->action_repeat : 1;
    p->frameskip = config->frameskip;
    p->history = config->history_size;
    uw_controller_options o = {.planner = UW_PLANNER_OPTIONS_DEFAULT};
    o.planner = *planner;
    uw_status s = cli_guide_make(p->c, cli_str(p->c, "solver", NULL), cli_policy_first(p->c), p->model, 0, 0, &p->guide,
                                 err);
    if (!s) s = cli_pilot_init(p->c, p->model, &o, &p->pilot);
    if (s) return s;
    cli_guide_planner(&p->guide, uw_controller_planner(p->pilot.controller));
    const size_t frame = (size_t)config->image_size * (size_t)config->image_size * 3;
    const size_t a = (size_t)p->pilot.dynamics.dims.action_dim, d = (size_t)p->pilot.dynamics.dims.latent_dim;
    p->frame = malloc(frame);
    p->dream = calloc(frame, 1);
    p->block = calloc(a, sizeof(float));
    p->plan = calloc(a, sizeof(float));
    p->window = calloc((size_t)p->history * d, sizeof(float));
    p->past = calloc((size_t)p->history * a, sizeof(float));
    p->next = calloc(d, sizeof(float));
    if (!p->frame || !p->dream || !p->block || !p->plan || !p->window || !p->past ||
        !p->next)
        return UW_ENOMEM;
    return data ? uw_memories_load(p->c->ctx, p->model, data, MAX_MEMORIES, &p->memories, err) : UW_OK;
}

int play_open(cli *c, const char *what, const char *data, int32_t size, play *out) {
    *out = (play){.c = c, .size = size ? size : DEFAULT_SIZE, .repeat = 1, .frameskip = 1, .seed = c->seed};
    uw_err err = {0};
    uw_status s = UW_OK;
    out->world = uw_env_find(what);
    if (!out->world) {
        s = uw_model_load(what, &out->model, &err);
        if (s == UW_ENOTFOUND) return cli_name(c, "model file, and no world", what, uw_env_names());
        if (s) return cli_fail(c, s, &err);
        const char *env = uw_model_provenance(out->model)->env;
        out->world = uw_env_find(cli_str(c, "env", env && *env ? env : ""));
        if (!out->world)
            return cli_usage(c, "--env", "umwelt play MODEL --env two_room",
                             "the model does not name a world, wanted one to play in");
    } else if (data) {
        return cli_usage(c, "--data", "umwelt play MODEL --data experience.uw",
                         "memories need a model that dreams, got a world");
    }
    bool varied;
    uw_planner_options planner = UW_PLANNER_OPTIONS_DEFAULT;
    int code = cli_variation(c, out->world, &out->variation, &varied);
    if (!code) code = cli_planner(c, &planner);
    if (!code) code = cli_guide_check(c, cli_str(c, "solver", NULL), NULL);
    if (code) return code;
    if (!s) s = uw_env_new(out->world->name, &out->env, &err);
    if (!s && out->model) s = open_model(out, &planner, data, &err);
    if (s) return cli_fail(c, s, &err);
    s = play_reset(out);
    return s ? cli_fail(c, s, &out->err) : CLI_OK;
}

void play_close(play *p) {
    uw_env_free(p->env);
    uw_memories_unload(p->memories);
    cli_pilot_free(&p->pilot);
    cli_guide_free(&p->guide);
    free(p->frame);
    free(p->dream);
    free(p->block);
    free(p->plan);
    free(p->window);
    free(p->past);
    free(p->next);
    uw_model_unload(p->model);
}

/* ---- ticks --------------------------------------------------------------------------------------- */

/* Show the memory nearest to an imagined latent. */
static uw_status remember(play *p, const float *z) {
    if (!p->memories) return UW_OK;
    return uw_memories_frame(p->memories, uw_memories_nearest(p->memories, z), p->dream, &p->err);
}

uw_status play_wake(play *p) {
    if (!p->model) return UW_OK;
    uw_env_render(p->env, uw_model_config_of(p->model)->image_size, p->frame);
    uw_status s = p->pilot.dynamics.encode(p->pilot.dynamics.self, p->frame, p->window);
    p->num_window = 1;
    p->rows_done = 0;
    return s ? s : remember(p, p->window);
}

uw_status play_reset(play *p) {
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    /* the reference's world of this seed, or where that draw breaks a rule, one that keeps them all */
    uw_status s = uw_variation_sample(p->world, &p->variation, p->seed, values, fixed, &p->err);
    if (s) s = uw_variation_resolve(p->world, &p->variation, p->seed, 0, values, fixed, &p->err);
    if (!s) s = uw_env_reset(p->env, p->seed, values, fixed, &p->err);
    if (!s && p->model) {
        uw_controller_reset(p->pilot.controller, p->seed);
        uw_env_render_goal(p->env, uw_model_config_of(p->model)->image_size, p->frame);
        s = uw_controller_set_goal(p->pilot.controller, p->frame);
    }
    if (s) return s;
    if (p->model) memset(p->past, 0, (size_t)p->history * (size_t)p->pilot.dynamics.dims.action_dim * sizeof(float));
    p->seed++;
    p->last = (uw_step){.distance = NAN};
    return play_wake(p);
}

/* The decision is complete: the dream takes it in one step. */
static uw_status dream_on(play *p) {
    const size_t d = (size_t)p->pilot.dynamics.dims.latent_dim, a = (size_t)p->pilot.dynamics.dims.action_dim;
    const uw_dynamics *model = &p->pilot.dynamics;
    const uw_status s = model->rollout(model->self, p->window, p->num_window, p->past, p->block, 1, 1, p->next);
    if (s) return s;
    if (p->num_window == p->history) { /* the oldest goes */
        memmove(p->window, p->window + d, (size_t)(p->history - 1) * d * sizeof(float));
        memmove(p->past, p->past + a, (size_t)(p->history - 1) * a * sizeof(float));
        p->num_window--;
    }
    if (p->num_window > 0 || model->dims.lead)
        memcpy(p->past + (size_t)(p->num_window - 1 + model->dims.lead) * a, p->block, a * sizeof(float));
    memcpy(p->window + (size_t)p->num_window * d, p->next, d * sizeof(float));
    p->num_window++;
    return remember(p, p->next);
}

static uw_status drive(play *p) {
    if (p->rows_done > 0) return UW_OK; /* the decision under way is carried out first */
    uw_env_render(p->env, uw_model_config_of(p->model)->image_size, p->frame);
    return uw_controller_act(p->pilot.controller, p->frame, p->plan, NULL);
}

uw_status play_tick(play *p, const float *action) {
    const int32_t dim = p->world->action_dim;
    float now[UW_MAX_ACTION_DIM];
    uw_status s = UW_OK;
    memcpy(now, action, (size_t)dim * sizeof *now);
    if (p->autopilot && p->model) {
        s = drive(p);
        memcpy(now, p->plan + p->rows_done * dim, (size_t)dim * sizeof *now);
    }
    bool reached = p->last.success;
    for (int32_t k = 0; k < p->repeat && !s; k++) {
        s = uw_env_step(p->env, now, &p->last);
        p->clipped += p->last.clipped;
        p->successes += p->last.success && !reached;
        reached = p->last.success;
    }
    p->ticks++;
    if (!s && p->model) {
        memcpy(p->block + p->rows_done * dim, now, (size_t)dim * sizeof *now);
        p->rows_done = (p->rows_done + 1) % p->frameskip;
        if (p->rows_done == 0) s = dream_on(p);
    }
    return s;
}

/* ---- pictures ------------------------------------------------------------------------------------ */

int32_t play_panels(const play *p) {
    return p->memories ? 3 : 2;
}

/* Copy a square picture, nearest pixel, into one of another size. */
static void resample(const uint8_t *from, int32_t from_size, int32_t size, uint8_t *rgb, size_t stride) {
    for (int32_t y = 0; y < size; y++) {
        const uint8_t *row = from + (size_t)(y * from_size / size) * (size_t)from_size * 3;
        for (int32_t x = 0; x < size; x++)
            memcpy(rgb + (size_t)y * stride + 3 * (size_t)x, row + 3 * (size_t)(x * from_size / size), 3);
    }
}

void play_panel(const play *p, int32_t i, int32_t size, uint8_t *rgb, size_t stride) {
    if (i == 2 && p->memories) {
        resample(p->dream, uw_memories_size(p->memories), size, rgb, stride);
        return;
    }
    static uint8_t picture[UW_MAX_FRAME_SIZE * UW_MAX_FRAME_SIZE * 3];
    if (i == 0)
        uw_env_render(p->env, size, picture);
    else
        uw_env_render_goal(p->env, size, picture);
    resample(picture, size, size, rgb, stride);
}

void play_status(const play *p, char *text, size_t size) {
    char distance[32] = "";
    if (isfinite(p->last.distance))
        snprintf(distance, sizeof distance, "  distance %.1f", (double)p->last.distance);
    snprintf(text, size, "step %lld%s%s%s", (long long)uw_env_steps(p->env), distance,
             p->last.success ? "  reached" : "", p->autopilot ? "  autopilot" : "");
}

void play_result(const play *p) {
    json_object_update_new(p->c->result, json_pack("{s:s,s:I,s:I,s:I}", "env", p->world->name, "ticks",
                                                   (json_int_t)p->ticks, "clipped", (json_int_t)p->clipped,
                                                   "successes", (json_int_t)p->successes));
}
