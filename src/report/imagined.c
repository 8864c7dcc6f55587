/* What it thinks it sees: recorded frames of a few episodes, and under each the remembered frame
 * nearest to what the model imagined for that moment from the first one and the recorded actions
 * alone. */
#include "report_internal.h"

#include <umwelt/arena.h>

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "latents.h"
#include "probe_internal.h"

enum {
    STRIPS = 3, /* episodes */
    SHOWN = 6,  /* moments of each, the start among them */
    STRIDE = 2, /* decisions between them */
    STEPS = (SHOWN - 1) * STRIDE,
    MEMORIES = 4096,
    GAP = 4
};

typedef struct strip {
    const uw_model *model;
    uw_dataset *data;
    uw_observe observe;
    uw_memories *memories;
    uw_dynamics dynamics;
    void *memory;
    int32_t size, width, height;
    uint8_t *canvas, *frame;
    float *z, *actions, *imagined; /* [history, D], [past + STEPS, A], [STEPS, D] */
    int32_t past; /* decisions before the last given frame that a rollout asks for */
} strip;

static void put(strip *s, int32_t column, int32_t row) {
    const int32_t x0 = GAP + column * (s->size + GAP), y0 = GAP + row * (s->size + GAP);
    for (int32_t y = 0; y < s->size; y++)
        memcpy(s->canvas + ((size_t)(y0 + y) * (size_t)s->width + (size_t)x0) * 3,
               s->frame + (size_t)y * (size_t)s->size * 3, (size_t)s->size * 3);
}

/* Actions of `decisions` decisions from a row on, as the model takes them. */
static uw_status read_actions(uw_context *ctx, const strip *s, uw_row from, int32_t decisions,
                              uw_err *err) {
    const uw_model_config *c = uw_model_config_of(s->model);
    char name[UW_MAX_COLUMN_NAME];
    if (!c->action_dim) return UW_OK;
    uw__action_column(s->model, name, sizeof name);
    const int32_t column = uw_dataset_find(s->data, name, NULL);
    if (column < 0 || uw__column_numbers(uw_dataset_column(s->data, column)) != c->action_dim)
        return uw_fail(err, UW_ESHAPE, "%s: actions, wanted a column of %d numbers", name,
                       c->action_dim);
    const int64_t n = (int64_t)decisions * c->frameskip;
    uw_row *rows = malloc((size_t)n * sizeof *rows);
    double *cells = malloc((size_t)(n * c->action_dim) * sizeof *cells);
    uw_status status = rows && cells ? UW_OK : uw_fail(err, UW_ENOMEM, "imagined frames: actions");
    for (int64_t i = 0; i < n && !status; i++) rows[i] = (uw_row){from.episode, from.row + i};
    if (!status) status = uw__rows_read(ctx, s->data, column, rows, n, cells, err);
    for (int64_t i = 0; i < n * c->action_dim && !status; i++)
        s->actions[i] = cells[i] == cells[i] ? (float)cells[i] : 0.0f; /* a gap: no action */
    free(rows);
    free(cells);
    return status;
}

static uw_status one_strip(uw_context *ctx, strip *s, int32_t index, uw_row from, uw_err *err) {
    const uw_model_config *c = uw_model_config_of(s->model);
    const int32_t history = s->dynamics.dims.history_size;
    const int64_t first = from.row + (int64_t)s->dynamics.dims.lead * c->frameskip;
    uw_row rows[16];
    for (int32_t i = 0; i < history; i++)
        rows[i] = (uw_row){from.episode, first + (int64_t)i * c->frameskip};
    uw_status status =
        uw__rows_encode(ctx, s->model, s->data, &s->observe, rows, history, s->z, err);
    if (!status) status = read_actions(ctx, s, from, s->past + STEPS, err);
    if (status) return status;
    const float *future = s->actions + (size_t)s->past * (size_t)s->dynamics.dims.action_dim;
    status = s->dynamics.rollout(s->dynamics.self, s->z, history, s->past ? s->actions : NULL,
                                 future, 1, STEPS, s->imagined);
    if (status) return uw_fail(err, status, "imagined frames: rollout");
    for (int32_t k = 0; k < SHOWN && !status; k++) {
        const int64_t row = from.row + (int64_t)(s->past + k * STRIDE) * c->frameskip;
        const float *z = k ? s->imagined + (size_t)(k * STRIDE - 1) * (size_t)c->latent_dim
                           : s->z + (size_t)(history - 1) * (size_t)c->latent_dim;
        status =
            uw_dataset_rows(s->data, s->observe.column[0], from.episode, row, 1, 1, s->frame, err);
        if (status) break;
        put(s, k, 2 * index);
        status = uw_memories_frame(s->memories, uw_memories_nearest(s->memories, z), s->frame, err);
        if (!status) put(s, k, 2 * index + 1);
    }
    return status;
}

