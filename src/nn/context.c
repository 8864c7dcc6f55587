/* The context: kernels for this CPU, the pool, and where messages go.  It sits above the kernels
 * because it owns their table. */
#include <stdlib.h>

#include "cpu.h"
#include "internal.h"
#include "kernels.h"

/* The table and what doctor prints of it, in one block; the table is first. */
typedef struct kernel_set {
    uw_kernels table;
    uw_kernel_choice choices[UW_NUM_OPS];
} kernel_set;

/* The cap of the options, else of the environment; *where names the one used, for messages. */
static const char *isa_cap(const uw_context_options *options, const char **where) {
    if (options && options->max_isa) {
        *where = "max_isa";
        return options->max_isa;
    }
    *where = "UW_MAX_ISA";
    return getenv("UW_MAX_ISA");
}

uw_status uw_context_new(const uw_context_options *options, uw_context **out, uw_err *err) {
    uw_status s = UW_OK;
    kernel_set *set = NULL;
    uw_context *ctx = NULL;
    const char *where;
    bool known;

    *out = NULL;
    const char *cap = isa_cap(options, &where);
    const unsigned allowed = uw__cpu_cap(cap, &known);
    if (!known) {
        const char *names[] = {"ref", "avx2", "avx512", "avx512bf16", "amx", "neon"};
        const char *near = uw__nearest(cap, names, 6);
        s = uw_fail(err, UW_EINVAL,
                    "%s: instruction set, wanted ref, avx2, avx512, avx512bf16, amx or neon, got %s",
                    where, cap);
        if (near) uw_err_fix(err, "did you mean %s?", near);
        return s;
    }
    if (options && (options->num_threads < 0 || options->num_threads > 256)) {
        return uw_fail(err, UW_EINVAL, "num_threads: wanted 0 (all cores) .. 256, got %d",
                       (int)options->num_threads);
    }

    ctx = calloc(1, sizeof *ctx);
    set = calloc(1, sizeof *set);
    if (!ctx || !set) {
        s = uw_fail(err, UW_ENOMEM, "context: %zu bytes", sizeof *ctx + sizeof *set);
        goto done;
    }
    if (options) ctx->options = *options;
    ctx->options.max_isa = NULL; /* borrowed for the call only */
    ctx->cpu = uw__cpu_detect() & allowed;
    uw__kernels_init(&set->table, ctx->cpu);
    for (int op = 0; op < UW_NUM_OPS; op++) {
        set->choices[op] =
            (uw_kernel_choice){.op = uw__kernel_name(op), .isa = set->table.chosen[op]};
    }
    ctx->kernels = &set->table;
    s = uw__pool_new(ctx->options.num_threads, &ctx->pool);
    if (s) uw_fail(err, s, "context: thread pool of %d", (int)ctx->options.num_threads);
done:
    if (s) {
        free(set);
        free(ctx);
    } else {
        *out = ctx;
    }
    return s;
}

void uw_context_free(uw_context *ctx) {
    if (!ctx) return;
    uw__pool_free(ctx->pool);
    free((void *)ctx->kernels);
    free(ctx);
}

int32_t uw_context_threads(const uw_context *ctx) {
    return uw__pool_threads(ctx->pool);
}

const char *uw_context_isa(const uw_context *ctx) {
    return ctx->kernels->isa;
}

const uw_kernel_choice *uw_context_kernels(const uw_context *ctx, int32_t *count) {
    *count = UW_NUM_OPS;
    return ((const kernel_set *)ctx->kernels)->choices;
}

const char *uw_version(void) {
    return UW_VERSION;
}
