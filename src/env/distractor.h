/* Distractors: coloured discs that drift behind and before a scene and mean nothing.
 *
 * They are ours: stable-worldmodel's worlds have none, its seeds say nothing about them.  Where a disc is
 * follows from the factors and the env steps since the reset alone, so that any frame can be drawn again. */
#ifndef UW_DISTRACTOR_H
#define UW_DISTRACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/env.h>

/* Places of the five factors, from the world's first one, in alphabetical order. */
enum uw_distractor_value {
    UW_DISTRACTOR_COLOR = 0,  /* RGB; every disc turns it into a hue of its own */
    UW_DISTRACTOR_NUMBER = 3, /* discs: even ones behind the scene, odd ones before it; 0 = none */
    UW_DISTRACTOR_SEED = 4,   /* where they start and where they head */
    UW_DISTRACTOR_SIZE = 5,   /* radius, fraction of the picture's edge */
    UW_DISTRACTOR_SPEED = 6,  /* fraction of the edge per env step */
    UW_DISTRACTOR_VALUES = 7
};

/* The five uw_factor rows, for a world whose first distractor value is at `at`. */
#define UW_DISTRACTOR_FACTORS(at)                                                                  \
    {.name = "distractor.color", .kind = UW_FACTOR_COLOR, .dim = 3,                                \
     .offset = (at) + UW_DISTRACTOR_COLOR, .low = {0, 0, 0}, .high = {255, 255, 255},              \
     .init = {220, 120, 40}, .affects_picture = true, .ours = true},                               \
    {.name = "distractor.number", .kind = UW_FACTOR_INT, .dim = 1,                                 \
     .offset = (at) + UW_DISTRACTOR_NUMBER, .low = {0}, .high = {16}, .init = {0},                 \
     .affects_picture = true, .ours = true},                                                       \
    {.name = "distractor.seed", .kind = UW_FACTOR_INT, .dim = 1,                                   \
     .offset = (at) + UW_DISTRACTOR_SEED, .low = {0}, .high = {65535}, .init = {0},                \
     .affects_picture = true, .ours = true},                                                       \
    {.name = "distractor.size", .kind = UW_FACTOR_REAL, .dim = 1,                                  \
     .offset = (at) + UW_DISTRACTOR_SIZE, .low = {0.01}, .high = {0.15}, .init = {0.05},           \
     .affects_picture = true, .ours = true, .unit = "edge"},                                       \
    {.name = "distractor.speed", .kind = UW_FACTOR_REAL, .dim = 1,                                 \
     .offset = (at) + UW_DISTRACTOR_SPEED, .low = {0}, .high = {0.05}, .init = {0.01},             \
     .affects_picture = true, .ours = true, .unit = "edge/step"}

/* Draw the discs of one layer over rgb [size, size, 3]; values: the first distractor value's address.
 * Draws nothing when the number is 0. */
void uw__distractors_draw(const double *values, int64_t steps, bool before, int32_t size,
                          uint8_t *rgb);

#endif
