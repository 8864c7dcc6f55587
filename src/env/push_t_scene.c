/* What a picture of PushT shows and in which order, as the reference's drawing of its physics space
 * does. */
#include "push_t_scene.h"

#include <math.h>
#include <string.h>

#include "raster.h"

const uint8_t uw__push_wall_color[3] = {211, 211, 211}, uw__push_contact_color[3] = {231, 76, 60};

/* Where a body is. */
typedef struct pose {
    double at[2], angle; /* origin, px; rad */
} pose;

/* Round half to even, as Python does; false for what no picture reaches. */
static bool whole(double x, double y, int32_t out[2]) {
    if (!(fabs(x) < UW_RASTER_FAR / 2 && fabs(y) < UW_RASTER_FAR / 2)) return false;
    out[0] = (int32_t)rint(x);
    out[1] = (int32_t)rint(y);
    return true;
}

static void color_of(const double *value, uint8_t out[3]) {
    for (int c = 0; c < 3; c++) out[c] = (uint8_t)value[c];
}

static void lighter(const uint8_t color[3], uint8_t out[3]) {
    for (int c = 0; c < 3; c++) out[c] = (uint8_t)rintf(fminf(1.2f * (float)color[c], 255.0f));
}

/* Pieces as they come: the agent's, then the block's. */
typedef struct piece_list {
    int32_t count;
    uw_push_piece piece[UW_PUSH_MAX_PIECES];
    bool shown[UW_PUSH_MAX_PIECES];
} piece_list;

static void add_body(const uw_push_geometry *shape, const pose *body, const uint8_t color[3],
                     piece_list *list) {
    const double cosine = cos(body->angle), sine = sin(body->angle);
    const int32_t count = shape->num_parts ? shape->num_parts : 1;
    for (int32_t i = 0; i < count; i++) {
        uw_push_piece *p = &list->piece[list->count];
        *p = (uw_push_piece){.corners = shape->corners[i], .radius = (int32_t)rint(shape->radius)};
        memcpy(p->edge, color, sizeof p->edge);
        lighter(color, p->inside);
        bool shown = shape->num_parts || whole(body->at[0], body->at[1], p->at[0]);
        for (int32_t k = 0; k < p->corners; k++) {
            const double *v = shape->hull[i][k];
            shown = shown && whole(cosine * v[0] - sine * v[1] + body->at[0],
                                   sine * v[0] + cosine * v[1] + body->at[1], p->at[k]);
        }
        list->shown[list->count++] = shown;
    }
}

/* The reference lists moving shapes by their number (four walls come first) modulo the bins of a
 * hash set, which grows with the fifth of them: a T as agent is half below and half above the
 * block. */
static void order_pieces(const piece_list *list, uw_push_scene *scene) {
    const int32_t bins = list->count < 5 ? 5 : 13;
    for (int32_t bin = 0; bin < bins; bin++)
        for (int32_t i = 0; i < list->count; i++)
            if ((4 + i) % bins == bin && list->shown[i])
                scene->piece[scene->num_pieces++] = list->piece[i];
}

static void add_goal(const double *values, const uw_push_geometry *shape, uw_push_scene *scene) {
    const pose goal = {{values[UW_PUSH_GOAL_POSITION], values[UW_PUSH_GOAL_POSITION + 1]},
                       values[UW_PUSH_GOAL_ANGLE]};
    uint8_t color[3];
    piece_list list = {0};
    color_of(values + UW_PUSH_GOAL_COLOR, color);
    add_body(shape, &goal, color, &list);
    for (int32_t i = 0; i < list.count; i++)
        if (list.shown[i]) scene->goal[scene->num_goal++] = list.piece[i];
}

static void add_contact(const uw_push_contact *c, uw_push_scene *scene) {
    int32_t(*ends)[2] = scene->contact[scene->num_contacts];
    const bool shown =
        whole(c->a[0] + c->normal[0] * -2.0, c->a[1] + c->normal[1] * -2.0, ends[0]) &&
        whole(c->b[0] + c->normal[0] * 2.0, c->b[1] + c->normal[1] * 2.0, ends[1]);
    scene->num_contacts += shown;
}

void uw__push_scene_init(uw_push_scene *scene, const double *values, const uw_push_view *view) {
    const pose agent = {{view->agent[0], view->agent[1]}, view->agent_angle};
    const pose block = {{view->block[0], view->block[1]}, view->block_angle};
    uw_push_geometry agent_shape, block_shape;
    uint8_t color[3];
    piece_list bodies;
    uw__push_geometry((uw_push_shape)values[UW_PUSH_AGENT_SHAPE], values[UW_PUSH_AGENT_SCALE],
                      &agent_shape);
    uw__push_geometry((uw_push_shape)values[UW_PUSH_BLOCK_SHAPE], values[UW_PUSH_BLOCK_SCALE],
                      &block_shape);
    scene->num_goal = scene->num_pieces = scene->num_contacts = bodies.count = 0;
    color_of(values + UW_PUSH_BACKGROUND_COLOR, scene->background);
    if (values[UW_PUSH_RENDER_GOAL] == 1.0) add_goal(values, &block_shape, scene);
    color_of(values + UW_PUSH_AGENT_COLOR, color);
    add_body(&agent_shape, &agent, color, &bodies);
    color_of(values + UW_PUSH_BLOCK_COLOR, color);
    add_body(&block_shape, &block, color, &bodies);
    order_pieces(&bodies, scene);
    for (int32_t i = 0; i < view->num_contacts; i++) add_contact(&view->contacts[i], scene);
}
