/* Object headers: the messages that describe one dataset.
 *
 * Traps: a version 4 or 5 datatype message (HDF5 1.12 and later, "latest") differs from version 3
 * only for references and complex numbers; header version 1 pads messages to 8 bytes, version 2
 * does not; the chunk dimensions in the file have one more entry, the element's size. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "hdf5_inside.h"

enum {
    MESSAGE_SPACE = 1,
    MESSAGE_LINKS = 2,
    MESSAGE_TYPE = 3,
    MESSAGE_OUTSIDE = 7,
    MESSAGE_LAYOUT = 8,
    MESSAGE_FILTERS = 11,
    MESSAGE_CONTINUE = 16,
    MESSAGE_TABLE = 17,
    CONTINUATIONS = 256
};

/* ---- messages ----------------------------------------------------------------------------- */

/* Pieces of a header that are still to be read. */
typedef struct pieces {
    uint64_t address[CONTINUATIONS], bytes[CONTINUATIONS];
    int count, messages;
    bool old, ordered; /* header version 1; messages carry their creation order */
} pieces;

static uw_status walk_piece(uw_h5 *h5, pieces *p, uw__h5_cursor c, uw__h5_message_fn *fn,
                            void *state, uw_err *err) {
    const ptrdiff_t head = p->old ? 8 : p->ordered ? 6 : 4;
    while (c.end - c.at >= head) { /* what is left over is a gap */
        const uint32_t type = (uint32_t)uw__h5_uint(&c, p->old ? 2 : 1);
        const uint64_t bytes = uw__h5_uint(&c, 2);
        const uint32_t flags = (uint32_t)uw__h5_uint(&c, 1);
        uw__h5_skip(&c, p->old ? 3 : p->ordered ? 2 : 0);
        uw__h5_cursor body = {c.at, c.at, false};
        uw__h5_skip(&c, bytes);
        if (c.bad || ++p->messages > UW__H5_MESSAGES) {
            return uw__h5_refuse(h5, UW_EFORMAT, err,
                                 "an object header that does not add up (damaged)");
        }
        body.end = c.at;
        if (type == MESSAGE_CONTINUE) {
            if (p->count == CONTINUATIONS) {
                return uw__h5_refuse(h5, UW_EFORMAT, err, "an object header in more than %d pieces",
                                     CONTINUATIONS);
            }
            p->address[p->count] = uw__h5_uint(&body, 8);
            p->bytes[p->count++] = uw__h5_uint(&body, 8);
            continue;
        }
        const uw_status s = fn(h5, state, type, flags, body, err);
        if (s) return s;
    }
    return UW_OK;
}

/* Find where the messages of the first piece begin and end. */
static uw_status first_piece(uw_h5 *h5, uint64_t address, unsigned char **data, uw__h5_cursor *c,
                             pieces *p, uw_err *err) {
    unsigned char *head = NULL;
    uint64_t room = h5->size > address ? h5->size - address : 0;
    uw_status s = uw__h5_block(h5, address, room < 40 ? room : 40, &head, err);
    if (s) return s;
    uw__h5_cursor h = {head, head + (room < 40 ? room : 40), false};
    uint64_t before = 16, bytes = 0;
    p->old = room < 4 || memcmp(head, "OHDR", 4) != 0;
    if (p->old) {
        const uint64_t version = uw__h5_uint(&h, 1);
        uw__h5_skip(&h, 7);
        bytes = uw__h5_uint(&h, 4);
        if (version != 1) h.bad = true;
    } else {
        uw__h5_skip(&h, 4);
        const uint64_t version = uw__h5_uint(&h, 1), flags = uw__h5_uint(&h, 1);
        uw__h5_skip(&h, (flags & 0x20 ? 16u : 0u) + (flags & 0x10 ? 4u : 0u));
        bytes = uw__h5_uint(&h, (size_t)1 << (flags & 3));
        p->ordered = flags & 4;
        before = (uint64_t)(h.at - head);
        if (version != 2) h.bad = true;
    }
    const bool bad = h.bad || bytes > UW__H5_BLOCK;
    free(head);
    if (bad)
        return uw__h5_refuse(h5, UW_EFORMAT, err, "no object header where one should be (damaged)");
    const size_t whole = (size_t)(before + bytes) + (p->old ? 0 : 4);
    if ((s = uw__h5_block(h5, address, whole, data, err))) return s;
    if (!p->old && (s = uw__h5_check(h5, *data, whole, "OHDR", 2, err))) return s;
    *c = (uw__h5_cursor){*data + before, *data + before + bytes, false};
    return UW_OK;
}

