/* Where a chunk lies: the five indexes that files of recordings have.
 *
 *   B-tree 1     files of the "earliest" format: keys are element offsets
 *   single       one chunk holds everything
 *   implicit     chunks lie one after another
 *   fixed        an array of places, in pages when it is long
 *   extensible   an array that grows: index block, data blocks, super blocks of growing size
 *
 * A lookup reads the few blocks on its way and keeps the last of each level, so that memory does
 * not grow with the number of chunks and reading in order reads every block once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "hdf5_inside.h"

static uw_status damaged(const uw_h5 *h5, const uw__h5_object *o, const char *what, uw_err *err) {
    return uw__h5_refuse(h5, UW_EFORMAT, err,
                         "%s: a chunk index (%s) that does not add up (damaged)", o->array.name,
                         what);
}

/* An element of an array index: a place, and with filters a size and a mask. */
static void element(const uw__h5_object *o, uw__h5_cursor c, uint64_t width, uw__h5_chunk *out) {
    out->address = uw__h5_uint(&c, 8);
    out->bytes = o->chunk_bytes;
    out->mask = 0;
    if (width == 8) return;
    out->bytes = uw__h5_uint(&c, (size_t)width - 12);
    out->mask = (uint32_t)uw__h5_uint(&c, 4);
}

/* Compare a structure's checksum the first time that it is used. */
static uw_status checked(const uw_h5 *h5, uw__h5_cached *block, size_t bytes, const char *signature,
                         uw_err *err) {
    if (block->sound) return UW_OK;
    const uw_status s = uw__h5_check(h5, block->data, bytes, signature, 0, err);
    block->sound = !s;
    return s;
}

/* The same for a page of an array, which has no signature. */
static bool page_sound(uw__h5_cached *page, size_t bytes) {
    if (!page->sound) page->sound = uw__h5_sum_holds(page->data, bytes);
    return page->sound;
}

static bool width_sound(const uw__h5_object *o, uint64_t client, uint64_t width) {
    return o->num_filters ? client == 1 && width >= 13 && width <= 20 : client == 0 && width == 8;
}

/* ---- B-tree, version 1 -------------------------------------------------------------------- */

/* Compare the offsets of a key with a chunk's: < 0 when the key comes first. */
static int compare(const uw__h5_object *o, const unsigned char *key, const int64_t *scaled) {
    uw__h5_cursor c = {key + 8, key + 8 + 8 * (size_t)o->chunk_dims, false};
    for (int32_t d = 0; d < o->chunk_dims; d++) {
        const uint64_t have = uw__h5_uint(&c, 8);
        const uint64_t want = (uint64_t)scaled[d] * (uint64_t)o->chunk[d];
        if (have != want) return have < want ? -1 : 1;
    }
    return 0;
}

static uw_status find_btree(const uw_h5 *h5, uw__h5_object *o, const int64_t *scaled,
                            uw__h5_chunk *out, uw_err *err) {
    const size_t key = 8 + 8 * ((size_t)o->chunk_dims + 1), step = key + 8;
    uint64_t address = o->address;
    for (int level = -1;;) {
        const unsigned char *data;
        uw__h5_cached *cache = &o->cache[level < 0 ? UW__H5_LEVELS - 1 : level];
        uw_status s = uw__h5_cached_block(h5, address, 24, cache, &data, err);
        if (s) return s;
        const bool ours = !memcmp(data, "TREE", 4) && data[4] == 1 && data[5] < UW__H5_LEVELS - 1 &&
                          (level < 0 || data[5] == level);
        const size_t count = (size_t)data[6] | (size_t)data[7] << 8;
        if (!ours) return damaged(h5, o, "a tree", err);
        level = data[5];
        const size_t whole = 24 + count * step + key;
        if ((s = uw__h5_cached_block(h5, address, whole, cache, &data, err))) return s;
        size_t low = 0, high = count; /* the last key that is not behind the chunk's */
        while (low < high) {
            const size_t mid = low + (high - low) / 2;
            if (compare(o, data + 24 + mid * step, scaled) <= 0)
                low = mid + 1;
            else
                high = mid;
        }
        if (!low) return UW_OK; /* not there */
        const unsigned char *entry = data + 24 + (low - 1) * step;
        uw__h5_cursor c = {entry, entry + step, false};
        const uint64_t bytes = uw__h5_uint(&c, 4), mask = uw__h5_uint(&c, 4);
        uw__h5_skip(&c, key - 8);
        address = uw__h5_uint(&c, 8);
        if (level--) continue;
        if (!compare(o, entry, scaled)) *out = (uw__h5_chunk){address, bytes, (uint32_t)mask};
        return UW_OK;
    }
}

