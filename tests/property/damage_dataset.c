/* Recordings under damage: cut at every byte, one bit flipped in every byte, the recorder killed at
 * random moments, memory refused.  What was completed is never lost, what is wrong is never
 * returned as right. */
#include "recording.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "layout.h"

enum { EPISODES = 4 };
static const int64_t lengths[EPISODES] = {3, 1, 0, 4};
static char dir[64], path[96], other[96];
static uw_column columns[REC_COLUMNS];
static size_t ends[EPISODES]; /* bytes of the file after each episode */

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s", rec_folder());
    snprintf(path, sizeof path, "%s/a.uw", dir);
    snprintf(other, sizeof other, "%s/b.uw", dir);
    rec_columns(columns);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    rec_remove(dir);
    return 0;
}

/* Record EPISODES episodes, noting where each ends. */
static unsigned char *record(size_t *size) {
    uw_recorder *rec = NULL;
    uw_err err = {0};
    struct stat st;
    CHECK_OK(uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (int64_t e = 0; e < EPISODES; e++) {
        CHECK_OK(rec_episode(rec, columns, REC_COLUMNS, e, lengths[e], &err), &err);
        assert_int_equal(stat(path, &st), 0);
        ends[e] = (size_t)st.st_size;
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    return rec_slurp(path, size);
}

static void check_episode(const uw_dataset *data, int64_t episode) {
    assert_int_equal(uw_dataset_episode_rows(data, episode), lengths[episode]);
    for (int32_t c = 0; c < REC_COLUMNS; c++) {
        for (int64_t t = 0; t < lengths[episode]; t++) {
            assert_true(rec_row_equal(data, c, episode, episode, t));
        }
    }
}

/* ---- cut ---------------------------------------------------------------------------------- */

static void test_cut_everywhere(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = record(&size);
    const size_t head = UW__HEADER_FIXED; /* the length stands within these */
    int64_t last = -1;
    for (size_t cut = 0; cut <= size; cut++) {
        int64_t whole = 0;
        while (whole < EPISODES && ends[whole] <= cut) whole++;
        rec_spill(other, bytes, cut);
        uw_dataset *data = NULL;
        uw_err err = {0};
        const uw_status s = uw_dataset_open(other, &data, &err);
        if (s) {
            /* Only a torn header is refused, and in clear words. */
            assert_int_equal(s, UW_EFORMAT);
            assert_null(data);
            assert_true(cut < head + REC_COLUMNS * UW__COLUMN_BYTES + 64);
            assert_true(err.text[0] && err.fix[0]);
            assert_int_equal(last, -1);
            continue;
        }
        assert_int_equal(uw_dataset_episodes(data), whole);
        assert_true(whole >= last);
        last = whole;
        /* Contents once per outcome; the table of episodes at every byte. */
        if (cut == size || !whole || cut == ends[whole - 1] || cut % 97 == 0) {
            for (int64_t e = 0; e < whole; e++) check_episode(data, e);
            assert_int_equal(uw_dataset_verify(data, NULL, NULL), UW_OK);
        }
        if (whole) {
            const size_t torn = cut == size ? 0 : cut - ends[whole - 1];
            assert_int_equal(uw_dataset_torn_bytes(data), torn);
        }
        uw_dataset_close(data);
    }
    assert_int_equal(last, EPISODES);
    free(bytes);
}

/* Recording goes on after a cut at any byte, and the file ends as if nothing had happened. */
static void test_append_after_cut(void **state) {
    (void)state;
    size_t size, n;
    unsigned char *bytes = record(&size);
    for (size_t cut = 0; cut <= size; cut += cut % 64 == 63 || cut % 64 == 0 ? 1 : 31) {
        uw_recorder *rec = NULL;
        uw_err err = {0};
        rec_spill(other, bytes, cut);
        const uw_status s =
            uw_recorder_open(other, columns, REC_COLUMNS, NULL, UW_OPEN_APPEND, &rec, &err);
        if (s) {
            assert_int_equal(s, UW_EFORMAT);
            assert_true(cut < ends[0]);
            unsigned char *left = rec_slurp(other, &n); /* refused files are left alone */
            assert_int_equal(n, cut);
            free(left);
            continue;
        }
        for (int64_t e = uw_recorder_episodes(rec); e < EPISODES; e++) {
            CHECK_OK(rec_episode(rec, columns, REC_COLUMNS, e, lengths[e], &err), &err);
        }
        CHECK_OK(uw_recorder_close(rec, &err), &err);
        unsigned char *got = rec_slurp(other, &n);
        assert_int_equal(n, size);
        assert_memory_equal(got, bytes, size);
        free(got);
    }
    free(bytes);
}

/* ---- flipped bits ------------------------------------------------------------------------- */

/* True when every row of episode `e` reads as episode `as`; rows that do not read are refused. */
static bool episode_is(const uw_dataset *data, int64_t e, int64_t as, bool *unreadable) {
    if (uw_dataset_episode_rows(data, e) != lengths[as]) return false;
    for (int32_t c = 0; c < REC_COLUMNS; c++) {
        for (int64_t t = 0; t < lengths[as]; t++) {
            unsigned char got[REC_CELL_MAX];
            uw_err err = {0};
            const uw_status s = uw_dataset_rows(data, c, e, t, 1, 1, got, &err);
            if (s) {
                assert_int_equal(s, UW_EFORMAT);
                assert_true(err.text[0] && err.fix[0]);
                *unreadable = true;
            } else if (!rec_row_equal(data, c, e, as, t)) {
                return false;
            }
        }
    }
    return true;
}

/* Flip bits of every byte of a closed file, or of one that was never closed (no index). */
static void flip_everywhere(bool closed) {
    size_t size;
    unsigned char *bytes = record(&size);
    if (!closed) size = ends[EPISODES - 1];
    for (size_t i = 0; i < size; i++) {
        const unsigned char flip = (unsigned char)(i % 3 ? 1u << (i % 8) : 0xffu);
        uw_dataset *data = NULL;
        uw_err err = {0};
        bytes[i] ^= flip;
        rec_spill(other, bytes, size);
        bytes[i] ^= flip;
        const uw_status s = uw_dataset_open(other, &data, &err);
        if (s) {
            assert_true(s == UW_EFORMAT || s == UW_EUNSUPPORTED);
            assert_true(i < ends[0] && err.text[0] && err.fix[0]);
            continue;
        }
        const bool verified = uw_dataset_verify(data, NULL, &err) == UW_OK;
        const bool torn = uw_dataset_torn_bytes(data) > 0;
        if (verified && !torn) fail_msg("byte %zu ^ %#x of %zu went unnoticed", i, flip, size);
        /* All episodes are there but one at most, and each reads as itself or says that it is
         * damaged. */
        bool unreadable = false;
        const int64_t found = uw_dataset_episodes(data);
        int64_t as = 0;
        assert_true(found >= EPISODES - (closed ? 0 : 1) && found <= EPISODES);
        for (int64_t e = 0; e < found; e++, as++) {
            while (as < EPISODES && !episode_is(data, e, as, &unreadable)) as++;
            if (as >= EPISODES) fail_msg("byte %zu: episode %d reads as none", i, (int)e);
        }
        if (unreadable) assert_false(verified);
        uw_dataset_close(data);
    }
    free(bytes);
}

static void test_flip_closed(void **state) {
    (void)state;
    flip_everywhere(true);
}

static void test_flip_unclosed(void **state) {
    (void)state;
    flip_everywhere(false);
}

/* ---- kill --------------------------------------------------------------------------------- */

enum { KILLS = 25, MANY = 60 };

static int64_t rows_of(int64_t episode) {
    return 5 + episode * 7 % 40;
}

/* Record episodes until MANY are there; in a child, until it is killed. */
static uw_status record_many(const char *at, uw_err *err) {
    uw_recorder *rec = NULL;
    uw_status s = uw_recorder_open(at, columns, REC_COLUMNS, NULL, UW_OPEN_APPEND, &rec, err);
    if (s) return s;
    for (int64_t e = uw_recorder_episodes(rec); !s && e < MANY; e++) {
        s = rec_episode(rec, columns, REC_COLUMNS, e, rows_of(e), err);
    }
    const uw_status closed = uw_recorder_close(rec, s ? NULL : err);
    return s ? s : closed;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void test_kill(void **state) {
    (void)state;
    const uint64_t seed = check_seed(1);
    size_t size, n;
    uw_err err = {0};
    const double start = now();
    CHECK_OK(record_many(path, &err), &err);
    const double whole = now() - start; /* how long one recording takes here */
    unsigned char *want = rec_slurp(path, &size);
    for (uint64_t k = 0; k < KILLS; k++) {
        const double wait = whole * (double)(rec_mix(seed * 1000 + k) % 1000) / 900.0;
        unlink(other);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) _exit(record_many(other, NULL) ? 1 : 0);
        usleep((useconds_t)(wait * 1e6));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        if (!access(other, F_OK)) {
            uw_dataset *data = NULL;
            CHECK_OK(uw_dataset_open(other, &data, &err), &err);
            for (int64_t e = 0; e < uw_dataset_episodes(data); e++) {
                assert_int_equal(uw_dataset_episode_rows(data, e), rows_of(e));
            }
            CHECK_OK(uw_dataset_verify(data, NULL, &err), &err);
            uw_dataset_close(data);
        }
        CHECK_OK(record_many(other, &err), &err);
        unsigned char *got = rec_slurp(other, &n);
        if (n != size || memcmp(got, want, size)) {
            fail_msg("killed after %.6f s: other bytes; replay: UW_SEED=%llu", wait,
                     (unsigned long long)seed);
        }
        free(got);
    }
    free(want);
}

/* A recorder that dies in a long episode leaves its whole chunks: a shorter episode, which stays.
 */
static void test_kill_in_long_episode(void **state) {
    (void)state;
    const uw_column *few = &columns[2]; /* action, state */
    const int64_t rows = 2 * UW__CHUNK_ROWS_MAX + 9;
    const pid_t child = fork();
    if (!child) {
        uw_recorder *rec = NULL;
        uw_status s = uw_recorder_open(path, few, 2, NULL, UW_OPEN_NEW, &rec, NULL);
        for (int64_t t = 0; !s && t < rows; t++) {
            unsigned char a[REC_CELL_MAX], b[REC_CELL_MAX];
            rec_cell(&few[0], 0, 0, t, a);
            rec_cell(&few[1], 1, 0, t, b);
            s = uw_recorder_row(rec, (const void *const[]){a, b}, NULL);
        }
        _exit(s ? 1 : 0); /* neither ended nor closed */
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int pass = 0; pass < 2; pass++) {
        uw_dataset *data = NULL;
        uw_recorder *rec = NULL;
        uw_err err = {0};
        CHECK_OK(uw_dataset_open(path, &data, &err), &err);
        assert_int_equal(uw_dataset_episodes(data), 1 + pass);
        assert_int_equal(uw_dataset_episode_rows(data, 0), 2 * UW__CHUNK_ROWS_MAX);
        for (int64_t t = 0; t < 2 * UW__CHUNK_ROWS_MAX; t += 511) {
            assert_true(rec_row_equal(data, 0, 0, 0, t) && rec_row_equal(data, 1, 0, 0, t));
        }
        if (pass) assert_true(rec_row_equal(data, 1, 1, 1, 4));
        uw_dataset_close(data);
        if (pass) break;
        CHECK_OK(uw_recorder_open(path, few, 2, NULL, UW_OPEN_APPEND, &rec, &err), &err);
        assert_int_equal(uw_recorder_episodes(rec), 1);
        CHECK_OK(rec_episode(rec, few, 2, 1, 5, &err), &err);
        CHECK_OK(uw_recorder_close(rec, &err), &err);
    }
}

/* ---- refused memory ----------------------------------------------------------------------- */

static long calls, fail_at = -1; /* fail_at = n: the n-th allocation is refused */
static size_t largest;           /* request so far */

static bool refused(size_t size) {
    if (size > largest) largest = size;
    return calls++ == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size) {
    return refused(size) ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return refused(n * size) ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size) {
    return refused(size) ? NULL : __real_realloc(p, size);
}
char *__wrap_strdup(const char *text) {
    return refused(0) ? NULL : __real_strdup(text);
}
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    return refused(0) ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, offset);
}

