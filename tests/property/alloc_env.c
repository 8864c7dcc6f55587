/* A world allocates when it is made and never again: reset, step, draw, task and path under a
 * counting allocator (linked with --wrap). */
#include "check.h"

#include <umwelt/env.h>

static long calls;
static long fail_at = -1; /* this call returns NULL */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_malloc(size_t size) {
    return calls++ == fail_at ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return calls++ == fail_at ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size) {
    return calls++ == fail_at ? NULL : __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
    return calls++ == fail_at ? NULL : __real_aligned_alloc(align, size);
}

static void run_without_allocation(const char *name, const char *picture) {
    static uint8_t rgb[224 * 224 * 3];
    uw_err err = {0};
    uw_env *env = NULL;
    calls = 0;
    CHECK_OK(uw_env_new(name, &env, &err), &err);
    assert_true(calls > 0); /* the counter counts */
    const uw_env_class *cls = uw_env_class_of(env);
    uw_variation v = {0};
    CHECK_OK(uw_variation_parse(cls, "agent.color~sample", &v, &err), &err);
    CHECK_OK(uw_variation_parse(cls, picture, &v, &err), &err);

    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    float action[2];
    double at[UW_MAX_STATE_DIM], read[UW_MAX_READINGS * UW_MAX_STATE_DIM];
    const size_t bytes = uw_env_snapshot_bytes(env);
    unsigned char *snapshot = malloc(bytes);
    assert_non_null(snapshot);
    calls = 0;
    for (uint64_t i = 0; i < 50; i++) {
        uw_step step;
        uw_task task;
        int failures = uw_variation_resolve(cls, &v, 1, i, values, fixed, &err) != UW_OK;
        failures += uw_env_reset(env, i, values, fixed, &err) != UW_OK;
        failures += uw_variation_sample(cls, &v, i, values, fixed, &err) != UW_OK;
        failures += uw_env_reset(env, i, NULL, NULL, &err) != UW_OK;
        if (cls->expert) cls->expert(uw_env_self(env), action);
        cls->oracle(uw_env_self(env), action);
        failures += uw_env_step(env, action, &step) != UW_OK;
        cls->sample_task(1, i, values, true, &task);
        if (cls->path_length) failures += !(cls->path_length(values, task.start, task.goal) > 0);
        uw_env_save(env, snapshot);
        failures += uw_env_restore(env, snapshot, bytes, &err) != UW_OK;
        uw_env_read(env, read);
        uw_env_get_state(env, at);
        uw_env_render(env, 64, rgb);
        uw_env_render_goal(env, 224, rgb);
        assert_int_equal(failures, 0);
    }
    assert_int_equal(calls, 0);
    free(snapshot);
    uw_env_free(env);
}

static void test_no_allocation_in_the_loop(void **state) {
    (void)state;
    run_without_allocation("two_room", "rendering.render_target=1");
    if (uw_env_find("pusht")) run_without_allocation("pusht", "block.shape=6");
}

static void test_every_failing_allocation(void **state) {
    (void)state;
    int refused = 0;
    for (long n = 0;; n++) {
        uw_err err = {0};
        uw_env *env = (uw_env *)&err;
        calls = 0;
        fail_at = n;
        const uw_status status = uw_env_new("two_room", &env, &err);
        fail_at = -1;
        if (status == UW_OK) {
            uw_env_free(env);
            break;
        }
        assert_int_equal(status, UW_ENOMEM);
        assert_null(env);
        refused++;
    }
    assert_int_equal(refused, 3); /* the handle, the values, the instance */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_allocation_in_the_loop),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
