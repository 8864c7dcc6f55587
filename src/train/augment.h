/* Looks of training frames: which colours and sizes the world wears while the model learns. */
#ifndef UW_AUGMENT_H
#define UW_AUGMENT_H

#include <umwelt/env.h>
#include <umwelt/train.h>

#include "rng.h"

/* The affine colour map black -> b, red -> r, white -> w, all in [0, 1]^3. */
typedef struct uw_colour_map {
    float b[3], r[3], w[3];
} uw_colour_map;

/* Draw a map of strength up to s_max. */
uw_colour_map uw__colour_map_draw(const uw_train_config *config, double s_max, uw_rng *r);
/* Recolour `pixels` RGB pixels in place, rounded to the nearest level. */
void uw__colour_map_apply(const uw_colour_map *map, uint8_t *rgb, size_t pixels);

/* What a world may wear: its class and the factors that are drawn. */
typedef struct uw_redraw {
    const uw_env_class *env;
    int32_t num_factors;
    const uw_factor *factors[UW_MAX_FACTOR_VALUES]; /* in the order they are named */
    double nominal[UW_MAX_FACTOR_VALUES];           /* [num_values] */
    int32_t agent, floor; /* offsets of the two colours that must differ, or -1 */
} uw_redraw;

/* Find the world and its factors.  Returns UW_ENOTFOUND with a "did you mean"; UW_EINVAL for a factor that
 * no picture shows. */
uw_status uw__redraw_init(const char *env, const char *factors, uw_redraw *out, uw_err *err);
/* Draw values [num_values] of strength up to s_max in [0, 1]; what is not drawn is as in base [num_values]. */
void uw__redraw_values(const uw_redraw *redraw, const uw_train_config *config, double s_max,
                       const double *base, uw_rng *r, double *values);

/* Return the strength at a fraction of training: 0 before the ramp, 1 after it. */
double uw__augment_strength(const uw_train_config *config, double fraction);

#endif
