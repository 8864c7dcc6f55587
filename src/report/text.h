/* A growing text: everything the report writes is put together in memory, then published
 * atomically.
 *
 * Numbers are written without printf's locale: a decimal comma would break every SVG.  An
 * allocation that fails is remembered (failed) and asked about once, at the end. */
#ifndef UW_TEXT_H
#define UW_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <umwelt/status.h>

typedef struct uw_text {
    char *data;  /* NUL-terminated once anything was added; owned */
    size_t size; /* without the NUL */
    size_t cap;
    bool failed;
} uw_text;

void uw__text_fini(uw_text *t);
void uw__text_bytes(uw_text *t, const void *data, size_t size);
/* Add markup as it stands. */
void uw__text_add(uw_text *t, const char *markup);
/* Add formatted markup; only for integers and words of ours (no %f: the locale). */
void uw__text_printf(uw_text *t, const char *format, ...) UW_PRINTF(2, 3);
/* Add text of others, safe inside an element and inside a quoted attribute; what XML forbids
 * (control characters, broken UTF-8) becomes U+FFFD. NULL adds nothing. */
void uw__text_escape(uw_text *t, const char *text);
void uw__text_base64(uw_text *t, const void *data, size_t size);
/* Add v with at most `decimals` (0 .. 9) decimals, trailing zeros cut; not finite: an en dash. */
void uw__text_fixed(uw_text *t, double v, int decimals);
/* Add v with exactly `decimals` decimals. */
void uw__text_exact(uw_text *t, double v, int decimals);
/* Add v with about `digits` significant digits, as 0.00123, 45.6, 12 300, or 1.2e-7 when far off.
 */
void uw__text_number(uw_text *t, double v, int digits);
/* Add a rate 0 .. 1 as "98.5 %". */
void uw__text_percent(uw_text *t, double rate);
/* Add a whole number with thin groups of three: 30 600. */
void uw__text_count(uw_text *t, long long n);

#endif
