/* Flat JSON objects: parsed in place, kept in order, dumped so that every number reads back. */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "fileio.h"
#include "json_text.h"
#include "utf8.h"

#define FIX_FLAT "write one flat object: keys to numbers, texts, true, false or lists of numbers"

enum {
    MAX_BYTES = 4 << 20,
    MAX_KEYS = 4096 /* keys are found by looking at each */
};

typedef enum kind { NUMBER, INTEGER, TEXT, BOOLEAN, NUMBERS } kind;

typedef struct value {
    char *key; /* owned */
    kind kind;
    double number;   /* NUMBER and INTEGER */
    int64_t integer; /* INTEGER; BOOLEAN as 0 or 1 */
    char *text;      /* TEXT, owned */
    double *numbers; /* NUMBERS, owned [count] */
    int32_t count;
} value;

struct uw_json {
    value *values; /* owned [count], in order of insertion */
    int32_t count, cap;
    bool failed; /* a setter found no memory: nothing may be dumped */
};

uw_json *uw__json_new(void) {
    return calloc(1, sizeof(uw_json));
}

static void value_clear(value *v) {
    free(v->key);
    free(v->text);
    free(v->numbers);
}

void uw__json_free(uw_json *j) {
    if (!j) return;
    for (int32_t i = 0; i < j->count; i++) value_clear(&j->values[i]);
    free(j->values);
    free(j);
}

static value *find(const uw_json *j, const char *key) {
    for (int32_t i = 0; i < j->count; i++) {
        if (!strcmp(j->values[i].key, key)) return &j->values[i];
    }
    return NULL;
}

static bool grow(void **array, int32_t count, int32_t *cap, size_t size) {
    if (count < *cap) return true;
    const int32_t more = *cap ? 2 * *cap : 8;
    void *p = realloc(*array, (size_t)more * size);
    if (!p) return false;
    *array = p;
    *cap = more;
    return true;
}

/* Append a value whose key is given; NULL when out of memory. */
static value *append(uw_json *j, char *key) {
    void *array = j->values;
    if (!key || !grow(&array, j->count, &j->cap, sizeof *j->values)) {
        free(key);
        return NULL;
    }
    j->values = array;
    value *v = &j->values[j->count++];
    *v = (value){.key = key};
    return v;
}

static uw_status no_memory(const uw_jreader *r) {
    return uw__no_memory(r->err, r->file, (uint64_t)(r->end - r->start));
}

/* NaN and the infinities, as texts. */
static bool special(const char *text, double *out) {
    if (!strcmp(text, "NaN"))
        *out = (double)NAN;
    else if (!strcmp(text, "Infinity"))
        *out = HUGE_VAL;
    else if (!strcmp(text, "-Infinity"))
        *out = -HUGE_VAL;
    else
        return false;
    return true;
}

static uw_status not_flat(const uw_jreader *r, const char *key) {
    return uw__refuse(r->err, UW_EFORMAT, r->file, "not_flat", FIX_FLAT,
                      "%.60s: wanted a number, a text, true, false or a list of numbers", key);
}

static uw_status parse_numbers(uw_jreader *r, value *v) {
    int32_t cap = 0;
    v->kind = NUMBERS;
    if (uw__jread_take(r, ']')) return UW_OK;
    do {
        double x = 0;
        int64_t whole;
        bool integer;
        uw_status s = UW_OK;
        uw__jread_space(r);
        if (*r->at == '"') {
            const char *text;
            s = uw__jread_string(r, true, &text);
            if (!s && !special(text, &x)) s = not_flat(r, v->key);
        } else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')) {
            s = uw__jread_number(r, &x, &whole, &integer);
        } else {
            s = not_flat(r, v->key);
        }
        if (s) return s;
        void *array = v->numbers;
        if (!grow(&array, v->count, &cap, sizeof *v->numbers)) return no_memory(r);
        v->numbers = array;
        v->numbers[v->count++] = x;
    } while (uw__jread_take(r, ','));
    return uw__jread_take(r, ']') ? UW_OK : uw__jread_bad(r, "',' or ']'");
}

