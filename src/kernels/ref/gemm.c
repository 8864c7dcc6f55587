/* The matrix product, by its definition: every entry is one sum over k in double. */
#include "kernels.h"

enum { COLUMNS = 8 }; /* sums kept at once, so that a row of op(A) is read N / 8 times, not N */

/* One row of C, columns j .. j + count. */
static void row_block(const uw_gemm_args *g, size_t i, size_t j, size_t count) {
    const size_t a_step = g->trans_a ? g->lda : 1;
    const size_t b_step = g->trans_b ? 1 : g->ldb, b_next = g->trans_b ? g->ldb : 1;
    const uw_real *a = g->a + i * (g->trans_a ? 1 : g->lda);
    const uw_real *b = g->b + j * b_next;
    double sum[COLUMNS] = {0};
    for (size_t k = 0; k < g->k; k++) {
        const double value = (double)a[k * a_step];
        for (size_t col = 0; col < count; col++)
            sum[col] += value * (double)b[k * b_step + col * b_next];
    }
    uw_real *c = g->c + i * g->ldc + j;
    for (size_t col = 0; col < count; col++) {
        if (g->bias) sum[col] += (double)g->bias[j + col];
        if (g->accumulate) sum[col] += (double)c[col];
        c[col] = (uw_real)sum[col];
    }
}

void uw_gemm_ref(const uw_gemm_args *g, uw_real *scratch) {
    (void)scratch;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j += COLUMNS)
            row_block(g, i, j, g->n - j < COLUMNS ? g->n - j : COLUMNS);
    }
}
