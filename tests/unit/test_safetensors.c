/* safetensors by the letter: recorded hostile and good files, one hand-made file per rule, what we
 * write is what we read, and a failed write leaves the old file. */
#include <inttypes.h>
#include <unistd.h>

#include "check.h"
#include "fileio.h"
#include "safetensors.h"
#include "tempdir.h"

static void check_refused(uw_status got, uw_status want, const uw_err *err, const char *word) {
    if (got != want) fail_msg("got %d, wanted %d (%s): %s", got, want, word, err->text);
    if (!strstr(err->text, word)) fail_msg("\"%s\" does not say \"%s\"", err->text, word);
    if (!err->fix[0]) fail_msg("no advice with \"%s\"", err->text);
}

/* Every hostile file of the recorded manifest is refused for the reason that the manifest gives. */
static void test_recorded_hostile(void **state) {
    (void)state;
    char path[600];
    void *manifest = NULL;
    size_t size;
    int seen = 0;
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/golden/checkpoints/manifest.json", check_vectors());
    CHECK_OK(uw__file_read(path, 1 << 20, &manifest, &size, &err), &err);
    for (const char *at = manifest; (at = strstr(at, "\"hostile_safetensors/")); seen++) {
        char file[100], reason[60];
        assert_int_equal(sscanf(at, "\"%99[^\"]\"", file), 1);
        at = strstr(at, "\"reason\":");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "\"reason\": \"%59[^\"]\"", reason), 1);
        snprintf(path, sizeof path, "%s/golden/checkpoints/%s", check_vectors(), file);
        uw_safetensors *st = NULL;
        memset(&err, 0, sizeof err);
        check_refused(uw__safetensors_open(path, 0, &st, &err), UW_EFORMAT, &err, reason);
        assert_null(st);
    }
    free(manifest);
    assert_int_equal(seen, 16);
}

static void test_recorded_good(void **state) {
    (void)state;
    static const double cost[4] = {36.55289084319217, 37.24356254926745, 35.808990844244896,
                                   37.35048972785776};
    char path[600];
    uw_safetensors *st = NULL;
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/golden/lewm_tiny/plan.safetensors", check_vectors());
    CHECK_OK(uw__safetensors_open(path, 0, &st, &err), &err);
    assert_int_equal(uw__safetensors_count(st), 8);
    const int32_t i = uw__safetensors_find(st, "h1.cost");
    assert_true(i >= 0);
    const uw_tensor t = uw__safetensors_tensor(st, i);
    assert_string_equal(t.name, "h1.cost");
    assert_int_equal(t.dtype, UW_DTYPE_F64);
    assert_int_equal(t.num_dims, 1);
    assert_int_equal(t.shape[0], 4);
    assert_memory_equal(t.data, cost, sizeof cost);
    assert_int_equal(uw__safetensors_find(st, "h1.cos"), -1);
    assert_int_equal(uw__safetensors_find(st, "zzz"), -1);
    assert_int_equal(uw__safetensors_meta_count(st), 3);
    assert_non_null(strstr(uw__safetensors_meta(st, "config"), "\"image\": 56"));
    assert_null(uw__safetensors_meta(st, "nothing"));
    uw__safetensors_close(st);
    check_refused(uw__safetensors_open(path, 1000, &st, &err), UW_EFORMAT, &err, "too_large");
    assert_null(st);
}

/* length | header | `data` zero bytes; header_bytes -1: as long as it is. */
static uw_status parse(const char *header, size_t data, int64_t header_bytes, uw_safetensors **st,
                       uw_err *err) {
    const size_t n = strlen(header);
    const uint64_t length = header_bytes < 0 ? n : (uint64_t)header_bytes;
    unsigned char *bytes = calloc(1, 8 + n + data);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(length >> 8 * i);
    memcpy(bytes + 8, header, n);
    memset(err, 0, sizeof *err);
    const uw_status s = uw__safetensors_parse("case", bytes, 8 + n + data, st, err);
    free(bytes);
    return s;
}

