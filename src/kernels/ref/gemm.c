/* The matrix product, by its definition: every entry is one sum over k in double.  A packed operand
 * is op(B) as it is, [K, N]. */
#include <math.h>
#include <string.h>

#include "kernels.h"

enum { COLUMNS = 8 }; /* sums kept at once, so that a row of op(A) is read N / 8 times, not N */

/* ---- bfloat16 ------------------------------------------------------------------------------ */

static uint16_t to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float from_bf16(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

static double rounded(uw_real x, bool bf16) {
    return bf16 ? (double)from_bf16(to_bf16((float)x)) : (double)x;
}

void uw_to_bf16_ref(uint16_t *y, const uw_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = to_bf16((float)x[i]);
}

/* ---- the product --------------------------------------------------------------------------- */

static double finish(const uw_gemm_args *g, size_t i, size_t j, double s) {
    switch (g->epilogue) {
    case UW_EPILOGUE_GELU:
        if (g->sum) g->sum[i * g->ldc + j] = (uw_real)s;
        return 0.5 * s * (1 + erf(s * 0.70710678118654752));
    case UW_EPILOGUE_ADD:
        return (double)g->residual[i * g->ld_residual + j] + s;
    case UW_EPILOGUE_GATE:
        return (double)g->residual[i * g->ld_residual + j] +
               (double)g->gate[i * g->ld_gate + j] * s;
    case UW_EPILOGUE_NONE:
        break;
    }
    return s;
}

/* One row of C, columns j .. j + count. */
static void row_block(const uw_gemm_args *g, bool bf16, size_t i, size_t j, size_t count) {
    const size_t a_step = g->trans_a ? g->lda : 1;
    const bool plain = g->packed || !g->trans_b;
    const size_t ldb = g->packed ? g->n : g->ldb;
    const size_t b_step = plain ? ldb : 1, b_next = plain ? 1 : ldb;
    const size_t at = i * (g->trans_a ? 1 : g->lda);
    const uw_real *b = (g->packed ? (const uw_real *)g->packed : g->b) + j * b_next;
    double sum[COLUMNS] = {0};
    for (size_t k = 0; k < g->k; k++) {
        const double value =
            g->a16 ? (double)from_bf16(g->a16[at + k]) : rounded(g->a[at + k * a_step], bf16);
        for (size_t col = 0; col < count; col++)
            sum[col] += value * rounded(b[k * b_step + col * b_next], bf16);
    }
    for (size_t col = 0; col < count; col++) {
        const size_t to = i * g->ldc + j + col;
        if (g->bias) sum[col] += (double)g->bias[j + col];
        if (g->accumulate) sum[col] += (double)g->c[to];
        const double y = finish(g, i, j + col, sum[col]);
        if (g->c16)
            g->c16[to] = to_bf16((float)y);
        else
            g->c[to] = (uw_real)y;
    }
}

static void product(const uw_gemm_args *g, bool bf16) {
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j += COLUMNS)
            row_block(g, bf16, i, j, g->n - j < COLUMNS ? g->n - j : COLUMNS);
    }
}

void uw_gemm_ref(const uw_gemm_args *g, uw_real *scratch) {
    (void)scratch;
    product(g, false);
}

void uw_gemm_bf16_ref(const uw_gemm_args *g, uw_real *scratch) {
    (void)scratch;
    product(g, true);
}

void uw_gemm_pack_ref(void *packed, const uw_real *b, size_t ldb, bool trans_b, size_t n,
                      size_t k) {
    uw_real *to = packed;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++) *to++ = trans_b ? b[j * ldb + i] : b[i * ldb + j];
}

/* Rounded in the product. */
void uw_gemm_bf16_pack_ref(void *packed, const uw_real *b, size_t ldb, bool trans_b, size_t n,
                           size_t k) {
    uw_gemm_pack_ref(packed, b, ldb, trans_b, n, k);
}
