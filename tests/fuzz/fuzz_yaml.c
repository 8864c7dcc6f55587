/* Flat YAML: the pairs that are accepted, written with quotes, are read as the same pairs. */
#include <string.h>

#include "json_text.h"
#include "mutate.h"
#include "yaml.h"

static uw_status put_pair(void *arg, const char *key, const char *value, int32_t line,
                          uw_err *err) {
    uw_text *t = arg;
    (void)err;
    FUZZ_REQUIRE(line >= 1, "a line");
    uw__text_str(t, "? "); /* a key of any length */
    uw__text_quoted(t, key);
    uw__text_str(t, "\n: ");
    uw__text_quoted(t, value);
    uw__text_str(t, "\n");
    return UW_OK;
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_text first = {0}, second = {0};
    const bool accepted = !uw__yaml_flat(fuzz_file(0, data, size), put_pair, &first, why);
    if (accepted) {
        FUZZ_REQUIRE(!uw__yaml_flat(fuzz_file(1, first.at, first.size), put_pair, &second, why),
                     why->text);
        FUZZ_REQUIRE(first.size == second.size &&
                         (!first.size || !memcmp(first.at, second.at, first.size)),
                     "pairs changed");
    }
    free(first.at);
    free(second.at);
    return accepted;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const char *const texts[] = {
        "", "# a\nsteps: 600\nname: \"two\\troom\"\nnote: 'it''s'\nempty:\n",
        "---\na: |\n  two\n  lines\nb: >-\n  folded\n  text\n...\n", "{a: 1, \"b\": x y}\n"};
    return i < 4 && fuzz_copy(texts[i], strlen(texts[i]), data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    fuzz_text((const char *)data, size, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "yaml",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 3000,
                                            .least_reasons = 4};
