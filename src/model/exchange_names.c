/* Two layouts of one network: transformers 4.x named the encoder's tensors as all published
 * checkpoints have them, 5.x renamed them.  Ours are the former. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "exchange.h"

static const char *const prefix[2] = {"encoder.encoder.layer.", "encoder.layers."};

/* What stands behind prefix and number; the rest is the same in both. */
static const char *const parts[][2] = {
    {"attention.attention.query.", "attention.q_proj."},
    {"attention.attention.key.", "attention.k_proj."},
    {"attention.attention.value.", "attention.v_proj."},
    {"attention.output.dense.", "attention.o_proj."},
    {"intermediate.dense.", "mlp.fc1."},
    {"output.dense.", "mlp.fc2."},
};

static bool starts(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

static void rename_layer(const char *name, int from, char out[UW_EXCHANGE_NAME]) {
    snprintf(out, UW_EXCHANGE_NAME, "%s", name);
    if (!starts(name, prefix[from])) return;
    const char *number = name + strlen(prefix[from]), *rest = number;
    while (isdigit((unsigned char)*rest)) rest++;
    if (rest == number || *rest != '.') return;
    const int digits = (int)(++rest - number);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!starts(rest, parts[i][from])) continue;
        snprintf(out, UW_EXCHANGE_NAME, "%s%.*s%s%s", prefix[!from], digits, number,
                 parts[i][!from], rest + strlen(parts[i][from]));
        return;
    }
    snprintf(out, UW_EXCHANGE_NAME, "%s%.*s%s", prefix[!from], digits, number, rest);
}

void uw__reference_to_ours(const char *name, char out[UW_EXCHANGE_NAME]) {
    rename_layer(starts(name, "model.") ? name + strlen("model.") : name, 1, out);
}

void uw__reference_from_ours(const char *name, uw_key_layout layout, char out[UW_EXCHANGE_NAME]) {
    if (layout == UW_KEYS_TRANSFORMERS_5)
        rename_layer(name, 0, out);
    else
        snprintf(out, UW_EXCHANGE_NAME, "%s", name);
}
