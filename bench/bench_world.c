/* Worlds: steps per second, bare and with a picture at the reference's and at the model's size, alone and in two
 * threads. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <umwelt/env.h>

#include "clock.h"
#include "pool.h"
#include "sample.h"

enum { MAX_THREADS = 2, MAX_SIZE = 224, BARE_STEPS = 8000, DRAWN_STEPS = 300 };

typedef struct world_run {
    uw_env *env[MAX_THREADS];
    uint8_t *rgb[MAX_THREADS];
    uw_pool *pool;
    size_t threads;
    int32_t size; /* 0 = no picture */
} world_run;

/* One thread's steps: a body that moves about, from a new start every 100 steps, as data are collected. */
static void run_steps(void *arg, size_t index, int32_t worker) {
    const world_run *w = arg;
    uw_env *env = w->env[index];
    const int steps = w->size ? DRAWN_STEPS : BARE_STEPS;
    (void)worker;
    for (int i = 0; i < steps; i++) {
        const float action[2] = {(float)((i * 37) % 200) * 0.01f - 1.0f, (float)((i * 91) % 200) * 0.01f - 1.0f};
        uw_step step;
        if (i % 100 == 0) uw_env_reset(env, (uint64_t)i, NULL, NULL, NULL);
        uw_env_step(env, action, &step);
        if (w->size) uw_env_render(env, w->size, w->rgb[index]);
    }
}

static double steps_per_second(void *arg) {
    const world_run *w = arg;
    const double start = uw__clock_s();
    uw__pool_run(w->pool, w->threads, run_steps, arg);
    return (double)w->threads * (w->size ? DRAWN_STEPS : BARE_STEPS) / (uw__clock_s() - start);
}

static uw_status run_world(const char *name, bool quick, world_run *w, uw_bench_sink *sink, void *cookie,
                           uw_err *err) {
    static const int32_t sizes[] = {0, 64, MAX_SIZE};
    uw_status s = UW_OK;
    for (int i = 0; !s && i < MAX_THREADS; i++) s = uw_env_new(name, &w->env[i], err);
    for (size_t k = 0; !s && k < 2 * sizeof sizes / sizeof *sizes; k++) {
        char text[64];
        w->size = sizes[k / 2];
        w->threads = 1 + k % 2;
        snprintf(text, sizeof text, w->size ? "%s step + picture %d" : "%s step", name, (int)w->size);
        uw_bench_result r = {
            .name = text, .unit = "1/s", .settings = w->threads == 1 ? "one thread" : "two threads"};
        uw__bench_sample(&r, quick ? 5 : 15, steps_per_second, w);
        sink(cookie, &r);
    }
    for (int i = 0; i < MAX_THREADS; i++) {
        uw_env_free(w->env[i]);
        w->env[i] = NULL;
    }
    return s;
}

uw_status uw_bench_world(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err) {
    static const char *const worlds[] = {"two_room", "pusht"};
    (void)ctx; /* its pool has as many threads as the machine: two are wanted */
    world_run w = {0};
    uw_status s = uw__pool_new(MAX_THREADS, &w.pool);
    for (int i = 0; !s && i < MAX_THREADS; i++) {
        w.rgb[i] = malloc((size_t)MAX_SIZE * MAX_SIZE * 3);
        if (!w.rgb[i]) s = UW_ENOMEM;
    }
    for (int i = 0; !s && i < 2; i++)
        if (uw_env_find(worlds[i])) s = run_world(worlds[i], quick, &w, sink, cookie, err);
    for (int i = 0; i < MAX_THREADS; i++) free(w.rgb[i]);
    uw__pool_free(w.pool);
    return s;
}
