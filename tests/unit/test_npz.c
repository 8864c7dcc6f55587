/* NPZ and NPY: what NumPy wrote is read exactly, what is hostile or foreign is refused by name,
 * what we write is read back, and a failed write leaves the old file. */
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "fileio.h"
#include "npy.h"
#include "tempdir.h"

static void check_refused(uw_status got, uw_status want, const uw_err *err, const char *word) {
    if (got != want) fail_msg("got %d, wanted %d (%s): %s", got, want, word, err->text);
    if (!strstr(err->text, word)) fail_msg("\"%s\" does not say \"%s\"", err->text, word);
    if (!err->fix[0]) fail_msg("no advice with \"%s\"", err->text);
}

static const char *vector(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/npy/%s", check_vectors(), name);
    return path;
}

/* The formula of scripts/make_npy_vectors.py. */
static double ramp(int64_t i) {
    return (double)((37 * i) % 101 - 50);
}

static double half(uint16_t h) {
    const int e = h >> 10 & 31;
    const double m = (double)(h & 1023) / 1024;
    const double v = e ? ldexp(1 + m, e - 15) : ldexp(m, -14);
    return h & 0x8000 ? -v : v;
}

static double element(const uw_tensor *t, int64_t i) {
    switch (t->dtype) {
    case UW_DTYPE_U8:
    case UW_DTYPE_BOOL:
        return ((const uint8_t *)t->data)[i];
    case UW_DTYPE_I32:
        return ((const int32_t *)t->data)[i];
    case UW_DTYPE_I64:
        return (double)((const int64_t *)t->data)[i];
    case UW_DTYPE_F16:
        return half(((const uint16_t *)t->data)[i]);
    case UW_DTYPE_F32:
        return ((const float *)t->data)[i];
    case UW_DTYPE_F64:
        return ((const double *)t->data)[i];
    default:
        fail_msg("no such type: %d", t->dtype);
        return 0;
    }
}

static void check_ramp(uw_npz *z, const char *name, uw_dtype dtype, int32_t num_dims,
                       const int64_t *shape) {
    uw_tensor t;
    uw_err err = {0};
    const int32_t at = uw__npz_find(z, name);
    assert_true(at >= 0);
    CHECK_OK(uw__npz_get(z, at, &t, &err), &err);
    assert_string_equal(t.name, name);
    assert_int_equal(t.dtype, dtype);
    assert_int_equal(t.num_dims, num_dims);
    assert_memory_equal(t.shape, shape, (size_t)num_dims * sizeof *shape);
    assert_int_equal((uintptr_t)t.data % 64, 0);
    for (int64_t i = 0; i < uw_tensor_count(&t); i++) {
        double want = ramp(i);
        if (dtype == UW_DTYPE_BOOL) want = fmod(fabs(want), 2);
        if (dtype == UW_DTYPE_U8 && want < 0) want += 256;
        if (element(&t, i) != want)
            fail_msg("%s[%d] = %g, wanted %g", name, (int)i, element(&t, i), want);
    }
}

