/* Recordings: what is written is what is read, for every type, codec and length, in every way of
 * writing. */
#include "recording.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>

#include "internal.h"
#include "layout.h"

static char dir[64], path[96], other[96];

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s", rec_folder());
    snprintf(path, sizeof path, "%s/a.uw", dir);
    snprintf(other, sizeof other, "%s/b.uw", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    rec_remove(dir);
    return 0;
}

static uw_dataset *open_ok(const char *at) {
    uw_dataset *data = NULL;
    uw_err err = {0};
    CHECK_OK(uw_dataset_open(at, &data, &err), &err);
    return data;
}

/* Every row of every column of every episode, as the generator made it. */
static void check_all(const uw_dataset *data, const int64_t *rows, int64_t episodes) {
    assert_int_equal(uw_dataset_episodes(data), episodes);
    for (int64_t e = 0; e < episodes; e++) {
        assert_int_equal(uw_dataset_episode_rows(data, e), rows[e]);
        for (int32_t c = 0; c < uw_dataset_num_columns(data); c++) {
            for (int64_t t = 0; t < rows[e]; t++) {
                if (!rec_row_equal(data, c, e, e, t)) {
                    fail_msg("column %d episode %d row %d differs", (int)c, (int)e, (int)t);
                }
            }
        }
    }
}

static void test_round_trip(void **state) {
    (void)state;
    static const int64_t rows[] = {7, 1, 0, 30, 2};
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 5);
    uw_dataset *data = open_ok(path);
    check_all(data, rows, 5);
    assert_int_equal(uw_dataset_total_rows(data), 40);
    assert_int_equal(uw_dataset_torn_bytes(data), 0);
    assert_int_equal(uw_dataset_num_columns(data), REC_COLUMNS);
    assert_string_equal(uw_dataset_column(data, 1)->unit, "cm");
    assert_null(uw_dataset_column(data, REC_COLUMNS));
    const uw_dataset_meta *meta = uw_dataset_meta_of(data);
    assert_string_equal(meta->env, "two_room");
    assert_string_equal(meta->policy, "random");
    assert_string_equal(meta->variation, "--size 6");
    assert_int_equal(meta->action_repeat, 5);
    assert_true(meta->row_seconds == 0.5);
    assert_int_equal(meta->seed, 42);
    assert_int_equal(strlen(uw_dataset_hash(data)), 16);
    uw_err err = {0};
    CHECK_OK(uw_dataset_verify(data, NULL, &err), &err);
    uw_dataset_close(data);
}

static void test_no_episodes(void **state) {
    (void)state;
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, NULL, 0);
    uw_dataset *data = open_ok(path);
    check_all(data, NULL, 0);
    assert_int_equal(uw_dataset_verify(data, NULL, NULL), UW_OK);
    uw_dataset_close(data);
}

/* An episode longer than a chunk, and reads that cross the border with a stride. */
static void test_long_episode(void **state) {
    (void)state;
    static const int64_t rows[] = {3, 2 * UW__CHUNK_ROWS_MAX + 5, 4};
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    const uw_column *few = &columns[2]; /* action, state: rec_cell's column numbers shift with it */
    rec_write(path, few, 2, rows, 3);
    uw_dataset *data = open_ok(path);
    check_all(data, rows, 3);
    static float got[600][2];
    float want[2];
    for (int64_t stride = 1; stride < 20; stride += 6) {
        const int64_t count = 500, first = UW__CHUNK_ROWS_MAX - 250 * (stride > 7 ? 1 : stride);
        const int64_t n =
            first + (count - 1) * stride < rows[1] ? count : (rows[1] - first) / stride;
        uw_err err = {0};
        CHECK_OK(uw_dataset_rows(data, 0, 1, first, n, stride, got, &err), &err);
        for (int64_t i = 0; i < n; i++) {
            rec_cell(&few[0], 0, 1, first + i * stride, want);
            assert_memory_equal(got[i], want, sizeof want);
        }
    }
    uw_dataset_close(data);
}

