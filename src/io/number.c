/* Numbers as text, the same in every locale: the C library's exact conversions under the C locale.
 */
#include "csv.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* glibc hands out its static C locale for this: no memory, no failure, nothing to free. */
static locale_t c_locale(void) {
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static int format(char *text, size_t size, int digits, double value) {
    if (isnan(value)) {
        if (size) text[0] = '\0';
        return 0;
    }
    const locale_t c = c_locale(), old = uselocale(c);
    const int n = snprintf(text, size, "%.*g", digits, value);
    uselocale(old);
    freelocale(c);
    return n;
}

int uw__format_f32(char *text, size_t size, float value) {
    return format(text, size, 9, (double)value);
}

int uw__format_f64(char *text, size_t size, double value) {
    return format(text, size, 17, value);
}

static const char *skip_digits(const char *p) {
    while (*p >= '0' && *p <= '9') p++;
    return p;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point: not all that
 * strtod takes (hexadecimal, leading space, nan(...)). */
static bool is_decimal(const char *p) {
    if (*p == '+' || *p == '-') p++;
    const char *q = skip_digits(p);
    bool any = q > p;
    if (*q == '.') {
        p = q + 1;
        q = skip_digits(p);
        any = any || q > p;
    }
    if (!any) return false;
    if (*q == 'e' || *q == 'E') {
        p = q + 1;
        if (*p == '+' || *p == '-') p++;
        q = skip_digits(p);
        if (q == p) return false;
    }
    return !*q;
}

bool uw__parse_f64(const char *text, double *value) {
    const char *word = text + (*text == '+' || *text == '-');
    if (!is_decimal(text)) {
        if (!strcasecmp(word, "nan"))
            *value = (double)NAN;
        else if (strcasecmp(word, "inf") && strcasecmp(word, "infinity"))
            return false;
        else
            *value = *text == '-' ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    const locale_t c = c_locale();
    *value = strtod_l(text, NULL, c);
    freelocale(c);
    return true;
}
