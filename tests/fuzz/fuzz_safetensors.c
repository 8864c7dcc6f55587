/* safetensors: what is accepted is written, and what was written is read as the same tensors and
 * metadata. */
#include <string.h>
#include <unistd.h>

#include "mutate.h"
#include "safetensors.h"

static void check_same(const uw_safetensors *a, const uw_safetensors *b) {
    FUZZ_REQUIRE(uw__safetensors_count(a) == uw__safetensors_count(b), "tensors lost");
    FUZZ_REQUIRE(uw__safetensors_meta_count(a) == uw__safetensors_meta_count(b), "metadata lost");
    for (int32_t i = 0; i < uw__safetensors_count(a); i++) {
        const uw_tensor x = uw__safetensors_tensor(a, i), y = uw__safetensors_tensor(b, i);
        FUZZ_REQUIRE(uw__safetensors_find(a, x.name) == i, "a name is not found");
        FUZZ_REQUIRE(!strcmp(x.name, y.name) && x.dtype == y.dtype && x.num_dims == y.num_dims,
                     "a tensor differs");
        FUZZ_REQUIRE(!memcmp(x.shape, y.shape, sizeof x.shape), "a shape differs");
        const size_t n = (size_t)uw_tensor_count(&x) * uw_dtype_bytes(x.dtype);
        FUZZ_REQUIRE(!n || !memcmp(x.data, y.data, n), "data differs");
        FUZZ_REQUIRE((uintptr_t)x.data % 64 == 0, "a tensor is not aligned");
    }
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_safetensors *st = NULL, *again = NULL;
    const uw_status s = uw__safetensors_parse("case", data, size, &st, why);
    FUZZ_REQUIRE(!s == !!st, "a file without success, or the reverse");
    if (s) return false;
    char path[300];
    snprintf(path, sizeof path, "%s/again", fuzz_folder());
    const int32_t n = uw__safetensors_count(st), m = uw__safetensors_meta_count(st);
    uw_tensor *t = malloc(((size_t)n + 1) * sizeof *t);
    uw_meta_pair *meta = malloc(((size_t)m + 1) * sizeof *meta);
    FUZZ_REQUIRE(t && meta, "memory");
    for (int32_t i = 0; i < n; i++) t[i] = uw__safetensors_tensor(st, i);
    for (int32_t i = 0; i < m; i++) uw__safetensors_meta_at(st, i, &meta[i].key, &meta[i].value);
    FUZZ_REQUIRE(!uw__safetensors_write(path, t, n, meta, m, true, why),
                 "what was read is not written");
    FUZZ_REQUIRE(!uw__safetensors_open(path, 0, &again, why), "what was written is not read");
    check_same(st, again);
    for (int32_t i = 0; i < m; i++) {
        const char *value = uw__safetensors_meta(again, meta[i].key);
        FUZZ_REQUIRE(value && !strcmp(value, meta[i].value), "metadata differs");
    }
    unlink(path);
    free(t);
    free(meta);
    uw__safetensors_close(st);
    uw__safetensors_close(again);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const struct {
        const char *header;
        size_t bytes;
    } seeds[] = {
        {"{}", 0},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}   ", 24},
        {"{\"__metadata__\":{\"config\":\"{\\\"a\\\": 1}\",\"k\":\"\"},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
         "\"a.weight\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
         "\"empty\":{\"dtype\":\"BF16\",\"shape\":[4,0],\"data_offsets\":[8,8]}}",
         11},
        {"{\"x\" : {\"shape\" : [1,1,1,1,1,1,1,2], \"data_offsets\" : [0,16], \"dtype\" : "
         "\"I64\"}}",
         16},
    };
    uint8_t raw[1000] = {0};
    if (i >= 4) return false;
    const size_t n = strlen(seeds[i].header);
    for (int k = 0; k < 8; k++) raw[k] = (uint8_t)(n >> 8 * k);
    memcpy(raw + 8, seeds[i].header, n);
    for (size_t k = 0; k < seeds[i].bytes; k++) raw[8 + n + k] = (uint8_t)(k * 7 + 1);
    return fuzz_copy(raw, 8 + n + seeds[i].bytes, data, size);
}

/* Puts a mutated header back between its length, mended, and the data. */
typedef struct assembler {
    const uint8_t *tail;
    size_t tail_size;
    const fuzz_sink *sink;
} assembler;

static void assemble(void *arg, const uint8_t *header, size_t n) {
    const assembler *a = arg;
    uint8_t *whole = malloc(8 + n + a->tail_size);
    FUZZ_REQUIRE(whole, "memory");
    for (int k = 0; k < 8; k++) whole[k] = (uint8_t)((uint64_t)n >> 8 * k);
    memcpy(whole + 8, header, n);
    memcpy(whole + 8 + n, a->tail, a->tail_size);
    a->sink->take(a->sink->arg, whole, 8 + n + a->tail_size);
    free(whole);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    uint64_t n = 0;
    memcpy(&n, data, 8);
    assembler a = {data + 8 + n, size - 8 - n, sink};
    const fuzz_sink mended = {assemble, &a};
    fuzz_field(data, size, 0, 8, sink);
    fuzz_text((const char *)data + 8, n, &mended);
    fuzz_bit_flips(data + 8, n, &mended);
    fuzz_truncations(data + 8, n, &mended);
    fuzz_random(data + 8, n, data + 8, n, n, 2000, &mended);
    /* every member twice, under the same name: {A} -> {A,A} */
    size_t end = n;
    while (data[8 + end - 1] == ' ') end--;
    if (end > 2) {
        uint8_t *twice = malloc(2 * end);
        FUZZ_REQUIRE(twice, "memory");
        memcpy(twice, data + 8, end - 1);
        twice[end - 1] = ',';
        memcpy(twice + end, data + 9, end - 1);
        assemble(&a, twice, 2 * end - 1);
        free(twice);
    }
    /* the header as it is, fewer and fewer bytes of data */
    while (a.tail_size > 0) {
        a.tail_size--;
        assemble(&a, data + 8, n);
    }
}

const fuzz_format fuzz_format_under_test = {.name = "safetensors",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 2000,
                                            .least_reasons = 17};
