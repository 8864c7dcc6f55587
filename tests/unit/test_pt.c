/* PyTorch weight files: recorded good and hostile ones, pickles built by hand, cuts at every byte,
 * and what we write ourselves. */
#include <unistd.h>

#include "check.h"
#include "fileio.h"
#include "pt.h"
#include "safetensors.h"
#include "tempdir.h"
#include "zip.h"

static void check_refused(uw_status got, uw_status want, const uw_err *err, const char *reason) {
    if (got != want || !strstr(err->text, reason)) {
        fail_msg("wanted %d with %s, got %d: %s", want, reason, got, err->text);
    }
    if (!err->fix[0]) fail_msg("no advice with \"%s\"", err->text);
}

/* ---- recorded files ---- */

/* Every hostile file of the recorded manifest is refused for the reason that the manifest gives,
 * and none of them leaves the file that it tries to make. */
static void test_recorded_hostile(void **state) {
    char path[600];
    void *manifest = NULL;
    size_t size;
    int seen = 0;
    uw_err err = {0};
    (void)state;
    snprintf(path, sizeof path, "%s/golden/checkpoints/manifest.json", check_vectors());
    CHECK_OK(uw__file_read(path, 1 << 20, &manifest, &size, &err), &err);
    for (const char *at = manifest; (at = strstr(at, "\"hostile_pt/")); seen++) {
        char file[100], reason[60];
        assert_int_equal(sscanf(at, "\"%99[^\"]\"", file), 1);
        at = strstr(at, "\"reason\":");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "\"reason\": \"%59[^\"]\"", reason), 1);
        snprintf(path, sizeof path, "%s/golden/checkpoints/%s", check_vectors(), file);
        uw_pt *pt = (uw_pt *)1;
        memset(&err, 0, sizeof err);
        check_refused(uw__pt_open(path, 0, &pt, &err), UW_EFORMAT, &err, reason);
        assert_null(pt);
    }
    free(manifest);
    assert_true(seen >= 16);
    assert_int_not_equal(access("PWNED", F_OK), 0);
    assert_int_not_equal(access("../../PWNED", F_OK), 0);
}

/* The recorded 4.x files hold the recorded weights, to the bit; skipped where the folder lacks
 * them. */
static void test_recorded_good(void **state) {
    static const char *const names[] = {"plain_4x.pt", "legacy.pt", "views.pt", "lightning.pt"};
    uw_safetensors *want = NULL;
    uw_err err = {0};
    char path[600];
    int seen = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/golden/lewm_tiny/weights.safetensors", check_vectors());
    CHECK_OK(uw__safetensors_open(path, 0, &want, &err), &err);
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        uw_pt *pt = NULL;
        snprintf(path, sizeof path, "%s/golden/checkpoints/good/%s", check_vectors(), names[f]);
        if (!uw__file_exists(path)) {
            print_message("skipped: %s is not in the vectors\n", names[f]);
            continue;
        }
        CHECK_OK(uw__pt_open(path, 0, &pt, &err), &err);
        int32_t equal = 0;
        for (int32_t i = 0; i < uw__pt_count(pt); i++) {
            const uw_tensor got = uw__pt_tensor(pt, i);
            const bool prefixed = !strncmp(got.name, "model.", 6);
            const int32_t at = uw__safetensors_find(want, got.name + (prefixed ? 6 : 0));
            if (at < 0) continue;
            const uw_tensor w = uw__safetensors_tensor(want, at);
            assert_int_equal(got.dtype, w.dtype);
            assert_int_equal(got.num_dims, w.num_dims);
            assert_memory_equal(got.shape, w.shape, sizeof *w.shape * (size_t)w.num_dims);
            assert_int_equal((uintptr_t)got.data % 64, 0);
            assert_memory_equal(got.data, w.data,
                                (size_t)uw_tensor_count(&w) * uw_dtype_bytes(w.dtype));
            equal++;
        }
        assert_int_equal(equal, uw__safetensors_count(want));
        uw__pt_close(pt);
        seen++;
    }
    uw__safetensors_close(want);
    if (!seen) skip();
}

