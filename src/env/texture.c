/* Texture: tiles, stripes and clouds, each a number from 0 (the floor's colour) to 1 per pixel.
 *
 * Tiles and stripes are square waves whose edges are one pixel soft, clouds are smooth between the
 * drawn heights of a grid.  Everything is in edges, so that a size shows what another one does. */
#include "texture.h"

#include <math.h>

#include "internal.h"
#include "rng.h"

enum { MAX_NODES = 18 }; /* along one axis: 1 / the smallest size, and both ends */

const char *const uw__texture_patterns[3] = {"tiles", "stripes", "clouds"};

/* A pattern as it was drawn. */
typedef struct texture {
    int32_t pattern;
    double size, pixel;       /* edges: of a feature, of a pixel */
    double shift[2], turn[2]; /* edges; unit vector across the stripes */
    double height[MAX_NODES][MAX_NODES];
} texture;

static void texture_init(const double *values, int32_t size, texture *t) {
    uw_rng rng = uw__rng((uint64_t)values[UW_TEXTURE_SEED], UW_STREAM_TEXTURE, 0);
    double square;
    t->pattern = (int32_t)values[UW_TEXTURE_PATTERN];
    t->size = values[UW_TEXTURE_SIZE];
    t->pixel = 1.0 / size;
    for (int i = 0; i < 2; i++) t->shift[i] = uw__rng_uniform64(&rng);
    do {
        for (int i = 0; i < 2; i++) t->turn[i] = 2.0 * uw__rng_uniform64(&rng) - 1.0;
        square = t->turn[0] * t->turn[0] + t->turn[1] * t->turn[1];
    } while (square > 1.0 || square < 0.01);
    for (int i = 0; i < 2; i++) t->turn[i] /= sqrt(square);
    for (int y = 0; y < MAX_NODES; y++)
        for (int x = 0; x < MAX_NODES; x++) t->height[y][x] = uw__rng_uniform64(&rng);
}

/* A square wave of half period `size` at u, its edges as soft as a pixel is wide. */
static double wave(const texture *t, double u) {
    const double phase = u / (2.0 * t->size);
    const double away =
        fabs(2.0 * (phase - floor(phase)) - 1.0) - 0.5; /* of the edge, in periods */
    return fmin(fmax(0.5 + away * t->size / t->pixel, 0.0), 1.0);
}

static double smooth(double x) {
    return x * x * (3.0 - 2.0 * x);
}

static double cloud(const texture *t, double x, double y) {
    const double u = x / t->size, v = y / t->size;
    const int32_t i = (int32_t)u, j = (int32_t)v;
    UW_ASSERT(i >= 0 && j >= 0 && i + 1 < MAX_NODES && j + 1 < MAX_NODES);
    const double a = smooth(u - i), b = smooth(v - j);
    const double above = t->height[j][i] + a * (t->height[j][i + 1] - t->height[j][i]);
    const double below = t->height[j + 1][i] + a * (t->height[j + 1][i + 1] - t->height[j + 1][i]);
    return above + b * (below - above);
}

static double height_at(const texture *t, double x, double y) {
    if (t->pattern == UW_TEXTURE_CLOUDS) return cloud(t, x, y);
    if (t->pattern == UW_TEXTURE_STRIPES)
        return wave(t, x * t->turn[0] + y * t->turn[1] + t->shift[0]);
    const double a = wave(t, x + t->shift[0]), b = wave(t, y + t->shift[1]);
    return a * b + (1.0 - a) * (1.0 - b);
}

void uw__texture_draw(const double *values, int32_t size, uint8_t *rgb) {
    texture t;
    UW_ASSERT(size >= 1 && size <= UW_MAX_FRAME_SIZE);
    if (!(values[UW_TEXTURE_STRENGTH] > 0.0)) return;
    texture_init(values, size, &t);
    for (int32_t y = 0; y < size; y++) {
        for (int32_t x = 0; x < size; x++, rgb += 3) {
            const double share = values[UW_TEXTURE_STRENGTH] *
                                 height_at(&t, (x + 0.5) * t.pixel, (y + 0.5) * t.pixel);
            for (int c = 0; c < 3; c++)
                rgb[c] = (uint8_t)(rgb[c] + share * (values[UW_TEXTURE_COLOR + c] - rgb[c]) + 0.5);
        }
    }
}
