/* Loading ahead: one thread fills the next micro-batch while the trainer computes with this one.
 *
 * Items are handed out by one counter.  Who needs a batch that is not complete yet loads the rest of it on all
 * its own threads, so a slow prefetch costs nothing; and a batch is a function of (seed, step), whoever fills
 * it. */
#ifndef UW_PREFETCH_H
#define UW_PREFETCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "feed.h"

typedef struct uw_prefetch {
    const uw_net *net;
    const uw_feed *feed;
    const uw_train_config *config;
    const uw_real *buffers;
    uw_batch *batch[2];
    int current;        /* the batch that was taken last; the other one is filled */
    uw_batch_load load; /* of the batch that is being filled */
    int32_t micro;
    bool ordered;       /* nobody has taken it */
    atomic_size_t next; /* item of it that is handed out next */
    int32_t worker;     /* of the thread */
    bool started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool wanted, busy, stop; /* under the lock: there is work for the thread; it is at it; it is to end */
} uw_prefetch;

/* Start the thread, which reads as `worker` beside those of the pool.  All else of *p that is not of the
 * thread was set before (net to batch), and p does not move any more.
 * Own      the thread: uw__prefetch_stop
 * Returns  UW_OK; UW_ENOMEM without a thread                                                       */
uw_status uw__prefetch_start(uw_prefetch *p, int32_t worker, uw_err *err);
/* End the thread after the item that it is at; nothing when there is none. */
void uw__prefetch_stop(uw_prefetch *p);
/* Begin to fill the batch that is not in use; nothing without a thread.  Alloc: none. */
void uw__prefetch_order(uw_prefetch *p, int64_t step, int32_t micro);
/* Hand out a micro-batch, valid until the next but one order: the ordered one, or one that is loaded now.
 * Alloc: none.
 * Returns  as uw__batch_load                                                                       */
uw_status uw__prefetch_take(uw_prefetch *p, const uw_exec *e, int64_t step, int32_t micro,
                            uw_batch **out, uw_err *err);

#endif