static uw_status parse_value(uw_jreader *r, value *v) {
    uw__jread_space(r);
    if (*r->at == '"') {
        const char *text;
        const uw_status s = uw__jread_string(r, true, &text);
        if (s) return s;
        v->kind = TEXT;
        v->text = strdup(text);
        return v->text ? UW_OK : no_memory(r);
    }
    if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')) {
        bool integer = false;
        const uw_status s = uw__jread_number(r, &v->number, &v->integer, &integer);
        v->kind = integer ? INTEGER : NUMBER;
        return s;
    }
    if (uw__jread_take(r, '[')) return parse_numbers(r, v);
    for (int truth = 0; truth < 2; truth++) {
        const char *word = truth ? "true" : "false";
        const size_t n = strlen(word);
        if (strncmp(r->at, word, n)) continue;
        r->at += n;
        v->kind = BOOLEAN;
        v->integer = truth;
        return UW_OK;
    }
    return *r->at == '{' || *r->at == 'n' ? not_flat(r, v->key) : uw__jread_bad(r, "a value");
}

static uw_status parse_members(uw_jreader *r, uw_json *j) {
    bool first = true, end;
    if (!uw__jread_take(r, '{')) return uw__jread_bad(r, "'{'");
    for (;;) {
        const char *key;
        uw_status s = uw__jread_key(r, &first, false, &key, &end);
        if (s) return s;
        if (end) break;
        if (find(j, key)) {
            return uw__refuse(r->err, UW_EFORMAT, r->file, "duplicate_key", "keep one of them",
                              "%.60s twice", key);
        }
        if (j->count == MAX_KEYS) {
            return uw__refuse(r->err, UW_EFORMAT, r->file, "too_large",
                              "check that this is the file you meant", "wanted at most %d keys",
                              MAX_KEYS);
        }
        value *v = append(j, strdup(key));
        if (!v) return no_memory(r);
        if ((s = parse_value(r, v))) return s;
    }
    uw__jread_space(r);
    return r->at == r->end ? UW_OK : uw__jread_bad(r, "the end");
}

uw_status uw__json_parse(const char *name, const char *text, uw_json **out, uw_err *err) {
    const size_t n = strnlen(text, MAX_BYTES + 1);
    *out = NULL;
    if (n > MAX_BYTES) {
        return uw__refuse(err, UW_EFORMAT, name, "too_large",
                          "check that this is the file you meant", "wanted at most %d bytes",
                          MAX_BYTES);
    }
    char *copy = malloc(n + 1);
    uw_json *j = uw__json_new();
    uw_jreader r = {.file = name, .start = copy, .at = copy, .end = copy + n, .err = err};
    uw_status s;
    if (!copy || !j) {
        s = uw__no_memory(err, name, n + 1);
    } else {
        memcpy(copy, text, n);
        copy[n] = '\0';
        s = parse_members(&r, j);
    }
    free(copy);
    if (s)
        uw__json_free(j);
    else
        *out = j;
    return s;
}

int32_t uw__json_count(const uw_json *j) {
    return j->count;
}

const char *uw__json_key(const uw_json *j, int32_t i) {
    return j->values[i].key;
}

bool uw__json_get_f64(const uw_json *j, const char *key, double *out) {
    const value *v = find(j, key);
    if (!v) return false;
    if (v->kind == TEXT) return special(v->text, out);
    if (v->kind != NUMBER && v->kind != INTEGER) return false;
    *out = v->number;
    return true;
}

bool uw__json_get_i64(const uw_json *j, const char *key, int64_t *out) {
    const value *v = find(j, key);
    if (!v || v->kind != INTEGER) return false;
    *out = v->integer;
    return true;
}

bool uw__json_get_bool(const uw_json *j, const char *key, bool *out) {
    const value *v = find(j, key);
    if (!v || v->kind != BOOLEAN) return false;
    *out = v->integer != 0;
    return true;
}

