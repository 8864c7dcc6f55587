/* Does latent distance know the way around?  Random pairs of states, drawn fresh: rank correlation
 * of latent distance with path length and with straight distance, and the stretch across obstacles.
 *
 * A latent that copies positions follows the straight line and plans into walls; one whose distance
 * is torn across the wall plans around it. */
#include "probe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "scorecard.h"

enum {
    PAIRS = 1024,       /* even: on different sides of an obstacle, odd: on the same */
    CROSSINGS = 256,    /* hard pairs whose straight line is searched for the obstacle */
    STRETCH_PAIRS = 64, /* of these the shortest crossings: nearly at right angles to it */
    CHUNK = 256,        /* pictures drawn and encoded at a time */
    BISECTIONS = 24,
    RESAMPLES = 1000
};

typedef struct state {
    double at[UW_MAX_STATE_DIM];
} state;

typedef struct world {
    const uw_env_class *cls;
    double values[UW_MAX_FACTOR_VALUES * UW_MAX_FACTOR_DIM];
    uint64_t seed;
} world;

/* ---- pictures of states --------------------------------------------------------------------- */

typedef struct drawing {
    const world *w;
    const state *states;
    int32_t size;
    size_t bytes;
    uint8_t *rgb;
} drawing;

static void draw_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const drawing *d = arg;
    d->w->cls->draw(d->w->values, d->states[index].at, d->states[index].at, 0, d->size,
                    d->rgb + index * d->bytes);
}

static uw_status encode_states(uw_context *ctx, const uw_model *model, const world *w,
                               const state *states, int64_t n, float *z, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    const size_t bytes = (size_t)config->image_size * (size_t)config->image_size * 3;
    uint8_t *rgb = malloc(CHUNK * bytes);
    if (!rgb) return uw_fail(err, UW_ENOMEM, "geometry: %d pictures", CHUNK);
    uw_status s = UW_OK;
    for (int64_t first = 0; first < n && !s; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        drawing d = {w, states + first, config->image_size, bytes, rgb};
        uw__pool_run(ctx->pool, (size_t)count, draw_task, &d);
        s = uw_model_encode(ctx, model, rgb, NULL, count, z + first * config->latent_dim, err);
    }
    free(rgb);
    return s;
}

/* ---- distances ------------------------------------------------------------------------------ */

static double straight(const world *w, const state *a, const state *b) {
    double sum = 0.0;
    for (int32_t i = 0; i < w->cls->state_dim; i++) {
        const double e = a->at[i] - b->at[i];
        sum += e * e;
    }
    return sqrt(sum);
}

static double latent_distance(const float *a, const float *b, int32_t d) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += e * e;
    }
    return sqrt(sum);
}

static state between(const world *w, const state *a, const state *b, double t) {
    state p = {{0}};
    for (int32_t i = 0; i < w->cls->state_dim; i++) p.at[i] = (1.0 - t) * a->at[i] + t * b->at[i];
    return p;
}

/* Nothing lies between two states when the shortest path is the straight one. */
static bool sees(const world *w, const state *a, const state *b) {
    const double d = straight(w, a, b);
    return fabs(w->cls->path_length(w->values, a->at, b->at) - d) <= 1e-4 * d + 1e-3;
}

/* ---- correlations --------------------------------------------------------------------------- */

static uw_status correlations(uw_context *ctx, const uw_model *model, const world *w,
                              uw_geometry *out, uw_err *err) {
    const int32_t d = uw_model_config_of(model)->latent_dim;
    state *states = calloc(2 * PAIRS, sizeof *states);
    float *z = malloc(2 * PAIRS * (size_t)d * sizeof *z);
    double *table = malloc(7 * PAIRS * sizeof *table); /* latent, path, straight; 4 of work */
    uw_status s = UW_OK;
    if (!states || !z || !table) {
        s = uw_fail(err, UW_ENOMEM, "geometry: %d pairs", PAIRS);
        goto done;
    }
    double *latent = table, *path = latent + PAIRS, *line = path + PAIRS, *work = line + PAIRS;
    /* hard pairs first, so that they are also a block of their own */
    for (int32_t i = 0; i < PAIRS; i++) {
        uw_task task = {0};
        w->cls->sample_task(w->seed, (uint64_t)i, w->values, i < PAIRS / 2, &task);
        memcpy(states[2 * i].at, task.start, sizeof task.start);
        memcpy(states[2 * i + 1].at, task.goal, sizeof task.goal);
    }
    s = encode_states(ctx, model, w, states, 2 * PAIRS, z, err);
    if (s) goto done;
    for (int32_t i = 0; i < PAIRS; i++) {
        const state *a = &states[2 * i], *b = &states[2 * i + 1];
        latent[i] = latent_distance(z + (size_t)(2 * i) * (size_t)d,
                                    z + (size_t)(2 * i + 1) * (size_t)d, d);
        path[i] = w->cls->path_length(w->values, a->at, b->at);
        line[i] = straight(w, a, b);
    }
    out->rho_path = uw__spearman(latent, path, PAIRS, work);
    out->rho_euclid = uw__spearman(latent, line, PAIRS, work);
    out->hard_rho_path = uw__spearman(latent, path, PAIRS / 2, work);
    out->hard_rho_euclid = uw__spearman(latent, line, PAIRS / 2, work);
    uw__spearman_interval(out->rho_path, PAIRS, out->rho_path_ci);
    uw__spearman_interval(out->rho_euclid, PAIRS, out->rho_euclid_ci);
    uw__spearman_interval(out->hard_rho_path, PAIRS / 2, out->hard_rho_path_ci);
    uw__spearman_interval(out->hard_rho_euclid, PAIRS / 2, out->hard_rho_euclid_ci);
    out->pairs = PAIRS;
    out->hard_pairs = PAIRS / 2;
done:
    free(states);
    free(z);
    free(table);
    return s;
}

