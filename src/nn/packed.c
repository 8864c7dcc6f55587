/* Weights laid out for inference. */
#include "packed.h"

#include <string.h>

uw_packed uw__packed_layout(uw_arena *arena, bool bf16, size_t in, size_t out, bool bias) {
    uw_packed p = {.in = in, .out = out, .bf16 = bf16};

    p.w = uw_arena_alloc(arena, uw__gemm_packed_bytes(out, in), 1);
    if (bias) p.bias = uw_arena_alloc(arena, out, sizeof *p.bias);
    return p;
}

void uw__packed_fill(const uw_packed *p, const uw_kernels *k, const uw_real *w, size_t ldw,
                     const uw_real *bias) {
    (p->bf16 ? k->gemm_bf16_pack : k->gemm_pack)(p->w, w, ldw, true, p->out, p->in);
    if (p->bias) memcpy(p->bias, bias, p->out * sizeof *bias);
}
