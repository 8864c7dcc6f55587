/* The folder layout: pictures pass through as they are stored, numbers are equal byte by byte, and
 * what is missing or damaged is named. */
#include "recording.h"

#include "columns.h"
#include "internal.h"
#include "tempdir.h"

#if defined(UW_JPEG)
static const uw_column kinds[] = {
    {.name = "pixels",
     .dtype = UW_DTYPE_U8,
     .num_dims = 3,
     .shape = {6, 5, 3},
     .codec = UW_CODEC_JPEG},
    {.name = "view", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {8, 9, 3}},
    {.name = "force", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
    {.name = "state", .dtype = UW_DTYPE_F64, .num_dims = 2, .shape = {2, 2}},
    {.name = "done", .dtype = UW_DTYPE_BOOL},
    {.name = "id", .dtype = UW_DTYPE_I64},
    {.name = "count", .dtype = UW_DTYPE_I32, .num_dims = 1, .shape = {3}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], EPISODES = 5 };
static const int64_t rows[EPISODES] = {0, 7, 30, 0, 12};

static void convert_ok(const char *from, const char *to, uw_format format) {
    uw_err err = {0};
    CHECK_OK(uw_convert(NULL, from, to, format, true, NULL, &err), &err);
}

/* Fill a path in its own buffer: many are needed at once. */
#define PATH(name, leaf)                                                                           \
    char name[1024];                                                                               \
    snprintf(name, sizeof name, "%s/%s", tempdir_path, leaf)

static void same_file(const char *folder_a, const char *folder_b, const char *leaf) {
    char a[1200], b[1200];
    size_t n, m;
    snprintf(a, sizeof a, "%s/%s", folder_a, leaf);
    snprintf(b, sizeof b, "%s/%s", folder_b, leaf);
    unsigned char *x = rec_slurp(a, &n), *y = rec_slurp(b, &m);
    if (n != m || memcmp(x, y, n)) fail_msg("%s differs", leaf);
    free(x);
    free(y);
}

/* Entries of the folder of pictures. */
static int same_pictures(const char *a, const char *b, const char *column) {
    char path[1200], leaf[400];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", a, column);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        snprintf(leaf, sizeof leaf, "%s/%s", column, e->d_name);
        same_file(a, b, leaf);
        count++;
    }
    closedir(dir);
    return count;
}

static void test_round_trip(void **state) {
    (void)state;
    PATH(a, "a.uw");
    PATH(folder, "folder");
    PATH(b, "b.uw");
    PATH(again, "again/"); /* a slash at the end changes nothing */
    PATH(npz, "c.npz");
    rec_write(a, kinds, KINDS, rows, EPISODES);
    convert_ok(a, folder, UW_FORMAT_FOLDER);
    convert_ok(folder, b, UW_FORMAT_UNKNOWN);
    convert_ok(b, again, UW_FORMAT_FOLDER);
    assert_int_equal(columns_equal(folder, b), KINDS);
    assert_int_equal(columns_equal(folder, again), KINDS);
    assert_int_equal(same_pictures(folder, again, "pixels"), 49);
    assert_int_equal(same_pictures(folder, again, "view"), 49);
    static const char *const numbers[] = {"force", "state",  "done",     "id",
                                          "count", "ep_len", "ep_offset"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char leaf[64];
        snprintf(leaf, sizeof leaf, "%s.npz", numbers[i]);
        same_file(folder, again, leaf);
    }
    /* Stored frames of the first recording went out as they were: `pixels` lost nothing on the way.
     */
    uw__source *x = columns_open(a), *y = columns_open(b);
    unsigned char p[90], q[90];
    uw_err err = {0};
    const int32_t at = uw__source_find(x, "pixels"), to = uw__source_find(y, "pixels");
    for (int64_t t = 0; t < rows[2]; t++) {
        CHECK_OK(x->rows(x, at, 2, t, 1, p, &err), &err);
        CHECK_OK(y->rows(y, to, 2, t, 1, q, &err), &err);
        assert_memory_equal(p, q, sizeof p);
    }
    uw__source_close(x);
    uw__source_close(y);
    convert_ok(folder, npz, UW_FORMAT_UNKNOWN); /* through a dataset that does not stay */
    columns_equal(folder, npz);
    assert_int_equal(tempdir_count(), 5);
}

