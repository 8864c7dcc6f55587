/* Conversion streams: 1.5 GB of pictures go from HDF5 into a dataset
 * without more than 512 MB of memory, and an interrupted one goes on after a kill at any moment. */
#include "recording.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "columns.h"
#include "tempdir.h"

#if defined(UW_HDF5)
#include <hdf5.h>
#include <zlib.h>

enum { SIDE = 224, FRAME = SIDE * SIDE * 3, ROWS = 10000, EPISODE = 50, LIMIT_MB = 512 };

/* A file of ROWS equal pictures: one deflated chunk, written that often. */
static void write_large(const char *path) {
    unsigned char *frame = calloc(FRAME, 1), packed[4096];
    uLongf bytes = sizeof packed;
    assert_non_null(frame);
    assert_int_equal(compress2(packed, &bytes, frame, FRAME, 1), Z_OK);
    free(frame);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hsize_t now[4] = {ROWS, SIDE, SIDE, 3}, most[4] = {H5S_UNLIMITED, SIDE, SIDE, 3};
    const hsize_t chunk[4] = {1, SIDE, SIDE, 3}, episodes = ROWS / EPISODE;
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(4, now, most);
    H5Pset_chunk(plan, 4, chunk);
    H5Pset_deflate(plan, 1);
    const hid_t pixels =
        H5Dcreate2(file, "pixels", H5T_STD_U8LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    for (hsize_t t = 0; t < ROWS; t++) {
        const hsize_t at[4] = {t, 0, 0, 0};
        assert_true(H5Dwrite_chunk(pixels, H5P_DEFAULT, 0, at, bytes, packed) >= 0);
    }
    int32_t len[ROWS / EPISODE];
    int64_t offset[ROWS / EPISODE];
    for (int e = 0; e < ROWS / EPISODE; e++) len[e] = EPISODE, offset[e] = e * EPISODE;
    const hid_t line = H5Screate_simple(1, &episodes, NULL);
    const hid_t a =
        H5Dcreate2(file, "ep_len", H5T_STD_I32LE, line, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t b =
        H5Dcreate2(file, "ep_offset", H5T_STD_I64LE, line, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(a, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, len) >= 0);
    assert_true(H5Dwrite(b, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, offset) >= 0);
    const hid_t ids[] = {a, b, pixels};
    for (int i = 0; i < 3; i++) H5Dclose(ids[i]);
    H5Sclose(line), H5Sclose(space), H5Pclose(plan), H5Pclose(access);
    assert_true(H5Fclose(file) >= 0);
}

/* Convert in a child; the most memory it had, in MB. */
static double convert_in_child(const char *from, const char *to, uw_format format) {
    struct rusage use;
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        uw_err err = {0};
        uw_convert_result r = {0};
        const uw_status s = uw_convert(NULL, from, to, format, false, &r, &err);
        if (s) fprintf(stderr, "%s\n", err.text);
        _exit(s || r.rows != ROWS || r.episodes != ROWS / EPISODE);
    }
    assert_int_equal(wait4(child, &status, 0, &use), child);
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    return (double)use.ru_maxrss / 1024.0;
}

static void test_memory(void **state) {
    (void)state;
    char from[1024], to[1024];
    snprintf(from, sizeof from, "%s", tempdir_file("large.h5"));
    snprintf(to, sizeof to, "%s", tempdir_file("large.uw"));
    write_large(from);
    const double mb = convert_in_child(from, to, UW_FORMAT_DATASET);
    print_message("%.0f MB of pictures, %.0f MB of memory\n", (double)ROWS * FRAME * 1e-6, mb);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* their shadow counts too */
    assert_true(mb < LIMIT_MB);
#endif
}
#endif

/* ---- killed ------------------------------------------------------------------------------- */

static const uw_column kinds[] = {
    {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {48, 48, 3}},
    {.name = "state", .dtype = UW_DTYPE_F64, .num_dims = 1, .shape = {4}},
};
enum { EPISODES = 400, LENGTH = 8 };

static void record(const char *path) {
    uw_recorder *rec = NULL;
    uw_err err = {0};
    static unsigned char pixels[LENGTH][48 * 48 * 3];
    double states[LENGTH][4];
    CHECK_OK(uw_recorder_open(path, kinds, 2, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (uint64_t e = 0; e < EPISODES; e++) {
        for (uint64_t t = 0; t < LENGTH; t++) {
            for (size_t i = 0; i < sizeof pixels[0]; i++)
                pixels[t][i] = (unsigned char)rec_mix(e * 131 + t * 7 + i);
            for (uint64_t i = 0; i < 4; i++) states[t][i] = (double)rec_mix(e + t + i) * 1e-9;
        }
        CHECK_OK(
            uw_recorder_episode(rec, NULL, (const void *const[]){pixels, states}, LENGTH, &err),
            &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

/* Kill a conversion again and again, a little later each time, until one comes through. */
static int kill_until_done(const char *from, const char *to, uw_format format) {
    int kills = 0;
    for (int turn = 0;; turn++) {
        int status = 0;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            uw_err err = {0};
            const uw_status s =
                uw_convert_resumable(NULL, from, to, format, false, turn > 0, NULL, &err);
            if (s) fprintf(stderr, "%s\n", err.text);
            _exit(s != UW_OK);
        }
        const struct timespec wait = {.tv_nsec = (5 + turn * turn % 41 * 3) * 1000000l};
        nanosleep(&wait, NULL);
        if (turn < 12) kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return kills;
        }
        assert_int_not_equal(access(to, F_OK), 0); /* never a half under the whole's name */
        kills++;
    }
}

static void test_killed(void **state) {
    (void)state;
    uw_err err = {0};
    size_t n, m;
    char from[1024], to[1024], once[1024];
    snprintf(from, sizeof from, "%s", tempdir_file("from.uw"));
    snprintf(to, sizeof to, "%s", tempdir_file("to.uw"));
    snprintf(once, sizeof once, "%s", tempdir_file("once.uw"));
    record(from);
    CHECK_OK(uw_convert(NULL, from, once, UW_FORMAT_DATASET, false, NULL, &err), &err);
    print_message("%d kills into a dataset\n", kill_until_done(from, to, UW_FORMAT_DATASET));
    unsigned char *a = rec_slurp(once, &n), *b = rec_slurp(to, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
#if defined(UW_HDF5)
    char h5[1024];
    snprintf(h5, sizeof h5, "%s", tempdir_file("to.h5"));
    print_message("%d kills into HDF5\n", kill_until_done(from, h5, UW_FORMAT_HDF5));
    columns_equal(from, h5);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, tempdir_setup, tempdir_teardown),
#if defined(UW_HDF5)
        cmocka_unit_test_setup_teardown(test_memory, tempdir_setup, tempdir_teardown),
#endif
    };
    return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
