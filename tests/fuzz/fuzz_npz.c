/* NPZ and NPY: what is accepted is decoded, written by us and decoded the same. */
#include <string.h>
#include <unistd.h>

#include "mutate.h"
#include "npy.h"

enum { MAX_BYTES = 16 << 20 }; /* what a case may unpack to */

/* Decode all; numbers go into the writer, texts are only read. */
static uw_status copy_all(uw_npz *z, uw_npz_writer *w, int32_t *written, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t i = 0; i < uw__npz_count(z) && !s; i++) {
        uw_tensor t;
        const char **text;
        int64_t n;
        s = uw__npz_get(z, i, &t, err);
        if (s == UW_EUNSUPPORTED && strstr(err->text, "text_array")) {
            if ((s = uw__npz_strings(z, i, &text, &n, err))) return s;
            for (int64_t k = 0; k < n; k++) FUZZ_REQUIRE(strlen(text[k]) < MAX_BYTES, "a text");
            continue;
        }
        if (s) return s;
        FUZZ_REQUIRE((uintptr_t)t.data % 64 == 0, "an array is not aligned");
        const size_t bytes = (size_t)uw_tensor_count(&t) * uw_dtype_bytes(t.dtype);
        if (strlen(t.name) > 1000) continue;
        FUZZ_REQUIRE(!uw__npz_writer_begin(w, t.name, t.dtype, t.num_dims, t.shape, err),
                     err->text);
        FUZZ_REQUIRE(!uw__npz_writer_data(w, t.data, bytes, err), err->text);
        ++*written;
    }
    return s;
}

static void check_same(uw_npz *a, uw_npz *b) {
    for (int32_t i = 0; i < uw__npz_count(b); i++) {
        uw_tensor x, y;
        uw_err err = {0};
        FUZZ_REQUIRE(!uw__npz_get(b, i, &y, &err), err.text);
        const int32_t at = uw__npz_find(a, y.name);
        FUZZ_REQUIRE(at >= 0 && !uw__npz_get(a, at, &x, &err), "a name is not found");
        FUZZ_REQUIRE(x.dtype == y.dtype && x.num_dims == y.num_dims, "an array differs");
        FUZZ_REQUIRE(!memcmp(x.shape, y.shape, (size_t)x.num_dims * sizeof x.shape[0]),
                     "a shape differs");
        const size_t bytes = (size_t)uw_tensor_count(&x) * uw_dtype_bytes(x.dtype);
        FUZZ_REQUIRE(!bytes || !memcmp(x.data, y.data, bytes), "data differs");
    }
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_npz *z = NULL, *again = NULL;
    uw_npz_writer *w = NULL;
    int32_t written = 0;
    char path[300];
    uw_status s = uw__npz_open(fuzz_file(0, data, size), MAX_BYTES, &z, why);
    FUZZ_REQUIRE(!s == !!z, "an archive without success, or the reverse");
    if (s) return false;
    snprintf(path, sizeof path, "%s/again.npz", fuzz_folder());
    FUZZ_REQUIRE(!uw__npz_writer_open(path, true, &w, NULL), "a writer");
    s = copy_all(z, w, &written, why);
    if (s) {
        uw__npz_writer_abort(w);
    } else {
        FUZZ_REQUIRE(!uw__npz_writer_close(w, why), why->text);
        FUZZ_REQUIRE(!uw__npz_open(path, 0, &again, why), why->text);
        FUZZ_REQUIRE(uw__npz_count(again) == written, "arrays lost");
        check_same(z, again);
        unlink(path);
    }
    uw__npz_close(again);
    uw__npz_close(z);
    return !s;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const char *const names[] = {"small.npz", "small_deflated.npz", "single.npy",
                                        "version2.npy"};
    char path[600];
    if (i >= 4) return false;
    snprintf(path, sizeof path, "%s/npy/%s", UW_VECTORS_DEFAULT, names[i]);
    return fuzz_read(path, data, size);
}

/* Puts a mutated dict back behind a mended length. */
typedef struct assembler {
    const uint8_t *head, *tail;
    size_t head_size, tail_size;
    const fuzz_sink *sink;
} assembler;

static void assemble(void *arg, const uint8_t *dict, size_t n) {
    const assembler *a = arg;
    uint8_t *whole = malloc(a->head_size + n + a->tail_size);
    FUZZ_REQUIRE(whole, "memory");
    memcpy(whole, a->head, a->head_size);
    whole[8] = (uint8_t)n, whole[9] = (uint8_t)(n >> 8);
    memcpy(whole + a->head_size, dict, n);
    memcpy(whole + a->head_size + n, a->tail, a->tail_size);
    a->sink->take(a->sink->arg, whole, a->head_size + n + a->tail_size);
    free(whole);
}

static void single_variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    const size_t head = data[6] == 1 ? 10 : 12, n = (size_t)data[8] | (size_t)data[9] << 8;
    size_t words = n;
    while (words > 0 && data[head + words - 1] != '}') words--; /* not the padding */
    const assembler a = {data, data + head + n, head, size - head - n, sink};
    const fuzz_sink mended = {assemble, (void *)(uintptr_t)&a};
    fuzz_text((const char *)data + head, words, &mended);
    fuzz_random(data + head, words, data + head, words, size, 2000, &mended);
    fuzz_field(data, size, 6, 2, sink);
    fuzz_field(data, size, 8, data[6] == 1 ? 2 : 4, sink);
}

/* Every field of the end record, and of the first and last directory entries and local headers. */
static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    static const int end[][2] = {{0, 4},  {4, 2},  {6, 2},  {8, 2},
                                 {10, 2}, {12, 4}, {16, 4}, {20, 2}};
    static const int entry[][2] = {{0, 4},  {8, 2},  {10, 2}, {16, 4}, {20, 4}, {24, 4},
                                   {28, 2}, {30, 2}, {32, 2}, {34, 2}, {42, 4}};
    static const int local[][2] = {{0, 4},  {6, 2},  {8, 2},  {14, 4},
                                   {18, 4}, {22, 4}, {26, 2}, {28, 2}};
    if (data[0] == 0x93) {
        single_variants(data, size, sink);
        return;
    }
    for (size_t k = 0; k < 8; k++) {
        fuzz_field(data, size, size - 22 + (size_t)end[k][0], (size_t)end[k][1], sink);
    }
    int entries = 0, locals = 0;
    for (size_t at = 0; at + 4 < size; at++) {
        if (!memcmp(data + at, "PK\1\2", 4) && entries++ % 2 == 0) {
            for (size_t k = 0; k < 11; k++) {
                fuzz_field(data, size, at + (size_t)entry[k][0], (size_t)entry[k][1], sink);
            }
        }
        if (!memcmp(data + at, "PK\3\4", 4) && locals++ % 2 == 0) {
            for (size_t k = 0; k < 8; k++) {
                fuzz_field(data, size, at + (size_t)local[k][0], (size_t)local[k][1], sink);
            }
        }
    }
}

const fuzz_format fuzz_format_under_test = {.name = "npz",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 1000,
                                            .least_reasons = 15};
