/* The operations that have an AVX2 and an AVX-512 twin; what is missing here stays with ref/.
 *
 * Left out on purpose: im2col and col2im copy short runs of memory, which ref/ does as well. */
#ifndef UW_X86_H
#define UW_X86_H

#include "kernels.h"

#define UW_AVX2_MAP(X)   UW_X86_MAP(X)
#define UW_AVX512_MAP(X) UW_X86_MAP(X)

#define UW_X86_MAP(X) X(gemm, uw_gemm_fn)

#define X(field, type) type uw_##field##_avx2;
UW_AVX2_MAP(X)
#undef X
#define X(field, type) type uw_##field##_avx512;
UW_AVX512_MAP(X)
#undef X

#endif
