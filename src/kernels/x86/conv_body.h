/* NHWC pictures to and from the rows of a matrix product: copies and sums of short runs. */
#ifndef UW_CONV_BODY_H
#define UW_CONV_BODY_H

VEC void run_copy(float *dst, const float *src, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(dst + i, left, v_get(src + i, left));
    }
}
VEC void run_zero(float *dst, size_t n) {
    for (size_t i = 0; i < n; i += VW) v_put(dst + i, n - i, v_zero());
}
VEC void run_add(float *dst, const float *src, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(dst + i, left, v_add(v_get(dst + i, left), v_get(src + i, left)));
    }
}

/* Taps first .. last - 1 of the kernel at output index `out` fall inside [0, size). */
typedef struct tap_range {
    size_t first, last;
} tap_range;
static tap_range taps_inside(size_t out, const uw_conv_dims *d, size_t size) {
    const size_t start = out * d->stride; /* of the kernel, in padded coordinates */
    tap_range t = {start < d->pad ? d->pad - start : 0, d->kernel};
    if (t.first > d->kernel) t.first = d->kernel;
    if (start + d->kernel > size + d->pad)
        t.last = size + d->pad > start ? size + d->pad - start : 0;
    if (t.last < t.first) t.last = t.first;
    return t;
}

/* Outputs ox in [first, last) read `run` values inside the row; the others hang over an edge. */
static tap_range outputs_inside(const uw_conv_dims *d) {
    tap_range t = {(d->pad + d->stride - 1) / d->stride, 0};
    if (d->x + d->pad >= d->kernel) t.last = (d->x + d->pad - d->kernel) / d->stride + 1;
    if (t.last > d->out_x) t.last = d->out_x;
    if (t.first > t.last) t.first = t.last;
    return t;
}

/* One tap row of one output that hangs over the left or right edge. */
VEC void run_edge(float *to, const float *row, size_t ox, const uw_conv_dims *d) {
    const tap_range tx = taps_inside(ox, d, d->x);
    const size_t before = tx.first * d->c, inside = (tx.last - tx.first) * d->c;
    run_zero(to, before);
    if (inside) run_copy(to + before, row + (ox * d->stride + tx.first - d->pad) * d->c, inside);
    run_zero(to + before + inside, d->kernel * d->c - before - inside);
}

/* Input rows in the order they lie in memory: a picture comes from far away and is read front to
 * back, the unrolled rows stay near. */
void UW_ISA(im2col)(float *col, const float *picture, const uw_conv_dims *d) {
    const size_t run = d->kernel * d->c; /* kx and c are neighbours in the picture, too */
    const size_t width = d->kernel * run;
    const tap_range ox_inside = outputs_inside(d);
    for (size_t oy = 0; oy < d->out_y; oy++, col += d->out_x * width) {
        const tap_range ty = taps_inside(oy, d, d->y);
        for (size_t ky = 0; ky < d->kernel; ky++) {
            float *to = col + ky * run;
            if (ky < ty.first || ky >= ty.last) {
                for (size_t ox = 0; ox < d->out_x; ox++) run_zero(to + ox * width, run);
                continue;
            }
            const float *row = picture + (oy * d->stride + ky - d->pad) * d->x * d->c;
            for (size_t ox = 0; ox < ox_inside.first; ox++) run_edge(to + ox * width, row, ox, d);
            for (size_t ox = ox_inside.first; ox < ox_inside.last; ox++)
                run_copy(to + ox * width, row + (ox * d->stride - d->pad) * d->c, run);
            for (size_t ox = ox_inside.last; ox < d->out_x; ox++)
                run_edge(to + ox * width, row, ox, d);
        }
    }
}

void UW_ISA(col2im)(float *picture, const float *col, const uw_conv_dims *d) {
    run_zero(picture, d->y * d->x * d->c);
    for (size_t oy = 0; oy < d->out_y; oy++) {
        const tap_range ty = taps_inside(oy, d, d->y);
        for (size_t ox = 0; ox < d->out_x; ox++, col += d->kernel * d->kernel * d->c) {
            const tap_range tx = taps_inside(ox, d, d->x);
            if (tx.first == tx.last) continue;
            for (size_t ky = ty.first; ky < ty.last; ky++) {
                const size_t y = oy * d->stride + ky - d->pad;
                const size_t x = ox * d->stride + tx.first - d->pad;
                run_add(picture + (y * d->x + x) * d->c, col + (ky * d->kernel + tx.first) * d->c,
                        (tx.last - tx.first) * d->c);
            }
        }
    }
}

#endif
