/* Remembered frames: a latent cannot be drawn, but the recorded frame with the nearest latent can.
 */
#include <umwelt/probe.h>

#include <stdlib.h>

#include "internal.h"
#include "kernels.h"
#include "latents.h"

struct uw_memories {
    uw_dataset *data;
    uw_observe observe;
    uw_latents latents;
    const uw_kernels *kernels;
    float *distance; /* [num_rows] of the last question */
    int32_t size;    /* px */
};

uw_status uw_memories_load(uw_context *ctx, const uw_model *model, const char *dataset,
                           int64_t max_rows, uw_memories **out, uw_err *err) {
    *out = NULL;
    uw_memories *m = calloc(1, sizeof *m);
    if (!m) return uw_fail(err, UW_ENOMEM, "%s: memories", dataset);
    m->kernels = ctx->kernels;
    m->size = uw_model_config_of(model)->image_size;
    uw_status s = uw_dataset_open(dataset, &m->data, err);
    if (!s) s = uw__observe_find(model, m->data, &m->observe, err);
    if (!s && !m->observe.pictures)
        s = uw_fail(err, UW_ESHAPE, "%s: memories, wanted a model of pictures, got one of columns",
                    dataset);
    if (!s) s = uw__latents_sample(ctx, model, m->data, &m->observe, max_rows, &m->latents, err);
    if (!s && m->latents.num_rows < 1)
        s = uw_fail(err, UW_EINVAL, "%s: memories, wanted at least one row", dataset);
    if (!s) {
        m->distance = malloc((size_t)m->latents.num_rows * sizeof *m->distance);
        if (!m->distance) s = uw_fail(err, UW_ENOMEM, "%s: memories", dataset);
    }
    if (s)
        uw_memories_unload(m);
    else
        *out = m;
    return s;
}

void uw_memories_unload(uw_memories *m) {
    if (!m) return;
    uw__latents_fini(&m->latents);
    uw_dataset_close(m->data);
    free(m->distance);
    free(m);
}

int32_t uw_memories_size(const uw_memories *m) {
    return m->size;
}

int64_t uw_memories_nearest(uw_memories *m, const float *z) {
    const size_t dim = (size_t)m->latents.dim;
    m->kernels->sqdist(m->distance, m->latents.z, z, (size_t)m->latents.num_rows, dim, dim);
    int64_t best = 0;
    for (int64_t i = 1; i < m->latents.num_rows; i++)
        if (m->distance[i] < m->distance[best]) best = i;
    return best;
}

uw_status uw_memories_frame(const uw_memories *m, int64_t index, uint8_t *rgb, uw_err *err) {
    if (index < 0 || index >= m->latents.num_rows)
        return uw_fail(err, UW_EINVAL, "memories: wanted 0 .. %lld, got %lld",
                       (long long)m->latents.num_rows - 1, (long long)index);
    const uw_row from = m->latents.rows[index];
    return uw_dataset_rows(m->data, m->observe.column[0], from.episode, from.row, 1, 1, rgb, err);
}
