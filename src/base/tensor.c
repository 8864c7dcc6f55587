/* Element types and the size of a tensor. */
#include <umwelt/tensor.h>

size_t uw_dtype_bytes(uw_dtype dtype) {
    switch (dtype) {
#define X(name, value, bytes, text)                                                                \
    case UW_DTYPE_##name:                                                                          \
        return (bytes);
        UW_DTYPE_MAP(X)
#undef X
    }
    return 0;
}

const char *uw_dtype_str(uw_dtype dtype) {
    switch (dtype) {
#define X(name, value, bytes, text)                                                                \
    case UW_DTYPE_##name:                                                                          \
        return (text);
        UW_DTYPE_MAP(X)
#undef X
    }
    return "?";
}

int64_t uw_tensor_count(const uw_tensor *tensor) {
    int64_t count = 1;
    for (int32_t i = 0; i < tensor->num_dims; i++) {
        const int64_t size = tensor->shape[i];
        if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
    }
    return count;
}
