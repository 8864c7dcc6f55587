/* libFuzzer's entry: the same promise as replay.c, on inputs that coverage chooses. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uw_err why = {0};
    uint8_t *copy = malloc(size ? size : 1); /* exact size: ASan sees what is read beyond */
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    if (!fuzz_format_under_test.judge(copy, size, &why)) {
        FUZZ_REQUIRE(why.text[0], "a refusal without a reason");
        FUZZ_REQUIRE(why.fix[0], "a refusal without advice");
    }
    free(copy);
    return 0;
}
