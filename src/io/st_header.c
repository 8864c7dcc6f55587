/* The safetensors header, read in one pass over the text, without recursion.
 *
 * Strings are decoded in place, so memory is the text plus a fixed amount per entry, whatever the
 * header says.  Order of checks: syntax and types of each entry, then duplicates, then how the
 * data block is covered, where sorting by offset makes holes and overlaps neighbours' affairs. */
#include "st_header.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "json_text.h"

#define FIX_SAVE "save the file again with a safetensors library"
#define FIX_COPY "the file is damaged or hostile: fetch it again from where it came"

enum { MAX_DEPTH = 3 }; /* {name: {shape: [ */

typedef struct reader {
    uw_jreader j;
    uw_st_header *out;
} reader;

static uw_status refuse(const reader *r, const char *reason, const char *fix, const char *format,
                        ...) UW_PRINTF(4, 5);
static uw_status refuse(const reader *r, const char *reason, const char *fix, const char *format,
                        ...) {
    char detail[160];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return uw__refuse(r->j.err, UW_EFORMAT, r->j.file, reason, fix, "%s", detail);
}

/* A non-negative integer below 2^63; anything else gets the caller's reason. */
static uw_status read_size(reader *r, const char *name, const char *reason, uint64_t *out) {
    uint64_t v = 0;
    uw__jread_space(&r->j);
    bool ok = *r->j.at >= '0' && *r->j.at <= '9' &&
              !(r->j.at[0] == '0' && r->j.at[1] >= '0' && r->j.at[1] <= '9');
    for (; *r->j.at >= '0' && *r->j.at <= '9'; r->j.at++) {
        ok = ok && uw__mul_u64(v, 10, &v) && uw__add_u64(v, (uint64_t)(*r->j.at - '0'), &v);
    }
    if (*r->j.at == '.' || *r->j.at == 'e' || *r->j.at == 'E') ok = false;
    if (!ok || v > INT64_MAX) {
        return refuse(r, reason, FIX_COPY, "tensor %.60s: wanted integers from 0 below 2^63", name);
    }
    *out = v;
    return UW_OK;
}

static uw_status read_dtype(reader *r, const char *name, uw_dtype *out) {
    static const char *const others[] = {"I8",  "U16",     "I16",     "U32",
                                         "U64", "F8_E4M3", "F8_E5M2", "F8_E8M0",
                                         "F4",  "F6_E2M3", "F6_E3M2", "C64"};
    const char *word;
    const uw_status s = uw__jread_string(&r->j, false, &word);
    if (s) return s;
#define X(id, value, bytes, text)                                                                  \
    if (!strcmp(word, text)) {                                                                     \
        *out = UW_DTYPE_##id;                                                                      \
        return UW_OK;                                                                              \
    }
    UW_DTYPE_MAP(X)
#undef X
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(word, others[i])) continue;
        return uw__refuse(r->j.err, UW_EUNSUPPORTED, r->j.file, "unsupported_dtype",
                          "convert it to F32 where it was made",
                          "tensor %.60s: wanted U8 I32 I64 F16 BF16 F32 F64 or BOOL, got %s", name,
                          word);
    }
    return refuse(r, "bad_dtype", FIX_COPY, "tensor %.60s: wanted a type of the format, got %.20s",
                  name, word);
}

static uw_status read_shape(reader *r, const char *name, uw_tensor *t) {
    if (!uw__jread_take(&r->j, '[')) {
        return refuse(r, "bad_shape", FIX_COPY, "tensor %.60s: wanted a list of sizes", name);
    }
    t->num_dims = 0;
    if (uw__jread_take(&r->j, ']')) return UW_OK;
    do {
        uint64_t size;
        const uw_status s = read_size(r, name, "bad_shape", &size);
        if (s) return s;
        if (t->num_dims == UW_MAX_DIMS) {
            return uw__refuse(r->j.err, UW_EUNSUPPORTED, r->j.file, "too_many_dims",
                              "reshape it where it was made",
                              "tensor %.60s: wanted at most %d axes", name, UW_MAX_DIMS);
        }
        t->shape[t->num_dims++] = (int64_t)size;
    } while (uw__jread_take(&r->j, ','));
    return uw__jread_take(&r->j, ']') ? UW_OK : uw__jread_bad(&r->j, "',' or ']'");
}

static uw_status read_offsets(reader *r, uw_st_entry *e) {
    const char *name = e->tensor.name;
    uw_status s;
    if (!uw__jread_take(&r->j, '[')) goto bad;
    if ((s = read_size(r, name, "bad_offsets", &e->begin))) return s;
    if (!uw__jread_take(&r->j, ',')) goto bad;
    if ((s = read_size(r, name, "bad_offsets", &e->end))) return s;
    if (!uw__jread_take(&r->j, ']')) goto bad;
    if (e->begin <= e->end) return UW_OK;
bad:
    return refuse(r, "bad_offsets", FIX_COPY,
                  "tensor %.60s: wanted data_offsets [begin, end] with begin <= end", name);
}

