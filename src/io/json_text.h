/* The words of JSON: a reader that decodes in place without recursion, and text that grows.  Both
 * JSON files of ours (json.c, st_header.c) know their grammar and take their words from here. */
#ifndef UW_JSON_TEXT_H
#define UW_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

/* A cursor over mutable text; *end must be a NUL, so that at[0] may always be read. */
typedef struct uw_jreader {
    const char *file, *start; /* for messages */
    char *at, *end;
    uw_err *err;
} uw_jreader;

/* Refuse with reason bad_json: "wanted X at byte N". */
uw_status uw__jread_bad(const uw_jreader *r, const char *wanted);
/* Refuse with too_deep when brackets nest deeper than `most`; reads from the cursor, does not move
 * it. */
uw_status uw__jread_depth(const uw_jreader *r, int most);
void uw__jread_space(uw_jreader *r);
/* Skip space and take the character c if it is next. */
bool uw__jread_take(uw_jreader *r, char c);
/* Read a string, decoded in place and NUL-terminated (an escape is never shorter than what it
 * stands for, the closing quote becomes the NUL).  A NUL inside or, unless free_text, a control
 * character is unsafe_name. */
uw_status uw__jread_string(uw_jreader *r, bool free_text, const char **out);
/* Step to the next key of an object whose '{' was taken, past its ':'; *end at the '}'. */
uw_status uw__jread_key(uw_jreader *r, bool *first, bool free_text, const char **key, bool *end);
/* Read a number; *integer says that *whole holds it exactly (no fraction, no exponent, fits, not
 * -0). */
uw_status uw__jread_number(uw_jreader *r, double *value, int64_t *whole, bool *integer);

/* Text that grows; `failed` (out of memory) is sticky, so that a builder checks once.  Zero to
 * begin; free `at`. */
typedef struct uw_text {
    char *at;
    size_t size, cap;
    bool failed;
} uw_text;

void uw__text_put(uw_text *t, const char *s, size_t n);
void uw__text_str(uw_text *t, const char *s);
void uw__text_i64(uw_text *t, int64_t v);
/* s as a JSON string; s is UTF-8. */
void uw__text_quoted(uw_text *t, const char *s);

#endif