uw_status uw__h5_messages(uw_h5 *h5, uint64_t address, uw__h5_message_fn *fn, void *state,
                          uw_err *err) {
    unsigned char *data = NULL;
    uw__h5_cursor c;
    pieces *p = calloc(1, sizeof *p);
    if (!p) return uw__no_memory(err, h5->path, sizeof *p);
    uw_status s = first_piece(h5, address, &data, &c, p, err);
    if (!s) s = walk_piece(h5, p, c, fn, state, err);
    for (int i = 0; !s && i < p->count; i++) {
        free(data);
        data = NULL;
        s = uw__h5_block(h5, p->address[i], p->bytes[i], &data, err);
        if (s) break;
        c = (uw__h5_cursor){data, data + p->bytes[i], false};
        if (!p->old) {
            s = uw__h5_check(h5, data, (size_t)p->bytes[i], "OCHK", -1, err);
            uw__h5_skip(&c, 4);
            if (!s) c.end -= 4;
        }
        if (!s) s = walk_piece(h5, p, c, fn, state, err);
    }
    free(data);
    free(p);
    return s;
}

/* ---- datatype ----------------------------------------------------------------------------- */

/* FALSE and TRUE in one byte: how h5py writes numpy's bool. */
static bool is_bool(uw__h5_cursor c, uint64_t members, int version) {
    uw_h5_array base = {0};
    size_t bytes = 0;
    char names[2][8] = {{0}};
    if (members != 2 || c.at == c.end || *c.at & 15) return false; /* of integers */
    if (!uw__h5_type(&c, &base, &bytes) || bytes != 1) return false;
    for (int i = 0; i < 2; i++) {
        const unsigned char *start = c.at;
        for (size_t n = 0; c.at < c.end && *c.at; n++, c.at++) {
            if (n < 7) names[i][n] = (char)*c.at;
        }
        uw__h5_skip(&c, 1);
        if (version < 3) uw__h5_skip(&c, (8 - (uint64_t)(c.at - start) % 8) % 8);
    }
    const uint64_t zero = uw__h5_uint(&c, 1), one = uw__h5_uint(&c, 1);
    return !c.bad && !strcmp(names[0], "FALSE") && !strcmp(names[1], "TRUE") && !zero && one == 1;
}

static void integer_type(uw__h5_cursor *c, uint64_t bits, size_t size, uw_h5_array *a) {
    const bool is_signed = bits & 8, whole = !uw__h5_uint(c, 2);
    const uint64_t precision = uw__h5_uint(c, 2);
    const char *order = bits & 1 ? "big-endian " : "";
    snprintf(a->type, sizeof a->type, "%s%sint%" PRIu64, order, is_signed ? "" : "u", precision);
    a->numbers = whole && !(bits & 1) && precision == 8 * size;
    if (!is_signed && size == 1)
        a->dtype = UW_DTYPE_U8;
    else if (is_signed && size == 4)
        a->dtype = UW_DTYPE_I32;
    else if (is_signed && size == 8)
        a->dtype = UW_DTYPE_I64;
    else
        a->numbers = false;
}

static void float_type(uw__h5_cursor *c, uint64_t bits, size_t size, uw_h5_array *a) {
    static const unsigned char f32[] = {0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0};
    static const unsigned char f64[] = {0, 0, 64, 0, 52, 11, 0, 52, 0xff, 3, 0, 0};
    snprintf(a->type, sizeof a->type, "%sfloat%zu", bits & 1 ? "big-endian " : "", 8 * size);
    const bool room = c->end - c->at >= 12;
    a->dtype = size == 4 ? UW_DTYPE_F32 : UW_DTYPE_F64;
    a->numbers = room && !(bits & 0x41) && (size == 4 || size == 8) &&
                 !memcmp(c->at, size == 4 ? f32 : f64, 12);
    uw__h5_skip(c, 12);
}

