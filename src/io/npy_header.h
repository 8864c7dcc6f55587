/* The header of one NPY array: magic, version, and a Python dict of three entries. */
#ifndef UW_NPY_HEADER_H
#define UW_NPY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>
#include <umwelt/tensor.h>

enum {
    UW_NPY_PREFIX = 12,       /* bytes that tell how long the header is */
    UW_NPY_MAX_HEADER = 65535 /* of text; NumPy's own are below 1000 */
};

typedef struct uw_npy_info {
    uw_dtype dtype;
    int32_t letters; /* of a text array '<U<letters>'; 0 for numbers */
    bool fortran;    /* the first axis runs fastest */
    int32_t num_dims;
    int64_t shape[UW_MAX_DIMS];
    int64_t count;       /* elements */
    uint64_t data_bytes; /* count times bytes per element */
} uw_npy_info;

/* From the first UW_NPY_PREFIX bytes: where the dict begins and how long it is. */
uw_status uw__npy_prefix(const char *file, const unsigned char raw[UW_NPY_PREFIX], size_t *begin,
                         size_t *length, uw_err *err);
/* Parse the dict; text[length] must be a NUL. */
uw_status uw__npy_parse(const char *file, const char *text, size_t length, uw_npy_info *out,
                        uw_err *err);
/* Write magic, version 1.0 and the dict into out [cap], a multiple of 64 bytes; 0 for a type that
 * NPY does not have. */
size_t uw__npy_build(char *out, size_t cap, uw_dtype dtype, int32_t num_dims, const int64_t *shape);

#endif
