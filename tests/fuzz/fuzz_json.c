/* Flat JSON: what is accepted is dumped, and the dump is read and dumped the same. */
#include <string.h>

#include "json.h"
#include "mutate.h"

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_json *j = NULL, *again = NULL;
    char *text = malloc(size + 1);
    FUZZ_REQUIRE(text, "memory");
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    const uw_status s = uw__json_parse("case", text, &j, why);
    free(text);
    FUZZ_REQUIRE(!s == !!j, "an object without success, or the reverse");
    if (s) return false;
    char *first = uw__json_dump(j);
    FUZZ_REQUIRE(first && !uw__json_parse("dump", first, &again, why), "a dump that is refused");
    char *second = uw__json_dump(again);
    FUZZ_REQUIRE(second && !strcmp(first, second), "a dump that changes");
    FUZZ_REQUIRE(uw__json_count(j) == uw__json_count(again), "keys lost");
    free(first);
    free(second);
    uw__json_free(j);
    uw__json_free(again);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const char *const texts[] = {
        "{}", "{\"steps\":600,\"lr\":3e-4,\"name\":\"two\\u0020room\",\"robust\":true}",
        " {\"m\": [0.5, -1e-3, \"NaN\"],\"i\":9007199254740993,\"s\":\"\\ud83d\\ude00\"}"};
    return i < 3 && fuzz_copy(texts[i], strlen(texts[i]), data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    fuzz_text((const char *)data, size, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "json",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 3000,
                                            .least_reasons = 4};
