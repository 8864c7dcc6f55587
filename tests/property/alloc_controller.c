/* After init the control loop takes no memory, no lock and no I/O: a thousand actions with the libc
 * calls wrapped by the linker and counted. */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include <umwelt/controller.h>

#include "internal.h"
#include "landmarks_internal.h"
#include "point_world.h"

static volatile int calls;
static volatile int armed; /* count only inside the loop: cmocka allocates as well */

#define COUNT() ((void)(calls += armed))

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
int __real_posix_memalign(void **out, size_t align, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
int __real_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
int __wrap_posix_memalign(void **out, size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_open(const char *path, int flags, int mode);
FILE *__wrap_fopen(const char *path, const char *mode);

void *__wrap_malloc(size_t size) {
    COUNT();
    return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    COUNT();
    return __real_calloc(count, size);
}
void *__wrap_realloc(void *p, size_t size) {
    COUNT();
    return __real_realloc(p, size);
}
void __wrap_free(void *p) {
    COUNT();
    __real_free(p);
}
int __wrap_posix_memalign(void **out, size_t align, size_t size) {
    COUNT();
    return __real_posix_memalign(out, align, size);
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
    COUNT();
    return __real_aligned_alloc(align, size);
}
int __wrap_pthread_mutex_lock(pthread_mutex_t *m) {
    COUNT();
    return __real_pthread_mutex_lock(m);
}
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m) {
    COUNT();
    return __real_pthread_cond_wait(c, m);
}
ssize_t __wrap_read(int fd, void *data, size_t size) {
    COUNT();
    return __real_read(fd, data, size);
}
ssize_t __wrap_write(int fd, const void *data, size_t size) {
    COUNT();
    return __real_write(fd, data, size);
}
int __wrap_open(const char *path, int flags, int mode) {
    COUNT();
    return __real_open(path, flags, mode);
}
FILE *__wrap_fopen(const char *path, const char *mode) {
    COUNT();
    return __real_fopen(path, mode);
}

/* The count itself works: else zero would prove nothing. */
static void test_calls_are_counted(void **state) {
    (void)state;
    calls = 0;
    armed = 1;
    void *volatile p = malloc(8);
    free(p);
    armed = 0;
    assert_int_equal(calls, 2);
}

/* A thousand actions; every 40th observation jumps when there is a band to be surprised. */
static void run(uw_solver solver, const uw_value *value, const uw_band *band,
                uw_on_surprise policy) {
    point_world world = {0};
    const uw_dynamics d = point_dynamics(&world, 3, 32, 8);
    uw_controller_options o = {.planner = UW_PLANNER_OPTIONS_DEFAULT, .max_change = 0.5f};
    o.band = band;
    o.on_surprise = policy;
    o.planner.solver = solver;
    o.planner.action_noise = 0.01f;
    o.planner.noise_beta = 2.0f;
    o.planner.horizon = 8;
    o.planner.num_samples = 32;
    o.planner.deadline_s = 10.0;
    const size_t bytes = uw_controller_memsize(&d.dims, &o);
    void *mem = point_memory(bytes);
    assert_non_null(mem);
    uw_controller *c = NULL;
    int planned = 0, surprised = 0;

    calls = 0;
    armed = 1;
    uw_status status =
        uw_controller_init(&d, &o, mem, bytes, &c); /* init allocates nothing either */
    if (!status) uw_planner_set_value(uw_controller_planner(c), value);
    const float goals[2][POINT_D] = {{0}, {1.0f, 1.0f, 0.0f, 0.0f}};
    float z[POINT_D] = {2.0f, 1.0f, 0.0f, 0.0f}, next[POINT_D], action[POINT_A];
    for (int t = 0; !status && t < 1000; t++) {
        if (t % 50 == 0) {
            uw_controller_reset(c, (uint64_t)t);
            status = uw_controller_set_goal(c, goals[t / 50 % 2]);
        }
        uw_act_info info = {0};
        world.all_nan = !band && t % 97 == 13; /* the safe path too */
        if (band && t % 40 == 39) z[0] += 1.0f;
        planned += uw_controller_act(c, z, action, &info) == UW_OK;
        surprised += info.surprised;
        point_step(z, action, next);
        memcpy(z, next, sizeof z);
    }
    armed = 0;
    assert_int_equal(status, UW_OK);
    assert_int_equal(planned, band ? 1000 : 989);
    assert_int_equal(surprised, band ? 25 : 0);
    assert_int_equal(calls, 0);
    free(mem);
}

static void test_a_thousand_actions(void **state) {
    (void)state;
    for (int solver = 0; uw_solver_words()[solver]; solver++)
        run((uw_solver)solver, NULL, NULL, UW_ON_SURPRISE_NONE);
}

/* To compare with a band, and every answer to a surprise, takes nothing either. */
static void test_surprises(void **state) {
    (void)state;
    static const float mean[POINT_D] = {0};
    static const float whiten[POINT_D * POINT_D] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    const uw_band band = {POINT_D, mean, whiten, 0.1};
    for (int policy = UW_ON_SURPRISE_NONE; policy <= UW_ON_SURPRISE_REPLAN; policy++)
        run(UW_SOLVER_CEM, NULL, &band, (uw_on_surprise)policy);
}

/* A map is asked without memory of its own, for every goal. */
static void test_landmarks(void **state) {
    (void)state;
    float z[32 * POINT_D];
    uw_row rows[32];
    for (int i = 0; i < 32; i++) {
        rows[i] = (uw_row){0, i};
        for (int k = 0; k < POINT_D; k++) z[i * POINT_D + k] = sinf((float)(i * (k + 1)));
    }
    uw_context *ctx = NULL;
    uw_landmarks *l = NULL;
    const uw_context_options alone = {.num_threads =
                                          1}; /* a pool's threads lock while they start */
    assert_int_equal(uw_context_new(&alone, &ctx, NULL), UW_OK);
    assert_int_equal(uw__landmarks_build(ctx->kernels, z, rows, 32, POINT_D, 20, &l, NULL), UW_OK);
    const uw_value value = uw_landmarks_value(l);
    run(UW_SOLVER_CEM, &value, NULL, UW_ON_SURPRISE_NONE);
    uw_landmarks_unload(l);
    uw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_counted),
        cmocka_unit_test(test_a_thousand_actions),
        cmocka_unit_test(test_surprises),
        cmocka_unit_test(test_landmarks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
