/* Rows of an HDF5 array: contiguous, or chunk by chunk through a slab of whole rows. */
#include "h5.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "hdf5_inside.h"
#include "store.h"

/* All slabs of a file together: what a small file may ask for is bounded by its size, what any may
 * by what a conversion may take. */
#define HELD_LEAST (UINT64_C(8) << 20)
#define HELD_MOST  (UINT64_C(256) << 20)
#define HELD_RATIO UINT64_C(256)

/* ---- names to objects --------------------------------------------------------------------- */

/* Follow a soft link within the root group: one step, so that no chain can loop. */
static uw_status resolve(uw_h5 *h5, int32_t i, uint64_t *address, uw_err *err) {
    const uw__h5_link *link = &h5->links[i];
    if (link->kind == UW__H5_EXTERNAL) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "%s is an external link (refused: points outside the file)",
                             link->name);
    }
    if (link->kind == UW__H5_SOFT) {
        const char *target = link->target;
        while (*target == '/') target++;
        const int32_t to = uw__h5_find(h5, target);
        if (to < 0 || h5->links[to].kind != UW__H5_HARD) {
            return uw__h5_refuse(h5, UW_EFORMAT, err,
                                 "%s is a soft link whose target does not exist", link->name);
        }
        link = &h5->links[to];
    }
    *address = link->address;
    return UW_OK;
}

uw_status uw__h5_object_of(uw_h5 *h5, int32_t i, uw__h5_object **out, uw_err *err) {
    uint64_t address = 0;
    if (!h5->objects[i]) {
        uw__h5_object *o = calloc(1, sizeof *o);
        if (!o) return uw__no_memory(err, h5->path, sizeof *o);
        uw_status s = resolve(h5, i, &address, err);
        if (!s) s = uw__h5_object_read(h5, h5->links[i].name, address, o, err);
        if (s) {
            uw__h5_object_free(o);
            free(o);
            return s;
        }
        h5->objects[i] = o;
    }
    *out = h5->objects[i];
    return UW_OK;
}

uw_status uw__h5_array(uw_h5 *h5, int32_t i, uw_h5_array *out, uw_err *err) {
    uw__h5_object *o;
    const uw_status s = uw__h5_object_of(h5, i, &o, err);
    if (!s) *out = o->array;
    return s;
}

/* ---- chunks ------------------------------------------------------------------------------- */

/* The place of a chunk among the chunks, along every dimension. */
static void scale(const uw__h5_object *o, int64_t number, int64_t *scaled) {
    for (int32_t d = o->chunk_dims - 1; d > 0; d--) {
        scaled[d] = number % o->across[d];
        number /= o->across[d];
    }
    scaled[0] = number;
}

void uw__h5_chunk_spread(const uw__h5_object *o, int64_t number, const unsigned char *chunk,
                         unsigned char *slab) {
    const uw_h5_array *a = &o->array;
    int64_t inside[UW__H5_DIMS], at[UW__H5_DIMS] = {0}, scaled[UW__H5_DIMS];
    const int32_t last = a->num_dims - 1;
    scale(o, number, scaled);
    for (int32_t d = 0; d <= last; d++) {
        const int64_t left = a->shape[d] - scaled[d] * o->chunk[d];
        inside[d] = left < o->chunk[d] ? left : o->chunk[d];
    }
    const size_t run = (size_t)inside[last] * o->element_bytes;
    for (;;) { /* every line along the last dimension */
        size_t from = 0, to = 0;
        for (int32_t d = 0; d <= last; d++) {
            from = from * (size_t)o->chunk[d] + (size_t)at[d];
            to = d ? to * (size_t)a->shape[d] + (size_t)(scaled[d] * o->chunk[d] + at[d])
                   : (size_t)at[d];
        }
        memcpy(slab + to * o->element_bytes, chunk + from * o->element_bytes, run);
        int32_t d = last - 1;
        while (d >= 0 && ++at[d] == inside[d]) at[d--] = 0;
        if (d < 0) return;
    }
}

uw_status uw__h5_chunk_place(const uw_h5 *h5, uw__h5_object *o, int64_t number, uw__h5_chunk *out,
                             uw_err *err) {
    int64_t scaled[UW__H5_DIMS];
    scale(o, number, scaled);
    const uw_status s = uw__h5_chunk_find(h5, o, scaled, out, err);
    if (s) return s;
    if (out->address == UW__H5_NOWHERE) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "chunk %" PRId64 " of %s was never written",
                             number, o->array.name);
    }
    /* No filter makes anything much larger: what claims to be is not a chunk. */
    if (!uw__range_ok(out->address, out->bytes, h5->size) ||
        out->bytes > o->chunk_bytes + o->chunk_bytes / 8 + 4096) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "chunk %" PRId64 " of %s lies outside the file",
                             number, o->array.name);
    }
    if (!o->num_filters && out->bytes != o->chunk_bytes) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "chunk %" PRId64 " of %s: wanted %" PRIu64 " bytes, got %" PRIu64,
                             number, o->array.name, o->chunk_bytes, out->bytes);
    }
    return UW_OK;
}

