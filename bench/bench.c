/* The list of benches. */
#include "bench.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    uw_status (*run)(uw_context *, bool, uw_bench_sink *, void *, uw_err *);
} benches[] = {
    {"gemm", uw_bench_gemm},   {"gemm-bf16", uw_bench_gemm_bf16}, {"kernels", uw_bench_kernels}, {"env", uw_bench_world},
    {"train", uw_bench_train}, {"train-lewm", uw_bench_train_lewm}, {"plan", uw_bench_plan},
    {"encode", uw_bench_encode}, {"plan-lewm", uw_bench_plan_lewm},
    {"realtime", uw_bench_realtime},
    {"loader", uw_bench_loader},
};
enum { NUM_BENCHES = sizeof benches / sizeof *benches };

const char *const *uw_bench_names(void) {
    static const char *const names[] = {"gemm", "gemm-bf16", "kernels", "env", "train", "train-lewm", "plan", "encode", "plan-lewm", "realtime", "loader", NULL};
    _Static_assert(sizeof names / sizeof *names == NUM_BENCHES + 1, "one name per bench");
    return names;
}

uw_status uw_bench_run(uw_context *ctx, const char *name, bool quick, uw_bench_sink *sink, void *cookie,
                       uw_err *err) {
    for (size_t i = 0; i < NUM_BENCHES; i++)
        if (!strcmp(benches[i].name, name)) return benches[i].run(ctx, quick, sink, cookie, err);
    return uw_fail(err, UW_ENOTFOUND, "%s: no such bench", name);
}
