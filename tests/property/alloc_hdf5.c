/* Memory that runs out while an HDF5 file is read or converted: for every n, the n-th allocation
 * fails once.  The answer is UW_ENOMEM with advice, and nothing is left behind. */
#include <unistd.h>

#include "check.h"
#include "columns.h"
#include "tempdir.h"

#include "alloc_fail.h"

static char from[600], to[1200];

static uw_status read_all(uw_err *err) {
    uw__source *source = (uw__source *)1;
    unsigned char row[16 * 16 * 3];
    uw_status s = uw__source_open(NULL, from, UW_FORMAT_HDF5, &source, err);
    if (s) assert_null(source);
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        assert_true(source->row_bytes[i] <= sizeof row);
        s = source->rows(source, i, 1, 2, 1, row, err);
    }
    uw__source_close(source);
    return s;
}

/* Without a conversion. */
static uw_status in_place(uw_err *err) {
    uw_dataset *data = (uw_dataset *)1;
    unsigned char rows[2 * 16 * 16 * 3];
    uw_status s = uw_dataset_open(from, &data, err);
    if (s) assert_null(data);
    for (int32_t i = 0; !s && i < uw_dataset_num_columns(data); i++)
        s = uw_dataset_rows(data, i, 1, 0, 2, 2, rows, err);
    if (!s) s = uw_dataset_verify(data, NULL, err);
    uw_dataset_close(data);
    return s;
}

static uw_status into_dataset(uw_err *err) {
    const uw_status s = uw_convert(NULL, from, to, UW_FORMAT_DATASET, false, NULL, err);
    if (!s) unlink(to);
    return s;
}

static uw_status summary(uw_err *err) {
    static uw_file_summary out;
    return uw_dataset_file_summary(NULL, from, &out, err);
}

static uw_status normaliser(uw_err *err) {
    float mean[2], std[2];
    return uw_dataset_file_normaliser(NULL, from, "action", 2, mean, std, err);
}

static void check_all(const char *name, uw_status (*run)(uw_err *err), long least) {
    for (long n = 0;; n++) {
        uw_err err = {0};
        alloc_fail_begin(n);
        const uw_status s = run(&err);
        const bool fired = alloc_calls > n;
        alloc_fail_end();
        if (s && s != UW_ENOMEM)
            fail_msg("%s: allocation %ld: got %d: %s", name, n, (int)s, err.text);
        if (s && (!err.text[0] || !err.fix[0])) fail_msg("%s: allocation %ld: no message", name, n);
        if (s && !fired) fail_msg("%s: out of memory without being asked to: %s", name, err.text);
        assert_int_equal(tempdir_count(), 0);
        if (fired) continue;
        if (n < least) fail_msg("%s: only %ld allocations seen, wanted %ld", name, n, least);
        return;
    }
}

static void test_memory_runs_out(void **state) {
    (void)state;
    snprintf(from, sizeof from, "%s/data/malformed/ok.h5", check_vectors());
    snprintf(to, sizeof to, "%s", tempdir_file("to.uw"));
    check_all("read", read_all, 20);
    check_all("in place", in_place, 20);
    check_all("convert", into_dataset, 40);
    check_all("summary", summary, 20);
    check_all("normaliser", normaliser, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_runs_out, tempdir_setup, tempdir_teardown),
    };
    return cmocka_run_group_tests_name("alloc_hdf5", tests, NULL, NULL);
}
