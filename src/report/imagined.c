/* What it thinks it sees: recorded frames of a few episodes, and under each the remembered frame
 * nearest to what the model imagined for that moment from the first one and the recorded actions
 * alone. */
#include "report_internal.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "spans.h"

enum {
    STRIPS = 3, /* spans of the recording */
    SHOWN = 6,  /* moments of each, the start among them */
    STRIDE = 2, /* decisions between them */
    STEPS = (SHOWN - 1) * STRIDE,
    MEMORIES = 4096,
    GAP = 4
};

typedef struct sheet {
    int32_t size, width, height; /* of a frame; of the canvas */
    uint8_t *canvas, *frame;
} sheet;

static void put(sheet *s, int32_t column, int32_t row) {
    const int32_t x0 = GAP + column * (s->size + GAP), y0 = GAP + row * (s->size + GAP);
    for (int32_t y = 0; y < s->size; y++)
        memcpy(s->canvas + ((size_t)(y0 + y) * (size_t)s->width + (size_t)x0) * 3,
               s->frame + (size_t)y * (size_t)s->size * 3, (size_t)s->size * 3);
}

static uw_status sheet_new(const uw_spans *spans, int32_t size, sheet *s, uw_err *err) {
    const int32_t shown = spans->steps / STRIDE + 1;
    s->size = size;
    s->width = GAP + shown * (size + GAP);
    s->height = GAP + 2 * spans->count * (size + GAP);
    const size_t pixels = (size_t)s->width * (size_t)s->height * 3;
    s->canvas = malloc(pixels);
    s->frame = malloc((size_t)size * (size_t)size * 3);
    if (!s->canvas || !s->frame)
        return uw_fail(err, UW_ENOMEM, "imagined frames: %d x %d", s->width, s->height);
    memset(s->canvas, 238, pixels);
    return UW_OK;
}

/* Recorded frames in one row, remembered ones in the next. */
static uw_status draw_span(sheet *s, const uw_dataset *data, int32_t pixels, uw_memories *memories,
                           const uw_spans *spans, const float *imagined, int32_t w, uw_err *err) {
    uw_status status = UW_OK;
    for (int32_t k = 0; k <= spans->steps && !status; k += STRIDE) {
        const int32_t f = spans->history - 1 + k;
        const uw_row at = spans->rows[w * spans->frames + f];
        const float *z = k ? imagined + ((int64_t)w * spans->steps + k - 1) * spans->dim
                           : uw__spans_at(spans, w, f);
        status = uw_dataset_rows(data, pixels, at.episode, at.row, 1, 1, s->frame, err);
        if (!status) put(s, k / STRIDE, 2 * w);
        if (!status)
            status = uw_memories_frame(memories, uw_memories_nearest(memories, z), s->frame, err);
        if (!status) put(s, k / STRIDE, 2 * w + 1);
    }
    return status;
}

uw_status uw__imagined_png(uw_context *ctx, const uw_model *model, const char *dataset, void **png,
                           size_t *bytes, uw_err *err) {
    *png = NULL;
    *bytes = 0;
    if (!dataset || !*dataset || uw_model_config_of(model)->input == UW_INPUT_COLUMNS) return UW_OK;
    uw_dataset *data = NULL;
    uw_observe observe;
    uw_memories *memories = NULL;
    uw_spans spans = {0};
    sheet s = {0};
    bool *every = NULL;
    float *imagined = NULL;
    uw_status status = uw_dataset_open(dataset, &data, err);
    if (!status) status = uw__observe_find(model, data, &observe, err);
    if (status) goto done;
    status = UW_ENOMEM;
    every = calloc((size_t)uw_dataset_episodes(data) + 1, sizeof *every);
    if (every)
        status =
            uw__spans_load(ctx, model, data, &observe, every, false, STEPS, STRIPS, &spans, err);
    if (status || !spans.count) goto done;
    status = UW_ENOMEM;
    imagined =
        malloc((size_t)spans.count * (size_t)spans.steps * (size_t)spans.dim * sizeof *imagined);
    if (imagined) status = uw__spans_imagine(ctx, model, &spans, NULL, imagined, err);
    if (!status) status = uw_memories_load(ctx, model, dataset, MEMORIES, &memories, err);
    if (!status) status = sheet_new(&spans, uw_memories_size(memories), &s, err);
    for (int32_t w = 0; w < spans.count && !status; w++)
        status = draw_span(&s, data, observe.column[0], memories, &spans, imagined, w, err);
    if (!status) status = uw_png_encode(s.canvas, s.width, s.height, png, bytes, err);
done:
    if (status == UW_ENOMEM) uw_fail(err, status, "%s: imagined frames", dataset);
    uw__spans_fini(&spans);
    uw_memories_unload(memories);
    uw_dataset_close(data);
    free(every);
    free(imagined);
    free(s.canvas);
    free(s.frame);
    return status;
}
