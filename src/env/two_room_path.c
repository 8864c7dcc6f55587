/* TwoRoom: shortest paths, for the scripted controller and for measuring detours.
 *
 * The free space is two convex rooms joined by door corridors, so a shortest path is a polyline
 * over a visibility graph of the two ends and the corners of the doors: at most 14 nodes.
 * Coordinates here are (u, o): across the wall and along it. */
#include "two_room.h"

#include <math.h>

enum { MAX_NODES = 2 + 4 * UW_ROOM_DOORS };

/* Corners are taken on the drawn door, inside what the rules let pass (1.75 px more), and lines of
 * sight may use a little of that slack; what is left keeps float32 rounding out of the wall. */
static const double sight_slack = 1.25; /* px */
static const double clearance = 0.5;    /* px from the wall at a corner */

typedef struct point {
    double u, o;
} point;

/* The open part of the wall: disjoint spans along it. */
typedef struct spans {
    int32_t count;
    double low[UW_ROOM_DOORS], high[UW_ROOM_DOORS];
} spans;

/* Collect the doors as disjoint spans, in order, cut to where the agent's centre can be. */
static void open_spans(const uw_room *room, spans *out) {
    out->count = 0;
    for (int32_t i = 0; i < room->num_doors; i++) {
        double low = fmax(room->door[i] - room->half[i], room->low);
        double high = fmin(room->door[i] + room->half[i], room->high);
        if (low > high) continue; /* behind an outer wall */
        int32_t kept = 0;
        for (int32_t k = 0; k < out->count; k++) {
            if (out->high[k] < low || out->low[k] > high) {
                out->low[kept] = out->low[k];
                out->high[kept++] = out->high[k];
            } else { /* touching doors are one */
                low = fmin(low, out->low[k]);
                high = fmax(high, out->high[k]);
            }
        }
        out->low[kept] = low;
        out->high[kept] = high;
        out->count = kept + 1;
    }
}

static bool inside_band(const uw_room *room, point p) {
    return p.u > room->wall_low && p.u < room->wall_high;
}

/* True when the segment a-b meets the wall band only inside one open span. */
static bool sees(const uw_room *room, const spans *open, point a, point b) {
    const double from = fmax(fmin(a.u, b.u), room->wall_low);
    const double to = fmin(fmax(a.u, b.u), room->wall_high);
    if (from > to || (from == to && !inside_band(room, a))) return true; /* not through the band */
    double o0 = a.o, o1 = b.o;
    if (a.u != b.u) {
        const double slope = (b.o - a.o) / (b.u - a.u);
        o0 = a.o + (from - a.u) * slope;
        o1 = a.o + (to - a.u) * slope;
    }
    for (int32_t k = 0; k < open->count; k++) {
        if (fmin(o0, o1) >= open->low[k] - sight_slack &&
            fmax(o0, o1) <= open->high[k] + sight_slack)
            return true;
    }
    return false;
}

static double length(point a, point b) {
    return sqrt((a.u - b.u) * (a.u - b.u) + (a.o - b.o) * (a.o - b.o));
}

/* Return where one can stand nearest to a point in the wall band: before the wall on its own side,
 * or in a door, as far in as lines of sight reach.  The reference puts one goal in eight into the
 * wall. */
static point stand(const uw_room *room, const spans *open, point p) {
    if (!inside_band(room, p)) return p;
    point best = {p.u > UW_ROOM_MIDDLE ? room->wall_high + clearance : room->wall_low - clearance,
                  p.o};
    for (int32_t k = 0; k < open->count; k++) {
        const double o = fmin(fmax(p.o, open->low[k] - sight_slack), open->high[k] + sight_slack);
        const point inside = {p.u, o};
        if (length(inside, p) < length(best, p)) best = inside;
    }
    return best;
}

double uw__room_path(const uw_room *room, const float *from, const float *to, double *waypoint) {
    const int32_t u = room->across;
    spans open;
    open_spans(room, &open);
    point node[MAX_NODES];
    int32_t count = 2;
    node[0] = stand(room, &open, (point){(double)to[u], (double)to[1 - u]});
    node[1] = stand(room, &open, (point){(double)from[u], (double)from[1 - u]});
    for (int32_t k = 0; k < open.count; k++) {
        for (int corner = 0; corner < 4; corner++) {
            node[count++] =
                (point){corner & 1 ? room->wall_high + clearance : room->wall_low - clearance,
                        corner & 2 ? open.high[k] : open.low[k]};
        }
    }

    /* Dijkstra from the goal; `next` then leads from any node towards it */
    double cost[MAX_NODES];
    int32_t next[MAX_NODES];
    bool done[MAX_NODES] = {false};
    for (int32_t i = 0; i < count; i++) {
        cost[i] = INFINITY;
        next[i] = 0;
    }
    cost[0] = 0.0;
    for (;;) {
        int32_t best = -1;
        for (int32_t i = 0; i < count; i++)
            if (!done[i] && isfinite(cost[i]) && (best < 0 || cost[i] < cost[best])) best = i;
        if (best < 0 || best == 1) break;
        done[best] = true;
        for (int32_t i = 0; i < count; i++) {
            if (done[i] || !sees(room, &open, node[i], node[best])) continue;
            const double through = cost[best] + length(node[i], node[best]);
            if (through < cost[i]) {
                cost[i] = through;
                next[i] = best;
            }
        }
    }
    if (waypoint) {
        /* a corner already reached has nothing to say; the one after it does */
        int32_t aim = next[1];
        while (aim != 0 && length(node[aim], node[1]) < 1e-3) aim = next[aim];
        waypoint[u] = node[aim].u;
        waypoint[1 - u] = node[aim].o;
    }
    return cost[1];
}
