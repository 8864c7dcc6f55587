/* PushT: ways around the block.  Points are in the block's own coordinates, px. */
#ifndef UW_PUSH_T_PATH_H
#define UW_PUSH_T_PATH_H

#include "push_t.h"

enum { UW_PUSH_MAP_POINTS = 1 + 4 * UW_PUSH_MAX_PARTS };

/* The parts of a block as boxes. */
typedef struct uw_push_boxes {
    int32_t count;
    double low[UW_PUSH_MAX_PARTS][2], high[UW_PUSH_MAX_PARTS][2];
} uw_push_boxes;

/* Shortest ways from one point to the block's corners, for a disc. */
typedef struct uw_push_map {
    uw_push_boxes boxes;
    double radius;
    int32_t count;                         /* points: the start, then free corners */
    double at[UW_PUSH_MAP_POINTS][2];
    double length[UW_PUSH_MAP_POINTS];     /* from the start; INFINITY = no way */
    int32_t first[UW_PUSH_MAP_POINTS];     /* the point to head for from the start */
} uw_push_map;

void uw__push_boxes(const uw_push_geometry *g, uw_push_boxes *out);
/* Return a point's distance from the boxes, 0 inside. */
double uw__push_clearance(const uw_push_boxes *boxes, const double *p);
void uw__push_map(const uw_push_boxes *boxes, double radius, const double *start, uw_push_map *map);
/* Return the length of a shortest way and write the point to head for; INFINITY and `to` itself when there
 * is none. */
double uw__push_route(const uw_push_map *map, const double *to, double *next);

#endif
