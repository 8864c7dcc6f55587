/* Ornstein-Uhlenbeck worlds: factors, laws of motion, episodes.
 *
 * Every law starts in its stationary distribution and stays there exactly; z has mean 0 and
 * variance 1 in every coordinate.  The same seed gives the same bits for any number of threads;
 * laws and mixings use libm, so another libm may give another last digit. */
#include "ou.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "rng.h"

#define PI 3.14159265358979323846

static const char *const laws[] = {
    "gaussian", "laplace_ar", "exponential_ar", "reflected", "uniform", "laplace",
    "arcsine",  "lognormal",  "lognormal_half", "cube",      "sign"};
static const char *const mixings[] = {"identity", "spiral", "banana", "sine", "coupling"};
_Static_assert(sizeof laws / sizeof laws[0] == UW_OU_NUM_LAWS, "one word per law");
_Static_assert(sizeof mixings / sizeof mixings[0] == UW_OU_NUM_MIXINGS, "one word per mixing");

/* The last argument may bring more members with it. */
#define SCALAR(text, type, place, lo, hi, ...)                                                     \
    {                                                                                              \
        .name = text, .kind = type, .dim = 1, .offset = place, .low = {lo}, .high = {hi},          \
        .affects_motion = true, .wide = true, .ours = true, .init = __VA_ARGS__                    \
    }
static const uw_factor factors[UW_OU_NUM_FACTORS] = {
    SCALAR("action.dim", UW_FACTOR_INT, UW_OU_ACTION_DIM, 0, 16, {0},
           .rule = "at most dim; actions need law=gaussian and one rho"),
    SCALAR("action.rank", UW_FACTOR_INT, UW_OU_ACTION_RANK, 0, 16, {0},
           .rule = "at most action.dim; 0: action.dim"),
    SCALAR("action.scale", UW_FACTOR_REAL, UW_OU_ACTION_SCALE, 0, 1, {1}),
    SCALAR("dim", UW_FACTOR_INT, UW_OU_DIM, 1, UW_OU_MAX_DIM, {2},
           .rule = "at least 2 for a mixing"),
    SCALAR("law", UW_FACTOR_INT, UW_OU_LAW, 0, UW_OU_NUM_LAWS - 1, {0}, .words = laws),
    SCALAR("mixing", UW_FACTOR_INT, UW_OU_MIXING, 0, UW_OU_NUM_MIXINGS - 1, {0}, .words = mixings),
    SCALAR("mixing.layers", UW_FACTOR_INT, UW_OU_MIXING_LAYERS, 1, UW_OU_MAX_LAYERS, {4}),
    SCALAR("mixing.seed", UW_FACTOR_INT, UW_OU_MIXING_SEED, 0, 65535, {0}),
    {.name = "rho",
     .kind = UW_FACTOR_REAL,
     .dim = 2,
     .offset = UW_OU_RHO,
     .low = {0.01, 0.01},
     .high = {0.9999, 0.9999},
     .init = {0.95, 0.95},
     .affects_motion = true,
     .wide = true,
     .ours = true,
     .rule = "of the first and of the last coordinate, in equal steps between"},
};

/* ---- rules -------------------------------------------------------------------------------------
 */

static uw_status refuse(uw_err *err, const char *factor, const char *wanted, double got,
                        const char *fix) {
    uw_fail(err, UW_EINVAL, "ou: %s: wanted %s, got %g", factor, wanted, got);
    uw_err_fix(err, "%s", fix);
    return UW_EINVAL;
}

