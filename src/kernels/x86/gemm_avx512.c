/* Matrix product, AVX-512: 24 accumulators of 32 registers. */
#include "x86/vec_avx512.h"

#include "x86/turn.h"
#include "x86/vec_math.h"
#include "x86/x86.h"

enum { MAX_ROWS = 12 };
#define TILES_WIDE(X)   X(8, 3) X(4, 3) X(2, 3) X(1, 3) X(12, 2) X(8, 2) X(4, 2) X(2, 2) X(1, 2)
#define TILES_SINGLE(X) X(12, 1) X(8, 1) X(4, 1) X(2, 1) X(1, 1)

#include "x86/gemm_body.h"
