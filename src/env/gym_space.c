/* The seeding tree and the draws of gymnasium's spaces. */
#include "gym_space.h"

#include <math.h>
#include <string.h>

#include "internal.h"
#include "rng.h"
#include "variation.h"

static const uint32_t largest_seed = 0x7fffffff; /* of a child, exclusive */

/* Return how many children stand before `name`'s in the node that its first `prefix` letters lead
 * to. Factors are in alphabetical order, so a child's factors stand together. */
static int32_t child_index(const uw_env_class *cls, const char *name, size_t prefix) {
    int32_t index = 0;
    const char *last = NULL;
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const char *other = cls->factors[i].name;
        if (cls->factors[i].ours || strncmp(other, name, prefix) != 0) continue;
        const size_t length = strcspn(other + prefix, ".") + 1; /* with what ends it */
        if (!strncmp(other + prefix, name + prefix, length)) break;
        if (!last || strncmp(last + prefix, other + prefix, length) != 0) index++;
        last = other;
    }
    return index;
}

void uw__gym_open(const uw_env_class *cls, uint64_t seed, int32_t factor, uw_numpy_rng *rng) {
    UW_ASSERT(factor >= 0 && factor < cls->num_factors && !cls->factors[factor].ours);
    const char *name = cls->factors[factor].name;
    uw__numpy_seed(rng, seed);
    for (size_t prefix = 0;;) {
        uint32_t child = 0;
        for (int32_t i = child_index(cls, name, prefix); i >= 0; i--)
            child = uw__numpy_below(rng, largest_seed);
        uw__numpy_seed(rng, child);
        prefix += strcspn(name + prefix, ".");
        if (name[prefix] == '\0') return;
        prefix++;
    }
}

void uw__gym_next(const uw_factor *f, uw_numpy_rng *rng, double *value) {
    for (int32_t i = 0; i < f->dim; i++) {
        const double low = f->low[i], count = f->high[i] - low + 1.0;
        if (f->kind == UW_FACTOR_REAL) {
            const double x = uw__numpy_uniform(rng, low, f->high[i]);
            value[i] = f->wide ? x : (double)(float)x;
        } else if (f->kind == UW_FACTOR_COLOR) {
            value[i] = floor(uw__numpy_uniform(rng, low, f->high[i] + 1.0));
        } else if (f->dim == 1) {
            value[i] = low + uw__numpy_below(rng, (uint32_t)count);
        } else {
            value[i] = low + floor(uw__numpy_random(rng) * count);
        }
    }
}

void uw__gym_draw(const uw_env_class *cls, uint64_t seed, int32_t factor, int32_t nth,
                  double *value) {
    uw_numpy_rng rng;
    uw__gym_open(cls, seed, factor, &rng);
    for (int32_t i = 0; i <= nth; i++) uw__gym_next(&cls->factors[factor], &rng, value);
}

bool uw__gym_sample(const uw_env_class *cls, uint64_t seed, int32_t factor,
                    bool (*keeps)(const double *values), double *values) {
    const uw_factor *f = &cls->factors[factor];
    double *value = values + f->offset;
    if (f->ours) {
        /* counters of its own: a protocol's tasks and variations take the lower ones of the stream
         */
        uw_rng own = uw__rng(seed, UW_STREAM_PROTOCOL, UINT64_C(1) << 63 | (uint64_t)factor);
        uw__factor_draw(f, &own, value);
        return true;
    }
    uw_numpy_rng rng;
    uw__gym_open(cls, seed, factor, &rng);
    for (int tries = 0; tries < UW_MAX_REDRAWS; tries++) {
        uw__gym_next(f, &rng, value);
        if (!keeps || keeps(values)) return true;
    }
    return false;
}
