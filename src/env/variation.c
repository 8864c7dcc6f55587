/* Variations: what a user says about a world's factors, and the values that an episode gets from
 * it. */
#include "variation.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"

enum { MAX_NAME = 64 };

void uw_env_default_values(const uw_env_class *cls, double *values) {
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        memcpy(values + f->offset, f->init, (size_t)f->dim * sizeof *values);
    }
}

/* ---- checks ------------------------------------------------------------------------------------
 */

static uw_status factor_check(const char *world, const uw_factor *f, const double *value,
                              uw_err *err) {
    for (int32_t i = 0; i < f->dim; i++) {
        const bool whole = f->kind == UW_FACTOR_REAL || value[i] == floor(value[i]);
        if (value[i] >= f->low[i] && value[i] <= f->high[i] && whole) continue; /* false for NaN */
        uw_fail(err, UW_EINVAL, "%s: %s: out of range, wanted %s%g .. %g, got %g", world, f->name,
                f->kind == UW_FACTOR_REAL ? "" : "a whole number ", f->low[i], f->high[i],
                value[i]);
        uw_err_fix(err, "%s~sample draws it from its range in every episode", f->name);
        return UW_EINVAL;
    }
    return UW_OK;
}

uw_status uw__values_check(const uw_env_class *cls, const double *values, const bool *fixed,
                           uw_err *err) {
    double seen[UW_MAX_FACTOR_VALUES];
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        const bool decided = !f->placed || (fixed && fixed[i]);
        for (int32_t k = 0; k < f->dim; k++)
            seen[f->offset + k] = decided ? values[f->offset + k] : (double)NAN;
        const uw_status status =
            decided ? factor_check(cls->name, f, seen + f->offset, err) : UW_OK;
        if (status) return status;
    }
    return cls->check ? cls->check(seen, err) : UW_OK;
}

/* ---- parsing -----------------------------------------------------------------------------------
 */

/* Read "#rrggbb" into three numbers. */
static bool parse_hex_color(const char *text, double *value) {
    if (text[0] != '#' || strlen(text) != 7 || strspn(text + 1, "0123456789abcdefABCDEF") != 6)
        return false;
    const unsigned long rgb = strtoul(text + 1, NULL, 16);
    for (int i = 0; i < 3; i++) value[i] = (double)((rgb >> (16 - 8 * i)) & 0xff);
    return true;
}

/* Read exactly dim decimal numbers separated by commas, the same in every locale. */
static bool parse_numbers(const char *text, int32_t dim, double *value) {
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* static in glibc: no memory */
    bool ok = strspn(text, "0123456789.,+-eE") == strlen(text);
    for (int32_t i = 0; ok && i < dim; i++) {
        char *end = NULL;
        value[i] = strtod_l(text, &end, c);
        ok = end != text && *end == (i + 1 < dim ? ',' : '\0');
        text = end + 1;
    }
    freelocale(c);
    return ok;
}

static int32_t num_words(const uw_factor *f) {
    return f->words ? (int32_t)(f->high[0] - f->low[0]) + 1 : 0;
}

/* Read the name of a value. */
static bool parse_word(const uw_factor *f, const char *text, double *value) {
    for (int32_t i = 0; i < num_words(f); i++) {
        if (strcmp(text, f->words[i]) != 0) continue;
        value[0] = f->low[0] + i;
        return true;
    }
    return false;
}

static uw_status refuse_word(const uw_env_class *cls, const uw_factor *f, const char *text,
                             uw_err *err) {
    char list[120] = "";
    const char *near = uw__nearest(text, f->words, num_words(f));
    for (int32_t i = 0; i < num_words(f); i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", f->words[i]);
        if (!strcasecmp(text, f->words[i])) near = f->words[i];
    }
    uw_fail(err, UW_EINVAL, "%s: %s: not a value, wanted %s, got '%.40s'", cls->name, f->name, list,
            text);
    if (near) uw_err_fix(err, "did you mean %s?", near);
    return UW_EINVAL;
}

/* Round to what the factor's column holds, without leaving the range. */
static double narrow(const uw_factor *f, int32_t i, double x) {
    if (f->kind != UW_FACTOR_REAL || f->wide) return x;
    const float y = (float)x;
    if ((double)y > f->high[i]) return (double)nextafterf(y, -INFINITY);
    return (double)((double)y < f->low[i] ? nextafterf(y, INFINITY) : y);
}