/* ---- fixed array -------------------------------------------------------------------------- */

static uw_status find_fixed(const uw_h5 *h5, uw__h5_object *o, uint64_t number, uw__h5_chunk *out,
                            uw_err *err) {
    enum { HEADER = 28, PREFIX = 14 };
    const unsigned char *data;
    uw_status s = uw__h5_cached_block(h5, o->address, HEADER, &o->cache[0], &data, err);
    if (!s) s = checked(h5, &o->cache[0], HEADER, "FAHD", err);
    if (s) return s;
    uw__h5_cursor c = {data + 5, data + HEADER, false};
    const uint64_t client = uw__h5_uint(&c, 1), width = uw__h5_uint(&c, 1),
                   bits = uw__h5_uint(&c, 1);
    const uint64_t count = uw__h5_uint(&c, 8), block = uw__h5_uint(&c, 8);
    if (!width_sound(o, client, width) || bits > 20) return damaged(h5, o, "fixed array", err);
    if (block == UW__H5_NOWHERE || number >= count) return UW_OK;
    const uint64_t page = (uint64_t)1 << bits, pages = count > page ? (count - 1) / page + 1 : 0;
    uint64_t at = 0, n = count;
    if (!pages) {
        const uint64_t bytes = PREFIX + count * width + 4;
        s = uw__h5_cached_block(h5, block, bytes, &o->cache[1], &data, err);
        if (!s) s = checked(h5, &o->cache[1], (size_t)bytes, "FADB", err);
        if (s) return s;
        at = PREFIX;
    } else {
        const uint64_t map = (pages + 7) / 8, k = number / page;
        if (map > UW__H5_BLOCK) return damaged(h5, o, "fixed array", err);
        s = uw__h5_cached_block(h5, block, PREFIX + map + 4, &o->cache[1], &data, err);
        if (!s) s = checked(h5, &o->cache[1], (size_t)(PREFIX + map + 4), "FADB", err);
        if (s) return s;
        if (!(data[PREFIX + k / 8] & (0x80 >> (k % 8)))) return UW_OK; /* page never written */
        n = k == pages - 1 ? count - k * page : page;
        s = uw__h5_cached_block(h5, block + PREFIX + map + 4 + k * (page * width + 4),
                                n * width + 4, &o->cache[2], &data, err);
        if (s) return s;
        if (!page_sound(&o->cache[2], (size_t)(n * width + 4)))
            return damaged(h5, o, "fixed array", err);
        number -= k * page;
    }
    const unsigned char *entry = data + at + number * width;
    element(o, (uw__h5_cursor){entry, entry + width, false}, width, out);
    return UW_OK;
}

/* ---- extensible array --------------------------------------------------------------------- */

typedef struct extensible {
    uint64_t client, width, bits, in_index, least, pointers, page; /* as in the header */
    uint64_t index;                                                /* index block */
    size_t offset_bytes;
} extensible;

static uint64_t log2_floor(uint64_t n) {
    uint64_t k = 0;
    while (n >>= 1) k++;
    return k;
}

static bool power(uint64_t n) {
    return n && !(n & (n - 1));
}

