/* Softmax over the rows of attention scores, its gradient, attention of one head, and attention to
 * a few keys. */
#include "kernels.h"

#include <math.h>
#include <string.h>

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

/* Value i of a row that holds uw_real or bf16. */
static double value_at(const void *row, size_t i, bool bf16) {
    if (!bf16) return (double)((const uw_real *)row)[i];
    const uint32_t bits = (uint32_t)((const uint16_t *)row)[i] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

/* One head of one row. */
static void few_keys_head(const uw_few_keys_args *a, size_t r, size_t h) {
    double p[UW_MAX_KEYS] = {0}, top = -INFINITY, sum = 0;
    for (size_t j = 0; j < a->num_keys; j++) {
        for (size_t d = 0; d < a->head_dim; d++) {
            const size_t at = d * a->heads + h;
            p[j] += value_at(a->q, r * a->ld_q + at, a->bf16) *
                    value_at(a->k[j], r * a->ld_kv[j] + at, a->bf16);
        }
        p[j] *= (double)a->scale;
        top = fmax(top, p[j]);
    }
    for (size_t j = 0; j < a->num_keys; j++) {
        p[j] = exp(p[j] - top);
        sum += p[j];
    }
    for (size_t d = 0; d < a->head_dim; d++) {
        const size_t at = d * a->heads + h;
        double o = 0;
        for (size_t j = 0; j < a->num_keys; j++)
            o += p[j] * value_at(a->v[j], r * a->ld_kv[j] + at, a->bf16);
        const uw_real value = (uw_real)(o / sum);
        if (a->bf16)
            uw_to_bf16_ref((uint16_t *)a->o + r * a->ld_o + at, &value, 1);
        else
            ((uw_real *)a->o)[r * a->ld_o + at] = value;
    }
}

void uw_few_keys_ref(const uw_few_keys_args *a) {
    for (size_t r = 0; r < a->rows; r++)
        for (size_t h = 0; h < a->heads; h++) few_keys_head(a, r, h);
}
