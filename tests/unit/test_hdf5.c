/* HDF5: what the reference wrote reads and comes back byte by byte, what is malformed is refused
 * with its reason, and nothing that a flipped byte says is believed. */
#include "recording.h"

#include <sys/wait.h>
#include <time.h>

#include "columns.h"
#include "internal.h"
#include "tempdir.h"

static uw_status convert(const char *from, const char *to, uw_err *err) {
    return uw_convert(NULL, from, to, UW_FORMAT_UNKNOWN, true, NULL, err);
}

static const char *vector(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/data/%s", check_vectors(), name);
    return path;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* a loaded machine is no hang */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *slurp_text(const char *path) {
    size_t n;
    char *text = (char *)rec_slurp(path, &n);
    text[n] = '\0';
    return text;
}

/* ---- malformed ---------------------------------------------------------------------------- */

static void test_refusals(void **state) {
    (void)state;
    char *text = slurp_text(vector("malformed/manifest.json"));
    char *at = strstr(text, "\"refuse\"");
    int count = 0;
    assert_non_null(at);
    at = strchr(at, '{');
    for (char *name; at && (name = strstr(at, "\"")); count++) { /* "NAME": "REASON" */
        char *name_end = strchr(name + 1, '"'), *reason = strchr(name_end + 1, '"') + 1;
        char *reason_end = strchr(reason, '"'), file[128];
        *name_end = *reason_end = '\0';
        snprintf(file, sizeof file, "malformed/%s", name + 1);
        uw_err err = {0};
        const double start = seconds();
        const uw_status s = convert(vector(file), tempdir_file("refused.uw"), &err);
#if !defined(UW_BLOSC)
        if (s == UW_EUNSUPPORTED && strstr(reason, "Blosc chunk")) reason = "reads no Blosc chunks";
        const bool refused = s == UW_EFORMAT || s == UW_ESHAPE || s == UW_EUNSUPPORTED;
#else
        const bool refused = s == UW_EFORMAT || s == UW_ESHAPE;
#endif
        if (!refused || !strstr(err.text, reason) || !*err.fix)
            fail_msg("%s: status %d '%s', wanted '%s'", name + 1, (int)s, err.text, reason);
        if (seconds() - start > 1.0) fail_msg("%s took %.1f s", name + 1, seconds() - start);
        assert_int_equal(tempdir_count(), 0);
        at = strchr(reason_end + 1, ',');
    }
    assert_true(count >= 18);
    free(text);
    uw_err err = {0};
    CHECK_OK(convert(vector("malformed/ok.h5"), tempdir_file("ok.uw"), &err), &err);
    assert_int_equal(columns_equal(vector("malformed/ok.h5"), tempdir_file("ok.uw")), 5);
    remove(tempdir_file("ok.uw"));
}

/* ---- round trips -------------------------------------------------------------------------- */

static void round_trip(const char *file) {
    uw_err err = {0};
    char from[512];
    snprintf(from, sizeof from, "%s", vector(file));
    if (access(from, R_OK)) {
        print_message("%s is not in the folder of vectors: skipped\n", file);
        return;
    }
    uw_status s = convert(from, tempdir_file("a.uw"), &err);
#if !defined(UW_BLOSC)
    if (s == UW_EUNSUPPORTED && strstr(err.text, "Blosc")) return;
#endif
    CHECK_OK(s, &err);
    assert_true(columns_equal(from, tempdir_file("a.uw")) >= 4);
    s = convert(tempdir_file("a.uw"), tempdir_file("b.h5"), &err);
#if defined(UW_HDF5)
    CHECK_OK(s, &err);
    columns_equal(from, tempdir_file("b.h5"));
    remove(tempdir_file("b.h5"));
#else
    assert_int_equal(s, UW_EUNSUPPORTED);
#endif
    remove(tempdir_file("a.uw"));
}

static void test_reference_files(void **state) {
    (void)state;
    static const char *const files[] = {"malformed/ok.h5",    "pusht.h5",
                                        "pusht_blosc_lz4.h5", "pusht_blosc_zstd.h5",
                                        "tworoom.h5",         "tworoom_blosc_zstd.h5"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) round_trip(files[i]);
}

#if defined(UW_HDF5)
static const uw_column kinds[] = {
    {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {6, 5, 3}},
    {.name = "depth", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {3, 2, 1}, .unit = "cm"},
    {.name = "force", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}, .unit = "N"},
    {.name = "state", .dtype = UW_DTYPE_F64, .num_dims = 2, .shape = {2, 2}},
    {.name = "done", .dtype = UW_DTYPE_BOOL},
    {.name = "id", .dtype = UW_DTYPE_I64},
    {.name = "count", .dtype = UW_DTYPE_I32, .num_dims = 1, .shape = {3}},
    {.name = "light", .dtype = UW_DTYPE_U8, .num_dims = 1, .shape = {2}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], EPISODES = 7 };