static uw_status check_entry(const reader *r, const uw_st_entry *e, uint64_t data_bytes) {
    const uw_tensor *t = &e->tensor;
    uint64_t bytes = uw_dtype_bytes(t->dtype);
    bool ok = true;
    for (int32_t i = 0; i < t->num_dims; i++) {
        ok = ok && uw__mul_u64(bytes, (uint64_t)t->shape[i], &bytes);
    }
    if (!ok || bytes > INT64_MAX) {
        return refuse(r, "bad_shape", FIX_COPY, "tensor %.60s: the product of its sizes overflows",
                      t->name);
    }
    if (!uw__range_ok(e->begin, e->end - e->begin, data_bytes)) {
        return refuse(r, "tensor_outside_file", FIX_COPY,
                      "tensor %.60s: wanted bytes %llu to %llu, got a data block of %llu", t->name,
                      (unsigned long long)e->begin, (unsigned long long)e->end,
                      (unsigned long long)data_bytes);
    }
    if (bytes != e->end - e->begin) {
        return refuse(r, "size_mismatch", FIX_COPY,
                      "tensor %.60s: wanted %llu bytes for its shape, got %llu", t->name,
                      (unsigned long long)bytes, (unsigned long long)(e->end - e->begin));
    }
    return UW_OK;
}

static uw_status read_entry(reader *r, uw_st_entry *e, uint64_t data_bytes) {
    static const char *const fields[] = {"dtype", "shape", "data_offsets"};
    const char *name = e->tensor.name, *key;
    unsigned seen = 0;
    bool first = true, end;
    uw_status s;
    if (!uw__jread_take(&r->j, '{')) return uw__jread_bad(&r->j, "'{'");
    for (;;) {
        if ((s = uw__jread_key(&r->j, &first, true, &key, &end))) return s;
        if (end) break;
        unsigned f = 0;
        while (f < 3 && strcmp(key, fields[f])) f++;
        if (f == 3) {
            return refuse(r, "unknown_field", FIX_SAVE,
                          "tensor %.60s: wanted dtype, shape and data_offsets only", name);
        }
        if (seen & 1u << f) {
            return refuse(r, "duplicate_key", FIX_COPY, "tensor %.60s: %s twice", name, fields[f]);
        }
        seen |= 1u << f;
        s = f == 0   ? read_dtype(r, name, &e->tensor.dtype)
            : f == 1 ? read_shape(r, name, &e->tensor)
                     : read_offsets(r, e);
        if (s) return s;
    }
    if (seen != 7) {
        return refuse(r, "missing_field", FIX_COPY,
                      "tensor %.60s: wanted dtype, shape and data_offsets", name);
    }
    return check_entry(r, e, data_bytes);
}

/* Make room for one more in an array that doubles. */
static bool grow(void **array, int32_t count, int32_t *cap, size_t size) {
    if (count < *cap) return true;
    const int32_t more = *cap ? 2 * *cap : 16;
    void *p = realloc(*array, (size_t)more * size);
    if (!p) return false;
    *array = p;
    *cap = more;
    return true;
}

static uw_status read_meta(reader *r) {
    uw_st_header *h = r->out;
    bool first = true, end;
    uw_status s;
    if (!uw__jread_take(&r->j, '{')) goto bad;
    for (;;) {
        uw_meta_pair pair;
        if ((s = uw__jread_key(&r->j, &first, false, &pair.key, &end))) return s;
        if (end) return UW_OK;
        uw__jread_space(&r->j);
        if (*r->j.at != '"') goto bad;
        if ((s = uw__jread_string(&r->j, true, &pair.value))) return s;
        void *array = h->meta;
        if (!grow(&array, h->meta_count, &h->meta_cap, sizeof *h->meta)) {
            return uw__no_memory(r->j.err, r->j.file, 2 * (uint64_t)h->meta_cap * sizeof *h->meta);
        }
        h->meta = array;
        h->meta[h->meta_count++] = pair;
    }
bad:
    return refuse(r, "bad_metadata", FIX_SAVE, "wanted __metadata__ to map strings to strings");
}

static uw_status read_members(reader *r, uint64_t data_bytes) {
    uw_st_header *h = r->out;
    bool first = true, end, had_meta = false;
    uw_status s;
    for (;;) {
        const char *key;
        if ((s = uw__jread_key(&r->j, &first, false, &key, &end))) return s;
        if (end) return UW_OK;
        if (!strcmp(key, "__metadata__")) {
            if (had_meta) {
                return refuse(r, "duplicate_key", FIX_COPY, "__metadata__ twice");
            }
            had_meta = true;
            if ((s = read_meta(r))) return s;
            continue;
        }
        void *array = h->entries;
        if (!grow(&array, h->count, &h->cap, sizeof *h->entries)) {
            return uw__no_memory(r->j.err, r->j.file, 2 * (uint64_t)h->cap * sizeof *h->entries);
        }
        h->entries = array;
        uw_st_entry *e = &h->entries[h->count];
        *e = (uw_st_entry){.tensor.name = key, .order = h->count};
        if ((s = read_entry(r, e, data_bytes))) return s;
        h->count++;
    }
}