/* Frames that fill a chunk by bytes: the episode spans chunks and reads as one. */
static void test_large_frames(void **state) {
    (void)state;
    const uw_column column = {
        .name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {512, 512, 3}};
    const size_t size = 512 * 512 * 3;
    unsigned char *frame = malloc(size), *got = malloc(size);
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, &column, 1, NULL, UW_OPEN_NEW, &rec, &err), &err);
    const void *cells[1] = {frame};
    for (int t = 0; t < 25; t++) {
        memset(frame, t, size);
        CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
    }
    CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_dataset *data = open_ok(path);
    assert_int_equal(uw_dataset_episodes(data), 1);
    assert_int_equal(uw_dataset_episode_rows(data, 0), 25);
    for (int t = 24; t >= 0; t -= 3) {
        CHECK_OK(uw_dataset_rows(data, 0, 0, t, 1, 1, got, &err), &err);
        memset(frame, t, size);
        assert_memory_equal(got, frame, size);
    }
    uw_dataset_close(data);
    free(frame);
    free(got);
}

#if defined(UW_JPEG)
static void test_jpeg(void **state) {
    (void)state;
    const uw_column column = {.name = "camera",
                              .dtype = UW_DTYPE_U8,
                              .num_dims = 3,
                              .shape = {48, 64, 3},
                              .codec = UW_CODEC_JPEG};
    static unsigned char frame[48 * 64 * 3], got[sizeof frame];
    for (size_t i = 0; i < sizeof frame; i++) frame[i] = (unsigned char)(i / 3 % 64 * 3 + i / 192);
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, &column, 1, NULL, UW_OPEN_NEW, &rec, &err), &err);
    const void *cells[1] = {frame};
    CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err); /* ends the open episode */
    uw_dataset *data = open_ok(path);
    assert_int_equal(uw_dataset_episodes(data), 1);
    CHECK_OK(uw_dataset_rows(data, 0, 0, 0, 1, 1, got, &err), &err);
    double worst = 0.0;
    for (size_t i = 0; i < sizeof frame; i++) {
        const double e = fabs((double)frame[i] - (double)got[i]);
        worst = e > worst ? e : worst;
    }
    CHECK_NEAR(worst, 0.0, 12.0); /* quality 95 on a smooth ramp */
    uw_dataset_close(data);
}
#endif

