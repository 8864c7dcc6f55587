/* Polygons, discs and lines pixel by pixel as pygame 2.6 sets them.
 *
 * Everything but the anti-aliased line is made of horizontal spans, so `span` alone clips, brings
 * tiles to life and writes.  No float decides which pixel is set there: crossings are exact
 * fractions. */
#include "raster.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { TILE = UW_RASTER_TILE, INK = 16 };

/* A colour INK times in a row, to be copied in long strides. */
typedef struct ink {
    uint8_t rgb[3 * INK];
} ink;

static ink ink_of(const uint8_t color[3]) {
    ink made;
    for (int i = 0; i < INK; i++) memcpy(made.rgb + 3 * i, color, 3);
    return made;
}

static int32_t min_i(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t max_i(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* ---- tiles and spans ------------------------------------------------------------------------- */

/* Which of a ground's three tiles along an axis lies under tile i of n. */
static int32_t ground_tile(int32_t i, int32_t n) {
    return i == 0 ? 0 : i == n - 1 ? 2 : 1;
}

/* Give the tiles of a row their pixels. */
static void wake(const uw_canvas *to, int32_t ty, uint32_t tiles) {
    const int32_t from_y = TILE * ground_tile(ty, to->height / TILE);
    to->ground->drawn[ty] |= tiles;
    for (int32_t tx = 0; tiles; tx++, tiles >>= 1) {
        if (!(tiles & 1)) continue;
        const int32_t from_x = TILE * ground_tile(tx, to->width / TILE);
        for (int32_t y = 0; y < TILE; y++)
            memcpy(to->rgb +
                       ((size_t)(ty * TILE + y) * (size_t)to->width + (size_t)(tx * TILE)) * 3,
                   to->ground->rgb + ((from_y + y) * UW_RASTER_GROUND + from_x) * 3, 3 * TILE);
    }
}

/* Return pixel x of a row, after the tiles of x .. last have their pixels; all inside the canvas.
 */
static inline uint8_t *reach(const uw_canvas *to, int32_t x, int32_t last, int32_t y) {
    if (to->ground) {
        const uint32_t up_to = UINT32_MAX >> (31 - last / TILE);
        const uint32_t tiles = up_to >> (x / TILE) << (x / TILE);
        const uint32_t missing = tiles & ~to->ground->drawn[y / TILE];
        if (missing) wake(to, y / TILE, missing);
    }
    return to->rgb + ((size_t)y * (size_t)to->width + (size_t)x) * 3;
}

/* Set the pixels x .. last of a row, as far as they exist. */
static inline void span(const uw_canvas *to, const ink *with, int32_t x, int32_t last, int32_t y) {
    x = max_i(x, 0);
    last = min_i(last, to->width - 1);
    if (y < 0 || y >= to->height || x > last) return;
    uint8_t *at = reach(to, x, last, y);
    size_t n = (size_t)(last - x) + 1;
    for (; n > INK; n -= INK, at += sizeof with->rgb) memcpy(at, with->rgb, sizeof with->rgb);
    if (n >= 8) { /* two strides that overlap: copies of a known length are single stores */
        memcpy(at, with->rgb, 24);
        memcpy(at + 3 * (n - 8), with->rgb, 24);
    } else if (n >= 4) {
        memcpy(at, with->rgb, 12);
        memcpy(at + 3 * (n - 4), with->rgb, 12);
    } else {
        for (; n; n--, at += 3) memcpy(at, with->rgb, 3);
    }
}

/* Set the pixels y .. last of a column. */
static inline void column(const uw_canvas *to, const ink *with, int32_t x, int32_t y,
                          int32_t last) {
    y = max_i(y, 0);
    last = min_i(last, to->height - 1);
    if (x < 0 || x >= to->width || y > last) return;
    uint8_t *at = reach(to, x, x, y);
    for (;;) {
        memcpy(at, with->rgb, 3);
        if (++y > last) return;
        at = y % TILE ? at + 3 * (size_t)to->width : reach(to, x, x, y);
    }
}

void uw__raster_fill(const uw_canvas *to, const uint8_t color[3]) {
    const ink with = ink_of(color);
    for (int32_t y = 0; y < to->height; y++) span(to, &with, 0, to->width - 1, y);
}

void uw__raster_stamp(const uw_canvas *to, const uint8_t *mask, const uint8_t color[3]) {
    const int32_t columns = to->width / TILE, rows = to->height / TILE;
    for (int32_t ty = 0; ty < rows; ty++)
        for (int32_t tx = 0; tx < columns; tx++) {
            const int32_t from_x = TILE * ground_tile(tx, columns);
            const int32_t from_y = TILE * ground_tile(ty, rows);
            if (!(to->ground->drawn[ty] >> tx & 1) || (from_x == TILE && from_y == TILE)) continue;
            for (int32_t y = 0; y < TILE; y++)
                for (int32_t x = 0; x < TILE; x++)
                    if (mask[((from_y + y) * UW_RASTER_GROUND + from_x + x) * 3])
                        memcpy(reach(to, tx * TILE + x, tx * TILE + x, ty * TILE + y), color, 3);
        }
}

/* ---- polygon --------------------------------------------------------------------------------- */

/* A side from its upper to its lower end, and where it crosses the current row: at + rest / rows.
 */
typedef struct side {
    int32_t top, bottom; /* rows */
    int64_t rows;        /* bottom - top */
    int64_t at, rest;    /* 0 <= rest < rows */
    int64_t step, more;  /* of at and rest from a row to the next */
} side;

static int64_t floor_div(int64_t a, int64_t b, int64_t *rest) {
    int64_t q = a / b;
    *rest = a - q * b;
    if (*rest < 0) {
        *rest += b;
        q--;
    }
    return q;
}

static void side_init(const int32_t a[2], const int32_t b[2], int32_t first_row, side *out) {
    const int32_t *upper = a[1] < b[1] ? a : b, *lower = a[1] < b[1] ? b : a;
    *out = (side){.top = upper[1], .bottom = lower[1], .rows = (int64_t)lower[1] - upper[1]};
    out->step = floor_div((int64_t)lower[0] - upper[0], out->rows, &out->more);
    const int64_t skipped = max_i(first_row, upper[1]) - (int64_t)upper[1];
    out->at = upper[0] + floor_div(skipped * ((int64_t)lower[0] - upper[0]), out->rows, &out->rest);
}

/* Return the crossing cut towards zero, and go to the next row. */
static int32_t side_cross(side *s) {
    const int32_t x = (int32_t)(s->at + (s->at < 0 && s->rest > 0));
    s->at += s->step;
    s->rest += s->more;
    if (s->rest >= s->rows) {
        s->rest -= s->rows;
        s->at++;
    }
    return x;
}

static void sort_up(int32_t *x, int32_t n) {
    for (int32_t i = 1; i < n; i++)
        for (int32_t k = i; k > 0 && x[k] < x[k - 1]; k--) {
            const int32_t swap = x[k];
            x[k] = x[k - 1];
            x[k - 1] = swap;
        }
}

void uw__raster_polygon(const uw_canvas *to, const uint8_t color[3], const int32_t *points,
                        int32_t n) {
    UW_ASSERT(n >= 1 && n <= UW_RASTER_MAX_POINTS);
    const ink with = ink_of(color);
    int32_t low[2] = {points[0], points[1]}, high[2] = {points[0], points[1]};
    for (int32_t i = 1; i < n; i++)
        for (int k = 0; k < 2; k++) {
            low[k] = min_i(low[k], points[2 * i + k]);
            high[k] = max_i(high[k], points[2 * i + k]);
        }
    if (low[1] == high[1]) {
        span(to, &with, low[0], high[0], low[1]);
        return;
    }
    const int32_t first = max_i(low[1], 0), last = min_i(high[1], to->height - 1);
    side sides[UW_RASTER_MAX_POINTS];
    int32_t num_sides = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t *a = points + 2 * (i ? i - 1 : n - 1), *b = points + 2 * i;
        if (a[1] != b[1]) side_init(a, b, first, &sides[num_sides++]);
    }
    for (int32_t y = first; y <= last; y++) {
        int32_t cross[UW_RASTER_MAX_POINTS], found = 0;
        for (int32_t i = 0; i < num_sides; i++) {
            side *s = &sides[i]; /* without its lower end, but for the lowest row of all */
            if (y >= s->top && (y < s->bottom || (y == s->bottom && y == high[1])))
                cross[found++] = side_cross(s);
        }
        sort_up(cross, found);
        for (int32_t i = 0; i + 1 < found; i += 2) span(to, &with, cross[i], cross[i + 1], y);
    }
    /* level sides inside, a point given twice among them, count as filled */
    for (int32_t i = 0; i < n; i++) {
        const int32_t *a = points + 2 * (i ? i - 1 : n - 1), *b = points + 2 * i;
        if (a[1] == b[1] && low[1] < a[1] && a[1] < high[1])
            span(to, &with, min_i(a[0], b[0]), max_i(a[0], b[0]), a[1]);
    }
}

/* ---- disc ------------------------------------------------------------------------------------ */

void uw__raster_disc(const uw_canvas *to, const uint8_t color[3], int32_t x, int32_t y, int32_t r) {
    if (x + r < 0 || y + r < 0 || x - r > to->width || y - r > to->height) return;
    const ink with = ink_of(color);
    int32_t f = 1 - r, right = 0, down = -2 * r, short_side = 0, long_side = r;
    while (short_side < long_side) {
        if (f >= 0) {
            long_side--;
            down += 2;
            f += down;
        }
        short_side++;
        right += 2;
        f += right + 1;
        if (f >= 0) { /* the caps: each row once, when it is at its widest */
            span(to, &with, x - short_side, x + short_side - 1, y + long_side - 1);
            span(to, &with, x - short_side, x + short_side - 1, y - long_side);
        }
        span(to, &with, x - long_side, x + long_side - 1, y + short_side - 1);
        span(to, &with, x - long_side, x + long_side - 1, y - short_side);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Cut a line to [0, width] x [0, height], the way from a rounded half away from zero; false when
 * nothing is left. */
static bool clip_line(const uw_canvas *to, const int32_t a[2], const int32_t b[2], int32_t from[2],
                      int32_t last[2]) {
    const double d[2] = {(double)b[0] - a[0], (double)b[1] - a[1]};
    const double size[2] = {to->width, to->height};
    double enter = 0.0, leave = 1.0;
    for (int k = 0; k < 2; k++) {
        const double p[2] = {-d[k], d[k]}, q[2] = {a[k], size[k] - a[k]};
        for (int i = 0; i < 2; i++) {
            if (p[i] == 0.0 && q[i] < 0.0) return false;
            if (p[i] < 0.0) enter = fmax(enter, q[i] / p[i]);
            if (p[i] > 0.0) leave = fmin(leave, q[i] / p[i]);
        }
    }
    if (enter > leave) return false;
    for (int k = 0; k < 2; k++) {
        from[k] = enter > 0.0 ? a[k] + (int32_t)round(enter * d[k]) : a[k];
        last[k] = leave < 1.0 ? a[k] + (int32_t)round(leave * d[k]) : b[k];
    }
    return true;
}

void uw__raster_line(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                     const int32_t b[2], int32_t width) {
    int32_t at[2], end[2];
    if (!clip_line(to, a, b, at, end)) return;
    const ink with = ink_of(color);
    const int32_t before = (width - 1) / 2, after = width / 2;
    const int32_t dx = abs(b[0] - a[0]), dy = abs(b[1] - a[1]);
    const int32_t step[2] = {a[0] < b[0] ? 1 : -1, a[1] < b[1] ? 1 : -1};
    const int major = dx <= dy;                          /* 1: along y, a row of pixels per step */
    const int32_t edge = major ? to->width : to->height; /* across */
    int32_t error = (dx > dy ? dx : -dy) / 2;
    bool arrived = false;
    for (;;) {
        const int32_t low = at[!major] - before, high = at[!major] + after;
        /* the cut is where the middle leaves: beyond it a part of the brush may still be inside */
        arrived = arrived || at[major] == end[major];
        const bool inside = (low >= 0 && low < edge) || (high >= 0 && high < edge);
        if (major)
            span(to, &with, low, high, at[1]);
        else
            column(to, &with, at[0], low, high);
        if (arrived && (at[major] == b[major] || !inside)) return;
        const int32_t was = error;
        if (was > -dx) {
            error -= dy;
            at[0] += step[0];
        }
        if (was < dy) {
            error += dx;
            at[1] += step[1];
        }
    }
}

/* Mix a colour into a pixel. */
static void mix(const uw_canvas *to, const uint8_t color[3], int32_t x, int32_t y, float part) {
    if (x < 0 || y < 0 || x >= to->width || y >= to->height) return;
    uint8_t *at = reach(to, x, x, y);
    for (int c = 0; c < 3; c++)
        at[c] = (uint8_t)((float)color[c] * part + (float)at[c] * (1.0f - part));
}

/* A Wu line along its longer axis u; v is the other one, one too large, so that a cast rounds down.
 */
typedef struct wu {
    const uw_canvas *to;
    const uint8_t *color;
    bool steep; /* u is y */
} wu;

/* Mix the two pixels around v, with a weight. */
static void wu_pair(const wu *line, int32_t u, float v, float weight) {
    const int32_t row = (int32_t)v;
    const float lower = v - (float)row;
    const bool s = line->steep;
    if ((float)row < v) mix(line->to, line->color, s ? row : u, s ? u : row, lower * weight);
    mix(line->to, line->color, s ? row - 1 : u, s ? u : row - 1, (1.0f - lower) * weight);
}

void uw__raster_aaline(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                       const int32_t b[2]) {
    if (a[0] == b[0] && a[1] == b[1]) {
        mix(to, color, a[0], a[1], 1.0f);
        return;
    }
    const bool steep = abs(b[0] - a[0]) < abs(b[1] - a[1]);
    const wu line = {to, color, steep};
    const int32_t *first = a[steep] <= b[steep] ? a : b, *second = first == a ? b : a;
    float u0 = (float)first[steep], v0 = (float)first[!steep];
    float u1 = (float)second[steep], v1 = (float)second[!steep];
    const float slope = (v1 - v0) / (u1 - u0);
    /* cut along u and then along v, one pixel outside of the canvas */
    const float low = -1.0f, end_u = (float)(steep ? to->height : to->width);
    const float end_v = (float)(steep ? to->width : to->height);
    if (u1 <= low || u0 >= end_u) return;
    if (u0 < low) {
        v0 += slope * (low - u0);
        u0 = low;
    }
    if (u1 > end_u) {
        v1 += slope * (end_u - u1);
        u1 = end_u;
    }
    if (fmaxf(v0, v1) <= low || fminf(v0, v1) >= end_v) return;
    float *const upper_u = slope > 0.0f ? &u0 : &u1, *const upper_v = slope > 0.0f ? &v0 : &v1;
    float *const lower_u = slope > 0.0f ? &u1 : &u0, *const lower_v = slope > 0.0f ? &v1 : &v0;
    if (*upper_v < low) {
        *upper_u += (low - *upper_v) / slope;
        *upper_v = low;
    }
    if (*lower_v > end_v) {
        *lower_u += (end_v - *lower_v) / slope;
        *lower_v = end_v;
    }
    v0 += 1.0f;
    v1 += 1.0f;
    int32_t u = (int32_t)u0;
    float v = v0 + slope * ((float)u - u0);
    if (u1 > low + 1.0f) {
        wu_pair(&line, u, v, 1.0f + (float)u - u0);
        v += slope;
        u++;
    }
    int32_t last = (int32_t)ceilf(u1);
    if (u0 < end_u - 1.0f)
        wu_pair(&line, last, v1 + slope * ((float)last - u1), 1.0f - (float)last + u1);
    for (; u < last; u++, v += slope) wu_pair(&line, u, v, 1.0f);
}

/* ---- resize ---------------------------------------------------------------------------------- */

/* Output pixel i of a tile mixes source pixels source[i] and source[i] + 1; the second one's part
 * of 2048, where OpenCV's fixed point has rounded it: (i + 1/2) 16/7 - 1/2 = source[i] + part[i] /
 * 2048.  It is the same in every tile, so this needs no table per column. */
static const uint8_t source[UW_RASTER_REDUCED] = {0, 2, 5, 7, 9, 12, 14};
static const int16_t part[UW_RASTER_REDUCED] = {1317, 1902, 439, 1024, 1609, 146, 731};

enum { LANES = 3 * TILE };

/* The part of the pixel to the right for every value of a row of a tile; values that no output
 * pixel begins at have one too: computing 48 of them side by side is faster than picking 21. */
static const int16_t lane_part[LANES] = {
    1317, 1317, 1317, 0, 0,   0,    1902, 1902, 1902, 0, 0,   0,    0,    0,    0, 439,
    439,  439,  0,    0, 0,   1024, 1024, 1024, 0,    0, 0,   1609, 1609, 1609, 0, 0,
    0,    0,    0,    0, 146, 146,  146,  0,    0,    0, 731, 731,  731,  0,    0, 0};

/* Mix a row of a tile: 16 times less than 2048ths, as OpenCV keeps it between its two passes. */
static void mix_row(const uint8_t *restrict row, uint16_t *restrict out) {
    uint8_t pixels[LANES + 3] = {0};
    memcpy(pixels, row, LANES);
    for (int j = 0; j < LANES; j++) {
        /* pixel * 128 + (rise * part >> 4), the product in two halves so that 16 bits are enough */
        const int16_t rise = (int16_t)(pixels[j + 3] - pixels[j]);
        const uint16_t high = (uint16_t)((rise * lane_part[j]) >> 16);
        const uint16_t low = (uint16_t)((uint16_t)rise * (uint16_t)lane_part[j]);
        const uint16_t way = (uint16_t)((uint16_t)(high << 12) | (uint16_t)(low >> 4));
        out[j] = (uint16_t)((uint16_t)(pixels[j] << 7) + way);
    }
}

static void reduce_tile(const uw_canvas *from, int32_t tx, int32_t ty, uint8_t *rgb) {
    const size_t stride = (size_t)from->width * 3, out_stride = stride / TILE * UW_RASTER_REDUCED;
    const uint8_t *tile = from->rgb + (size_t)(ty * TILE) * stride + (size_t)(tx * TILE) * 3;
    uint8_t *out =
        rgb + (size_t)(ty * UW_RASTER_REDUCED) * out_stride + (size_t)(tx * UW_RASTER_REDUCED) * 3;
    for (int i = 0; i < UW_RASTER_REDUCED; i++, out += out_stride) {
        uint16_t upper[LANES], lower[LANES];
        uint8_t mixed[LANES];
        mix_row(tile + source[i] * stride, upper);
        mix_row(tile + (source[i] + 1) * stride, lower);
        const uint16_t b0 = (uint16_t)(2048 - part[i]), b1 = (uint16_t)part[i];
        for (int j = 0; j < LANES; j++) {
            const uint16_t a = (uint16_t)((uint32_t)upper[j] * b0 >> 16);
            const uint16_t b = (uint16_t)((uint32_t)lower[j] * b1 >> 16);
            mixed[j] = (uint8_t)((uint16_t)(a + b + 2) >> 2);
        }
        for (int k = 0; k < UW_RASTER_REDUCED; k++) memcpy(out + 3 * k, mixed + 3 * source[k], 3);
    }
}

/* Spread a reduced ground over a picture of columns x rows tiles. */
static void spread_ground(const uint8_t *ground, int32_t columns, int32_t rows, uint8_t *rgb) {
    enum { PART = UW_RASTER_REDUCED, PART_BYTES = 3 * PART };
    const size_t stride = (size_t)columns * PART_BYTES;
    for (int32_t ty = 0; ty < rows; ty++) {
        uint8_t *band = rgb + (size_t)(ty * PART) * stride;
        if (ty > 1 && ty < rows - 1) { /* as the band above */
            memcpy(band, band - PART * stride, PART * stride);
            continue;
        }
        for (int32_t y = 0; y < PART; y++)
            for (int32_t tx = 0; tx < columns; tx++)
                memcpy(band + (size_t)y * stride + (size_t)(tx * PART_BYTES),
                       ground +
                           ((ground_tile(ty, rows) * PART + y) * 3 + ground_tile(tx, columns)) *
                               PART_BYTES,
                       PART_BYTES);
    }
}

void uw__raster_reduce(const uw_canvas *from, uint8_t *rgb) {
    const int32_t columns = from->width / TILE, rows = from->height / TILE;
    UW_ASSERT(columns * TILE == from->width && rows * TILE == from->height);
    if (from->ground) {
        uint8_t reduced[9 * UW_RASTER_REDUCED * UW_RASTER_REDUCED * 3];
        const uw_canvas patch = {from->ground->rgb, UW_RASTER_GROUND, UW_RASTER_GROUND, NULL};
        uw__raster_reduce(&patch, reduced);
        spread_ground(reduced, columns, rows, rgb);
    }
    for (int32_t ty = 0; ty < rows; ty++)
        for (int32_t tx = 0; tx < columns; tx++)
            if (!from->ground || from->ground->drawn[ty] >> tx & 1) reduce_tile(from, tx, ty, rgb);
}
