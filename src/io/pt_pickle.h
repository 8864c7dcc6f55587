/* The small part of pickle that PyTorch writes weights in: an interpreter that builds plain nodes
 * and never calls anything.  A name outside a fixed list ends the reading. */
#ifndef UW_PT_PICKLE_H
#define UW_PT_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>
#include <umwelt/tensor.h>

typedef enum uw_pk_kind {
    UW_PK_OTHER = 0, /* None, a number with a fraction: told apart by nobody */
    UW_PK_BOOL = 1,
    UW_PK_INT = 2,
    UW_PK_TEXT = 3,
    UW_PK_TUPLE = 4,
    UW_PK_LIST = 5,
    UW_PK_DICT = 6,
    UW_PK_GLOBAL = 7,
    UW_PK_STORAGE = 8,
    UW_PK_TENSOR = 9
} uw_pk_kind;

typedef struct uw_pk_node {
    uint8_t kind;
    uint8_t depth;   /* of what hangs below */
    uint16_t count;  /* TUPLE: members */
    uint32_t leaves; /* what writing it out would visit */
    union {
        int64_t integer; /* BOOL, INT */
        struct {
            uint32_t at, bytes;
        } text; /* TEXT, in the pickle's own bytes */
        uint32_t index; /* of items, globals, storages or tensors */
    } as;
} uw_pk_node;

/* A member of a LIST, or of a DICT under a key, in order of insertion. */
typedef struct uw_pk_entry {
    uint32_t owner, key, value; /* nodes; key unused in lists */
} uw_pk_entry;

/* A mention of a storage: where the numbers are is the container's affair. */
typedef struct uw_pk_storage {
    uint32_t key; /* TEXT node */
    uw_dtype dtype;
    int64_t numel; /* >= 0, times the element's bytes below 2^63 */
} uw_pk_storage;

/* A view into a storage; the last element lies inside its declared numel. */
typedef struct uw_pk_tensor {
    uint32_t storage;
    int32_t num_dims;
    int64_t offset, shape[UW_MAX_DIMS], stride[UW_MAX_DIMS]; /* in elements */
} uw_pk_tensor;

typedef struct uw_pickle {
    const unsigned char *data; /* the caller's, outlives this */
    uw_pk_node *nodes;         /* owned, as all below */
    uint32_t *items;           /* members of tuples */
    uw_pk_entry *entries;
    uw_pk_storage *storages;
    uw_pk_tensor *tensors;
    uint32_t num_nodes, num_items, num_entries, num_storages, num_tensors;
    uint32_t root;
    size_t used; /* bytes up to and with the STOP */
} uw_pickle;

enum { UW_PK_MAX_BYTES = 16 << 20 }; /* of a pickle; some hundred bytes describe a tensor */

/* Read one pickle from the first bytes of data.
 *
 * Own      *out: uw__pickle_free, in any case
 * Returns  UW_OK; UW_EFORMAT with the reason: bad_pickle, truncated, forbidden_global, too_complex,
 *          too_deep, bad_shape, tensor_outside_storage; UW_EUNSUPPORTED: unsupported_dtype,
 *          too_many_dims; UW_ENOMEM */
uw_status uw__pickle_read(const char *name, const unsigned char *data, size_t size, uw_pickle *out,
                          uw_err *err);
void uw__pickle_free(uw_pickle *pickle);

/* True when node is this TEXT. */
bool uw__pickle_is(const uw_pickle *p, uint32_t node, const char *text);

#endif