#define W(dtype, shape, from, to)                                                                  \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

typedef struct rule {
    const char *reason; /* NULL: to be accepted */
    size_t data;
    const char *header;
} rule;

static const rule rules[] = {
    /* accepted */
    {NULL, 0, "{}"},
    {NULL, 0, "{}        "},
    {NULL, 0, "{ \n\t\r}"},
    {NULL, 0, "{\"__metadata__\":{}}"},
    {NULL, 0, "{\"__metadata__\":{\"a\":\"\\n\\u00e9\\ud83d\\ude00\",\"b\":\"\"}}"},
    {NULL, 4, "{\"w\":" W("F32", "[]", 0, 4) "}"},
    {NULL, 0, "{\"w\":" W("F32", "[0]", 0, 0) "}"},
    {NULL, 0, "{\"w\":" W("F32", "[0,4611686018427387904]", 0, 0) "}"},
    {NULL, 4, "{\"z\":" W("F32", "[0]", 4, 4) ",\"w\":" W("F32", "[1]", 0, 4) "}"},
    {NULL, 4, "{\"z\":" W("F32", "[3,0]", 0, 0) ",\"w\":" W("F32", "[1]", 0, 4) "}"},
    {NULL, 5, "{\"w\":" W("F32", "[1]", 1, 5) ",\"b\":" W("BOOL", "[1]", 0, 1) "}"},
    {NULL, 3, "{\"\":" W("U8", "[1,1,1,1,1,1,1,3]", 0, 3) "}"},
    {NULL, 2,
     "{\"w\" : {\"data_offsets\" : [ 0 , 2 ] , \"dtype\" : \"BF16\" , \"shape\" : [ 1 ] } }"},
    {NULL, 1, "{\"sl\\/ash\\\\\":" W("U8", "[1]", 0, 1) "}"},
    /* JSON */
    {"bad_json", 0, " {}"},
    {"bad_json", 0, "[]"},
    {"bad_json", 0, "{}x"},
    {"bad_json", 0, "{}\n"}, /* padding is spaces only */
    {"bad_json", 0, "{}{}"},
    {"bad_json", 0, "{\"w\"}"},
    {"bad_json", 0, "{\"w\":"},
    {"bad_json", 0, "{\"w"},
    {"bad_json", 0, "{,}"},
    {"bad_json", 0, "{\"w\":1}"},
    {"bad_json", 0, "{\"w\":null}"},
    {"bad_json", 0, "{\"w\":[]}"},
    {"bad_json", 0, "{w:1}"},
    {"bad_json", 4, "{\"w\":" W("F32", "[1]", 0, 4) ",}"},
    {"bad_json", 4, "{\"w\":" W("F32", "[1 2]", 0, 4) "}"},
    {"bad_json", 4, "{\"a\\x\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\\ud800\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\\udc00\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\\ud800\\u0041\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\\u00g0\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\xff\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\xc0\x80\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"\xed\xa0\x80\":" W("F32", "[1]", 0, 4) "}"},
    {"bad_json", 4, "{\"a\nb\":" W("F32", "[1]", 0, 4) "}"},
    {"too_deep", 4, "{\"w\":{\"shape\":[[[]]]}}"},
    {"unsafe_name", 4, "{\"a\\nb\":" W("F32", "[1]", 0, 4) "}"},
    {"unsafe_name", 4, "{\"a\\u0000\":" W("F32", "[1]", 0, 4) "}"},
    {"unsafe_name", 4, "{\"a\x7f\":" W("F32", "[1]", 0, 4) "}"},
    {"unsafe_name", 0, "{\"__metadata__\":{\"a\":\"\\u0000\"}}"},
    {"unsafe_name", 0, "{\"__metadata__\":{\"\\u001b\":\"\"}}"},
    /* metadata */
    {"bad_metadata", 0, "{\"__metadata__\":null}"},
    {"bad_metadata", 0, "{\"__metadata__\":{\"a\":1}}"},
    {"bad_metadata", 0, "{\"__metadata__\":{\"a\":[\"b\"]}}"},
    {"bad_metadata", 0, "{\"__metadata__\":[]}"},
    {"duplicate_key", 0, "{\"__metadata__\":{\"a\":\"\",\"b\":\"\",\"a\":\"\"}}"},
    {"duplicate_key", 0, "{\"__metadata__\":{},\"__metadata__\":{}}"},
    /* fields */
    {"duplicate_key", 0,
     "{\"w\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"},
    {"duplicate_key", 0, "{\"w\":" W("U8", "[0]", 0, 0) ",\"\\u0077\":" W("U8", "[0]", 0, 0) "}"},
    {"missing_field", 0, "{\"w\":{}}"},
    {"missing_field", 0, "{\"w\":{\"dtype\":\"U8\",\"shape\":[0]}}"},
    {"unknown_field", 0,
     "{\"w\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":\"\"}}"},
    {"bad_dtype", 4, "{\"w\":" W("f32", "[1]", 0, 4) "}"},
    {"bad_dtype", 4, "{\"w\":" W("", "[1]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "1", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[1.0]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[1e0]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[-1]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[01]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[\"1\"]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[1,]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[9223372036854775808]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[18446744073709551617]", 0, 4) "}"},
    {"bad_shape", 4, "{\"w\":" W("F32", "[4611686018427387904]", 0, 4) "}"},
    {"bad_shape", 0, "{\"w\":" W("F32", "[4611686018427387904,4,0]", 0, 0) "}"},
    {"bad_offsets", 4, "{\"w\":" W("F32", "[1]", 0, -4) "}"},
    {"bad_offsets", 4, "{\"w\":" W("F32", "[1]", 0, 4.0) "}"},
    {"bad_offsets", 4, "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4]}}"},
    {"bad_offsets", 4, "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}"},
    {"bad_offsets", 4, "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{}}}"},
    {"size_mismatch", 4, "{\"w\":" W("F64", "[1]", 0, 4) "}"},
    {"size_mismatch", 4, "{\"w\":" W("F32", "[0]", 0, 4) "}"},
    {"tensor_outside_file", 4, "{\"w\":" W("F32", "[2]", 0, 8) "}"},
    {"tensor_outside_file", 0, "{\"w\":" W("U8", "[0]", 1, 1) "}"},
    /* the data block is covered once */
    {"trailing_data", 5, "{\"w\":" W("F32", "[1]", 0, 4) "}"},
    {"trailing_data", 1, "{}"},
    {"hole", 9, "{\"v\":" W("F32", "[1]", 0, 4) ",\"w\":" W("F32", "[1]", 5, 9) "}"},
    {"overlap", 7, "{\"v\":" W("F32", "[1]", 0, 4) ",\"w\":" W("F32", "[1]", 3, 7) "}"},
    {"overlap", 4, "{\"v\":" W("F32", "[1]", 0, 4) ",\"z\":" W("F32", "[0]", 2, 2) "}"},
};

