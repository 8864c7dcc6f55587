/* What a picture of PushT is made of, for the canvas and for direct drawing alike.
 *
 * Corners are whole pixels of the 512 canvas already, so both draw the same shapes. */
#ifndef UW_PUSH_T_SCENE_H
#define UW_PUSH_T_SCENE_H

#include "push_t.h"

enum {
    UW_PUSH_MAX_PIECES = 2 * UW_PUSH_MAX_PARTS, /* parts of agent and block */
    UW_PUSH_BORDER = 4,                         /* the agent's disc: its rim, px */
    UW_PUSH_WALL_LOW = 5,                       /* middle of the walls, px */
    UW_PUSH_WALL_HIGH = 506
};

/* A convex part, or a disc around its first corner. */
typedef struct uw_push_piece {
    int32_t corners;                    /* 0: a disc */
    int32_t at[UW_PUSH_MAX_HULL][2];    /* px */
    int32_t radius;                     /* of the disc, px */
    uint8_t edge[3], inside[3];         /* colours */
} uw_push_piece;

typedef struct uw_push_scene {
    uint8_t background[3];
    int32_t num_goal;
    uw_push_piece goal[UW_PUSH_MAX_PARTS]; /* without edges */
    int32_t num_pieces;
    uw_push_piece piece[UW_PUSH_MAX_PIECES]; /* lowest first */
    int32_t num_contacts;
    int32_t contact[UW_PUSH_MAX_CONTACTS][2][2]; /* from, to */
} uw_push_scene;

extern const uint8_t uw__push_wall_color[3], uw__push_contact_color[3];

/* List what is drawn; what is too far away or not finite is left out. */
void uw__push_scene_init(uw_push_scene *scene, const double *values, const uw_push_view *view);
/* Draw a scene at any size, every pixel the mean of what it covers.
 *
 * Shapes  distractors: [UW_DISTRACTOR_VALUES]  rgb: [size, size, 3]
 * Alloc   none */
void uw__push_draw_direct(const uw_push_scene *scene, const double *distractors, int64_t steps,
                          int32_t size, uint8_t *rgb);

#endif
