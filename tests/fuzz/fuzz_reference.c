/* The reference's config.json: what is accepted is written by us and read back the same. */
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "fileio.h"
#include "mutate.h"

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_model_config config = {0}, again = {0};
    int32_t block = 0, same = 0;
    char *text = NULL;
    const uw_status s = uw__reference_config_read(fuzz_file(0, data, size), &config, &block, why);
    if (s) return false;
    FUZZ_REQUIRE(block >= 1, "a block of nothing");
    config.frameskip = 1;
    config.action_dim = block;
    FUZZ_REQUIRE(!uw__reference_config_text(&config, &text, why), why->text);
    const char *path = fuzz_file(1, text, strlen(text));
    FUZZ_REQUIRE(!uw__reference_config_read(path, &again, &same, why), why->text);
    again.frameskip = 1;
    again.action_dim = same;
    FUZZ_REQUIRE(same == block && !memcmp(&config, &again, sizeof config), "a field differs");
    free(text);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static const char *const names[] = {"config.json", "config_full.json"};
    char path[600];
    if (i < 2) {
        snprintf(path, sizeof path, "%s/golden/checkpoints/good/%s", UW_VECTORS_DEFAULT, names[i]);
        return fuzz_read(path, data, size);
    }
    if (i > 2) return false;
    static const char head[] = "{\"a\": [1, {\"]\": \"}\"}], \"model\": ",
                      tail[] = ", \"b\": null}";
    static char text[4096];
    uint8_t *inner;
    size_t n;
    snprintf(path, sizeof path, "%s/golden/checkpoints/good/config.json", UW_VECTORS_DEFAULT);
    FUZZ_REQUIRE(fuzz_read(path, &inner, &n), "a seed");
    const int used =
        snprintf(text, sizeof text, "%s%.*s%s", head, (int)n, (const char *)inner, tail);
    free(inner);
    return fuzz_copy(text, (size_t)used, data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    fuzz_text((const char *)data, size, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "reference",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 500,
                                            .least_reasons = 8};
