/* The inside of the HDF5 reader: what its files share. */
#ifndef UW_HDF5_INSIDE_H
#define UW_HDF5_INSIDE_H

#include "h5.h"

enum {
    UW__H5_DIMS = 8,         /* of an array */
    UW__H5_LINKS = 1024,     /* names in the root group */
    UW__H5_NAME = 256,       /* bytes of a name */
    UW__H5_BLOCK = 64 << 20, /* bytes of one structure of the file */
    UW__H5_SLAB = 128 << 20, /* bytes of a decoded chunk row */
    UW__H5_FILTERS = 8,
    UW__H5_MESSAGES = 1 << 16 /* of one object */
};

#define UW__H5_NOWHERE UINT64_MAX /* the undefined address */

/* Bytes being read; going past the end sets `bad` and gives zeros. */
typedef struct uw__h5_cursor {
    const unsigned char *at, *end;
    bool bad;
} uw__h5_cursor;

static inline uint64_t uw__h5_uint(uw__h5_cursor *c, size_t bytes) {
    uint64_t value = 0;
    if ((size_t)(c->end - c->at) < bytes) {
        c->bad = true;
        c->at = c->end;
        return 0;
    }
    for (size_t i = 0; i < bytes && i < 8; i++) value |= (uint64_t)c->at[i] << (8 * i);
    c->at += bytes;
    return value;
}

static inline void uw__h5_skip(uw__h5_cursor *c, uint64_t bytes) {
    if ((uint64_t)(c->end - c->at) < bytes) {
        c->bad = true;
        c->at = c->end;
        return;
    }
    c->at += bytes;
}

typedef enum uw__h5_link_kind {
    UW__H5_HARD = 0,
    UW__H5_SOFT = 1,
    UW__H5_EXTERNAL = 64
} uw__h5_link_kind;

typedef struct uw__h5_link {
    char name[UW__H5_NAME], target[UW__H5_NAME]; /* target: of a soft link */
    uw__h5_link_kind kind;
    uint64_t address;
} uw__h5_link;

typedef struct uw__h5_filter {
    uint32_t id;
    uint32_t element_bytes; /* of shuffle */
} uw__h5_filter;

typedef enum uw__h5_storage {
    UW__H5_NONE = 0, /* never written */
    UW__H5_COMPACT,
    UW__H5_CONTIGUOUS,
    UW__H5_BTREE1,
    UW__H5_SINGLE,
    UW__H5_IMPLICIT,
    UW__H5_FIXED,
    UW__H5_EXTENSIBLE,
    UW__H5_VIRTUAL,
    UW__H5_OTHER
} uw__h5_storage;

/* Where one chunk lies. */
typedef struct uw__h5_chunk {
    uint64_t address, bytes;
    uint32_t mask; /* bit i: filter i was left out */
} uw__h5_chunk;

/* A node or block of a chunk index, kept until another one is needed at its level. */
typedef struct uw__h5_cached {
    uint64_t address;
    unsigned char *data;
    size_t bytes;
    bool sound; /* its checksum was compared */
} uw__h5_cached;

enum { UW__H5_LEVELS = 16 };

typedef struct uw__h5_object {
    bool has_space, has_type, has_layout, is_group, outside;
    uw_h5_array array;
    int64_t max_rows;    /* -1 = unlimited */
    bool grows_sideways; /* a dimension other than the first may grow */
    size_t element_bytes;
    uw__h5_storage storage;
    uint64_t address, stored_bytes; /* of the data, or of the chunk index */
    uint32_t single_mask;
    bool single_filtered;
    unsigned char *compact;     /* owned, stored_bytes of them */
    int64_t chunk[UW__H5_DIMS]; /* elements */
    int32_t chunk_dims;         /* as stored, without the element's */
    uw__h5_filter filters[UW__H5_FILTERS];
    int32_t num_filters;
    /* chunk reading */
    uint64_t chunk_bytes;        /* decoded */
    int64_t across[UW__H5_DIMS]; /* chunks along each dimension */
    int64_t per_slab;            /* chunks that make up `chunk[0]` rows */
    int64_t slab;                /* the one held, -1 = none */
    unsigned char *slab_data;    /* owned, [chunk[0] * row_bytes] */
    uw__h5_cached cache[UW__H5_LEVELS];
} uw__h5_object;

/* What decoding needs beside its output: one per thread. */
struct uw_h5_room {
    unsigned char *stored, *decoded; /* one chunk, before and after a filter */
    size_t stored_cap, decoded_cap;
    void *inflater;                  /* libdeflate's, made when needed */
    unsigned char *slab;             /* rows of a chunk row, for the random reader */
    size_t slab_cap;
    const void *slab_of;             /* its map, NULL: none */
    int64_t slab_number;
};

struct uw_h5 {
    int fd;
    uint64_t size;
    char *path;
    const char *name; /* for messages */
    uint64_t root;    /* object header of the root group */
    uw__h5_link *links;
    int32_t num_links, cap_links;
    uw__h5_object **objects;         /* [num_links], opened on demand */
    char *text;                      /* the attribute last asked for */
    uint64_t held;                   /* bytes of all slabs and of what is kept */
    struct uw_h5_room room;          /* of reading in order */
};

