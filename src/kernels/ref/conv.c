/* NHWC pictures to and from the rows of a matrix product. */
#include "kernels.h"

#include <string.h>

/* True when (out, tap) falls inside [0, size); *in is the input index it meets. */
static bool tap_inside(size_t out, size_t tap, size_t stride, size_t pad, size_t size, size_t *in) {
    const size_t padded = out * stride + tap;
    if (padded < pad || padded - pad >= size) return false;
    *in = padded - pad;
    return true;
}

void uw_im2col_ref(uw_real *col, const uw_real *picture, const uw_conv_dims *d) {
    for (size_t oy = 0; oy < d->out_y; oy++) {
        for (size_t ox = 0; ox < d->out_x; ox++) {
            for (size_t ky = 0; ky < d->kernel; ky++) {
                for (size_t kx = 0; kx < d->kernel; kx++, col += d->c) {
                    size_t y, x;
                    const bool inside = tap_inside(oy, ky, d->stride, d->pad, d->y, &y) &&
                                        tap_inside(ox, kx, d->stride, d->pad, d->x, &x);
                    if (d->c == 0) continue;
                    if (inside) {
                        memcpy(col, picture + (y * d->x + x) * d->c, d->c * sizeof *col);
                    } else {
                        memset(col, 0, d->c * sizeof *col);
                    }
                }
            }
        }
    }
}

/* The output index that tap meets at input index in, when there is one. */
static bool tap_source(size_t in, size_t tap, size_t stride, size_t pad, size_t outs, size_t *out) {
    const size_t padded = in + pad;
    if (padded < tap || (padded - tap) % stride != 0) return false;
    *out = (padded - tap) / stride;
    return *out < outs;
}

void uw_col2im_ref(uw_real *picture, const uw_real *col, const uw_conv_dims *d) {
    const size_t row = d->kernel * d->kernel * d->c;
    for (size_t y = 0; y < d->y; y++) {
        for (size_t x = 0; x < d->x; x++, picture += d->c) {
            for (size_t ch = 0; ch < d->c; ch++) {
                double sum = 0;
                for (size_t ky = 0; ky < d->kernel; ky++) {
                    for (size_t kx = 0; kx < d->kernel; kx++) {
                        size_t oy, ox;
                        if (tap_source(y, ky, d->stride, d->pad, d->out_y, &oy) &&
                            tap_source(x, kx, d->stride, d->pad, d->out_x, &ox))
                            sum += (double)
                                col[(oy * d->out_x + ox) * row + (ky * d->kernel + kx) * d->c + ch];
                    }
                }
                picture[ch] = (uw_real)sum;
            }
        }
    }
}