/* ---- stretch -------------------------------------------------------------------------------- */

/* Two states facing each other across an obstacle, and a third as far from the first on its own
 * side. */
typedef struct crossing {
    state near, far, control;
    double span;
} crossing;

/* Walk from a towards b and return how far a still sees, as a fraction of the way. */
static double sight(const world *w, const state *a, const state *b) {
    double low = 0.0, high = 1.0;
    for (int i = 0; i < BISECTIONS; i++) {
        const double mid = 0.5 * (low + high);
        const state p = between(w, a, b, mid);
        if (sees(w, a, &p))
            low = mid;
        else
            high = mid;
    }
    return low;
}

static bool find_crossing(const world *w, const state *a, const state *b, crossing *out) {
    if (sees(w, a, b)) return false; /* through a door */
    const double from = sight(w, a, b), to = 1.0 - sight(w, b, a), gap = to - from;
    if (!(gap > 0.0) || from - gap < 0.0) return false;
    out->near = between(w, a, b, from);
    out->far = between(w, a, b, to);
    out->control = between(w, a, b, from - gap);
    out->span = gap * straight(w, a, b);
    return out->span > 0.0;
}

static int by_span(const void *a, const void *b) {
    const crossing *x = a, *y = b;
    return x->span < y->span ? -1 : x->span > y->span;
}

/* Ratio of mean distances, from their sums over crossings. */
static void stretch_of(const void *arg, const double *total, double *scratch, double *value) {
    (void)arg;
    (void)scratch;
    *value = total[1] > 0.0 ? total[0] / total[1] : NAN;
}

static uw_status stretch(uw_context *ctx, const uw_model *model, const world *w, uw_geometry *out,
                         uw_err *err) {
    const int32_t d = uw_model_config_of(model)->latent_dim;
    crossing *found = calloc(CROSSINGS, sizeof *found);
    state *states = calloc(3 * STRETCH_PAIRS, sizeof *states);
    float *z = malloc(3 * STRETCH_PAIRS * (size_t)d * sizeof *z);
    uw_status s = UW_OK;
    size_t count = 0;
    if (!found || !states || !z) {
        s = uw_fail(err, UW_ENOMEM, "geometry: %d crossings", CROSSINGS);
        goto done;
    }
    for (int32_t i = 0; i < CROSSINGS; i++) {
        uw_task task = {0};
        state a = {{0}}, b = {{0}};
        w->cls->sample_task(w->seed, (uint64_t)(PAIRS + i), w->values, true, &task);
        memcpy(a.at, task.start, sizeof task.start);
        memcpy(b.at, task.goal, sizeof task.goal);
        count += find_crossing(w, &a, &b, &found[count]);
    }
    qsort(found, count, sizeof *found, by_span);
    if (count > STRETCH_PAIRS) count = STRETCH_PAIRS;
    for (size_t i = 0; i < count; i++) {
        states[3 * i] = found[i].near;
        states[3 * i + 1] = found[i].far;
        states[3 * i + 2] = found[i].control;
    }
    s = encode_states(ctx, model, w, states, (int64_t)(3 * count), z, err);
    double sums[STRETCH_PAIRS][2];
    for (size_t i = 0; i < count && !s; i++) {
        const float *near = z + 3 * i * (size_t)d;
        sums[i][0] = latent_distance(near, near + d, d);
        sums[i][1] = latent_distance(near, near + 2 * d, d);
    }
    if (s || !count) goto done;
    const uw_bootstrap b = {
        .sums = sums[0], .groups = (int32_t)count, .size = 2, .count = 1, .eval = stretch_of};
    uw_estimate estimate;
    if (uw__bootstrap(ctx->pool, &b, RESAMPLES, w->seed, &estimate)) {
        s = uw_fail(err, UW_ENOMEM, "geometry: %zu crossings", count);
        goto done;
    }
    out->crossings = (int32_t)count;
    out->stretch = estimate.point;
    uw__percentiles(&estimate, out->stretch_ci);
done:
    free(found);
    free(states);
    free(z);
    return s;
}

bool uw_geometry_misleads(const uw_geometry *g) {
    return g->known && !(g->hard_rho_path > 0.0 && g->hard_rho_path > g->hard_rho_euclid);
}

uw_status uw_geometry_run(uw_context *ctx, const uw_model *model, uint64_t seed, uw_geometry *out,
                          uw_err *err) {
    const char *env = uw_model_provenance(model)->env;
    const uw_env_class *cls = env && *env ? uw_env_find(env) : NULL;
    *out = (uw_geometry){.rho_path = NAN,
                         .rho_euclid = NAN,
                         .hard_rho_path = NAN,
                         .hard_rho_euclid = NAN,
                         .stretch = NAN,
                         .rho_path_ci = {NAN, NAN},
                         .rho_euclid_ci = {NAN, NAN},
                         .hard_rho_path_ci = {NAN, NAN},
                         .hard_rho_euclid_ci = {NAN, NAN},
                         .stretch_ci = {NAN, NAN}};
    if (!cls || !cls->path_length || !cls->sample_task || !cls->draw) return UW_OK;
    if (uw_model_config_of(model)->input == UW_INPUT_COLUMNS) return UW_OK;
    world w = {.cls = cls, .seed = seed};
    uw_env_default_values(cls, w.values);
    uw_geometry g = *out;
    uw_status s = correlations(ctx, model, &w, &g, err);
    if (!s) s = stretch(ctx, model, &w, &g, err);
    if (s) return s;
    g.known = true;
    *out = g;
    return UW_OK;
}
