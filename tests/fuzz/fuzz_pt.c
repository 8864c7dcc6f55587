/* PyTorch weight files: what is accepted is written by us and read back the same; nothing is run,
 * so no mutation may leave a file behind. */
#include <string.h>
#include <unistd.h>

#include "fileio.h"
#include "mutate.h"
#include "pt.h"
#include "zip.h"

static void check_same(const uw_pt *a, const uw_pt *b) {
    FUZZ_REQUIRE(uw__pt_count(a) == uw__pt_count(b), "tensors lost");
    for (int32_t i = 0; i < uw__pt_count(a); i++) {
        const uw_tensor x = uw__pt_tensor(a, i), y = uw__pt_tensor(b, i);
        FUZZ_REQUIRE(!strcmp(x.name, y.name) && x.dtype == y.dtype && x.num_dims == y.num_dims,
                     "a tensor differs");
        FUZZ_REQUIRE(!memcmp(x.shape, y.shape, sizeof x.shape), "a shape differs");
        const size_t n = (size_t)uw_tensor_count(&x) * uw_dtype_bytes(x.dtype);
        FUZZ_REQUIRE(!n || !memcmp(x.data, y.data, n), "data differs");
        FUZZ_REQUIRE((uintptr_t)x.data % 64 == 0, "a tensor is not aligned");
    }
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_pt *pt = NULL, *again = NULL;
    const uw_status s = uw__pt_open(fuzz_file(0, data, size), 0, &pt, why);
    FUZZ_REQUIRE(!s == !!pt, "a file without success, or the reverse");
    if (s) return false;
    char path[300];
    snprintf(path, sizeof path, "%s/again.pt", fuzz_folder());
    const int32_t n = uw__pt_count(pt);
    uw_tensor *t = malloc(((size_t)n + 1) * sizeof *t);
    FUZZ_REQUIRE(t, "memory");
    for (int32_t i = 0; i < n; i++) t[i] = uw__pt_tensor(pt, i);
    FUZZ_REQUIRE(!uw__pt_write(path, t, n, true, why), "what was read is not written");
    FUZZ_REQUIRE(!uw__pt_open(path, 0, &again, why), "what was written is not read");
    check_same(pt, again);
    unlink(path);
    free(t);
    uw__pt_close(pt);
    uw__pt_close(again);
    return true;
}

/* ---- seeds ---- */

typedef struct bytes {
    uint8_t at[4000];
    size_t n;
} bytes;

static void put(bytes *b, const void *raw, size_t n) {
    memcpy(b->at + b->n, raw, n);
    b->n += n;
}

static void put_text(bytes *b, const char *word) {
    const uint32_t n = (uint32_t)strlen(word);
    put(b, "X", 1);
    put(b, &n, 4);
    put(b, word, n);
}

/* A [2, 3] view, transposed, of the storage `key` of 8 numbers. */
static void put_view(bytes *b, const char *key, const char *type) {
    put(b, "ctorch._utils\n_rebuild_tensor_v2\n((", 35);
    put_text(b, "storage");
    put(b, "ctorch\n", 7);
    put(b, type, strlen(type));
    put(b, "\n", 1);
    put_text(b, key);
    put_text(b, "cpu");
    put(b, "K\x08NtQK\x01K\x02K\x03\x86K\x01K\x02\x86\x89", 18);
    put(b, "ccollections\nOrderedDict\n)RtR", 29);
}