static const int64_t rows[EPISODES] = {0, 7, 1500, 0, 12, 1, 0};

/* Every type and codec, empty episodes, NaN with a payload; facts and units come back too. */
static void test_every_type(void **state) {
    (void)state;
    uw_err err = {0};
    uw_dataset *a = NULL, *b = NULL;
    rec_write(tempdir_file("a.uw"), kinds, KINDS, rows, EPISODES);
    CHECK_OK(convert(tempdir_file("a.uw"), tempdir_file("b.h5"), &err), &err);
    CHECK_OK(convert(tempdir_file("b.h5"), tempdir_file("c.uw"), &err), &err);
    CHECK_OK(convert(tempdir_file("c.uw"), tempdir_file("d.h5"), &err), &err);
    assert_int_equal(columns_equal(tempdir_file("a.uw"), tempdir_file("b.h5")), KINDS);
    assert_int_equal(columns_equal(tempdir_file("a.uw"), tempdir_file("c.uw")), KINDS);
    assert_int_equal(columns_equal(tempdir_file("b.h5"), tempdir_file("d.h5")), KINDS);
    CHECK_OK(uw_dataset_open(tempdir_file("a.uw"), &a, &err), &err);
    CHECK_OK(uw_dataset_open(tempdir_file("c.uw"), &b, &err), &err);
    assert_string_equal(uw_dataset_meta_of(b)->variation, uw_dataset_meta_of(a)->variation);
    assert_int_equal(uw_dataset_meta_of(b)->action_repeat, 5);
    const int32_t force = uw_dataset_find(b, "force", NULL);
    assert_string_equal(uw_dataset_column(b, force)->unit, "N");
    uw_dataset_close(a);
    uw_dataset_close(b);
}