/* The same rows through every door give the same file, byte for byte. */
static void write_whole(const char *at, int32_t threads, int64_t rows) {
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    void *cells[REC_COLUMNS];
    for (int32_t i = 0; i < REC_COLUMNS; i++) {
        const size_t size = rec_row_bytes(&columns[i]);
        cells[i] = malloc(size * (size_t)rows);
        for (int64_t t = 0; t < rows; t++) {
            rec_cell(&columns[i], i, 0, t, (char *)cells[i] + (size_t)t * size);
        }
    }
    uw_context ctx = {0}; /* only its pool matters here */
    uw_recorder *rec = NULL;
    uw_err err = {0};
    assert_int_equal(uw__pool_new(threads, &ctx.pool), UW_OK);
    CHECK_OK(uw_recorder_open(at, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &rec, &err), &err);
    CHECK_OK(uw_recorder_episode(rec, &ctx, (const void *const *)cells, rows, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw__pool_free(ctx.pool);
    for (int32_t i = 0; i < REC_COLUMNS; i++) free(cells[i]);
}

static void test_threads_same_bytes(void **state) {
    (void)state;
    const int64_t rows = 333;
    uw_column columns[REC_COLUMNS];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    rec_columns(columns);
    CHECK_OK(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &rec, &err), &err);
    CHECK_OK(rec_episode(rec, columns, REC_COLUMNS, 0, rows, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    size_t size, n;
    unsigned char *want = rec_slurp(path, &size);
    for (int32_t threads = 1; threads <= 3; threads++) {
        write_whole(other, threads, rows);
        unsigned char *got = rec_slurp(other, &n);
        assert_int_equal(n, size);
        assert_memory_equal(got, want, size);
        free(got);
        unlink(other);
    }
    free(want);
}

/* Appending after close gives the bytes of one uninterrupted recording. */
static void test_append(void **state) {
    (void)state;
    static const int64_t rows[] = {4, 0, 9, 2};
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 4);
    rec_write(other, columns, REC_COLUMNS, rows, 2);
    for (int64_t e = 2; e < 4; e++) {
        uw_recorder *rec = NULL;
        uw_err err = {0};
        CHECK_OK(uw_recorder_open(other, columns, REC_COLUMNS, NULL, UW_OPEN_APPEND, &rec, &err),
                 &err);
        assert_int_equal(uw_recorder_episodes(rec), e);
        CHECK_OK(rec_episode(rec, columns, REC_COLUMNS, e, rows[e], &err), &err);
        assert_int_equal(uw_recorder_episodes(rec), e + 1);
        CHECK_OK(uw_recorder_close(rec, &err), &err);
    }
    size_t n, m;
    unsigned char *a = rec_slurp(path, &n), *b = rec_slurp(other, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static void test_append_other_columns(void **state) {
    (void)state;
    static const int64_t rows[] = {4};
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 1);
    size_t n, m;
    unsigned char *before = rec_slurp(path, &n);
    for (int i = 0; i < 4; i++) {
        uw_column wrong[REC_COLUMNS];
        memcpy(wrong, columns, sizeof wrong);
        if (i == 0) wrong[3].shape[1] = 3;
        if (i == 1) snprintf(wrong[2].name, sizeof wrong[2].name, "actions");
        if (i == 2) snprintf(wrong[1].unit, sizeof wrong[1].unit, "m");
        uw_recorder *rec = (void *)1;
        uw_err err = {0};
        const int32_t count = i == 3 ? REC_COLUMNS - 1 : REC_COLUMNS;
        assert_int_equal(uw_recorder_open(path, wrong, count, NULL, UW_OPEN_APPEND, &rec, &err),
                         UW_ESHAPE);
        assert_null(rec);
        assert_non_null(strstr(err.text, "append"));
        assert_true(err.fix[0]);
    }
    unsigned char *after = rec_slurp(path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

/* A name that exists is not touched; overwriting replaces it only when the new file is whole. */
static void test_exists(void **state) {
    (void)state;
    static const int64_t rows[] = {4}, more[] = {5, 6};
    uw_column columns[REC_COLUMNS];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 1);
    assert_int_equal(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &rec, &err),
                     UW_EEXIST);
    assert_null(rec);
    assert_true(err.fix[0]);
    CHECK_OK(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_OVERWRITE, &rec, &err),
             &err);
    CHECK_OK(rec_episode(rec, columns, REC_COLUMNS, 0, more[0], &err), &err);
    uw_dataset *data = open_ok(path);
    check_all(data, rows, 1); /* still the old one */
    CHECK_OK(rec_episode(rec, columns, REC_COLUMNS, 1, more[1], &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    check_all(data, rows, 1); /* and for who has it open, for ever */
    uw_dataset_close(data);
    data = open_ok(path);
    check_all(data, more, 2);
    uw_dataset_close(data);
    assert_int_equal(rec_count_files(dir), 1);
}

static void test_two_recorders(void **state) {
    (void)state;
    uw_column columns[REC_COLUMNS];
    uw_recorder *a = NULL, *b = NULL;
    uw_err err = {0};
    rec_columns(columns);
    CHECK_OK(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &a, &err), &err);
    assert_int_equal(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_APPEND, &b, &err),
                     UW_EEXIST);
    assert_non_null(strstr(err.text, "another recorder"));
    CHECK_OK(uw_recorder_close(a, &err), &err);
    CHECK_OK(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_APPEND, &b, &err), &err);
    CHECK_OK(uw_recorder_close(b, &err), &err);
}

/* Bad columns and facts are refused before a file exists. */
static void test_bad_arguments(void **state) {
    (void)state;
    for (int i = 0; i < 12; i++) {
        uw_column c[REC_COLUMNS];
        uw_dataset_meta meta = {.action_repeat = 1};
        int32_t count = REC_COLUMNS;
        rec_columns(c);
        switch (i) {
        case 0:
            c[0].name[0] = '\0';
            break;
        case 1:
            memset(c[0].name, 'x', sizeof c[0].name);
            break;
        case 2:
            c[2].dtype = UW_DTYPE_F16;
            break;
        case 3:
            c[2].num_dims = 5;
            break;
        case 4:
            c[2].shape[0] = 0;
            break;
        case 5:
            c[2].shape[0] = INT64_MAX;
            break;
        case 6:
            c[2].codec = UW_CODEC_ZSTD;
            break;
        case 7:
            memcpy(c[1].name, c[2].name, sizeof c[1].name);
            break;
        case 8:
            count = 0;
            break;
        case 9:
            count = UW_MAX_COLUMNS + 1;
            break;
        case 10:
            meta.action_repeat = 0;
            break;
        default:
            c[1].codec = UW_CODEC_JPEG;
            break; /* one channel */
        }
        uw_column many[UW_MAX_COLUMNS + 1] = {0};
        memcpy(many, c, sizeof c);
        uw_recorder *rec = (void *)1;
        uw_err err = {0};
        assert_int_equal(uw_recorder_open(path, many, count, &meta, UW_OPEN_NEW, &rec, &err),
                         UW_EINVAL);
        assert_null(rec);
        assert_true(err.text[0]);
        assert_int_equal(rec_count_files(dir), 0);
    }
}

static void test_bad_reads(void **state) {
    (void)state;
    static const int64_t rows[] = {4, 0};
    static const int64_t bad[][4] = {/* episode, first, count, stride */
                                     {-1, 0, 1, 1},        {2, 0, 1, 1},        {0, -1, 1, 1},
                                     {0, 4, 1, 1},         {0, 0, 5, 1},        {0, 0, 3, 2},
                                     {0, 0, 1, 0},         {0, 0, -1, 1},       {1, 0, 1, 1},
                                     {0, 1, INT64_MAX, 1}, {0, 1, 2, INT64_MAX}};
    uw_column columns[REC_COLUMNS];
    unsigned char out[REC_CELL_MAX];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 2);
    uw_dataset *data = open_ok(path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uw_err err = {0};
        const uw_status s =
            uw_dataset_rows(data, 0, bad[i][0], bad[i][1], bad[i][2], bad[i][3], out, &err);
        if (s != UW_EINVAL || !err.text[0]) fail_msg("bad read %zu: %d '%s'", i, (int)s, err.text);
    }
    uw_err err = {0};
    assert_int_equal(uw_dataset_rows(data, REC_COLUMNS, 0, 0, 1, 1, out, &err), UW_EINVAL);
    assert_int_equal(uw_dataset_rows(data, 0, 1, 0, 0, 1, out, &err),
                     UW_OK); /* nothing of nothing */
    const char *near = NULL;
    assert_int_equal(uw_dataset_find(data, "actoin", &near), -1);
    assert_string_equal(near, "action");
    assert_int_equal(uw_dataset_find(data, "action", NULL), 2);
    assert_int_equal(uw_dataset_find(data, "zzzzzzzz", &near), -1);
    assert_null(near);
    uw_dataset_close(data);
    assert_int_equal(uw_dataset_open(dir, &data, &err), UW_EFORMAT);
    assert_null(data);
    assert_int_equal(uw_dataset_open("/nowhere/at/all.uw", &data, &err), UW_ENOTFOUND);
    uw_dataset_close(NULL);
    assert_int_equal(uw_recorder_close(NULL, NULL), UW_OK);
}

