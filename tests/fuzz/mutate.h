/* Mutations of inputs, deterministic from a seed: those that need to know nothing, and helpers for
 * those that know where a format keeps its lengths, numbers and words. */
#ifndef UW_MUTATE_H
#define UW_MUTATE_H

#include "fuzz.h"

/* Every length from 0 to size - 1 (long inputs: both ends, then steps). */
void fuzz_truncations(const uint8_t *data, size_t size, const fuzz_sink *sink);
/* Every bit flipped (long inputs: both ends, then steps), and one byte too many at the end. */
void fuzz_bit_flips(const uint8_t *data, size_t size, const fuzz_sink *sink);
/* A little-endian integer field of `width` bytes (1, 2, 4, 8) set to each boundary value: around 0,
 * around every power of two that matters, around its own value and around the input's size. */
void fuzz_field(const uint8_t *data, size_t size, size_t offset, size_t width,
                const fuzz_sink *sink);
/* Text made of words: each number becomes each boundary number, each quoted word each nasty word,
 * each punctuation mark is dropped, doubled and replaced, each word is dropped, doubled and nested
 * deeply. */
void fuzz_text(const char *text, size_t size, const fuzz_sink *sink);
/* `count` inputs of 1 to 8 stacked random edits: flips, boundary bytes, copies, cuts, insertions,
 * and pieces of another input. */
void fuzz_random(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                 uint64_t seed, int count, const fuzz_sink *sink);

#endif
