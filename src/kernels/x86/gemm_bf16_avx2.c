/* The bf16 product, AVX2 with FMA: 12 accumulators of 16 registers. */
#include "x86/vec_avx2.h"

#include "x86/bf16_avx2.h"
#include "x86/turn.h"
#include "x86/vec_math.h"
#include "x86/x86.h"

typedef float a_element;
#define A_STEP   0 /* A is widened */
#define ROW_UNIT 12
enum { MAX_ROWS = 6, MAX_PANELS = 1 };
#define TILES(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1)

#include "x86/gemm_bf16_body.h"

void uw_gemm_bf16_pack_avx2(void *packed, const float *b, size_t ldb, bool trans_b, size_t n,
                            size_t k) {
    pack_block(packed, b, ldb, trans_b, k, n);
}