/* The file is cut while it is open: an error, not a signal. */
static void test_shrinks_while_open(void **state) {
    (void)state;
    static const int64_t rows[] = {40, 40};
    uw_column columns[REC_COLUMNS];
    unsigned char out[REC_CELL_MAX];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 2);
    uw_dataset *data = open_ok(path);
    assert_true(rec_row_equal(data, 0, 0, 0, 3));
    assert_int_equal(truncate(path, 300), 0);
    for (int32_t c = 0; c < REC_COLUMNS; c++) {
        for (int64_t e = 0; e < 2; e++) {
            uw_err err = {0};
            assert_int_equal(uw_dataset_rows(data, c, e, 5, 1, 1, out, &err), UW_EIO);
            assert_non_null(strstr(err.text, "shrank"));
        }
    }
    assert_int_equal(uw_dataset_verify(data, NULL, NULL), UW_EIO);
    uw_dataset_close(data);
}

/* A full disk: UW_ENOSPC, earlier episodes intact, and recording goes on once there is room. */
static void test_disk_full(void **state) {
    (void)state;
    int64_t rows[64];
    for (int i = 0; i < 64; i++) rows[i] = 20;
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    rec_write(other, columns, REC_COLUMNS, rows, 64);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 2000; limit < 60000; limit += 5003) {
        uw_recorder *rec = NULL;
        uw_err err = {0};
        int64_t e = 0;
        uw_status s = UW_OK;
        small = (struct rlimit){limit, old.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        CHECK_OK(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &rec, &err), &err);
        while (!(s = rec_episode(rec, columns, REC_COLUMNS, e, rows[e], &err))) e++;
        assert_int_equal(s, UW_ENOSPC);
        assert_true(err.fix[0]);
        assert_int_equal(uw_recorder_end_episode(rec, &err), UW_ENOSPC); /* can be repeated */
        uw_dataset *data = open_ok(path);
        check_all(data, rows, e);
        assert_int_equal(uw_dataset_torn_bytes(data), 0);
        uw_dataset_close(data);
        setrlimit(RLIMIT_FSIZE, &old);
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
        CHECK_OK(uw_recorder_close(rec, &err), &err);
        data = open_ok(path);
        check_all(data, rows, e + 1);
        uw_dataset_close(data);
        unlink(path);
    }
    /* Overwriting on a full disk leaves the old file as it was. */
    uw_recorder *rec = NULL;
    uw_err err = {0};
    small = (struct rlimit){5000, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    CHECK_OK(uw_recorder_open(other, columns, REC_COLUMNS, NULL, UW_OPEN_OVERWRITE, &rec, &err),
             &err);
    while (!rec_episode(rec, columns, REC_COLUMNS, 0, 20, &err)) {
    }
    assert_int_equal(uw_recorder_close(rec, &err), UW_ENOSPC);
    setrlimit(RLIMIT_FSIZE, &old);
    uw_dataset *data = open_ok(other);
    check_all(data, rows, 64);
    uw_dataset_close(data);
}

