/* Undoing what a chunk went through: deflate, shuffle, Fletcher-32 and, through libblosc, Blosc.
 * Filters are undone in reverse order, each into a buffer whose size was known before. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#if defined(UW_LIBDEFLATE)
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#include "fileio.h"
#include "hdf5_inside.h"

#if defined(UW_BLOSC)
#include <blosc.h>
#endif

enum { DEFLATE = 1, SHUFFLE = 2, FLETCHER32 = 3, BLOSC = 32001, SLACK = 64 };

bool uw__h5_filter_known(uint32_t id) {
    return id == DEFLATE || id == SHUFFLE || id == FLETCHER32 || id == BLOSC;
}

/* ---- one filter: src [n] into dst [cap], the new size in *m; false when it does not decode ----
 */

#if defined(UW_LIBDEFLATE)
/* Three times as fast as zlib on whole buffers; *inflater is made once per room. */
static bool inflate_all(void **inflater, const unsigned char *src, size_t n, unsigned char *dst,
                        size_t cap, size_t *m) {
    return libdeflate_zlib_decompress(*inflater, src, n, dst, cap, m) == LIBDEFLATE_SUCCESS;
}
static bool make_inflater(void **inflater) {
    if (!*inflater) *inflater = libdeflate_alloc_decompressor();
    return *inflater;
}
void uw__h5_inflater_free(void *inflater) {
    libdeflate_free_decompressor(inflater);
}
#else
static bool inflate_all(void **inflater, const unsigned char *src, size_t n, unsigned char *dst,
                        size_t cap, size_t *m) {
    uLongf out = (uLongf)cap;
    (void)inflater;
    if (uncompress(dst, &out, src, (uLong)n) != Z_OK) return false;
    *m = (size_t)out;
    return true;
}
static bool make_inflater(void **inflater) {
    (void)inflater;
    return true;
}
void uw__h5_inflater_free(void *inflater) {
    (void)inflater;
}
#endif

static bool unshuffle(const unsigned char *src, size_t n, size_t element, unsigned char *dst,
                      size_t *m) {
    *m = n;
    if (element < 1) return false;
    const size_t count = n / element, even = count * element;
    for (size_t b = 0; b < element; b++) {
        for (size_t i = 0; i < count; i++) dst[i * element + b] = src[b * count + i];
    }
    memcpy(dst + even, src + even, n - even);
    return true;
}

/* HDF5's Fletcher-32: sums of big-endian pairs, modulo 65535, folded; stored after the data. */
static bool fletcher32(const unsigned char *src, size_t n, unsigned char *dst, size_t *m) {
    if (n < 4) return false;
    n -= 4;
    uint32_t a = 0, b = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        a = (a + ((uint32_t)src[i] << 8 | src[i + 1])) % 65535;
        b = (b + a) % 65535;
    }
    if (n % 2) {
        a = (a + ((uint32_t)src[n - 1] << 8)) % 65535;
        b = (b + a) % 65535;
    }
    uw__h5_cursor c = {src + n, src + n + 4, false};
    const uint64_t stored = uw__h5_uint(&c, 4);
    /* The writer folds instead of dividing: 0xffff and 0 are the same remainder. */
    const bool holds = (stored & 0xffff) % 65535 == a && (stored >> 16) % 65535 == b;
    memcpy(dst, src, n);
    *m = n;
    return holds;
}

static bool unblosc(const unsigned char *src, size_t n, unsigned char *dst, size_t cap, size_t *m) {
#if defined(UW_BLOSC)
    size_t bytes = 0;
    if (blosc_cbuffer_validate(src, n, &bytes) || bytes > cap) return false;
    const int got = blosc_decompress_ctx(src, dst, bytes, 1);
    *m = bytes;
    return got >= 0 && (size_t)got == bytes;
#else
    (void)src, (void)n, (void)dst, (void)cap, (void)m;
    return false;
#endif
}

/* ---- the pipeline ------------------------------------------------------------------------- */

bool uw__h5_make_room(unsigned char **buffer, size_t *cap, size_t bytes) {
    if (*cap >= bytes) return true;
    unsigned char *grown = realloc(*buffer, bytes);
    if (!grown) return false;
    *buffer = grown;
    *cap = bytes;
    return true;
}

/* What was made is the next filter's source. */
static void swap_buffers(uw_h5_room *room) {
    unsigned char *made = room->decoded;
    const size_t cap = room->decoded_cap;
    room->decoded = room->stored;
    room->decoded_cap = room->stored_cap;
    room->stored = made;
    room->stored_cap = cap;
}

static bool undo(const uw__h5_filter *f, uw_h5_room *room, size_t n, unsigned char *dst, size_t cap,
                 size_t *m) {
    switch (f->id) {
    case DEFLATE:
        return inflate_all(&room->inflater, room->stored, n, dst, cap, m);
    case SHUFFLE:
        return n <= cap && unshuffle(room->stored, n, f->element_bytes, dst, m);
    case FLETCHER32:
        return n <= cap + 4 && fletcher32(room->stored, n, dst, m);
    default:
        return unblosc(room->stored, n, dst, cap, m);
    }
}

uw_status uw__h5_unfilter(const uw_h5 *h5, const uw__h5_object *o, const uw__h5_chunk *chunk,
                          int64_t number, uw_h5_room *room, unsigned char *out,
                          const unsigned char **made, uw_err *err) {
    const size_t cap = (size_t)o->chunk_bytes + SLACK;
    size_t n = (size_t)chunk->bytes, m = 0;
    int32_t last = -1; /* the filter to be undone last: into out, if there is one */
    const char *kind = "";
    const size_t most = cap > n ? cap : n;
    if (!uw__h5_make_room(&room->decoded, &room->decoded_cap, most) ||
        !uw__h5_make_room(&room->stored, &room->stored_cap, most) ||
        !make_inflater(&room->inflater)) {
        return uw__no_memory(err, h5->path, most);
    }
    for (int32_t i = o->num_filters - 1; i >= 0; i--)
        if (!(chunk->mask >> i & 1)) last = i;
    *made = room->stored;
    for (int32_t i = o->num_filters - 1; i >= 0; i--) {
        const uw__h5_filter *f = &o->filters[i];
        const bool direct = out && i == last;
        if (chunk->mask >> i & 1) continue;
        if (f->id == BLOSC) kind = "Blosc ";
#if !defined(UW_BLOSC)
        if (f->id == BLOSC) {
            uw__h5_refuse(h5, UW_EUNSUPPORTED, err, "%s: this build reads no Blosc chunks",
                          o->array.name);
            uw_err_fix(err,
                       "configure with -DUW_BLOSC=ON, or rewrite the file with deflate (h5repack)");
            return UW_EUNSUPPORTED;
        }
#endif
        if (!undo(f, room, n, direct ? out : room->decoded, direct ? (size_t)o->chunk_bytes : most,
                  &m))
            goto corrupt;
        n = m;
        if (!direct) swap_buffers(room);
        *made = direct ? out : room->stored;
    }
    if (n != o->chunk_bytes) goto corrupt;
    if (out && last < 0) { /* no filter was applied to this chunk */
        memcpy(out, room->stored, n);
        *made = out;
    }
    return UW_OK;
corrupt:
    return uw__h5_refuse(h5, UW_EFORMAT, err, "%schunk %" PRId64 " of %s does not decode (corrupt)",
                         kind, number, o->array.name);
}
