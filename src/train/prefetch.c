/* The thread that fills the next batch.  It never calls the pool, which belongs to the trainer. */
#include "prefetch.h"

static void drain(uw_prefetch *p, int32_t worker) {
    size_t i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->load.items) uw__batch_item(&p->load, i, worker);
}

static void help(void *arg, size_t index, int32_t worker) {
    (void)index;
    drain(arg, worker);
}

static void *prefetch_main(void *arg) {
    uw_prefetch *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->wanted && !p->stop) pthread_cond_wait(&p->changed, &p->lock);
        if (p->stop) break;
        p->wanted = false;
        p->busy = true;
        pthread_mutex_unlock(&p->lock);
        drain(p, p->worker);
        pthread_mutex_lock(&p->lock);
        p->busy = false;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* When this returns the thread is out of the batch and stays out. */
static void settle(uw_prefetch *p) {
    pthread_mutex_lock(&p->lock);
    p->wanted = false; /* it may not even have woken */
    while (p->busy) pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* What is left of an unwanted batch is not read. */
static void drop(uw_prefetch *p) {
    atomic_store(&p->next, p->load.items);
    settle(p);
    p->ordered = false;
}

static void begin(uw_prefetch *p, int64_t step, int32_t micro) {
    p->load = uw__batch_begin(p->net, p->feed, p->config, p->buffers, step, micro,
                              p->batch[1 - p->current]);
    p->micro = micro;
    atomic_store(&p->next, 0);
}

uw_status uw__prefetch_start(uw_prefetch *p, int32_t worker, uw_err *err) {
    p->worker = worker;
    if (pthread_mutex_init(&p->lock, NULL)) goto no_lock;
    if (pthread_cond_init(&p->changed, NULL)) goto no_signal;
    if (pthread_create(&p->thread, NULL, prefetch_main, p)) goto no_thread;
    p->started = true;
    return UW_OK;
no_thread:
    pthread_cond_destroy(&p->changed);
no_signal:
    pthread_mutex_destroy(&p->lock);
no_lock:
    return uw_fail(err, UW_ENOMEM, "train: no thread to load ahead with");
}

void uw__prefetch_stop(uw_prefetch *p) {
    if (!p->started) return;
    drop(p);
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    p->started = false;
}

void uw__prefetch_order(uw_prefetch *p, int64_t step, int32_t micro) {
    if (!p->started) return;
    drop(p);
    begin(p, step, micro);
    p->ordered = true;
    pthread_mutex_lock(&p->lock);
    p->wanted = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

uw_status uw__prefetch_take(uw_prefetch *p, const uw_exec *e, int64_t step, int32_t micro,
                            uw_batch **out, uw_err *err) {
    if (!p->started) {
        *out = p->batch[0];
        return uw__batch_load(e, p->net, p->feed, p->config, p->buffers, step, micro, p->batch[0],
                              err);
    }
    if (!p->ordered || p->load.step != step || p->micro != micro) {
        drop(p);
        begin(p, step, micro);
    }
    /* Later items are read by all; the thread may hold up only the one that it is at. */
    uw__pool_run(e->pool, (size_t)e->num_workers, help, p);
    settle(p);
    p->ordered = false;
    p->current = 1 - p->current;
    *out = p->batch[p->current];
    return uw__batch_end(e, &p->load, err);
}