static uw_status parse_value(const uw_env_class *cls, const uw_factor *f, const char *text,
                             double *value, uw_err *err) {
    if (!parse_word(f, text, value) &&
        !(f->kind == UW_FACTOR_COLOR && parse_hex_color(text, value)) &&
        !parse_numbers(text, f->dim, value)) {
        if (f->words) return refuse_word(cls, f, text, err);
        uw_fail(err, UW_EINVAL, "%s: %s: not a value, wanted %s%s, got '%s'", cls->name, f->name,
                f->dim == 1   ? "a number"
                : f->dim == 2 ? "2 numbers with a comma between"
                : f->dim == 3 ? "3 numbers with commas between"
                              : "4 numbers with commas between",
                f->kind == UW_FACTOR_COLOR ? " or #rrggbb" : "", text);
        uw_err_fix(err,
                   f->kind == UW_FACTOR_COLOR ? "for example %s=255,0,0 or %s=#ff0000"
                                              : "%s~sample draws it from its range; see %s",
                   f->name, f->kind == UW_FACTOR_COLOR ? f->name : "docs/guide/worlds.md");
        return UW_EINVAL;
    }
    const uw_status status = factor_check(cls->name, f, value, err);
    for (int32_t i = 0; !status && i < f->dim; i++) value[i] = narrow(f, i, value[i]);
    return status;
}

/* "agent" stands for every factor "agent....", "all" for all that stable-worldmodel has too. */
static bool in_group(const uw_factor *f, const char *group) {
    const size_t length = strlen(group);
    if (!strcmp(group, "all")) return !f->ours;
    return !strncmp(f->name, group, length) && f->name[length] == '.';
}

static bool is_group(const uw_env_class *cls, const char *name) {
    for (int32_t i = 0; i < cls->num_factors; i++)
        if (in_group(&cls->factors[i], name)) return true;
    return false;
}

uw_status uw_variation_parse(const uw_env_class *cls, const char *text, uw_variation *v,
                             uw_err *err) {
    const size_t length = strcspn(text, "=~");
    if (text[length] == '\0' || length == 0 || length >= MAX_NAME) {
        uw_fail(err, UW_EINVAL, "%s: variation: wanted NAME=VALUE or NAME~sample, got '%.80s'",
                cls->name, text);
        uw_err_fix(err, "for example %s~sample", cls->num_factors ? cls->factors[0].name : "NAME");
        return UW_EINVAL;
    }
    char name[MAX_NAME];
    memcpy(name, text, length);
    name[length] = '\0';
    const char *nearest = NULL;
    const uw_factor *f = uw_env_factor(cls, name, &nearest);
    const bool draw = text[length] == '~';
    if (!f && !(draw && is_group(cls, name))) {
        uw_fail(err, UW_EINVAL, "%s: variation: no factor '%s'", cls->name, name);
        if (nearest)
            uw_err_fix(err, "did you mean %s?", nearest);
        else
            uw_err_fix(err, "umwelt inspect %s lists its factors", cls->name);
        return UW_EINVAL;
    }
    const char *rest = text + length + 1;
    if (draw) {
        if (strcmp(rest, "sample") != 0) {
            uw_fail(err, UW_EINVAL, "%s: %s: wanted ~sample, got '~%.80s'", cls->name, name, rest);
            uw_err_fix(err, "%s~sample draws it in every episode, %s=VALUE fixes it", name, name);
            return UW_EINVAL;
        }
        for (int32_t i = 0; i < cls->num_factors; i++)
            if (f ? f == &cls->factors[i] : in_group(&cls->factors[i], name))
                v->mode[i] = UW_VARY_SAMPLE;
        return UW_OK;
    }
    double value[UW_MAX_FACTOR_DIM] = {0};
    const uw_status status = parse_value(cls, f, rest, value, err);
    if (status) return status;
    const size_t index = (size_t)(f - cls->factors);
    v->mode[index] = UW_VARY_FIXED;
    memcpy(v->value[index], value, sizeof value);
    return UW_OK;
}

/* ---- resolving ---------------------------------------------------------------------------------
 */

void uw__factor_draw(const uw_factor *f, uw_rng *rng, double *value) {
    for (int32_t i = 0; i < f->dim; i++) {
        const double range = f->high[i] - f->low[i];
        value[i] =
            f->low[i] + (f->kind == UW_FACTOR_REAL ? uw__rng_uniform64(rng) * range
                                                   : uw__rng_below(rng, (uint32_t)range + 1));
        value[i] = narrow(f, i, value[i]);
    }
}

