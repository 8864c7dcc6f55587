/* Softmax over the rows of attention scores, its gradient, and attention of one head. */
#include "kernels.h"

#include <math.h>

/* Columns that row r may see. */
static size_t visible(size_t r, size_t rows, size_t cols, bool causal) {
    if (!causal) return cols;
    const size_t past = r + cols + 1; /* may be short of rows: then nothing is visible */
    return past > rows ? past - rows : 0;
}

void uw_softmax_ref(uw_real *s, size_t rows, size_t cols, size_t ld, uw_real scale, bool causal) {
    for (size_t r = 0; r < rows; r++, s += ld) {
        size_t count = visible(r, rows, cols, causal);
        if (count > cols) count = cols;
        double top = -INFINITY, sum = 0;
        for (size_t j = 0; j < count; j++) top = fmax(top, (double)scale * (double)s[j]);
        for (size_t j = 0; j < count; j++) sum += exp((double)scale * (double)s[j] - top);
        for (size_t j = 0; j < count; j++)
            s[j] = (uw_real)(exp((double)scale * (double)s[j] - top) / sum);
        for (size_t j = count; j < cols; j++) s[j] = 0;
    }
}

void uw_softmax_backward_ref(uw_real *dp, const uw_real *p, size_t rows, size_t cols, size_t ld,
                             uw_real scale) {
    for (size_t r = 0; r < rows; r++, dp += ld, p += ld) {
        double sum = 0;
        for (size_t j = 0; j < cols; j++) sum += (double)p[j] * (double)dp[j];
        for (size_t j = 0; j < cols; j++)
            dp[j] = (uw_real)((double)scale * (double)p[j] * ((double)dp[j] - sum));
    }
}

/* One query: its probabilities, which stay in scratch, and what they pick. */
static void attend_row(const uw_attention_args *a, size_t r, uw_real *p) {
    double top = -INFINITY, sum = 0;
    for (size_t j = 0; j < a->tokens; j++) {
        double s = 0;
        for (size_t d = 0; d < a->head_dim; d++)
            s += (double)a->q[r * a->ld_q + d] * (double)a->k[j * a->ld_kv + d];
        p[j] = (uw_real)s;
        top = fmax(top, (double)a->scale * (double)p[j]);
    }
    for (size_t j = 0; j < a->tokens; j++) {
        p[j] = (uw_real)exp((double)a->scale * (double)p[j] - top);
        sum += (double)p[j];
    }
    for (size_t d = 0; d < a->head_dim; d++) {
        double o = 0;
        for (size_t j = 0; j < a->tokens; j++) o += (double)p[j] * (double)a->v[j * a->ld_kv + d];
        a->o[r * a->ld_o + d] = (uw_real)(o / sum);
    }
}

void uw_attention_ref(const uw_attention_args *a, uw_real *scratch) {
    for (size_t r = 0; r < a->rows; r++) attend_row(a, r, scratch);
}
