/* The root group: names and where they lead, in each of the three ways that groups are kept.
 *
 *   old      symbol table: B-tree of symbol nodes, names in a local heap       ("earliest")
 *   compact  link messages in the object header                                (few links)
 *   dense    B-tree version 2 whose records lead into a fractal heap of link messages (many)
 *
 * Link names are data: they are bounded, must be UTF-8 text without control characters, and two
 * alike are refused. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "hdf5_inside.h"
#include "utf8.h"

enum { MESSAGE_LINKS = 2, MESSAGE_LINK = 6, MESSAGE_ATTRIBUTE = 12, MESSAGE_TABLE = 17, DEPTH = 8 };

/* What the messages of the root say. */
typedef struct root {
    uint64_t heap, index;  /* dense: fractal heap, B-tree by name */
    uint64_t tree, names;  /* old: B-tree, local heap */
    const char *attribute; /* wanted by uw__h5_text, or NULL */
} root;

static uw_status damaged(const uw_h5 *h5, const char *what, uw_err *err) {
    return uw__h5_refuse(h5, UW_EFORMAT, err, "%s of the root group that does not add up (damaged)",
                         what);
}

static uw_status add_link(uw_h5 *h5, const uw__h5_link *link, uw_err *err) {
    if (h5->num_links == UW__H5_LINKS) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "more than %d names", UW__H5_LINKS);
    }
    if (!*link->name || !uw__utf8_clean(link->name, false)) {
        return damaged(h5, "a name", err);
    }
    if (h5->num_links == h5->cap_links) {
        const int32_t cap = h5->cap_links ? 2 * h5->cap_links : 16;
        uw__h5_link *grown = realloc(h5->links, (size_t)cap * sizeof *grown);
        if (!grown) return uw__no_memory(err, h5->path, (uint64_t)cap * sizeof *grown);
        h5->links = grown;
        h5->cap_links = cap;
    }
    h5->links[h5->num_links++] = *link;
    return UW_OK;
}

/* Copy text of the file; false when it is too long or holds a NUL. */
static bool copy_text(char *out, uw__h5_cursor *c, uint64_t bytes) {
    if (bytes >= UW__H5_NAME || (uint64_t)(c->end - c->at) < bytes) return false;
    memcpy(out, c->at, (size_t)bytes);
    out[bytes] = '\0';
    c->at += bytes;
    return strlen(out) == bytes;
}

/* ---- link messages ------------------------------------------------------------------------ */

static uw_status read_link(uw_h5 *h5, uw__h5_cursor c, uw_err *err) {
    uw__h5_link link = {.kind = UW__H5_HARD};
    const uint64_t version = uw__h5_uint(&c, 1), flags = uw__h5_uint(&c, 1);
    if (flags & 8) link.kind = (uw__h5_link_kind)uw__h5_uint(&c, 1);
    if (flags & 4) uw__h5_skip(&c, 8);
    if (flags & 16) uw__h5_skip(&c, 1);
    const uint64_t bytes = uw__h5_uint(&c, (size_t)1 << (flags & 3));
    if (version != 1 || c.bad || !copy_text(link.name, &c, bytes))
        return damaged(h5, "a link", err);
    if (link.kind == UW__H5_HARD) {
        link.address = uw__h5_uint(&c, 8);
    } else if (link.kind == UW__H5_SOFT) {
        const uint64_t target = uw__h5_uint(&c, 2);
        if (!copy_text(link.target, &c, target)) return damaged(h5, "a soft link", err);
    } else {
        link.kind = UW__H5_EXTERNAL; /* or defined by a user: neither is followed */
    }
    return c.bad ? damaged(h5, "a link", err) : add_link(h5, &link, err);
}

/* ---- old: symbol tables ------------------------------------------------------------------- */

/* Copy the text that begins at `at` of a local heap. */
static bool text_at(const unsigned char *names, uint64_t size, uint64_t at, char *out) {
    if (at >= size) return false;
    uw__h5_cursor c = {names + at, names + size, false};
    return copy_text(out, &c, strnlen((const char *)c.at, (size_t)(size - at)));
}