static uw_status check(const double *values, uw_err *err) {
    const double actions = values[UW_OU_ACTION_DIM], dim = values[UW_OU_DIM];
    if (values[UW_OU_MIXING] != UW_OU_IDENTITY && dim < 2)
        return refuse(err, "dim", "at least 2 for this mixing", dim,
                      "raise dim, or set mixing=identity");
    if (actions > dim)
        return refuse(err, "action.dim", "at most dim", actions, "raise dim, or lower action.dim");
    if (values[UW_OU_ACTION_RANK] > actions)
        return refuse(err, "action.rank", "at most action.dim", values[UW_OU_ACTION_RANK],
                      "lower it; 0 is full rank");
    if (actions > 0 && values[UW_OU_LAW] != UW_OU_GAUSSIAN)
        return refuse(err, "action.dim", "0 where the law is not gaussian", actions,
                      "set law=gaussian: only there noise can balance the actions");
    if (actions > 0 && values[UW_OU_RHO] != values[UW_OU_RHO + 1])
        return refuse(err, "rho", "one correlation with actions", values[UW_OU_RHO + 1],
                      "for example rho=0.95,0.95");
    return UW_OK;
}

/* ---- laws: a number s per coordinate, shown as z ------------------------------------------------
 */

bool uw__ou_has_copula(uw_ou_law law) {
    return law >= UW_OU_UNIFORM;
}

static double exponential(uw_rng *r) {
    return -log1p(-uw__rng_uniform64(r));
}

/* Variance 1. */
static double laplace(uw_rng *r) {
    const double size = exponential(r) * sqrt(0.5);
    return uw__rng_u32(r) & 1 ? size : -size;
}

static double start(uw_ou_law law, uw_rng *r) {
    switch (law) {
    case UW_OU_LAPLACE_AR:
        return laplace(r);
    case UW_OU_EXPONENTIAL_AR:
        return exponential(r);
    case UW_OU_REFLECTED:
        return uw__rng_uniform64(r);
    default:
        return (double)uw__rng_normal(r);
    }
}

/* Fold a line onto [0, 1], as walls reflect. */
static double fold(double y) {
    const double t = fmod(fabs(y), 2.0);
    return t > 1.0 ? 2.0 - t : t;
}

static double advance(uw_ou_law law, double rho, double s, uw_rng *r) {
    switch (law) {
    case UW_OU_LAPLACE_AR:
        return rho * s + (uw__rng_uniform64(r) < rho * rho ? 0.0 : laplace(r));
    case UW_OU_EXPONENTIAL_AR:
        return rho * s + (uw__rng_uniform64(r) < rho ? 0.0 : exponential(r));
    case UW_OU_REFLECTED:
        return fold(s + sqrt(-2.0 * log(rho)) / PI * (double)uw__rng_normal(r));
    default:
        return rho * s + sqrt(1.0 - rho * rho) * (double)uw__rng_normal(r);
    }
}

static double lognormal(double s, double u) {
    const double v = s * s;
    return (exp(s * u) - exp(0.5 * v)) / sqrt(expm1(v) * exp(v));
}

double uw__ou_show(uw_ou_law law, double s) {
    const double below = 0.5 * erfc(-s * sqrt(0.5)); /* Phi(s) */
    switch (law) {
    case UW_OU_EXPONENTIAL_AR:
        return s - 1.0;
    case UW_OU_REFLECTED:
        return (s - 0.5) * sqrt(12.0);
    case UW_OU_UNIFORM:
        return (below - 0.5) * sqrt(12.0);
    case UW_OU_LAPLACE:
        return copysign(-sqrt(0.5) * log(erfc(fabs(s) * sqrt(0.5))), s);
    case UW_OU_ARCSINE:
        return -sqrt(2.0) * cos(PI * below);
    case UW_OU_LOGNORMAL:
        return lognormal(1.0, s);
    case UW_OU_LOGNORMAL_HALF:
        return lognormal(0.5, s);
    case UW_OU_CUBE:
        return s * s * s / sqrt(15.0);
    case UW_OU_SIGN:
        return copysign(1.0, s);
    default:
        return s;
    }
}

/* ---- actions -----------------------------------------------------------------------------------
 */

/* Draw an action [action_dim] and add to s what it does beyond plain noise: its push, and the noise
 * taken away along it, so that the pushes and the noise together are the noise of a world without
 * actions.  s: [dim], already advanced from `before`. */
