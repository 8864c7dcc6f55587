/* Status codes and error messages: how every fallible function of the library answers.
 *
 *     uw_err err = {0};
 *     if (uw_model_load("model.safetensors", &model, &err)) fprintf(stderr, "%s\n", err.text);
 */
#ifndef UW_STATUS_H
#define UW_STATUS_H

#if defined(__GNUC__)
#define UW_API __attribute__((visibility("default")))
#define UW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define UW_API
#define UW_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* name, pinned value, message.  Append only; never renumber. */
#define UW_STATUS_MAP(X)                                                     \
    X(OK, 0, "ok")                                                           \
    X(EINVAL, -1, "invalid argument")                                        \
    X(ENOMEM, -2, "out of memory, or the buffer is too small")               \
    X(EIO, -3, "read or write failed")                                       \
    X(EFORMAT, -4, "file is not in the expected format")                     \
    X(ESHAPE, -5, "tensor shapes do not agree")                              \
    X(ENONFINITE, -6, "NaN or Inf where a finite value is required")         \
    X(ENOTFOUND, -7, "no such file, column or name")                         \
    X(EEXIST, -8, "target exists and may not be overwritten")                \
    X(ENOSPC, -9, "no space left, or the place cannot be written")           \
    X(EUNSUPPORTED, -10, "not supported by this build or this kind of file") \
    X(EINTERRUPTED, -11, "stopped on request; the state on disk resumes")

typedef enum uw_status {
#define X(name, value, text) UW_##name = (value),
    UW_STATUS_MAP(X)
#undef X
} uw_status;

/* Return the fixed English text of a status; never NULL, for any input. */
UW_API const char *uw_status_str(uw_status status);

/* One error message, `path-or-object: what, wanted X, got Y`, and what would likely mend it. */
typedef struct uw_err {
    char text[256]; /* NUL-terminated; empty when there was no error */
    char fix[160];  /* NUL-terminated; empty when there is no advice */
} uw_err;

/* Write a formatted message into err (nullable) and return status, so that callers can
 * `return uw_fail(err, UW_EFORMAT, "%s: ...", path)`.  An over-long text is cut. */
UW_API uw_status uw_fail(uw_err *err, uw_status status, const char *format, ...) UW_PRINTF(3, 4);

/* Set the advice line of err (nullable); returns nothing, keeps the text. */
UW_API void uw_err_fix(uw_err *err, const char *format, ...) UW_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