static void test_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        uw_safetensors *st = (uw_safetensors *)1;
        uw_err err;
        const uw_status s = parse(rules[i].header, rules[i].data, -1, &st, &err);
        if (rules[i].reason) {
            if (s != UW_EFORMAT) print_error("rule %zu: %s\n", i, rules[i].header);
            check_refused(s, UW_EFORMAT, &err, rules[i].reason);
            assert_null(st);
        } else {
            if (s) fail_msg("rule %zu: %s: %s", i, rules[i].header, err.text);
            uw__safetensors_close(st);
        }
    }
}

static void test_unsupported(void **state) {
    (void)state;
    uw_safetensors *st;
    uw_err err;
    check_refused(parse("{\"w\":" W("I8", "[1]", 0, 1) "}", 1, -1, &st, &err), UW_EUNSUPPORTED,
                  &err, "unsupported_dtype");
    check_refused(parse("{\"w\":" W("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, -1, &st, &err),
                  UW_EUNSUPPORTED, &err, "too_many_dims");
}

static void test_header_length(void **state) {
    (void)state;
    uw_safetensors *st;
    uw_err err;
    static const int64_t bad[] = {0, 1, 3, 100000001, INT64_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_refused(parse("{}", 0, bad[i], &st, &err), UW_EFORMAT, &err, "bad_header_length");
    }
    for (size_t n = 0; n < 8; n++) {
        check_refused(uw__safetensors_parse("case", "\2\0\0\0\0\0\0\0{}", n, &st, &err), UW_EFORMAT,
                      &err, "truncated");
    }
    for (size_t n = 8; n < 10; n++) {
        check_refused(uw__safetensors_parse("case", "\2\0\0\0\0\0\0\0{}", n, &st, &err), UW_EFORMAT,
                      &err, "bad_header_length");
    }
    CHECK_OK(uw__safetensors_parse("case", "\2\0\0\0\0\0\0\0{}", 10, &st, &err), &err);
    assert_int_equal(uw__safetensors_count(st), 0);
    uw__safetensors_close(st);
}

/* Data order, not header order; names found; every tensor on a 64-byte boundary of its own. */
static void test_order_and_alignment(void **state) {
    (void)state;
    uw_safetensors *st;
    uw_err err;
    CHECK_OK(parse("{\"a\":" W("F64", "[2]", 3, 19) ",\"b\":" W("U8", "[3]", 0, 3) ",\"c\":" W(
                       "F32", "[1]", 19, 23) "}",
                   23, -1, &st, &err),
             &err);
    assert_int_equal(uw__safetensors_count(st), 3);
    assert_string_equal(uw__safetensors_tensor(st, 0).name, "b");
    assert_int_equal(uw__safetensors_find(st, "a"), 1);
    assert_int_equal(uw__safetensors_find(st, "b"), 0);
    assert_int_equal(uw__safetensors_find(st, "c"), 2);
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)uw__safetensors_tensor(st, i).data % 64, 0);
    }
    uw__safetensors_close(st);
}

