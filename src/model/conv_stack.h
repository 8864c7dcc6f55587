/* Convolutions with nothing between them but GELU: a few pictures go through all layers, and back, while
 * they are in the second-level cache. */
#ifndef UW_CONV_STACK_H
#define UW_CONV_STACK_H

#include "parts.h"

/* Plan what a stack needs beside its scratch, for up to max_rows pictures. */
void uw__conv_stack_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                           uw_conv_acts *acts);
/* Return the reals per worker. */
size_t uw__conv_stack_extra(const uw_net *net);
/* f [rows, F], channel-major. */
void uw__conv_stack_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                            const uw_real *buffers, uw_conv_acts *acts, uw_pictures in, size_t rows,
                            uw_real *f);
void uw__conv_stack_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             const uw_real *buffers, uw_conv_acts *acts, uw_pictures in,
                             const uw_real *df, size_t rows, uw_real *grads);

#endif
