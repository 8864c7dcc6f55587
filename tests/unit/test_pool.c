/* The pool: every index once, any number of threads, nesting, many short jobs. */
#include "check.h"

#include <stdatomic.h>

#include "pool.h"

enum { MAX_COUNT = 1000 };

typedef struct job {
    atomic_int hits[MAX_COUNT];
    int32_t threads;
    atomic_int bad_worker;
    uw_pool *pool;
} job;

static void hit(void *arg, size_t index, int32_t worker) {
    job *j = arg;
    atomic_fetch_add(&j->hits[index], 1);
    if (worker < 0 || worker >= j->threads) atomic_fetch_add(&j->bad_worker, 1);
}

static void every_index_once(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 64, MAX_COUNT};
    for (int32_t threads = 1; threads <= 5; threads++) {
        uw_pool *pool;
        assert_int_equal(uw__pool_new(threads, &pool), UW_OK);
        assert_int_equal(uw__pool_threads(pool), threads);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            job j = {.threads = threads};
            uw__pool_run(pool, counts[c], hit, &j);
            for (size_t i = 0; i < MAX_COUNT; i++)
                assert_int_equal(atomic_load(&j.hits[i]), i < counts[c]);
            assert_int_equal(atomic_load(&j.bad_worker), 0);
        }
        uw__pool_free(pool);
    }
}

static void many_short_jobs(void **state) {
    (void)state;
    uw_pool *pool;
    assert_int_equal(uw__pool_new(3, &pool), UW_OK);
    job *j = calloc(1, sizeof *j);
    j->threads = 3;
    enum { JOBS = 5000 };
    for (int run = 0; run < JOBS; run++) uw__pool_run(pool, 4, hit, j);
    for (size_t i = 0; i < 4; i++) assert_int_equal(atomic_load(&j->hits[i]), JOBS);
    free(j);
    uw__pool_free(pool);
}

static void nested(void *arg, size_t index, int32_t worker) {
    job *j = arg;
    (void)index, (void)worker;
    uw__pool_run(j->pool, 10, hit, j);
}

static void nested_runs_are_serial(void **state) {
    (void)state;
    job j = {.threads = 2};
    assert_int_equal(uw__pool_new(2, &j.pool), UW_OK);
    uw__pool_run(j.pool, 8, nested, &j);
    for (size_t i = 0; i < 10; i++) assert_int_equal(atomic_load(&j.hits[i]), 8);
    assert_int_equal(atomic_load(&j.bad_worker), 0);
    uw__pool_free(j.pool);
}

static void serial_without_a_pool(void **state) {
    (void)state;
    job j = {.threads = 1};
    assert_int_equal(uw__pool_threads(NULL), 1);
    uw__pool_run(NULL, 5, hit, &j);
    for (size_t i = 0; i < 5; i++) assert_int_equal(atomic_load(&j.hits[i]), 1);
    uw__pool_free(NULL);
    uw_pool *pool;
    assert_int_equal(uw__pool_new(-1, &pool), UW_EINVAL);
    assert_null(pool);
    assert_int_equal(uw__pool_new(257, &pool), UW_EINVAL);
    assert_true(uw__cpu_count() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_once),
        cmocka_unit_test(many_short_jobs),
        cmocka_unit_test(nested_runs_are_serial),
        cmocka_unit_test(serial_without_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
