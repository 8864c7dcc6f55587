/* Text assembly for SVG and HTML: escaping, base64 and locale-free numbers. */
#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void uw__text_fini(uw_text *t) {
    free(t->data);
    *t = (uw_text){0};
}

static bool reserve(uw_text *t, size_t more) {
    if (t->failed) return false;
    if (more >= SIZE_MAX / 2 - t->size) {
        t->failed = true;
        return false;
    }
    const size_t need = t->size + more + 1;
    if (need <= t->cap) return true;
    size_t cap = t->cap ? t->cap : 4096;
    while (cap < need) cap *= 2;
    char *data = realloc(t->data, cap);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->cap = cap;
    return true;
}

void uw__text_bytes(uw_text *t, const void *data, size_t size) {
    if (!reserve(t, size)) return;
    if (size) memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

void uw__text_add(uw_text *t, const char *markup) {
    uw__text_bytes(t, markup, strlen(markup));
}

void uw__text_printf(uw_text *t, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && reserve(t, (size_t)n)) {
        vsnprintf(t->data + t->size, (size_t)n + 1, format, again);
        t->size += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

/* ---- text of others ------------------------------------------------------------------------- */

/* Bytes of the well-formed UTF-8 character at s that XML allows, or 0. */
static size_t character(const unsigned char *s) {
    if (s[0] < 0x80) return s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n' ? 1 : 0;
    const size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if (s[0] == 0xE0 && s[1] < 0xA0) return 0;                  /* over-long */
    if (s[0] == 0xED && s[1] > 0x9F) return 0;                  /* surrogates */
    if (s[0] == 0xF0 && s[1] < 0x90) return 0;                  /* over-long */
    if (s[0] == 0xF4 && s[1] > 0x8F) return 0;                  /* past U+10FFFF */
    if (s[0] == 0xEF && s[1] == 0xBF && s[2] >= 0xBE) return 0; /* U+FFFE, U+FFFF */
    return n;
}

void uw__text_escape(uw_text *t, const char *text) {
    if (!text) return;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        switch (*s) {
        case '&':
            uw__text_add(t, "&amp;");
            break;
        case '<':
            uw__text_add(t, "&lt;");
            break;
        case '>':
            uw__text_add(t, "&gt;");
            break;
        case '"':
            uw__text_add(t, "&quot;");
            break;
        case '\'':
            uw__text_add(t, "&#39;");
            break;
        default: {
            const size_t n = character(s);
            if (n)
                uw__text_bytes(t, s, n);
            else
                uw__text_add(t, "\xEF\xBF\xBD");
            s += n ? n : 1;
            continue;
        }
        }
        s++;
    }
}

void uw__text_base64(uw_text *t, const void *data, size_t size) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = data;
    if (size > SIZE_MAX / 2 || !reserve(t, (size + 2) / 3 * 4)) {
        t->failed = true;
        return;
    }
    char *to = t->data + t->size;
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t b = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) |
                           (left > 2 ? (uint32_t)s[i + 2] : 0);
        *to++ = digit[b >> 18];
        *to++ = digit[b >> 12 & 63];
        *to++ = left > 1 ? digit[b >> 6 & 63] : '=';
        *to++ = left > 2 ? digit[b & 63] : '=';
    }
    *to = '\0';
    t->size = (size_t)(to - t->data);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static const double power10[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

static void write_fixed(uw_text *t, double v, int decimals, bool trim) {
    if (decimals < 0) decimals = 0;
    if (decimals > 9) decimals = 9;
    if (!isfinite(v)) {
        uw__text_add(t, "\xE2\x80\x93");
        return;
    }
    while (decimals > 0 && fabs(v) * power10[decimals] > 9e15) decimals--;
    if (fabs(v) > 9e15) { /* no caller has such numbers to show; stay well-formed all the same */
        uw__text_printf(t, "%.0e", v);
        return;
    }
    const long long scaled = llround(fabs(v) * power10[decimals]);
    long long unit = 1;
    for (int i = 0; i < decimals; i++) unit *= 10;
    if (v < 0 && scaled) uw__text_add(t, "-");
    uw__text_printf(t, "%lld", scaled / unit);
    long long rest = scaled % unit;
    while (trim && decimals && rest % 10 == 0) {
        rest /= 10;
        decimals--;
    }
    if (decimals) uw__text_printf(t, ".%0*lld", decimals, rest);
}

void uw__text_fixed(uw_text *t, double v, int decimals) {
    write_fixed(t, v, decimals, true);
}

void uw__text_exact(uw_text *t, double v, int decimals) {
    write_fixed(t, v, decimals, false);
}

void uw__text_number(uw_text *t, double v, int digits) {
    if (!isfinite(v) || v == 0.0) {
        write_fixed(t, v, 0, true);
        return;
    }
    int magnitude = (int)floor(log10(fabs(v)));
    if (magnitude < -4 || magnitude > 8) {
        /* in two steps: 10^magnitude alone may be below the smallest double */
        double mantissa =
            magnitude < -300 ? v * 1e300 / pow(10.0, magnitude + 300) : v / pow(10.0, magnitude);
        if (fabs(mantissa) >= 10.0 - 0.5 * pow(10.0, 1 - digits)) {
            mantissa /= 10.0;
            magnitude++;
        }
        write_fixed(t, mantissa, digits - 1, true);
        uw__text_printf(t, "e%d", magnitude);
        return;
    }
    if (magnitude >= 4 && magnitude >= digits - 1)
        uw__text_count(t, llround(v));
    else
        write_fixed(t, v, digits - 1 - magnitude, true);
}

void uw__text_percent(uw_text *t, double rate) {
    const double percent = 100.0 * rate;
    write_fixed(t, percent, 1, percent > 99.95 || percent == 0.0);
    if (isfinite(rate)) uw__text_add(t, "\xC2\xA0%");
}

void uw__text_count(uw_text *t, long long n) {
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%lld", n < 0 ? -n : n);
    if (n < 0) uw__text_add(t, "-");
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) uw__text_add(t, "\xE2\x80\xAF"); /* narrow no-break space */
        uw__text_bytes(t, &digits[i], 1);
    }
}
