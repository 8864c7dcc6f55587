/* The words of JSON (RFC 8259), read in place and written into growing text. */
#include "json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "fileio.h"
#include "utf8.h"

#define FIX_COPY "the file is damaged or hostile: fetch it again from where it came"

uw_status uw__jread_bad(const uw_jreader *r, const char *wanted) {
    return uw__refuse(r->err, UW_EFORMAT, r->file, "bad_json", FIX_COPY, "wanted %s at byte %zu",
                      wanted, (size_t)(r->at - r->start));
}

uw_status uw__jread_depth(const uw_jreader *r, int most) {
    int depth = 0;
    bool quoted = false;
    for (const char *p = r->at; p < r->end; p++) {
        if (quoted) {
            if (*p == '\\' && p + 1 < r->end)
                p++;
            else if (*p == '"')
                quoted = false;
        } else if (*p == '"') {
            quoted = true;
        } else if (*p == '{' || *p == '[') {
            if (++depth > most) {
                return uw__refuse(r->err, UW_EFORMAT, r->file, "too_deep", FIX_COPY,
                                  "wanted at most %d nested brackets, got more at byte %zu", most,
                                  (size_t)(p - r->start));
            }
        } else if (*p == '}' || *p == ']') {
            depth--;
        }
    }
    return UW_OK;
}

void uw__jread_space(uw_jreader *r) {
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') r->at++;
}

bool uw__jread_take(uw_jreader *r, char c) {
    uw__jread_space(r);
    if (*r->at != c) return false;
    r->at++;
    return true;
}

/* Four hexadecimal digits at p, or -1; the NUL at the end is no digit. */
static int32_t hex4(const char *p) {
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        const char c = p[i];
        const int d = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

/* Decode the escape at r->at (behind the backslash) to *to. */
static bool unescape(uw_jreader *r, char **to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *hit = *r->at ? strchr(from, *r->at) : NULL;
    if (hit) {
        *(*to)++ = into[hit - from];
        r->at++;
        return true;
    }
    if (*r->at != 'u') return false;
    int32_t code = hex4(r->at + 1);
    if (code < 0) return false;
    r->at += 5;
    if (code >= 0xd800 && code < 0xdc00) { /* the first half of a pair */
        const int32_t low = r->at[0] == '\\' && r->at[1] == 'u' ? hex4(r->at + 2) : -1;
        if (low < 0xdc00 || low > 0xdfff) return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        r->at += 6;
    }
    char utf8[4];
    const size_t n = uw__utf8_put(utf8, (uint32_t)code);
    memcpy(*to, utf8, n);
    *to += n;
    return n > 0;
}

uw_status uw__jread_string(uw_jreader *r, bool free_text, const char **out) {
    if (!uw__jread_take(r, '"')) return uw__jread_bad(r, "a string");
    char *const start = r->at, *to = start;
    while (*r->at != '"') {
        const unsigned char c = (unsigned char)*r->at;
        if (c < 0x20) return uw__jread_bad(r, "a closing quote"); /* the end, too */
        if (c == '\\') {
            r->at++;
            if (!unescape(r, &to)) return uw__jread_bad(r, "an escape of JSON");
            continue;
        }
        const size_t n = uw__utf8_next(r->at, (size_t)(r->end - r->at));
        if (!n) return uw__jread_bad(r, "UTF-8");
        memmove(to, r->at, n);
        to += n;
        r->at += n;
    }
    r->at++;
    *to = '\0';
    if (strlen(start) != (size_t)(to - start) || !uw__utf8_clean(start, free_text)) {
        return uw__refuse(r->err, UW_EFORMAT, r->file, "unsafe_name", FIX_COPY,
                          "wanted text without NUL%s before byte %zu",
                          free_text ? "" : " and control characters", (size_t)(r->at - r->start));
    }
    *out = start;
    return UW_OK;
}

uw_status uw__jread_key(uw_jreader *r, bool *first, bool free_text, const char **key, bool *end) {
    *end = uw__jread_take(r, '}');
    if (*end) return UW_OK;
    if (!*first && !uw__jread_take(r, ',')) return uw__jread_bad(r, "',' or '}'");
    *first = false;
    const uw_status s = uw__jread_string(r, free_text, key);
    if (s) return s;
    return uw__jread_take(r, ':') ? UW_OK : uw__jread_bad(r, "':'");
}

static bool digits(const char **p) {
    const char *start = *p;
    while (**p >= '0' && **p <= '9') (*p)++;
    return *p > start;
}

uw_status uw__jread_number(uw_jreader *r, double *value, int64_t *whole, bool *integer) {
    uw__jread_space(r);
    const char *p = r->at;
    bool plain = true;
    if (*p == '-') p++;
    const bool zero = *p == '0';
    const char *first = p;
    if (!digits(&p) || (zero && p - first > 1)) return uw__jread_bad(r, "a number");
    if (*p == '.') {
        plain = false;
        p++;
        if (!digits(&p)) return uw__jread_bad(r, "a digit behind the point");
    }
    if (*p == 'e' || *p == 'E') {
        plain = false;
        p++;
        if (*p == '+' || *p == '-') p++;
        if (!digits(&p)) return uw__jread_bad(r, "an exponent");
    }
    char *stop = r->at + (p - r->at);
    const char kept = *stop;
    *stop = '\0';
    const bool ok = uw__parse_f64(r->at, value);
    *integer = false;
    if (plain && !(zero && *r->at == '-')) {
        char *rest;
        const intmax_t v = strtoimax(r->at, &rest, 10);
        /* saturated values are told apart by writing them back */
        char again[24];
        snprintf(again, sizeof again, "%" PRIdMAX, v);
        *integer = !strcmp(again, r->at);
        *whole = v;
    }
    *stop = kept;
    if (!ok || *value > 1.7976931348623157e308 || *value < -1.7976931348623157e308) {
        return uw__jread_bad(r, "a number that a double can hold");
    }
    r->at = stop;
    return UW_OK;
}

void uw__text_put(uw_text *t, const char *s, size_t n) {
    if (t->failed) return;
    if (n >= t->cap - t->size) {
        const size_t cap = 2 * (t->size + n) + 256;
        char *grown = realloc(t->at, cap);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->at = grown;
        t->cap = cap;
    }
    memcpy(t->at + t->size, s, n);
    t->size += n;
    t->at[t->size] = '\0';
}

void uw__text_str(uw_text *t, const char *s) {
    uw__text_put(t, s, strlen(s));
}

void uw__text_i64(uw_text *t, int64_t v) {
    char number[24];
    uw__text_put(t, number, (size_t)snprintf(number, sizeof number, "%" PRId64, v));
}

void uw__text_quoted(uw_text *t, const char *s) {
    uw__text_put(t, "\"", 1);
    for (; *s; s++) {
        char escape[8] = {'\\', *s};
        if (*s == '"' || *s == '\\') {
            uw__text_put(t, escape, 2);
        } else if ((unsigned char)*s < 0x20) {
            const int n = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*s);
            uw__text_put(t, escape, (size_t)n);
        } else {
            uw__text_put(t, s, 1);
        }
    }
    uw__text_put(t, "\"", 1);
}