uw_status uw__h5_chunk_load(const uw_h5 *h5, const uw__h5_object *o, const uw__h5_chunk *chunk,
                            int64_t number, uw_h5_room *room, unsigned char *out,
                            const unsigned char **made, uw_err *err) {
    const size_t bytes = (size_t)chunk->bytes;
    if (out && !o->num_filters) {
        *made = out;
        return uw__store_read(h5->fd, h5->path, chunk->address, out, bytes, err);
    }
    if (!uw__h5_make_room(&room->stored, &room->stored_cap, bytes))
        return uw__no_memory(err, h5->path, bytes);
    const uw_status s = uw__store_read(h5->fd, h5->path, chunk->address, room->stored, bytes, err);
    return s ? s : uw__h5_unfilter(h5, o, chunk, number, room, out, made, err);
}

bool uw__h5_hold(uw_h5 *h5, uint64_t bytes) {
    const uint64_t most = h5->size < (HELD_MOST - HELD_LEAST) / HELD_RATIO
                              ? HELD_LEAST + HELD_RATIO * h5->size
                              : HELD_MOST;
    if (bytes > most || h5->held > most - bytes) return false;
    h5->held += bytes;
    return true;
}

uw_status uw__h5_hold_slab(uw_h5 *h5, const uw__h5_object *o, uw_err *err) {
    const size_t bytes = (size_t)o->chunk[0] * (size_t)o->array.row_bytes;
    if (uw__h5_hold(h5, bytes)) return UW_OK;
    uw__h5_refuse(h5, UW_EUNSUPPORTED, err, "%s: chunks of %zu bytes, too large to be held",
                  o->array.name, bytes);
    uw_err_fix(err, "write it with smaller chunks: h5repack -l CHUNK=1x224x224x3");
    return UW_EUNSUPPORTED;
}

/* Decode the chunks of chunk row `slab`. */
static uw_status fill_slab(uw_h5 *h5, uw__h5_object *o, int64_t slab, uw_err *err) {
    if (!o->slab_data) {
        const size_t bytes = (size_t)o->chunk[0] * (size_t)o->array.row_bytes;
        const uw_status s = uw__h5_hold_slab(h5, o, err);
        if (s) return s;
        o->slab_data = malloc(bytes);
        if (!o->slab_data) return uw__no_memory(err, h5->path, bytes);
    }
    o->slab = -1;
    for (int64_t k = slab * o->per_slab; k < (slab + 1) * o->per_slab; k++) {
        uw__h5_chunk chunk;
        const unsigned char *made;
        uw_status s = uw__h5_chunk_place(h5, o, k, &chunk, err);
        if (!s) s = uw__h5_chunk_load(h5, o, &chunk, k, &h5->room, NULL, &made, err);
        if (s) return s;
        uw__h5_chunk_spread(o, k, made, o->slab_data);
    }
    o->slab = slab;
    return UW_OK;
}

/* ---- rows --------------------------------------------------------------------------------- */

static uw_status read_flat(uw_h5 *h5, const uw__h5_object *o, uint64_t first, uint64_t bytes,
                           void *out, uw_err *err) {
    if (!uw__range_ok(first, bytes, o->stored_bytes) || o->address == UW__H5_NOWHERE ||
        !uw__range_ok(o->address, o->stored_bytes, h5->size)) {
        return uw__h5_refuse(h5, UW_EFORMAT, err, "the data of %s lies outside the file",
                             o->array.name);
    }
    return uw__store_read(h5->fd, h5->path, o->address + first, out, (size_t)bytes, err);
}

uw_status uw__h5_rows(uw_h5 *h5, int32_t i, int64_t first, int64_t count, void *out, uw_err *err) {
    uw__h5_object *o;
    unsigned char *at = out;
    uw_status s = uw__h5_object_of(h5, i, &o, err);
    if (s) return s;
    const uw_h5_array *a = &o->array;
    if (!a->numbers || !a->num_dims || first < 0 || count < 0 || count > a->shape[0] - first) {
        return uw__h5_refuse(h5, UW_EINVAL, err,
                             "%s: no rows %" PRId64 " to %" PRId64 " of numbers", a->name, first,
                             first + count - 1);
    }
    const uint64_t row = (uint64_t)a->row_bytes;
    if (!count) return UW_OK;
    if (o->storage == UW__H5_CONTIGUOUS)
        return read_flat(h5, o, (uint64_t)first * row, (uint64_t)count * row, out, err);
    if (o->storage == UW__H5_COMPACT) {
        if (!uw__range_ok((uint64_t)first * row, (uint64_t)count * row, o->stored_bytes)) {
            return uw__h5_refuse(h5, UW_EFORMAT, err, "%s has fewer bytes than rows", a->name);
        }
        memcpy(out, o->compact + (uint64_t)first * row, (size_t)count * (size_t)row);
        return UW_OK;
    }
    while (count) {
        const int64_t slab = first / o->chunk[0], within = first % o->chunk[0];
        const int64_t left = o->chunk[0] - within, n = left < count ? left : count;
        if (slab != o->slab && (s = fill_slab(h5, o, slab, err))) return s;
        memcpy(at, o->slab_data + (uint64_t)within * row, (size_t)n * (size_t)row);
        at += (size_t)n * (size_t)row;
        first += n;
        count -= n;
    }
    return UW_OK;
}