static uw_status prepare(uw_context *ctx, strip *s, const char *dataset, uw_err *err) {
    uw_status status = uw_memories_load(ctx, s->model, dataset, MEMORIES, &s->memories, err);
    const uw_dynamics_limits limits = {.num_samples = 1, .horizon = STEPS};
    size_t bytes =
        (uw_model_dynamics_memsize(s->model, &limits) + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN;
    if (status) return status;
    s->memory = bytes ? aligned_alloc(UW_ALIGN, bytes) : NULL;
    if (!s->memory) return uw_fail(err, UW_ENOMEM, "imagined frames: dynamics");
    status = uw_model_dynamics_init(ctx, s->model, &limits, false, s->memory, bytes, &s->dynamics);
    if (status) return uw_fail(err, status, "imagined frames: dynamics");
    const uw_dynamics_dims *d = &s->dynamics.dims;
    s->past = d->lead + d->history_size - 1;
    s->size = uw_memories_size(s->memories);
    s->width = GAP + SHOWN * (s->size + GAP);
    s->height = GAP + 2 * STRIPS * (s->size + GAP);
    const size_t pixels = (size_t)s->width * (size_t)s->height * 3;
    s->canvas = malloc(pixels);
    s->frame = malloc((size_t)s->size * (size_t)s->size * 3);
    s->z = calloc((size_t)d->history_size * (size_t)d->latent_dim, sizeof *s->z);
    s->imagined = calloc((size_t)STEPS * (size_t)d->latent_dim, sizeof *s->imagined);
    s->actions = calloc((size_t)(s->past + STEPS) * (size_t)d->action_dim + 1, sizeof *s->actions);
    if (!s->canvas || !s->frame || !s->z || !s->imagined || !s->actions)
        return uw_fail(err, UW_ENOMEM, "imagined frames: %d x %d", s->width, s->height);
    memset(s->canvas, 238, pixels);
    return UW_OK;
}

uw_status uw__imagined_png(uw_context *ctx, const uw_model *model, const char *dataset, void **png,
                           size_t *bytes, uw_err *err) {
    *png = NULL;
    *bytes = 0;
    const uw_model_config *c = uw_model_config_of(model);
    if (!dataset || !*dataset || c->input == UW_INPUT_COLUMNS || c->history_size > 16) return UW_OK;
    strip s = {.model = model};
    uw_status status = uw_dataset_open(dataset, &s.data, err);
    if (!status) status = uw__observe_find(model, s.data, &s.observe, err);
    if (!status) status = prepare(ctx, &s, dataset, err);
    const int64_t episodes = status ? 0 : uw_dataset_episodes(s.data);
    const int64_t needed = (int64_t)(s.past + STEPS) * c->frameskip + 1;
    int32_t made = 0;
    for (int64_t e = 0; e < episodes && made < STRIPS && !status; e++) {
        if (e < made * episodes / STRIPS) continue; /* spread over the recording */
        const int64_t rows = uw_dataset_episode_rows(s.data, e);
        if (rows >= needed)
            status = one_strip(ctx, &s, made++, (uw_row){e, (rows - needed) / 2}, err);
    }
    s.height = GAP + 2 * made * (s.size + GAP);
    if (!status && made) status = uw_png_encode(s.canvas, s.width, s.height, png, bytes, err);
    uw_memories_unload(s.memories);
    uw_dataset_close(s.data);
    free(s.memory);
    free(s.canvas);
    free(s.frame);
    free(s.z);
    free(s.actions);
    free(s.imagined);
    return status;
}