static void test_nan_payload(void **state) {
    (void)state;
    const uw_column column = {.name = "x", .dtype = UW_DTYPE_F64};
    const uint64_t odd[3] = {0x7ff8dead0000beef, 0xfff0000000000001, 0x8000000000000000};
    uint64_t back[3];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(tempdir_file("n.uw"), &column, 1, NULL, UW_OPEN_NEW, &rec, &err),
             &err);
    CHECK_OK(uw_recorder_episode(rec, NULL, (const void *const[]){odd}, 3, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    CHECK_OK(convert(tempdir_file("n.uw"), tempdir_file("n.h5"), &err), &err);
    uw__source *source = columns_open(tempdir_file("n.h5"));
    CHECK_OK(source->rows(source, 0, 0, 0, 3, back, &err), &err);
    assert_memory_equal(odd, back, sizeof odd);
    uw__source_close(source);
}

/* ---- stopping and going on ---------------------------------------------------------------- */

static int calls_left;

static bool stop_soon(void *arg, const char *what, int64_t done, int64_t total) {
    (void)arg, (void)what, (void)done, (void)total;
    return --calls_left > 0;
}

static void resumes(const char *from, const char *whole, const char *to, uw_format format) {
    uw_err err = {0};
    struct uw_context ctx = {.options = {.progress = stop_soon}};
    uw_convert_result r = {0};
    char partial[1100], target[1024];
    snprintf(target, sizeof target, "%s", to);
    snprintf(partial, sizeof partial, "%s.partial", to);
    int stops = 0;
    for (uw_status s = UW_EINTERRUPTED; s == UW_EINTERRUPTED; stops += s == UW_EINTERRUPTED) {
        calls_left = 2; /* one more episode, then stop after the next */
        s = uw_convert_resumable(&ctx, from, target, format, false, stops > 0, &r, &err);
        if (s && s != UW_EINTERRUPTED) fail_msg("%s", err.text);
        assert_int_equal(access(s ? partial : target, F_OK), 0);
        assert_int_not_equal(access(s ? target : partial, F_OK), 0);
        assert_true(stops < 20);
    }
    assert_true(stops >= 2);
    assert_int_equal(r.episodes, EPISODES);
    columns_equal(whole, target);
}

static void test_resume(void **state) {
    (void)state;
    uw_err err = {0};
    size_t n, m;
    char from[1024], h5[1024];
    snprintf(from, sizeof from, "%s", tempdir_file("from.uw"));
    snprintf(h5, sizeof h5, "%s", tempdir_file("from.h5"));
    rec_write(from, kinds, KINDS, rows, EPISODES);
    CHECK_OK(convert(from, h5, &err), &err);
    resumes(from, from, tempdir_file("r.h5"), UW_FORMAT_HDF5);
    resumes(h5, from, tempdir_file("r.uw"), UW_FORMAT_DATASET);
    /* The bytes of a recording do not tell that it was interrupted. */
    CHECK_OK(convert(h5, tempdir_file("once.uw"), &err), &err);
    unsigned char *a = rec_slurp(tempdir_file("once.uw"), &n),
                  *b = rec_slurp(tempdir_file("r.uw"), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

/* A conversion killed within an episode of several chunks begins that episode again. */
static void test_resume_within_episode(void **state) {
    (void)state;
    enum { LONG = 9000, HAVE = 5000 };
    const int64_t lengths[3] = {5, LONG, 4};
    const uw_column column = {.name = "x", .dtype = UW_DTYPE_F64};
    char from[1024], to[1024], partial[1100];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    size_t n, m;
    int status = 0;
    snprintf(from, sizeof from, "%s", tempdir_file("from.uw"));
    snprintf(to, sizeof to, "%s", tempdir_file("to.uw"));
    snprintf(partial, sizeof partial, "%s.partial", to);
    rec_write(from, &column, 1, lengths, 3);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) { /* what a killed conversion leaves: whole chunks of an episode without its end */
        uw__source *source = columns_open(from);
        double x;
        const void *cell = &x;
        bool ok = !uw_recorder_open(partial, &column, 1, &source->meta, UW_OPEN_NEW, &rec, &err);
        for (int64_t e = 0; e < 2; e++) {
            for (int64_t t = 0; t < (e ? HAVE : lengths[0]) && ok; t++) {
                ok = !source->rows(source, 0, e, t, 1, &x, &err) &&
                     !uw_recorder_row(rec, &cell, &err);
            }
            if (!e) ok = ok && !uw_recorder_end_episode(rec, &err);
        }
        _exit(!ok);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    CHECK_OK(uw_convert_resumable(NULL, from, to, UW_FORMAT_DATASET, false, true, NULL, &err),
             &err);
    CHECK_OK(uw_convert(NULL, from, tempdir_file("once.uw"), UW_FORMAT_DATASET, false, NULL, &err),
             &err);
    unsigned char *a = rec_slurp(to, &n), *b = rec_slurp(tempdir_file("once.uw"), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

/* A rest of something else is not continued into a mixture. */
static void test_resume_other(void **state) {
    (void)state;
    uw_err err = {0};
    const int64_t other[EPISODES] = {3, 3, 3, 3, 3, 3, 3};
    struct uw_context ctx = {.options = {.progress = stop_soon}};
    char from[1024], to[1024];
    snprintf(from, sizeof from, "%s", tempdir_file("x.uw"));
    snprintf(to, sizeof to, "%s", tempdir_file("y.uw"));
    rec_write(from, kinds, KINDS, rows, EPISODES);
    calls_left = 3;
    assert_int_equal(
        uw_convert_resumable(&ctx, from, to, UW_FORMAT_DATASET, false, false, NULL, &err),
        UW_EINTERRUPTED);
    remove(from);
    rec_write(from, kinds, KINDS, other, EPISODES);
    assert_int_equal(
        uw_convert_resumable(NULL, from, to, UW_FORMAT_DATASET, false, true, NULL, &err),
        UW_ESHAPE);
    assert_non_null(strstr(err.text, "not the first ones"));
    CHECK_OK(uw_convert_resumable(NULL, from, to, UW_FORMAT_DATASET, false, false, NULL, &err),
             &err);
    columns_equal(from, to);
}
#endif

/* ---- normalisers -------------------------------------------------------------------------- */

static void test_normaliser(void **state) {
    (void)state;
    float mean[4][7], std[4][7];
    uw_err err = {0};
    uw_dataset *data = NULL;
    char file[512];
    snprintf(file, sizeof file, "%s", vector("malformed/ok.h5"));
    CHECK_OK(convert(file, tempdir_file("f.uw"), &err), &err);
    CHECK_OK(convert(file, tempdir_file("f.npz"), &err), &err);
    CHECK_OK(convert(file, tempdir_file("f.csv"), &err), &err);
    const char *const from[4] = {file, tempdir_file("f.uw"), tempdir_file("f.npz"),
                                 tempdir_file("f.csv")};
    CHECK_OK(uw_dataset_open(tempdir_file("f.uw"), &data, &err), &err);
    static const char *const names[] = {"action", "state"};
    static const int32_t dims[] = {2, 7};
    for (int c = 0; c < 2; c++) {
        float want_mean[7], want_std[7];
        CHECK_OK(uw_dataset_normaliser(data, uw_dataset_find(data, names[c], NULL), want_mean,
                                       want_std, &err),
                 &err);
        for (int i = 0; i < 4; i++) {
            CHECK_OK(
                uw_dataset_file_normaliser(NULL, from[i], names[c], dims[c], mean[i], std[i], &err),
                &err);
            assert_memory_equal(mean[i], want_mean, (size_t)dims[c] * sizeof(float));
            assert_memory_equal(std[i], want_std, (size_t)dims[c] * sizeof(float));
        }
    }
    assert_int_equal(uw_dataset_file_normaliser(NULL, file, "actoin", 2, mean[0], std[0], &err),
                     UW_ENOTFOUND);
    assert_non_null(strstr(err.fix, "action"));
    assert_int_equal(uw_dataset_file_normaliser(NULL, file, "action", 10, mean[0], std[0], &err),
                     UW_ESHAPE);
    assert_int_equal(uw_dataset_file_normaliser(NULL, file, "step_idx", 1, mean[0], std[0], &err),
                     UW_ESHAPE);
    uw_dataset_close(data);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* Flip bytes everywhere, cut anywhere: an answer at once, never a crash. */
static void mutate(const char *name, uint64_t seed, int tries) {
    size_t n;
    unsigned char *good = rec_slurp(vector(name), &n), *bad = malloc(n);
    char path[1024];
    snprintf(path, sizeof path, "%s", tempdir_file("bad.h5"));
    assert_non_null(bad);
    int refused = 0;
    for (int i = 0; i < tries; i++) {
        const uint64_t r = rec_mix(seed + (uint64_t)i);
        memcpy(bad, good, n);
        size_t size = n;
        /* Structures lie in the first kilobytes; the rest is mostly numbers. */
        for (uint64_t k = 0; k <= r % 3; k++)
            bad[rec_mix(r + k) % (k % 2      ? n
                                  : n < 8192 ? n
                                             : 8192)] ^= (unsigned char)(1 + (r >> 32) % 255);
        if (r % 16 == 0) size = (size_t)(rec_mix(r) % n);
        rec_spill(path, bad, size);
        uw_err err = {0};
        uw_format format;
        uw__source *source = NULL;
        const double start = seconds();
        uw_status s = uw_format_detect(path, &format, &err);
        if (!s) s = uw__source_open(NULL, path, UW_FORMAT_HDF5, &source, &err);
        for (int32_t c = 0; !s && c < source->num_columns; c++) {
            unsigned char *row = malloc(source->row_bytes[c]);
            for (int64_t e = 0; !s && e < source->num_episodes; e++)
                for (int64_t t = 0; !s && t < source->episode_rows[e]; t++)
                    s = source->rows(source, c, e, t, 1, row, &err);
            free(row);
        }
        uw__source_close(source);
        if (s && !*err.text)
            fail_msg("seed %d: status %d without a word", (int)(seed + (uint64_t)i), (int)s);
        if (s && s != UW_EFORMAT && s != UW_ESHAPE && s != UW_EUNSUPPORTED)
            fail_msg("seed %d: status %d '%s'", (int)(seed + (uint64_t)i), (int)s, err.text);
        if (seconds() - start > 2.0)
            fail_msg("seed %d: took %.1f s", (int)(seed + (uint64_t)i), seconds() - start);
        refused += s != UW_OK;
    }
    assert_true(refused > tries / 10);
    free(good);
    free(bad);
}

static void test_mutations(void **state) {
    (void)state;
    const uint64_t seed = check_seed(1);
    mutate("malformed/ok.h5", seed, 3000);
    mutate("malformed/unknown_filter.h5", seed, 300);
    mutate("malformed/corrupt_deflate_chunk.h5", seed, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_reference_files, tempdir_setup, tempdir_teardown),
#if defined(UW_HDF5)
        cmocka_unit_test_setup_teardown(test_every_type, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_nan_payload, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_resume, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_resume_within_episode, tempdir_setup,
                                        tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_resume_other, tempdir_setup, tempdir_teardown),
#endif
        cmocka_unit_test_setup_teardown(test_normaliser, tempdir_setup, tempdir_teardown),
        cmocka_unit_test_setup_teardown(test_mutations, tempdir_setup, tempdir_teardown),
    };
    return cmocka_run_group_tests_name("hdf5", tests, NULL, NULL);
}
