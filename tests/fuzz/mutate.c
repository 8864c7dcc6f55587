/* Mutations.  Each builds its variant in a scratch copy and hands it on; nothing is kept. */
#include "mutate.h"

#include <ctype.h>
#include <string.h>

#include "rng.h"

enum { WHOLE = 2048, MAX_WORD = 64, DEEP = 2000 };

static uint8_t *need(size_t n) {
    uint8_t *p = malloc(n ? n : 1);
    FUZZ_REQUIRE(p, "memory for a mutation");
    return p;
}

/* From one position to the next: all of a short input, both ends and 997 steps of a long one. */
static size_t stride(size_t at, size_t size) {
    return size <= WHOLE || at < WHOLE / 2 || at + WHOLE / 4 > size ? 1 : 1 + size / 997;
}

void fuzz_truncations(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    for (size_t n = 0; n < size; n += stride(n, size)) sink->take(sink->arg, data, n);
}

void fuzz_bit_flips(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    uint8_t *copy = need(size + 1);
    memcpy(copy, data, size);
    for (size_t i = 0; i < size; i += stride(i, size)) {
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1u << bit);
            sink->take(sink->arg, copy, size);
            copy[i] ^= (uint8_t)(1u << bit);
        }
    }
    static const uint8_t more[] = {0, ' ', '\n', '}', 0xff};
    for (size_t i = 0; i < sizeof more; i++) {
        copy[size] = more[i];
        sink->take(sink->arg, copy, size + 1);
    }
    free(copy);
}

void fuzz_field(const uint8_t *data, size_t size, size_t offset, size_t width,
                const fuzz_sink *sink) {
    uint64_t old = 0, values[400];
    int n = 0;
    if (offset + width > size) return;
    for (size_t i = width; i-- > 0;) old = old << 8 | data[offset + i];
    const uint64_t around[] = {0,        old,       old * 2,   size, size - offset,
                               size / 2, 100000000, UINT64_MAX};
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        for (int d = -2; d <= 2; d++) values[n++] = around[i] + (uint64_t)(int64_t)d;
    }
    for (int bit = 3; bit < 64; bit++) {
        for (int d = -1; d <= 1; d++) values[n++] = (UINT64_C(1) << bit) + (uint64_t)(int64_t)d;
    }
    uint8_t *copy = need(size);
    memcpy(copy, data, size);
    for (int k = 0; k < n; k++) {
        for (size_t i = 0; i < width; i++) copy[offset + i] = (uint8_t)(values[k] >> 8 * i);
        sink->take(sink->arg, copy, size);
    }
    free(copy);
}

/* Replace data[from, to) by n bytes and hand the result on. */
static void replace(const char *data, size_t size, size_t from, size_t to, const char *with,
                    size_t n, const fuzz_sink *sink) {
    uint8_t *copy = need(size - (to - from) + n);
    memcpy(copy, data, from);
    memcpy(copy + from, with, n);
    memcpy(copy + from + n, data + to, size - to);
    sink->take(sink->arg, copy, size - (to - from) + n);
    free(copy);
}

static void replace_all(const char *data, size_t size, size_t from, size_t to,
                        const char *const *with, size_t count, const fuzz_sink *sink) {
    for (size_t i = 0; i < count; i++) {
        replace(data, size, from, to, with[i], strlen(with[i]), sink);
    }
}

/* The end of the word at `from`: a number, a quoted text, a name, or one mark. */
static size_t word_end(const char *t, size_t size, size_t from) {
    size_t to = from + 1;
    if (t[from] == '"' || t[from] == '\'') {
        while (to < size && t[to] != t[from]) to += t[to] == '\\' && to + 1 < size ? 2 : 1;
        return to < size ? to + 1 : size;
    }
    if (!isalnum((unsigned char)t[from]) && t[from] != '-') return to;
    while (to < size && (isalnum((unsigned char)t[to]) || strchr("._+", t[to]))) to++;
    return to;
}

static void nest(const char *t, size_t size, size_t from, size_t to, const fuzz_sink *sink) {
    static const char *const open[] = {"[", "{\"a\":", "("};
    for (size_t k = 0; k < 3; k++) {
        const size_t each = strlen(open[k]);
        char *deep = (char *)need(each * DEEP);
        for (size_t i = 0; i < DEEP; i++) memcpy(deep + each * i, open[k], each);
        replace(t, size, from, to, deep, each * DEEP, sink);
        free(deep);
    }
}

