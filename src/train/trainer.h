/* The trainer: everything a training step touches, planned once; a step allocates nothing. */
#ifndef UW_TRAINER_H
#define UW_TRAINER_H

#include <umwelt/gauges.h>

#include "feed.h"
#include "losses.h"
#include "optim.h"
#include "prefetch.h"

typedef struct uw_trainer {
    uw_context *ctx;
    uw_train_config config; /* resolved */
    uw_feed feed;           /* owned */
    uw_net net;             /* owned */
    void *memory;           /* owned: the arena below */
    size_t memory_bytes;
    uw_exec exec;
    uw_real *params, *buffers;
    uw_real *grads;
    bool grads_left;        /* grads are not zero: a step failed, or was of the predictor alone */
    uw_optim optim;
    uw_prefetch prefetch;   /* owned thread; its two batches */
    uw_batch *batch;        /* the one that was taken last */
    uw_loss_state *loss;
    /* of predictor_steps: the latents of the whole data set, and windows of them */
    uw_real *latents; /* [rows, D], rows of the data set */
    int64_t *start;   /* [episodes] first row of each */
    bool encoded;     /* latents hold what the encoder says */
    uw_batch *latent_batch;
    uw_loss_state *latent_loss;
    uw_optim latent_optim; /* of the predictor's parameters alone, inside optim */
    double *work;           /* of the gauges: [uw__gauges_work] */
    double sigreg_null, sigreg_q99; /* of SIGReg times n for a Gaussian sample; NaN without SIGReg */
} uw_trainer;

/* What one step found. */
typedef struct uw_step_stats {
    uw_losses losses; /* means over the micro-batches */
    double lr, grad_norm;
} uw_step_stats;

/* Open the data set, build the network, plan the memory, draw the weights.
 * Own      *t, which is not to move: uw__trainer_fini, also after an error                       */
uw_status uw__trainer_init(uw_context *ctx, const char *dataset, const uw_train_config *config,
                           uw_trainer *t, uw_err *err);
void uw__trainer_fini(uw_trainer *t);

/* Do update `step` (0-based).  Alloc: none.
 * Returns  UW_OK; UW_ENONFINITE, parameters unchanged, when a loss or the gradient is not finite    */
uw_status uw__trainer_step(uw_trainer *t, int64_t step, uw_step_stats *out, uw_err *err);

/* Teacher-forced loss on held-out windows as recorded; NaN when nothing is held out. */
uw_status uw__trainer_validate(uw_trainer *t, double *loss, uw_err *err);

/* Measure the collapse gauges on the latents of the last update, which was `step` and had these losses; alarms are
 * judged once the run has settled.  Alloc: none. */
void uw__trainer_gauge(uw_trainer *t, int64_t step, const uw_losses *losses, uw_gauges *out);
/* Warn of every alarm, once per kind (bits of *warned). */
void uw__gauges_advise(uw_context *ctx, const uw_train_config *config, int64_t step,
                       const uw_gauges *g, uint32_t *warned);
/* Write what SIGReg times n is for a Gaussian sample: mean and 99 % quantile; NaN without SIGReg. */
void uw__trainer_null(const uw_train_config *config, double *mean, double *q99);

/* Make the model of the current numbers. */
uw_status uw__trainer_model(const uw_trainer *t, const char *config_json, uw_model **out,
                            uw_err *err);

#endif