bool uw__h5_type(uw__h5_cursor *c, uw_h5_array *a, size_t *bytes) {
    static const char *const classes[] = {"integer",   "float",  "time",     "string",
                                          "bit field", "opaque", "compound", "reference",
                                          "enum",      "string", "array"};
    const uint64_t head = uw__h5_uint(c, 1), bits = uw__h5_uint(c, 3), size = uw__h5_uint(c, 4);
    const uint64_t class = head & 15, version = head >> 4;
    if (c->bad || version < 1 || version > 5 || size < 1 || size > INT32_MAX) return false;
    *bytes = (size_t)size;
    a->numbers = false;
    snprintf(a->type, sizeof a->type, "%s", class <= 10 ? classes[class] : "unknown");
    if (class == 9 && (bits & 15) != 1) snprintf(a->type, sizeof a->type, "variable-length list");
    if (class == 0) integer_type(c, bits, (size_t)size, a);
    if (class == 1) float_type(c, bits, (size_t)size, a);
    if (class == 8 && size == 1 && is_bool(*c, bits & 0xffff, (int)version)) {
        snprintf(a->type, sizeof a->type, "bool");
        a->dtype = UW_DTYPE_BOOL;
        a->numbers = true;
    }
    return !c->bad;
}

/* ---- the rest of a dataset ---------------------------------------------------------------- */

static bool space(uw__h5_cursor *c, uw__h5_object *o) {
    uw_h5_array *a = &o->array;
    const uint64_t version = uw__h5_uint(c, 1), dims = uw__h5_uint(c, 1), flags = uw__h5_uint(c, 1);
    uw__h5_skip(c, version == 1 ? 5 : 1);
    if (c->bad || version < 1 || version > 2 || dims > UW__H5_DIMS) return false;
    a->num_dims = (int32_t)dims;
    for (uint64_t d = 0; d < dims; d++) {
        const uint64_t n = uw__h5_uint(c, 8);
        if (n > INT64_MAX) return false;
        a->shape[d] = (int64_t)n;
    }
    o->max_rows = dims ? a->shape[0] : 0;
    for (uint64_t d = 0; flags & 1 && d < dims; d++) {
        const uint64_t most = uw__h5_uint(c, 8);
        if (!d) o->max_rows = most > INT64_MAX ? -1 : (int64_t)most;
        if (d && most != (uint64_t)a->shape[d]) o->grows_sideways = true;
    }
    return !c->bad;
}

static bool chunk_shape(uw__h5_cursor *c, uw__h5_object *o, uint64_t dims, size_t width) {
    if (dims < 2 || dims > UW__H5_DIMS + 1) return false;
    o->chunk_dims = (int32_t)dims - 1;
    for (int32_t d = 0; d < o->chunk_dims; d++) {
        const uint64_t n = uw__h5_uint(c, width);
        if (n < 1 || n > UINT32_MAX) return false;
        o->chunk[d] = (int64_t)n;
    }
    uw__h5_skip(c, width); /* the element's bytes, which the datatype says too */
    return !c->bad;
}

/* Version 4 and 5: which of five indexes finds the chunks. */
static bool new_chunks(uw__h5_cursor *c, uw__h5_object *o) {
    static const uw__h5_storage kinds[] = {UW__H5_OTHER, UW__H5_SINGLE,     UW__H5_IMPLICIT,
                                           UW__H5_FIXED, UW__H5_EXTENSIBLE, UW__H5_OTHER};
    const uint64_t flags = uw__h5_uint(c, 1), dims = uw__h5_uint(c, 1), width = uw__h5_uint(c, 1);
    if (width < 1 || width > 8 || !chunk_shape(c, o, dims, (size_t)width)) return false;
    const uint64_t kind = uw__h5_uint(c, 1);
    if (kind < 1 || kind > 5) return false;
    o->storage = kinds[kind];
    if (kind == 1 && flags & 2) {
        o->single_filtered = true;
        o->stored_bytes = uw__h5_uint(c, 8);
        o->single_mask = (uint32_t)uw__h5_uint(c, 4);
    }
    if (kind == 3) uw__h5_skip(c, 1);
    if (kind == 4) uw__h5_skip(c, 5);
    if (kind == 5) uw__h5_skip(c, 6);
    o->address = uw__h5_uint(c, 8);
    return !c->bad;
}