/* ---- pickles by hand ---- */

typedef struct bytes {
    char at[4096];
    size_t n;
} bytes;

static void put(bytes *b, const void *raw, size_t n) {
    assert_true(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, raw, n);
    b->n += n;
}

static void put_text(bytes *b, const char *word) {
    const uint32_t n = (uint32_t)strlen(word);
    put(b, "X", 1), put(b, &n, 4), put(b, word, n);
}

static void put_int(bytes *b, int32_t v) {
    put(b, "J", 1), put(b, &v, 4);
}

/* A tensor [a, b] of a FloatStorage "0" of `numel` numbers. */
static void put_tensor(bytes *b, int32_t numel, int32_t offset, int32_t rows, int32_t columns,
                       int32_t row_stride, int32_t column_stride) {
    put(b, "ctorch._utils\n_rebuild_tensor_v2\n((", 35);
    put_text(b, "storage");
    put(b, "ctorch\nFloatStorage\n", 20);
    put_text(b, "0"), put_text(b, "cpu"), put_int(b, numel);
    put(b, "tQ", 2), put_int(b, offset);
    put(b, "(", 1), put_int(b, rows), put_int(b, columns), put(b, "t", 1);
    put(b, "(", 1), put_int(b, row_stride), put_int(b, column_stride), put(b, "t", 1);
    put(b,
        "\x89"
        "ccollections\nOrderedDict\n)RtR",
        30);
}

static const float six[6] = {0, 1, 2, 3, 4, 5};

/* An archive of this pickle and one storage "0" of six numbers. */
static const char *archive(const bytes *pickle, const void *storage, const char *order) {
    const char *path = tempdir_file("case.pt");
    uw_zip_writer *w = NULL;
    uw_err err = {0};
    CHECK_OK(uw__zip_writer_open(path, true, &w, &err), &err);
    CHECK_OK(uw__zip_writer_begin(w, "a/data.pkl", pickle->n, 64, &err), &err);
    CHECK_OK(uw__zip_writer_data(w, pickle->at, pickle->n, &err), &err);
    if (order) {
        CHECK_OK(uw__zip_writer_begin(w, "a/byteorder", strlen(order), 64, &err), &err);
        CHECK_OK(uw__zip_writer_data(w, order, strlen(order), &err), &err);
    }
    CHECK_OK(uw__zip_writer_begin(w, "a/data/0", sizeof six, 64, &err), &err);
    CHECK_OK(uw__zip_writer_data(w, storage, sizeof six, &err), &err);
    CHECK_OK(uw__zip_writer_close(w, &err), &err);
    return path;
}

static void check_numbers(const char *path, const float *want, size_t n) {
    uw_pt *pt = NULL;
    uw_err err = {0};
    CHECK_OK(uw__pt_open(path, 0, &pt, &err), &err);
    assert_int_equal(uw__pt_count(pt), 1);
    const uw_tensor t = uw__pt_tensor(pt, 0);
    assert_string_equal(t.name, "w");
    assert_int_equal(uw_tensor_count(&t), n);
    assert_memory_equal(t.data, want, n * sizeof *want);
    uw__pt_close(pt);
}

static void begin_dict(bytes *b) {
    *b = (bytes){0};
    put(b, "\x80\x02}", 3);
    put_text(b, "w");
}

