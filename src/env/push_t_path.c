/* PushT: ways around the block, in its own coordinates, where its parts are boxes along the axes.
 */
#include "push_t_path.h"

#include <math.h>

static const double corner_room = 4.0; /* px beyond the radius at which corners are passed */

void uw__push_boxes(const uw_push_geometry *g, uw_push_boxes *out) {
    out->count = g->num_parts;
    for (int i = 0; i < g->num_parts; i++)
        for (int k = 0; k < 2; k++) {
            out->low[i][k] = out->high[i][k] = g->hull[i][0][k];
            for (int c = 1; c < g->corners[i]; c++) {
                out->low[i][k] = fmin(out->low[i][k], g->hull[i][c][k]);
                out->high[i][k] = fmax(out->high[i][k], g->hull[i][c][k]);
            }
        }
}

static double length_of(double x, double y) {
    return sqrt(x * x + y * y);
}

static double point_to_box(const double *low, const double *high, const double *p) {
    return length_of(fmax(fmax(low[0] - p[0], p[0] - high[0]), 0.0),
                     fmax(fmax(low[1] - p[1], p[1] - high[1]), 0.0));
}

double uw__push_clearance(const uw_push_boxes *boxes, const double *p) {
    double least = INFINITY;
    for (int i = 0; i < boxes->count; i++)
        least = fmin(least, point_to_box(boxes->low[i], boxes->high[i], p));
    return least;
}

static double point_to_segment(const double *a, const double *b, const double *p) {
    const double x = b[0] - a[0], y = b[1] - a[1], len2 = x * x + y * y;
    const double along = len2 > 0.0 ? ((p[0] - a[0]) * x + (p[1] - a[1]) * y) / len2 : 0.0;
    const double t = fmin(fmax(along, 0.0), 1.0);
    return length_of(a[0] + t * x - p[0], a[1] + t * y - p[1]);
}

/* Whether a segment enters a box: clipped by its four sides, something is left. */
static bool enters(const double *low, const double *high, const double *a, const double *b) {
    double from = 0.0, to = 1.0;
    for (int k = 0; k < 2; k++) {
        const double step = b[k] - a[k];
        if (step == 0.0) {
            if (a[k] < low[k] || a[k] > high[k]) return false;
            continue;
        }
        const double t0 = (low[k] - a[k]) / step, t1 = (high[k] - a[k]) / step;
        from = fmax(from, fmin(t0, t1));
        to = fmin(to, fmax(t0, t1));
    }
    return from <= to;
}

/* Whether a disc of this radius can move from a to b. */
static bool is_free(const uw_push_boxes *boxes, double radius, const double *a, const double *b) {
    for (int i = 0; i < boxes->count; i++) {
        const double *low = boxes->low[i], *high = boxes->high[i];
        if (enters(low, high, a, b) || point_to_box(low, high, a) < radius ||
            point_to_box(low, high, b) < radius)
            return false;
        for (int c = 0; c < 4; c++) {
            const double corner[2] = {c & 1 ? high[0] : low[0], c & 2 ? high[1] : low[1]};
            if (point_to_segment(a, b, corner) < radius) return false;
        }
    }
    return true;
}

static double distance(const double *a, const double *b) {
    return length_of(a[0] - b[0], a[1] - b[1]);
}

static void add_point(uw_push_map *map, double x, double y) {
    double *at = map->at[map->count];
    at[0] = x;
    at[1] = y;
    map->length[map->count] = INFINITY;
    map->first[map->count] = map->count;
    map->count++;
}

/* The radius to keep from point i on: a start that touches the block need only not press harder. */
static double radius_from(const uw_push_map *map, int i) {
    return i == 0 ? fmin(map->radius, uw__push_clearance(&map->boxes, map->at[0]) - 0.5)
                  : map->radius;
}

void uw__push_map(const uw_push_boxes *boxes, double radius, const double *start,
                  uw_push_map *map) {
    *map = (uw_push_map){.boxes = *boxes, .radius = radius};
    add_point(map, start[0], start[1]);
    const double room = radius + corner_room;
    for (int i = 0; i < boxes->count; i++)
        for (int c = 0; c < 4; c++) {
            const double p[2] = {c & 1 ? boxes->high[i][0] + room : boxes->low[i][0] - room,
                                 c & 2 ? boxes->high[i][1] + room : boxes->low[i][1] - room};
            if (uw__push_clearance(boxes, p) > radius) add_point(map, p[0], p[1]);
        }
    bool done[UW_PUSH_MAP_POINTS] = {false};
    map->length[0] = 0.0;
    for (int round = 0; round < map->count; round++) { /* Dijkstra */
        int near = -1;
        for (int i = 0; i < map->count; i++)
            if (!done[i] && (near < 0 || map->length[i] < map->length[near])) near = i;
        if (!(map->length[near] < (double)INFINITY)) break;
        done[near] = true;
        for (int i = 0; i < map->count; i++) {
            const double there = map->length[near] + distance(map->at[near], map->at[i]);
            if (done[i] || !(there < map->length[i]) ||
                !is_free(boxes, radius_from(map, near), map->at[near], map->at[i]))
                continue;
            map->length[i] = there;
            map->first[i] = near == 0 ? i : map->first[near];
        }
    }
}

double uw__push_route(const uw_push_map *map, const double *to, double *next) {
    double best = INFINITY;
    next[0] = to[0];
    next[1] = to[1];
    for (int i = 0; i < map->count; i++) {
        const double there = map->length[i] + distance(map->at[i], to);
        if (!(there < best) || !is_free(&map->boxes, radius_from(map, i), map->at[i], to)) continue;
        best = there;
        const double *via = i == 0 ? to : map->at[map->first[i]];
        next[0] = via[0];
        next[1] = via[1];
    }
    return best;
}
