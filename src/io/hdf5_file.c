/* An HDF5 file as bytes: superblock, checked reads, checksums. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "hdf5_inside.h"
#include "store.h"

enum { SUPERBLOCK_MAX = 160 };

uw_status uw__h5_refuse(const uw_h5 *h5, uw_status status, uw_err *err, const char *format, ...) {
    char detail[192];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    uw_fail(err, status, "%s: %s", h5->name, detail);
    uw_err_fix(err, "look at it with h5dump or h5py, write it again, or take another copy");
    return status;
}

uw_status uw__h5_block(const uw_h5 *h5, uint64_t address, uint64_t bytes, unsigned char **out,
                       uw_err *err) {
    if (!uw__range_ok(address, bytes, h5->size)) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "a structure of %" PRIu64 " bytes at %" PRIu64
                             " lies outside the file of %" PRIu64 " bytes",
                             bytes, address, h5->size);
    }
    if (bytes > UW__H5_BLOCK) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "a structure of %" PRIu64 " bytes, wanted at most %d", bytes,
                             UW__H5_BLOCK);
    }
    unsigned char *data = malloc((size_t)bytes + 1);
    if (!data) return uw__no_memory(err, h5->path, bytes);
    const uw_status s = uw__store_read(h5->fd, h5->path, address, data, (size_t)bytes, err);
    if (s)
        free(data);
    else
        *out = data;
    return s;
}

uw_status uw__h5_cached_block(const uw_h5 *h5, uint64_t address, uint64_t bytes,
                              uw__h5_cached *cached, const unsigned char **out, uw_err *err) {
    if (!cached->data || cached->address != address || cached->bytes < bytes) {
        unsigned char *data = NULL;
        const uw_status s = uw__h5_block(h5, address, bytes, &data, err);
        if (s) return s;
        free(cached->data);
        *cached = (uw__h5_cached){address, data, (size_t)bytes, false};
    }
    *out = cached->data;
    return UW_OK;
}

/* ---- checksum ----------------------------------------------------------------------------- */

static uint32_t rotate(uint32_t x, int k) {
    return x << k | x >> (32 - k);
}

/* Jenkins' lookup3 (hashlittle) over bytes, as the format prescribes; seed 0. */
static uint32_t lookup3(const unsigned char *k, size_t length) {
    uint32_t v[3];
    v[0] = v[1] = v[2] = 0xdeadbeefu + (uint32_t)length;
    while (length > 12) {
        for (int i = 0; i < 12; i++) v[i / 4] += (uint32_t)k[i] << (8 * (i % 4));
        uint32_t a = v[0], b = v[1], c = v[2];
        a -= c, a ^= rotate(c, 4), c += b;
        b -= a, b ^= rotate(a, 6), a += c;
        c -= b, c ^= rotate(b, 8), b += a;
        a -= c, a ^= rotate(c, 16), c += b;
        b -= a, b ^= rotate(a, 19), a += c;
        c -= b, c ^= rotate(b, 4), b += a;
        v[0] = a, v[1] = b, v[2] = c;
        k += 12;
        length -= 12;
    }
    if (!length) return v[2];
    for (size_t i = 0; i < length; i++) v[i / 4] += (uint32_t)k[i] << (8 * (i % 4));
    uint32_t a = v[0], b = v[1], c = v[2];
    c ^= b, c -= rotate(b, 14);
    a ^= c, a -= rotate(c, 11);
    b ^= a, b -= rotate(a, 25);
    c ^= b, c -= rotate(b, 16);
    a ^= c, a -= rotate(c, 4);
    b ^= a, b -= rotate(a, 14);
    c ^= b, c -= rotate(b, 24);
    return c;
}

bool uw__h5_sum_holds(const unsigned char *data, size_t bytes) {
    if (bytes < 4) return false;
    uw__h5_cursor c = {data + bytes - 4, data + bytes, false};
    return lookup3(data, bytes - 4) == uw__h5_uint(&c, 4);
}

uw_status uw__h5_check(const uw_h5 *h5, const unsigned char *data, size_t bytes,
                       const char *signature, int version, uw_err *err) {
    if (bytes < 10 || memcmp(data, signature, 4) || (version >= 0 && data[4] != version)) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "no %s where one should be (damaged)", signature);
    }
    if (!uw__h5_sum_holds(data, bytes)) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "the checksum of a %s does not hold (damaged)",
                             signature);
    }
    return UW_OK;
}

/* ---- superblock --------------------------------------------------------------------------- */