static bool layout(uw__h5_cursor *c, uw__h5_object *o) {
    const uint64_t version = uw__h5_uint(c, 1), class = uw__h5_uint(c, 1);
    if (c->bad || version < 3 || version > 5) return false;
    if (class == 0) {
        o->storage = UW__H5_COMPACT;
        o->stored_bytes = uw__h5_uint(c, 2);
        if (c->bad || (uint64_t)(c->end - c->at) < o->stored_bytes || o->compact) return false;
        o->compact = malloc((size_t)o->stored_bytes + 1);
        if (o->compact) memcpy(o->compact, c->at, (size_t)o->stored_bytes);
        return o->compact;
    }
    if (class == 1) {
        o->storage = UW__H5_CONTIGUOUS;
        o->address = uw__h5_uint(c, 8);
        o->stored_bytes = uw__h5_uint(c, 8);
        return !c->bad;
    }
    if (class == 3) {
        o->storage = UW__H5_VIRTUAL;
        return true;
    }
    if (class != 2) return false;
    if (version >= 4) return new_chunks(c, o);
    const uint64_t dims = uw__h5_uint(c, 1);
    o->storage = UW__H5_BTREE1;
    o->address = uw__h5_uint(c, 8);
    return chunk_shape(c, o, dims, 4);
}

static bool filters(uw__h5_cursor *c, uw__h5_object *o) {
    const uint64_t version = uw__h5_uint(c, 1), count = uw__h5_uint(c, 1);
    if (c->bad || version < 1 || version > 2 || count > UW__H5_FILTERS) return false;
    if (version == 1) uw__h5_skip(c, 6);
    for (uint64_t i = 0; i < count; i++) {
        uw__h5_filter *f = &o->filters[i];
        f->id = (uint32_t)uw__h5_uint(c, 2);
        const uint64_t name = version == 1 || f->id >= 256 ? uw__h5_uint(c, 2) : 0;
        uw__h5_skip(c, 2);
        const uint64_t values = uw__h5_uint(c, 2);
        uw__h5_skip(c, name); /* version 1 counts the padding in */
        if (values) f->element_bytes = (uint32_t)uw__h5_uint(c, 4);
        if (values > 1) uw__h5_skip(c, 4 * (values - 1));
        if (version == 1 && values % 2) uw__h5_skip(c, 4);
        if (c->bad) return false;
    }
    o->num_filters = (int32_t)count;
    return true;
}

static uw_status take(uw_h5 *h5, void *state, uint32_t type, uint32_t flags, uw__h5_cursor body,
                      uw_err *err) {
    uw__h5_object *o = state;
    const char *what = NULL;
    if (type == MESSAGE_TYPE && flags & 2) what = "a shared datatype";
    if (type == MESSAGE_SPACE) {
        o->has_space = space(&body, o);
        if (!o->has_space) what = "dataspace";
    } else if (type == MESSAGE_TYPE && !what) {
        o->has_type = uw__h5_type(&body, &o->array, &o->element_bytes);
        if (!o->has_type) what = "datatype";
    } else if (type == MESSAGE_LAYOUT) {
        o->has_layout = layout(&body, o);
        if (!o->has_layout) what = "layout";
    } else if (type == MESSAGE_FILTERS) {
        if (!filters(&body, o)) what = "filters";
    } else if (type == MESSAGE_OUTSIDE) {
        o->outside = true;
    } else if (type == MESSAGE_LINKS || type == MESSAGE_TABLE) {
        o->is_group = true;
    }
    if (!what) return UW_OK;
    return uw__h5_refuse(h5, UW_EFORMAT, err, "%s: %s that is not understood (damaged?)",
                         o->array.name, what);
}

