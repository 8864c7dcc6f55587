/* Event files that are continued: whatever was there, the result is whole records, and opening it
 * again changes nothing. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fileio.h"
#include "mutate.h"
#include "tfevents.h"

static void write_file(const char *path, const uint8_t *data, size_t size) {
    FILE *f = fopen(path, "wb");
    FUZZ_REQUIRE(f && fwrite(data, 1, size, f) == size && !fclose(f), path);
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    char path[300];
    uw_tfevents *t = NULL;
    void *once = NULL, *twice = NULL;
    size_t n1 = 0, n2 = 0;
    snprintf(path, sizeof path, "%s/events.out.tfevents.x", fuzz_folder());
    write_file(path, data, size);
    const int64_t until = size % 3 ? -1 : (int64_t)(size % 7);
    const uw_status s = uw__tfevents_open(fuzz_folder(), "x", until, &t, why);
    FUZZ_REQUIRE(!s == !!t, "a writer without success, or the reverse");
    if (s) return false;
    FUZZ_REQUIRE(!uw__tfevents_scalar(t, "x", until < 0 ? 1 : until, 0, 1, why), why->text);
    uw__tfevents_close(t);
    FUZZ_REQUIRE(!uw__file_read(path, 1 << 24, &once, &n1, why), why->text);
    FUZZ_REQUIRE(!uw__tfevents_open(fuzz_folder(), "x", until, &t, why), why->text);
    uw__tfevents_close(t);
    FUZZ_REQUIRE(!uw__file_read(path, 1 << 24, &twice, &n2, why), why->text);
    FUZZ_REQUIRE(n1 == n2 && !memcmp(once, twice, n1), "opening again changed the file");
    free(once);
    free(twice);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    char path[300];
    uw_tfevents *t = NULL;
    if (i >= 2) return false;
    snprintf(path, sizeof path, "%s/events.out.tfevents.seed", fuzz_folder());
    unlink(path);
    FUZZ_REQUIRE(!uw__tfevents_open(fuzz_folder(), "seed", -1, &t, NULL), "a seed");
    for (int k = 0; k < 5 * i; k++) {
        FUZZ_REQUIRE(!uw__tfevents_scalar(t, "loss", k * 100, 0.5 * k, (float)k, NULL), "a seed");
    }
    uw__tfevents_close(t);
    return fuzz_read(path, data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    fuzz_field(data, size, 0, 8, sink);
    fuzz_field(data, size, 40, 8,
               sink); /* the second record's length, behind the version's 40 bytes */
}

const fuzz_format fuzz_format_under_test = {.name = "tfevents",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 500,
                                            .least_reasons = 1};