uw_status uw_variation_resolve(const uw_env_class *cls, const uw_variation *v, uint64_t seed,
                               uint64_t index, double *values, bool *fixed, uw_err *err) {
    double drawn[UW_MAX_FACTOR_VALUES];
    bool decided[UW_MAX_FACTOR_VALUES];
    bool any_sampled = false;
    uw_env_default_values(cls, drawn);
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        decided[i] = v->mode[i] != UW_VARY_DEFAULT;
        any_sampled |= v->mode[i] == UW_VARY_SAMPLE;
        if (v->mode[i] == UW_VARY_FIXED)
            memcpy(drawn + f->offset, v->value[i], (size_t)f->dim * sizeof *drawn);
    }
    /* odd counters: a protocol's tasks take the even ones of the same stream */
    uw_rng rng = uw__rng(seed, UW_STREAM_PROTOCOL, 2 * index + 1);
    uw_status status = UW_EINVAL;
    for (int tries = 0; status && tries < (any_sampled ? UW_MAX_REDRAWS : 1); tries++) {
        for (int32_t i = 0; i < cls->num_factors; i++)
            if (v->mode[i] == UW_VARY_SAMPLE)
                uw__factor_draw(&cls->factors[i], &rng, drawn + cls->factors[i].offset);
        status = uw__values_check(cls, drawn, decided, err);
    }
    if (status) return status; /* err holds the rule that the last draw broke */
    if (err) *err = (uw_err){0};
    memcpy(values, drawn, (size_t)cls->num_values * sizeof *values);
    memcpy(fixed, decided, (size_t)cls->num_factors * sizeof *fixed);
    return UW_OK;
}

uw_status uw_variation_sample(const uw_env_class *cls, const uw_variation *v, uint64_t seed,
                              double *values, bool *fixed, uw_err *err) {
    if (!cls->sample) return uw_variation_resolve(cls, v, seed, 0, values, fixed, err);
    double drawn[UW_MAX_FACTOR_VALUES];
    bool sampled[UW_MAX_FACTOR_VALUES], decided[UW_MAX_FACTOR_VALUES];
    uw_env_default_values(cls, drawn);
    for (int32_t i = 0; i < cls->num_factors; i++) {
        decided[i] = v->mode[i] != UW_VARY_DEFAULT;
        sampled[i] = v->mode[i] == UW_VARY_SAMPLE || cls->factors[i].placed;
    }
    uw_status status = cls->sample(seed, sampled, drawn, err);
    if (status) return status;
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        if (v->mode[i] == UW_VARY_FIXED)
            memcpy(drawn + f->offset, v->value[i], (size_t)f->dim * sizeof *drawn);
        decided[i] |= f->placed;
    }
    status = uw__values_check(cls, drawn, decided, err);
    if (status) return status;
    memcpy(values, drawn, (size_t)cls->num_values * sizeof *values);
    memcpy(fixed, decided, (size_t)cls->num_factors * sizeof *fixed);
    return UW_OK;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* Append formatted text to what fits, counting all of it, as snprintf does. */
static void append(char *text, size_t size, size_t *used, const char *format, ...) UW_PRINTF(4, 5);

static void append(char *text, size_t size, size_t *used, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const bool room = *used < size;
    const int n = vsnprintf(room ? text + *used : NULL, room ? size - *used : 0, format, args);
    va_end(args);
    if (n > 0) *used += (size_t)n;
}

/* The fewest digits that parse reads back as the same number. */
static int digits_of(const uw_factor *f, int32_t i, double value, locale_t c) {
    int digits = 6;
    for (char text[40]; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (narrow(f, i, strtod_l(text, NULL, c)) == value) break;
    }
    return digits;
}

static void append_value(char *text, size_t size, size_t *used, const uw_factor *f,
                         const double *value, locale_t c) {
    if (f->words) {
        append(text, size, used, "%s", f->words[(int32_t)(value[0] - f->low[0])]);
        return;
    }
    for (int32_t i = 0; i < f->dim; i++)
        append(text, size, used, "%s%.*g", i ? "," : "", digits_of(f, i, value[i], c), value[i]);
}

size_t uw__variation_format(const uw_env_class *cls, const uw_variation *v, char *text,
                            size_t size) {
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = uselocale(c);
    size_t used = 0;
    if (size > 0) text[0] = '\0';
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        if (v->mode[i] == UW_VARY_DEFAULT) continue;
        append(text, size, &used, "%s%s%s", used ? " " : "", f->name,
               v->mode[i] == UW_VARY_SAMPLE ? "~sample" : "=");
        if (v->mode[i] == UW_VARY_FIXED) append_value(text, size, &used, f, v->value[i], c);
    }
    uselocale(old);
    freelocale(c);
    return used;
}