static uw_status read_symbols(uw_h5 *h5, uint64_t address, const unsigned char *names,
                              uint64_t size, uw_err *err) {
    unsigned char *data = NULL;
    uw_status s = uw__h5_block(h5, address, 8, &data, err);
    if (s) return s;
    uw__h5_cursor c = {data, data + 8, false};
    const bool ours = !memcmp(data, "SNOD", 4) && data[4] == 1;
    uw__h5_skip(&c, 6);
    const uint64_t count = uw__h5_uint(&c, 2);
    free(data);
    if (!ours) return damaged(h5, "a symbol node", err);
    if ((s = uw__h5_block(h5, address, 8 + 40 * count, &data, err))) return s;
    c = (uw__h5_cursor){data + 8, data + 8 + 40 * count, false};
    for (uint64_t i = 0; !s && i < count; i++) {
        uw__h5_link link = {.kind = UW__H5_HARD};
        const uint64_t at = uw__h5_uint(&c, 8);
        link.address = uw__h5_uint(&c, 8);
        const uint64_t cache = uw__h5_uint(&c, 4);
        uw__h5_skip(&c, 4);
        uw__h5_cursor scratch = {c.at, c.at + 4, false};
        const uint64_t target = uw__h5_uint(&scratch, 4);
        uw__h5_skip(&c, 16);
        if (cache == 2) link.kind = UW__H5_SOFT;
        const bool named = text_at(names, size, at, link.name);
        s = !named || (cache == 2 && !text_at(names, size, target, link.target))
                ? damaged(h5, "a name", err)
                : add_link(h5, &link, err);
    }
    free(data);
    return s;
}

static uw_status read_tree(uw_h5 *h5, uint64_t address, int level, const unsigned char *names,
                           uint64_t size, uw_err *err) {
    unsigned char *data = NULL;
    uw_status s = uw__h5_block(h5, address, 24, &data, err);
    if (s) return s;
    uw__h5_cursor c = {data, data + 24, false};
    const bool ours =
        !memcmp(data, "TREE", 4) && !data[4] && (level < 0 ? data[5] < DEPTH : data[5] == level);
    uw__h5_skip(&c, 5);
    level = (int)uw__h5_uint(&c, 1);
    const uint64_t count = uw__h5_uint(&c, 2);
    free(data);
    if (!ours || count > UW__H5_LINKS) return damaged(h5, "a tree", err);
    if ((s = uw__h5_block(h5, address, 24 + 16 * count + 8, &data, err))) return s;
    c = (uw__h5_cursor){data + 24, data + 24 + 16 * count + 8, false};
    for (uint64_t i = 0; !s && i < count; i++) {
        uw__h5_skip(&c, 8);
        const uint64_t child = uw__h5_uint(&c, 8);
        s = level ? read_tree(h5, child, level - 1, names, size, err)
                  : read_symbols(h5, child, names, size, err);
    }
    free(data);
    return s;
}

static uw_status read_table(uw_h5 *h5, const root *r, uw_err *err) {
    unsigned char *head = NULL, *names = NULL;
    uw_status s = uw__h5_block(h5, r->names, 32, &head, err);
    if (s) return s;
    uw__h5_cursor c = {head, head + 32, false};
    const bool ours = !memcmp(head, "HEAP", 4) && !head[4];
    uw__h5_skip(&c, 8);
    const uint64_t size = uw__h5_uint(&c, 8);
    uw__h5_skip(&c, 8);
    const uint64_t address = uw__h5_uint(&c, 8);
    free(head);
    if (!ours || !size) return damaged(h5, "a heap", err);
    if ((s = uw__h5_block(h5, address, size, &names, err))) return s;
    s = read_tree(h5, r->tree, -1, names, size, err);
    free(names);
    return s;
}

/* ---- dense: fractal heap ------------------------------------------------------------------ */

typedef struct heap {
    uint64_t address, root;
    uint64_t start, largest, width,
        rows; /* block sizes, blocks per row, rows of the root (0 = direct) */
    size_t offset_bytes, length_bytes; /* of an object's place */
    bool sums;                         /* direct blocks carry a checksum */
} heap;

