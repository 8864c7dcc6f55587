/* The matched encoder of the identifiability worlds: additive couplings, each taking tanh(W x_a)
 * away from the other half of the columns, the halves in turn, in the reverse order of a mixing.
 *
 * Every coupling can be undone and none changes volume, so this encoder cannot collapse or shrink,
 * whatever the loss.  Columns come in as they are: z-scores would not keep volume. */
#include <math.h>
#include <string.h>

#include "parts.h"

static size_t width_of(const uw_net *net) {
    return (size_t)net->config.observe_dim;
}

/* Couplings are undone last first, so the last one here reads the first half, as the first one of a
 * mixing does. */
static bool reads_second(const uw_net *net, int32_t i) {
    return (net->config.mlp_layers - 1 - i) % 2 != 0;
}

size_t uw__coupling_width(const uw_net *net, int32_t i) {
    const size_t first = width_of(net) / 2;
    return reads_second(net, i) ? width_of(net) - first : first;
}

/* Where the half that coupling i reads begins, and the one that it changes. */
static size_t read_at(const uw_net *net, int32_t i) {
    return reads_second(net, i) ? width_of(net) / 2 : 0;
}

static size_t change_at(const uw_net *net, int32_t i) {
    return reads_second(net, i) ? 0 : width_of(net) / 2;
}

void uw__coupling_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                         uw_coupling_acts *acts) {
    const size_t width = width_of(net), half = width - width / 2;
    for (int32_t i = 0; i < net->config.mlp_layers; i++) {
        acts->x[i] = backward || i == 0 ? uw__take(arena, max_rows * width) : acts->x[0];
        acts->t[i] = backward || i == 0 ? uw__take(arena, max_rows * half) : acts->t[0];
    }
    acts->x[net->config.mlp_layers] = backward ? uw__take(arena, max_rows * width) : acts->x[0];
    if (!backward) return;
    acts->d = uw__take(arena, max_rows * width);
    acts->dt = uw__take(arena, max_rows * half);
}

void uw__coupling_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_coupling_acts *acts, const uw_real *x, size_t rows, uw_real *f) {
    const size_t width = width_of(net), bytes = rows * width * sizeof *x;
    const int32_t layers = net->config.mlp_layers;
    memcpy(acts->x[0], x, bytes);
    for (int32_t i = 0; i < layers; i++) {
        const size_t in = uw__coupling_width(net, i), out = width - in;
        uw_real *next = acts->x[i + 1] + change_at(net, i), *t = acts->t[i];
        e->k->gemm(&(uw_gemm_args){.trans_b = true,
                                   .m = rows,
                                   .n = out,
                                   .k = in,
                                   .a = acts->x[i] + read_at(net, i),
                                   .lda = width,
                                   .b = uw__bind(net, net->at_encoder + i, params),
                                   .ldb = in,
                                   .c = t,
                                   .ldc = out},
                   uw__exec_gemm_scratch(e, 0));
        if (acts->x[i + 1] != acts->x[i]) memcpy(acts->x[i + 1], acts->x[i], bytes);
        for (size_t r = 0; r < rows; r++) {
            for (size_t k = 0; k < out; k++) {
                t[r * out + k] = (uw_real)tanh((double)t[r * out + k]);
                next[r * width + k] -= t[r * out + k];
            }
        }
    }
    memcpy(f, acts->x[layers], bytes);
}

void uw__coupling_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                           uw_coupling_acts *acts, const uw_real *df, size_t rows, uw_real *grads) {
    const size_t width = width_of(net);
    memcpy(acts->d, df, rows * width * sizeof *df);
    for (int32_t i = net->config.mlp_layers; i-- > 0;) {
        const size_t in = uw__coupling_width(net, i), out = width - in;
        const uw_real *t = acts->t[i], *dnext = acts->d + change_at(net, i);
        for (size_t r = 0; r < rows; r++)
            for (size_t k = 0; k < out; k++)
                acts->dt[r * out + k] =
                    -dnext[r * width + k] * (1 - t[r * out + k] * t[r * out + k]);
        e->k->gemm(&(uw_gemm_args){.trans_a = true,
                                   .accumulate = true,
                                   .m = out,
                                   .n = in,
                                   .k = rows,
                                   .a = acts->dt,
                                   .lda = out,
                                   .b = acts->x[i] + read_at(net, i),
                                   .ldb = width,
                                   .c = uw__bind_grad(net, net->at_encoder + i, grads),
                                   .ldc = in},
                   uw__exec_gemm_scratch(e, 0));
        e->k->gemm(&(uw_gemm_args){.accumulate = true,
                                   .m = rows,
                                   .n = in,
                                   .k = out,
                                   .a = acts->dt,
                                   .lda = out,
                                   .b = uw__bind(net, net->at_encoder + i, params),
                                   .ldb = in,
                                   .c = acts->d + read_at(net, i),
                                   .ldc = width},
                   uw__exec_gemm_scratch(e, 0));
    }
}