/* Transposed, strided, expanded, empty; big-endian numbers; a dict below state_dict. */
static void test_views(void **state) {
    bytes b;
    unsigned char big[24];
    (void)state;
    begin_dict(&b), put_tensor(&b, 6, 0, 2, 3, 3, 1), put(&b, "s.", 2);
    check_numbers(archive(&b, six, NULL), six, 6);
    begin_dict(&b), put_tensor(&b, 6, 0, 3, 2, 1, 3), put(&b, "s.", 2);
    check_numbers(archive(&b, six, "little"), (const float[]){0, 3, 1, 4, 2, 5}, 6);
    begin_dict(&b), put_tensor(&b, 6, 1, 3, 1, 2, 7), put(&b, "s.", 2);
    check_numbers(archive(&b, six, NULL), (const float[]){1, 3, 5}, 3);
    begin_dict(&b), put_tensor(&b, 6, 5, 2, 2, 0, 0), put(&b, "s.", 2);
    check_numbers(archive(&b, six, NULL), (const float[]){5, 5, 5, 5}, 4);
    begin_dict(&b), put_tensor(&b, 6, 6, 0, 3, 3, 1), put(&b, "s.", 2);
    check_numbers(archive(&b, six, NULL), six, 0);
    for (int i = 0; i < 24; i++) big[i] = ((const unsigned char *)six)[i / 4 * 4 + 3 - i % 4];
    begin_dict(&b), put_tensor(&b, 6, 0, 2, 3, 3, 1), put(&b, "s.", 2);
    check_numbers(archive(&b, big, "big"), six, 6);
    b = (bytes){0};
    put(&b, "\x80\x02}", 3), put_text(&b, "epoch"), put(&b, "K\x09s", 3);
    put_text(&b, "state_dict"), put(&b, "}", 1), put_text(&b, "w");
    put_tensor(&b, 6, 0, 2, 3, 3, 1), put(&b, "ss.", 3);
    check_numbers(archive(&b, six, NULL), six, 6);
    /* an OrderedDict with attributes, kept in the memo, and a parameter around the tensor */
    b = (bytes){0};
    put(&b,
        "\x80\x02"
        "ccollections\nOrderedDict\n)Rq\x05(",
        32);
    put_text(&b, "w"), put(&b, "ctorch._utils\n_rebuild_parameter\n(", 34);
    put_tensor(&b, 6, 0, 2, 3, 3, 1), put(&b, "\x88NtRu}", 6);
    put_text(&b, "_metadata"), put(&b, "h\x05sb.", 5);
    check_numbers(archive(&b, six, NULL), six, 6);
}

static void refuse_pickle(const bytes *b, uw_status want, const char *reason) {
    uw_pt *pt = (uw_pt *)1;
    uw_err err = {0};
    check_refused(uw__pt_open(archive(b, six, NULL), 0, &pt, &err), want, &err, reason);
    assert_null(pt);
}

static void refuse_raw(const char *raw, size_t n, uw_status want, const char *reason) {
    bytes b = {0};
    put(&b, raw, n);
    refuse_pickle(&b, want, reason);
}

