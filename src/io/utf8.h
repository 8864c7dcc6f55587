/* UTF-8: what files of names and texts are checked with. */
#ifndef UW_UTF8_H
#define UW_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Return the bytes of the well-formed character at text (1..4); 0 when the next bytes are none:
 * overlong forms, surrogates, beyond U+10FFFF, cut off. */
size_t uw__utf8_next(const char *text, size_t size);
/* Write a code point as UTF-8 into out [4] and return the bytes; 0 for one that may not be written.
 */
size_t uw__utf8_put(char *out, uint32_t code);
/* True when the NUL-terminated text is well-formed and, unless `free_text`, holds no control
 * characters (a name ends up on terminals). */
bool uw__utf8_clean(const char *text, bool free_text);

#endif
