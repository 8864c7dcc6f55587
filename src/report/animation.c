/* The animation: one row per episode, of the goal picture, what happened, and the remembered frame
 * nearest to what the model imagined for the decision being carried out.
 *
 * A latent cannot be drawn; the nearest latent of a recorded frame can, by showing that frame. */
#include <umwelt/report.h>

#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "internal.h"

enum {
    MAX_FRAMES = 56, /* of the GIF; longer episodes skip steps */
    MAX_MEMORIES = 8192,
    PANEL = 128, /* pixels, at least: pictures are enlarged by whole factors up to it */
    GAP = 6,
    STEP_CS = 4,     /* hundredths of a second per env step */
    HOLD_CS = 180,   /* of the last picture */
    DRAWN_SIZE = 64, /* when the model sees no pictures */
    MAX_ROWS = 16
};

static const uint8_t ground[3] = {238, 240, 243}, reached[3] = {0, 158, 115},
                     missed[3] = {213, 94, 0};

typedef struct film {
    const uw_env_class *world;
    const uw_eval_result *eval;
    int32_t rows, panels, size,
        scale; /* pictures are [size, size, 3], shown scale times as large */
    int32_t width, height, dim;
    uint8_t *canvas, *picture;
    /* memories: recorded frames and their latents; none when panels is 2 */
    uw_memories *memories;
    int64_t *nearest[MAX_ROWS]; /* per row: [num_decisions] */
} film;

/* ---- memories ------------------------------------------------------------------------------- */

static uw_status remember(uw_context *ctx, const uw_model *model, film *f, const char *dataset,
                          uw_err *err) {
    const uw_status s = uw_memories_load(ctx, model, dataset, MAX_MEMORIES, &f->memories, err);
    if (s) return s;
    for (int32_t r = 0; r < f->rows; r++) {
        const uw_trace *t = &f->eval->traces[r];
        if (!t->imagined) continue;
        f->nearest[r] = malloc((size_t)t->num_decisions * sizeof *f->nearest[r] + 1);
        if (!f->nearest[r]) return uw_fail(err, UW_ENOMEM, "animation: memories");
        for (int32_t d = 0; d < t->num_decisions; d++)
            f->nearest[r][d] = uw_memories_nearest(
                f->memories, t->imagined + (size_t)d * (size_t)t->horizon * (size_t)f->dim);
    }
    return UW_OK;
}

/* ---- pictures ------------------------------------------------------------------------------- */

static void fill(film *f, int32_t x, int32_t y, int32_t width, int32_t height, const uint8_t *rgb) {
    for (int32_t j = y; j < y + height; j++)
        for (int32_t i = x; i < x + width; i++)
            memcpy(f->canvas + ((size_t)j * (size_t)f->width + (size_t)i) * 3, rgb, 3);
}

/* Show f->picture as panel `panel` of row `row`, framed when frame is given. */
static void show(film *f, int32_t row, int32_t panel, const uint8_t *frame) {
    const int32_t side = f->size * f->scale;
    const int32_t x0 = GAP + panel * (side + GAP), y0 = GAP + row * (side + GAP);
    const int32_t edge = GAP / 3; /* frames of neighbours do not touch */
    if (frame) fill(f, x0 - edge, y0 - edge, side + 2 * edge, side + 2 * edge, frame);
    for (int32_t y = 0; y < side; y++) {
        const uint8_t *from = f->picture + (size_t)(y / f->scale) * (size_t)f->size * 3;
        uint8_t *to = f->canvas + ((size_t)(y0 + y) * (size_t)f->width + (size_t)x0) * 3;
        for (int32_t x = 0; x < side; x++) memcpy(to + 3 * x, from + 3 * (x / f->scale), 3);
    }
}

/* Draw one row at env step `step`. */
static uw_status draw_row(film *f, int32_t row, int32_t step, uw_err *err) {
    const uw_trace *t = &f->eval->traces[row];
    const uw_episode *e = &f->eval->episodes[row];
    const int32_t last = t->num_states - 1, at = step < last ? step : last;
    const double *state = t->states + (size_t)at * (size_t)f->world->state_dim;
    f->world->draw(t->goal_values, e->task.goal, e->task.goal, 0, f->size, f->picture);
    show(f, row, 0, NULL);
    f->world->draw(t->values, state, e->task.goal, at, f->size, f->picture);
    show(f, row, 1, at < last ? NULL : e->success ? reached : missed);
    if (f->panels < 3 || !f->nearest[row] || t->num_decisions < 1) return UW_OK;
    int32_t decision = at / (f->eval->action_repeat > 0 ? f->eval->action_repeat : 1);
    if (decision >= t->num_decisions) decision = t->num_decisions - 1;
    const uw_status s = uw_memories_frame(f->memories, f->nearest[row][decision], f->picture, err);
    if (!s) show(f, row, 2, NULL);
    return s;
}

