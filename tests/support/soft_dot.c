/* gemm_bf16_avx512bf16.c for machines without VDPBF16PS. */
#include "bf16_unit.h"
#include "kernels.h"

uw_gemm_fn uw_gemm_bf16_soft_dot;
uw_to_bf16_fn uw_to_bf16_soft_dot;
#define UW_DOT                  unit_dot
#define uw_gemm_bf16_avx512bf16 uw_gemm_bf16_soft_dot
#define uw_to_bf16_avx512bf16   uw_to_bf16_soft_dot
#include "x86/gemm_bf16_avx512bf16.c"
