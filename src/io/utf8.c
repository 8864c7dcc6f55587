/* UTF-8 by Unicode's table 3-7, which names the only well-formed byte sequences. */
#include "utf8.h"

#include <string.h>

size_t uw__utf8_next(const char *text, size_t size) {
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t n;
    if (!size) return 0;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0) low = 0xa0;  /* shorter forms exist */
    if (s[0] == 0xed) high = 0x9f; /* surrogates */
    if (s[0] == 0xf0) low = 0x90;
    if (s[0] == 0xf4) high = 0x8f; /* beyond U+10FFFF */
    if (n > size || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    }
    return n;
}

size_t uw__utf8_put(char *out, uint32_t code) {
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
    const size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[n] | code);
    return n;
}

bool uw__utf8_clean(const char *text, bool free_text) {
    size_t left = strlen(text);
    while (left) {
        const size_t n = uw__utf8_next(text, left);
        const unsigned char c = (unsigned char)text[0];
        if (!n || (!free_text && (c < 0x20 || c == 0x7f))) return false;
        text += n;
        left -= n;
    }
    return true;
}