static void test_read_only_folder(void **state) {
    (void)state;
    uw_column columns[REC_COLUMNS];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    rec_columns(columns);
    assert_int_equal(uw_recorder_open("/proc/none.uw", columns, REC_COLUMNS, NULL, UW_OPEN_NEW,
                                      &rec, &err) != UW_OK,
                     1);
    assert_null(rec);
    assert_true(err.text[0] && err.fix[0]);
}

/* Many readers at once on chunks that nobody touched before. */
typedef struct readers {
    const uw_dataset *data;
    int wrong[64];
} readers;

static void read_task(void *arg, size_t index, int32_t worker) {
    readers *r = arg;
    (void)worker;
    for (int64_t k = 0; k < 40; k++) {
        const int64_t e = (k + (int64_t)index / 4) % 8;
        for (int32_t c = 0; c < REC_COLUMNS; c++)
            r->wrong[index] += !rec_row_equal(r->data, c, e, e, k % 20);
    }
}

static void test_concurrent_readers(void **state) {
    (void)state;
    static const int64_t rows[8] = {20, 20, 20, 20, 20, 20, 20, 20};
    uw_column columns[REC_COLUMNS];
    uw_pool *pool = NULL;
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, 8);
    assert_int_equal(uw__pool_new(4, &pool), UW_OK);
    for (int pass = 0; pass < 5; pass++) {
        uw_dataset *data = open_ok(path);
        readers r = {.data = data};
        uw__pool_run(pool, 64, read_task, &r);
        for (int i = 0; i < 64; i++) assert_int_equal(r.wrong[i], 0);
        uw_context ctx = {.pool = pool};
        assert_int_equal(uw_dataset_verify(data, &ctx, NULL), UW_OK);
        uw_dataset_close(data);
    }
    uw__pool_free(pool);
}

