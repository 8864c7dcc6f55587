/* Reductions, AVX2 with FMA. */
#include "x86/vec_avx2.h"

#include "x86/x86.h"

#include "x86/reduce_body.h"
