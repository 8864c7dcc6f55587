/* TwoRoom: steps per second, bare and with a picture at the reference's and at the model's size. */
#include "bench.h"

#include <stdlib.h>

#include <umwelt/env.h>

#include "clock.h"
#include "sample.h"

enum { STEPS = 2000, MAX_SIZE = 224 };

typedef struct world_run {
    uw_env *env;
    uint8_t *rgb;
    int32_t size; /* 0 = no picture */
} world_run;

/* One repetition: STEPS steps of a disc that moves about; returns steps per second. */
static double steps_per_second(void *arg) {
    const world_run *w = arg;
    uw_step step;
    const double start = uw__clock_s();
    for (int i = 0; i < STEPS; i++) {
        const float action[2] = {(float)((i * 37) % 200) * 0.01f - 1.0f, (float)((i * 91) % 200) * 0.01f - 1.0f};
        uw_env_step(w->env, action, &step);
        if (w->size) uw_env_render(w->env, w->size, w->rgb);
    }
    return STEPS / (uw__clock_s() - start);
}

uw_status uw_bench_world(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err) {
    static const struct {
        const char *name;
        int32_t size;
    } cases[] = {{"TwoRoom step", 0}, {"TwoRoom step + picture 64", 64}, {"TwoRoom step + picture 224", 224}};
    (void)ctx;
    world_run w = {.rgb = malloc((size_t)MAX_SIZE * MAX_SIZE * 3)};
    uw_status s = w.rgb ? uw_env_new("two_room", &w.env, err) : UW_ENOMEM;
    if (!s) s = uw_env_reset(w.env, 1, NULL, NULL, err);
    for (size_t i = 0; !s && i < sizeof cases / sizeof *cases; i++) {
        w.size = cases[i].size;
        uw_bench_result r = {.name = cases[i].name, .unit = "1/s", .settings = "one thread"};
        uw__bench_sample(&r, quick ? 5 : 15, steps_per_second, &w);
        sink(cookie, &r);
    }
    uw_env_free(w.env);
    free(w.rgb);
    return s;
}
