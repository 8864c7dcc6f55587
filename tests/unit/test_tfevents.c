/* TensorBoard files, read back by a second decoder written here from the protobuf wire format: the
 * checksums, the fields, what resuming drops, and what a killed writer left. */
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "fileio.h"
#include "tempdir.h"
#include "tfevents.h"

typedef struct scalar {
    double wall_time;
    int64_t step;
    float value;
    char tag[64], version[32];
} scalar;

/* CRC-32C bit by bit: not the table of the library. */
static uint32_t crc_bitwise(const unsigned char *p, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static void check_crc(const unsigned char *p, size_t n, const unsigned char *stored) {
    uint32_t want;
    memcpy(&want, stored, 4);
    const uint32_t crc = crc_bitwise(p, n);
    assert_int_equal(((crc >> 15) | (crc << 17)) + 0xa282ead8, want);
}

static uint64_t varint(const unsigned char **p) {
    uint64_t v = 0;
    int shift = 0;
    while (**p & 128) v |= (uint64_t)(*(*p)++ & 127) << shift, shift += 7;
    return v | (uint64_t) * (*p)++ << shift;
}

static void decode(const unsigned char *p, const unsigned char *end, int depth, scalar *out) {
    while (p < end) {
        const uint64_t key = varint(&p);
        if (key == (1 << 3 | 1) && depth == 0) {
            memcpy(&out->wall_time, p, 8);
            p += 8;
        } else if (key == (2 << 3 | 0) && depth == 0) {
            out->step = (int64_t)varint(&p);
        } else if (key == (2 << 3 | 5) && depth == 2) {
            memcpy(&out->value, p, 4);
            p += 4;
        } else {
            assert_int_equal(key & 7, 2);
            const uint64_t n = varint(&p);
            assert_true(n <= (uint64_t)(end - p));
            if (depth == 0 && key >> 3 == 3)
                memcpy(out->version, p, n);
            else if (depth == 2 && key >> 3 == 1)
                memcpy(out->tag, p, n);
            else if ((depth == 0 && key >> 3 == 5) || (depth == 1 && key >> 3 == 1))
                decode(p, p + n, depth + 1, out);
            else
                fail_msg("field %d at depth %d", (int)(key >> 3), depth);
            p += n;
        }
    }
}

static int read_all(const char *path, scalar *out) {
    void *data = NULL;
    size_t size = 0, at = 0;
    uw_err err = {0};
    int n = 0;
    CHECK_OK(uw__file_read(path, 1 << 24, &data, &size, &err), &err);
    const unsigned char *p = data;
    while (at < size) {
        uint64_t length;
        assert_true(size - at >= 16);
        memcpy(&length, p + at, 8);
        check_crc(p + at, 8, p + at + 8);
        assert_true(length <= size - at - 16);
        check_crc(p + at + 12, length, p + at + 12 + length);
        memset(&out[n], 0, sizeof out[n]);
        decode(p + at + 12, p + at + 12 + length, 0, &out[n++]);
        at += 16 + length;
    }
    free(data);
    return n;
}

static void test_write_and_resume(void **state) {
    (void)state;
    static scalar got[4000];
    uw_err err = {0};
    uw_tfevents *t = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s", tempdir_file("events.out.tfevents.run"));
    CHECK_OK(uw__tfevents_open(tempdir_path, "run", -1, &t, &err), &err);
    for (int i = 0; i < 3000; i++) {
        CHECK_OK(uw__tfevents_scalar(t, i % 2 ? "loss/prediction" : "rank", i, 1e9 + i / 8.0,
                                     (float)i / 3, &err),
                 &err);
    }
    uw__tfevents_close(t);
    assert_int_equal(read_all(path, got), 3001);
    assert_string_equal(got[0].version, "brain.Event:2");
    assert_true(got[0].wall_time > 1.6e9);
    for (int i = 0; i < 3000; i++) {
        const scalar *s = &got[i + 1];
        assert_int_equal(s->step, i);
        assert_string_equal(s->tag, i % 2 ? "loss/prediction" : "rank");
        assert_true(s->value == (float)i / 3 && s->wall_time == 1e9 + i / 8.0);
    }

    /* a resume at step 1000 drops what came after, and goes on */
    CHECK_OK(uw__tfevents_open(tempdir_path, "run", 1000, &t, &err), &err);
    CHECK_OK(uw__tfevents_scalar(t, "loss", INT64_MAX, 0, NAN, &err), &err);
    CHECK_OK(uw__tfevents_scalar(t, "loss", -1, 0, 0, &err), &err);
    CHECK_OK(uw__tfevents_flush(t, &err), &err);
    uw__tfevents_close(t);
    assert_int_equal(read_all(path, got), 1004);
    assert_int_equal(got[1001].step, 1000);
    assert_int_equal(got[1002].step, INT64_MAX);
    assert_true(isnan(got[1002].value));
    assert_int_equal(got[1003].step, -1);

    /* -1 keeps all; the file is the same */
    CHECK_OK(uw__tfevents_open(tempdir_path, "run", -1, &t, &err), &err);
    uw__tfevents_close(t);
    assert_int_equal(read_all(path, got), 1004);
    assert_int_equal(unlink(path), 0);
}

/* Cut at every byte: whole records stay, the rest goes, and the file continues. */
static void test_cut(void **state) {
    (void)state;
    scalar got[8];
    uw_err err = {0};
    uw_tfevents *t = NULL;
    void *data = NULL;
    size_t size = 0;
    char path[600];
    snprintf(path, sizeof path, "%s", tempdir_file("events.out.tfevents.cut"));
    CHECK_OK(uw__tfevents_open(tempdir_path, "cut", -1, &t, &err), &err);
    for (int i = 0; i < 3; i++) CHECK_OK(uw__tfevents_scalar(t, "x", i, 0, 1, &err), &err);
    uw__tfevents_close(t);
    CHECK_OK(uw__file_read(path, 1 << 20, &data, &size, &err), &err);
    const size_t version = 16 + 9 + 15, record = (size - version) / 3;
    for (size_t n = 0; n <= size; n++) {
        CHECK_OK(uw__file_write_atomic(path, data, n, true, &err), &err);
        if (n && n < version) { /* not even one record: nothing of ours to continue */
            assert_int_equal(uw__tfevents_open(tempdir_path, "cut", -1, &t, &err), UW_EFORMAT);
            assert_true(strstr(err.text, "bad_events") && err.fix[0]);
            continue;
        }
        CHECK_OK(uw__tfevents_open(tempdir_path, "cut", -1, &t, &err), &err);
        CHECK_OK(uw__tfevents_scalar(t, "y", 9, 0, 1, &err), &err);
        uw__tfevents_close(t);
        const int whole = n ? (int)((n - version) / record) : 0;
        assert_int_equal(read_all(path, got), 2 + whole);
        assert_int_equal(got[1 + whole].step, 9);
    }
    free(data);
    assert_int_equal(unlink(path), 0);
}

static void test_disk_full(void **state) {
    (void)state;
    scalar got[300];
    uw_err err = {0};
    uw_tfevents *t = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s", tempdir_file("events.out.tfevents.full"));
    CHECK_OK(uw__tfevents_open(tempdir_path, "full", -1, &t, &err), &err);
    for (int i = 0; i < 100; i++) CHECK_OK(uw__tfevents_scalar(t, "x", i, 0, 1, &err), &err);
    disk_fill(1000);
    const uw_status s = uw__tfevents_flush(t, &err);
    disk_free();
    assert_int_equal(s, UW_ENOSPC);
    assert_true(err.fix[0]);
    CHECK_OK(uw__tfevents_scalar(t, "x", 200, 0, 1, &err), &err);
    CHECK_OK(uw__tfevents_flush(t, &err), &err);
    uw__tfevents_close(t);
    const int n = read_all(path, got); /* no half record stands in the way */
    assert_int_equal(n, 2);
    assert_int_equal(got[1].step, 200);
    assert_int_equal(unlink(path), 0);
}

static void test_refusals(void **state) {
    (void)state;
    uw_err err = {0};
    uw_tfevents *t = (uw_tfevents *)1;
    char tag[1200];
    memset(tag, 'a', sizeof tag - 1);
    tag[sizeof tag - 1] = '\0';
    assert_int_equal(uw__tfevents_open(tempdir_path, "a/b", -1, &t, &err), UW_EINVAL);
    assert_null(t);
    assert_int_equal(uw__tfevents_open(tempdir_path, "", -1, &t, &err), UW_EINVAL);
    assert_int_equal(uw__tfevents_open(tempdir_path, tag, -1, &t, &err), UW_EINVAL);
    assert_int_equal(uw__tfevents_open(tempdir_file("none"), "x", -1, &t, &err), UW_ENOTFOUND);
    CHECK_OK(uw__file_write_atomic(tempdir_file("events.out.tfevents.text"),
                                   "my own notes, quite long", 24, true, &err),
             &err);
    assert_int_equal(uw__tfevents_open(tempdir_path, "text", -1, &t, &err), UW_EFORMAT);
    CHECK_OK(uw__tfevents_open(tempdir_path, "x", -1, &t, &err), &err);
    assert_int_equal(uw__tfevents_scalar(t, tag, 0, 0, 0, &err), UW_EINVAL);
    assert_int_equal(uw__tfevents_scalar(t, "", 0, 0, 0, &err), UW_EINVAL);
    tag[1000] = '\0';
    for (int i = 0; i < 100; i++) CHECK_OK(uw__tfevents_scalar(t, tag, i, 0, 0, &err), &err);
    uw__tfevents_close(t);
    uw__tfevents_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_resume),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
