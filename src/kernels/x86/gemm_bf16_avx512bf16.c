/* The bf16 product with AVX-512's VDPBF16PS: 24 accumulators of 32 registers. */
#include "x86/vec_avx512.h"

#include "x86/bf16_avx512.h"
#include "x86/turn.h"
#include "x86/vec_math.h"
#include "x86/x86.h"

typedef uint16_t a_element;
#define A_STEP   2 /* A is read as it is when K consists of pairs */
#define ROW_UNIT 24
enum { MAX_ROWS = 12, MAX_PANELS = 3 };
#define TILES(X)                                                                                   \
    X(8, 3)                                                                                        \
    X(4, 3)                                                                                        \
    X(2, 3) X(1, 3) X(12, 2) X(8, 2) X(4, 2) X(2, 2) X(1, 2) X(12, 1) X(4, 1) X(2, 1) X(1, 1)

/* *sum += the products of both bf16 of every lane; gcc chooses no other register for the sum. */
#if defined(UW_DOT)
#define DOT UW_DOT
#elif defined(__clang__)
VEC void v_dot_into(vf *sum, __m512i a, __m512i b) {
    *sum = _mm512_dpbf16_ps(*sum, (__m512bh)a, (__m512bh)b);
}
#define DOT v_dot_into
#else
VEC void v_dot_into(vf *sum, __m512i a, __m512i b) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}
#define DOT v_dot_into
#endif
#undef UW_ISA
#define UW_ISA(op) uw_##op##_avx512bf16

#include "x86/gemm_bf16_body.h"