/* Two tensors below state_dict, a list and an OrderedDict with attributes beside it. */
static void put_dict(bytes *b) {
    put(b, "\x80\x02}(", 4);
    put_text(b, "epoch");
    put(b, "M\x01\x02", 3);
    put_text(b, "list");
    put(b,
        "](NG\0\0\0\0\0\0\0\0\x88"
        "eq\x07",
        16);
    put_text(b, "state_dict");
    put(b, "ccollections\nOrderedDict\n)Rq\x01(", 30);
    put_text(b, "w");
    put_view(b, "0", "FloatStorage");
    put_text(b, "v");
    put_view(b, "1", "HalfStorage");
    put(b, "u}", 2);
    put_text(b, "_metadata");
    put(b, "h\x07sbu.", 6);
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const uint8_t magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                    0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    static const float numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int64_t eight = 8;
    bytes b = {0};
    if (i == 0) {
        const uw_tensor t[] = {{"w", UW_DTYPE_F32, 2, {2, 3}, numbers},
                               {"n", UW_DTYPE_I64, 0, {0}, &eight}};
        char path[300];
        snprintf(path, sizeof path, "%s/seed.pt", fuzz_folder());
        FUZZ_REQUIRE(!uw__pt_write(path, t, 2, true, NULL), "a seed");
        return fuzz_read(path, data, size);
    }
    if (i > 1) return false;
    put(&b, magic, sizeof magic);
    put(&b, "\x80\x02M\xe9\x03.\x80\x02}.", 10);
    put_dict(&b);
    put(&b,
        "\x80\x02](X\1\0\0\0"
        "0X\1\0\0\0"
        "1e.",
        18);
    put(&b, &eight, 8);
    put(&b, numbers, 32);
    put(&b, &eight, 8);
    put(&b, numbers, 16);
    return fuzz_copy(b.at, b.n, data, size);
}

/* ---- variants ---- */

/* Puts a mutated pickle into an archive whose checksums hold. */
static void archive(void *arg, const uint8_t *pickle, size_t n) {
    static const float numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const fuzz_sink *sink = arg;
    char path[300];
    uw_zip_writer *w = NULL;
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/variant.pt", fuzz_folder());
    FUZZ_REQUIRE(!uw__zip_writer_open(path, true, &w, NULL), "an archive");
    FUZZ_REQUIRE(!uw__zip_writer_begin(w, "a/data.pkl", n, 1, NULL), "an archive");
    FUZZ_REQUIRE(!uw__zip_writer_data(w, pickle, n, NULL), "an archive");
    for (int i = 0; i < 2; i++) {
        const size_t bytes_of = i ? 16 : 32;
        FUZZ_REQUIRE(!uw__zip_writer_begin(w, i ? "a/data/1" : "a/data/0", bytes_of, 64, NULL),
                     "an archive");
        FUZZ_REQUIRE(!uw__zip_writer_data(w, numbers, bytes_of, NULL), "an archive");
    }
    FUZZ_REQUIRE(!uw__zip_writer_close(w, NULL), "an archive");
    fuzz_read(path, &data, &size);
    sink->take(sink->arg, data, size);
    free(data);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    static const uint8_t opcodes[] = "(.NJKMGXU)]}teuasqrhjcRbQ\x80\x85\x86\x87\x88\x89\x8a";
    const fuzz_sink mended = {archive, (void *)(uintptr_t)sink};
    bytes b = {0};
    if (!memcmp(data, "PK", 2)) {
        put_dict(&b);
        fuzz_bit_flips(b.at, b.n, &mended);
        fuzz_truncations(b.at, b.n, &mended);
        for (size_t at = 0; at < b.n; at += 3) { /* every opcode at many places */
            for (size_t k = 0; k + 1 < sizeof opcodes; k += 2) {
                bytes changed = b;
                changed.at[at] = opcodes[(k + at) % (sizeof opcodes - 1)];
                archive((void *)(uintptr_t)sink, changed.at, changed.n);
            }
        }
        fuzz_field(data, size, 26, 2, sink);
        return;
    }
    for (size_t at = 15; at + 8 < size; at += 2) fuzz_field(data, size, at, at % 4 ? 1 : 4, sink);
    fuzz_field(data, size, size - 64, 8, sink); /* numbers of the first key */
}

const fuzz_format fuzz_format_under_test = {.name = "pt",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 3000,
                                            .least_reasons = 12};