static uw_status read_heap(uw_h5 *h5, uint64_t address, heap *h, uw_err *err) {
    enum { HEADER = 146 };
    unsigned char *data = NULL;
    uw_status s = uw__h5_block(h5, address, HEADER, &data, err);
    if (!s) s = uw__h5_check(h5, data, HEADER, "FRHP", 0, err);
    if (s) {
        free(data);
        return s;
    }
    uw__h5_cursor c = {data + 5, data + HEADER, false};
    uw__h5_skip(&c, 2);
    const uint64_t filtered = uw__h5_uint(&c, 2), flags = uw__h5_uint(&c, 1);
    const uint64_t most = uw__h5_uint(&c, 4);
    uw__h5_skip(&c, 12 * 8);
    h->address = address;
    h->width = uw__h5_uint(&c, 2);
    h->start = uw__h5_uint(&c, 8);
    h->largest = uw__h5_uint(&c, 8);
    const uint64_t bits = uw__h5_uint(&c, 2);
    uw__h5_skip(&c, 2);
    h->root = uw__h5_uint(&c, 8);
    h->rows = uw__h5_uint(&c, 2);
    h->sums = flags & 2;
    free(data);
    h->offset_bytes = (size_t)(bits + 7) / 8;
    h->length_bytes = 1;
    const uint64_t limit = most < h->largest ? most : h->largest;
    while (h->length_bytes < 8 && limit >> (8 * h->length_bytes)) h->length_bytes++;
    const bool sound = !filtered && h->width >= 1 && h->width <= 1024 && h->start >= 64 &&
                       h->largest >= h->start && h->largest <= UW__H5_BLOCK && bits <= 64 &&
                       h->rows <= 32 && !(h->start & (h->start - 1)) &&
                       !(h->largest & (h->largest - 1));
    return sound ? UW_OK : damaged(h5, "a fractal heap", err);
}

/* Bytes of a block in row r of the doubling table. */
static uint64_t row_block(const heap *h, uint64_t r) {
    return r < 2 ? h->start : h->start << (r - 1);
}

/* Find the direct block that holds `offset` of the heap's space. */
static uw_status find_block(uw_h5 *h5, const heap *h, uint64_t offset, uint64_t *address,
                            uint64_t *begin, uint64_t *bytes, uw_err *err) {
    *address = h->root;
    *begin = 0;
    *bytes = h->start;
    if (!h->rows) return UW_OK;
    const size_t head = 5 + 8 + h->offset_bytes;
    uint64_t at = 0, entry = 0;
    for (uint64_t r = 0; r < h->rows; r++) {
        const uint64_t block = row_block(h, r), row = block * h->width;
        if (block > h->largest) break; /* indirect rows hold megabytes of names: none of ours */
        if (offset - at < row) {
            unsigned char *data = NULL;
            entry += (offset - at) / block;
            const uint64_t size = head + 8 * (entry + 1);
            uw_status s = uw__h5_block(h5, h->root, size, &data, err);
            if (s) return s;
            uw__h5_cursor c = {data + head + 8 * entry, data + size, false};
            const bool ours = !memcmp(data, "FHIB", 4) && !data[4];
            *address = uw__h5_uint(&c, 8);
            *begin = at + (offset - at) / block * block;
            *bytes = block;
            free(data);
            return ours ? UW_OK : damaged(h5, "a fractal heap", err);
        }
        at += row;
        entry += h->width;
    }
    return damaged(h5, "a fractal heap", err);
}

static uw_status read_heap_link(uw_h5 *h5, const heap *h, uw__h5_cursor id, uw_err *err) {
    unsigned char *data = NULL;
    uint64_t address, begin, bytes;
    const uint64_t kind = uw__h5_uint(&id, 1), offset = uw__h5_uint(&id, h->offset_bytes);
    const uint64_t length = uw__h5_uint(&id, h->length_bytes);
    if (id.bad || kind)
        return damaged(h5, "a heap object", err); /* only managed ones of version 0 */
    uw_status s = find_block(h5, h, offset, &address, &begin, &bytes, err);
    if (!s) s = uw__h5_block(h5, address, bytes, &data, err);
    if (s) return s;
    if (memcmp(data, "FHDB", 4) || offset < begin || !uw__range_ok(offset - begin, length, bytes)) {
        s = damaged(h5, "a heap object", err);
    } else {
        const unsigned char *at = data + (offset - begin);
        s = read_link(h5, (uw__h5_cursor){at, at + length, false}, err);
    }
    free(data);
    return s;
}

