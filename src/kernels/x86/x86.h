/* The operations that have a twin in each instruction set. */
#ifndef UW_X86_H
#define UW_X86_H

#include "kernels.h"

#define UW_AVX2_MAP(X)   UW_KERNEL_MAP(X)
#define UW_AVX512_MAP(X) UW_KERNEL_MAP(X)
/* The layout of packed operands is the one of AVX-512. */
#define UW_AVX512BF16_MAP(X)  \
    X(gemm_bf16, uw_gemm_fn)  \
    X(to_bf16, uw_to_bf16_fn)
#define UW_AMX_MAP(X) X(gemm_bf16, uw_gemm_fn)

#define X(field, type) type uw_##field##_avx2;
UW_AVX2_MAP(X)
#undef X
#define X(field, type) type uw_##field##_avx512;
UW_AVX512_MAP(X)
#undef X
#define X(field, type) type uw_##field##_avx512bf16;
UW_AVX512BF16_MAP(X)
#undef X
#define X(field, type) type uw_##field##_amx;
UW_AMX_MAP(X)
#undef X

#endif
