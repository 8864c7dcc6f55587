/* Messages, progress, assertions, and "did you mean". */
#include "internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void uw__log(const uw_context *ctx, uw_log_level level, const char *format, ...) {
    if (!ctx || !ctx->options.log) return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx->options.log(ctx->options.cookie, level, text);
}

bool uw__progress(const uw_context *ctx, const char *what, int64_t done, int64_t total) {
    if (!ctx || !ctx->options.progress) return true;
    return ctx->options.progress(ctx->options.cookie, what, done, total);
}

void uw__advise_large(void *memory, size_t bytes) {
#if defined(MADV_HUGEPAGE)
    enum { HUGE_PAGE = 2 << 20 };
    const uintptr_t first = ((uintptr_t)memory + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    const uintptr_t end = ((uintptr_t)memory + bytes) / HUGE_PAGE * HUGE_PAGE;
    if (memory && first < end) (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

#if defined(UW_ENABLE_ASSERT)
void uw__assert_fail(const char *expr, const char *file, int line) {
    fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, expr);
    abort();
}
#endif

/* Edit distance with case folded; names above 63 letters never match. */
static int edit_distance(const char *a, const char *b) {
    enum { MAX = 64 };
    const size_t na = strlen(a), nb = strlen(b);
    if (na >= MAX || nb >= MAX) return MAX;
    int row[MAX + 1];
    for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            const bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            const int replace = diagonal + !same;
            const int gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < gap ? replace : gap;
        }
    }
    return row[nb];
}

const char *uw__nearest(const char *given, const char *const *names, int32_t count) {
    const char *best = NULL;
    int best_distance = 0;
    const int given_length = (int)strlen(given);
    for (int32_t i = 0; i < count; i++) {
        const int distance = edit_distance(given, names[i]);
        const int length = (int)strlen(names[i]);
        const int longer = length > given_length ? length : given_length;
        const bool prefix = given_length >= 3 && !strncmp(given, names[i], (size_t)given_length);
        if (!prefix && distance > longer / 3 + 1) continue;
        if (distance >= longer) continue; /* nothing in common */
        if (!best || distance < best_distance) best = names[i], best_distance = distance;
    }
    return best;
}

const char *uw_nearest(const char *given, const char *const *names, int32_t count) {
    return uw__nearest(given, names, count);
}