/* Copying a recording of JPEG frames does not code them again. */
static void test_copy_keeps_jpeg(void **state) {
    (void)state;
    PATH(a, "a.uw");
    PATH(b, "b.uw");
    size_t n, m;
    rec_write(a, kinds, KINDS, rows, EPISODES);
    convert_ok(a, b, UW_FORMAT_UNKNOWN);
    unsigned char *x = rec_slurp(a, &n), *y = rec_slurp(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

static void test_reference_folder(void **state) {
    (void)state;
    char from[512];
    snprintf(from, sizeof from, "%s/data/pusht_folder", check_vectors());
    if (access(from, R_OK)) {
        print_message("pusht_folder is not in the folder of vectors: skipped\n");
        skip();
    }
    PATH(a, "a.uw");
    PATH(back, "back");
    convert_ok(from, a, UW_FORMAT_UNKNOWN);
    convert_ok(a, back, UW_FORMAT_FOLDER);
    assert_true(columns_equal(from, a) >= 10);
    columns_equal(from, back);
    assert_true(same_pictures(from, back, "pixels") >= 5);
}

static void refused(const char *folder, const char *to, const char *words) {
    uw_err err = {0};
    const uw_status s = uw_convert(NULL, folder, to, UW_FORMAT_UNKNOWN, true, NULL, &err);
    if (!s || !*err.fix || !strstr(err.text, words))
        fail_msg("status %d '%s' fix '%s', wanted '%s'", (int)s, err.text, err.fix, words);
    assert_int_not_equal(access(to, F_OK), 0);
}

static void test_refusals(void **state) {
    (void)state;
    PATH(a, "a.uw");
    PATH(folder, "folder");
    PATH(to, "to.uw");
    PATH(picture, "folder/pixels/ep_2_step_3.jpeg");
    PATH(first, "folder/pixels/ep_1_step_0.jpeg");
    PATH(lengths, "folder/ep_len.npz");
    PATH(offsets, "folder/ep_offset.npz");
    PATH(column, "folder/id.npz");
    size_t n;
    rec_write(a, kinds, KINDS, rows, EPISODES);
    convert_ok(a, folder, UW_FORMAT_FOLDER);
    unsigned char *good = rec_slurp(picture, &n);
    rec_spill(picture, good, n / 2);
    refused(folder, to, "ep_2_step_3");
    remove(picture);
    refused(folder, to, "ep_2_step_3");
    PATH(other, "folder/view/ep_1_step_0.jpeg");
    unsigned char *large = rec_slurp(other, &n);
    rec_spill(picture, large, n); /* of another size */
    refused(folder, to, "wanted 5 x 6, got 9 x 8");
    convert_ok(a, folder, UW_FORMAT_FOLDER);
    remove(first);
    refused(folder, to, "ep_1_step_0");
    convert_ok(a, folder, UW_FORMAT_FOLDER);
    rec_spill(column, "PK", 2);
    refused(folder, to, "id.npz");
    convert_ok(a, folder, UW_FORMAT_FOLDER);
    remove(offsets);
    refused(folder, to, "ep_offset");
    remove(lengths); /* then it is no dataset at all */
    refused(folder, to, "wanted a dataset");
    free(good);
    free(large);
}

static int calls_left;

static bool stop_soon(void *arg, const char *what, int64_t done, int64_t total) {
    (void)arg, (void)what, (void)done, (void)total;
    return --calls_left > 0;
}

static void test_resume(void **state) {
    (void)state;
    PATH(a, "a.uw");
    PATH(folder, "folder");
    PATH(partial, "folder.partial");
    struct uw_context ctx = {.options = {.progress = stop_soon}};
    uw_err err = {0};
    rec_write(a, kinds, KINDS, rows, EPISODES);
    calls_left = 3;
    assert_int_equal(
        uw_convert_resumable(&ctx, a, folder, UW_FORMAT_FOLDER, false, false, NULL, &err),
        UW_EINTERRUPTED);
    assert_int_equal(access(partial, F_OK), 0);
    assert_int_not_equal(access(folder, F_OK), 0);
    CHECK_OK(uw_convert_resumable(NULL, a, folder, UW_FORMAT_FOLDER, false, true, NULL, &err),
             &err);
    assert_int_not_equal(access(partial, F_OK), 0);
    PATH(whole, "whole");
    convert_ok(a, whole, UW_FORMAT_FOLDER);
    columns_equal(whole, folder);
    calls_left = 3;
    assert_int_equal(uw_convert(&ctx, a, folder, UW_FORMAT_FOLDER, true, NULL, &err),
                     UW_EINTERRUPTED);
    columns_equal(whole, folder); /* what was there is untouched, and nothing is left beside it */
    assert_int_equal(tempdir_count(), 3);
}
#endif

int main(void) {
#if defined(UW_JPEG)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_copy_keeps_jpeg, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_reference_folder, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_resume, tempdir_setup, tempdir_teardown),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
#else
    return UW_SKIP; /* the layout is made of JPEG pictures */
#endif
}
