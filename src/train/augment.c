/* Looks, two ways.  A colour map recolours what was recorded; a redraw asks the world for the
 * picture of a recorded state under other values, so that every factor moves alone.
 *
 * Both start at strength 0 and grow: at full strength from the first step the position is never
 * learned. */
#include "augment.h"

#include <math.h>
#include <string.h>

#include "internal.h"

enum { COLOUR_TRIES = 6, PALETTE_TRIES = 8 };

double uw__augment_strength(const uw_train_config *config, double fraction) {
    const double start = (double)config->augment_ramp_start, end = (double)config->augment_ramp_end;
    if (fraction >= end) return 1.0;
    return fraction > start ? (fraction - start) / (end - start) : 0.0;
}

/* ---- colour maps --------------------------------------------------------------------------- */

static float distance3(const float *a, const float *b) {
    const float x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return sqrtf(x * x + y * y + z * z);
}

uw_colour_map uw__colour_map_draw(const uw_train_config *config, double s_max, uw_rng *r) {
    static const float red[3] = {1.0f, 0.0f, 0.0f};
    uw_colour_map map;
    float s = (float)(s_max * sqrt((double)uw__rng_uniform(r)));

    if (uw__rng_uniform(r) < config->augment_nominal_all) s = 0.0f;
    for (int i = 0; i < 3; i++) map.b[i] = s * uw__rng_uniform(r);
    for (int i = 0; i < 3; i++) map.w[i] = 1.0f - s + s * uw__rng_uniform(r);
    for (int tries = 0; tries <= COLOUR_TRIES; tries++) {
        for (int i = 0; i < 3; i++) map.r[i] = (1.0f - s) * red[i] + s * uw__rng_uniform(r);
        if (distance3(map.r, map.w) >= config->augment_min_contrast) break;
    }
    return map;
}

void uw__colour_map_apply(const uw_colour_map *map, uint8_t *rgb, size_t pixels) {
    for (size_t p = 0; p < pixels; p++, rgb += 3) {
        const float red = (float)rgb[0], rest = 0.5f * ((float)rgb[1] + (float)rgb[2]);
        for (int i = 0; i < 3; i++) {
            float y = 255.0f * map->b[i] + red * (map->r[i] - map->b[i]) +
                      rest * (map->w[i] - map->r[i]) + 0.5f;
            /* Colours outside black-red-white may leave the cube. */
            if (y < 0.0f) y = 0.0f;
            rgb[i] = y < 255.0f ? (uint8_t)y : 255;
        }
    }
}

/* ---- redraws ------------------------------------------------------------------------------- */

static uw_status add_factor(uw_redraw *d, const char *name, uw_err *err) {
    const char *nearest = NULL;
    const uw_factor *f = uw_env_factor(d->env, name, &nearest);
    if (!f) {
        uw_fail(err, UW_ENOTFOUND, "augment_factors: world %s has no factor %.60s", d->env->name,
                name);
        if (nearest) uw_err_fix(err, "did you mean %s?", nearest);
        return UW_ENOTFOUND;
    }
    if (!f->affects_picture) {
        uw_fail(err, UW_EINVAL, "augment_factors: %s does not change the picture", name);
        uw_err_fix(err, "leave it out");
        return UW_EINVAL;
    }
    if (d->num_factors == UW_MAX_FACTOR_VALUES) {
        uw_fail(err, UW_EINVAL, "augment_factors: wanted at most %d factors", UW_MAX_FACTOR_VALUES);
        uw_err_fix(err, "name every factor once");
        return UW_EINVAL;
    }
    d->factors[d->num_factors++] = f;
    return UW_OK;
}

uw_status uw__redraw_init(const char *env, const char *factors, uw_redraw *out, uw_err *err) {
    uw_redraw d = {.env = uw_env_find(env), .agent = -1, .floor = -1};
    if (!d.env) {
        uw_fail(err, UW_ENOTFOUND, "augment: redraw needs the world of the data, got \"%.60s\"",
                env);
        uw_err_fix(err, "record with umwelt collect, or set augment=colour");
        return UW_ENOTFOUND;
    }
    for (const char *at = factors; *at;) {
        char name[64];
        const size_t length = strcspn(at, ",");
        const size_t kept = length < sizeof name ? length : sizeof name - 1;
        memcpy(name, at, kept);
        name[kept] = '\0';
        const uw_status s = add_factor(&d, name, err);
        if (s) return s;
        at += length + (at[length] == ',');
    }
    uw_env_default_values(d.env, d.nominal);
    const uw_factor *agent = uw_env_factor(d.env, "agent.color", NULL);
    const uw_factor *floor = uw_env_factor(d.env, "background.color", NULL);
    if (agent && floor) {
        d.agent = agent->offset;
        d.floor = floor->offset;
    }
    *out = d;
    return UW_OK;
}

/* One factor: nominal with its probability, else between nominal and anywhere.  Colours have a
 * strength of their own, drawn so that strong ones are as frequent as the area they open; sizes
 * just scale. */
static void draw_factor(const uw_factor *f, const uw_train_config *config, double s_max, uw_rng *r,
                        double *value) {
    const bool nominal = uw__rng_uniform(r) < config->augment_nominal_each;
    const double s = f->kind == UW_FACTOR_COLOR ? s_max * sqrt(uw__rng_uniform64(r)) : s_max;
    for (int32_t i = 0; i < f->dim; i++) {
        const double u = uw__rng_uniform64(r);
        const double far = f->low[i] + (f->high[i] - f->low[i]) * u;
        if (nominal) continue;
        value[i] = (1.0 - s) * f->init[i] + s * far;
        if (f->kind != UW_FACTOR_REAL) value[i] = floor(value[i] + 0.5);
    }
}

static double contrast(const uw_redraw *d, const double *values) {
    double sum = 0.0;
    if (d->agent < 0) return INFINITY;
    for (int i = 0; i < 3; i++) {
        const double e = (values[d->agent + i] - values[d->floor + i]) / 255.0;
        sum += e * e;
    }
    return sqrt(sum);
}

void uw__redraw_values(const uw_redraw *d, const uw_train_config *config, double s_max,
                       const double *base, uw_rng *r, double *values) {
    const size_t bytes = (size_t)d->env->num_values * sizeof *values;
    const bool nominal = uw__rng_uniform(r) < config->augment_nominal_all;

    memcpy(values, base, bytes);
    for (int tries = 0; !nominal && tries <= PALETTE_TRIES; tries++) {
        memcpy(values, base, bytes);
        for (int32_t i = 0; i < d->num_factors; i++) {
            const uw_factor *f = d->factors[i];
            if (f->kind == UW_FACTOR_COLOR) draw_factor(f, config, s_max, r, values + f->offset);
        }
        if (contrast(d, values) >= (double)config->augment_min_contrast) break;
    }
    /* The palette may be nominal as a whole; the other factors decide one by one. */
    for (int32_t i = 0; i < d->num_factors; i++) {
        const uw_factor *f = d->factors[i];
        if (f->kind != UW_FACTOR_COLOR) draw_factor(f, config, s_max, r, values + f->offset);
    }
}
