/* The feed: what a data set means for a configuration (columns, sizes, normalisers, windows, looks), and
 * batches from it as pure functions of (seed, step). */
#ifndef UW_FEED_H
#define UW_FEED_H

#include <umwelt/dataset.h>
#include <umwelt/train.h>

#include "augment.h"
#include "labels.h"
#include "model_internal.h"

typedef struct uw_feed {
    uw_dataset *data;                 /* owned */
    uw_windows *train, *valid;        /* owned; valid NULL without held-out windows */
    int32_t pixels, state, goal, action; /* columns, -1 when not used */
    int32_t num_columns;              /* of sensors */
    int32_t columns[UW_MAX_COLUMNS];
    char observe[256];                /* their names, comma-separated */
    char trained[2048];               /* factors that the frames vary in, comma-separated */
    uw_normalisers norm;              /* owned arrays */
    uw_labels labels;                 /* of the readout */
    uw_redraw redraw;                 /* with UW_AUGMENT_REDRAW */
    double *looks;                    /* [episodes, num_values] as recorded, owned; NULL: all nominal */
    bool wide_state;                  /* its states are float64 */
    size_t window, frame_bytes, observe_dim, action_block, temp_bytes;
} uw_feed;

/* Open a data set for a configuration and write what it decides into the configuration: input,
 * image_size, observe_dim, action_dim, inverse_dim, readout_dim.  Windows that would read a number that is not
 * finite are left out, and told.
 *
 * Own      *out: uw__feed_close
 * Returns  UW_OK; UW_ENOTFOUND for an unknown column; UW_ESHAPE when a column does not fit the model;
 *          UW_ENONFINITE when no window is left; UW_EINVAL; whatever the data set says      */
uw_status uw__feed_open(uw_context *ctx, const char *path, uw_train_config *config, uw_feed *out,
                        uw_err *err);
void uw__feed_close(uw_feed *feed);
/* Measure what the buffers of a new network hold of its data: input.mean and .std, readout.mean and .std. */
uw_status uw__feed_measure(const uw_feed *feed, const uw_net *net, uw_real *buffers, uw_err *err);

/* One micro-batch in memory. */
typedef struct uw_batch {
    size_t windows;     /* B of a micro-batch */
    size_t extra;       /* E: single frames behind the windows */
    int64_t *picks;     /* [B + E] */
    int *status;        /* [B + E] what reading each of them said */
    uint8_t *frames;    /* [B * T + E, Y, X, 3], with pictures */
    unsigned char *temp; /* [workers, temp_bytes] */
    uw_real *x;         /* [B * T + E, input_reals], unless the network takes frames as they are */
    uw_real *a;         /* [B, T - 1, action_in] */
    uw_real *y;         /* [B * T + E, readout_dim], z-scored labels */
} uw_batch;

uw_batch *uw__batch_layout(uw_arena *arena, const uw_net *net, const uw_feed *feed, size_t windows,
                           size_t extra, int32_t num_workers);
/* Another one, to be filled while the first is in use; pictures are prepared in the same place. */
uw_batch *uw__batch_layout_second(uw_arena *arena, const uw_net *net, const uw_feed *feed,
                                  size_t windows, size_t extra, int32_t num_workers,
                                  const uw_batch *first);
/* The same without pictures, columns and labels, for uw__batch_load_latents. */
uw_batch *uw__batch_layout_latents(uw_arena *arena, const uw_net *net, const uw_feed *feed,
                                   size_t windows, int32_t num_workers);
/* Return window i, 0 <= i < n, of the order of an epoch: a permutation of 0 .. n - 1 for every seed and
 * epoch; n up to 2^62. */
uint64_t uw__epoch_window(uint64_t seed, uint64_t epoch, uint64_t n, uint64_t i);
/* A batch on its way into memory. */
typedef struct uw_batch_load {
    const uw_net *net;
    const uw_feed *feed;
    const uw_train_config *config; /* NULL: as recorded */
    const uw_windows *windows;
    const uw_real *buffers; /* of the network */
    uw_batch *batch;
    size_t items; /* windows and single frames to load */
    int64_t step;
    size_t first;       /* number of window 0 of this micro-batch within its step */
    size_t first_extra; /* the same of its first single frame, which are numbered behind the windows */
    double strength;
    uw_err *err; /* only when run serially */
} uw_batch_load;

/* Load micro-batch `micro` of training step `step` in three parts: draw its windows; load each item, in any
 * order, on threads that have each a `worker` of their own; see what reading said, and prepare the pictures.
 * Returns of the end: the first item's error, with the message that reading it again gives */
uw_batch_load uw__batch_begin(const uw_net *net, const uw_feed *feed, const uw_train_config *config,
                              const uw_real *buffers, int64_t step, int32_t micro, uw_batch *batch);
void uw__batch_item(void *load, size_t i, int32_t worker);
uw_status uw__batch_end(const uw_exec *e, uw_batch_load *load, uw_err *err);
/* Load micro-batch `micro` of training step `step`, drawn and dressed by (seed, step) alone.
 * buffers: of the network, which hold what normalises inputs and labels */
uw_status uw__batch_load(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                         const uw_train_config *config, const uw_real *buffers, int64_t step,
                         int32_t micro, uw_batch *batch, uw_err *err);
/* Load rows first .. first + count - 1 of an episode as recorded: batch->x [count, input_reals], or
 * batch->frames, at most as many as the batch has room for. */
uw_status uw__batch_load_rows(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                              const uw_real *buffers, int64_t episode, int64_t first, int64_t count,
                              uw_batch *batch, uw_err *err);
/* Load the windows of step `step` of predictor_steps, of which there are as many as the batch has: their
 * actions batch->a, and their latents z [B, T, D] from those of the whole data set, latents [rows, D], where
 * episode e begins at row start[e]. */
uw_status uw__batch_load_latents(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                                 const uw_train_config *config, int64_t step, const uw_real *latents,
                                 const int64_t *start, uw_batch *batch, uw_real *z, uw_err *err);
/* Load `part` of `parts` evenly spread held-out batches, as recorded; the windows alone. */
uw_status uw__batch_load_validation(const uw_exec *e, const uw_net *net, const uw_feed *feed,
                                    const uw_real *buffers, int32_t part, int32_t parts,
                                    uw_batch *batch, uw_err *err);

#endif
