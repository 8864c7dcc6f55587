/* PushT's picture at any size without a canvas: every shape by the area that it covers of a pixel.
 *
 * Shapes are where the canvas has them, which is not quite where their corners say: pygame fills a
 * polygon up to and including its last row and column, cuts slanted crossings to the left, and its
 * fat lines are thinner in half of all directions.  Below, points are in canvas units with a
 * pixel's centre at + 1/2. */
#include <math.h>
#include <string.h>

#include "internal.h"
#include "push_t_scene.h"

enum { MAX_SIZE = UW_MAX_FRAME_SIZE };

/* ---- how much of the pixels of a row -----------------------------------------------------------
 */

/* Cover of a row of pixels: pixel i has the sum of change[0 .. i].  Zero outside [from, to). */
typedef struct cover {
    float change[MAX_SIZE + 2];
    int32_t from, to, size;
} cover;

/* An edge in pixels, downwards; sign: +1 when the shape is to its right. */
typedef struct edge {
    double top, bottom, x, slope;
    double sign;
} edge;

typedef struct outline {
    int32_t n;
    edge edge[UW_PUSH_MAX_HULL];
    double low, high; /* rows */
} outline;

static void cover_clear(cover *c, int32_t size) {
    memset(c->change, 0, (size_t)(size + 2) * sizeof(float));
    c->from = size;
    c->to = 0;
    c->size = size;
}

/* Add what lies right of a line from x0 to x1 that is h high; both inside one pixel. */
static void add_in_pixel(cover *c, int32_t i, double x0, double x1, double h) {
    const double left = 0.5 * (x0 + x1) - i;
    c->change[i] += (float)(h * (1.0 - left));
    c->change[i + 1] += (float)(h * left);
}

static void add_line(cover *c, double x0, double x1, double h) {
    double low = fmin(x0, x1), high = fmax(x0, x1);
    if (high <= 0.0 || low >= c->size) {
        low = high = high <= 0.0 ? 0.0 : c->size;
    } else if (low < 0.0 || high > c->size) { /* what passes outside, as a line along the side */
        const double rate = h / (high - low);
        const double before = fmax(-low, 0.0), after = fmax(high - c->size, 0.0);
        add_in_pixel(c, 0, 0.0, 0.0, rate * before);
        c->from = 0;
        low += before;
        high -= after;
        h = rate * (high - low);
    }
    const int32_t first = (int32_t)low, last = (int32_t)high;
    if (first < c->from) c->from = first;
    if (last + 2 > c->to) c->to = last + 2;
    if (first == last) {
        add_in_pixel(c, first, low, high, h);
        return;
    }
    const double rate = h / (high - low);
    for (int32_t i = first; i <= last; i++) {
        const double a = i > first ? i : low, b = i < last ? i + 1 : high;
        add_in_pixel(c, i, a, b, rate * (b - a));
    }
}

/* Make an outline of points in canvas units. */
static void outline_init(outline *o, double (*at)[2], int32_t n, double scale) {
    *o = (outline){.low = INFINITY, .high = -INFINITY};
    for (int32_t i = 0; i < n; i++) {
        const double *a = at[i], *b = at[(i + 1) % n];
        o->low = fmin(o->low, a[1] * scale);
        o->high = fmax(o->high, a[1] * scale);
        if (a[1] == b[1]) continue;
        const double *upper = a[1] < b[1] ? a : b, *lower = upper == a ? b : a;
        o->edge[o->n++] = (edge){.top = upper[1] * scale,
                                 .bottom = lower[1] * scale,
                                 .x = upper[0] * scale,
                                 .slope = (lower[0] - upper[0]) / (lower[1] - upper[1]),
                                 .sign = upper == a ? -1.0 : 1.0};
    }
}

/* Add an outline's cover of row y. */
static void add_outline(cover *c, const outline *o, int32_t y) {
    for (int32_t i = 0; i < o->n; i++) {
        const edge *e = &o->edge[i];
        const double from = fmax(e->top, y), to = fmin(e->bottom, y + 1);
        if (from >= to) continue;
        add_line(c, e->x + (from - e->top) * e->slope, e->x + (to - e->top) * e->slope,
                 e->sign * (to - from));
    }
}

