/* Deterministic thread pool: work is a count of indices, a result never depends on who ran which.
 *
 * Rules for callers: task i writes only what belongs to i; sums over tasks are folded afterwards in
 * index order; `worker` may choose scratch, never a result. */
#ifndef UW_POOL_H
#define UW_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef struct uw_pool uw_pool;

/* Do task `index`; worker is 0 .. threads-1 (0 = the thread that called run). */
typedef void uw_task_fn(void *arg, size_t index, int32_t worker);

/* Start a pool of num_threads (the caller included; 0 = all cores this process may use; at most
 * 256).  Own: *out, free with uw__pool_free. */
uw_status uw__pool_new(int32_t num_threads, uw_pool **out);
void uw__pool_free(uw_pool *pool);

/* Return the threads, the caller included; 1 for NULL. */
int32_t uw__pool_threads(const uw_pool *pool);

/* Run fn(arg, i, worker) for every i in [0, count) and wait.  pool == NULL, count == 1 and calls
 * from inside a task run serially on the caller, with the caller's worker number.
 * Alloc: none.  Threads: one run at a time per pool, from the thread that owns it. */
void uw__pool_run(uw_pool *pool, size_t count, uw_task_fn *fn, void *arg);

/* Return the cores this process may use (affinity respected), at least 1. */
int32_t uw__cpu_count(void);

#endif
