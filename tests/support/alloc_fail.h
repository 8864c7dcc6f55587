/* Allocation that fails on demand: link with uw_wrap_alloc(test) (tests/cmake/io.cmake), include in
 * one file.  Counts the calls made by our own code; the n-th returns NULL.
 *
 *     for (alloc_fail_begin(0); ...; alloc_fail_begin(++n)) { s = load(...); alloc_fail_end(); if
 * (!s) break; } */
#ifndef UW_ALLOC_FAIL_H
#define UW_ALLOC_FAIL_H

#include <stddef.h>
#include <string.h>

static long alloc_calls;        /* since alloc_fail_begin */
static long alloc_fail_at = -1; /* the call that fails; -1 = none */

static int alloc_now(void) {
    return alloc_calls++ == alloc_fail_at;
}

static inline void alloc_fail_begin(long n) {
    alloc_calls = 0;
    alloc_fail_at = n;
}

static inline void alloc_fail_end(void) {
    alloc_fail_at = -1;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
    return alloc_now() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return alloc_now() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size) {
    return alloc_now() ? NULL : __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
    return alloc_now() ? NULL : __real_aligned_alloc(align, size);
}
char *__wrap_strdup(const char *text) {
    return alloc_now() ? NULL : __real_strdup(text);
}

#endif
