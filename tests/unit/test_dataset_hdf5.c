/* An HDF5 file opened as a dataset: every layout gives the rows that were written, in any order and
 * from any thread, and what changes underneath is an error and no crash. */
#include "recording.h"

#include <fcntl.h>
#include <unistd.h>

#include "columns.h"
#include "dataset_internal.h"
#include "pool.h"
#include "tempdir.h"

#if defined(UW_HDF5)
#include <hdf5.h>
#endif

static const char *vector(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/data/%s", check_vectors(), name);
    return path;
}

/* ---- the reference's files ---------------------------------------------------------------- */

/* The file as it is, and what a conversion makes of it. */
static void same_as_converted(const char *path) {
    uw_dataset *a = NULL, *b = NULL;
    uw_err err = {0};
    uw_status s = uw_dataset_open(path, &a, &err);
#if !defined(UW_BLOSC)
    if (s == UW_EUNSUPPORTED && strstr(err.text, "Blosc")) return;
#endif
    CHECK_OK(s, &err);
    CHECK_OK(uw_convert(NULL, path, tempdir_file("b.uw"), UW_FORMAT_DATASET, true, NULL, &err),
             &err);
    CHECK_OK(uw_dataset_open(tempdir_file("b.uw"), &b, &err), &err);
    assert_int_equal(uw_dataset_num_columns(a), uw_dataset_num_columns(b));
    assert_int_equal(uw_dataset_episodes(a), uw_dataset_episodes(b));
    assert_int_equal(uw_dataset_total_rows(a), uw_dataset_total_rows(b));
    assert_int_equal(uw_dataset_torn_bytes(a), 0);
    assert_string_equal(uw_dataset_meta_of(a)->env, uw_dataset_meta_of(b)->env);
    for (int32_t c = 0; c < uw_dataset_num_columns(a); c++) {
        const size_t size = uw__dataset_header(a)->row_bytes[c];
        assert_string_equal(uw_dataset_column(a, c)->name, uw_dataset_column(b, c)->name);
        assert_int_equal(size, uw__dataset_header(b)->row_bytes[c]);
        for (int64_t e = uw_dataset_episodes(a) - 1; e >= 0; e--) {
            const int64_t rows = uw_dataset_episode_rows(a, e), n = (rows + 2) / 3;
            unsigned char *x = malloc((size_t)n * size + 1), *y = malloc((size_t)n * size + 1);
            assert_int_equal(rows, uw_dataset_episode_rows(b, e));
            assert_true(x && y);
            CHECK_OK(uw_dataset_rows(a, c, e, 0, n, 3, x, &err), &err);
            CHECK_OK(uw_dataset_rows(b, c, e, 0, n, 3, y, &err), &err);
            assert_memory_equal(x, y, (size_t)n * size);
            free(x);
            free(y);
        }
    }
    CHECK_OK(uw_dataset_verify(a, NULL, &err), &err);
    uw_dataset_close(a);
    uw_dataset_close(b);
    remove(tempdir_file("b.uw"));
}

static void test_reference_files(void **state) {
    (void)state;
    static const char *const files[] = {"malformed/ok.h5",    "pusht.h5",
                                        "pusht_blosc_lz4.h5", "pusht_blosc_zstd.h5",
                                        "tworoom.h5",         "tworoom_blosc_zstd.h5"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (access(vector(files[i]), R_OK))
            print_message("%s is not in the folder of vectors: skipped\n", files[i]);
        else
            same_as_converted(vector(files[i]));
    }
}

/* What a conversion refuses is refused when it is opened or, within a chunk, when it is read. */
static void test_refusals(void **state) {
    (void)state;
    static const char *const files[] = {"corrupt_blosc_chunk", "corrupt_deflate_chunk",
                                        "external_link",       "huge_length",
                                        "negative_length",     "no_ep_len",
                                        "offset_out_of_range", "overlapping_episodes",
                                        "row_count_mismatch",  "soft_link_dangling",
                                        "truncated",           "unknown_filter",
                                        "virtual_dataset",     "wrong_dtype",
                                        "zero_episodes"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char name[128];
        uw_dataset *data = NULL;
        uw_err err = {0};
        snprintf(name, sizeof name, "malformed/%s.h5", files[i]);
        uw_status s = uw_dataset_open(vector(name), &data, &err);
        if (!s) s = uw_dataset_verify(data, NULL, &err);
        if (!s || !*err.text || !*err.fix) fail_msg("%s: %d '%s'", name, (int)s, err.text);
        uw_dataset_close(data);
    }
}

