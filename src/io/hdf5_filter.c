/* Undoing what a chunk went through: deflate, shuffle, Fletcher-32 and, through libblosc, Blosc.
 * Filters are undone in reverse order, each into a buffer whose size was known before. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

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

static bool inflate_all(const unsigned char *src, size_t n, unsigned char *dst, size_t cap,
                        size_t *m) {
    uLongf out = (uLongf)cap;
    if (uncompress(dst, &out, src, (uLong)n) != Z_OK) return false;
    *m = (size_t)out;
    return true;
}

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

static bool make_room(unsigned char **buffer, size_t *cap, size_t bytes) {
    if (*cap >= bytes) return true;
    unsigned char *grown = realloc(*buffer, bytes);
    if (!grown) return false;
    *buffer = grown;
    *cap = bytes;
    return true;
}

uw_status uw__h5_unfilter(uw_h5 *h5, const uw__h5_object *o, const uw__h5_chunk *chunk,
                          int64_t number, uw_err *err) {
    const size_t room = (size_t)o->chunk_bytes + SLACK;
    size_t n = (size_t)chunk->bytes, m = 0;
    const char *kind = "";
    if (!make_room(&h5->decoded, &h5->decoded_cap, room > n ? room : n) ||
        !make_room(&h5->stored, &h5->stored_cap, room > n ? room : n)) {
        return uw__no_memory(err, h5->path, room);
    }
    for (int32_t i = o->num_filters - 1; i >= 0; i--) {
        const uw__h5_filter *f = &o->filters[i];
        bool ok = false;
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
        switch (f->id) {
        case DEFLATE:
            ok = inflate_all(h5->stored, n, h5->decoded, room, &m);
            break;
        case SHUFFLE:
            ok = unshuffle(h5->stored, n, f->element_bytes, h5->decoded, &m);
            break;
        case FLETCHER32:
            ok = fletcher32(h5->stored, n, h5->decoded, &m);
            break;
        default:
            ok = unblosc(h5->stored, n, h5->decoded, room, &m);
            break;
        }
        if (!ok) goto corrupt;
        unsigned char *swap = h5->stored; /* what was made is the next one's source */
        const size_t swap_cap = h5->stored_cap;
        h5->stored = h5->decoded;
        h5->stored_cap = h5->decoded_cap;
        h5->decoded = swap;
        h5->decoded_cap = swap_cap;
        n = m;
    }
    if (n == o->chunk_bytes) return UW_OK;
corrupt:
    return uw__h5_refuse(h5, UW_EFORMAT, err, "%schunk %" PRId64 " of %s does not decode (corrupt)",
                         kind, number, o->array.name);
}
