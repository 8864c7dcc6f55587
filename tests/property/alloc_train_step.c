/* A training step allocates nothing: malloc and its kin are counted by the linker's wrap. */
#include <stdatomic.h>

#include "tempdir.h"
#include "tiny_run.h"
#include "trainer.h"

static atomic_long calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_posix_memalign(void **p, size_t align, size_t size);

void *__wrap_malloc(size_t size) {
    atomic_fetch_add(&calls, 1);
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __real_aligned_alloc(align, size);
}
int __wrap_posix_memalign(void **p, size_t align, size_t size) {
    atomic_fetch_add(&calls, 1);
    return __real_posix_memalign(p, align, size);
}

static void check_steps(const uw_train_config *config) {
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_step_stats stats;
    uw_gauges gauges;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err), &err);
    CHECK_OK(uw__trainer_init(ctx, tempdir_file("data.uw"), config, &t, &err), &err);
    assert_true(atomic_load(&calls) > 0); /* the wrap is in place */
    atomic_store(&calls, 0);
    for (int64_t step = 0; step < 24; step++) {
        CHECK_OK(uw__trainer_step(&t, step, &stats, &err), &err);
        uw__trainer_gauge(&t, 0, &stats.losses, &gauges);
    }
    assert_int_equal(atomic_load(&calls), 0);
    uw__trainer_fini(&t);
    uw_context_free(ctx);
}

static void redraw(void **state) {
    (void)state;
    const uw_train_config c = tiny_config(24);
    check_steps(&c);
}

static void recorded_frames(void **state) {
    (void)state;
    const uw_train_config c = tiny_lewm(24);
    check_steps(&c);
}

static int setup(void **state) {
    if (tempdir_setup(state)) return -1;
    tiny_data(tempdir_file("data.uw"));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(redraw), cmocka_unit_test(recorded_frames)};
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