/* Every allocation of opening and of a first read refused in turn: UW_ENOMEM, nothing leaked. */
static void test_no_memory_to_read(void **state) {
    (void)state;
    size_t size;
    free(record(&size));
    for (int closed = 1; closed >= 0; closed--) {
        if (!closed) assert_int_equal(truncate(path, (off_t)ends[EPISODES - 1]), 0);
        for (long n = 0;; n++) {
            uw_dataset *data = NULL;
            uw_windows *windows = NULL;
            uw_err err = {0};
            unsigned char out[REC_CELL_MAX];
            calls = 0;
            fail_at = n;
            uw_status s = uw_dataset_open(path, &data, &err);
            if (s) assert_null(data);
            if (!s) s = uw_dataset_rows(data, 0, 0, 0, 1, 1, out, &err);
            if (!s) s = uw_windows_new(data, 1, 1, 0.0, false, 0, &windows, &err);
            fail_at = -1;
            uw_windows_free(windows);
            uw_dataset_close(data);
            if (!s) {
                assert_true(n > 8); /* the loop did refuse something */
                break;
            }
            assert_int_equal(s, UW_ENOMEM);
            assert_true(err.text[0]);
        }
    }
}

/* The same for recording: after a refusal the file still holds what was completed. */
static void test_no_memory_to_record(void **state) {
    (void)state;
    for (long n = 0;; n++) {
        uw_recorder *rec = NULL;
        uw_dataset *data = NULL;
        uw_err err = {0};
        int64_t done = 0;
        unlink(path);
        calls = 0;
        fail_at = n;
        uw_status s = uw_recorder_open(path, columns, REC_COLUMNS, NULL, UW_OPEN_NEW, &rec, &err);
        if (s) assert_null(rec);
        while (!s && done < EPISODES) {
            s = rec_episode(rec, columns, REC_COLUMNS, done, lengths[done], &err);
            done += !s;
        }
        const uw_status closed = uw_recorder_close(rec, s ? NULL : &err);
        s = s ? s : closed;
        fail_at = -1;
        if (!access(path, F_OK)) {
            CHECK_OK(uw_dataset_open(path, &data, &err), &err);
            assert_true(uw_dataset_episodes(data) >= done);
            for (int64_t e = 0; e < done; e++) check_episode(data, e);
            uw_dataset_close(data);
        } else {
            assert_int_equal(done, 0);
        }
        assert_true(rec_count_files(dir) <= 1);
        if (!s) {
            assert_true(n > 20);
            break;
        }
        assert_int_equal(s, UW_ENOMEM);
        assert_true(err.text[0]);
    }
}

