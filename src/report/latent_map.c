/* A map of the latent space: states from all over the world, drawn and encoded, or rows of a
 * recording, laid flat by their two main directions. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "probe_internal.h"
#include "spectrum.h"

enum { TASKS = 350, POINTS = 2 * TASKS, CHUNK = 175 };

/* ---- projection ----------------------------------------------------------------------------- */

/* Covariance of x [n, d] about its mean, in double. */
static void covariance(const float *x, int32_t n, int32_t d, double *mean, double *cov) {
    memset(mean, 0, (size_t)d * sizeof *mean);
    memset(cov, 0, (size_t)d * (size_t)d * sizeof *cov);
    for (int32_t r = 0; r < n; r++)
        for (int32_t i = 0; i < d; i++) mean[i] += (double)x[(size_t)r * (size_t)d + (size_t)i] / n;
    for (int32_t r = 0; r < n; r++) {
        const float *row = x + (size_t)r * (size_t)d;
        for (int32_t i = 0; i < d; i++) {
            const double a = (double)row[i] - mean[i];
            for (int32_t j = 0; j < d; j++) cov[i * d + j] += a * ((double)row[j] - mean[j]) / n;
        }
    }
}

static void along(const float *x, int32_t n, int32_t d, const double *mean, double *direction,
                  double *out) {
    int32_t largest = 0;
    for (int32_t i = 1; i < d; i++)
        if (fabs(direction[i]) > fabs(direction[largest])) largest = i;
    const double sign = direction[largest] < 0.0 ? -1.0 : 1.0;
    for (int32_t r = 0; r < n; r++) {
        out[r] = 0.0;
        for (int32_t i = 0; i < d; i++)
            out[r] +=
                sign * direction[i] * ((double)x[(size_t)r * (size_t)d + (size_t)i] - mean[i]);
    }
}

uw_status uw__project(const float *x, int32_t n, int32_t d, double *pc1, double *pc2,
                      double *share) {
    const size_t sd = (size_t)d;
    double *memory = malloc((2 * sd * sd + 2 * sd) * sizeof *memory);
    if (!memory) return UW_ENOMEM;
    double *cov = memory, *vectors = cov + sd * sd, *mean = vectors + sd * sd, *values = mean + sd;
    covariance(x, n, d, mean, cov);
    double total = 0.0;
    for (size_t i = 0; i < sd; i++) total += cov[i * sd + i];
    uw__jacobi_eigen(cov, d, values, vectors);
    along(x, n, d, mean, vectors, pc1);
    if (d > 1)
        along(x, n, d, mean, vectors + sd, pc2);
    else
        memset(pc2, 0, (size_t)n * sizeof *pc2);
    share[0] = total > 0.0 ? values[0] / total : 0.0;
    share[1] = total > 0.0 && d > 1 ? values[1] / total : 0.0;
    free(memory);
    return UW_OK;
}

/* ---- states --------------------------------------------------------------------------------- */

typedef struct scene {
    const uw_env_class *world;
    double values[UW_MAX_FACTOR_VALUES * UW_MAX_FACTOR_DIM];
    double state[POINTS][UW_MAX_STATE_DIM];
    int32_t size;
    size_t bytes;
    int32_t first; /* of the chunk being drawn */
    uint8_t *rgb;
} scene;

static void draw_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const scene *s = arg;
    const double *state = s->state[(size_t)s->first + index];
    s->world->draw(s->values, state, state, 0, s->size, s->rgb + index * s->bytes);
}

