/* The operations that have a NEON twin; the others stay with ref. */
#ifndef UW_ARM_H
#define UW_ARM_H

#include "kernels.h"

#define UW_NEON_MAP(X)                              \
    X(gemm, uw_gemm_fn)                             \
    X(gemm_pack, uw_gemm_pack_fn)                   \
    X(im2col, uw_im2col_fn)                         \
    X(col2im, uw_col2im_fn)                         \
    X(layernorm, uw_layernorm_fn)                   \
    X(layernorm_backward, uw_layernorm_backward_fn) \
    X(norm, uw_norm_fn)                             \
    X(colmoments, uw_colmoments_fn)                 \
    X(batchnorm_apply, uw_batchnorm_apply_fn)       \
    X(batchnorm_backward, uw_batchnorm_backward_fn) \
    X(softmax, uw_softmax_fn)                       \
    X(softmax_backward, uw_softmax_backward_fn)     \
    X(few_keys, uw_few_keys_fn)                     \
    X(gelu, uw_map_fn)                              \
    X(gelu_backward, uw_map_backward_fn)            \
    X(silu, uw_map_fn)                              \
    X(silu_backward, uw_map_backward_fn)            \
    X(exp, uw_map_fn)                               \
    X(sincos, uw_sincos_fn)                         \
    X(axpy, uw_axpy_fn)                             \
    X(affine, uw_affine_fn)                         \
    X(add, uw_add_fn)                               \
    X(muladd, uw_muladd_fn)                         \
    X(modulate, uw_modulate_fn)                     \
    X(modulate_backward, uw_modulate_backward_fn)   \
    X(gate, uw_gate_fn)                             \
    X(gate_backward, uw_gate_backward_fn)           \
    X(sum, uw_sum_fn)                               \
    X(sumsq, uw_sum_fn)                             \
    X(dot, uw_dot_fn)                               \
    X(colsum, uw_colsum_fn)                         \
    X(sqdist, uw_sqdist_fn)                         \
    X(sigreg_sums, uw_sigreg_sums_fn)               \
    X(sigreg_backward, uw_sigreg_backward_fn)       \
    X(adamw, uw_adamw_fn)                           \
    X(u8_affine, uw_u8_affine_fn)

#define X(field, type) type uw_##field##_neon;
UW_NEON_MAP(X)
#undef X

#endif