static void test_round_trip(void **state) {
    (void)state;
    unsigned char bytes[8 * 6];
    uw_tensor t[10];
    uw_err err = {0};
    uw_safetensors *st = NULL;
    const char *path = tempdir_file("model.safetensors");
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(37 * i + 1);
    static const char *const names[8] = {
        "w.\"quoted\"", "\xc3\xa9", "c\\d", "d", "e", "f", "g", "h"};
    for (int i = 0; i < 8; i++) {
        t[i] = (uw_tensor){names[i], (uw_dtype)i, 2, {2, 3}, bytes};
    }
    t[8] = (uw_tensor){"empty", UW_DTYPE_F32, 3, {4, 0, 2}, NULL};
    t[9] = (uw_tensor){"scalar", UW_DTYPE_F64, 0, {0}, bytes};
    const uw_meta_pair meta[] = {{"config", "{\"a\":\n\t1}"}, {"z", "\x01\x1f\\\""}, {"a", ""}};
    CHECK_OK(uw__safetensors_write(path, t, 10, meta, 3, false, &err), &err);

    void *raw = NULL;
    size_t size = 0;
    CHECK_OK(uw__file_read(path, 1 << 20, &raw, &size, &err), &err);
    uint64_t header = 0;
    memcpy(&header, raw, 8);
    assert_int_equal((header + 8) % 64, 0); /* the data begins aligned in the file, too */
    free(raw);

    CHECK_OK(uw__safetensors_open(path, 0, &st, &err), &err);
    assert_int_equal(uw__safetensors_count(st), 10);
    for (int i = 0; i < 10; i++) {
        const int32_t at = uw__safetensors_find(st, t[i].name);
        assert_true(at >= 0);
        const uw_tensor got = uw__safetensors_tensor(st, at);
        assert_string_equal(got.name, t[i].name);
        assert_int_equal(got.dtype, t[i].dtype);
        assert_int_equal(got.num_dims, t[i].num_dims);
        assert_memory_equal(got.shape, t[i].shape, sizeof got.shape);
        const size_t n = uw_dtype_bytes(got.dtype) * (size_t)uw_tensor_count(&got);
        if (n) assert_memory_equal(got.data, bytes, n);
    }
    for (int i = 0; i < 3; i++) {
        const char *key, *value;
        uw__safetensors_meta_at(st, i, &key, &value);
        assert_string_equal(key, meta[i].key);
        assert_string_equal(value, meta[i].value);
    }
    uw__safetensors_close(st);

    check_refused(uw__safetensors_write(path, t, 1, NULL, 0, false, &err), UW_EEXIST, &err,
                  "exists");
    disk_fill(100);
    const uw_status full = uw__safetensors_write(path, t, 10, meta, 3, true, &err);
    disk_free();
    check_refused(full, UW_ENOSPC, &err, "write");
    CHECK_OK(uw__safetensors_open(path, 0, &st, &err), &err); /* the old file */
    assert_int_equal(uw__safetensors_count(st), 10);
    uw__safetensors_close(st);
    CHECK_OK(uw__safetensors_write(path, NULL, 0, NULL, 0, true, &err), &err);
    CHECK_OK(uw__safetensors_open(path, 0, &st, &err), &err);
    assert_int_equal(uw__safetensors_count(st), 0);
    uw__safetensors_close(st);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tempdir_count(), 0);
}