static void act(const uw_ou *ou, const double *before, uw_rng *r, double *action, double *s) {
    const double sd = sqrt(1.0 - ou->rho[0] * ou->rho[0]), reach = ou->gain * ou->action_scale;
    const double kept = sqrt(sd * sd - reach * reach) / sd;
    memset(action, 0, (size_t)ou->action_dim * sizeof *action);
    for (int32_t j = 0; j < ou->rank; j++) {
        const double *to = ou->push + j * ou->dim, w = (double)uw__rng_normal(r);
        const double share = 1.0 / sqrt((ou->action_dim - j - 1) / ou->rank + 1);
        double noise = 0.0;
        for (int32_t i = 0; i < ou->dim; i++) noise += to[i] * (s[i] - ou->rho[i] * before[i]);
        for (int32_t i = 0; i < ou->dim; i++) s[i] += to[i] * (reach * w + (kept - 1.0) * noise);
        for (int32_t a = j; a < ou->action_dim; a += ou->rank)
            action[a] = share * ou->action_scale * w;
    }
}

/* ---- episodes ----------------------------------------------------------------------------------
 */

static int32_t columns(const double *values, uw_reading *out) {
    const int32_t dim = (int32_t)values[UW_OU_DIM], actions = (int32_t)values[UW_OU_ACTION_DIM];
    int32_t count = 0;
    if (actions) out[count++] = (uw_reading){.name = "action", .dim = actions};
    out[count++] = (uw_reading){.name = "x", .dim = dim};
    out[count++] = (uw_reading){.name = "z", .dim = dim};
    if (uw__ou_has_copula((uw_ou_law)values[UW_OU_LAW]))
        out[count++] = (uw_reading){.name = "u", .dim = dim};
    return count;
}

static uw_status record(const double *values, uint64_t seed, uint64_t episode, int64_t count,
                        double *rows) {
    uw_ou ou;
    const uw_status status = uw__ou_init(values, &ou);
    if (status) return status;
    uw_rng r = uw__rng(seed, UW_STREAM_ENV, episode);
    double s[UW_OU_MAX_DIM] = {0}, before[UW_OU_MAX_DIM];
    for (int32_t i = 0; i < ou.dim; i++) s[i] = start(ou.law, &r);
    for (int64_t t = 0; t < count; t++) {
        double *action = rows, *x = action + ou.action_dim, *z = x + ou.dim, *u = z + ou.dim;
        const bool copula = uw__ou_has_copula(ou.law);
        for (int32_t i = 0; i < ou.dim; i++) z[i] = uw__ou_show(ou.law, s[i]);
        uw__ou_mix(&ou, z, x);
        if (copula) memcpy(u, s, (size_t)ou.dim * sizeof *s);
        rows = u + (copula ? ou.dim : 0);
        memcpy(before, s, sizeof s);
        for (int32_t i = 0; i < ou.dim; i++) s[i] = advance(ou.law, ou.rho[i], s[i], &r);
        if (ou.action_dim) act(&ou, before, &r, action, s);
        for (int32_t a = 0; a < ou.action_dim && t + 1 == count; a++) action[a] = NAN;
    }
    uw__ou_fini(&ou);
    return UW_OK;
}

static const uw_env_class facts = {
    .name = "ou",
    .num_factors = UW_OU_NUM_FACTORS,
    .num_values = UW_OU_NUM_VALUES,
    .factors = factors,
    .usual_steps = 100,
    .check = check,
};

const uw_process uw__ou = {.facts = &facts, .columns = columns, .record = record};

/* ---- finding a process -------------------------------------------------------------------------
 */

static const uw_process *const processes[] = {&uw__ou};
static const char *const names[] = {"ou", NULL};
_Static_assert(sizeof names / sizeof names[0] == sizeof processes / sizeof processes[0] + 1,
               "one name per process");

const uw_process *uw__process_find(const char *name) {
    for (size_t i = 0; name && names[i]; i++)
        if (!strcmp(names[i], name)) return processes[i];
    return NULL;
}

const uw_env_class *uw_process_find(const char *name) {
    const uw_process *process = uw__process_find(name);
    return process ? process->facts : NULL;
}

const char *const *uw_process_names(void) {
    return names;
}
