/* The context: what every computation shares and nothing else: kernels chosen for this CPU, the
 * thread pool, and where messages go.  There is no hidden global state.
 *
 *     uw_context_options options = {.num_threads = 2, .log = to_stderr};
 *     uw_context_new(&options, &ctx, &err);
 */
#ifndef UW_CONTEXT_H
#define UW_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UW_VERSION "0.1.0"

typedef enum uw_log_level { UW_LOG_INFO = 0, UW_LOG_WARN = 1, UW_LOG_PROGRESS = 2 } uw_log_level;

/* Receive one message, without a newline.  Called from the thread that called the library. */
typedef void uw_log_fn(void *cookie, uw_log_level level, const char *text);

/* Progress of long work: done of total units; return false to ask for a stop (Ctrl-C), upon which
 * the work leaves a resumable state and returns UW_EINTERRUPTED. */
typedef bool uw_progress_fn(void *cookie, const char *what, int64_t done, int64_t total);

/* How networks multiply.  BF16: operands of the products rounded to bfloat16, sums and everything else
 * in fp32; as fast as the CPU's bf16 units are (AMX, AVX-512-BF16), its error is stated in docs/speed.md. */
typedef enum uw_precision { UW_PRECISION_F32 = 0, UW_PRECISION_BF16 = 1 } uw_precision;

typedef struct uw_context uw_context;

typedef struct uw_context_options {
    int32_t num_threads; /* worker threads, the caller included; 0 = all cores */
    const char *max_isa; /* "ref", "avx2", "avx512", "avx512bf16", "amx", "neon": none above; NULL = UW_MAX_ISA
                          * of the environment, else the best */
    uw_log_fn *log;      /* nullable: silence */
    void *cookie;        /* handed to log and progress */
    uw_progress_fn *progress; /* nullable */
    uw_precision precision;   /* of encoding and planning; training has its own key */
} uw_context_options;

/* Make a context.
 *
 * Own      *out is the caller's; free with uw_context_free after everything made with it
 * Returns  UW_OK; UW_EINVAL for an unknown ISA; UW_ENOMEM.  On error *out is NULL. */
UW_API uw_status uw_context_new(const uw_context_options *options, uw_context **out, uw_err *err);
/* Free a context; NULL is allowed. */
UW_API void uw_context_free(uw_context *ctx);

/* Return the number of threads, the caller included. */
UW_API int32_t uw_context_threads(const uw_context *ctx);
/* Return the name of the instruction set in use: one of max_isa's. */
UW_API const char *uw_context_isa(const uw_context *ctx);

/* One line of `umwelt doctor`: an operation and the kernel that this CPU runs for it. */
typedef struct uw_kernel_choice {
    const char *op;  /* static, e.g. "gemm" */
    const char *isa; /* static, e.g. "avx512" */
} uw_kernel_choice;

/* Return the choices, and their number in *count; static, never NULL. */
UW_API const uw_kernel_choice *uw_context_kernels(const uw_context *ctx, int32_t *count);

/* Return the name nearest to `given` among names[0..count), or NULL when none is close: for "did you
 * mean".  Case is ignored; the result is one of names. */
UW_API const char *uw_nearest(const char *given, const char *const *names, int32_t count);

/* Return the library's version, "MAJOR.MINOR.PATCH". */
UW_API const char *uw_version(void);

#ifdef __cplusplus
}
#endif
#endif