static void check_archive(const char *name, int32_t count) {
    uw_npz *z = NULL;
    uw_err err = {0};
    uw_tensor t;
    const char **text;
    int64_t n;
    static const int64_t s23[] = {2, 3}, s7[] = {7}, s4[] = {4}, s22[] = {2, 2}, s5[] = {5},
                         s34[] = {3, 4}, s234[] = {2, 3, 4}, s302[] = {3, 0, 2};
    CHECK_OK(uw__npz_open(vector(name), 0, &z, &err), &err);
    assert_int_equal(uw__npz_count(z), count);
    assert_string_equal(uw__npz_name(z, 0), "u1");
    check_ramp(z, "u1", UW_DTYPE_U8, 2, s23);
    check_ramp(z, "b1", UW_DTYPE_BOOL, 1, s7);
    check_ramp(z, "i4", UW_DTYPE_I32, 1, s4);
    check_ramp(z, "i8", UW_DTYPE_I64, 2, s22);
    check_ramp(z, "f2", UW_DTYPE_F16, 1, s5);
    check_ramp(z, "f4", UW_DTYPE_F32, 2, s34);
    check_ramp(z, "f8", UW_DTYPE_F64, 3, s234);
    check_ramp(z, "scalar", UW_DTYPE_F64, 0, s23);
    check_ramp(z, "empty", UW_DTYPE_F32, 3, s302);
    check_ramp(z, "fortran", UW_DTYPE_F32, 3, s234);
    check_ramp(z, "fortran", UW_DTYPE_F32, 3, s234); /* decoded once, asked for twice */
    const int32_t at = uw__npz_find(z, "text");
    CHECK_OK(uw__npz_strings(z, at, &text, &n, &err), &err);
    assert_int_equal(n, 4);
    assert_string_equal(text[0], "a");
    assert_string_equal(text[1], "");
    assert_string_equal(text[2], "Gr\xc3\xb6\xc3\x9f"
                                 "e");
    assert_string_equal(text[3], "\xf0\x9f\xa4\x96x");
    check_refused(uw__npz_get(z, at, &t, &err), UW_EUNSUPPORTED, &err, "text_array");
    check_refused(uw__npz_strings(z, 0, &text, &n, &err), UW_EUNSUPPORTED, &err, "not_text");
    assert_int_equal(uw__npz_find(z, "absent"), -1);
    if (count > 11) {
        CHECK_OK(uw__npz_get(z, uw__npz_find(z, "zeros"), &t, &err), &err);
        assert_int_equal(uw_tensor_count(&t), 300000);
        for (int64_t i = 0; i < 300000; i++) assert_true(element(&t, i) == 0);
    }
    uw__npz_close(z);
}

static void test_numpy_archives(void **state) {
    (void)state;
    check_archive("stored.npz", 11);
    check_archive("deflated.npz", 12);
    static const int64_t s34[] = {3, 4};
    static const char *const single[] = {"single.npy", "version2.npy"};
    for (int i = 0; i < 2; i++) {
        uw_npz *z = NULL;
        uw_err err = {0};
        CHECK_OK(uw__npz_open(vector(single[i]), 0, &z, &err), &err);
        assert_int_equal(uw__npz_count(z), 1);
        check_ramp(z, "arr", UW_DTYPE_F32, 2, s34);
        uw__npz_close(z);
    }
}

static void test_foreign_types(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"bad_objects.npy", "pickled_objects"},
                                           {"bad_big_endian.npy", "big_endian"},
                                           {"bad_structured.npy", "structured"},
                                           {"bad_complex.npy", "unsupported_dtype"}};
    for (int i = 0; i < 4; i++) {
        uw_npz *z = NULL;
        uw_tensor t;
        uw_err err = {0};
        CHECK_OK(uw__npz_open(vector(cases[i][0]), 0, &z, &err), &err);
        check_refused(uw__npz_get(z, 0, &t, &err), UW_EUNSUPPORTED, &err, cases[i][1]);
        uw__npz_close(z);
    }
}

/* Open bytes as a file and decode all members; the first refusal. */
static uw_status decode_all(const void *data, size_t size, uint64_t max_bytes, uw_err *err) {
    const char *path = tempdir_file("case.npz");
    uw_npz *z = NULL;
    uw_tensor t;
    memset(err, 0, sizeof *err);
    CHECK_OK(uw__file_write_atomic(path, data, size, true, err), err);
    uw_status s = uw__npz_open(path, max_bytes, &z, err);
    for (int32_t i = 0; !s && i < uw__npz_count(z); i++) s = uw__npz_get(z, i, &t, err);
    uw__npz_close(z);
    return s;
}

static void check_npy(const char *dict, size_t data, uw_status want, const char *word) {
    unsigned char bytes[700] = "\x93NUMPY\x01\x00";
    const size_t n = strlen(dict);
    uw_err err;
    bytes[8] = (unsigned char)n, bytes[9] = (unsigned char)(n >> 8);
    memcpy(bytes + 10, dict, n);
    memset(bytes + 10 + n, 0, data);
    const uw_status s = decode_all(bytes, 10 + n + data, 0, &err);
    if (want)
        check_refused(s, want, &err, word);
    else if (s)
        fail_msg("%s: %s", dict, err.text);
}

