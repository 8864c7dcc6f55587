/* Attention of one head, AVX2: 12 accumulators of 16 registers. */
#include "x86/vec_avx2.h"

#include "x86/turn.h"
#include "x86/x86.h"

enum { MAX_ROWS = 6 };
#define ATTEND_TILES(X) X(6) X(4) X(2) X(1)

#include "x86/attend_body.h"