static void test_bad_pickles(void **state) {
    bytes b;
    (void)state;
    refuse_raw("", 0, UW_EFORMAT, "truncated");
    refuse_raw("\x80\x09.", 3, UW_EFORMAT, "bad_pickle");
    refuse_raw("\x80\x02.", 3, UW_EFORMAT, "bad_pickle");
    refuse_raw("}}.", 3, UW_EFORMAT, "bad_pickle");
    refuse_raw("(}.", 3, UW_EFORMAT, "bad_pickle");
    refuse_raw("t.", 2, UW_EFORMAT, "bad_pickle");
    refuse_raw("N(s.", 4, UW_EFORMAT, "bad_pickle");
    refuse_raw("}(NNNu.", 7, UW_EFORMAT, "bad_pickle");
    refuse_raw("N(Na.", 5, UW_EFORMAT, "bad_pickle"); /* what lies under a mark is out of reach */
    refuse_raw("h\x01.", 3, UW_EFORMAT, "bad_pickle");
    refuse_raw("q\x01.", 3, UW_EFORMAT, "bad_pickle");
    refuse_raw("Nr\xff\xff\xff\xff.", 7, UW_EFORMAT, "too_complex");
    refuse_raw("\x8a\x09"
               "123456789.",
               12, UW_EFORMAT, "bad_pickle");
    refuse_raw("X\xff\xff\xff\xff.", 6, UW_EFORMAT, "truncated");
    refuse_raw("N)R.", 4, UW_EFORMAT, "bad_pickle");
    refuse_raw("NN\x86Q.", 5, UW_EFORMAT, "bad_pickle");
    refuse_raw("N}b.", 4, UW_EFORMAT, "bad_pickle");
    refuse_raw("\x93.", 2, UW_EFORMAT, "bad_pickle");
    refuse_raw("cos\nsystem\n.", 12, UW_EFORMAT, "forbidden_global");
    refuse_raw("ctorch\n_utils\n.", 15, UW_EFORMAT, "forbidden_global");
    refuse_raw("cx\ny", 4, UW_EFORMAT, "truncated");
    refuse_raw("ctorch\nCharStorage\n.", 20, UW_EUNSUPPORTED, "unsupported_dtype");
    refuse_raw("ctorch\nFloatStorage\n)R.", 23, UW_EFORMAT, "bad_pickle");
    refuse_raw("ccollections\nOrderedDict\n(NtR.", 30, UW_EFORMAT, "bad_pickle");
    refuse_raw("N.", 2, UW_EFORMAT, "no_tensors");
    refuse_raw("}.", 2, UW_EFORMAT, "no_tensors");
    begin_dict(&b), put_tensor(&b, 6, -1, 2, 3, 3, 1), put(&b, "s.", 2);
    refuse_pickle(&b, UW_EFORMAT, "tensor_outside_storage");
    begin_dict(&b), put_tensor(&b, 6, 1, 2, 3, 3, 1), put(&b, "s.", 2);
    refuse_pickle(&b, UW_EFORMAT, "tensor_outside_storage");
    begin_dict(&b), put_tensor(&b, 6, 0, 2, 3, 3, -1), put(&b, "s.", 2);
    refuse_pickle(&b, UW_EFORMAT, "bad_shape");
    begin_dict(&b), put_tensor(&b, 7, 0, 2, 3, 3, 1), put(&b, "s.", 2);
    refuse_pickle(&b, UW_EFORMAT, "storage_size_mismatch");
    begin_dict(&b), put_tensor(&b, 6, 0, 1 << 20, 1 << 20, 0, 0), put(&b, "s.", 2);
    refuse_pickle(&b, UW_EFORMAT, "too_large");
    b = (bytes){0}, put(&b, "\x80\x02}", 3), put_text(&b, "bell\a");
    put_tensor(&b, 6, 0, 2, 3, 3, 1), put(&b, "s.", 2);
    refuse_pickle(&b, UW_EFORMAT, "unsafe_name");
    b = (bytes){0}, put(&b, "\x80\x02}", 3), put_text(&b, "state_dict"), put(&b, "}s", 2);
    put_text(&b, "state_dict"), put(&b, "}s.", 3);
    refuse_pickle(&b, UW_EFORMAT, "duplicate_key");
}

/* ---- what we write ---- */

static const char *write_small(void) {
    static const int64_t counter = 7;
    const uw_tensor t[] = {{"a.weight", UW_DTYPE_F32, 2, {2, 3}, six},
                           {"a.num", UW_DTYPE_I64, 0, {0}, &counter},
                           {"empty", UW_DTYPE_U8, 2, {0, 4}, six},
                           {"half", UW_DTYPE_BF16, 3, {1, 2, 3}, six},
                           {"flag", UW_DTYPE_BOOL, 1, {3}, six}};
    const char *path = tempdir_file("small.pt");
    uw_err err = {0};
    CHECK_OK(uw__pt_write(path, t, 5, true, &err), &err);
    return path;
}