void fuzz_text(const char *text, size_t size, const fuzz_sink *sink) {
    static const char *const numbers[] = {"0",
                                          "1",
                                          "-1",
                                          "2",
                                          "3",
                                          "00",
                                          "01",
                                          "1.0",
                                          "0.5",
                                          "1e0",
                                          "1e400",
                                          "-0",
                                          "1e-400",
                                          "127",
                                          "255",
                                          "256",
                                          "65535",
                                          "65536",
                                          "2147483647",
                                          "2147483648",
                                          "4294967295",
                                          "4294967296",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "99999999999999999999999999999999",
                                          "-9223372036854775808",
                                          "NaN",
                                          "Infinity",
                                          "null",
                                          "true",
                                          "\"1\"",
                                          "[]",
                                          "{}",
                                          "",
                                          "0x10",
                                          "1_000",
                                          "+1",
                                          "1,1",
                                          "1 1"};
    static const char *const words[] = {"\"\"",
                                        "\"a\"",
                                        "\"__metadata__\"",
                                        "\"\\u0000\"",
                                        "\"\\ud800\"",
                                        "\"\\ud83d\\ude00\"",
                                        "\"\\n\"",
                                        "\"\xff\"",
                                        "\"\xc0\x80\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\x1b[2J\"",
                                        "\"\\\"",
                                        "\"",
                                        "\"F32\"",
                                        "\"F64\"",
                                        "\"U8\"",
                                        "\"BF16\"",
                                        "\"I8\"",
                                        "\"dtype\"",
                                        "\"shape\"",
                                        "\"data_offsets\"",
                                        "0",
                                        "null",
                                        "[]",
                                        "{}",
                                        "''",
                                        "'a'",
                                        "'>f4'",
                                        "'|O'",
                                        "'<U1'",
                                        "True",
                                        "\"../../x\""};
    static const char *const marks[] = {"",  "{",  "}",  "[",  "]", ",", ":",  "\"", "(",
                                        ")", "\n", "\r", "\t", " ", "#", "&",  "*",  "!",
                                        "|", ">",  "%",  "@",  "-", ";", "\\", "'"};
    for (size_t from = 0; from < size;) {
        const size_t to = word_end(text, size, from);
        const char c = text[from];
        if (c == '-' || isdigit((unsigned char)c)) {
            replace_all(text, size, from, to, numbers, sizeof numbers / sizeof numbers[0], sink);
        } else if (c == '"' || c == '\'' || isalpha((unsigned char)c)) {
            replace_all(text, size, from, to, words, sizeof words / sizeof words[0], sink);
        } else {
            replace_all(text, size, from, to, marks, sizeof marks / sizeof marks[0], sink);
        }
        replace(text, size, from, to, "", 0, sink);
        replace(text, size, to, to, text + from, to - from, sink); /* doubled */
        if (c != ' ') nest(text, size, from, to, sink);
        from = to;
    }
}

/* One edit in place; returns the new size, at most cap. */
static size_t edit(uw_rng *r, uint8_t *p, size_t size, size_t cap, const uint8_t *other,
                   size_t other_size) {
    static const uint8_t bytes[] = {0,   1,   0x7f, 0x80, 0xff, ' ', '\n', '"',
                                    '{', '}', '[',  ']',  ',',  '0', '9'};
    const size_t at = size ? uw__rng_below(r, (uint32_t)size) : 0;
    const size_t left = size - at;
    size_t n = left ? 1 + uw__rng_below(r, left < MAX_WORD ? (uint32_t)left : MAX_WORD) : 0;
    switch (uw__rng_below(r, 7)) {
    case 0:
        if (size) p[at] ^= (uint8_t)(1u << uw__rng_below(r, 8));
        return size;
    case 1:
        if (size) p[at] = bytes[uw__rng_below(r, sizeof bytes)];
        return size;
    case 2: /* cut out */
        memmove(p + at, p + at + n, left - n);
        return size - n;
    case 3: /* double a piece */
        if (size + n > cap) return size;
        memmove(p + at + n, p + at, left);
        return size + n;
    case 4: /* insert a byte */
        if (size == cap) return size;
        memmove(p + at + 1, p + at, left);
        p[at] = bytes[uw__rng_below(r, sizeof bytes)];
        return size + 1;
    case 5: { /* overwrite by a piece of the other */
        if (!other_size || !n) return size;
        const size_t from = uw__rng_below(r, (uint32_t)other_size);
        if (n > other_size - from) n = other_size - from;
        memcpy(p + at, other + from, n);
        return size;
    }
    default: { /* a wild integer */
        const size_t width = (size_t)1 << uw__rng_below(r, 4);
        uint64_t v = uw__rng_u64(r);
        v >>= uw__rng_below(r, 64); /* in this order, with every compiler */
        for (size_t i = 0; i < width && at + i < size; i++) p[at + i] = (uint8_t)(v >> 8 * i);
        return size;
    }
    }
}

void fuzz_random(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                 uint64_t seed, int count, const fuzz_sink *sink) {
    const size_t cap = size + 8 * MAX_WORD;
    uint8_t *copy = need(cap);
    for (int i = 0; i < count; i++) {
        uw_rng r = uw__rng(seed, UW_STREAM_TEST, (uint64_t)i);
        size_t n = size;
        memcpy(copy, data, size);
        for (uint32_t k = uw__rng_below(&r, 8) + 1; k > 0; k--) {
            n = edit(&r, copy, n, cap, other, other_size);
        }
        sink->take(sink->arg, copy, n);
    }
    free(copy);
}
