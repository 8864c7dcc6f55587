/* Counter-based random numbers (Random123's Philox4x32-10): a draw is a pure function of
 * (seed, stream, counter), so nothing has to be saved to resume and no thread order matters.
 *
 *     uw_rng r = uw__rng(seed, UW_STREAM_BATCH, step);
 *     float u = uw__rng_uniform(&r);
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11. */
#ifndef UW_RNG_H
#define UW_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One purpose, one stream: two purposes never share draws. */
typedef enum uw_stream {
    UW_STREAM_INIT = 1,    /* weights */
    UW_STREAM_BATCH = 2,   /* which windows a training step sees */
    UW_STREAM_AUGMENT = 3, /* colours and radii of training frames */
    UW_STREAM_SIGREG = 4,  /* projection directions */
    UW_STREAM_DROPOUT = 5,
    UW_STREAM_PLAN = 6,    /* planner noise */
    UW_STREAM_ENV = 7,     /* resets of a world */
    UW_STREAM_POLICY = 8,  /* scripted policies */
    UW_STREAM_PROTOCOL = 9,/* start and goal pairs, test variations */
    UW_STREAM_BOOTSTRAP = 10,
    UW_STREAM_SPLIT = 11,
    UW_STREAM_DISTRACTOR = 12, /* starts and headings of discs */
    UW_STREAM_ACTOR = 13,  /* what an actor leaves to chance */
    UW_STREAM_TEXTURE = 14, /* how a floor's pattern lies */
    UW_STREAM_TEST = 99
} uw_stream;

typedef struct uw_rng {
    uint32_t key[2];  /* from the seed */
    uint32_t ctr[4];  /* [0] block number, [1] stream, [2..3] the caller's counter */
    uint32_t buf[4];  /* one block of output */
    uint32_t used;    /* words of buf already handed out; 4 = draw a new block */
    float spare;      /* second normal of a pair */
    bool has_spare;
} uw_rng;

/* Start the sequence of (seed, stream, counter); sequences never overlap for 2^34 draws. */
uw_rng uw__rng(uint64_t seed, uw_stream stream, uint64_t counter);
uint32_t uw__rng_u32(uw_rng *r);
uint64_t uw__rng_u64(uw_rng *r);
/* Uniform in [0, 1), 24 bits. */
float uw__rng_uniform(uw_rng *r);
/* Uniform in [0, 1), 53 bits. */
double uw__rng_uniform64(uw_rng *r);
/* Unbiased integer in [0, n), n >= 1. */
uint32_t uw__rng_below(uw_rng *r, uint32_t n);
/* Standard normal by Box-Muller, the two values of a pair one after the other; the same bits on every
 * machine (own log, sin and cos, no libm). */
float uw__rng_normal(uw_rng *r);
/* Fill x[0..n) with standard normals; n consecutive uw__rng_normal calls give the same. */
void uw__rng_fill_normal(uw_rng *r, float *x, size_t n);

#endif