static uw_status encode_scene(uw_context *ctx, const uw_model *model, scene *s, float *z,
                              uw_err *err) {
    const size_t dim = (size_t)uw_model_config_of(model)->latent_dim;
    s->size = uw_model_config_of(model)->image_size;
    s->bytes = (size_t)s->size * (size_t)s->size * 3;
    s->rgb = malloc(CHUNK * s->bytes);
    if (!s->rgb) return uw_fail(err, UW_ENOMEM, "latent map: %d pictures", CHUNK);
    uw_status status = UW_OK;
    for (s->first = 0; s->first < POINTS && !status; s->first += CHUNK) {
        uw__pool_run(ctx->pool, CHUNK, draw_task, s);
        status = uw_model_encode(ctx, model, s->rgb, NULL, CHUNK, z + (size_t)s->first * dim, err);
    }
    free(s->rgb);
    return status;
}

/* Path lengths are told from the state nearest to a corner; false when one is nowhere to be reached
 * from. */
static bool measure_paths(const scene *s, uw_latent_map *map) {
    const double *x = map->value[0], *y = map->value[1];
    int32_t corner = 0;
    for (int32_t i = 1; i < POINTS; i++)
        if (x[i] + y[i] < x[corner] + y[corner]) corner = i;
    for (int32_t i = 0; i < POINTS; i++) {
        map->value[2][i] = s->world->path_length(s->values, s->state[corner], s->state[i]);
        if (!isfinite(map->value[2][i])) return false;
    }
    return true;
}

static uw_status map_new(int32_t n, uw_latent_map *map) {
    *map = (uw_latent_map){.n = n};
    map->table = malloc((2 + UW_MAP_VALUES) * (size_t)n * sizeof *map->table);
    if (!map->table) return UW_ENOMEM;
    map->pc1 = map->table;
    map->pc2 = map->pc1 + n;
    for (int32_t i = 0; i < UW_MAP_VALUES; i++)
        map->value[i] = map->pc2 + (size_t)(i + 1) * (size_t)n;
    return UW_OK;
}

static void name_values(const uw_env_class *world, uw_latent_map *map) {
    for (int32_t i = 0; i < 2; i++) {
        if (world->state_names && world->state_names[i])
            snprintf(map->name[i], sizeof map->name[i], "%s", world->state_names[i]);
        else
            snprintf(map->name[i], sizeof map->name[i], "state[%d]", i);
    }
    snprintf(map->name[2], sizeof map->name[2], "way from the corner");
}

uw_status uw__latent_map_drawn(uw_context *ctx, const uw_model *model, const char *env,
                               uint64_t seed, uw_latent_map *out, uw_err *err) {
    *out = (uw_latent_map){0};
    const uw_env_class *world = env ? uw_env_find(env) : NULL;
    if (!world || world->state_dim != 2 || !world->sample_task || !world->draw) return UW_OK;
    if (uw_model_config_of(model)->input == UW_INPUT_COLUMNS) return UW_OK;
    uw_latent_map map = {0};
    const size_t dim = (size_t)uw_model_config_of(model)->latent_dim;
    scene *s = calloc(1, sizeof *s);
    float *z = malloc(POINTS * dim * sizeof *z);
    uw_status status = UW_ENOMEM;
    if (!s || !z || map_new(POINTS, &map)) {
        uw_fail(err, UW_ENOMEM, "latent map: %d states", POINTS);
        goto done;
    }
    s->world = world;
    uw_env_default_values(world, s->values);
    for (int32_t i = 0; i < TASKS; i++) {
        uw_task task = {0};
        world->sample_task(seed, (uint64_t)i, s->values, i % 2 == 0, &task);
        memcpy(s->state[2 * i], task.start, sizeof task.start);
        memcpy(s->state[2 * i + 1], task.goal, sizeof task.goal);
    }
    status = encode_scene(ctx, model, s, z, err);
    if (status) goto done;
    for (int32_t i = 0; i < POINTS; i++) {
        map.value[0][i] = s->state[i][0];
        map.value[1][i] = s->state[i][1];
    }
    name_values(world, &map);
    map.num_values = world->path_length && measure_paths(s, &map) ? 3 : 2;
    status = uw__project(z, POINTS, (int32_t)dim, map.pc1, map.pc2, map.share);
    if (status) uw_fail(err, status, "latent map: projection");
done:
    free(s);
    free(z);
    if (status)
        uw__latent_map_fini(&map);
    else
        *out = map;
    return status;
}

