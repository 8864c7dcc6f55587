/* PushT's pictures as the reference makes them: a canvas of 512 x 512 and its resize to 224 x 224.
 *
 * The frame needs only the part of the canvas that something is drawn on; background and walls,
 * which never move, are resized as a ground of 3 x 3 tiles.  The whole canvas gives the same frame.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "push_t_scene.h"
#include "raster.h"

enum { EDGE = UW_PUSH_EDGE, FAT = 2 };

/* A line of radius FAT.  The reference widens it by (|dy|, |dx|), not at a right angle for half of
 * all directions. */
static void draw_fat(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                     const int32_t b[2]) {
    uw__raster_line(to, color, a, b, 2 * FAT);
    const double dx = abs(b[0] - a[0]), dy = abs(b[1] - a[1]);
    if (dx == 0.0 && dy == 0.0) return;
    const double scale = FAT / sqrt(dx * dx + dy * dy);
    const int32_t x = (int32_t)rint(dy * scale), y = (int32_t)rint(dx * scale);
    const int32_t band[4][2] = {
        {a[0] - x, a[1] - y}, {a[0] + x, a[1] + y}, {b[0] + x, b[1] + y}, {b[0] - x, b[1] - y}};
    uw__raster_polygon(to, color, band[0], 4);
    uw__raster_disc(to, color, a[0], a[1], FAT);
    uw__raster_disc(to, color, b[0], b[1], FAT);
}

/* The reference repeats the first point, and a point given twice can be a pixel of its own. */
static void fill_piece(const uw_canvas *to, const uint8_t color[3], const uw_push_piece *piece) {
    int32_t points[UW_PUSH_MAX_HULL + 1][2];
    memcpy(points, piece->at, (size_t)piece->corners * sizeof points[0]);
    memcpy(points[piece->corners], piece->at[0], sizeof points[0]);
    uw__raster_polygon(to, color, points[0], piece->corners + 1);
}

static void draw_piece(const uw_canvas *to, const uw_push_piece *piece) {
    const int32_t n = piece->corners, r = piece->radius;
    if (!n) {
        const int32_t *at = piece->at[0];
        if (r >= 1) uw__raster_disc(to, piece->edge, at[0], at[1], r);
        if (r > UW_PUSH_BORDER)
            uw__raster_disc(to, piece->inside, at[0], at[1], r - UW_PUSH_BORDER);
        return;
    }
    fill_piece(to, piece->inside, piece);
    for (int32_t i = 0; i < n; i++) draw_fat(to, piece->edge, piece->at[i], piece->at[(i + 1) % n]);
}

static void draw_walls(const uw_canvas *to) {
    const int32_t low = UW_PUSH_WALL_LOW, high = to->width - (EDGE - UW_PUSH_WALL_HIGH);
    const int32_t corner[4][2] = {{low, high}, {low, low}, {high, low}, {high, high}};
    for (int i = 0; i < 3; i++) draw_fat(to, uw__push_wall_color, corner[i], corner[i + 1]);
    draw_fat(to, uw__push_wall_color, corner[0], corner[3]);
}

static void draw_bodies(const uw_canvas *to, const uw_push_scene *scene) {
    for (int32_t i = 0; i < scene->num_goal; i++)
        fill_piece(to, scene->goal[i].edge, &scene->goal[i]);
    for (int32_t i = 0; i < scene->num_pieces; i++) draw_piece(to, &scene->piece[i]);
}

static void draw_contacts(const uw_canvas *to, const uw_push_scene *scene) {
    for (int32_t i = 0; i < scene->num_contacts; i++)
        uw__raster_aaline(to, uw__push_contact_color, scene->contact[i][0], scene->contact[i][1]);
}

/* Draw everything, distractors too. */
static void draw_full(const double *values, const uw_push_scene *scene, int64_t steps,
                      uint8_t *canvas) {
    const uw_canvas to = {canvas, EDGE, EDGE, NULL};
    uw__raster_fill(&to, scene->background);
    uw__distractors_draw(values + UW_PUSH_DISTRACTOR, steps, false, EDGE, canvas);
    draw_bodies(&to, scene);
    draw_walls(&to);
    draw_contacts(&to, scene);
    uw__distractors_draw(values + UW_PUSH_DISTRACTOR, steps, true, EDGE, canvas);
}

/* Draw the walls over what was drawn where they are. */
static void stamp_walls(const uw_canvas *to) {
    enum { LAST = EDGE / UW_RASTER_TILE - 1 };
    uint32_t all = 0;
    for (int i = 0; i <= LAST; i++) all |= to->ground->drawn[i];
    if (!to->ground->drawn[0] && !to->ground->drawn[LAST] && !(all & 1) && !(all >> LAST & 1))
        return;
    uint8_t mask[UW_RASTER_GROUND * UW_RASTER_GROUND * 3] = {0};
    const uw_canvas patch = {mask, UW_RASTER_GROUND, UW_RASTER_GROUND, NULL};
    draw_walls(&patch);
    uw__raster_stamp(to, mask, uw__push_wall_color);
}

static void draw_frame(const double *values, const uw_push_scene *scene, int64_t steps,
                       uint8_t *rgb) {
    uint8_t canvas[EDGE * EDGE * 3]; /* of which only drawn tiles are ever touched */
    if (values[UW_PUSH_DISTRACTOR + UW_DISTRACTOR_NUMBER] != 0.0) {
        draw_full(values, scene, steps, canvas);
        uw__raster_reduce(&(uw_canvas){canvas, EDGE, EDGE, NULL}, rgb);
        return;
    }
    uw_ground ground;
    memset(ground.drawn, 0, sizeof ground.drawn);
    const uw_canvas patch = {ground.rgb, UW_RASTER_GROUND, UW_RASTER_GROUND, NULL};
    const uw_canvas to = {canvas, EDGE, EDGE, &ground};
    uw__raster_fill(&patch, scene->background);
    draw_walls(&patch);
    draw_bodies(&to, scene);
    stamp_walls(&to);
    draw_contacts(&to, scene);
    uw__raster_reduce(&to, rgb);
}

void uw__push_draw_canvas(const double *values, const uw_push_view *view, uint8_t *canvas) {
    uw_push_scene scene;
    uw__push_scene_init(&scene, values, view);
    draw_full(values, &scene, view->steps, canvas);
}

void uw__push_draw_view(const double *values, const uw_push_view *view, int32_t size,
                        uint8_t *rgb) {
    UW_ASSERT(size >= 1 && size <= UW_MAX_FRAME_SIZE);
    uw_push_scene scene;
    uw__push_scene_init(&scene, values, view);
    if (size == UW_PUSH_FRAME)
        draw_frame(values, &scene, view->steps, rgb);
    else
        uw__push_draw_direct(&scene, values + UW_PUSH_DISTRACTOR, view->steps, size, rgb);
}

void uw__push_draw(const double *values, const double *state, const double *goal, int64_t steps,
                   int32_t size, uint8_t *rgb) {
    (void)goal;        /* the goal that is shown is a factor */
    uw_push_view view; /* its contacts stay unset */
    view.agent[0] = state[0];
    view.agent[1] = state[1];
    view.agent_angle = values[UW_PUSH_AGENT_ANGLE];
    view.block[0] = state[2];
    view.block[1] = state[3];
    view.block_angle = state[4];
    view.steps = steps;
    view.num_contacts = 0;
    uw__push_draw_view(values, &view, size, rgb);
}
