/* Attention of one head, AVX-512: 24 accumulators of 32 registers. */
#include "x86/vec_avx512.h"

#include "x86/turn.h"
#include "x86/x86.h"

enum { MAX_ROWS = 12 };
#define ATTEND_TILES(X) X(12) X(8) X(4) X(2) X(1)

#include "x86/attend_body.h"
