/* TwoRoom: the picture, at any size, from values and positions alone.
 *
 * At 224 pixels it follows the reference renderer step by step in float32: walls and doors, then
 * for the target (if it is shown) and the agent a Gaussian spot, alpha = exp(-d2 / (2 r2)) divided
 * by its largest value on the pixel grid, blended and truncated.  At other sizes every pixel is a
 * cell of that picture: walls by the area they cover, a spot by the Gaussian's mean over the cell.
 * No libm: the same bytes on every machine. */
#include "two_room.h"

#include <math.h>
#include <string.h>

#include "internal.h"

enum { MAX_SIZE = UW_MAX_FRAME_SIZE, BLOCK = 16 };

/* ---- walls and doors ---------------------------------------------------------------------------
 */

/* Cover of the cells along both axes, as fractions: what is not outer wall, of that the wall band
 * (across the wall), and of that the doors (along it). */
typedef struct cover {
    float clear[MAX_SIZE], band[MAX_SIZE], door[MAX_SIZE];
} cover;

/* Add the part of every cell that pixels first..last (inclusive) cover. */
static void add_cover(float *cells, int32_t size, int32_t first, int32_t last) {
    first = first < 0 ? 0 : first;
    last = last > UW_ROOM_EDGE - 1 ? UW_ROOM_EDGE - 1 : last;
    if (first > last) return;
    const double cell = (double)UW_ROOM_EDGE / size, from = first, to = last + 1;
    for (int32_t i = (int32_t)(from / cell); i < size && i * cell < to; i++) {
        const double low = i * cell > from ? i * cell : from;
        const double high = (i + 1) * cell < to ? (i + 1) * cell : to;
        if (high > low) cells[i] += (float)((high - low) / cell);
    }
}

/* The outer walls lie over everything, doors too: add a span without what they hide. */
static void add_visible(float *cells, int32_t size, int32_t first, int32_t last) {
    static const int32_t open[3][2] = {{0, 9}, {14, 209}, {214, UW_ROOM_EDGE - 1}};
    for (int k = 0; k < 3; k++) {
        const int32_t from = first > open[k][0] ? first : open[k][0];
        const int32_t to = last < open[k][1] ? last : open[k][1];
        add_cover(cells, size, from, to);
    }
}

static void cover_init(const double *values, int32_t size, cover *out) {
    const size_t bytes = (size_t)size * sizeof(float);
    memset(out->clear, 0, bytes);
    memset(out->band, 0, bytes);
    memset(out->door, 0, bytes);
    add_visible(out->clear, size, 0, UW_ROOM_EDGE - 1);
    const int32_t half = (int32_t)values[UW_ROOM_WALL_THICKNESS] / 2;
    add_visible(out->band, size, UW_ROOM_MIDDLE - half, UW_ROOM_MIDDLE + half);

    /* doors may overlap: sweep them in order of their beginning and add only what is new */
    const int32_t count = (int32_t)values[UW_ROOM_DOOR_NUMBER];
    int32_t reached = -1;
    bool used[UW_ROOM_DOORS] = {false};
    for (int32_t n = 0; n < count; n++) {
        int32_t next = -1, next_low = 0;
        for (int32_t k = 0; k < count; k++) {
            const int32_t low =
                (int32_t)(values[UW_ROOM_DOOR_POSITION + k] - values[UW_ROOM_DOOR_SIZE + k]);
            if (used[k] || (next >= 0 && low >= next_low)) continue;
            next = k;
            next_low = low;
        }
        used[next] = true;
        const int32_t high =
            (int32_t)(values[UW_ROOM_DOOR_POSITION + next] + values[UW_ROOM_DOOR_SIZE + next]);
        add_visible(out->door, size, next_low > reached ? next_low : reached + 1, high);
        reached = high > reached ? high : reached;
    }
}

/* The three colours of the static picture. */
typedef struct palette {
    float wall[3], floor[3], door[3]; /* floor and door relative to wall */
} palette;

static void palette_init(const double *values, palette *out) {
    for (int c = 0; c < 3; c++) {
        const double wall = values[UW_ROOM_WALL_COLOR + c];
        out->wall[c] = (float)wall + 0.5f; /* rounds to nearest when it is cut to a byte */
        out->floor[c] = (float)(values[UW_ROOM_BACKGROUND_COLOR + c] - wall);
        out->door[c] = (float)(values[UW_ROOM_DOOR_COLOR + c] - wall);
    }
}

static void put(const palette *colors, float floor, float door, uint8_t *rgb) {
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(colors->wall[c] + floor * colors->floor[c] + door * colors->door[c]);
}

/* Draw walls and doors over what lies on the floor: rgb holds it already. */
static void draw_walls(const double *values, const cover *part, palette *colors, int32_t size,
                       uint8_t *rgb) {
    const bool vertical = values[UW_ROOM_WALL_AXIS] == 1.0;
    for (int32_t y = 0; y < size; y++) {
        for (int32_t x = 0; x < size; x++, rgb += 3) {
            const int32_t u = vertical ? x : y, o = vertical ? y : x;
            for (int c = 0; c < 3; c++)
                colors->floor[c] = (float)(rgb[c] - values[UW_ROOM_WALL_COLOR + c]);
            put(colors, (part->clear[u] - part->band[u]) * part->clear[o],
                part->band[u] * part->door[o], rgb);
        }
    }
}

