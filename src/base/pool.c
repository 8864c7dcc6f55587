/* The thread pool: one job at a time, indices handed out by one atomic counter.
 *
 * The state word is (generation << 32 | CLOSED | workers inside).  The caller opens a generation,
 * works itself, closes it, and waits only for the workers that are inside: one that wakes late
 * finds it closed and goes back to sleep, so a busy machine does not hold up a finished job.
 * Workers spin for some tens of microseconds before they sleep: training hands out hundreds of
 * short jobs per step. */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 256, SPINS = 1000 };
static const uint64_t CLOSED = 1u << 31, INSIDE = CLOSED - 1;

typedef struct worker {
    uw_pool *pool;
    int32_t number; /* 1 .. threads-1 */
    pthread_t thread;
} worker;

struct uw_pool {
    int32_t threads;
    uw_task_fn *fn; /* the job, constant while a generation is open or anybody is inside */
    void *arg;
    size_t count;
    _Alignas(64) atomic_size_t next;
    _Alignas(64) _Atomic uint64_t state;
    atomic_int sleepers;
    atomic_bool stop;
    pthread_mutex_t mutex; /* for sleeping only */
    pthread_cond_t wake;
    int32_t started;
    worker workers[MAX_THREADS];
};

/* Worker number of the task this thread is in, -1 outside: nested runs stay serial. */
static _Thread_local int32_t inside_task = -1;

static inline void cpu_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void drain(uw_pool *pool, int32_t number) {
    inside_task = number;
    for (;;) {
        const size_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= pool->count) break;
        pool->fn(pool->arg, i, number);
    }
    inside_task = -1;
}

/* Wait until the generation differs from seen; returns the state word that showed it. */
static uint64_t await_generation(uw_pool *pool, uint64_t seen) {
    for (int spin = 0; spin < SPINS; spin++) {
        const uint64_t state = atomic_load(&pool->state);
        if (state >> 32 != seen || atomic_load(&pool->stop)) return state;
        cpu_pause();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    uint64_t state;
    while ((state = atomic_load(&pool->state)) >> 32 == seen && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return state;
}

static void *worker_main(void *arg) {
    const worker *self = arg;
    uw_pool *pool = self->pool;
    uint64_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        uint64_t state = await_generation(pool, seen);
        seen = state >> 32;
        bool joined = false;
        while (!(state & CLOSED) && state >> 32 == seen && !joined)
            joined = atomic_compare_exchange_weak(&pool->state, &state, state + 1);
        if (!joined) continue;
        drain(pool, self->number);
        atomic_fetch_sub(&pool->state, 1);
    }
    return NULL;
}

static void wake_all(uw_pool *pool) {
    if (!atomic_load(&pool->sleepers)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

int32_t uw__cpu_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

uw_status uw__pool_new(int32_t num_threads, uw_pool **out) {
    *out = NULL;
    if (num_threads < 0 || num_threads > MAX_THREADS) return UW_EINVAL;
    if (num_threads == 0) num_threads = uw__cpu_count();
    if (num_threads > MAX_THREADS) num_threads = MAX_THREADS;

    uw_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    if (!pool) return UW_ENOMEM;
    *pool = (uw_pool){.threads = num_threads};
    atomic_store(&pool->state, CLOSED); /* generation 0 is never opened */
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    for (int32_t i = 1; i < num_threads; i++) {
        worker *w = &pool->workers[i];
        *w = (worker){.pool = pool, .number = i};
        if (pthread_create(&w->thread, NULL, worker_main, w)) {
            uw__pool_free(pool);
            return UW_ENOMEM;
        }
        pool->started = i;
    }
    *out = pool;
    return UW_OK;
}

void uw__pool_free(uw_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int32_t i = 1; i <= pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

int32_t uw__pool_threads(const uw_pool *pool) {
    return pool ? pool->threads : 1;
}

void uw__pool_run(uw_pool *pool, size_t count, uw_task_fn *fn, void *arg) {
    if (!pool || pool->threads == 1 || count <= 1 || inside_task >= 0) {
        const int32_t number = inside_task >= 0 ? inside_task : 0;
        for (size_t i = 0; i < count; i++) fn(arg, i, number);
        return;
    }
    pool->fn = fn;
    pool->arg = arg;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    const uint64_t generation = (atomic_load(&pool->state) >> 32) + 1;
    atomic_store(&pool->state, generation << 32); /* open */
    wake_all(pool);
    drain(pool, 0);
    atomic_fetch_or(&pool->state, CLOSED);
    for (int spin = 0; atomic_load(&pool->state) & INSIDE; spin++) {
        if (spin < SPINS)
            cpu_pause();
        else
            sched_yield();
    }
}
