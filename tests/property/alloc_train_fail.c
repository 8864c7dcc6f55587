/* Memory that runs out while a run begins, trains, saves, ends and resumes: for every n, the n-th
 * allocation fails once.  The answer is UW_ENOMEM with advice (or success, where the memory was
 * only for litter), the sanitizer sees no leak, and the run resumes to the same weights afterwards.
 */
#include "tempdir.h"
#include "tiny_run.h"

#include "alloc_fail.h"

enum { STEPS = 2 };

static uw_context *ctx;
static char good_sha[65];

static uw_train_config config(void) {
    uw_train_config c = tiny_config(STEPS);
    c.checkpoint_every = 1;
    return c;
}

static uw_status run(const char *name, bool resume, uw_train_result *r, uw_err *err) {
    const uw_train_config c = config();
    char data[512], folder[512];
    snprintf(data, sizeof data, "%s", tempdir_file("data.uw"));
    snprintf(folder, sizeof folder, "%s", tempdir_file(name));
    return uw_train_run(ctx, data, folder, &c, resume, true, r, err);
}

static void every_allocation(void **state) {
    (void)state;
    uw_train_result r;
    long n = 0, refused = 0, forgiven = 0;
    for (bool fired = true; fired; n++) {
        uw_err err = {0};
        alloc_fail_begin(n);
        const uw_status s =
            run("run", n % 2, &r, &err); /* starting over, and resuming what is there */
        fired = alloc_calls > n;
        alloc_fail_end();
        if (s && s != UW_ENOMEM) fail_msg("allocation %ld: got %d: %s", n, s, err.text);
        if (s && (!err.text[0] || !err.fix[0]))
            fail_msg("allocation %ld: no advice: %s", n, err.text);
        if (s && !fired) fail_msg("out of memory without being asked to: %s", err.text);
        refused += s != UW_OK;
        forgiven += !s && fired;
        if (!s) assert_string_equal(r.tensors_sha256, good_sha);
    }
    print_message("%ld allocations: %ld refused, %ld forgiven\n", n - 1, refused, forgiven);
    assert_true(refused > 100 && forgiven < refused / 4);
    uw_err err = {0};
    CHECK_OK(run("run", true, &r, &err), &err);
    assert_string_equal(r.tensors_sha256, good_sha);
}

static int setup(void **state) {
    uw_train_result r;
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    tiny_data(tempdir_file("data.uw"));
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 1}, &ctx, &err), &err);
    CHECK_OK(run("good", false, &r, &err), &err);
    memcpy(good_sha, r.tensors_sha256, sizeof good_sha);
    return 0;
}

static int teardown(void **state) {
    uw_context_free(ctx);
    return tempdir_teardown(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