/* Draw the floor, its texture and the discs on it, then walls and doors. */
static void draw_rooms_over(const double *values, int64_t steps, int32_t size, uint8_t *rgb) {
    cover part;
    palette colors;
    const size_t count = (size_t)size * (size_t)size * 3;
    for (size_t i = 0; i < count; i++) rgb[i] = (uint8_t)values[UW_ROOM_BACKGROUND_COLOR + i % 3];
    uw__texture_draw(values + UW_ROOM_TEXTURE, size, rgb);
    uw__distractors_draw(values + UW_ROOM_DISTRACTOR, steps, false, size, rgb);
    cover_init(values, size, &part);
    palette_init(values, &colors);
    draw_walls(values, &part, &colors, size, rgb);
}

/* True when cell i is covered as cell i - 1 is. */
static bool repeats(const float *a, const float *b, int32_t i) {
    return i > 0 && a[i] == a[i - 1] && b[i] == b[i - 1];
}

/* Draw rows.  Most rows equal the one above and most pixels the one to the left: those are copied.
 */
static void draw_rooms(const double *values, int32_t size, uint8_t *rgb) {
    cover part;
    palette colors;
    cover_init(values, size, &part);
    palette_init(values, &colors);
    const bool vertical = values[UW_ROOM_WALL_AXIS] == 1.0;
    const float *down = vertical ? part.door : part.band; /* what changes along y, and along x */
    const float *right = vertical ? part.band : part.door;
    const size_t row_bytes = (size_t)size * 3;
    for (int32_t y = 0; y < size; y++) {
        uint8_t *row = rgb + (size_t)y * row_bytes;
        if (repeats(part.clear, down, y)) {
            memcpy(row, row - row_bytes, row_bytes);
            continue;
        }
        uint8_t pixel[3] = {0};
        for (int32_t x = 0; x < size; x++) {
            const int32_t u = vertical ? x : y, o = vertical ? y : x;
            if (!repeats(part.clear, right, x))
                put(&colors, (part.clear[u] - part.band[u]) * part.clear[o],
                    part.band[u] * part.door[o], pixel);
            memcpy(row + 3 * x, pixel, 3);
        }
    }
}

/* ---- spots -------------------------------------------------------------------------------------
 */