#define D(descr, fortran, shape)                                                                   \
    "{'descr': '" descr "', 'fortran_order': " fortran ", 'shape': " shape ", }\n"

static void test_npy_headers(void **state) {
    (void)state;
    check_npy(D("<f4", "False", "(2,)"), 8, UW_OK, "");
    check_npy(D("<f4", "False", "()"), 4, UW_OK, "");
    check_npy(D("=u1", "True", "( 2 , 2 )"), 4, UW_OK, "");
    check_npy("{\"shape\":(2,),\"descr\":\"|b1\",\"fortran_order\":False}   ", 2, UW_OK, "");
    check_npy(D("<f4", "False", "(2,)"), 7, UW_EFORMAT, "size_mismatch");
    check_npy(D("<f4", "False", "(2,)"), 9, UW_EFORMAT, "size_mismatch");
    check_npy(D("<f4", "False", "(-2,)"), 8, UW_EFORMAT, "bad_shape");
    check_npy(D("<f4", "False", "(2.0,)"), 8, UW_EFORMAT, "bad_npy_header");
    check_npy(D("<f4", "False", "(2"), 8, UW_EFORMAT, "bad_shape");
    check_npy(D("<f4", "False", "2"), 8, UW_EFORMAT, "bad_npy_header");
    check_npy(D("<f4", "0", "(2,)"), 8, UW_EFORMAT, "bad_npy_header");
    check_npy(D("<f4", "False", "(4294967296,4294967296)"), 0, UW_EFORMAT, "bad_shape");
    check_npy(D("<f4", "False", "(99999999999999999999,)"), 0, UW_EFORMAT, "bad_shape");
    check_npy(D("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), 4, UW_EUNSUPPORTED, "too_many_dims");
    check_npy(D("<U0", "False", "(9223372036854775807,)"), 0, UW_EUNSUPPORTED, "unsupported_dtype");
    check_npy(D("<U4294967296", "False", "(1,)"), 0, UW_EUNSUPPORTED, "unsupported_dtype");
    check_npy(D("|f4", "False", "(2,)"), 8, UW_EUNSUPPORTED, "unsupported_dtype");
    check_npy(D("", "False", "(2,)"), 8, UW_EUNSUPPORTED, "unsupported_dtype");
    check_npy(D("__import__(os)", "False", "(2,)"), 8, UW_EUNSUPPORTED, "unsupported_dtype");
    check_npy(D("<f4\\x41", "False", "(2,)"), 8, UW_EFORMAT, "bad_npy_header");
    check_npy("{'descr': '<f4', 'shape': (2,), }\n", 8, UW_EFORMAT, "once each");
    check_npy("{'descr': '<f4', 'descr': '<f4', 'shape': (2,), }\n", 8, UW_EFORMAT, "once each");
    check_npy("{'x': 1}\n", 8, UW_EFORMAT, "once each");
    check_npy("x", 8, UW_EFORMAT, "bad_npy_header");
    check_npy(D("<f4", "False", "(2,)") "x", 8, UW_EFORMAT, "the end");
    uw_err err;
    check_refused(decode_all("\x93NUMPY\x01\x00\xff\xff{'des", 15, 0, &err), UW_EFORMAT, &err,
                  "size_mismatch");
    check_refused(decode_all("\x93NUMPY\x09\x00\x10\x00{'des", 15, 0, &err), UW_EUNSUPPORTED, &err,
                  "npy_version");
    check_refused(decode_all("\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, 0, &err), UW_EFORMAT, &err,
                  "bad_header_length");
    check_refused(decode_all("\x93NUMPY\x01\x00\x00\x00{}", 12, 0, &err), UW_EFORMAT, &err,
                  "bad_npy_header");
}

/* Change `width` bytes at `at` of a NumPy archive, and decode it. */
static void check_patched(const unsigned char *good, size_t size, size_t at, const char *bytes,
                          size_t width, uw_status want, const char *word) {
    uw_err err;
    unsigned char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, good, size);
    memcpy(copy + at, bytes, width);
    check_refused(decode_all(copy, size, 0, &err), want, &err, word);
    free(copy);
}

static size_t find_bytes(const unsigned char *data, size_t size, const char *what, size_t n,
                         int nth) {
    for (size_t i = 0; i + n <= size; i++) {
        if (!memcmp(data + i, what, n) && !nth--) return i;
    }
    fail_msg("not found");
    return 0;
}

static void test_zip_refusals(void **state) {
    (void)state;
    void *raw = NULL;
    size_t size = 0;
    uw_err err = {0};
    for (int deflated = 0; deflated < 2; deflated++) {
        const char *name = deflated ? "deflated.npz" : "stored.npz";
        CHECK_OK(uw__file_read(vector(name), 1 << 20, &raw, &size, &err), &err);
        const unsigned char *z = raw;
        const size_t dir = find_bytes(z, size, "PK\1\2", 4, 0), end = size - 22;
        check_patched(z, size, dir + 24, "\xff\xff\xff\xff", 4, UW_EUNSUPPORTED, "zip64");
        check_patched(z, size, end + 16, "\xff\xff\xff\xff", 4, UW_EUNSUPPORTED, "zip64");
        check_patched(z, size, end + 8, "\xff\xff\xff\xff", 4, UW_EUNSUPPORTED, "zip64");
        check_patched(z, size, dir + 8, "\1", 1, UW_EUNSUPPORTED, "encrypted");
        check_patched(z, size, dir + 10, "\16", 1, UW_EUNSUPPORTED, "unsupported_compression");
        check_patched(z, size, dir + 16, "\0\0\0\0", 4, UW_EFORMAT, "bad_checksum");
        check_patched(z, size, dir + 24, "\xf0\xff\xff\x7f", 4, UW_EFORMAT, "size_mismatch");
        check_patched(z, size, dir + 42, "\1", 1, UW_EFORMAT, "bad_zip");
        check_patched(z, size, dir + 46, "v", 1, UW_EFORMAT, "bad_zip"); /* not the local name */
        check_patched(z, size, dir + 49, "x", 1, UW_EFORMAT, "bad_zip"); /* not .npy */
        check_patched(z, size, dir, "PK\1\3", 4, UW_EFORMAT, "bad_zip");
        check_patched(z, size, end + 12, "\1\0\0\0", 4, UW_EFORMAT, "bad_zip");
        check_patched(z, size, end + 10, "\1", 1, UW_EFORMAT, "bad_zip");
        check_patched(z, size, end, "XX", 2, UW_EFORMAT, "truncated");
        for (size_t cut = 1; cut < size; cut += cut < 2000 ? 1 : 97) {
            check_refused(decode_all(z, size - cut, 0, &err), UW_EFORMAT, &err,
                          size - cut < 22 ? "bad_zip" : "truncated");
        }
        check_refused(decode_all(z, size, 500, &err), UW_EFORMAT, &err, "too_large");
        free(raw);
    }
    CHECK_OK(uw__file_read(vector("deflated.npz"), 1 << 20, &raw, &size, &err), &err);
    const size_t body = find_bytes(raw, size, "PK\3\4", 4, 5) + 70;
    check_patched(raw, size, body, "\xff\xff\xff\xff\xff\xff", 6, UW_EFORMAT, ":");
    /* two directory entries that name the same local member: bytes shared, or the name twice */
    const size_t one = find_bytes(raw, size, "PK\1\2", 4, 0),
                 two = find_bytes(raw, size, "PK\1\2", 4, 1);
    unsigned char *copy = raw;
    memcpy(copy + two, copy + one, two - one);
    check_refused(decode_all(copy, size, 0, &err), UW_EFORMAT, &err, "duplicate_key");
    free(raw);
    check_refused(decode_all("", 0, 0, &err), UW_EFORMAT, &err, "bad_zip");
    check_refused(decode_all("hello, world, this is text", 26, 0, &err), UW_EFORMAT, &err,
                  "bad_zip");
    CHECK_OK(decode_all("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, 0, &err), &err);
}

static void write_all_types(const char *path, uw_err *err) {
    static const char *const names[] = {"u8", "i32", "i64", "f16", "bf16", "f32", "f64", "bool"};
    unsigned char bytes[8 * 12];
    uw_npz_writer *w = NULL;
    const int64_t shape[] = {3, 4};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i % 2);
    CHECK_OK(uw__npz_writer_open(path, true, &w, err), err);
    for (int d = 0; d < 8; d++) {
        if (d == UW_DTYPE_BF16) {
            check_refused(uw__npz_writer_begin(w, names[d], (uw_dtype)d, 2, shape, err), UW_EINVAL,
                          err, "bad_shape");
            continue;
        }
        CHECK_OK(uw__npz_writer_begin(w, names[d], (uw_dtype)d, 2, shape, err), err);
        const size_t row = 4 * uw_dtype_bytes((uw_dtype)d);
        for (size_t r = 0; r < 3; r++)
            CHECK_OK(uw__npz_writer_data(w, bytes + r * row, row, err), err);
    }
    CHECK_OK(uw__npz_writer_begin(w, "scalar", UW_DTYPE_F64, 0, NULL, err), err);
    CHECK_OK(uw__npz_writer_data(w, bytes, 8, err), err);
    const int64_t none[] = {0};
    CHECK_OK(uw__npz_writer_begin(w,
                                  "gr\xc3\xb6\xc3\x9f"
                                  "e",
                                  UW_DTYPE_F32, 1, none, err),
             err);
    CHECK_OK(uw__npz_writer_close(w, err), err);
}

static void test_writer(void **state) {
    (void)state;
    uw_err err = {0};
    uw_npz *z = NULL;
    uw_tensor t;
    void *first = NULL, *second = NULL;
    size_t n1, n2;
    const char *path = tempdir_file("out.npz");
    write_all_types(path, &err);
    CHECK_OK(uw__file_read(path, 1 << 20, &first, &n1, &err), &err);
    write_all_types(path, &err);
    CHECK_OK(uw__file_read(path, 1 << 20, &second, &n2, &err), &err);
    assert_int_equal(n1, n2);
    assert_memory_equal(first, second, n1); /* the same calls, the same bytes */
    free(first);
    free(second);

    CHECK_OK(uw__npz_open(path, 0, &z, &err), &err);
    assert_int_equal(uw__npz_count(z), 9);
    for (int32_t i = 0; i < 9; i++) {
        CHECK_OK(uw__npz_get(z, i, &t, &err), &err);
        if (i == 8)
            assert_string_equal(t.name, "gr\xc3\xb6\xc3\x9f"
                                        "e");
        const size_t bytes = uw_dtype_bytes(t.dtype) * (size_t)uw_tensor_count(&t);
        for (size_t b = 0; b < bytes; b++) assert_int_equal(((const uint8_t *)t.data)[b], b % 2);
    }
    uw__npz_close(z);
    assert_int_equal(unlink(path), 0);
}

/* More than the write buffer, in pieces of every size. */
static void test_writer_large(void **state) {
    (void)state;
    enum { N = 200000 };
    uw_err err = {0};
    uw_npz_writer *w = NULL;
    uw_npz *z = NULL;
    uw_tensor t;
    const char *path = tempdir_file("large.npz");
    const int64_t shape[] = {N};
    int32_t *values = malloc(N * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < N; i++) values[i] = i * 7;
    CHECK_OK(uw__npz_writer_open(path, false, &w, &err), &err);
    for (int k = 0; k < 2; k++) {
        CHECK_OK(uw__npz_writer_begin(w, k ? "b" : "a", UW_DTYPE_I32, 1, shape, &err), &err);
        for (size_t at = 0, piece = 1; at < N * 4; at += piece, piece = piece * 3 + 1) {
            if (piece > N * 4 - at) piece = N * 4 - at;
            CHECK_OK(uw__npz_writer_data(w, (char *)values + at, piece, &err), &err);
        }
    }
    CHECK_OK(uw__npz_writer_close(w, &err), &err);
    CHECK_OK(uw__npz_open(path, 0, &z, &err), &err);
    for (int32_t k = 0; k < 2; k++) {
        CHECK_OK(uw__npz_get(z, k, &t, &err), &err);
        assert_memory_equal(t.data, values, N * 4);
    }
    uw__npz_close(z);

    CHECK_OK(uw__npz_writer_open(path, true, &w, &err), &err);
    CHECK_OK(uw__npz_writer_begin(w, "a", UW_DTYPE_I32, 1, shape, &err), &err);
    disk_fill(1000);
    const uw_status data = uw__npz_writer_data(w, values, N * 4, &err);
    uw_err later;
    const uw_status closed = uw__npz_writer_close(w, &later);
    disk_free();
    check_refused(data, UW_ENOSPC, &err, "write");
    assert_int_equal(closed, UW_EIO);
    CHECK_OK(uw__npz_open(path, 0, &z, &err), &err); /* the old file */
    uw__npz_close(z);
    free(values);
    assert_int_equal(unlink(path), 0);
}

static void test_writer_misuse(void **state) {
    (void)state;
    uw_err err = {0};
    uw_npz_writer *w = NULL;
    const char *path = tempdir_file("misuse.npz");
    const int before = tempdir_count();
    const int64_t shape[] = {2}, huge[] = {1u << 30, 2}, negative[] = {-1};
    const float x[3] = {0};
    CHECK_OK(uw__npz_writer_open(path, true, &w, &err), &err);
    check_refused(uw__npz_writer_data(w, x, 4, &err), UW_EINVAL, &err, "incomplete_member");
    check_refused(uw__npz_writer_begin(w, "", UW_DTYPE_F32, 1, shape, &err), UW_EINVAL, &err,
                  "name");
    check_refused(uw__npz_writer_begin(w, "a\n", UW_DTYPE_F32, 1, shape, &err), UW_EINVAL, &err,
                  "name");
    check_refused(uw__npz_writer_begin(w, "a", UW_DTYPE_F32, 1, negative, &err), UW_EINVAL, &err,
                  "bad_shape");
    check_refused(uw__npz_writer_begin(w, "a", UW_DTYPE_F32, 2, huge, &err), UW_EUNSUPPORTED, &err,
                  "zip64");
    CHECK_OK(uw__npz_writer_begin(w, "a", UW_DTYPE_F32, 1, shape, &err), &err);
    check_refused(uw__npz_writer_data(w, x, 12, &err), UW_EINVAL, &err, "incomplete_member");
    CHECK_OK(uw__npz_writer_data(w, x, 4, &err), &err);
    check_refused(uw__npz_writer_begin(w, "b", UW_DTYPE_F32, 1, shape, &err), UW_EINVAL, &err,
                  "incomplete_member");
    CHECK_OK(uw__npz_writer_data(w, x, 4, &err), &err);
    check_refused(uw__npz_writer_begin(w, "a", UW_DTYPE_F32, 1, shape, &err), UW_EINVAL, &err,
                  "name");
    CHECK_OK(uw__npz_writer_begin(w, "ab", UW_DTYPE_F32, 1, shape, &err), &err);
    check_refused(uw__npz_writer_close(w, &err), UW_EINVAL, &err, "incomplete_member");
    CHECK_OK(uw__npz_writer_open(path, true, &w, &err), &err);
    uw__npz_writer_abort(w);
    uw__npz_writer_abort(NULL);
    assert_int_equal(tempdir_count(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpy_archives), cmocka_unit_test(test_foreign_types),
        cmocka_unit_test(test_npy_headers),    cmocka_unit_test(test_zip_refusals),
        cmocka_unit_test(test_writer),         cmocka_unit_test(test_writer_large),
        cmocka_unit_test(test_writer_misuse),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