#if defined(UW_HDF5)
/* ---- layouts ------------------------------------------------------------------------------ */

enum { SIDE = 40, FRAME = SIDE * SIDE * 3, EPISODES = 3, ROWS = 31 };
static const int64_t lengths[EPISODES] = {9, 1, 21};

static void frame_of(int64_t row, uint8_t *out) {
    for (int i = 0; i < FRAME; i++) out[i] = (uint8_t)(row * 7 + i / 300 + (i % 17 == row % 17));
}

typedef struct layout {
    hsize_t chunk[4]; /* 0: contiguous */
    bool filtered;
    hsize_t number_rows; /* of a chunk of actions */
} layout;

static const layout layouts[] = {
    {{0}, false, 0},
    {{1, SIDE, SIDE, 3}, false, 1},
    {{1, SIDE, SIDE, 3}, true, 1},
    {{4, SIDE, SIDE, 3}, false, 16},
    {{4, SIDE, SIDE, 3}, true, 16},
    {{3, 16, SIDE, 2}, true, 7},
    {{2, SIDE, 7, 3}, false, 31},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *shape,
                const hsize_t *chunk, bool filtered, const void *data) {
    const hid_t space = H5Screate_simple(rank, shape, NULL), plan = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk && chunk[0]) H5Pset_chunk(plan, rank, chunk);
    if (filtered) H5Pset_shuffle(plan), H5Pset_deflate(plan, 4), H5Pset_fletcher32(plan);
    const hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    assert_true(array >= 0);
    assert_true(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(array), H5Pclose(plan), H5Sclose(space);
}

static void write_layout(const char *path, const layout *l, bool latest) {
    static uint8_t frames[ROWS * FRAME];
    float actions[ROWS][2];
    int64_t offset[EPISODES] = {0};
    const hsize_t pixels[4] = {ROWS, SIDE, SIDE, 3}, action[2] = {ROWS, 2}, episodes = EPISODES;
    const hsize_t piece[2] = {l->number_rows, 2};
    for (int64_t t = 0; t < ROWS; t++) {
        frame_of(t, frames + t * FRAME);
        actions[t][0] = (float)t;
        actions[t][1] = -(float)t;
    }
    for (int e = 1; e < EPISODES; e++) offset[e] = offset[e - 1] + lengths[e - 1];
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, latest ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST,
                         H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    assert_true(file >= 0);
    put(file, "pixels", H5T_STD_U8LE, 4, pixels, l->chunk, l->filtered, frames);
    put(file, "action", H5T_IEEE_F32LE, 2, action, piece, l->filtered && piece[0], actions);
    put(file, "ep_len", H5T_STD_I64LE, 1, &episodes, NULL, false, lengths);
    put(file, "ep_offset", H5T_STD_I64LE, 1, &episodes, NULL, false, offset);
    H5Fclose(file), H5Pclose(access);
}

typedef struct crowd {
    const uw_dataset *data;
    int32_t pixels, action;
    bool right[64 * ROWS];
} crowd;

/* One row of one episode, wherever it is. */
static void read_one(void *arg, size_t i, int32_t worker) {
    crowd *c = arg;
    uint8_t frame[FRAME], want[FRAME];
    float action[2];
    int64_t row = (int64_t)(i * 17 % ROWS), episode = 0, first = 0;
    (void)worker;
    frame_of(row, want);
    while (row - first >= lengths[episode]) first += lengths[episode++];
    c->right[i] = !uw_dataset_rows(c->data, c->pixels, episode, row - first, 1, 1, frame, NULL) &&
                  !memcmp(frame, want, FRAME) &&
                  !uw_dataset_rows(c->data, c->action, episode, row - first, 1, 1, action, NULL) &&
                  action[0] == (float)row && action[1] == -(float)row;
}

