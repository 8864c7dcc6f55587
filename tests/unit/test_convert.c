/* Conversion: what comes back is what went out, what other people wrote is understood, what cannot
 * be carried is refused, and an error leaves nothing behind. */
#include "recording.h"

#include <limits.h>

#include "internal.h"

static char dir[64], path[96], npz[96], csv[96], back[96];

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s", rec_folder());
    snprintf(path, sizeof path, "%s/a.uw", dir);
    snprintf(npz, sizeof npz, "%s/a.npz", dir);
    snprintf(csv, sizeof csv, "%s/a.csv", dir);
    snprintf(back, sizeof back, "%s/back.uw", dir);
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

static uw_convert_result convert_ok(const char *from, const char *to) {
    uw_convert_result r = {0};
    uw_err err = {0};
    CHECK_OK(uw_convert(NULL, from, to, UW_FORMAT_UNKNOWN, false, &r, &err), &err);
    return r;
}

static uw_status convert_fails(const char *from, const char *to, const char *words) {
    uw_err err = {0};
    const int before = rec_count_files(dir);
    const uw_status s = uw_convert(NULL, from, to, UW_FORMAT_UNKNOWN, false, NULL, &err);
    if (!s || !err.fix[0] || !strstr(err.text, words)) {
        fail_msg("status %d '%s' fix '%s', wanted '%s'", (int)s, err.text, err.fix, words);
    }
    assert_int_equal(rec_count_files(dir), before); /* nothing was left */
    return s;
}

static void spill(const char *at, const char *text) {
    rec_spill(at, text, strlen(text));
}

/* Columns of `b` are those of `a` named in common, byte by byte; returns how many. */
static int same_columns(const uw_dataset *a, const uw_dataset *b) {
    assert_int_equal(uw_dataset_episodes(a), uw_dataset_episodes(b));
    for (int32_t i = 0; i < uw_dataset_num_columns(b); i++) {
        const uw_column *c = uw_dataset_column(b, i);
        const int32_t k = uw_dataset_find(a, c->name, NULL);
        assert_true(k >= 0);
        assert_memory_equal(uw_dataset_column(a, k), c, sizeof *c); /* type, shape, unit, codec */
        for (int64_t e = 0; e < uw_dataset_episodes(a); e++) {
            const int64_t rows = uw_dataset_episode_rows(a, e);
            assert_int_equal(uw_dataset_episode_rows(b, e), rows);
            const size_t size = rec_row_bytes(c) * (size_t)rows;
            unsigned char *x = malloc(size + 1), *y = malloc(size + 1);
            uw_err err = {0};
            CHECK_OK(uw_dataset_rows(a, k, e, 0, rows, 1, x, &err), &err);
            CHECK_OK(uw_dataset_rows(b, i, e, 0, rows, 1, y, &err), &err);
            if (memcmp(x, y, size)) fail_msg("column '%s' of episode %d differs", c->name, (int)e);
            free(x);
            free(y);
        }
    }
    const uw_dataset_meta *m = uw_dataset_meta_of(a), *n = uw_dataset_meta_of(b);
    assert_string_equal(m->env, n->env);
    assert_string_equal(m->policy, n->policy);
    assert_string_equal(m->variation, n->variation);
    assert_int_equal(m->action_repeat, n->action_repeat);
    assert_true(m->row_seconds == n->row_seconds);
    assert_int_equal(m->seed, n->seed);
    return uw_dataset_num_columns(b);
}

static const int64_t rows[] = {0, 7, 300, 0, 12, 0};
enum { EPISODES = sizeof rows / sizeof rows[0] };

static void record(void) {
    uw_column columns[REC_COLUMNS];
    rec_columns(columns);
    rec_write(path, columns, REC_COLUMNS, rows, EPISODES);
}

static void test_npz_round_trip(void **state) {
    (void)state;
    record();
    uw_convert_result r = convert_ok(path, npz);
    assert_int_equal(r.episodes, EPISODES);
    assert_int_equal(r.rows, 319);
    assert_int_equal(r.from, UW_FORMAT_DATASET);
    assert_int_equal(r.to, UW_FORMAT_NPZ);
    r = convert_ok(npz, back);
    assert_int_equal(r.rows, 319);
    uw_dataset *a = open_ok(path), *b = open_ok(back);
    assert_int_equal(same_columns(a, b), REC_COLUMNS);
    assert_string_equal(uw_dataset_hash(a), uw_dataset_hash(b));
    uw_dataset_close(a);
    uw_dataset_close(b);
    assert_int_equal(rec_count_files(dir), 3);
}