static uw_status read_extensible(const uw_h5 *h5, uw__h5_object *o, extensible *e, uw_err *err) {
    enum { HEADER = 72 };
    const unsigned char *data;
    uw_status s = uw__h5_cached_block(h5, o->address, HEADER, &o->cache[0], &data, err);
    if (!s) s = checked(h5, &o->cache[0], HEADER, "EAHD", err);
    if (s) return s;
    uw__h5_cursor c = {data + 5, data + HEADER, false};
    e->client = uw__h5_uint(&c, 1);
    e->width = uw__h5_uint(&c, 1);
    e->bits = uw__h5_uint(&c, 1);
    e->in_index = uw__h5_uint(&c, 1);
    e->least = uw__h5_uint(&c, 1);
    e->pointers = uw__h5_uint(&c, 1);
    const uint64_t page_bits = uw__h5_uint(&c, 1);
    uw__h5_skip(&c, 6 * 8);
    e->index = uw__h5_uint(&c, 8);
    e->page = (uint64_t)1 << (page_bits & 31);
    e->offset_bytes = (size_t)(e->bits + 7) / 8;
    const bool sound = width_sound(o, e->client, e->width) && e->bits <= 64 && power(e->least) &&
                       power(e->pointers) && e->pointers >= 2 && page_bits <= 20 &&
                       e->bits > log2_floor(e->least);
    return sound ? UW_OK : damaged(h5, o, "extensible array", err);
}

/* Read element `k` of a data block of `count` elements. */
static uw_status data_block(const uw_h5 *h5, uw__h5_object *o, const extensible *e,
                            uint64_t address, uint64_t count, uint64_t k, uw__h5_chunk *out,
                            uw_err *err) {
    const unsigned char *data;
    const uint64_t prefix = 14 + e->offset_bytes;
    uw_status s = UW_OK;
    if (address == UW__H5_NOWHERE) return UW_OK;
    if (count > e->page) { /* in pages, each with its own checksum */
        const uint64_t page = k / e->page, bytes = e->page * e->width + 4;
        s = uw__h5_cached_block(h5, address + prefix + 4 + page * bytes, bytes, &o->cache[3], &data,
                                err);
        if (s) return s;
        if (!page_sound(&o->cache[3], (size_t)bytes))
            return damaged(h5, o, "extensible array", err);
        k %= e->page;
    } else {
        const uint64_t bytes = prefix + count * e->width + 4;
        s = uw__h5_cached_block(h5, address, bytes, &o->cache[3], &data, err);
        if (!s) s = checked(h5, &o->cache[3], (size_t)bytes, "EADB", err);
        if (s) return s;
        data += prefix;
    }
    const unsigned char *entry = data + k * e->width;
    element(o, (uw__h5_cursor){entry, entry + e->width, false}, e->width, out);
    return UW_OK;
}

/* Find a data block through its super block. */
static uw_status super_block(const uw_h5 *h5, uw__h5_object *o, const extensible *e,
                             uint64_t address, uint64_t blocks, uint64_t count, uint64_t k,
                             uw__h5_chunk *out, uw_err *err) {
    const unsigned char *data;
    if (address == UW__H5_NOWHERE) return UW_OK;
    const uint64_t prefix = 14 + e->offset_bytes;
    const uint64_t pages = count > e->page ? count / e->page : 0, map = (pages + 7) / 8;
    const uint64_t bytes = prefix + blocks * (map + 8) + 4, block = k / count;
    if (blocks > UW__H5_BLOCK || map > UW__H5_BLOCK) return damaged(h5, o, "extensible array", err);
    uw_status s = uw__h5_cached_block(h5, address, bytes, &o->cache[2], &data, err);
    if (!s) s = checked(h5, &o->cache[2], (size_t)bytes, "EASB", err);
    if (s) return s;
    if (map) {
        /* Bytes per block, yet the bits of all blocks follow each other without a gap. */
        const uint64_t bit = block * pages + k % count / e->page;
        if (!(data[prefix + bit / 8] & (0x80 >> (bit % 8)))) return UW_OK; /* never written */
    }
    const unsigned char *entry = data + prefix + blocks * map + 8 * block;
    uw__h5_cursor c = {entry, entry + 8, false};
    return data_block(h5, o, e, uw__h5_uint(&c, 8), count, k % count, out, err);
}

