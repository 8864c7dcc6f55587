/* What a network has to know of its data before the first step: the mean picture and its scale, the
 * mean and deviation of every label.  Measured on a sample that only the data set decides. */
#include <math.h>
#include <stdlib.h>

#include "feed.h"
#include "fileio.h"
#include "parts.h"

enum { SAMPLE = 2048 }; /* rows, evenly spread over the training windows */

typedef struct sums {
    double *sum, *square; /* [count] */
    size_t count;
} sums;

static uw_status sums_init(sums *s, size_t count, uw_err *err) {
    *s = (sums){.sum = calloc(count + 1, sizeof(double)),
                .square = calloc(count + 1, sizeof(double)),
                .count = count};
    return s->sum && s->square ? UW_OK : uw__no_memory(err, "statistics", 16 * count);
}

static void sums_fini(sums *s) {
    free(s->sum);
    free(s->square);
}

static double variance(const sums *s, size_t i, double n) {
    const double mean = s->sum[i] / n;
    return fmax(s->square[i] / n - mean * mean, 0.0);
}

/* A deviation to divide by: what never changes is left as it is. */
static uw_real deviation(double var) {
    return var > 1e-12 ? (uw_real)sqrt(var) : 1;
}

static void where(const uw_feed *f, int64_t i, int64_t *episode, int64_t *row) {
    const int64_t count = uw_windows_count(f->train);
    uw_windows_at(f->train, i * (count / SAMPLE) + i * (count % SAMPLE) / SAMPLE, episode, row);
}

static uw_status measure_frames(const uw_feed *f, const uw_net *net, uw_real *buffers,
                                uw_err *err) {
    uw_real *mean = uw__bind_grad(net, net->at_input, buffers);
    uw_real *std = uw__bind_grad(net, net->at_input + 1, buffers);
    uint8_t *frame = malloc(f->frame_bytes);
    sums s = {0};
    uw_status status = sums_init(&s, f->frame_bytes, err);
    if (!status && !frame) status = uw__no_memory(err, "frame", f->frame_bytes);
    for (int64_t i = 0; !status && i < SAMPLE; i++) {
        int64_t episode, row;
        where(f, i, &episode, &row);
        status = uw_dataset_rows(f->data, f->pixels, episode, row, 1, 1, frame, err);
        for (size_t k = 0; !status && k < s.count; k++) {
            s.sum[k] += frame[k];
            s.square[k] += (double)frame[k] * (double)frame[k];
        }
    }
    double var = 0.0;
    for (size_t k = 0; !status && k < s.count; k++) {
        mean[k] = (uw_real)(s.sum[k] / SAMPLE);
        var += variance(&s, k, SAMPLE) / (double)s.count;
    }
    if (!status) *std = deviation(var);
    sums_fini(&s);
    free(frame);
    return status;
}

static uw_status measure_labels(const uw_feed *f, const uw_net *net, uw_real *buffers,
                                uw_err *err) {
    uw_real *mean = uw__bind_grad(net, net->at_readout + 2, buffers);
    uw_real *std = uw__bind_grad(net, net->at_readout + 3, buffers);
    uw_real y[2 * UW_MAX_LABELS];
    double *row_bytes = malloc(f->labels.row_bytes);
    sums s = {0};
    uw_status status = sums_init(&s, (size_t)f->labels.numbers, err);
    if (!status && !row_bytes) status = uw__no_memory(err, "labels", f->labels.row_bytes);
    for (int64_t i = 0; !status && i < SAMPLE; i++) {
        int64_t episode, row;
        where(f, i, &episode, &row);
        status = uw__labels_read(f->data, &f->labels, episode, row, 1, 1, row_bytes, y, err);
        for (size_t k = 0; !status && k < s.count; k++) {
            s.sum[k] += (double)y[k];
            s.square[k] += (double)y[k] * (double)y[k];
        }
    }
    /* sines and cosines stay as they are */
    for (int32_t i = 0, k = 0; !status && i < f->labels.count;
         k += f->labels.label[i++].angle ? 2 : 1) {
        if (f->labels.label[i].angle) continue;
        mean[k] = (uw_real)(s.sum[k] / SAMPLE);
        std[k] = deviation(variance(&s, (size_t)k, SAMPLE));
    }
    sums_fini(&s);
    free(row_bytes);
    return status;
}

uw_status uw__feed_measure(const uw_feed *f, const uw_net *net, uw_real *buffers, uw_err *err) {
    uw_status s = UW_OK;
    if (net->config.input == UW_INPUT_CENTRED) s = measure_frames(f, net, buffers, err);
    if (!s && f->labels.count) s = measure_labels(f, net, buffers, err);
    return s;
}
