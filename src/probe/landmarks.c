/* Landmarks: places seen in a recording, the fewest decisions between them, and what that makes a
 * latent cost.  Everything is computed when the map is made; asking it is reading.
 *
 * Two rows of one episode that follow each other are one decision apart: with a frame skip only
 * every so many rows of an episode are looked at. */
#include "landmarks_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "episodes.h"
#include "hash.h"
#include "internal.h"

enum { LANDMARKS = 512, ROWS = 32768, NEIGHBOURS = 4, BLOCK = 64 };

/* ---- the map --------------------------------------------------------------------------------- */

/* Return the mean latent distance of the decisions; 1 where nothing ever moves. */
static float mean_decision(const float *z, const uw_row *rows, int64_t n, int32_t d) {
    double sum = 0.0;
    int64_t count = 0;
    for (int64_t i = 0; i + 1 < n; i++) {
        if (rows[i].episode != rows[i + 1].episode) continue;
        double square = 0.0;
        for (int64_t j = i * d; j < (i + 1) * d; j++)
            square += ((double)z[j + d] - (double)z[j]) * ((double)z[j + d] - (double)z[j]);
        sum += sqrt(square);
        count++;
    }
    return sum > 0.0 ? (float)(sum / (double)count) : 1.0f;
}

/* Fill the ways from the decisions between cells. */
static uw_status find_ways(uw_landmarks *l, const uw_row *rows, const int32_t *cell, int64_t n) {
    const size_t count = (size_t)l->count, words = uw__ways_words(l->count);
    uint64_t *edges = calloc((count + 3) * words, sizeof *edges);
    if (!edges) return UW_ENOMEM;
    for (int64_t i = 0; i + 1 < n; i++)
        if (rows[i].episode == rows[i + 1].episode)
            uw__ways_add(edges, l->count, cell[i], cell[i + 1]);
    uw__ways_shortest(edges, l->count, edges + count * words, l->steps);
    free(edges);
    uint16_t longest = 0;
    for (size_t i = 0; i < count * count; i++)
        if (l->steps[i] != UW_NO_WAY && l->steps[i] > longest) longest = l->steps[i];
    l->no_way = (float)longest + 1.0f;
    return UW_OK;
}

uw_status uw__landmarks_build(const uw_kernels *kernels, const float *z, const uw_row *rows,
                              int64_t n, int32_t d, int32_t most, uw_landmarks **out, uw_err *err) {
    const size_t width = (size_t)d;
    uw_status s = UW_ENOMEM;
    *out = NULL;
    for (int64_t i = 0; i < n * d; i++)
        if (!isfinite(z[i]))
            return uw_fail(err, UW_ENONFINITE, "landmarks: latent of episode %lld, row %lld",
                           (long long)rows[i / d].episode, (long long)rows[i / d].row);
    uw_landmarks *l = calloc(1, sizeof *l);
    int64_t *chosen = malloc((size_t)most * sizeof *chosen);
    int32_t *cell = malloc((size_t)n * sizeof *cell);
    float *distance = malloc(2 * (size_t)n * sizeof *distance);
    if (!l || !chosen || !cell || !distance) goto done;
    l->kernels = kernels;
    l->dim = d;
    l->count = uw__ways_places(kernels, z, n, d, most, chosen, cell, distance);
    l->delta = mean_decision(z, rows, n, d);
    const size_t count = (size_t)l->count;
    l->points = malloc(count * width * sizeof *l->points);
    l->steps = malloc(count * count * sizeof *l->steps);
    if (!l->points || !l->steps) goto done;
    for (size_t k = 0; k < count; k++)
        memcpy(l->points + k * width, z + chosen[k] * d, width * sizeof *z);
    s = find_ways(l, rows, cell, n);
    l->id = uw__xxh3(l->points, count * width * sizeof *l->points, 0);
    l->id = uw__xxh3(l->steps, count * count * sizeof *l->steps, l->id);
    l->id = uw__xxh3(&l->delta, sizeof l->delta, l->id);
done:
    free(chosen);
    free(cell);
    free(distance);
    if (s) {
        uw_landmarks_unload(l);
        return uw_fail(err, s, "landmarks: no memory for %lld rows", (long long)n);
    }
    *out = l;
    return UW_OK;
}

/* ---- the recording ----------------------------------------------------------------------------
 */

static uw_status check_options(uw_landmarks_options *o, uw_err *err) {
    if (o->num_landmarks == 0) o->num_landmarks = LANDMARKS;
    if (o->max_rows == 0) o->max_rows = ROWS;
    if (o->num_landmarks < 1 || o->num_landmarks > UW_MAX_LANDMARKS)
        return uw_fail(err, UW_EINVAL, "num_landmarks: wanted 1 .. %d, got %d",
                       (int)UW_MAX_LANDMARKS, (int)o->num_landmarks);
    if (o->max_rows < 2)
        return uw_fail(err, UW_EINVAL, "max_rows: wanted at least 2, got %lld",
                       (long long)o->max_rows);
    if (!(o->holdout >= 0.0 && o->holdout < 1.0))
        return uw_fail(err, UW_EINVAL, "holdout: wanted 0 .. below 1, got %g", o->holdout);
    return UW_OK;
}