static uw_status find_extensible(const uw_h5 *h5, uw__h5_object *o, uint64_t number,
                                 uw__h5_chunk *out, uw_err *err) {
    extensible e;
    const unsigned char *data;
    uw_status s = read_extensible(h5, o, &e, err);
    if (s || e.index == UW__H5_NOWHERE) return s;
    const uint64_t all = 1 + e.bits - log2_floor(e.least), direct = 2 * log2_floor(e.pointers);
    const uint64_t blocks = 2 * (e.pointers - 1), supers = all > direct ? all - direct : 0;
    const uint64_t bytes = 14 + e.in_index * e.width + 8 * (blocks + supers) + 4;
    s = uw__h5_cached_block(h5, e.index, bytes, &o->cache[1], &data, err);
    if (!s) s = checked(h5, &o->cache[1], (size_t)bytes, "EAIB", err);
    if (s) return s;
    data += 14;
    if (number < e.in_index) {
        const unsigned char *entry = data + number * e.width;
        element(o, (uw__h5_cursor){entry, entry + e.width, false}, e.width, out);
        return UW_OK;
    }
    data += e.in_index * e.width;
    number -= e.in_index;
    /* Super block u has 2^(u/2) data blocks of least * 2^((u+1)/2) elements: together least * 2^u.
     */
    const uint64_t u = log2_floor(number / e.least + 1);
    if (u >= all) return UW_OK;
    const uint64_t count = e.least << ((u + 1) / 2);
    number -= e.least * (((uint64_t)1 << u) - 1);
    uint64_t slot = blocks + u - direct;
    if (u < direct) { /* data blocks before this super block's: 1 + 1 + 2 + 2 + 4 + ... */
        slot = number / count;
        for (uint64_t v = 0; v < u; v++) slot += (uint64_t)1 << (v / 2);
    }
    if (slot >= blocks + supers) return damaged(h5, o, "extensible array", err);
    uw__h5_cursor c = {data + 8 * slot, data + 8 * slot + 8, false};
    const uint64_t address = uw__h5_uint(&c, 8);
    if (u < direct) return data_block(h5, o, &e, address, count, number % count, out, err);
    return super_block(h5, o, &e, address, (uint64_t)1 << (u / 2), count, number, out, err);
}

/* ---- the choice --------------------------------------------------------------------------- */

uw_status uw__h5_chunk_find(const uw_h5 *h5, uw__h5_object *o, const int64_t *scaled,
                            uw__h5_chunk *out, uw_err *err) {
    uint64_t number = 0;
    *out = (uw__h5_chunk){.address = UW__H5_NOWHERE};
    for (int32_t d = 0; d < o->chunk_dims; d++) {
        number =
            number * (uint64_t)o->across[d] + (uint64_t)scaled[d]; /* below the file's numbers */
    }
    if (o->address == UW__H5_NOWHERE) return UW_OK;
    switch (o->storage) {
    case UW__H5_BTREE1:
        return find_btree(h5, o, scaled, out, err);
    case UW__H5_FIXED:
        return find_fixed(h5, o, number, out, err);
    case UW__H5_EXTENSIBLE:
        return find_extensible(h5, o, number, out, err);
    case UW__H5_IMPLICIT:
        out->bytes = o->chunk_bytes;
        if (!uw__mul_u64(number, o->chunk_bytes, &out->address) ||
            !uw__add_u64(out->address, o->address, &out->address)) {
            return damaged(h5, o, "implicit", err);
        }
        return UW_OK;
    default:
        if (!number) {
            *out = (uw__h5_chunk){o->address, o->single_filtered ? o->stored_bytes : o->chunk_bytes,
                                  o->single_mask};
        }
        return UW_OK;
    }
}
