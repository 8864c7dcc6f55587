/* Benchmarks of the product, run by `umwelt bench`; they see the inside of the library. */
#ifndef UW_BENCH_H
#define UW_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/context.h>

/* One figure: the median of `samples` repetitions. */
typedef struct uw_bench_result {
    const char *name, *unit, *settings;
    double value, min, max;
    double percent_of_peak; /* of the arithmetic peak measured in the same run; 0 = does not apply */
    int32_t samples;
} uw_bench_result;

typedef void uw_bench_sink(void *cookie, const uw_bench_result *result);

/* Return the names of the benches, NULL-terminated. */
const char *const *uw_bench_names(void);
/* Run one bench, handing every figure to sink. quick: fewer samples. */
uw_status uw_bench_run(uw_context *ctx, const char *name, bool quick, uw_bench_sink *sink, void *cookie,
                       uw_err *err);

/* The benches, one file each. */
uw_status uw_bench_gemm(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_gemm_bf16(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_kernels(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_world(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_train(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_train_lewm(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_plan(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_encode(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_plan_lewm(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_realtime(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
uw_status uw_bench_loader(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err);
/* The same of a recording of one's own. */
uw_status uw_bench_loader_of(uw_context *ctx, const char *data, bool quick, uw_bench_sink *sink, void *cookie,
                             uw_err *err);

#endif