/* Files that another program wrote from the specification alone: we read what it says. */
static void check_specification(const char *name, uw_recorder *rec) {
    static const int64_t lengths[] = {3, 0, 2};
    uw_err err = {0};
    char spec[512];
    snprintf(spec, sizeof spec, "%s/dataset/%s", check_vectors(), name);
    uw_dataset *data = open_ok(spec);
    assert_int_equal(uw_dataset_episodes(data), 3);
    assert_int_equal(uw_dataset_torn_bytes(data), 0);
    CHECK_OK(uw_dataset_verify(data, NULL, &err), &err);
    for (int64_t e = 0; e < 3; e++) {
        assert_int_equal(uw_dataset_episode_rows(data, e), lengths[e]);
        for (int64_t t = 0; t < lengths[e]; t++) {
            uint8_t pixels[18], camera[18];
            float action[2];
            int64_t id;
            void *const cells[4] = {pixels, camera, action, &id};
            for (int32_t c = 0; c < 4; c++) {
                CHECK_OK(uw_dataset_rows(data, c, e, t, 1, 1, cells[c], &err), &err);
            }
            for (int i = 0; i < 18; i++) assert_int_equal(pixels[i], (16 * e + 4 * t + i) % 256);
            assert_memory_equal(pixels, camera, sizeof pixels);
            const bool last = t + 1 == lengths[e];
            assert_true(last ? isnan(action[0]) && isnan(action[1])
                             : action[0] == (float)e + (float)t / 4 && action[1] == (float)-t);
            assert_int_equal(id, ((int64_t)1 << 53) + 1 + e);
            if (rec) CHECK_OK(uw_recorder_row(rec, (const void *const *)cells, &err), &err);
        }
        if (rec) CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    uw_dataset_close(data);
}

/* And of the same rows we write the same bytes. */
static void test_specification(void **state) {
    (void)state;
    const uw_column columns[4] = {
        {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {2, 3, 3}},
        {.name = "camera", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {2, 3, 3}},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}, .unit = "m/s"},
        {.name = "id", .dtype = UW_DTYPE_I64}};
    const uw_dataset_meta meta = {.env = "two_room",
                                  .policy = "random",
                                  .variation = "--size 3",
                                  .action_repeat = 5,
                                  .row_seconds = 0.25,
                                  .seed = 7};
    char spec[512];
    size_t n, m;
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, 4, &meta, UW_OPEN_NEW, &rec, &err), &err);
    check_specification("raw.uw", rec);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    snprintf(spec, sizeof spec, "%s/dataset/raw.uw", check_vectors());
    unsigned char *ours = rec_slurp(path, &n), *theirs = rec_slurp(spec, &m);
    assert_int_equal(n, m);
    assert_memory_equal(ours, theirs, n);
    free(ours);
    free(theirs);
#if defined(UW_ZSTD)
    check_specification("split.uw", NULL);
#endif
}

static void test_statistics(void **state) {
    (void)state;
    static const double values[] = {1, 2, NAN, 4, INFINITY, -3};
    const uw_column columns[2] = {
        {.name = "x", .dtype = UW_DTYPE_F64},
        {.name = "v", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}}};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, 2, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (int t = 0; t < 6; t++) {
        const float v[2] = {(float)t, t == 3 ? NAN : 7.0f};
        const void *cells[2] = {&values[t], v};
        CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
        if (t == 2) CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_dataset *data = open_ok(path);
    uw_column_stats stats;
    CHECK_OK(uw_dataset_stats(data, 0, &stats, &err), &err);
    assert_int_equal(stats.count, 6);
    assert_int_equal(stats.nan, 2);
    assert_true(stats.min == -3 && stats.max == 4);
    CHECK_NEAR(stats.mean, 1.0, 1e-15); /* (1 + 2 + 4 - 3) / 4 */
    CHECK_NEAR(stats.std, sqrt((0 + 1 + 9 + 16) / 4.0), 1e-15);
    float mean[2], std[2];
    CHECK_OK(uw_dataset_normaliser(data, 1, mean, std, &err), &err); /* without row 3 */
    CHECK_NEAR(mean[0], 12.0 / 5.0, 1e-6);
    CHECK_NEAR(std[0], sqrt((5.76 + 1.96 + 0.16 + 2.56 + 6.76) / 5.0), 1e-6);
    CHECK_NEAR(mean[1], 7.0, 0.0);
    CHECK_NEAR(std[1], 1e-8, 1e-15); /* the floor */
    uw_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_episodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_episode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_frames, setup, teardown),
#if defined(UW_JPEG)
        cmocka_unit_test_setup_teardown(test_jpeg, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(test_threads_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_other_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_recorders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shrinks_while_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_concurrent_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_specification, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statistics, setup, teardown),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
