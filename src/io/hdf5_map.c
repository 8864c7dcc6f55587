/* Rows of an HDF5 array in any order, from any number of threads: a table of where every chunk
 * lies, made once, and per thread a room to decode in.
 *
 *   not filtered      one pread into the caller's memory for all rows that lie side by side
 *   a chunk a row     (pictures as the reference writes them) one pread, the last filter straight
 *                     into the caller's memory
 *   numbers, filtered  the column is small: decoded once, kept
 *   anything else     through the room's slab, which keeps the chunks of the last row read */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "hdf5_inside.h"
#include "internal.h"
#include "store.h"

enum { NUMBERS_ROW = 4096 };           /* bytes of a row that is no picture */
#define KEPT_MOST (UINT64_C(64) << 20) /* bytes of a column that is kept decoded */

/* A chunk, 16 bytes for each of millions. */
typedef struct place {
    uint64_t address;
    uint32_t bytes, mask;
} place;

struct uw_h5_map {
    const uw_h5 *h5;
    const uw__h5_object *o; /* the file's; what reading in order changes is not looked at */
    place *places;          /* [num_places], NULL when the data lie in one piece or are kept */
    unsigned char *kept;    /* [rows, row] */
    bool whole;             /* a chunk holds whole rows, side by side */
};

/* ---- the table ---------------------------------------------------------------------------- */

/* Look every chunk up, and check it once and for all. */
static uw_status find_places(uw_h5 *h5, uw__h5_object *o, uw_h5_map *map, uw_err *err) {
    uint64_t count, bytes;
    const int64_t slabs = o->across[0];
    /* Every chunk was written and indexed: a table of them cannot be much larger than the file. */
    if (!uw__mul_u64((uint64_t)slabs, (uint64_t)o->per_slab, &count) ||
        !uw__mul_u64(count, sizeof(place), &bytes) || bytes > 2 * h5->size + 65536) {
        return uw__h5_refuse(h5, UW_EFORMAT, err,
                             "%s: more chunks than a file of %" PRIu64 " bytes has room for",
                             o->array.name, h5->size);
    }
    map->places = malloc((size_t)bytes + 1);
    if (!map->places) return uw__no_memory(err, h5->path, bytes);
    uw_status s = UW_OK;
    for (uint64_t n = 0; !s && n < count; n++) {
        uw__h5_chunk chunk;
        s = uw__h5_chunk_place(h5, o, (int64_t)n, &chunk, err);
        map->places[n] = (place){chunk.address, (uint32_t)chunk.bytes, chunk.mask};
    }
    return s;
}

static uw_status keep(uw_h5 *h5, int32_t i, const uw__h5_object *o, uint64_t bytes, uw_h5_map *map,
                      uw_err *err) {
    map->kept = malloc((size_t)bytes + 1);
    if (!map->kept) return uw__no_memory(err, h5->path, bytes);
    return uw__h5_rows(h5, i, 0, o->array.shape[0], map->kept, err);
}

uw_status uw__h5_map_new(uw_h5 *h5, int32_t i, uw_h5_map **out, uw_err *err) {
    uw__h5_object *o = NULL;
    uint64_t bytes = 0;
    *out = NULL;
    uw_status s = uw__h5_object_of(h5, i, &o, err);
    if (s) return s;
    const uw_h5_array *a = &o->array;
    if (!a->numbers || !a->num_dims)
        return uw__h5_refuse(h5, UW_EINVAL, err, "%s: no rows of numbers", a->name);
    uw_h5_map *map = calloc(1, sizeof *map);
    if (!map) return uw__no_memory(err, h5->path, sizeof *map);
    map->h5 = h5;
    map->o = o;
    map->whole = true;
    for (int32_t d = 1; d < o->chunk_dims; d++) map->whole &= o->chunk[d] == a->shape[d];
    const bool pieces = o->storage != UW__H5_CONTIGUOUS && o->storage != UW__H5_COMPACT;
    const bool small = a->row_bytes <= NUMBERS_ROW &&
                       uw__mul_u64((uint64_t)a->shape[0], (uint64_t)a->row_bytes, &bytes) &&
                       bytes <= KEPT_MOST;
    const bool direct = map->whole && (!o->num_filters || o->chunk[0] == 1);
    if (pieces && !(map->whole && !o->num_filters) && small && uw__h5_hold(h5, bytes)) {
        s = keep(h5, i, o, bytes, map, err);
    } else if (pieces) {
        if (!direct) s = uw__h5_hold_slab(h5, o, err);
        if (!s) s = find_places(h5, o, map, err);
    }
    if (s)
        uw__h5_map_free(map);
    else
        *out = map;
    return s;
}

void uw__h5_map_free(uw_h5_map *map) {
    if (!map) return;
    free(map->places);
    free(map->kept);
    free(map);
}