static void test_write_refusals(void **state) {
    (void)state;
    const float x = 1;
    uw_err err;
    const char *path = tempdir_file("bad.safetensors");
    uw_tensor t[2] = {{"a", UW_DTYPE_F32, 0, {0}, &x}, {"a", UW_DTYPE_F32, 0, {0}, &x}};
    check_refused(uw__safetensors_write(path, t, 2, NULL, 0, true, &err), UW_EINVAL, &err,
                  "duplicate_key");
    static const char *const bad[] = {"\n", "\xff", "__metadata__"};
    for (int i = 0; i < 3; i++) {
        t[0].name = bad[i];
        check_refused(uw__safetensors_write(path, t, 1, NULL, 0, true, &err), UW_EINVAL, &err,
                      "unsafe_name");
    }
    t[0] = (uw_tensor){"a", UW_DTYPE_F32, 2, {INT64_MAX, 4}, &x};
    check_refused(uw__safetensors_write(path, t, 1, NULL, 0, true, &err), UW_EINVAL, &err,
                  "bad_shape");
    t[0].shape[0] = -1;
    check_refused(uw__safetensors_write(path, t, 1, NULL, 0, true, &err), UW_EINVAL, &err,
                  "bad_shape");
    t[0] = (uw_tensor){"a", (uw_dtype)99, 0, {0}, &x};
    check_refused(uw__safetensors_write(path, t, 1, NULL, 0, true, &err), UW_EINVAL, &err,
                  "bad_shape");
    const uw_meta_pair twice[] = {{"k", "1"}, {"k", "2"}}, binary = {"k", "\xfe"};
    check_refused(uw__safetensors_write(path, NULL, 0, twice, 2, true, &err), UW_EINVAL, &err,
                  "duplicate_key");
    check_refused(uw__safetensors_write(path, NULL, 0, &binary, 1, true, &err), UW_EINVAL, &err,
                  "UTF-8");
    assert_int_equal(tempdir_count(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_hostile),
        cmocka_unit_test(test_recorded_good),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_order_and_alignment),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_write_refusals),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
