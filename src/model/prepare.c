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
static void count_median(const uint8_t *frame, size_t pixels, uint8_t median[3]) {
    uint32_t histogram[3][256] = {{0}};
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) histogram[c][frame[3 * i + (size_t)c]]++;
    for (int c = 0; c < 3; c++) {
        size_t seen = histogram[c][0];
        median[c] = 0;
        while (2 * seen < pixels) seen += histogram[c][++median[c]];
    }
}

enum { GROUP = 16 }; /* pixels: 48 bytes, a whole number of vectors of any width up to 16 bytes */

/* Whether more than half of the pixels have exactly m, in each channel: then it is the median. */
static bool is_floor(const uint8_t *frame, size_t pixels, const uint8_t m[3]) {
    uint8_t pattern[3 * GROUP], same[3 * GROUP];
    size_t equal[3] = {0}, i = 0;
    for (int j = 0; j < 3 * GROUP; j++) pattern[j] = m[j % 3];
    while (pixels - i >= GROUP) { /* counts of bytes: 255 groups at most between two flushes */
        memset(same, 0, sizeof same);
        for (int n = 0; n < 255 && pixels - i >= GROUP; n++, i += GROUP) {
            const uint8_t *group = frame + 3 * i;
            for (int j = 0; j < 3 * GROUP; j++)
                same[j] = (uint8_t)(same[j] + (group[j] == pattern[j]));
        }
        for (int j = 0; j < 3 * GROUP; j++) equal[j % 3] += same[j];
    }
    for (; i < pixels; i++)
        for (int c = 0; c < 3; c++) equal[c] += frame[3 * i + (size_t)c] == m[c];
    return 2 * equal[0] > pixels && 2 * equal[1] > pixels && 2 * equal[2] > pixels;
}

/* The colour of most of some pixels, if there is one: it survives when unlike ones cancel. */
static void guess_floor(const uint8_t *frame, size_t pixels, uint8_t floor[3]) {
    const size_t stride = pixels / 64 + 1;
    const uint8_t *held = frame;
    size_t votes = 0;
    for (size_t i = 0; i < pixels; i += stride) {
        const uint8_t *p = frame + 3 * i;
        const bool like = p[0] == held[0] && p[1] == held[1] && p[2] == held[2];
        if (!votes) held = p;
        votes = like || !votes ? votes + 1 : votes - 1;
    }
    memcpy(floor, held, 3);
}

/* A histogram waits for itself wherever neighbours are equal, which on a flat floor is everywhere:
 * guess from a few pixels, and count them all only when the guess does not hold. */
void uw__prepare_floor(const uint8_t *frame, size_t pixels, uint8_t floor[3]) {
    guess_floor(frame, pixels, floor);
    if (!is_floor(frame, pixels, floor)) count_median(frame, pixels, floor);
}

static inline uint64_t word(const uint8_t *at) {
    uint64_t w;
    memcpy(&w, at, sizeof w);
    return w;
}

/* Bits in which n bytes differ, folded into 64: no branch and no call for what is often a dozen. */
static inline uint64_t differ(const uint8_t *a, const uint8_t *b, size_t n) {
    if (n < 8) return (uint64_t)(memcmp(a, b, n) != 0);
    uint64_t bits = word(a + n - 8) ^ word(b + n - 8);
    for (size_t i = 0; i + 8 < n; i += 8) bits |= word(a + i) ^ word(b + i);
    return bits;
}

bool uw__prepares_patches(const uw_net *net, const uw_conv_dims *d) {
    return net->config.input == UW_INPUT_FLOOR_RELATIVE && d->kernel == d->stride && d->pad == 0 &&
           d->kernel <= UW_MAX_PATCH;
}

size_t uw__prepare_places(const uw_conv_dims *d, const uint8_t *frame, const uint8_t floor[3],
                          uint32_t *places) {
    const size_t run = 3 * d->kernel, row = 3 * d->x;
    uint8_t flat[3 * UW_MAX_PATCH];
    size_t count = 0;
    for (size_t j = 0; j < run; j++) flat[j] = floor[j % 3];
    for (size_t oy = 0; oy < d->out_y; oy++) {
        for (size_t ox = 0; ox < d->out_x; ox++) {
            const uint8_t *patch = frame + oy * d->kernel * row + ox * run;
            uint64_t bits = 0;
            for (size_t y = 0; y < d->kernel; y++) bits |= differ(patch + y * row, flat, run);
            places[count] = (uint32_t)(oy * d->out_x + ox); /* the next one writes over it */
            count += bits != 0;
        }
    }
    return count;
}

void uw__prepare_patches(const uw_kernels *k, const uw_conv_dims *d, const uint8_t *frame,
                         const uint8_t floor[3], const uint32_t *places, size_t count,
                         uw_real *col) {
    const size_t run = 3 * d->kernel, row = 3 * d->x;
    for (size_t i = 0; i < count; i++, col += 4 * d->kernel * d->kernel)
        k->u8_relative(col,
                       frame + places[i] / d->out_x * d->kernel * row + places[i] % d->out_x * run,
                       row, floor, d->kernel, d->kernel);
}

/* What differs from the mean picture of the data. */
static void centred(const uw_net *net, const uw_real *buffers, uw_real *x, const uint8_t *frame,
                    size_t numbers) {
    const uw_real *mean = uw__bind(net, net->at_input, buffers);
    const uw_real scale = 1 / *uw__bind(net, net->at_input + 1, buffers);
    for (size_t i = 0; i < numbers; i++) x[i] = ((uw_real)frame[i] - mean[i]) * scale;
}

void uw__prepare_picture(const uw_kernels *k, const uw_net *net, const uw_real *buffers,
                         const uint8_t *frame, uw_real *x) {
    const size_t side = (size_t)net->config.image_size, pixels = side * side;

    switch (net->config.input) {
    case UW_INPUT_SCALED:
        k->u8_affine(x, frame, (uw_real)1 / (uw_real)127.5, -1, pixels * 3);
        break;
    case UW_INPUT_IMAGENET:
        imagenet(x, frame, pixels);
        break;
    case UW_INPUT_FLOOR_RELATIVE: {
        uint8_t floor[3];
        uw__prepare_floor(frame, pixels, floor);
        k->u8_relative(x, frame, 0, floor, 1, pixels);
        break;
    }
    case UW_INPUT_CENTRED:
        centred(net, buffers, x, frame, pixels * 3);
        break;
    case UW_INPUT_COLUMNS:
        break; /* columns need no picture transform */
    }
}

static void prepare_one(void *arg, size_t index, int32_t worker) {
    const prepare_task *t = arg;
    const size_t side = (size_t)t->net->config.image_size;
    (void)worker;
    uw__prepare_picture(t->k, t->net, t->buffers, t->frames + index * side * side * 3,
                        t->x + index * t->net->input_reals);
}

void uw__net_prepare(const uw_exec *e, const uw_net *net, const uw_real *buffers,
                     const uint8_t *frames, size_t n, uw_real *x) {
    prepare_task t = {.k = e->k, .net = net, .buffers = buffers, .frames = frames, .x = x};
    uw__pool_run(e->pool, n, prepare_one, &t);
}
