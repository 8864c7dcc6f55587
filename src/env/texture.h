/* Texture: a floor of two colours instead of one.
 *
 * It is ours: stable-worldmodel's worlds have flat floors, its seeds say nothing about it.  What a pixel is
 * follows from the factors alone; with strength 0 nothing is drawn. */
#ifndef UW_TEXTURE_H
#define UW_TEXTURE_H

#include <stdint.h>

#include <umwelt/env.h>

/* Places of the five factors, from the world's first one, in alphabetical order. */
enum uw_texture_value {
    UW_TEXTURE_COLOR = 0,    /* RGB: the second colour; the first is the floor's */
    UW_TEXTURE_PATTERN = 3,  /* enum uw_texture_pattern */
    UW_TEXTURE_SEED = 4,     /* where it lies and how it is turned */
    UW_TEXTURE_SIZE = 5,     /* of a tile, a stripe's width, of a cloud; fraction of the picture's edge */
    UW_TEXTURE_STRENGTH = 6, /* 0: a flat floor, 1: up to the second colour */
    UW_TEXTURE_VALUES = 7
};

enum uw_texture_pattern { UW_TEXTURE_TILES = 0, UW_TEXTURE_STRIPES = 1, UW_TEXTURE_CLOUDS = 2 };
extern const char *const uw__texture_patterns[3];

/* The five uw_factor rows, for a world whose first texture value is at `at`. */
#define UW_TEXTURE_FACTORS(at)                                                                     \
    {.name = "texture.color", .kind = UW_FACTOR_COLOR, .dim = 3, .offset = (at) + UW_TEXTURE_COLOR, \
     .low = {0, 0, 0}, .high = {255, 255, 255}, .init = {190, 190, 190}, .affects_picture = true,  \
     .ours = true},                                                                                \
    {.name = "texture.pattern", .kind = UW_FACTOR_INT, .dim = 1,                                   \
     .offset = (at) + UW_TEXTURE_PATTERN, .low = {0}, .high = {2}, .init = {0},                    \
     .affects_picture = true, .ours = true, .words = uw__texture_patterns},                        \
    {.name = "texture.seed", .kind = UW_FACTOR_INT, .dim = 1, .offset = (at) + UW_TEXTURE_SEED,     \
     .low = {0}, .high = {65535}, .init = {0}, .affects_picture = true, .ours = true},             \
    {.name = "texture.size", .kind = UW_FACTOR_REAL, .dim = 1, .offset = (at) + UW_TEXTURE_SIZE,    \
     .low = {0.0625}, .high = {0.25}, .init = {0.125}, .affects_picture = true, .ours = true,      \
     .unit = "edge"},                                                                              \
    {.name = "texture.strength", .kind = UW_FACTOR_REAL, .dim = 1,                                 \
     .offset = (at) + UW_TEXTURE_STRENGTH, .low = {0}, .high = {1}, .init = {0},                   \
     .affects_picture = true, .ours = true}

/* Blend the second colour over rgb [size, size, 3], which holds the floor; values: the first texture value's
 * address.  No libm: the same bytes on every machine. */
void uw__texture_draw(const double *values, int32_t size, uint8_t *rgb);

#endif
