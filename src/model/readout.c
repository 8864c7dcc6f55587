/* The readout: one Linear from a latent to the recorded numbers that it should know. */
#include "parts.h"

struct uw_readout_acts {
    size_t rows;
    const uw_real *z; /* [rows, D], borrowed from the forward */
    uw_real *work;
};

uw_readout_acts *uw__readout_layout(uw_arena *arena, const uw_net *net, size_t max_rows) {
    const uw_model_config *c = &net->config;
    uw_readout_acts tmp = {0}, *acts = uw_arena_alloc(arena, 1, sizeof *acts);
    tmp.work =
        uw__take(arena, uw__linear_work((size_t)c->latent_dim, (size_t)c->readout_dim, max_rows));
    if (acts && !arena->failed) *acts = tmp;
    return acts;
}

void uw__readout_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_readout_acts *acts, const uw_real *z, size_t rows, uw_real *y) {
    const uw_linear head = uw__bind_linear(net, net->at_readout, true, params, NULL);
    acts->rows = rows;
    acts->z = z;
    uw__linear_forward(e, &head, y, NULL, z, rows);
}

void uw__readout_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_readout_acts *acts, const uw_real *dy, uw_real *dz, uw_real *grads) {
    const uw_linear head = uw__bind_linear(net, net->at_readout, true, params, grads);
    uw__linear_backward(e, &head, dz, true, dy, acts->z, acts->rows, acts->work);
}