static void test_csv_round_trip(void **state) {
    (void)state;
    record();
    convert_ok(path, csv);
    convert_ok(csv, back);
    uw_dataset *a = open_ok(path), *b = open_ok(back);
    assert_int_equal(same_columns(a, b), REC_COLUMNS - 2); /* without the two pictures */
    uw_dataset_close(a);
    uw_dataset_close(b);
}

static void test_dataset_copy(void **state) {
    (void)state;
    record();
    convert_ok(path, back);
    size_t n, m;
    unsigned char *a = rec_slurp(path, &n), *b = rec_slurp(back, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

/* The other way round: between foreign formats, through a dataset that does not stay. */
static void test_csv_npz_csv(void **state) {
    (void)state;
    char second[96];
    size_t n, m;
    snprintf(second, sizeof second, "%s/b.csv", dir);
    record();
    convert_ok(path, csv);
    convert_ok(csv, npz);
    convert_ok(npz, second);
    unsigned char *a = rec_slurp(csv, &n), *b = rec_slurp(second, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    assert_int_equal(rec_count_files(dir), 4);
}

/* numpy reads what we write. */
static void test_numpy_reads(void **state) {
    (void)state;
    char command[1024];
    if (system("python3 -c 'import numpy' >/dev/null 2>&1")) skip();
    record();
    convert_ok(path, npz);
    snprintf(
        command, sizeof command,
        "python3 -c \"import numpy as n; z = n.load('%s'); "
        "assert z['ep_len'].dtype == n.int32 and z['ep_len'].tolist() == [0, 7, 300, 0, 12, 0]; "
        "assert z['ep_offset'].dtype == n.int64 and z['ep_offset'].tolist() == [0, 0, 7, 307, 307, "
        "319]; "
        "assert z['pixels'].shape == (319, 6, 5, 3) and z['state'].dtype == n.float64; "
        "assert z['done'].dtype == n.bool_ and z['id'].dtype == n.int64\"",
        npz);
    assert_int_equal(system(command), 0);
}

/* ---- what others wrote
 * --------------------------------------------------------------------------- */

/* The same recording as the reference tools wrote it, in two formats. */
static void test_reference_files(void **state) {
    (void)state;
    char from[512], other[96];
    snprintf(other, sizeof other, "%s/b.uw", dir);
    snprintf(from, sizeof from, "%s/data/pusht_lowdim.npz", check_vectors());
    convert_ok(from, path);
    snprintf(from, sizeof from, "%s/data/pusht_lowdim.csv", check_vectors());
    convert_ok(from, other);
    uw_dataset *a = open_ok(path), *b = open_ok(other);
    assert_int_equal(uw_dataset_episodes(a), 20);
    assert_int_equal(uw_dataset_total_rows(a), 820);
    assert_int_equal(uw_dataset_episodes(b), 20);
    assert_int_equal(uw_dataset_num_columns(a), uw_dataset_num_columns(b));
    assert_int_equal(uw_dataset_num_columns(a), 16);
    for (int32_t i = 0; i < uw_dataset_num_columns(a); i++) {
        const uw_column *c = uw_dataset_column(a, i);
        const int32_t k = uw_dataset_find(b, c->name, NULL);
        if (k < 0) fail_msg("no column '%s' in the CSV", c->name);
        uw_column_stats x, y;
        uw_err err = {0};
        CHECK_OK(uw_dataset_stats(a, i, &x, &err), &err);
        CHECK_OK(uw_dataset_stats(b, k, &y, &err), &err);
        assert_int_equal(x.count, y.count);
        assert_int_equal(x.nan, y.nan);
        assert_true(x.min == y.min && x.max == y.max && x.mean == y.mean && x.std == y.std);
        const bool exact = c->dtype == UW_DTYPE_I64 && fmax(fabs(x.min), fabs(x.max)) <= 0x1p53;
        if (c->dtype != UW_DTYPE_I64 || exact) {
            assert_true(uw_dataset_column(b, k)->dtype != UW_DTYPE_I64); /* F64 holds it */
            continue;
        }
        assert_int_equal(uw_dataset_column(b, k)->dtype, UW_DTYPE_I64);
        for (int64_t t = 0; t < 41; t++) { /* identifiers beyond 2^53 */
            int64_t p, q;
            CHECK_OK(uw_dataset_rows(a, i, 7, t, 1, 1, &p, &err), &err);
            CHECK_OK(uw_dataset_rows(b, k, 7, t, 1, 1, &q, &err), &err);
            assert_int_equal(p, q);
        }
    }
    const int32_t action = uw_dataset_find(b, "action", NULL);
    assert_int_equal(uw_dataset_column(b, action)->shape[0], 2);
    float f32[2];
    double f64[2];
    uw_err err = {0};
    CHECK_OK(uw_dataset_rows(a, uw_dataset_find(a, "action", NULL), 3, 5, 1, 1, f32, &err), &err);
    CHECK_OK(uw_dataset_rows(b, action, 3, 5, 1, 1, f64, &err), &err);
    assert_true((double)f32[0] == f64[0] && (double)f32[1] == f64[1]);
    uw_dataset_close(a);
    uw_dataset_close(b);
}

/* A plant's log: a clock that jumps ends an episode, in either direction; a `t` that is no clock
 * cuts nothing; what is missing stays NaN. */
static void test_csv_gaps(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t episodes, first;
        double row_seconds;
    } cases[] = {
        {"time,level\n0,1\n10,2\n20,\n30,4\n90,5\n100,6\n110,7\n", 2, 4, 10.0},
        {"time,level\n0,1\n10,2\n20,3\n0,4\n10,5\n20,6\n30,7\n40,8\n50,9\n60,9\n70,9\n80,1\n", 2, 3,
         10},
        {"episode,time,level\n0,0,1\n0,10,2\n3,500,3\n3,510,4\n3,540,5\n", 3, 2, 10.0},
        {"time,level\n0,1\n9,2\n21,3\n30,4\n", 1, 4, 0.0},        /* uneven, but no gap */
        {"t,level\n20,1\n21,2\n20.5,3\n22,4\n19,5\n", 1, 5, 0.0}, /* a temperature */
        {"time,level\n5,1\n", 1, 1, 0.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spill(csv, cases[i].text);
        convert_ok(csv, path);
        uw_dataset *data = open_ok(path);
        assert_int_equal(uw_dataset_episodes(data), cases[i].episodes);
        assert_int_equal(uw_dataset_episode_rows(data, 0), cases[i].first);
        CHECK_NEAR(uw_dataset_meta_of(data)->row_seconds, cases[i].row_seconds, 1e-12);
        if (i == 0) {
            double level[4];
            uw_err err = {0};
            CHECK_OK(uw_dataset_rows(data, 1, 0, 0, 4, 1, level, &err), &err);
            assert_true(isnan(level[2]) && level[3] == 4.0);
        }
        uw_dataset_close(data);
        assert_int_equal(remove(path), 0);
    }
}

static void test_csv_by_hand(void **state) {
    (void)state;
    spill(csv, "# a note\ntime,\"speed, m/s\",x[0],x[1],on,n,v_0,v_1,w_0,gap\n"
               "0.0,1.5,1,2,true,9223372036854775807,1,2.5,7,\n"
               "0.1,-2,3,4,False,-9223372036854775808,3,4,8,1\n"
               "0.2,NaN,5,6,TRUE,+5,5,6,9,2\n");
    convert_ok(csv, path);
    uw_dataset *data = open_ok(path);
    static const struct {
        const char *name;
        uw_dtype dtype;
        int32_t dims;
    } want[] = {{"time", UW_DTYPE_F64, 0}, {"speed, m/s", UW_DTYPE_F64, 0}, {"x", UW_DTYPE_F64, 1},
                {"on", UW_DTYPE_BOOL, 0},  {"n", UW_DTYPE_I64, 0},          {"v", UW_DTYPE_F64, 1},
                {"w_0", UW_DTYPE_F64, 0},  {"gap", UW_DTYPE_F64, 0}};
    assert_int_equal(uw_dataset_num_columns(data), 8);
    assert_int_equal(uw_dataset_episodes(data), 1);
    for (int32_t i = 0; i < 8; i++) {
        const uw_column *c = uw_dataset_column(data, i);
        assert_string_equal(c->name, want[i].name);
        assert_int_equal(c->dtype, want[i].dtype);
        assert_int_equal(c->num_dims, want[i].dims);
    }
    CHECK_NEAR(uw_dataset_meta_of(data)->row_seconds, 0.1, 1e-12);
    int64_t n[3];
    double speed[3], gap[3], x[2];
    uint8_t on[3];
    uw_err err = {0};
    CHECK_OK(uw_dataset_rows(data, 4, 0, 0, 3, 1, n, &err), &err);
    CHECK_OK(uw_dataset_rows(data, 2, 0, 1, 1, 1, x, &err), &err);
    CHECK_OK(uw_dataset_rows(data, 1, 0, 0, 3, 1, speed, &err), &err);
    CHECK_OK(uw_dataset_rows(data, 7, 0, 0, 3, 1, gap, &err), &err);
    CHECK_OK(uw_dataset_rows(data, 3, 0, 0, 3, 1, on, &err), &err);
    assert_true(n[0] == INT64_MAX && n[1] == INT64_MIN && n[2] == 5);
    assert_true(x[0] == 3 && x[1] == 4);
    assert_true(speed[0] == 1.5 && speed[1] == -2.0 && isnan(speed[2]));
    assert_true(isnan(gap[0]) && gap[1] == 1.0);
    assert_true(on[0] == 1 && on[1] == 0 && on[2] == 1);
    uw_dataset_close(data);
}

/* Numbers at the edges keep every bit; so does the sign of a NaN. */
static void test_csv_edges(void **state) {
    (void)state;
    const uw_column columns[3] = {{.name = "f", .dtype = UW_DTYPE_F32},
                                  {.name = "d", .dtype = UW_DTYPE_F64, .unit = "m, \"q\""},
                                  {.name = "episode", .dtype = UW_DTYPE_I64}};
    static const uint32_t f[] = {0x7fc00000, 0xffc00000, 0x80000000, 1,         0x7f7fffff,
                                 0x7f800000, 0xff800000, 0x3dcccccd, 0x007fffff};
    static const uint64_t d[] = {
        0x7ff8000000000000, 0xfff8000000000000, 0x8000000000000000, 1,
        0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x3fb999999999999a,
        0x000fffffffffffff};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, 3, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (int i = 0; i < 9; i++) {
        const int64_t n = i % 2 ? INT64_MAX - i : INT64_MIN + i;
        CHECK_OK(uw_recorder_row(rec, (const void *const[]){&f[i], &d[i], &n}, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    convert_ok(path, csv);
    convert_ok(csv, back);
    uw_dataset *a = open_ok(path), *b = open_ok(back);
    assert_int_equal(same_columns(a, b), 3);
    uw_dataset_close(a);
    uw_dataset_close(b);
}

static void test_csv_episodes(void **state) {
    (void)state;
    spill(csv, "x,episode\n1,-3\n2,-3\n3,-1\n4,8\n5,8\n6,8\n");
    convert_ok(csv, path);
    uw_dataset *data = open_ok(path);
    assert_int_equal(uw_dataset_episodes(data), 3); /* unnumbered ones are not invented */
    assert_int_equal(uw_dataset_episode_rows(data, 0), 2);
    assert_int_equal(uw_dataset_episode_rows(data, 1), 1);
    assert_int_equal(uw_dataset_episode_rows(data, 2), 3);
    uw_dataset_close(data);
}

static void test_csv_refusals(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"episode,x\n1,1\n0,2\n", "line 3"},
        {"episode,x\n0.5,1\n", "line 2"},
        {"episode\n0\n", "no columns"},
        {"x,y\n1,red\n", "red"},
        {"x,y\n1\n", "line 2"},
        {"# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"F32\",\"shape\":[2],\"unit\":\"\"}\nepisode,x[0]\n0,1\n",
         "x[1]"},
        {"# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"F32\",\"shape\":[],\"unit\":\"\"}\nepisode,x,y\n0,1,2\n",
         "y"},
        {"# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"U8\",\"shape\":[],\"unit\":\"\"}\nepisode,x\n0,256\n",
         "256"},
        {"# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"I32\",\"shape\":[],\"unit\":\"\"}\nepisode,x\n0,1.5\n",
         "1.5"},
        {"# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"F99\",\"shape\":[],\"unit\":\"\"}\nepisode,x\n0,1\n",
         "dtype"},
        {"# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"F32\",\"shape\":[1e9],\"unit\":\"\"}\nepisode,x\n0,1\n",
         "shape"},
        {"# umwelt column {\"name\":\"x\",\n0,1\n", ""},
        {"# umwelt dataset {\"episodes\":2}\n# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"F32\",\"shape\":[]}\n"
         "episode,x\n0,1\n2,1\n",
         "episode"},
        {"# umwelt dataset {\"episodes\":99999999999}\n# umwelt column "
         "{\"name\":\"x\",\"dtype\":\"F32\",\"shape\":[]}\n"
         "episode,x\n0,1\n",
         "more episodes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        spill(csv, bad[i][0]);
        assert_int_equal(convert_fails(csv, path, bad[i][1]), UW_EFORMAT);
    }
    char wide[4096] = "c0";
    for (int i = 1; i <= UW_MAX_COLUMNS; i++) {
        snprintf(wide + strlen(wide), sizeof wide - strlen(wide), ",d%c%d", 'a' + i % 26, i);
    }
    spill(csv, wide);
    convert_fails(csv, path, "64 columns");
}

static void test_pictures_only(void **state) {
    (void)state;
    const uw_column column = {
        .name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {2, 2, 1}};
    const int64_t one = 1;
    rec_write(path, &column, 1, &one, 1);
    assert_int_equal(convert_fails(path, csv, "picture"), UW_EUNSUPPORTED);
}

/* Other people's NPZ mistakes. Built from a good archive by way of our own writer. */
static void test_npz_refusals(void **state) {
    (void)state;
    char command[1600];
    static const struct {
        const char *python, *words;
    } bad[] = {
        {"x=n.zeros((4,2))", "ep_len"},
        {"x=n.zeros((4,2)),ep_len=[3]", "4"},
        {"x=n.zeros((4,2)),ep_len=[5,-1]", "episode 1"},
        {"x=n.zeros((4,2)),ep_len=[2,2],ep_offset=[0,1]", "offset 1"},
        {"x=n.zeros((4,2)),ep_len=[2,2],ep_offset=[0]", "ep_offset"},
        {"x=n.zeros((4,2)),ep_len=[2.0,2.0]", "ep_len"},
        {"ep_len=[2,2]", "no columns"},
        {"x=n.float64(3),ep_len=[2,2]", "rank"},
        {"x=n.zeros((4,2)),ep_len=n.array([2**62,2**62,2**62],n.int64)", "episode"},
    };
    if (system("python3 -c 'import numpy' >/dev/null 2>&1")) skip();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(command, sizeof command, "python3 -c \"import numpy as n; n.savez('%s',%s)\"", npz,
                 bad[i].python);
        assert_int_equal(system(command), 0);
        assert_int_equal(convert_fails(npz, path, bad[i].words), UW_EFORMAT);
    }
}

/* ---- names, kinds, refusals
 * ---------------------------------------------------------------------- */

static void test_exists(void **state) {
    (void)state;
    record();
    spill(npz, "precious");
    assert_int_equal(convert_fails(path, npz, "exists"), UW_EEXIST);
    size_t n;
    unsigned char *bytes = rec_slurp(npz, &n);
    assert_memory_equal(bytes, "precious", 8);
    free(bytes);
    uw_err err = {0};
    CHECK_OK(uw_convert(NULL, path, npz, UW_FORMAT_UNKNOWN, true, NULL, &err), &err);
    CHECK_OK(uw_convert(NULL, npz, path, UW_FORMAT_UNKNOWN, true, NULL, &err), &err);
    uw_dataset *data = open_ok(path);
    assert_int_equal(uw_dataset_total_rows(data), 319);
    uw_dataset_close(data);
    assert_int_equal(rec_count_files(dir), 2);
}

static void test_unsupported(void **state) {
    (void)state;
    char file[96];
    static const struct {
        const char *name, *bytes;
        size_t size;
        uw_status status;
    } bad[] = {
        {"x.h5", "\x89HDF\r\n\x1a\nrest", 12, UW_EFORMAT},
        {"x.pt", "\x80\x02}q\x00.", 6, UW_EUNSUPPORTED},
        {"x.npy", "\x93NUMPY\x01\x00", 8, UW_EUNSUPPORTED},
        {"x.bin", "\x00\x01\x02", 3, UW_EFORMAT},
        {"empty", "", 0, UW_EFORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", dir, bad[i].name);
        rec_spill(file, bad[i].bytes, bad[i].size);
        assert_int_equal(convert_fails(file, path, bad[i].name), bad[i].status);
    }
    snprintf(file, sizeof file, "%s/none.csv", dir);
    uw_err err = {0};
    assert_int_equal(uw_convert(NULL, file, path, UW_FORMAT_UNKNOWN, false, NULL, &err),
                     UW_ENOTFOUND);
    record();
    snprintf(file, sizeof file, "%s/b.png", dir);
    assert_int_equal(convert_fails(path, file, ".uw, .h5, .npz or .csv"), UW_EUNSUPPORTED);
}

/* A stop requested half-way leaves nothing. */
static bool stop(void *cookie, const char *what, int64_t done, int64_t total) {
    (void)what, (void)total;
    *(int64_t *)cookie = done;
    return done < 3;
}

static void test_interrupted(void **state) {
    (void)state;
    int64_t done = 0;
    uw_context ctx = {.options = {.progress = stop, .cookie = &done}};
    record();
    const char *const targets[] = {npz, csv, back};
    for (int i = 0; i < 3; i++) {
        uw_err err = {0};
        assert_int_equal(uw_convert(&ctx, path, targets[i], UW_FORMAT_UNKNOWN, false, NULL, &err),
                         UW_EINTERRUPTED);
        assert_int_equal(done, 3);
        assert_int_equal(rec_count_files(dir), 1);
    }
}

static void test_detect(void **state) {
    (void)state;
    char file[96];
    static const struct {
        const char *name, *bytes;
        size_t size;
        uw_format want;
    } files[] = {
        {"a", "x,y\n1,2\n", 8, UW_FORMAT_CSV},
        {"b", "# c\nx;y\n", 8, UW_FORMAT_CSV},
        {"c.csv", "x\n1\n", 4, UW_FORMAT_CSV},
        {"d", "just words\n", 11, UW_FORMAT_UNKNOWN},
        {"e", "\x89PNG\r\n\x1a\n", 8, UW_FORMAT_PNG},
        {"f", "\x02\0\0\0\0\0\0\0{}", 10, UW_FORMAT_SAFETENSORS},
        {"g", "\xff\0\0\0\0\0\0\0{}", 10, UW_FORMAT_UNKNOWN},
        {"h.npz", "", 0, UW_FORMAT_NPZ},
        {"i", "\x93NUMPY\x01\x00", 8, UW_FORMAT_NPY},
        {"j", "PK\x03\x04..............\x00\x00\x00\x00\x00\x00\x00\x00\x05\0\0\0a.npyxx", 37,
         UW_FORMAT_NPZ},
        {"k", "PK\x03\x04..............\x00\x00\x00\x00\x00\x00\x00\x00\x10\0\0\0archive/data.pkl",
         46, UW_FORMAT_PT},
        {"l.npz", "\x89HDF\r\n\x1a\n", 8, UW_FORMAT_HDF5}, /* content before name */
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uw_format got;
        uw_err err = {0};
        snprintf(file, sizeof file, "%s/%s", dir, files[i].name);
        rec_spill(file, files[i].bytes, files[i].size);
        CHECK_OK(uw_format_detect(file, &got, &err), &err);
        if (got != files[i].want)
            fail_msg("%s: %s, wanted %s", files[i].name, uw_format_str(got),
                     uw_format_str(files[i].want));
    }
    uw_format got;
    uw_err err = {0};
    record();
    CHECK_OK(uw_format_detect(path, &got, &err), &err);
    assert_int_equal(got, UW_FORMAT_DATASET);
    CHECK_OK(uw_format_detect(dir, &got, &err), &err);
    assert_int_equal(got, UW_FORMAT_UNKNOWN);
    snprintf(file, sizeof file, "%s/MANIFEST", dir);
    spill(file, "{}");
    CHECK_OK(uw_format_detect(dir, &got, &err), &err);
    assert_int_equal(got, UW_FORMAT_CHECKPOINT);
    for (int f = UW_FORMAT_DATASET; f <= UW_FORMAT_NPY; f++) {
        assert_true(uw_format_parse(uw_format_str((uw_format)f), &got));
        assert_int_equal(got, f);
    }
    assert_false(uw_format_parse("csw", &got));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_npz_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dataset_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_npz_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numpy_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reference_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_edges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_episodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pictures_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npz_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsupported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_detect, setup, teardown),
    };
    return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
