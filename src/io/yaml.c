/* YAML through libyaml, of which one flat mapping of plain texts is taken: no anchors, no tags, no
 * nesting, so that nothing can expand, recurse or become another type than the reader expects. */
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "utf8.h"

#if defined(UW_YAML)
#include <libyaml.h> /* in angles: include_next counts from the include path */

#define FIX_FLAT "write one `key: value` per line, without nesting"

enum { MAX_BYTES = 1 << 20, MAX_KEYS = 1000 };

typedef struct reader {
    const char *path;
    yaml_parser_t parser;
    yaml_event_t event;   /* the one at hand; empty after drop */
    char *keys[MAX_KEYS]; /* owned, for duplicates */
    int32_t count;
    uw_err *err;
} reader;

static int32_t line_of(const reader *r) {
    return (int32_t)r->event.start_mark.line + 1;
}

static uw_status refuse(const reader *r, const char *reason, int32_t line, const char *what) {
    return uw__refuse(r->err, UW_EFORMAT, r->path, reason, FIX_FLAT, "line %d: %s", line, what);
}

static uw_status next(reader *r) {
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event)) return UW_OK;
    memset(&r->event, 0, sizeof r->event);
    if (r->parser.error == YAML_MEMORY_ERROR) return uw__no_memory(r->err, r->path, MAX_BYTES);
    return refuse(r, "bad_yaml", (int32_t)r->parser.problem_mark.line + 1,
                  r->parser.problem ? r->parser.problem : "wanted YAML");
}

/* The next event, which must be of the given type. */
static uw_status expect(reader *r, yaml_event_type_t type, const char *wanted) {
    const uw_status s = next(r);
    if (s || r->event.type == type) return s;
    return refuse(r, "not_flat", line_of(r), wanted);
}

/* The scalar at hand as text; anchors, tags and aliases are no scalars of ours. */
static uw_status scalar(const reader *r, char **out) {
    const char *text = NULL;
    if (r->event.type != YAML_SCALAR_EVENT) {
        return refuse(r, "not_flat", line_of(r),
                      "wanted a plain value, got a list, a mapping or an alias");
    }
    if (r->event.data.scalar.anchor || r->event.data.scalar.tag) {
        return refuse(r, "not_flat", line_of(r), "wanted a plain value, got an anchor or a tag");
    }
    text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length || !uw__utf8_clean(text, true)) {
        return refuse(r, "unsafe_name", line_of(r), "wanted text without zero bytes");
    }
    *out = strdup(text);
    return *out ? UW_OK : uw__no_memory(r->err, r->path, strlen(text) + 1);
}

/* Keep the key at hand; r->keys[r->count - 1] afterwards. */
static uw_status take_key(reader *r) {
    char *key;
    const uw_status s = scalar(r, &key);
    if (s) return s;
    bool twice = false;
    for (int32_t i = 0; i < r->count && !twice; i++) twice = !strcmp(r->keys[i], key);
    if (twice || r->count == MAX_KEYS || !key[0] || !uw__utf8_clean(key, false)) {
        free(key);
        return twice ? refuse(r, "duplicate_key", line_of(r), "the same key again")
               : r->count == MAX_KEYS
                   ? refuse(r, "too_large", line_of(r), "wanted at most 1000 keys")
                   : refuse(r, "unsafe_name", line_of(r), "wanted a key to name");
    }
    r->keys[r->count++] = key;
    return UW_OK;
}

static uw_status read_pairs(reader *r, uw_yaml_pair_fn *pair, void *arg) {
    for (;;) {
        uw_status s = next(r);
        if (s || r->event.type == YAML_MAPPING_END_EVENT) return s;
        const int32_t line = line_of(r);
        char *value = NULL;
        if ((s = take_key(r)) || (s = next(r)) || (s = scalar(r, &value))) return s;
        s = pair(arg, r->keys[r->count - 1], value, line, r->err);
        free(value);
        if (s) return s;
    }
}

static uw_status read_stream(reader *r, uw_yaml_pair_fn *pair, void *arg) {
    uw_status s;
    if ((s = expect(r, YAML_STREAM_START_EVENT, "wanted YAML")) || (s = next(r))) return s;
    if (r->event.type == YAML_STREAM_END_EVENT) return UW_OK; /* empty, or comments only */
    if ((s = next(r))) return s;
    if (r->event.type == YAML_MAPPING_START_EVENT) {
        if (r->event.data.mapping_start.anchor || r->event.data.mapping_start.tag) {
            return refuse(r, "not_flat", line_of(r), "wanted no anchor and no tag");
        }
        if ((s = read_pairs(r, pair, arg))) return s;
    } else if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.length) {
        return refuse(r, "not_flat", line_of(r), "wanted `key: value` lines");
    } /* else a bare `---`: no pairs */
    if ((s = expect(r, YAML_DOCUMENT_END_EVENT, "wanted the end"))) return s;
    return expect(r, YAML_STREAM_END_EVENT, "wanted one document");
}

uw_status uw__yaml_flat(const char *path, uw_yaml_pair_fn *pair, void *arg, uw_err *err) {
    void *data = NULL;
    size_t size = 0;
    uw_status s = uw__file_read(path, MAX_BYTES, &data, &size, err);
    if (s) return s;
    reader *r = calloc(1, sizeof *r);
    if (!r || !yaml_parser_initialize(&r->parser)) {
        s = uw__no_memory(err, path, sizeof *r);
    } else {
        r->path = path;
        r->err = err;
        yaml_parser_set_input_string(&r->parser, data, size);
        yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
        s = read_stream(r, pair, arg);
        yaml_event_delete(&r->event);
        yaml_parser_delete(&r->parser);
        for (int32_t i = 0; i < r->count; i++) free(r->keys[i]);
    }
    free(r);
    free(data);
    return s;
}

#else

uw_status uw__yaml_flat(const char *path, uw_yaml_pair_fn *pair, void *arg, uw_err *err) {
    (void)pair, (void)arg;
    return uw__refuse(err, UW_EUNSUPPORTED, path, "not built in", "build with -DUW_YAML=ON",
                      "this build has no YAML");
}
#endif