/* Sizes that follow from the description, each bounded before it is used. */
static uw_status measure(uw_h5 *h5, uw__h5_object *o, uw_err *err) {
    uw_h5_array *a = &o->array;
    uint64_t row = o->element_bytes, chunk = o->element_bytes;
    bool fits = true;
    for (int32_t d = 1; d < a->num_dims; d++)
        fits = fits && uw__mul_u64(row, (uint64_t)a->shape[d], &row);
    if (!fits || row > INT32_MAX || !row) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "%s: a row of no or too many bytes", a->name);
    }
    a->row_bytes = a->num_dims ? (int64_t)row : 0;
    if (o->storage == UW__H5_CONTIGUOUS || o->storage == UW__H5_COMPACT) {
        uint64_t bytes = row;
        const bool inside =
            o->storage == UW__H5_COMPACT || uw__range_ok(o->address, o->stored_bytes, h5->size);
        if (a->num_dims && (!uw__mul_u64(row, (uint64_t)a->shape[0], &bytes) ||
                            (bytes && (bytes > o->stored_bytes || !inside)))) {
            return uw__h5_refuse(h5, UW_EFORMAT, err, "the data of %s lies outside the file",
                                 a->name);
        }
        return UW_OK;
    }
    if (o->storage < UW__H5_BTREE1 || o->storage > UW__H5_EXTENSIBLE) return UW_OK;
    fits = o->chunk_dims == a->num_dims && !o->grows_sideways;
    o->per_slab = 1;
    for (int32_t d = 0; d < o->chunk_dims && fits; d++) {
        fits = uw__mul_u64(chunk, (uint64_t)o->chunk[d], &chunk) && chunk <= UW__H5_SLAB;
        o->across[d] = a->shape[d] / o->chunk[d] + (a->shape[d] % o->chunk[d] != 0);
        if (d) o->per_slab *= o->across[d]; /* at most the numbers in a row */
    }
    uint64_t slab = 0;
    if (!fits || !uw__mul_u64((uint64_t)o->chunk[0], row, &slab) || slab > UW__H5_SLAB) {
        return uw__h5_refuse(h5, UW_EUNSUPPORTED, err,
                             "%s: wanted chunks of at most %d MB that only grow by rows", a->name,
                             UW__H5_SLAB >> 20);
    }
    o->chunk_bytes = chunk;
    return UW_OK;
}

uw_status uw__h5_object_read(uw_h5 *h5, const char *name, uint64_t address, uw__h5_object *o,
                             uw_err *err) {
    o->array.name = name;
    o->slab = -1;
    const uw_status s = uw__h5_messages(h5, address, take, o, err);
    if (s) return s;
    if (o->is_group) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "%s is a group, expected a dataset", name);
    }
    if (!o->has_space || !o->has_type || !o->has_layout) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "%s is not a dataset (no shape, type or layout)",
                             name);
    }
    if (o->storage == UW__H5_VIRTUAL) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "%s is a virtual dataset (refused: its source is another file)", name);
    }
    if (o->outside) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "%s is kept in external files (refused)", name);
    }
    if (o->storage == UW__H5_OTHER) {
        return uw__h5_refuse(h5, UW_EUNSUPPORTED, err, "%s can grow in more than one dimension",
                             name);
    }
    for (int32_t i = 0; i < o->num_filters; i++) {
        if (uw__h5_filter_known(o->filters[i].id)) continue;
        return uw__h5_refuse(
            h5, UW_EFORMAT, err,
            "%s uses filter %u, which is not supported (only none, deflate, shuffle, "
            "Blosc 32001)",
            name, o->filters[i].id);
    }
    return o->array.numbers ? measure(h5, o, err) : UW_OK;
}

void uw__h5_object_free(uw__h5_object *o) {
    if (!o) return;
    free(o->compact);
    free(o->slab_data);
    for (int i = 0; i < UW__H5_LEVELS; i++) free(o->cache[i].data);
}
