/* Distractors: where the discs are, what they wear, and the discs themselves.
 *
 * A disc flies straight and bounces at the picture's edge.  Along one axis that is a triangle wave,
 * and in units of 2^-63 of the edge its period is 2^64: unsigned arithmetic wraps just there, so
 * the position after any number of steps is exact.  No libm: the same bytes on every machine. */
#include "distractor.h"

#include <math.h>

#include "internal.h"
#include "rng.h"

/* Edges per unit of position; golden is the share of the hue circle between two discs. */
static const double edge_units = 0x1p63, golden = 0.6180339887498949;

typedef struct disc {
    double center[2], radius; /* px */
    float color[3];
} disc;

/* ---- colour --------------------------------------------------------------------------------- */

/* Return the hue of a colour in [0, 6): 0 red, 2 green, 4 blue. */
static double hue_of(const double *rgb, double low, double high) {
    const double span = high - low;
    if (span <= 0.0) return 0.0;
    if (rgb[0] == high) return (rgb[1] - rgb[2]) / span + (rgb[1] < rgb[2] ? 6.0 : 0.0);
    return rgb[1] == high ? 2.0 + (rgb[2] - rgb[0]) / span : 4.0 + (rgb[0] - rgb[1]) / span;
}

/* Turn the colour by `turn` of the hue circle; its darkest and its brightest channel stay. */
static void turn_hue(const double *rgb, double turn, float *out) {
    const double low = fmin(rgb[0], fmin(rgb[1], rgb[2]));
    const double high = fmax(rgb[0], fmax(rgb[1], rgb[2]));
    double hue = hue_of(rgb, low, high) + 6.0 * turn;
    if (hue >= 6.0) hue -= 6.0;
    for (int c = 0; c < 3; c++) {
        double away = fabs(hue - 2.0 * c); /* from the channel's own hue, at most half a circle */
        away = fmin(away, 6.0 - away);
        out[c] = (float)(low + (high - low) * fmin(fmax(2.0 - away, 0.0), 1.0));
    }
}

/* ---- motion --------------------------------------------------------------------------------- */

/* Return where a disc is along one axis, in edges: it starts at `start` and moves by `speed`. */
static double bounce(double start, double speed, int64_t steps) {
    const uint64_t step = (uint64_t)(int64_t)(speed * edge_units);
    uint64_t at = (uint64_t)(start * edge_units) + step * (uint64_t)steps;
    if (at >> 63) at = 0 - at;
    return (double)at / edge_units;
}

/* Draw a direction: a point of the unit disc, not too near its centre, at length 1. */
static void heading(uw_rng *rng, double *out) {
    double square;
    do {
        for (int i = 0; i < 2; i++) out[i] = 2.0 * uw__rng_uniform64(rng) - 1.0;
        square = out[0] * out[0] + out[1] * out[1];
    } while (square > 1.0 || square < 0.01);
    for (int i = 0; i < 2; i++) out[i] /= sqrt(square);
}

static void disc_init(const double *values, int32_t number, int64_t steps, int32_t size,
                      disc *out) {
    uw_rng rng =
        uw__rng((uint64_t)values[UW_DISTRACTOR_SEED], UW_STREAM_DISTRACTOR, (uint64_t)number);
    const double turn = number * golden;
    double start[2], to[2];
    for (int i = 0; i < 2; i++) start[i] = uw__rng_uniform64(&rng);
    heading(&rng, to);
    for (int i = 0; i < 2; i++)
        out->center[i] = size * bounce(start[i], to[i] * values[UW_DISTRACTOR_SPEED], steps);
    out->radius = size * values[UW_DISTRACTOR_SIZE];
    turn_hue(values + UW_DISTRACTOR_COLOR, turn - floor(turn), out->color);
}

/* ---- drawing -------------------------------------------------------------------------------- */

static int32_t clamp_pixel(double at, int32_t size) {
    return (int32_t)fmin(fmax(at, 0.0), size);
}

/* Blend one disc: a pixel's cover is how far its centre is inside the rim, from 0 to 1. */
static void draw_disc(const disc *d, int32_t size, uint8_t *rgb) {
    const double reach = d->radius + 0.5;
    int32_t from[2], to[2];
    for (int i = 0; i < 2; i++) {
        from[i] = clamp_pixel(floor(d->center[i] - reach), size);
        to[i] = clamp_pixel(ceil(d->center[i] + reach), size);
    }
    for (int32_t y = from[1]; y < to[1]; y++) {
        const double dy = y + 0.5 - d->center[1];
        uint8_t *pixel = rgb + 3 * ((size_t)y * (size_t)size + (size_t)from[0]);
        for (int32_t x = from[0]; x < to[0]; x++, pixel += 3) {
            const double dx = x + 0.5 - d->center[0];
            const float cover = (float)fmin(reach - sqrt(dx * dx + dy * dy), 1.0);
            if (cover <= 0.0f) continue;
            for (int c = 0; c < 3; c++) {
                const float under = (float)pixel[c];
                pixel[c] = (uint8_t)(under + cover * (d->color[c] - under) + 0.5f);
            }
        }
    }
}

void uw__distractors_draw(const double *values, int64_t steps, bool before, int32_t size,
                          uint8_t *rgb) {
    UW_ASSERT(size >= 1 && size <= UW_MAX_FRAME_SIZE);
    const int32_t number = (int32_t)values[UW_DISTRACTOR_NUMBER];
    for (int32_t k = before ? 1 : 0; k < number; k += 2) {
        disc d;
        disc_init(values, k, steps, size, &d);
        draw_disc(&d, size, rgb);
    }
}