static void test_write(void **state) {
    uw_pt *pt = NULL;
    uw_err err = {0};
    void *one = NULL, *two = NULL;
    size_t size, again;
    (void)state;
    const char *path = write_small();
    CHECK_OK(uw__pt_open(path, 0, &pt, &err), &err);
    assert_int_equal(uw__pt_count(pt), 5);
    const uw_tensor w = uw__pt_tensor(pt, 0), n = uw__pt_tensor(pt, 1), half = uw__pt_tensor(pt, 3);
    assert_string_equal(w.name, "a.weight");
    assert_memory_equal(w.data, six, sizeof six);
    assert_int_equal(n.num_dims, 0);
    assert_int_equal(*(const int64_t *)n.data, 7);
    assert_int_equal(half.shape[2], 3);
    assert_int_equal(half.dtype, UW_DTYPE_BF16);
    uw__pt_close(pt);
    CHECK_OK(uw__file_read(path, 1 << 20, &one, &size, &err), &err);
    assert_int_equal(uw__pt_write(path, &w, 0, false, &err), UW_EEXIST);
    write_small();
    CHECK_OK(uw__file_read(path, 1 << 20, &two, &again, &err), &err);
    assert_int_equal(size, again);
    assert_memory_equal(one, two, size);
    free(one);
    free(two);
    const uw_tensor bad = {"a\nb", UW_DTYPE_F32, 1, {1}, six};
    const int before = tempdir_count();
    assert_int_equal(uw__pt_write(tempdir_file("bad.pt"), &bad, 1, false, &err), UW_EINVAL);
    assert_int_equal(tempdir_count(), before);
}

/* A file that ends anywhere is refused: at every byte of a small one, at every 11th of the pickles
 * of a large one and in long steps through its numbers. */
static void check_cuts(const char *from, size_t small) {
    const char *path = tempdir_file("cut.pt");
    void *raw = NULL;
    size_t size;
    uw_err err = {0};
    CHECK_OK(uw__file_read(from, 1 << 24, &raw, &size, &err), &err);
    CHECK_OK(uw__file_write_atomic(path, raw, size, true, &err), &err);
    for (size_t cut = 1; cut <= size;) {
        const size_t n = size - cut;
        uw_pt *pt = (uw_pt *)1;
        assert_int_equal(truncate(path, (off_t)n), 0);
        memset(&err, 0, sizeof err);
        const uw_status s = uw__pt_open(path, 0, &pt, &err);
        if (s != UW_EFORMAT || pt) fail_msg("cut to %zu bytes: got %d: %s", n, s, err.text);
        if (!strstr(err.text, "truncated") && !strstr(err.text, "bad_pickle") &&
            !strstr(err.text, "bad_zip")) {
            fail_msg("cut to %zu bytes: %s", n, err.text);
        }
        cut += size < small ? 1 : n > 20000 ? 997 : 11;
    }
    free(raw);
}

static void test_cuts(void **state) {
    char path[600];
    (void)state;
    check_cuts(write_small(), 4096);
    snprintf(path, sizeof path, "%s/golden/checkpoints/good/legacy.pt", check_vectors());
    if (uw__file_exists(path)) check_cuts(path, 4096);
}

/* Every byte of an archive's numbers is under a checksum. */
static void test_damage(void **state) {
    uw_pt *pt = NULL;
    uw_err err = {0};
    void *raw = NULL;
    size_t size;
    (void)state;
    const char *path = write_small();
    CHECK_OK(uw__file_read(path, 1 << 20, &raw, &size, &err), &err);
    unsigned char *bytes_of = raw;
    for (size_t i = 0; i + 24 <= size; i++) {
        if (memcmp(bytes_of + i, six, sizeof six)) continue;
        bytes_of[i + 5] ^= 1;
        break;
    }
    CHECK_OK(uw__file_write_atomic(path, raw, size, true, &err), &err);
    check_refused(uw__pt_open(path, 0, &pt, &err), UW_EFORMAT, &err, "bad_checksum");
    free(raw);
    check_refused(uw__pt_open(write_small(), 100, &pt, &err), UW_EFORMAT, &err, "too_large");
    CHECK_OK(uw__file_write_atomic(path, "hello, this is no checkpoint", 28, true, &err), &err);
    check_refused(uw__pt_open(path, 0, &pt, &err), UW_EFORMAT, &err, "not_pt");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_hostile),
        cmocka_unit_test(test_recorded_good),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_bad_pickles),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
