/* Matrix product, AVX2 with FMA: 12 accumulators of 16 registers. */
#include "x86/vec_avx2.h"

#include "x86/turn.h"
#include "x86/vec_math.h"
#include "x86/x86.h"

enum { MAX_ROWS = 6 };
#define TILES_WIDE(X)   X(4, 3) X(2, 3) X(1, 3) X(6, 2) X(4, 2) X(2, 2) X(1, 2)
#define TILES_SINGLE(X) X(6, 1) X(4, 1) X(2, 1) X(1, 1)

#include "x86/gemm_body.h"