/* Add a disc's cover of row y, as so many slices. */
static void add_disc(cover *c, const double center[2], double radius, int32_t y, int32_t slices) {
    for (int32_t i = 0; i < slices; i++) {
        const double dy = y + (i + 0.5) / slices - center[1];
        const double square = radius * radius - dy * dy;
        if (square <= 0.0) continue;
        const double half = sqrt(square);
        add_line(c, center[0] - half, center[0] - half, 1.0 / slices);
        add_line(c, center[0] + half, center[0] + half, -1.0 / slices);
    }
}

/* ---- paint ------------------------------------------------------------------------------------
 */

typedef struct picture {
    uint8_t *rgb;
    int32_t size;
    double scale; /* pixels of a canvas unit */
} picture;

static float unit(float x) {
    return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

static uint8_t *row_of(const picture *to, int32_t y) {
    return to->rgb + (size_t)y * (size_t)to->size * 3;
}

static void blend(uint8_t *pixel, const uint8_t color[3], float part) {
    for (int k = 0; k < 3; k++) {
        const float under = (float)pixel[k];
        pixel[k] = (uint8_t)(under + part * ((float)color[k] - under) + 0.5f);
    }
}

/* Paint a row of a shape, and clear the cover. */
static void paint(cover *c, const uint8_t color[3], uint8_t *row) {
    float sum = 0.0f;
    for (int32_t x = c->from; x < c->to; x++) {
        sum += c->change[x];
        c->change[x] = 0.0f;
        if (x < c->size) blend(row + 3 * x, color, unit(sum));
    }
    c->from = c->size;
    c->to = 0;
}

/* Paint a row of a shape whose inside, a smaller one, has another colour. */
static void paint_nested(cover *outer, cover *inner, const uw_push_piece *p, uint8_t *row) {
    float whole = 0.0f, within = 0.0f;
    for (int32_t x = outer->from; x < outer->to; x++) {
        whole += outer->change[x];
        within += inner->change[x];
        outer->change[x] = inner->change[x] = 0.0f;
        if (x >= outer->size) continue;
        const float part = unit(whole), inside = fminf(unit(within), part);
        for (int k = 0; k < 3; k++) {
            const float under = (float)row[3 * x + k], rim = (float)p->edge[k];
            row[3 * x + k] = (uint8_t)(under + part * (rim - under) +
                                       inside * ((float)p->inside[k] - rim) + 0.5f);
        }
    }
    outer->from = inner->from = outer->size;
    outer->to = inner->to = 0;
}

static int32_t row_before(double y, int32_t size) {
    return (int32_t)fmin(fmax(floor(y), 0.0), size);
}

static int32_t row_after(double y, int32_t size) {
    return (int32_t)fmin(fmax(ceil(y), 0.0), size);
}

/* ---- shapes -----------------------------------------------------------------------------------
 */

/* How far the canvas fills beyond an edge, and how far its fat line reaches outwards and inwards.
 */
typedef struct reach {
    double fill, out, in; /* canvas units */
} reach;

static reach reach_of(double dx, double dy, const double normal[2]) {
    const double w = fabs(dx), h = fabs(dy), square = w * w + h * h;
    const bool steep = w <= h, slanted = w > 0.0 && h > 0.0;
    /* a filled polygon: half a pixel more along x to both sides, slanted edges half a pixel to the
     * left */
    const double more = h > 0.0 ? 0.5 * fabs(normal[0]) : 0.5;
    const double left = slanted ? -0.5 * normal[0] : 0.0;
    /* a line of width 4 is measured along an axis and lies half a pixel to the right or below */
    const double line = 2.0 * fmax(w, h) / sqrt(square), aside = 0.5 * normal[steep ? 0 : 1];
    const double band = dx * dy > 0.0 ? 2.0 * fabs(w * w - h * h) / square : 2.0;
    return (reach){.fill = more + left,
                   .out = fmax(line + aside, band + more + left),
                   .in = fmax(line - aside, band + more - left)};
}

/* Move every edge outwards by so much and write where they meet. */
static void move_edges(const int32_t (*at)[2], int32_t n, double (*normal)[2], const double *by,
                       double (*out)[2]) {
    for (int32_t i = 0; i < n; i++) {
        const int32_t last = (i + n - 1) % n;
        const double *a = normal[last], *b = normal[i];
        const double cross = a[0] * b[1] - a[1] * b[0];
        const bool flat = fabs(cross) < 0.1; /* the two edges are nearly one */
        out[i][0] =
            at[i][0] + 0.5 + (flat ? b[0] * by[i] : (by[last] * b[1] - by[i] * a[1]) / cross);
        out[i][1] =
            at[i][1] + 0.5 + (flat ? b[1] * by[i] : (by[i] * a[0] - by[last] * b[0]) / cross);
    }
}

/* The outlines of a part as filled, with its fat edges, and inside of them; false when it has no
 * area. */
typedef struct part_outlines {
    outline fill, outer, inner;
} part_outlines;

static bool part_outlines_init(part_outlines *out, const uw_push_piece *p, double scale) {
    const int32_t n = p->corners;
    double area = 0.0, normal[UW_PUSH_MAX_HULL][2], fill[UW_PUSH_MAX_HULL], outer[UW_PUSH_MAX_HULL],
           inner[UW_PUSH_MAX_HULL], moved[UW_PUSH_MAX_HULL][2];
    for (int32_t i = 0; i < n; i++) {
        const int32_t *a = p->at[i], *b = p->at[(i + 1) % n];
        area += (double)a[0] * b[1] - (double)b[0] * a[1];
    }
    for (int32_t i = 0; i < n; i++) {
        const int32_t *a = p->at[i], *b = p->at[(i + 1) % n];
        const double dx = b[0] - a[0], dy = b[1] - a[1], length = sqrt(dx * dx + dy * dy);
        if (length == 0.0 || area == 0.0) return false;
        normal[i][0] = (area > 0.0 ? dy : -dy) / length;
        normal[i][1] = (area > 0.0 ? -dx : dx) / length;
        const reach r = reach_of(dx, dy, normal[i]);
        fill[i] = r.fill;
        outer[i] = r.out;
        inner[i] = -r.in;
    }
    move_edges(p->at, n, normal, fill, moved);
    outline_init(&out->fill, moved, n, scale);
    move_edges(p->at, n, normal, outer, moved);
    outline_init(&out->outer, moved, n, scale);
    move_edges(p->at, n, normal, inner, moved);
    outline_init(&out->inner, moved, n, scale);
    return true;
}

/* Rows of covers are big: one pair serves a whole picture. */
typedef struct brush {
    picture to;
    cover outer, inner;
} brush;

static void draw_goal(brush *b, const uw_push_scene *scene) {
    const int32_t size = b->to.size;
    part_outlines part[UW_PUSH_MAX_PARTS];
    double low = size, high = 0.0;
    int32_t n = 0;
    for (int32_t i = 0; i < scene->num_goal; i++) {
        if (!part_outlines_init(&part[n], &scene->goal[i], b->to.scale)) continue;
        low = fmin(low, part[n].fill.low);
        high = fmax(high, part[n].fill.high);
        n++;
    }
    /* the parts' covers add up, so that no seam shows between them */
    for (int32_t y = row_before(low, size); y < row_after(high, size); y++) {
        for (int32_t i = 0; i < n; i++) add_outline(&b->outer, &part[i].fill, y);
        paint(&b->outer, scene->goal[0].edge, row_of(&b->to, y));
    }
}

static void draw_part(brush *b, const uw_push_piece *p) {
    const int32_t size = b->to.size;
    part_outlines part;
    if (!part_outlines_init(&part, p, b->to.scale)) return;
    for (int32_t y = row_before(part.outer.low, size); y < row_after(part.outer.high, size); y++) {
        add_outline(&b->outer, &part.outer, y);
        add_outline(&b->inner, &part.inner, y);
        paint_nested(&b->outer, &b->inner, p, row_of(&b->to, y));
    }
}

/* The canvas centres discs between pixels. */
static void draw_disc(brush *b, const uw_push_piece *p) {
    const int32_t size = b->to.size,
                  slices = (int32_t)fmin(fmax(ceil(1.0 / b->to.scale), 4.0), 16.0);
    const double at[2] = {p->at[0][0] * b->to.scale, p->at[0][1] * b->to.scale};
    const double radius = p->radius * b->to.scale;
    const double inside = fmax(p->radius - UW_PUSH_BORDER, 0) * b->to.scale;
    for (int32_t y = row_before(at[1] - radius, size); y < row_after(at[1] + radius, size); y++) {
        add_disc(&b->outer, at, radius, y, slices);
        add_disc(&b->inner, at, inside, y, slices);
        paint_nested(&b->outer, &b->inner, p, row_of(&b->to, y));
    }
}

/* A line one pixel of the canvas thick across its longer axis, and one pixel longer than its way.
 */
static void draw_contact(brush *b, const int32_t (*ends)[2]) {
    const int32_t size = b->to.size;
    const double dx = ends[1][0] - ends[0][0], dy = ends[1][1] - ends[0][1];
    const bool steep = fabs(dx) < fabs(dy);
    const double u = steep ? dy : dx, v = steep ? dx : dy;
    const double slope = u != 0.0 ? v / u : 0.0, way = u < 0.0 ? -0.5 : 0.5;
    double at[4][2];
    for (int i = 0; i < 4; i++) {
        const bool last = i == 1 || i == 2;
        const double along = last ? way : -way, aside = i < 2 ? -0.5 : 0.5;
        at[i][steep] = ends[last][steep] + 0.5 + along;
        at[i][!steep] = ends[last][!steep] + 0.5 + along * slope + aside;
    }
    outline line;
    outline_init(&line, at, 4, b->to.scale);
    for (int32_t y = row_before(line.low, size); y < row_after(line.high, size); y++) {
        add_outline(&b->outer, &line, y);
        paint(&b->outer, uw__push_contact_color, row_of(&b->to, y));
    }
}

/* ---- walls and all ----------------------------------------------------------------------------
 */

/* The part of every cell along an axis between two places. */
static void axis_cover(double from, double to, const picture *at, float *out) {
    for (int32_t i = 0; i < at->size; i++)
        out[i] = (float)fmax(fmin(i + 1, to * at->scale) - fmax(i, from * at->scale), 0.0);
}

/* The walls are a frame: a square without the square inside. */
static void draw_walls(const picture *to) {
    enum { HALF = 2 };
    float outer[MAX_SIZE], inner[MAX_SIZE];
    axis_cover(UW_PUSH_WALL_LOW - HALF, UW_PUSH_WALL_HIGH + HALF + 1, to, outer);
    axis_cover(UW_PUSH_WALL_LOW + HALF + 1, UW_PUSH_WALL_HIGH - HALF, to, inner);
    int32_t first = 0, last = to->size; /* of the cells that are all inside */
    while (first < last && inner[first] < 1.0f) first++;
    while (last > first && inner[last - 1] < 1.0f) last--;
    for (int32_t y = 0; y < to->size; y++) {
        const bool between = y >= first && y < last;
        uint8_t *row = row_of(to, y);
        for (int32_t x = 0; x < to->size; x++) {
            if (between && x == first) x = last;
            if (x < to->size)
                blend(row + 3 * x, uw__push_wall_color, outer[x] * outer[y] - inner[x] * inner[y]);
        }
    }
}

static void fill(const picture *to, const uint8_t color[3]) {
    for (int32_t x = 0; x < to->size; x++) memcpy(to->rgb + 3 * x, color, 3);
    for (int32_t y = 1; y < to->size; y++) memcpy(row_of(to, y), to->rgb, (size_t)to->size * 3);
}

void uw__push_draw_direct(const uw_push_scene *scene, const double *distractors, int64_t steps,
                          int32_t size, uint8_t *rgb) {
    UW_ASSERT(size >= 1 && size <= MAX_SIZE);
    brush b;
    b.to = (picture){rgb, size, (double)size / UW_PUSH_EDGE};
    cover_clear(&b.outer, size);
    cover_clear(&b.inner, size);
    fill(&b.to, scene->background);
    uw__distractors_draw(distractors, steps, false, size, rgb);
    draw_goal(&b, scene);
    for (int32_t i = 0; i < scene->num_pieces; i++) {
        const uw_push_piece *p = &scene->piece[i];
        if (p->corners)
            draw_part(&b, p);
        else
            draw_disc(&b, p);
    }
    draw_walls(&b.to);
    for (int32_t i = 0; i < scene->num_contacts; i++)
        draw_contact(&b, (const int32_t(*)[2])scene->contact[i]);
    uw__distractors_draw(distractors, steps, true, size, rgb);
}