static uw_status draw_film(film *f, uw_gif *gif, uw_err *err) {
    int32_t steps = 0;
    for (int32_t r = 0; r < f->rows; r++)
        if (f->eval->traces[r].num_states - 1 > steps) steps = f->eval->traces[r].num_states - 1;
    const int32_t stride = 1 + steps / MAX_FRAMES;
    for (int32_t step = 0;; step += stride) {
        if (step > steps) step = steps;
        fill(f, 0, 0, f->width, f->height, ground);
        for (int32_t r = 0; r < f->rows; r++) {
            const uw_status s = draw_row(f, r, step, err);
            if (s) return s;
        }
        const uw_status s =
            uw__gif_frame(gif, f->canvas, step == steps ? HOLD_CS : stride * STEP_CS, err);
        if (s || step == steps) return s;
    }
}

/* ---- setting -------------------------------------------------------------------------------- */

static uw_status film_check(const uw_eval_result *eval, int32_t num_episodes, const char *env,
                            const uw_env_class *world, uw_err *err) {
    if (!world || !world->draw)
        return uw_fail(err, UW_ENOTFOUND, "%s: no such world, or it cannot draw", env);
    if (num_episodes < 1 || num_episodes > MAX_ROWS)
        return uw_fail(err, UW_EINVAL, "animation: episodes, wanted 1 to %d, got %d", MAX_ROWS,
                       num_episodes);
    if (eval->num_traces < 1) {
        uw_fail(err, UW_EINVAL, "animation: the evaluation kept no traces");
        uw_err_fix(err, "evaluate with keep_traces of at least 1");
        return UW_EINVAL;
    }
    return UW_OK;
}

static void film_fini(film *f) {
    for (int32_t r = 0; r < MAX_ROWS; r++) free(f->nearest[r]);
    free(f->canvas);
    free(f->picture);
    uw_memories_unload(f->memories);
}

uw_status uw_report_animation(uw_context *ctx, const uw_model *model, const char *env,
                              const char *dataset, const uw_eval_result *eval, int32_t num_episodes,
                              const char *path, bool overwrite, uw_err *err) {
    const uw_env_class *world = uw_env_find(env);
    uw_status s = film_check(eval, num_episodes, env, world, err);
    if (s) return s;
    const uw_model_config *config = model ? uw_model_config_of(model) : NULL;
    const bool sees = config && config->input != UW_INPUT_COLUMNS;
    film f = {.world = world, .eval = eval, .rows = num_episodes, .panels = 2, .size = DRAWN_SIZE};
    uw_gif *gif = NULL;
    if (f.rows > eval->num_traces) f.rows = eval->num_traces;
    if (sees) {
        f.size = config->image_size;
        f.dim = config->latent_dim;
    }
    if (sees && dataset && *dataset && eval->traces[0].imagined) {
        f.panels = 3;
        s = remember(ctx, model, &f, dataset, err);
        if (s) goto done;
    }
    f.scale = f.size < PANEL ? PANEL / f.size : 1;
    f.width = GAP + f.panels * (f.size * f.scale + GAP);
    f.height = GAP + f.rows * (f.size * f.scale + GAP);
    f.canvas = malloc((size_t)f.width * (size_t)f.height * 3);
    f.picture = malloc((size_t)f.size * (size_t)f.size * 3);
    if (!f.canvas || !f.picture) {
        s = uw_fail(err, UW_ENOMEM, "animation: %dx%d pixels", f.width, f.height);
        goto done;
    }
    s = uw__gif_open(f.width, f.height, &gif, err);
    if (!s) s = draw_film(&f, gif, err);
    if (s) goto done;
    s = uw__gif_close(gif, path, overwrite, err);
    gif = NULL;
done:
    if (gif) uw__gif_abort(gif);
    film_fini(&f);
    return s;
}
