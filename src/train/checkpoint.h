/* Checkpoints: generation directories RUN/checkpoints/gen-00000200 holding
 *
 *     state.safetensors   every tensor of the network, and its two moments as adam.m.NAME, adam.v.NAME
 *     MANIFEST            flat JSON: step, seed, configuration, data set hash, size and XXH3 of the state
 *
 * The manifest is written last (temporary file, fsync, rename, fsync of the folder), so a generation with a
 * manifest is whole and one without never existed.  The last two are kept. */
#ifndef UW_CHECKPOINT_H
#define UW_CHECKPOINT_H

#include <umwelt/train.h>

#include "losses.h"

/* The state of a run after `step` steps; the arrays are borrowed. */
typedef struct uw_snapshot {
    const uw_net *net;
    uw_real *params, *buffers, *m, *v;
    int64_t step, steps_total;
    uint64_t seed;
    const char *preset, *config_json, *dataset_hash;
    uw_losses losses;                     /* of the last step */
    double effective_rank, min_variance;  /* of the last gauge */
} uw_snapshot;

/* Write a generation and drop all but the last two.  On error earlier generations are intact. */
uw_status uw__checkpoint_write(const char *run_dir, const uw_snapshot *snapshot, uw_err *err);

/* Restore the newest generation that is whole into snapshot (arrays, step, losses, gauges).
 *
 * A damaged generation is told to the log, removed, and the one before it is tried.
 * Returns  UW_OK; UW_ENOTFOUND when there is none (err tells what was wrong with the last one tried);
 *          UW_ESHAPE naming the key when the configuration or the data set is another; UW_EIO, UW_ENOMEM.
 *          On error the snapshot is untouched.                                                          */
uw_status uw__checkpoint_restore(uw_context *ctx, const char *run_dir,
                                 const uw_train_config *config, uw_snapshot *snapshot, uw_err *err);

#endif
