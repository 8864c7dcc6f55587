/* The operations that have an AVX2 and an AVX-512 twin. */
#ifndef UW_X86_H
#define UW_X86_H

#include "kernels.h"

#define UW_AVX2_MAP(X)   UW_KERNEL_F32_MAP(X)
#define UW_AVX512_MAP(X) UW_KERNEL_F32_MAP(X)

#define X(field, type) type uw_##field##_avx2;
UW_AVX2_MAP(X)
#undef X
#define X(field, type) type uw_##field##_avx512;
UW_AVX512_MAP(X)
#undef X

#endif
