/* Status texts and error messages. */
#include <umwelt/status.h>

#include <stdarg.h>
#include <stdio.h>

const char *uw_status_str(uw_status status) {
    switch (status) {
#define X(name, value, text)                                                                       \
    case UW_##name:                                                                                \
        return text;
        UW_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

uw_status uw_fail(uw_err *err, uw_status status, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

void uw_err_fix(uw_err *err, const char *format, ...) {
    if (!err) return;
    va_list args;
    va_start(args, format);
    vsnprintf(err->fix, sizeof err->fix, format, args);
    va_end(args);
}
