/* A linear layer for inference: its weights laid out once for the products of one precision. */
#ifndef UW_PACKED_H
#define UW_PACKED_H

#include "exec.h"

typedef struct uw_packed {
    size_t in, out;
    bool bf16;
    void *w;       /* uw__gemm_packed_bytes(out, in) */
    uw_real *bias; /* [out], or NULL */
} uw_packed;

/* Place a layer's weights; the size does not depend on kernels or precision. */
uw_packed uw__packed_layout(uw_arena *arena, bool bf16, size_t in, size_t out, bool bias);
/* Lay out w [out, in] (rows ldw apart) and copy bias [out] (NULL when the layer has none). */
void uw__packed_fill(const uw_packed *p, const uw_kernels *k, const uw_real *w, size_t ldw,
                     const uw_real *bias);
/* Return the product of a [rows, in] with the layer into c; the caller sets epilogue, a16 and c16. */
static inline uw_gemm_args uw__packed_gemm(const uw_packed *p, const uw_real *a, size_t lda,
                                           size_t rows, uw_real *c, size_t ldc) {
    return (uw_gemm_args){.m = rows,
                          .n = p->out,
                          .k = p->in,
                          .a = a,
                          .lda = lda,
                          .packed = p->w,
                          .bias = p->bias,
                          .c = c,
                          .ldc = ldc};
}
/* Run it. */
static inline void uw__packed_run(const uw_packed *p, const uw_kernels *k, const uw_gemm_args *g,
                                  uw_real *scratch) {
    (p->bf16 ? k->gemm_bf16 : k->gemm)(g, scratch);
}

#endif