/* A steady reader allocates nothing. */
static void test_no_allocation_per_read(void **state) {
    (void)state;
    size_t size;
    uw_dataset *data = NULL;
    uw_err err = {0};
    unsigned char out[REC_CELL_MAX];
    free(record(&size));
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    assert_true(rec_row_equal(data, 0, 0, 0, 0)); /* makes the decoder */
    calls = 0;
    for (int32_t c = 0; c < REC_COLUMNS; c++) {
        for (int64_t e = 0; e < EPISODES; e++) {
            if (lengths[e]) CHECK_OK(uw_dataset_rows(data, c, e, 0, 1, 1, out, &err), &err);
        }
    }
    assert_int_equal(calls, 0);
    uw_dataset_close(data);
}

/* Converting a recording of 47 MB never asks for a piece of more than 24 MB. */
static void test_conversion_streams(void **state) {
    (void)state;
    const uw_column camera[2] = {
        {.name = "camera", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {512, 512, 3}},
        {.name = "x", .dtype = UW_DTYPE_F64}};
    static unsigned char frame[512 * 512 * 3];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, camera, 2, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (int t = 0; t < 60; t++) {
        const double x = t;
        memset(frame, t, sizeof frame);
        CHECK_OK(uw_recorder_row(rec, (const void *const[]){frame, &x}, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    static const char *const names[] = {"b.uw", "b.npz", "b.csv"};
    for (int i = 0; i < 3; i++) {
        snprintf(other, sizeof other, "%s/%s", dir, names[i]);
        largest = 0;
        CHECK_OK(uw_convert(NULL, path, other, UW_FORMAT_UNKNOWN, false, NULL, &err), &err);
        assert_in_range(largest, 1, 24 << 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_after_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flip_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flip_unclosed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_in_long_episode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_to_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_to_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_allocation_per_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conversion_streams, setup, teardown),
    };
    return cmocka_run_group_tests_name("damage_dataset", tests, NULL, NULL);
}
