/* PushT: a disc pushes a T over a table of 512 x 512; the places of its factors and what its files share.
 *
 * x points right, y down; units are pixels of the table, seconds, radians. */
#ifndef UW_PUSH_T_H
#define UW_PUSH_T_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/env.h>

#include "distractor.h"

enum {
    UW_PUSH_EDGE = 512,      /* of the table, and of the reference's canvas, px */
    UW_PUSH_FRAME = 224,     /* the reference's frame after its resize */
    UW_PUSH_STATE = 7,       /* agent x, y, block x, y (origin), block angle, agent vx, vy */
    UW_PUSH_SHAPES = 8,
    UW_PUSH_MAX_PARTS = 3,   /* convex parts of a shape */
    UW_PUSH_MAX_HULL = 4,    /* corners of a part */
    UW_PUSH_MAX_CONTACTS = 64
};

typedef enum uw_push_shape {
    UW_PUSH_O = 0, /* a disc; agents only */
    UW_PUSH_L = 1,
    UW_PUSH_T = 2,
    UW_PUSH_Z = 3,
    UW_PUSH_SQUARE = 4,
    UW_PUSH_I = 5,
    UW_PUSH_SMALL_TEE = 6,
    UW_PUSH_PLUS = 7
} uw_push_shape;

/* Offsets into a values array, in the factors' alphabetical order. */
enum uw_push_value {
    UW_PUSH_AGENT_ANGLE = 0,
    UW_PUSH_AGENT_COLOR = 1,
    UW_PUSH_AGENT_SCALE = 4,
    UW_PUSH_AGENT_SHAPE = 5,
    UW_PUSH_AGENT_START = 6,
    UW_PUSH_AGENT_VELOCITY = 8,
    UW_PUSH_BACKGROUND_COLOR = 10,
    UW_PUSH_BLOCK_ANGLE = 13,
    UW_PUSH_BLOCK_COLOR = 14,
    UW_PUSH_BLOCK_SCALE = 17,
    UW_PUSH_BLOCK_SHAPE = 18,
    UW_PUSH_BLOCK_START = 19,
    UW_PUSH_DISTRACTOR = 21,
    UW_PUSH_GOAL_ANGLE = UW_PUSH_DISTRACTOR + UW_DISTRACTOR_VALUES,
    UW_PUSH_GOAL_COLOR,
    UW_PUSH_GOAL_POSITION = UW_PUSH_GOAL_COLOR + 3,
    UW_PUSH_GOAL_SCALE = UW_PUSH_GOAL_POSITION + 2,
    UW_PUSH_RENDER_GOAL,
    UW_PUSH_NUM_VALUES
};

/* Places in uw__push_factors. */
enum uw_push_factor {
    UW_PUSH_F_AGENT_START = 4,
    UW_PUSH_F_AGENT_VELOCITY = 5,
    UW_PUSH_F_BLOCK_ANGLE = 7,
    UW_PUSH_F_BLOCK_START = 11,
    UW_PUSH_NUM_FACTORS = 22
};
extern const uw_factor uw__push_factors[UW_PUSH_NUM_FACTORS];

/* ---- push_t_sample.c: what a seed draws --------------------------------------------------------------- */

/* uw_env_class.sample, see env.h. */
uw_status uw__push_sample(uint64_t seed, const bool *sampled, double *values, uw_err *err);

/* ---- push_t_shapes.c: geometry --------------------------------------------------------------------- */

/* A shape at a scale as Chipmunk has it: convex hulls in its corner order, in body coordinates (about the
 * body's origin, before the centre of gravity is set), computed in float32 as the reference does. */
typedef struct uw_push_geometry {
    int32_t num_parts; /* 0 for the disc */
    int32_t corners[UW_PUSH_MAX_PARTS];
    double hull[UW_PUSH_MAX_PARTS][UW_PUSH_MAX_HULL][2]; /* px */
    double radius;     /* of the disc, px; 0 for others */
    double moment;     /* of inertia about the origin at mass 1, summed over parts as the reference does */
    double center[2];  /* centre of gravity: mean of the parts' centroids, px */
    double symmetry;   /* smallest turn that leaves it as it is, rad; 2 pi for most */
} uw_push_geometry;
void uw__push_geometry(uw_push_shape shape, double scale, uw_push_geometry *out);

/* ---- push_t_draw.c: pictures ------------------------------------------------------------------------ */

/* What a picture shows beside the factors. */
typedef struct uw_push_contact {
    double a[2], b[2], normal[2]; /* px: a red line from a - 2 normal to b + 2 normal */
} uw_push_contact;
typedef struct uw_push_view {
    double agent[2], agent_angle, block[2], block_angle; /* body origins, px, rad */
    int64_t steps;                                       /* since the reset: moves the distractors */
    int32_t num_contacts;
    uw_push_contact contacts[UW_PUSH_MAX_CONTACTS]; /* of the last physics step, in solver order */
} uw_push_view;

/* Draw as the reference does at UW_PUSH_FRAME (its canvas, then its resize), directly at other sizes; a pure
 * function of its arguments.  Alloc: none (the canvas lives on the stack). */
void uw__push_draw_view(const double *values, const uw_push_view *view, int32_t size, uint8_t *rgb);
/* Draw the reference's canvas [512, 512, 3]. */
void uw__push_draw_canvas(const double *values, const uw_push_view *view, uint8_t *canvas);
/* uw_env_class.draw: a state without contacts, the agent's angle as the factor says. */
void uw__push_draw(const double *values, const double *state, const double *goal, int64_t steps,
                   int32_t size, uint8_t *rgb);

extern const uw_env_class uw__push_t;          /* "pusht" */
extern const uw_env_class uw__push_t_discrete; /* "pusht_discrete": actions snap to a polar grid */

#endif