/* ---- rows --------------------------------------------------------------------------------- */

static uw__h5_chunk chunk_at(const uw_h5_map *map, int64_t number) {
    const place *p = &map->places[number];
    return (uw__h5_chunk){p->address, p->bytes, p->mask};
}

/* Where a row lies that no filter touched. */
static uint64_t row_address(const uw_h5_map *map, int64_t row) {
    const uw__h5_object *o = map->o;
    const uint64_t bytes = (uint64_t)o->array.row_bytes;
    if (!map->places) return o->address + (uint64_t)row * bytes;
    return map->places[row / o->chunk[0]].address + (uint64_t)(row % o->chunk[0]) * bytes;
}

/* Rows that lie side by side in the file and in `out` are read together. */
static uw_status read_plain(const uw_h5_map *map, int64_t first, int64_t count, int64_t stride,
                            unsigned char *out, uw_err *err) {
    const size_t row = (size_t)map->o->array.row_bytes;
    for (int64_t i = 0, n; i < count; i += n, out += (size_t)n * row) {
        const uint64_t at = row_address(map, first + i * stride);
        for (n = 1; i + n < count; n++)
            if (row_address(map, first + (i + n) * stride) != at + (uint64_t)n * row) break;
        const uw_status s =
            uw__store_read(map->h5->fd, map->h5->path, at, out, (size_t)n * row, err);
        if (s) return s;
    }
    return UW_OK;
}

/* Decode the chunks that row `row` is in into the room's slab. */
static uw_status fill_slab(const uw_h5_map *map, uw_h5_room *room, int64_t slab, uw_err *err) {
    const uw__h5_object *o = map->o;
    const size_t bytes = (size_t)o->chunk[0] * (size_t)o->array.row_bytes;
    room->slab_of = NULL;
    if (!uw__h5_make_room(&room->slab, &room->slab_cap, bytes))
        return uw__no_memory(err, map->h5->path, bytes);
    for (int64_t k = slab * o->per_slab; k < (slab + 1) * o->per_slab; k++) {
        const uw__h5_chunk chunk = chunk_at(map, k);
        const unsigned char *made;
        const uw_status s = uw__h5_chunk_load(map->h5, o, &chunk, k, room, NULL, &made, err);
        if (s) return s;
        uw__h5_chunk_spread(o, k, made, room->slab);
    }
    room->slab_of = map;
    room->slab_number = slab;
    return UW_OK;
}

static uw_status read_row(const uw_h5_map *map, uw_h5_room *room, int64_t row, unsigned char *out,
                          uw_err *err) {
    const uw__h5_object *o = map->o;
    const size_t bytes = (size_t)o->array.row_bytes;
    if (map->whole && o->chunk[0] == 1) {
        const uw__h5_chunk chunk = chunk_at(map, row);
        const unsigned char *made;
        return uw__h5_chunk_load(map->h5, o, &chunk, row, room, out, &made, err);
    }
    const int64_t slab = row / o->chunk[0];
    if (room->slab_of != map || room->slab_number != slab) {
        const uw_status s = fill_slab(map, room, slab, err);
        if (s) return s;
    }
    memcpy(out, room->slab + (size_t)(row % o->chunk[0]) * bytes, bytes);
    return UW_OK;
}

uw_status uw__h5_map_rows(const uw_h5_map *map, uw_h5_room *room, int64_t first, int64_t count,
                          int64_t stride, void *out, uw_err *err) {
    const uw__h5_object *o = map->o;
    const size_t row = (size_t)o->array.row_bytes;
    unsigned char *at = out;
    const unsigned char *memory = map->kept ? map->kept : o->compact;
    UW_ASSERT(first >= 0 && stride >= 1 && count >= 0);
    UW_ASSERT(!count || first + (count - 1) * stride < o->array.shape[0]);
    if (!memory && (!map->places || (map->whole && !o->num_filters)))
        return read_plain(map, first, count, stride, at, err);
    for (int64_t i = 0; i < count; i++, first += stride, at += row) {
        if (memory) {
            memcpy(at, memory + (size_t)first * row, row);
            continue;
        }
        const uw_status s = read_row(map, room, first, at, err);
        if (s) return s;
    }
    return UW_OK;
}

/* ---- rooms -------------------------------------------------------------------------------- */

uw_status uw__h5_room_new(uw_h5_room **out) {
    *out = calloc(1, sizeof **out);
    return *out ? UW_OK : UW_ENOMEM;
}

void uw__h5_room_clear(uw_h5_room *room) {
    uw__h5_inflater_free(room->inflater);
    free(room->stored);
    free(room->decoded);
    free(room->slab);
}

void uw__h5_room_free(uw_h5_room *room) {
    if (!room) return;
    uw__h5_room_clear(room);
    free(room);
}
