/* From u8 pictures to what the network sees. */
#include <math.h>
#include <string.h>

#include "parts.h"

typedef struct prepare_task {
    const uw_kernels *k;
    const uw_net *net;
    const uw_real *buffers;
    const uint8_t *frames;
    uw_real *x;
} prepare_task;

/* torchvision's order: u8 * fp32(1/255), minus the mean, over the std. */
static void imagenet(uw_real *x, const uint8_t *frame, size_t pixels) {
    static const uw_real mean[3] = {(uw_real)0.485f, (uw_real)0.456f, (uw_real)0.406f};
    static const uw_real std[3] = {(uw_real)0.229f, (uw_real)0.224f, (uw_real)0.225f};
    uw_real table[3][256];

    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            table[c][v] = ((uw_real)((float)v * (1.0f / 255.0f)) - mean[c]) / std[c];
    for (size_t i = 0; i < pixels; i++, x += 3, frame += 3) {
        x[0] = table[0][frame[0]];
        x[1] = table[1][frame[1]];
        x[2] = table[2][frame[2]];
    }
}

/* The lower median of each channel: at least half of the pixels are at or below it.  With a flat
 * floor over most of the picture it is the floor's colour, exactly. */
static void count_median(const uint8_t *frame, size_t pixels, size_t stride, int median[3]) {
    uint32_t histogram[3][256] = {{0}};
    const size_t count = (pixels + stride - 1) / stride;
    for (size_t i = 0; i < pixels; i += stride)
        for (int c = 0; c < 3; c++) histogram[c][frame[3 * i + (size_t)c]]++;
    for (int c = 0; c < 3; c++) {
        size_t seen = histogram[c][0];
        median[c] = 0;
        while (2 * seen < count) seen += histogram[c][++median[c]];
    }
}

enum { GROUP = 16 }; /* pixels: 48 bytes, a whole number of vectors of any width up to 16 bytes */

/* Whether m is the median: fewer than half of the pixels lie below it, at least half not above. */
static bool is_median(const uint8_t *frame, size_t pixels, const int m[3]) {
    uint8_t pattern[3 * GROUP], below[3 * GROUP], above[3 * GROUP];
    size_t less[3] = {0}, more[3] = {0}, i = 0;
    for (int j = 0; j < 3 * GROUP; j++) pattern[j] = (uint8_t)m[j % 3];
    while (pixels - i >= GROUP) { /* counts of bytes: 255 groups at most between two flushes */
        memset(below, 0, sizeof below);
        memset(above, 0, sizeof above);
        for (int n = 0; n < 255 && pixels - i >= GROUP; n++, i += GROUP) {
            const uint8_t *group = frame + 3 * i;
            for (int j = 0; j < 3 * GROUP; j++) {
                below[j] = (uint8_t)(below[j] + (group[j] < pattern[j]));
                above[j] = (uint8_t)(above[j] + (group[j] > pattern[j]));
            }
        }
        for (int j = 0; j < 3 * GROUP; j++) {
            less[j % 3] += below[j];
            more[j % 3] += above[j];
        }
    }
    for (; i < pixels; i++)
        for (int c = 0; c < 3; c++) {
            less[c] += frame[3 * i + (size_t)c] < m[c];
            more[c] += frame[3 * i + (size_t)c] > m[c];
        }
    for (int c = 0; c < 3; c++)
        if (2 * less[c] >= pixels || 2 * (pixels - more[c]) < pixels) return false;
    return true;
}

/* A histogram waits for itself wherever neighbours are equal, which on a flat floor is everywhere:
 * guess from a few pixels, and count them all only when the guess does not hold. */
static void median_colour(const uint8_t *frame, size_t pixels, int median[3]) {
    count_median(frame, pixels, pixels / 64 + 1, median);
    if (!is_median(frame, pixels, median)) count_median(frame, pixels, 1, median);
}

/* 2 d and 2 |d| with d = (pixel - floor) / 255; groups of floor, most of a picture, are zeros. */
static void floor_relative(uw_real *x, const uint8_t *frame, size_t pixels) {
    const uw_real scale = (uw_real)2 / 255;
    uint8_t flat[3 * 8];
    int floor[3];
    median_colour(frame, pixels, floor);
    for (int j = 0; j < 3 * 8; j++) flat[j] = (uint8_t)floor[j % 3];
    for (size_t i = 0; i < pixels;) {
        if (pixels - i >= 8 && !memcmp(frame + 3 * i, flat, sizeof flat)) {
            memset(x + 4 * i, 0, 4 * 8 * sizeof *x);
            i += 8;
            continue;
        }
        for (const size_t end = pixels - i < 8 ? pixels : i + 8; i < end; i++) {
            const uint8_t *rgb = frame + 3 * i;
            const int r = rgb[0] - floor[0], g = rgb[1] - floor[1], b = rgb[2] - floor[2];
            const int norm = r * r + g * g + b * b; /* at most 3 * 255^2: exact */
            x[4 * i] = scale * (uw_real)r;
            x[4 * i + 1] = scale * (uw_real)g;
            x[4 * i + 2] = scale * (uw_real)b;
            x[4 * i + 3] = norm ? scale * (uw_real)sqrtf((float)norm) : 0;
        }
    }
}

/* What differs from the mean picture of the data. */
static void centred(const uw_net *net, const uw_real *buffers, uw_real *x, const uint8_t *frame,
                    size_t numbers) {
    const uw_real *mean = uw__bind(net, net->at_input, buffers);
    const uw_real scale = 1 / *uw__bind(net, net->at_input + 1, buffers);
    for (size_t i = 0; i < numbers; i++) x[i] = ((uw_real)frame[i] - mean[i]) * scale;
}

static void prepare_one(void *arg, size_t index, int32_t worker) {
    const prepare_task *t = arg;
    const size_t side = (size_t)t->net->config.image_size, pixels = side * side;
    const uint8_t *frame = t->frames + index * pixels * 3;
    uw_real *x = t->x + index * t->net->input_reals;
    (void)worker;

    switch (t->net->config.input) {
    case UW_INPUT_SCALED:
        t->k->u8_affine(x, frame, (uw_real)1 / (uw_real)127.5, -1, pixels * 3);
        break;
    case UW_INPUT_IMAGENET:
        imagenet(x, frame, pixels);
        break;
    case UW_INPUT_FLOOR_RELATIVE:
        floor_relative(x, frame, pixels);
        break;
    case UW_INPUT_CENTRED:
        centred(t->net, t->buffers, x, frame, pixels * 3);
        break;
    case UW_INPUT_COLUMNS:
        break; /* columns need no picture transform */
    }
}

void uw__net_prepare(const uw_exec *e, const uw_net *net, const uw_real *buffers,
                     const uint8_t *frames, size_t n, uw_real *x) {
    prepare_task t = {.k = e->k, .net = net, .buffers = buffers, .frames = frames, .x = x};
    uw__pool_run(e->pool, n, prepare_one, &t);
}