static int by_data(const void *a, const void *b) {
    const uw_st_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int by_name(const void *a, const void *b, void *arg) {
    const uw_st_entry *e = arg;
    return strcmp(e[*(const int32_t *)a].tensor.name, e[*(const int32_t *)b].tensor.name);
}

static int by_key(const void *a, const void *b, void *arg) {
    const uw_meta_pair *m = arg;
    return strcmp(m[*(const int32_t *)a].key, m[*(const int32_t *)b].key);
}

/* Sorted, equal names are neighbours: no hash for a hostile file to flood. */
static uw_status check_meta_keys(const reader *r) {
    const uw_st_header *h = r->out;
    uw_status s = UW_OK;
    if (h->meta_count < 2) return UW_OK;
    int32_t *index = malloc((size_t)h->meta_count * sizeof *index);
    if (!index) return uw__no_memory(r->j.err, r->j.file, (uint64_t)h->meta_count * sizeof *index);
    for (int32_t i = 0; i < h->meta_count; i++) index[i] = i;
    qsort_r(index, (size_t)h->meta_count, sizeof *index, by_key, h->meta);
    for (int32_t i = 1; i < h->meta_count && !s; i++) {
        const char *key = h->meta[index[i]].key;
        if (strcmp(h->meta[index[i - 1]].key, key)) continue;
        s = refuse(r, "duplicate_key", FIX_COPY, "__metadata__ has %.60s twice", key);
    }
    free(index);
    return s;
}

static uw_status check_names(const reader *r) {
    uw_st_header *h = r->out;
    const size_t n = (size_t)h->count;
    h->by_name = malloc((n ? n : 1) * sizeof *h->by_name);
    if (!h->by_name) return uw__no_memory(r->j.err, r->j.file, n * sizeof *h->by_name);
    for (int32_t i = 0; i < h->count; i++) h->by_name[i] = i;
    if (n) qsort_r(h->by_name, n, sizeof *h->by_name, by_name, h->entries);
    for (int32_t i = 1; i < h->count; i++) {
        const char *name = h->entries[h->by_name[i]].tensor.name;
        if (strcmp(h->entries[h->by_name[i - 1]].tensor.name, name)) continue;
        return refuse(r, "duplicate_key", FIX_COPY, "tensor %.60s twice", name);
    }
    return UW_OK;
}

static uw_status check_cover(const reader *r, uint64_t data_bytes) {
    const uw_st_header *h = r->out;
    uint64_t at = 0;
    for (int32_t i = 0; i < h->count; i++) {
        const uw_st_entry *e = &h->entries[i];
        if (e->begin != at) {
            return refuse(r, e->begin < at ? "overlap" : "hole", FIX_SAVE,
                          "tensor %.60s: wanted its data at byte %llu, got %llu", e->tensor.name,
                          (unsigned long long)at, (unsigned long long)e->begin);
        }
        at = e->end;
    }
    if (at == data_bytes) return UW_OK;
    return refuse(r, "trailing_data", FIX_SAVE, "wanted a data block of %llu bytes, got %llu",
                  (unsigned long long)at, (unsigned long long)data_bytes);
}

uw_status uw__st_header_read(const char *file, char *text, size_t size, uint64_t data_bytes,
                             uw_st_header *out, uw_err *err) {
    uw_status s;
    *out = (uw_st_header){.text = text};
    text[size] = '\0';
    reader r = {.out = out};
    r.j = (uw_jreader){.file = file, .start = text, .at = text, .end = text + size, .err = err};
    if (text[0] != '{') return uw__jread_bad(&r.j, "'{'");
    if ((s = uw__jread_depth(&r.j, MAX_DEPTH))) return s;
    r.j.at++;
    if ((s = read_members(&r, data_bytes))) return s;
    while (*r.j.at == ' ') r.j.at++; /* padding is spaces, by the letter */
    if (r.j.at != r.j.end) return uw__jread_bad(&r.j, "spaces up to the end of the header");
    if (out->count) qsort(out->entries, (size_t)out->count, sizeof *out->entries, by_data);
    if ((s = check_names(&r)) || (s = check_meta_keys(&r))) return s;
    return check_cover(&r, data_bytes);
}

void uw__st_header_free(uw_st_header *header) {
    free(header->text);
    free(header->entries);
    free(header->by_name);
    free(header->meta);
    *header = (uw_st_header){0};
}