/* ---- recordings ----------------------------------------------------------------------------- */

static double probed_r2(const uw_probe_report *probe, const char *name) {
    for (int32_t i = 0; probe && i < probe->num_probes; i++)
        if (!strcmp(probe->probes[i].column, name)) return fmax(0.0, probe->probes[i].r2);
    return 0.0;
}

/* The columns to colour by: those a probe reads best, the first ones when nothing is known. */
static int32_t choose_targets(const uw_targets *targets, const uw_probe_report *probe,
                              int32_t *chosen) {
    int32_t n = 0;
    for (; n < UW_MAP_VALUES && n < targets->count; n++) {
        double best = -1.0;
        for (int32_t t = 0; t < targets->count; t++) {
            bool taken = false;
            for (int32_t i = 0; i < n; i++) taken = taken || chosen[i] == t;
            const double r2 = taken ? -1.0 : probed_r2(probe, targets->name[t]);
            if (r2 > best) {
                best = r2;
                chosen[n] = t;
            }
        }
    }
    return n;
}

/* Project the rows in which every chosen number is known. */
static uw_status lay_flat(const uw_latents *latents, const uw_targets *targets,
                          const double *values, const int32_t *chosen, uw_latent_map *map) {
    const size_t dim = (size_t)latents->dim;
    int32_t n = 0;
    for (int64_t r = 0; r < latents->num_rows; r++) {
        bool known = true;
        for (int32_t i = 0; i < map->num_values; i++) {
            map->value[i][n] = values[r * targets->count + chosen[i]];
            known = known && isfinite(map->value[i][n]);
        }
        if (!known) continue;
        memmove(latents->z + (size_t)n * dim, latents->z + (size_t)r * dim,
                dim * sizeof *latents->z);
        n++;
    }
    map->n = n;
    return n > 1 ? uw__project(latents->z, n, (int32_t)dim, map->pc1, map->pc2, map->share) : UW_OK;
}

uw_status uw__latent_map_recorded(uw_context *ctx, const uw_model *model, const char *dataset,
                                  const uw_probe_report *probe, uw_latent_map *out, uw_err *err) {
    *out = (uw_latent_map){0};
    uw_dataset *data = NULL;
    uw_observe observe;
    uw_latents latents = {0};
    uw_targets *targets = calloc(1, sizeof *targets);
    uw_latent_map map = {0};
    double *values = NULL;
    int32_t chosen[UW_MAP_VALUES];
    uw_status s = targets ? uw_dataset_open(dataset, &data, err) : UW_ENOMEM;
    if (!s) s = uw__observe_find(model, data, &observe, err);
    if (!s) s = uw__latents_sample(ctx, model, data, &observe, POINTS, &latents, err);
    if (!s)
        s = uw__targets_find(ctx, model, data, latents.rows, latents.num_rows, targets, &values,
                             err);
    if (s || targets->count < 1 || latents.num_rows < 2) goto done;
    s = map_new((int32_t)latents.num_rows, &map);
    if (s) goto done;
    map.recorded = true;
    map.num_values = choose_targets(targets, probe, chosen);
    for (int32_t i = 0; i < map.num_values; i++)
        snprintf(map.name[i], sizeof map.name[i], "%s", targets->name[chosen[i]]);
    s = lay_flat(&latents, targets, values, chosen, &map);
done:
    if (s == UW_ENOMEM) uw_fail(err, s, "latent map: %d rows", POINTS);
    uw__latents_fini(&latents);
    uw_dataset_close(data);
    free(targets);
    free(values);
    if (s || map.n < 2)
        uw__latent_map_fini(&map);
    else
        *out = map;
    return s;
}

void uw__latent_map_fini(uw_latent_map *map) {
    free(map->table);
    *map = (uw_latent_map){0};
}