static uw_status old_superblock(uw_h5 *h5, uw__h5_cursor *c, int version, uint64_t *end,
                                uw_err *err) {
    uw__h5_skip(c, 4); /* versions of free space, root entry, shared headers; reserved */
    const uint64_t offsets = uw__h5_uint(c, 1), lengths = uw__h5_uint(c, 1);
    uw__h5_skip(c, version == 1 ? 1 + 4 + 4 + 4 : 1 + 4 + 4); /* tree sizes, flags */
    const uint64_t base = uw__h5_uint(c, 8);
    uw__h5_skip(c, 8); /* free space */
    *end = uw__h5_uint(c, 8);
    uw__h5_skip(c, 16); /* driver, name of the root */
    h5->root = uw__h5_uint(c, 8);
    if (c->bad || offsets != 8 || lengths != 8 || base) {
        return uw__h5_refuse(h5, UW_EUNSUPPORTED, err,
                             "wanted addresses and lengths of 8 bytes from the file's start");
    }
    return UW_OK;
}

static uw_status new_superblock(uw_h5 *h5, const unsigned char *data, uw__h5_cursor *c,
                                uint64_t *end, uw_err *err) {
    const uint64_t offsets = uw__h5_uint(c, 1), lengths = uw__h5_uint(c, 1);
    uw__h5_skip(c, 1); /* flags: a file left open by its writer reads as far as it was written */
    const uint64_t base = uw__h5_uint(c, 8);
    uw__h5_skip(c, 8); /* extension */
    *end = uw__h5_uint(c, 8);
    h5->root = uw__h5_uint(c, 8);
    if (c->bad || offsets != 8 || lengths != 8 || base) {
        return uw__h5_refuse(h5, UW_EUNSUPPORTED, err,
                             "wanted addresses and lengths of 8 bytes from the file's start");
    }
    if (!uw__h5_sum_holds(data, 48)) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "the checksum of the superblock does not hold (damaged)");
    }
    return UW_OK;
}

static uw_status superblock(uw_h5 *h5, uw_err *err) {
    static const unsigned char signature[8] = "\x89HDF\r\n\x1a\n";
    unsigned char data[SUPERBLOCK_MAX] = {0};
    uint64_t end = 0;
    const size_t n = h5->size < sizeof data ? (size_t)h5->size : sizeof data;
    uw_status s = uw__store_read(h5->fd, h5->path, 0, data, n, err);
    if (s) return s;
    if (n < 48 || memcmp(data, signature, sizeof signature)) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "not an HDF5 file (bad signature)");
    }
    uw__h5_cursor c = {data + 9, data + n, false};
    const int version = data[8];
    if (version <= 1)
        s = old_superblock(h5, &c, version, &end, err);
    else if (version <= 3)
        s = new_superblock(h5, data, &c, &end, err);
    else
        s = uw__h5_refuse(h5, UW_EUNSUPPORTED, err, "superblock version %d, wanted 0 to 3",
                          version);
    if (!s && end > h5->size) {
        s = uw__h5_refuse(h5, UW_EFORMAT, err,
                          "file is shorter than its superblock says (truncated)");
        uw_err_fix(err, "it has %" PRIu64 " of %" PRIu64 " bytes: copy or download it again",
                   h5->size, end);
    }
    return s;
}

/* ---- the file ----------------------------------------------------------------------------- */

uw_status uw__h5_open(const char *path, uw_h5 **out, uw_err *err) {
    *out = NULL;
    uw_h5 *h5 = calloc(1, sizeof *h5);
    if (!h5) return uw__no_memory(err, path, sizeof *h5);
    h5->fd = -1;
    h5->path = strdup(path);
    h5->name = h5->path ? uw__path_tail(h5->path) : "";
    uw_status s = h5->path ? UW_OK : uw__no_memory(err, path, strlen(path));
    if (!s) s = uw__store_open(path, &h5->fd, &h5->size, err);
    if (!s) s = superblock(h5, err);
    if (!s) s = uw__h5_list(h5, err);
    if (!s) {
        h5->objects = calloc((size_t)h5->num_links + 1, sizeof *h5->objects);
        if (!h5->objects) s = uw__no_memory(err, path, sizeof *h5->objects);
    }
    if (s)
        uw__h5_close(h5);
    else
        *out = h5;
    return s;
}

void uw__h5_close(uw_h5 *h5) {
    if (!h5) return;
    for (int32_t i = 0; h5->objects && i < h5->num_links; i++) {
        uw__h5_object_free(h5->objects[i]);
        free(h5->objects[i]);
    }
    free(h5->objects);
    free(h5->links);
    free(h5->text);
    uw__h5_room_clear(&h5->room);
    uw__store_close(h5->fd);
    free(h5->path);
    free(h5);
}

int32_t uw__h5_count(const uw_h5 *h5) {
    return h5->num_links;
}

const char *uw__h5_name(const uw_h5 *h5, int32_t i) {
    return h5->links[i].name;
}

int32_t uw__h5_find(const uw_h5 *h5, const char *name) {
    for (int32_t i = 0; i < h5->num_links; i++) {
        if (!strcmp(h5->links[i].name, name)) return i;
    }
    return -1;
}
