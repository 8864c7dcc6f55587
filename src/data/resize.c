/* The middle square of a picture, resized by integer weights. */
#include "resize.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/dataset.h>

#include "fileio.h"
#include "internal.h"

enum { CHANNELS = 3, SHIFT = 56 };

struct uw__resize {
    size_t frame_bytes, row_bytes; /* of the picture that goes in */
    size_t corner;                 /* its byte where the square begins */
    int32_t crop, side;            /* px, edges of the square and of what comes out */
    int32_t from, to;              /* the same, without their common factor */
    int32_t taps;                  /* weights per output and axis, some of them 0 */
    int32_t unit;                  /* what they sum to */
    uint64_t inverse;              /* floor(2^SHIFT / unit^2) + 1 */
    uint16_t *first;               /* [side] first input pixel */
    uint16_t *weight;              /* [side, taps] */
};

static int32_t common_factor(int32_t a, int32_t b) {
    while (b) {
        const int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int32_t clamp(int32_t x, int32_t high) {
    return x < 0 ? 0 : x > high ? high : x;
}

/* The pixel at or before the middle of output i of a growing picture, -1 before the first. */
static int32_t pixel_before(const uw__resize *r, int32_t i, int32_t *rest) {
    const int32_t at = (2 * i + 1) * r->from - r->to; /* in units of 1 / (2 to) px */
    const int32_t p = at < 0 ? -1 : at / (2 * r->to);
    *rest = at - p * 2 * r->to;
    return p;
}

static int32_t first_of(const uw__resize *r, int32_t i) {
    int32_t rest;
    const int32_t p = r->to > r->from ? pixel_before(r, i, &rest) : i * r->from / r->to;
    return clamp(p, r->crop - r->taps);
}

static int32_t weight_of(const uw__resize *r, int32_t i, int32_t p) {
    if (r->to > r->from) {
        int32_t rest, last = r->crop - 1;
        const int32_t before = pixel_before(r, i, &rest);
        return (clamp(before, last) == p ? r->unit - rest : 0) +
               (clamp(before + 1, last) == p ? rest : 0);
    }
    const int32_t left = p * r->to > i * r->from ? p * r->to : i * r->from;
    const int32_t right = (p + 1) * r->to < (i + 1) * r->from ? (p + 1) * r->to : (i + 1) * r->from;
    return right > left ? right - left : 0;
}

uw_status uw__resize_new(const char *what, int64_t height, int64_t width, int64_t side,
                         uw__resize **out, uw_err *err) {
    const int64_t crop = height < width ? height : width;
    *out = NULL;
    if (crop < 1 || crop > UW__RESIZE_FROM || side < 1 || side > UW__RESIZE_TO) {
        uw_fail(err, UW_ESHAPE,
                "%s: wanted pictures of 1 .. %d pixels to resize to 1 .. %d, got %" PRId64
                " x %" PRId64 " to %" PRId64,
                what, UW__RESIZE_FROM, UW__RESIZE_TO, height, width, side);
        uw_err_fix(err, "record smaller frames, or make a smaller model");
        return UW_ESHAPE;
    }
    uw__resize r = {.frame_bytes = (size_t)height * (size_t)width * CHANNELS,
                    .row_bytes = (size_t)width * CHANNELS,
                    .crop = (int32_t)crop,
                    .side = (int32_t)side};
    const int32_t factor = common_factor(r.crop, r.side);
    r.corner = (size_t)(height - crop) / 2 * r.row_bytes + (size_t)(width - crop) / 2 * CHANNELS;
    r.from = r.crop / factor;
    r.to = r.side / factor;
    r.unit = r.to > r.from ? 2 * r.to : r.from;
    r.taps = r.to > r.from ? 2 : (r.from + r.to - 1) / r.to + (r.to > 1);
    if (r.taps > r.crop) r.taps = r.crop;
    /* sums are below 256 unit^2 and unit^2 is at most 2^24: the quotient is exact (unit test) */
    r.inverse = ((uint64_t)1 << SHIFT) / ((uint64_t)r.unit * (uint64_t)r.unit) + 1;
    const size_t numbers = (size_t)side * (1 + (size_t)r.taps);
    uw__resize *made = malloc(sizeof *made + numbers * sizeof *made->first);
    if (!made) return uw__no_memory(err, what, numbers * sizeof *made->first);
    r.first = (uint16_t *)(void *)(made + 1);
    r.weight = r.first + side;
    for (int32_t i = 0; i < r.side; i++) {
        r.first[i] = (uint16_t)first_of(&r, i);
        for (int32_t k = 0; k < r.taps; k++)
            r.weight[i * r.taps + k] = (uint16_t)weight_of(&r, i, r.first[i] + k);
    }
    *made = r;
    *out = made;
    return UW_OK;
}

size_t uw__resize_frame_bytes(const uw__resize *r) {
    return r->frame_bytes;
}

size_t uw__resize_sums_bytes(const uw__resize *r) {
    return (size_t)r->crop * CHANNELS * sizeof(uint32_t);
}

/* sums += weight * row */
static void add_row(uint32_t *restrict sums, const uint8_t *restrict row, size_t n, uint16_t weight,
                    bool begin) {
    if (begin)
        for (size_t x = 0; x < n; x++) sums[x] = (uint32_t)weight * row[x];
    else
        for (size_t x = 0; x < n; x++) sums[x] += (uint32_t)weight * row[x];
}

void uw__resize_run(const uw__resize *r, const uint8_t *rgb, uint32_t *sums, uint8_t *out) {
    const uint32_t half = (uint32_t)r->unit * (uint32_t)r->unit / 2;
    const size_t taps = (size_t)r->taps, side = (size_t)r->side;
    rgb += r->corner;
    for (size_t y = 0; y < side; y++) {
        bool begin = true;
        for (size_t k = 0; k < taps; k++) {
            const uint16_t weight = r->weight[y * taps + k];
            if (!weight) continue;
            add_row(sums, rgb + (r->first[y] + k) * r->row_bytes, (size_t)r->crop * CHANNELS,
                    weight, begin);
            begin = false;
        }
        for (size_t x = 0; x < side; x++, out += CHANNELS) {
            const uint32_t *at = sums + (size_t)r->first[x] * CHANNELS;
            uint32_t red = half, green = half, blue = half;
            for (size_t k = 0; k < taps; k++, at += CHANNELS) {
                const uint32_t weight = r->weight[x * taps + k];
                red += weight * at[0];
                green += weight * at[1];
                blue += weight * at[2];
            }
            out[0] = (uint8_t)(red * r->inverse >> SHIFT);
            out[1] = (uint8_t)(green * r->inverse >> SHIFT);
            out[2] = (uint8_t)(blue * r->inverse >> SHIFT);
        }
    }
}

uw_status uw_picture_fit(const uint8_t *rgb, int32_t height, int32_t width, int32_t side,
                         uint8_t *out, uw_err *err) {
    uw__resize *plan = NULL;
    uw_status s = uw__resize_new("picture", height, width, side, &plan, err);
    if (s) return s;
    uint32_t *sums = malloc(uw__resize_sums_bytes(plan));
    if (sums)
        uw__resize_run(plan, rgb, sums, out);
    else
        s = uw__no_memory(err, "picture", uw__resize_sums_bytes(plan));
    free(sums);
    free(plan);
    return s;
}
