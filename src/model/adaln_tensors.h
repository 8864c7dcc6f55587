/* Where the tensors of LeWM's predictor stand in the table of a net. */
#ifndef UW_ADALN_TENSORS_H
#define UW_ADALN_TENSORS_H

#include "parts.h"

static const uw_real UW_PLAIN_EPS = (uw_real)1e-6, UW_AFFINE_EPS = (uw_real)1e-5;

/* Positions, then weight and bias of the final norm, stand before the blocks. */
enum { UW_ADALN_HEAD = 3 };
/* Order of a block's tensors in the table; those behind OUT move up by two where there is none. */
typedef enum uw_adaln_tensor {
    UW_ADALN_ATTN_NORM = 0,
    UW_ADALN_QKV = 2,
    UW_ADALN_OUT = 3,
    UW_ADALN_MLP_NORM = 5,
    UW_ADALN_UP = 7,
    UW_ADALN_DOWN = 9,
    UW_ADALN_MODULATION = 11,
    UW_ADALN_END = 13
} uw_adaln_tensor;
/* Column blocks of the modulation, per branch. */
enum { UW_ADALN_SHIFT = 0, UW_ADALN_SCALE = 1, UW_ADALN_GATE = 2 };

/* Return the index of a tensor of a block. */
static inline int32_t uw__adaln_tensor(const uw_net *net, int32_t block, uw_adaln_tensor tensor) {
    const int32_t missing = uw__adaln_has_out(&net->config) ? 0 : 2;
    const int32_t first = net->at_predictor + UW_ADALN_HEAD + (UW_ADALN_END - missing) * block;
    return first + (int32_t)tensor - (tensor > UW_ADALN_OUT ? missing : 0);
}
/* Return the width of all heads together. */
static inline size_t uw__adaln_inner(const uw_net *net) {
    return (size_t)net->config.predictor_heads * (size_t)net->config.predictor_head_dim;
}

#endif
