/* Shapes, letters and element types that every other header uses.
 *
 * All arrays are row-major, PyTorch's meaning.  The letters, everywhere:
 *   B batch   T time    H horizon   N samples   K elites   A action numbers per decision
 *   D latent  P tokens  C,Y,X image channels, rows, columns            E environments        */
#ifndef UW_TENSOR_H
#define UW_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_MAX_DIMS = 8 }; /* most axes a tensor of ours has */

/* name, pinned value, bytes per element, safetensors' word */
#define UW_DTYPE_MAP(X)   \
    X(U8, 0, 1, "U8")     \
    X(I32, 1, 4, "I32")   \
    X(I64, 2, 8, "I64")   \
    X(F16, 3, 2, "F16")   \
    X(BF16, 4, 2, "BF16") \
    X(F32, 5, 4, "F32")   \
    X(F64, 6, 8, "F64")   \
    X(BOOL, 7, 1, "BOOL")

typedef enum uw_dtype {
#define X(name, value, bytes, text) UW_DTYPE_##name = (value),
    UW_DTYPE_MAP(X)
#undef X
} uw_dtype;

/* Return the bytes of one element; 0 for an unknown value. */
UW_API size_t uw_dtype_bytes(uw_dtype dtype);
/* Return safetensors' word ("F32"); "?" for an unknown value. */
UW_API const char *uw_dtype_str(uw_dtype dtype);

/* A borrowed, read-only view of a named array. */
typedef struct uw_tensor {
    const char *name;           /* the owner's, NUL-terminated */
    uw_dtype dtype;             /* element type */
    int32_t num_dims;           /* 0 (a scalar) .. UW_MAX_DIMS */
    int64_t shape[UW_MAX_DIMS]; /* [num_dims], each >= 0 */
    const void *data;           /* the owner's, little-endian, row-major */
} uw_tensor;

/* Return the number of elements; -1 when the product would overflow or a size is negative. */
UW_API int64_t uw_tensor_count(const uw_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