static void test_layouts(void **state) {
    (void)state;
    uw_pool *pool = NULL;
    assert_int_equal(uw__pool_new(4, &pool), UW_OK);
    for (int k = 0; k < 2 * LAYOUTS; k++) {
        uw_windows *windows = NULL;
        uw_err err = {0};
        crowd c = {0};
        uw_dataset *data = NULL;
        write_layout(tempdir_file("l.h5"), &layouts[k / 2], k % 2);
        CHECK_OK(uw_dataset_open(tempdir_file("l.h5"), &data, &err), &err);
        c.data = data;
        c.pixels = uw_dataset_find(data, "pixels", NULL);
        c.action = uw_dataset_find(data, "action", NULL);
        uw__pool_run(pool, 64 * ROWS, read_one, &c);
        for (int i = 0; i < 64 * ROWS; i++)
            if (!c.right[i]) fail_msg("layout %d: row %d is wrong", k, i * 17 % ROWS);
        CHECK_OK(uw_windows_new(data, 3, 4, 0.0, false, 0, &windows, &err), &err);
        assert_int_equal(uw_windows_count(windows), 10); /* of the last episode alone */
        for (int64_t w = 9; w >= 0; w--) {
            static uint8_t frames[3 * FRAME], want[FRAME];
            float actions[3 * 4 * 2];
            CHECK_OK(uw_windows_read(windows, w, c.pixels, frames, &err), &err);
            CHECK_OK(uw_windows_read_actions(windows, w, c.action, actions, &err), &err);
            for (int64_t t = 0; t < 3; t++) {
                frame_of(10 + w + 4 * t, want);
                assert_memory_equal(frames + t * FRAME, want, FRAME);
            }
            for (int64_t t = 0; t < 12; t++) assert_true(actions[2 * t] == (float)(10 + w + t));
        }
        assert_int_equal(uw_dataset_rows(data, c.pixels, 2, 0, 22, 1, NULL, &err), UW_EINVAL);
        uw_windows_free(windows);
        uw_dataset_close(data);
    }
    uw__pool_free(pool);
    remove(tempdir_file("l.h5"));
}

/* The hash tells recordings apart and is the same at every opening. */
static void test_identity(void **state) {
    (void)state;
    char hash[3][17];
    for (int i = 0; i < 3; i++) {
        uw_dataset *data = NULL;
        uw_err err = {0};
        if (i < 2) write_layout(tempdir_file("i.h5"), &layouts[i ? 2 : 1], true);
        CHECK_OK(uw_dataset_open(tempdir_file("i.h5"), &data, &err), &err);
        snprintf(hash[i], sizeof hash[i], "%s", uw_dataset_hash(data));
        uw_dataset_close(data);
    }
    assert_string_equal(hash[1], hash[2]);
    assert_string_not_equal(hash[0], hash[1]);
    remove(tempdir_file("i.h5"));
}

/* Another program cuts the file, or writes into it. */
static void test_changed_underneath(void **state) {
    (void)state;
    static uint8_t frames[21 * FRAME];
    for (int k = 0; k < LAYOUTS; k++) {
        uw_dataset *data = NULL;
        uw_err err = {0};
        const char *path = tempdir_file("c.h5");
        write_layout(path, &layouts[k], true);
        CHECK_OK(uw_dataset_open(path, &data, &err), &err);
        const int32_t pixels = uw_dataset_find(data, "pixels", NULL);
        if (layouts[k].filtered) {
            size_t size;
            unsigned char *bytes = rec_slurp(path, &size);
            const int fd = open(path, O_WRONLY);
            for (size_t i = 4096; i < size; i += 5) bytes[i] ^= 0x5a;
            assert_int_equal(pwrite(fd, bytes, size, 0), size);
            close(fd);
            free(bytes);
            assert_int_equal(uw_dataset_rows(data, pixels, 2, 0, 21, 1, frames, &err), UW_EFORMAT);
            assert_int_equal(uw_dataset_verify(data, NULL, &err), UW_EFORMAT);
        }
        assert_int_equal(truncate(path, 3000), 0);
        assert_int_equal(uw_dataset_rows(data, pixels, 2, 0, 21, 1, frames, &err), UW_EIO);
        assert_true(*err.text && *err.fix);
        uw_dataset_close(data);
    }
    remove(tempdir_file("c.h5"));
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reference_files, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, tempdir_setup, tempdir_teardown),
#if defined(UW_HDF5)
        cmocka_unit_test_setup_teardown(test_layouts, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_identity, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_changed_underneath, tempdir_setup, tempdir_teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
