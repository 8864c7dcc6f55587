/* Memory in evaluation: what is taken does not depend on how much is played, and when any one
 * allocation fails, the answer is UW_ENOMEM with everything given back (leaks are the sanitizer's
 * to find). */
#include "check.h"

#include <umwelt/context.h>
#include <umwelt/eval.h>

#include "alloc_fail.h"
#include "hand_model.h"
#include "tempdir.h"

typedef struct rig {
    uw_context *ctx;
    uw_model *model;
    uw_dataset *data;
} rig;

static int setup(void **state) {
    static rig r;
    uw_err err = {0};
    const uw_context_options o = {.num_threads = 1}; /* the order of calls must repeat */
    CHECK_OK(uw_context_new(&o, &r.ctx, &err), &err);
    r.model = hand_model(2, 2, "state");
    uw_collect_options collect = UW_COLLECT_OPTIONS_DEFAULT;
    uw_collect_result collected;
    collect.episodes = 4;
    collect.size = 0;
    if (tempdir_setup(state)) return -1;
    const char *path = tempdir_file("rooms.uw");
    CHECK_OK(uw_collect_run(r.ctx, "two_room", path, &collect, &collected, &err), &err);
    CHECK_OK(uw_dataset_open(path, &r.data, &err), &err);
    *state = &r;
    return 0;
}

static int teardown(void **state) {
    rig *r = *state;
    uw_dataset_close(r->data);
    uw_model_unload(r->model);
    uw_context_free(r->ctx);
    return tempdir_teardown(state);
}

/* Run with allocation n failing (-1 = none); return the status, and how many were asked for. */
static uw_status run(const rig *r, uw_driver driver, int32_t episodes, int32_t budget, long n,
                     long *count) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_eval_result result = {0};
    uw_err err = {0};
    o.episodes = episodes;
    o.budget = budget;
    o.keep_traces = 1;
    o.planner.num_samples = 16;
    o.planner.num_elites = 4;
    o.planner.iters = 1;
    o.data = r->data;
    if (driver == UW_DRIVER_REPLAY) o.protocol = "clear-strict"; /* and all that a dataset takes */
    alloc_fail_begin(n);
    const uw_status status =
        uw_eval_run(r->ctx, r->model, "two_room", driver, 0, &o, &result, &err);
    *count = alloc_calls;
    alloc_fail_end();
    assert_true(status == UW_OK || (result.episodes == NULL && err.text[0]));
    uw_eval_result_fini(&result);
    return status;
}

static void test_episodes_take_no_memory(void **state) {
    for (int driver = 0; driver < UW_NUM_DRIVERS; driver++) {
        long few = 0, many = 0;
        /* An open dataset keeps its decoders from the first run on. */
        assert_int_equal(run(*state, (uw_driver)driver, 1, 5, -1, &few), UW_OK);
        assert_int_equal(run(*state, (uw_driver)driver, 1, 5, -1, &few), UW_OK);
        assert_int_equal(run(*state, (uw_driver)driver, 8, 60, -1, &many), UW_OK);
        assert_true(few > 5);
        assert_int_equal(few, many);
    }
}

static void test_every_allocation_may_fail(void **state) {
    for (int driver = 0; driver < UW_NUM_DRIVERS; driver++) {
        long count = 0, ignored = 0;
        assert_int_equal(run(*state, (uw_driver)driver, 2, 5, -1, &count), UW_OK);
        for (long n = 0; n < count; n++)
            assert_int_equal(run(*state, (uw_driver)driver, 2, 5, n, &ignored), UW_ENOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_episodes_take_no_memory),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
