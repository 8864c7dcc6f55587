/* A software rasteriser that sets the pixels that pygame 2.6 sets, and OpenCV's fixed-point resize.
 *
 * Points are whole pixels within +-UW_RASTER_FAR, colours u8 RGB; everything is clipped to the canvas.
 *
 * Most of a picture is never drawn on.  A canvas with a ground starts as that ground without being filled:
 * a tile of 16 x 16 pixels gets its pixels when something first touches it, and the resize, which makes
 * 7 x 7 pixels of a tile and looks at nothing else, leaves the other tiles out. */
#ifndef UW_RASTER_H
#define UW_RASTER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UW_RASTER_TILE = 16,     /* canvas pixels that uw__raster_reduce turns into ... */
    UW_RASTER_REDUCED = 7,   /* ... that many */
    UW_RASTER_GROUND = 48,   /* edge of a ground: 3 x 3 tiles */
    UW_RASTER_MAX = 512,     /* edge of a canvas with a ground: 32 tiles */
    UW_RASTER_FAR = 1 << 20, /* farthest point */
    UW_RASTER_MAX_POINTS = 64
};

/* What a canvas shows where nothing was drawn: corner tiles in its corners, the tiles between them repeated
 * along its edges, the middle one everywhere else. */
typedef struct uw_ground {
    uint8_t rgb[UW_RASTER_GROUND * UW_RASTER_GROUND * 3];
    uint32_t drawn[UW_RASTER_MAX / UW_RASTER_TILE]; /* per row of tiles: bit x when tile x has its pixels */
} uw_ground;

typedef struct uw_canvas {
    uint8_t *rgb;          /* [height, width, 3] */
    int32_t width, height; /* px */
    uw_ground *ground;     /* nullable; then the edges are multiples of a tile, 48 .. 512, and its drawn is 0 */
} uw_canvas;

void uw__raster_fill(const uw_canvas *to, const uint8_t color[3]);
/* Fill a polygon of n <= UW_RASTER_MAX_POINTS points [n, 2], the last edge closed. */
void uw__raster_polygon(const uw_canvas *to, const uint8_t color[3], const int32_t *points,
                        int32_t n);
/* Fill a disc of radius 1 .. UW_RASTER_FAR. */
void uw__raster_disc(const uw_canvas *to, const uint8_t color[3], int32_t x, int32_t y, int32_t r);
/* Draw a line of a width > 1. */
void uw__raster_line(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                     const int32_t b[2], int32_t width);
/* Draw an anti-aliased line, one pixel wide. */
void uw__raster_aaline(const uw_canvas *to, const uint8_t color[3], const int32_t a[2],
                       const int32_t b[2]);
/* Set those drawn pixels along the edge of a canvas with a ground that are not black in a mask, which is laid
 * out as a ground is: what lies over everything, and is in the ground already where nothing else is.
 *
 * Shapes   mask: [48, 48, 3] */
void uw__raster_stamp(const uw_canvas *to, const uint8_t *mask, const uint8_t color[3]);
/* Resize a canvas of 16 m x 16 n pixels to 7 m x 7 n as cv2.resize(INTER_LINEAR) does on u8.
 *
 * Shapes   rgb: [7 height / 16, 7 width / 16, 3] */
void uw__raster_reduce(const uw_canvas *from, uint8_t *rgb);

#endif