const char *uw__json_get_str(const uw_json *j, const char *key) {
    const value *v = find(j, key);
    return v && v->kind == TEXT ? v->text : NULL;
}

int32_t uw__json_get_f64s(const uw_json *j, const char *key, double *out, int32_t cap) {
    const value *v = find(j, key);
    if (!v || v->kind != NUMBERS) return -1;
    for (int32_t i = 0; i < v->count && i < cap; i++) out[i] = v->numbers[i];
    return v->count;
}

/* A copy in which what is not UTF-8 (a path in another encoding) became '?'. */
static char *copy_utf8(const char *text) {
    char *copy = strdup(text);
    for (char *p = copy; p && *p;) {
        const size_t n = uw__utf8_next(p, strlen(p));
        if (!n) *p = '?';
        p += n ? n : 1;
    }
    return copy;
}

/* The value of a key, emptied, or a new one; NULL (and failed) when out of memory. */
static value *place(uw_json *j, const char *key) {
    char *name = copy_utf8(key);
    value *v = name ? find(j, name) : NULL;
    if (v) {
        value_clear(v);
        *v = (value){.key = name};
        return v;
    }
    v = append(j, name);
    if (!v) j->failed = true;
    return v;
}

void uw__json_set_f64(uw_json *j, const char *key, double number) {
    value *v = place(j, key);
    if (!v) return;
    v->kind = NUMBER;
    v->number = number;
}

void uw__json_set_i64(uw_json *j, const char *key, int64_t integer) {
    value *v = place(j, key);
    if (!v) return;
    v->kind = INTEGER;
    v->integer = integer;
    v->number = (double)integer;
}

void uw__json_set_bool(uw_json *j, const char *key, bool truth) {
    value *v = place(j, key);
    if (!v) return;
    v->kind = BOOLEAN;
    v->integer = truth;
}

void uw__json_set_str(uw_json *j, const char *key, const char *text) {
    value *v = place(j, key);
    if (!v) return;
    v->kind = TEXT;
    v->text = copy_utf8(text);
    if (!v->text) j->failed = true;
}

void uw__json_set_f64s(uw_json *j, const char *key, const double *numbers, int32_t n) {
    value *v = place(j, key);
    if (!v) return;
    v->kind = NUMBERS;
    if (n <= 0) return;
    v->numbers = malloc((size_t)n * sizeof *numbers);
    if (!v->numbers) {
        j->failed = true;
        return;
    }
    memcpy(v->numbers, numbers, (size_t)n * sizeof *numbers);
    v->count = n;
}

static void put_number(uw_text *t, double x) {
    char number[40];
    if (isnan(x)) {
        uw__text_str(t, "\"NaN\"");
    } else if (isinf(x)) {
        uw__text_str(t, x < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    } else {
        uw__format_f64(number, sizeof number, x);
        uw__text_str(t, number);
    }
}

static void put_value(uw_text *t, const value *v) {
    switch (v->kind) {
    case NUMBER:
        put_number(t, v->number);
        break;
    case INTEGER:
        uw__text_i64(t, v->integer);
        break;
    case TEXT:
        uw__text_quoted(t, v->text);
        break;
    case BOOLEAN:
        uw__text_str(t, v->integer ? "true" : "false");
        break;
    case NUMBERS:
        uw__text_str(t, "[");
        for (int32_t i = 0; i < v->count; i++) {
            if (i) uw__text_str(t, ",");
            put_number(t, v->numbers[i]);
        }
        uw__text_str(t, "]");
        break;
    }
}

char *uw__json_dump(const uw_json *j) {
    uw_text t = {0};
    if (j->failed) return NULL;
    uw__text_str(&t, "{");
    for (int32_t i = 0; i < j->count; i++) {
        if (i) uw__text_str(&t, ",");
        uw__text_quoted(&t, j->values[i].key);
        uw__text_str(&t, ":");
        put_value(&t, &j->values[i]);
    }
    uw__text_str(&t, "}");
    if (!t.failed) return t.at;
    free(t.at);
    return NULL;
}
