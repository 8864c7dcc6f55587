/* Functions of single values, AVX-512. */
#include "x86/vec_avx512.h"

#include "x86/vec_math.h"
#include "x86/x86.h"

#include "x86/map_body.h"
