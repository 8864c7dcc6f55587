/* Entry-by-entry operations and AdamW, AVX-512. */
#include "x86/vec_avx512.h"

#include "x86/x86.h"

#include "x86/elementwise_body.h"