uw_status uw_landmarks_load(uw_context *ctx, const uw_model *model, const char *dataset,
                            const uw_landmarks_options *options, uw_landmarks **out, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    uw_landmarks_options o = options ? *options : (uw_landmarks_options){0};
    uw_dataset *data = NULL;
    uw_observe observe;
    uw_row *rows = NULL;
    float *z = NULL;
    int64_t n = 0;
    *out = NULL;
    uw_status s = check_options(&o, err);
    if (!s) s = uw_dataset_open(dataset, &data, err);
    if (!s) s = uw__observe_find(model, data, &observe, err);
    const uw_row_choice choice = {.what = "landmarks",
                                  .skip = config->frameskip,
                                  .stride = config->frameskip,
                                  .most = o.max_rows,
                                  .holdout = o.holdout,
                                  .seed = o.holdout_seed};
    if (!s) s = uw__rows_choose(data, &choice, &rows, &n, err);
    if (s) goto done;
    z = malloc((size_t)n * (size_t)config->latent_dim * sizeof *z);
    if (!z) {
        s = uw_fail(err, UW_ENOMEM, "%s: landmarks of %lld rows", dataset, (long long)n);
        goto done;
    }
    s = uw__rows_encode(ctx, model, data, &observe, rows, n, z, err);
    if (!s)
        s = uw__landmarks_build(ctx->kernels, z, rows, n, config->latent_dim, o.num_landmarks, out,
                                err);
done:
    free(z);
    free(rows);
    uw_dataset_close(data);
    return s;
}

void uw_landmarks_unload(uw_landmarks *l) {
    if (!l) return;
    free(l->points);
    free(l->steps);
    free(l);
}

/* ---- asking it --------------------------------------------------------------------------------
 */

int32_t uw_landmarks_count(const uw_landmarks *l) {
    return l->count;
}

/* The k landmarks nearest to z in rising order of squared distance, the first of equals first;
 * fewer when a distance is not a number.  Returns how many. */
static int32_t neighbours(const uw_landmarks *l, const float *z, int32_t k, int32_t *index,
                          float *square) {
    const size_t d = (size_t)l->dim;
    int32_t found = 0;
    for (int32_t first = 0; first < l->count; first += BLOCK) {
        const int32_t n = l->count - first < BLOCK ? l->count - first : BLOCK;
        float block[BLOCK];
        l->kernels->sqdist(block, l->points + (size_t)first * d, z, (size_t)n, d, d);
        for (int32_t i = 0; i < n; i++) {
            if (isnan(block[i]) || (found == k && block[i] >= square[k - 1])) continue;
            int32_t at = found < k ? found++ : k - 1;
            for (; at > 0 && block[i] < square[at - 1]; at--) {
                square[at] = square[at - 1];
                index[at] = index[at - 1];
            }
            square[at] = block[i];
            index[at] = first + i;
        }
    }
    return found;
}

int32_t uw_landmarks_nearest(const uw_landmarks *l, const float *z) {
    int32_t index = 0;
    float square;
    neighbours(l, z, 1, &index, &square);
    return index;
}

int32_t uw_landmarks_decisions(const uw_landmarks *l, int32_t from, int32_t to) {
    const uint16_t steps = l->steps[(size_t)from * (size_t)l->count + (size_t)to];
    return steps == UW_NO_WAY ? -1 : steps;
}

static float cost_of(const uw_landmarks *l, const float *z, const float *z_goal, int32_t goal) {
    int32_t index[NEIGHBOURS];
    float square[NEIGHBOURS], flat;
    const int32_t found = neighbours(l, z, NEIGHBOURS, index, square);
    l->kernels->sqdist(&flat, z, z_goal, 1, (size_t)l->dim, (size_t)l->dim);
    double sum = 0.0, weights = 0.0;
    for (int32_t i = 0; i < found; i++) {
        const int32_t steps = uw_landmarks_decisions(l, index[i], goal);
        /* on top of a landmark its weight is large, not infinite */
        const double weight = 1.0 / (sqrt((double)square[i]) + 1e-6 * (double)l->delta);
        sum += weight * (steps < 0 ? (double)l->no_way : (double)steps);
        weights += weight;
    }
    const double near = sqrt((double)flat) / (double)l->delta;
    return isfinite(flat) ? (float)(sum / weights + 0.5 * fmin(2.0, near)) : NAN;
}

static uw_status cost(const void *self, const float *z, const float *z_goal, int32_t n,
                      float *out) {
    const uw_landmarks *l = self;
    const int32_t goal = uw_landmarks_nearest(l, z_goal);
    for (int32_t i = 0; i < n; i++)
        out[i] = cost_of(l, z + (size_t)i * (size_t)l->dim, z_goal, goal);
    return UW_OK;
}

uw_value uw_landmarks_value(const uw_landmarks *l) {
    return (uw_value){.self = l, .id = l->id, .cost = cost};
}

uw_planner_options uw_landmarks_planner(void) {
    uw_planner_options o = UW_PLANNER_OPTIONS_DEFAULT;
    o.horizon = 5;
    o.num_samples = 64;
    o.iters = 3;
    return o;
}
