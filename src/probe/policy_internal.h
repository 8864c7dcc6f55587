/* The inside of a policy: two small networks, their losses, and the file between them. */
#ifndef UW_POLICY_INTERNAL_H
#define UW_POLICY_INTERNAL_H

#include <umwelt/policy.h>

#include "kernels.h"
#include "layers.h"

enum {
    UW_HEAD_HIDDEN = 192,     /* of both layers */
    UW_POLICY_WAYS = 8,       /* components of the mixture */
    UW_POLICY_MAX_ACTION = 256,
    UW_POLICY_MAX_LATENT = 1024
};

/* A perceptron: Linear, GELU, Linear, GELU, Linear.  params: w1 [HIDDEN, in], b1, w2 [HIDDEN, HIDDEN],
 * b2, w3 [out, HIDDEN], b3. */
typedef struct uw_head {
    size_t in, out;
    float *params;
} uw_head;

static inline size_t uw__head_size(size_t in, size_t out) {
    const size_t h = UW_HEAD_HIDDEN;
    return h * in + h + h * h + h + out * h + out;
}
/* Layer 0 .. 2 with its numbers at params and (nullable) grads. */
uw_linear uw__head_layer(const uw_head *head, int32_t layer, float *grads);
/* y [out] of one x [in].  Alloc: none. */
void uw__head_forward_one(const uw_kernels *k, const uw_head *head, const float *x, float *y);

/* Numbers of a mixture over actions of a numbers: per way its logit, log deviation, mean [a]. */
static inline size_t uw__mixture_size(size_t a) {
    return UW_POLICY_WAYS * (a + 2);
}
/* Mean over n rows of the pinball loss |want - y| weighted by quantile where y is too small, else by
 * 1 - quantile; dy [n] its gradient. */
double uw__pinball(const float *y, const float *want, size_t n, double quantile, float *dy);
/* Mean over n rows of -log p(action [a]) of the mixture y [n, mixture_size]; dy its gradient. */
double uw__mixture_loss(const float *y, const float *action, size_t n, size_t a, float *dy);
/* Return the way that u in [0, 1) picks: likelihoods squared, so that the likely ones come forward. */
int32_t uw__mixture_pick(const float *y, size_t a, float u);

struct uw_policy {
    const uw_kernels *kernels;
    size_t dim, action_dim;
    int32_t horizon;
    uint64_t id;
    char model[65], dataset[24]; /* tensors' hash, content's hash */
    float *memory;               /* owns all below */
    float *latent_mean, *latent_std; /* [D] */
    float *action_mean, *action_std; /* [A] */
    uw_head decisions; /* [s, g - s] -> the least tenth of log k */
    uw_head action;    /* [s, g - s, log k] -> mixture of standardised actions */
};

/* Make a policy with all numbers zero.  Returns UW_ENOMEM, UW_ESHAPE for sizes beyond the limits. */
uw_status uw__policy_new(uw_context *ctx, const uw_model *model, int32_t horizon, uw_policy **out,
                         uw_err *err);
/* Number of floats behind memory, and the identity from all of them. */
size_t uw__policy_floats(size_t dim, size_t action_dim);
void uw__policy_seal(uw_policy *policy);

#endif
