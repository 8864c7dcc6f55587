/* A software rasteriser that sets the pixels that pygame 2.6 sets, and OpenCV's fixed-point resize.
 *
 * Points are whole pixels, colours u8 RGB; everything is clipped to the canvas. */
#ifndef UW_RASTER_H
#define UW_RASTER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct uw_canvas {
    uint8_t *rgb;          /* [height, width, 3] */
    int32_t width, height; /* px */
} uw_canvas;

void uw__raster_fill(const uw_canvas *to, const uint8_t color[3]);
/* Fill a polygon of n <= 64 points (x, y), the last edge closed. */
void uw__raster_polygon(const uw_canvas *to, const uint8_t color[3], const int32_t (*points)[2],
                        int32_t n);
/* Fill a disc of radius r >= 1. */
void uw__raster_disc(const uw_canvas *to, const uint8_t color[3], int32_t x, int32_t y, int32_t r);
/* Draw a line of a width. */
void uw__raster_line(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                     const int32_t b[2], int32_t width);
/* Draw an anti-aliased line, one pixel wide. */
void uw__raster_aaline(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                       const int32_t b[2]);
/* Resize as cv2.resize(INTER_LINEAR) does on u8. */
void uw__raster_resize(const uw_canvas *from, const uw_canvas *to);

#endif