/* exp(-t) for t >= 0 to about 1e-16, in plain IEEE arithmetic; 0 when it would be subnormal. */
static double exp_minus(double t) {
    static const double inverse[] = {1.0 / 13, 1.0 / 12, 1.0 / 11, 1.0 / 10, 1.0 / 9,
                                     1.0 / 8,  1.0 / 7,  1.0 / 6,  1.0 / 5,  1.0 / 4,
                                     1.0 / 3,  1.0 / 2,  1.0};
    if (!(t < 700.0)) return 0.0;
    const int64_t n = (int64_t)(t * 0x1.71547652b82fep+0 + 0.5); /* t / ln 2, rounded */
    const double k = (double)n;
    const double r =
        (k * 0x1.62e42fee00000p-1 - t) + k * 0x1.a39ef35793c76p-33; /* |r| <= ln 2 / 2 */
    double sum = 1.0;
    for (size_t i = 0; i < sizeof inverse / sizeof inverse[0]; i++)
        sum = 1.0 + sum * r * inverse[i]; /* Taylor: the first term left out is below 5e-18 */
    const uint64_t bits = (uint64_t)(1023 - n) << 52; /* 2^-n */
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* A Gaussian over cells, as product of one factor per axis. */
typedef struct spot {
    float two_r2;    /* 2 r^2 */
    float amplitude; /* 1 at full size */
    float peak;      /* its largest alpha on the full-size grid */
    double inverse;  /* 1 / two_r2 */
} spot;

/* Return exp(-t) for t = fl(d2 / two_r2) as the reference rounds it.  The product of the two axis
 * factors belongs to the unrounded t, so it is corrected by exp of the difference, to first order
 * (|difference| < 1e-5). */
static inline float alpha_at(const spot *s, float dx2, double ex, float dy2, double ey) {
    const float t = (dx2 + dy2) / s->two_r2;
    const double exact = ((double)dx2 + (double)dy2) * s->inverse;
    return (float)(ex * ey * (1.0 + (exact - (double)t)));
}

static float nearest_square(float at) {
    const float pixel = fminf(fmaxf(rintf(at), 0.0f), UW_ROOM_EDGE - 1);
    return (pixel - at) * (pixel - at);
}

/* A cell of `cell` pixels averages point samples: the mean is again nearly a Gaussian, wider by the
 * variance of a box of samples, (cell^2 - 1) / 12, and lower by as much area. */
static void spot_init(spot *s, const float *center, double radius, double cell) {
    const double r2 = (double)(float)radius * (double)(float)radius;
    const double wide2 = r2 + (cell * cell - 1.0) / 12.0;
    const float full = (float)(2.0 * r2);
    const float dx2 = nearest_square(center[0]), dy2 = nearest_square(center[1]);
    const spot exact = {.two_r2 = full, .inverse = 1.0 / (double)full};
    *s = (spot){
        .two_r2 = (float)(2.0 * wide2),
        .amplitude = (float)(r2 / wide2),
        .peak = alpha_at(&exact, dx2, exp_minus((double)dx2 * exact.inverse), dy2,
                         exp_minus((double)dy2 * exact.inverse)),
        .inverse = 1.0 / (double)(float)(2.0 * wide2),
    };
}

/* Blend a block of pixels towards a colour, truncating as the reference does.  Fixed trip counts
 * over flat arrays, so that compilers vectorise it.  color: [3 * BLOCK], the colour repeated. */
static void blend(uint8_t *rgb, const float *alpha, const float *color, size_t count) {
    uint8_t bytes[3 * BLOCK] = {0};
    float a[3 * BLOCK];
    memcpy(bytes, rgb, 3 * count);
    for (int i = 0; i < BLOCK; i++) a[3 * i] = a[3 * i + 1] = a[3 * i + 2] = alpha[i];
    for (int i = 0; i < 3 * BLOCK; i++)
        bytes[i] = (uint8_t)(int32_t)((float)bytes[i] * (1.0f - a[i]) + color[i] * a[i]);
    memcpy(rgb, bytes, 3 * count);
}

static int32_t clamp_cell(double cell, int32_t size) {
    return (int32_t)fmin(fmax(cell, 0.0), size);
}

static void draw_spot(const double *color_values, const float *center, double radius, int32_t size,
                      uint8_t *rgb) {
    const double cell = (double)UW_ROOM_EDGE / size;
    spot s;
    spot_init(&s, center, radius, cell);
    if (!(s.peak > 0.0f)) return; /* so far outside that nothing of it is in the picture */
    float color[3 * BLOCK];
    for (int i = 0; i < 3 * BLOCK; i++) color[i] = (float)color_values[i % 3];

    /* beyond this d2, alpha < 2^-25: 1 - alpha rounds to 1 and the pixel stays as it is */
    const double reach2 = 17.5 * (double)s.two_r2;
    const double reach = sqrt(reach2);
    float square[2][MAX_SIZE + BLOCK];
    double factor[2][MAX_SIZE + BLOCK];
    int32_t from[2], to[2];
    for (int axis = 0; axis < 2; axis++) {
        const double at = (double)center[axis] + 0.5;
        from[axis] = clamp_cell(floor((at - reach) / cell), size);
        to[axis] = clamp_cell(ceil((at + reach) / cell), size);
        for (int32_t i = from[axis]; i < to[axis] + BLOCK; i++) {
            const float d = (float)((i + 0.5) * cell - 0.5) - center[axis];
            square[axis][i] = d * d;
            factor[axis][i] = i < to[axis] ? exp_minus((double)(d * d) * s.inverse) : 0.0;
        }
    }
    for (int32_t y = from[1]; y < to[1]; y++) {
        const float dy2 = square[1][y];
        const double ey = factor[1][y];
        int32_t x0 = from[0], x1 = to[0]; /* the part of the row inside the circle */
        while (x0 < x1 && (double)square[0][x0] + (double)dy2 > reach2) x0++;
        while (x1 > x0 && (double)square[0][x1 - 1] + (double)dy2 > reach2) x1--;
        for (int32_t x = x0; x < x1; x += BLOCK) {
            float alpha[BLOCK];
            for (int32_t i = 0; i < BLOCK; i++) {
                const float a = alpha_at(&s, square[0][x + i], factor[0][x + i], dy2, ey) / s.peak *
                                s.amplitude;
                alpha[i] = a < 1.0f ? a : 1.0f; /* a cell's centre can be nearer than any pixel's */
            }
            blend(rgb + ((size_t)y * (size_t)size + (size_t)x) * 3, alpha, color,
                  (size_t)(x1 - x < BLOCK ? x1 - x : BLOCK));
        }
    }
}

void uw__room_draw(const double *values, const double *state, const double *goal, int64_t steps,
                   int32_t size, uint8_t *rgb) {
    UW_ASSERT(size >= 1 && size <= MAX_SIZE);
    const double *discs = values + UW_ROOM_DISTRACTOR;
    const float agent[2] = {(float)state[0], (float)state[1]};
    const float target[2] = {(float)goal[0], (float)goal[1]};
    if (discs[UW_DISTRACTOR_NUMBER] > 0.0 || values[UW_ROOM_TEXTURE + UW_TEXTURE_STRENGTH] > 0.0)
        draw_rooms_over(values, steps, size, rgb);
    else
        draw_rooms(values, size, rgb);
    if (values[UW_ROOM_RENDER_TARGET] == 1.0)
        draw_spot(values + UW_ROOM_TARGET_COLOR, target, values[UW_ROOM_TARGET_RADIUS], size, rgb);
    draw_spot(values + UW_ROOM_AGENT_COLOR, agent, values[UW_ROOM_AGENT_RADIUS], size, rgb);
    uw__distractors_draw(discs, steps, true, size, rgb);
}
