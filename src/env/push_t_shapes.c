/* PushT: the shapes of block and agent, from boxes in units of the scale. */
#include "push_t_world.h"

enum { MAX_PARTS = UW_PUSH_MAX_PARTS, CORNERS = UW_PUSH_MAX_HULL };
static const double full_turn = 6.283185307179586;

/* A box from (x0, y0) to (x1, y1), in half units.  Its corners are listed from (x0, y1) along the
 * edge of constant y, or from (x0, y0) along that of constant x: sums over them round differently.
 */
typedef struct box {
    int x0, y0, x1, y1;
    bool along_y;
} box;

typedef struct plan {
    int num_parts;
    box part[MAX_PARTS];
    bool first_moment; /* the reference counts the first part's moment for every part */
    int turns;         /* how often it coincides with itself in a full turn */
} plan;

static const plan plans[UW_PUSH_SHAPES] = {
    [UW_PUSH_L] = {2, {{0, 0, 2, 4, true}, {0, -2, 4, 0, false}}, false, 1},
    [UW_PUSH_T] = {2, {{-4, 0, 4, 2, false}, {-1, 2, 1, 8, true}}, true, 1},
    [UW_PUSH_Z] = {2, {{-1, 0, 3, 2, true}, {-3, -2, 1, 0, false}}, false, 2},
    [UW_PUSH_SQUARE] = {1, {{-2, -2, 2, 2, true}}, false, 4},
    [UW_PUSH_I] = {1, {{-1, -4, 1, 4, true}}, false, 2},
    [UW_PUSH_SMALL_TEE] = {2, {{-3, 0, 3, 2, false}, {-1, 2, 1, 4, true}}, false, 1},
    [UW_PUSH_PLUS] = {3,
                      {{-3, -1, 3, 1, false}, {-1, 1, 1, 3, true}, {-1, -3, 1, -1, true}},
                      true,
                      4},
};

static void corners_of(const box *b, float scale, cpVect *out) {
    const double x0 = (double)((float)b->x0 * scale / 2.0f);
    const double y0 = (double)((float)b->y0 * scale / 2.0f);
    const double x1 = (double)((float)b->x1 * scale / 2.0f);
    const double y1 = (double)((float)b->y1 * scale / 2.0f);
    out[0] = b->along_y ? cpv(x0, y0) : cpv(x0, y1);
    out[1] = b->along_y ? cpv(x0, y1) : cpv(x1, y1);
    out[2] = b->along_y ? cpv(x1, y1) : cpv(x1, y0);
    out[3] = b->along_y ? cpv(x1, y0) : cpv(x0, y0);
}

void uw__push_geometry(uw_push_shape shape, double scale, uw_push_geometry *out) {
    *out = (uw_push_geometry){.symmetry = full_turn};
    if (shape == UW_PUSH_O) {
        out->radius = (double)(0.375f * (float)scale);
        return;
    }
    const plan *p = &plans[shape];
    out->num_parts = p->num_parts;
    out->symmetry = full_turn / p->turns;
    cpVect sum = cpvzero;
    double first_moment = 0.0;
    for (int i = 0; i < p->num_parts; i++) {
        cpVect corner[CORNERS], hull[CORNERS];
        corners_of(&p->part[i], (float)scale, corner);
        const double moment = cpMomentForPoly(1.0, CORNERS, corner, cpvzero, 0.0);
        if (i == 0) first_moment = moment;
        out->moment += p->first_moment ? first_moment : moment;
        out->corners[i] = cpConvexHull(CORNERS, corner, hull, NULL, 0.0);
        for (int k = 0; k < out->corners[i]; k++) {
            out->hull[i][k][0] = hull[k].x;
            out->hull[i][k][1] = hull[k].y;
        }
        sum = cpvadd(sum, cpCentroidForPoly(out->corners[i], hull));
    }
    out->center[0] = sum.x / p->num_parts;
    out->center[1] = sum.y / p->num_parts;
}
