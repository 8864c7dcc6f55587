/* Frames of another size: the middle square of a picture, resized.
 *
 *     uw__resize_new("pixels", 240, 320, 64, &plan, &err);
 *     uw__resize_run(plan, frame, sums, out);
 *
 * Along each axis output i is a weighted mean of input pixels.  Shrinking, pixel p weighs as much of it as lies
 * inside [i, i + 1) * crop / side (area average); growing, the two around (i + 1/2) * crop / side - 1/2 share by
 * distance, the edge repeated (bilinear).  The weights are integers over a common unit, so that every output is
 * the exact mean rounded to nearest, halves up: the same bits on every machine. */
#ifndef UW_RESIZE_H
#define UW_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

enum {
    UW__RESIZE_FROM = 4096, /* px, largest edge of a square that is resized */
    UW__RESIZE_TO = 1024
};

typedef struct uw__resize uw__resize;

/* Prepare [height, width, 3] -> [side, side, 3].  Own: *out, free().
 * what: names the pictures in messages.
 * Returns UW_OK; UW_ESHAPE for a size that is not to be had; UW_ENOMEM */
uw_status uw__resize_new(const char *what, int64_t height, int64_t width, int64_t side, uw__resize **out,
                         uw_err *err);
/* Bytes of the picture that goes in, and of the sums that resizing one picture needs. */
size_t uw__resize_frame_bytes(const uw__resize *plan);
size_t uw__resize_sums_bytes(const uw__resize *plan);
/* Resize one picture.  sums: scratch.  Any number of threads at once; allocates nothing. */
void uw__resize_run(const uw__resize *plan, const uint8_t *rgb, uint32_t *sums, uint8_t *out);

#endif
