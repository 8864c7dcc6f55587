/* safetensors, by the letter: u64 header length, JSON header, data fully covered without holes or
 * overlap. */
#ifndef UW_SAFETENSORS_H
#define UW_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>
#include <umwelt/tensor.h>

typedef struct uw_safetensors uw_safetensors; /* an open, validated file; views into its memory */

/* Reasons of a refusal, in its text: truncated, bad_header_length, bad_json, too_deep, unsafe_name,
 * duplicate_key, missing_field, unknown_field, bad_metadata, bad_dtype, bad_shape, bad_offsets,
 * size_mismatch, tensor_outside_file, overlap, hole, trailing_data, too_large (all UW_EFORMAT);
 * unsupported_dtype, too_many_dims (UW_EUNSUPPORTED). */

/* Open and validate, sizes before any memory is taken; every tensor lies on a 64-byte boundary
 * (files above max_bytes are refused; 0 = 16 GiB). */
uw_status uw__safetensors_open(const char *path, uint64_t max_bytes, uw_safetensors **out,
                               uw_err *err);
/* The same without the data: the file stays open, and uw__safetensors_read fetches one tensor at a
 * time to where it is wanted.  Views have no data. */
uw_status uw__safetensors_open_header(const char *path, uint64_t max_bytes, uw_safetensors **out,
                                      uw_err *err);
/* Read the bytes of tensor i; a file that became shorter meanwhile is UW_EFORMAT. */
uw_status uw__safetensors_read(const uw_safetensors *st, int32_t i, void *to, uw_err *err);
/* As uw__safetensors_open, of bytes already in memory (copied); `name` is for messages. For fuzzing. */
uw_status uw__safetensors_parse(const char *name, const void *data, size_t size,
                                uw_safetensors **out, uw_err *err);
void uw__safetensors_close(uw_safetensors *st);
int32_t uw__safetensors_count(const uw_safetensors *st);
/* Tensor i in data order. */
uw_tensor uw__safetensors_tensor(const uw_safetensors *st, int32_t i);
/* Index by name, -1 when absent. */
int32_t uw__safetensors_find(const uw_safetensors *st, const char *name);
/* Value of a __metadata__ key, or NULL; iterate with i in [0, meta_count). */
const char *uw__safetensors_meta(const uw_safetensors *st, const char *key);
int32_t uw__safetensors_meta_count(const uw_safetensors *st);
void uw__safetensors_meta_at(const uw_safetensors *st, int32_t i, const char **key,
                             const char **value);

typedef struct uw_meta_pair {
    const char *key, *value;
} uw_meta_pair;
/* Write tensors (data order = given order) and metadata, atomically. */
uw_status uw__safetensors_write(const char *path, const uw_tensor *tensors, int32_t count,
                                const uw_meta_pair *meta, int32_t meta_count, bool overwrite,
                                uw_err *err);

#endif