/* ---- dense: B-tree version 2 -------------------------------------------------------------- */

typedef struct tree {
    heap heap;
    uint64_t node_bytes, record_bytes;
    size_t count_bytes;            /* of the record count of a child */
    size_t total_bytes[DEPTH + 1]; /* of the record count below a child at that depth */
} tree;

static size_t bytes_for(uint64_t value) {
    size_t n = 1;
    while (n < 8 && value >> (8 * n)) n++;
    return n;
}

/* How many bytes counts take follows from how many records fit into nodes of each depth. */
static bool tree_sizes(tree *t, uint64_t depth) {
    if (t->node_bytes < 64 || t->record_bytes < 11 || t->record_bytes > t->node_bytes - 10)
        return false;
    uint64_t below = (t->node_bytes - 10) / t->record_bytes;
    t->count_bytes = bytes_for(below);
    for (uint64_t d = 1; d <= depth; d++) {
        const uint64_t pointer = 8 + t->count_bytes + t->total_bytes[d - 1];
        if (t->node_bytes < 10 + pointer) return false;
        const uint64_t here = (t->node_bytes - 10 - pointer) / (t->record_bytes + pointer);
        if (!uw__mul_u64(here + 1, below, &below)) return false;
        below += here;
        t->total_bytes[d] = bytes_for(below);
    }
    return true;
}

static uw_status read_node(uw_h5 *h5, const tree *t, uint64_t address, uint64_t count,
                           uint64_t depth, uw_err *err) {
    unsigned char *data = NULL;
    uint64_t size = 6 + count * t->record_bytes + 4;
    if (depth) size += (count + 1) * (8 + t->count_bytes + t->total_bytes[depth - 1]);
    if (count > UW__H5_LINKS || size > t->node_bytes) return damaged(h5, "a tree node", err);
    uw_status s = uw__h5_block(h5, address, size, &data, err);
    if (!s) s = uw__h5_check(h5, data, (size_t)size, depth ? "BTIN" : "BTLF", 0, err);
    if (s) {
        free(data);
        return s;
    }
    uw__h5_cursor c = {data + 6, data + size - 4, false};
    for (uint64_t i = 0; !s && i < count; i++) {
        uw__h5_cursor id = {c.at + 4, c.at + t->record_bytes, false}; /* behind the name's hash */
        s = read_heap_link(h5, &t->heap, id, err);
        uw__h5_skip(&c, t->record_bytes);
    }
    for (uint64_t i = 0; !s && depth && i <= count; i++) {
        const uint64_t child = uw__h5_uint(&c, 8), records = uw__h5_uint(&c, t->count_bytes);
        uw__h5_skip(&c, t->total_bytes[depth - 1]);
        s = read_node(h5, t, child, records, depth - 1, err);
    }
    free(data);
    return s;
}

static uw_status read_dense(uw_h5 *h5, const root *r, uw_err *err) {
    enum { HEADER = 38 };
    tree t = {0};
    unsigned char *data = NULL;
    uw_status s = read_heap(h5, r->heap, &t.heap, err);
    if (!s) s = uw__h5_block(h5, r->index, HEADER, &data, err);
    if (!s) s = uw__h5_check(h5, data, HEADER, "BTHD", 0, err);
    if (s) {
        free(data);
        return s;
    }
    uw__h5_cursor c = {data + 5, data + HEADER, false};
    const uint64_t kind = uw__h5_uint(&c, 1);
    t.node_bytes = uw__h5_uint(&c, 4);
    t.record_bytes = uw__h5_uint(&c, 2);
    const uint64_t depth = uw__h5_uint(&c, 2);
    uw__h5_skip(&c, 2);
    const uint64_t address = uw__h5_uint(&c, 8), count = uw__h5_uint(&c, 2);
    free(data);
    if (kind != 5 || depth > DEPTH || !tree_sizes(&t, depth)) return damaged(h5, "an index", err);
    return count ? read_node(h5, &t, address, count, depth, err) : UW_OK;
}

