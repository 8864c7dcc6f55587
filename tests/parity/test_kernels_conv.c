/* im2col and col2im: every variant against the definition, tap by tap, and as each other's
 * transpose. */
#include "kernel_check.h"

static const struct {
    size_t y, x, c, kernel, stride, pad;
} cases[] = {
    {1, 1, 1, 1, 1, 0},  {4, 4, 3, 4, 4, 0},  {8, 8, 4, 4, 4, 0}, {16, 16, 16, 3, 2, 1},
    {7, 5, 2, 3, 1, 1},  {6, 9, 17, 3, 2, 1}, {5, 5, 1, 5, 1, 4}, {3, 2, 5, 2, 3, 2},
    {9, 9, 33, 2, 2, 0}, {4, 4, 0, 3, 1, 1},  {2, 2, 8, 5, 1, 2}, {10, 3, 7, 3, 4, 3},
};
enum { NUM_CASES = sizeof cases / sizeof *cases };

static uw_conv_dims dims_of(size_t at) {
    uw_conv_dims d = {.y = cases[at].y,
                      .x = cases[at].x,
                      .c = cases[at].c,
                      .kernel = cases[at].kernel,
                      .stride = cases[at].stride,
                      .pad = cases[at].pad};
    d.out_y = (d.y + 2 * d.pad - d.kernel) / d.stride + 1;
    d.out_x = (d.x + 2 * d.pad - d.kernel) / d.stride + 1;
    return d;
}

/* Index in the picture that entry i of col reads, or SIZE_MAX for padding. */
static size_t source(const uw_conv_dims *d, size_t i) {
    const size_t channel = i % d->c, kx = i / d->c % d->kernel,
                 ky = i / d->c / d->kernel % d->kernel;
    const size_t out = i / (d->c * d->kernel * d->kernel);
    const ptrdiff_t y = (ptrdiff_t)(out / d->out_x * d->stride + ky) - (ptrdiff_t)d->pad;
    const ptrdiff_t x = (ptrdiff_t)(out % d->out_x * d->stride + kx) - (ptrdiff_t)d->pad;
    if (y < 0 || x < 0 || y >= (ptrdiff_t)d->y || x >= (ptrdiff_t)d->x) return SIZE_MAX;
    return ((size_t)y * d->x + (size_t)x) * d->c + channel;
}

static void unrolling(void **state) {
    (void)state;
    kc_seed(51);
    uw_kernels k[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_CASES; at++) {
            const uw_conv_dims d = dims_of(at);
            kc_buffer picture = kc_random(d.y * d.x * d.c, 1);
            kc_buffer col = kc_alloc(d.out_y * d.out_x * d.kernel * d.kernel * d.c);
            k[v].im2col(col.p, picture.p, &d);
            for (size_t i = 0; i < col.n; i++) {
                const size_t from = source(&d, i);
                const float want = from == SIZE_MAX ? 0 : picture.p[from];
                if (!(col.p[i] == want))
                    fail_msg("%s case %zu [%zu]: %g, wanted %g", k[v].chosen[UW_OP_im2col], at, i,
                             (double)col.p[i], (double)want);
            }
            kc_free(&picture), kc_free(&col);
        }
    }
}

static void folding(void **state) {
    (void)state;
    kc_seed(52);
    uw_kernels k[KC_MAX_VARIANTS];
    kc_worst w[KC_MAX_VARIANTS];
    const int variants = kc_variants(k);
    kc_worst_init(w, k, variants, UW_OP_col2im);
    for (int v = 0; v < variants; v++) {
        for (size_t at = 0; at < NUM_CASES; at++) {
            const uw_conv_dims d = dims_of(at);
            kc_buffer picture = kc_alloc(d.y * d.x * d.c);
            kc_buffer col = kc_random(d.out_y * d.out_x * d.kernel * d.kernel * d.c, 1);
            double *sum = calloc(picture.n + 1, sizeof *sum),
                   *size = calloc(picture.n + 1, sizeof *size);
            assert_true(sum && size);
            k[v].col2im(picture.p, col.p, &d);
            for (size_t i = 0; i < col.n; i++) {
                const size_t to = source(&d, i);
                if (to == SIZE_MAX) continue;
                sum[to] += (double)col.p[i];
                size[to] += fabs((double)col.p[i]);
            }
            for (size_t i = 0; i < picture.n; i++)
                kc_near(&w[v], (double)picture.p[i], sum[i],
                        2 * (double)(d.kernel * d.kernel) * eps * size[i], "picture", i);
            free(sum), free(size);
            kc_free(&picture), kc_free(&col);
        }
    }
    kc_report(w, variants);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unrolling),
        cmocka_unit_test(folding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