/* ---- hdf5.c ------------------------------------------------------------------------------- */

/* Describe what name i leads to, once. */
uw_status uw__h5_object_of(uw_h5 *h5, int32_t i, uw__h5_object **out, uw_err *err);
/* Take bytes from what may be held of this file; false when that is too much. */
bool uw__h5_hold(uw_h5 *h5, uint64_t bytes);
/* Refuse an array whose chunk rows are too large to be held, else count one of them as held. */
uw_status uw__h5_hold_slab(uw_h5 *h5, const uw__h5_object *o, uw_err *err);
/* Find chunk `number` (row-major) and check that it was written and lies inside the file. */
uw_status uw__h5_chunk_place(const uw_h5 *h5, uw__h5_object *o, int64_t number, uw__h5_chunk *out,
                             uw_err *err);
/* Read a placed chunk and undo its filters: into out [chunk_bytes], or, when out is NULL, into the
 * room.  *made is where. */
uw_status uw__h5_chunk_load(const uw_h5 *h5, const uw__h5_object *o, const uw__h5_chunk *chunk,
                            int64_t number, uw_h5_room *room, unsigned char *out,
                            const unsigned char **made, uw_err *err);
/* Copy the part of decoded chunk `number` that lies inside the array into its chunk row's slab. */
void uw__h5_chunk_spread(const uw__h5_object *o, int64_t number, const unsigned char *chunk,
                         unsigned char *slab);

/* ---- hdf5_map.c --------------------------------------------------------------------------- */

/* Release what a room holds. */
void uw__h5_room_clear(uw_h5_room *room);

/* ---- hdf5_file.c -------------------------------------------------------------------------- */

/* Refuse with "FILE: ..." and the usual advice. */
uw_status uw__h5_refuse(const uw_h5 *h5, uw_status status, uw_err *err, const char *format, ...)
    UW_PRINTF(4, 5);
/* Read `bytes` bytes at `address` into new memory. */
uw_status uw__h5_block(const uw_h5 *h5, uint64_t address, uint64_t bytes, unsigned char **out,
                       uw_err *err);
/* The same, kept in `cached`; *out is borrowed. */
uw_status uw__h5_cached_block(const uw_h5 *h5, uint64_t address, uint64_t bytes,
                              uw__h5_cached *cached, const unsigned char **out, uw_err *err);
/* Check signature, version (-1: has none) and the checksum in the last four bytes of a structure.
 */
uw_status uw__h5_check(const uw_h5 *h5, const unsigned char *data, size_t bytes,
                       const char *signature, int version, uw_err *err);
bool uw__h5_sum_holds(const unsigned char *data, size_t bytes);

/* ---- hdf5_object.c ------------------------------------------------------------------------ */

/* Called for every header message of an object; body is the message's alone. */
typedef uw_status uw__h5_message_fn(uw_h5 *h5, void *state, uint32_t type, uint32_t flags,
                                    uw__h5_cursor body, uw_err *err);
uw_status uw__h5_messages(uw_h5 *h5, uint64_t address, uw__h5_message_fn *fn, void *state,
                          uw_err *err);
/* Read the description of a dataset; *out has its memory even after an error (uw__h5_object_free).
 */
uw_status uw__h5_object_read(uw_h5 *h5, const char *name, uint64_t address, uw__h5_object *out,
                             uw_err *err);
void uw__h5_object_free(uw__h5_object *object);
/* Decode a datatype far enough to name it. */
bool uw__h5_type(uw__h5_cursor *body, uw_h5_array *array, size_t *bytes);

/* ---- hdf5_group.c ------------------------------------------------------------------------- */

/* List the links of the root group into h5->links, sorted by name. */
uw_status uw__h5_list(uw_h5 *h5, uw_err *err);

/* ---- hdf5_chunk.c ------------------------------------------------------------------------- */

/* Find the chunk with these scaled offsets. */
uw_status uw__h5_chunk_find(const uw_h5 *h5, uw__h5_object *o, const int64_t *scaled,
                            uw__h5_chunk *out, uw_err *err);

/* ---- hdf5_filter.c ------------------------------------------------------------------------ */

/* Say whether a filter is one that we undo. */
bool uw__h5_filter_known(uint32_t id);
/* Undo the filters of a chunk that lies in room->stored: into out [o->chunk_bytes], or, when out is
 * NULL, into the room.  *made is where. */
uw_status uw__h5_unfilter(const uw_h5 *h5, const uw__h5_object *o, const uw__h5_chunk *chunk,
                          int64_t number, uw_h5_room *room, unsigned char *out,
                          const unsigned char **made, uw_err *err);
bool uw__h5_make_room(unsigned char **buffer, size_t *cap, size_t bytes);
void uw__h5_inflater_free(void *inflater);

#endif