/* ---- the group ---------------------------------------------------------------------------- */

/* Keep the text of the attribute that is asked for. */
static uw_status read_attribute(uw_h5 *h5, const char *wanted, uw__h5_cursor c, uw_err *err) {
    uw_h5_array type = {0};
    size_t bytes = 0;
    const uint64_t version = uw__h5_uint(&c, 1);
    uw__h5_skip(&c, 1);
    const uint64_t name = uw__h5_uint(&c, 2), type_bytes = uw__h5_uint(&c, 2);
    const uint64_t space = uw__h5_uint(&c, 2);
    if (version == 3) uw__h5_skip(&c, 1);
    if (c.bad || (version != 2 && version != 3) || (uint64_t)(c.end - c.at) < name + type_bytes)
        return UW_OK;
    if (name != strlen(wanted) + 1 || memcmp(c.at, wanted, (size_t)name)) return UW_OK;
    uw__h5_skip(&c, name);
    uw__h5_cursor t = {c.at, c.at + type_bytes, false};
    if (!type_bytes || (*t.at & 15) != 3 || !uw__h5_type(&t, &type, &bytes))
        return UW_OK; /* fixed text */
    uw__h5_skip(&c, type_bytes + space);
    if (c.bad || (uint64_t)(c.end - c.at) < bytes) return UW_OK;
    free(h5->text);
    h5->text = calloc(bytes + 1, 1);
    if (!h5->text) return uw__no_memory(err, h5->path, bytes);
    memcpy(h5->text, c.at, bytes);
    return UW_OK;
}

static uw_status take(uw_h5 *h5, void *state, uint32_t type, uint32_t flags, uw__h5_cursor c,
                      uw_err *err) {
    root *r = state;
    (void)flags;
    if (r->attribute) {
        return type == MESSAGE_ATTRIBUTE ? read_attribute(h5, r->attribute, c, err) : UW_OK;
    }
    if (type == MESSAGE_LINK) return read_link(h5, c, err);
    if (type == MESSAGE_LINKS) {
        const uint64_t version = uw__h5_uint(&c, 1), has = uw__h5_uint(&c, 1);
        if (has & 1) uw__h5_skip(&c, 8);
        r->heap = uw__h5_uint(&c, 8);
        r->index = uw__h5_uint(&c, 8);
        if (c.bad || version) return damaged(h5, "link information", err);
    }
    if (type == MESSAGE_TABLE) {
        r->tree = uw__h5_uint(&c, 8);
        r->names = uw__h5_uint(&c, 8);
        if (c.bad) return damaged(h5, "a symbol table", err);
    }
    return UW_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const uw__h5_link *)a)->name, ((const uw__h5_link *)b)->name);
}

uw_status uw__h5_list(uw_h5 *h5, uw_err *err) {
    root r = {UW__H5_NOWHERE, UW__H5_NOWHERE, UW__H5_NOWHERE, UW__H5_NOWHERE, NULL};
    uw_status s = uw__h5_messages(h5, h5->root, take, &r, err);
    if (!s && r.tree != UW__H5_NOWHERE) s = read_table(h5, &r, err);
    if (!s && r.heap != UW__H5_NOWHERE) s = read_dense(h5, &r, err);
    if (s || !h5->num_links) return s;
    qsort(h5->links, (size_t)h5->num_links, sizeof *h5->links, by_name);
    for (int32_t i = 1; i < h5->num_links; i++) {
        if (by_name(&h5->links[i - 1], &h5->links[i])) continue;
        return uw__h5_refuse(h5, UW_EFORMAT, err, "two arrays named '%.64s'", h5->links[i].name);
    }
    return UW_OK;
}

uw_status uw__h5_text(uw_h5 *h5, const char *name, const char **out, uw_err *err) {
    root r = {.attribute = name};
    free(h5->text);
    h5->text = NULL;
    *out = NULL;
    const uw_status s = uw__h5_messages(h5, h5->root, take, &r, err);
    if (!s) *out = h5->text;
    return s;
}
