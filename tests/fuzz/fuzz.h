/* One file format under fire.  A format is one small file that defines fuzz_format_under_test; two
 * mains use it:
 *
 *   replay.c     CTest: seeds, kept corpus, every structured mutation, random ones from a printed
 * seed libfuzzer.c  clang -fsanitize=fuzzer, for hours
 *
 * The promise that both check: every input is accepted, and then survives a round trip, or refused
 * with a named reason and advice, within bounded time and memory.  To add a format: write
 * fuzz_<name>.c beside fuzz_json.c and one line uw_fuzz(<name> MODULES ...) in
 * tests/cmake/fuzz.cmake. */
#ifndef UW_FUZZ_H
#define UW_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <umwelt/status.h>

/* Receives each variant that a mutation makes; data is the giver's, for the call. */
typedef struct fuzz_sink {
    void (*take)(void *arg, const uint8_t *data, size_t size);
    void *arg;
} fuzz_sink;

typedef struct fuzz_format {
    const char *name;
    /* True when accepted: then the round trip was checked with FUZZ_REQUIRE.  False with *why
     * filled. */
    bool (*judge)(const uint8_t *data, size_t size, uw_err *why);
    /* Build the i-th valid input, malloc'd; false after the last. */
    bool (*seed)(int i, uint8_t **data, size_t *size);
    /* Mutations that know the format (nullable): call mutate.h's helpers on the parts of a seed. */
    void (*variants)(const uint8_t *seed, size_t size, const fuzz_sink *sink);
    int random_cases;  /* stacked random mutations per seed; $UW_FUZZ_CASES overrides */
    int least_reasons; /* distinct reasons that the mutations must reach, so that none of this is
                          idle */
} fuzz_format;

extern const fuzz_format fuzz_format_under_test;

/* A broken promise ends the program; the input is saved by replay.c and by libFuzzer. */
#define FUZZ_REQUIRE(truth, what)                                                                  \
    do {                                                                                           \
        if (!(truth)) {                                                                            \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, (what));                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The bytes as a regular file in memory; the path is good until the next call with the same slot
 * (0..3). */
const char *fuzz_file(int slot, const void *data, size_t size);
/* A folder of this process in memory (or $TMPDIR), removed at the end, for formats that write. */
const char *fuzz_folder(void);
/* Copy n bytes as a seed. */
bool fuzz_copy(const void *bytes, size_t n, uint8_t **data, size_t *size);
/* Read a file as a seed. */
bool fuzz_read(const char *path, uint8_t **data, size_t *size);

#endif
