/* The bf16 product, AVX-512 without bf16 instructions: 24 accumulators of 32 registers. */
#include "x86/vec_avx512.h"

#include "x86/bf16_avx512.h"
#include "x86/turn.h"
#include "x86/vec_math.h"
#include "x86/x86.h"

typedef float a_element;
#define A_STEP   0 /* A is widened */
#define ROW_UNIT 24
enum { MAX_ROWS = 12, MAX_PANELS = 3 };
#define TILES(X)                                                                                   \
    X(8, 3)                                                                                        \
    X(4, 3)                                                                                        \
    X(2, 3) X(1, 3) X(12, 2) X(8, 2) X(4, 2) X(2, 2) X(1, 2) X(12, 1) X(4, 1) X(2, 1) X(1, 1)

#include "x86/gemm_bf16_body.h"

void uw_gemm_bf16_pack_avx512(void *packed, const float *b, size_t ldb, bool trans_b, size_t n,
                              size_t k) {
    pack_block(packed, b, ldb, trans_b, k, n);
}
