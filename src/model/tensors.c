/* Identity of a list of tensors, and shapes in words. */
#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

static int by_name(const void *a, const void *b) {
    return strcmp(((const uw_tensor *)a)->name, ((const uw_tensor *)b)->name);
}

void uw__tensors_sort(uw_tensor *tensors, int32_t count) {
    qsort(tensors, (size_t)count, sizeof *tensors, by_name);
}

void uw__shape_text(char *text, size_t size, int32_t num_dims, const int64_t *shape) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int32_t i = 0; i < num_dims && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? ", " : "",
                                 (long long)shape[i]);
    }
    if (used < size) snprintf(text + used, size - used, "]");
}

void uw__tensors_sha256(const uw_tensor *sorted, int32_t count, char hex[65]) {
    uw_sha256 sha;
    uw__sha256_init(&sha);
    for (int32_t i = 0; i < count; i++) {
        const uw_tensor *t = &sorted[i];
        char shape[256];
        uw__shape_text(shape, sizeof shape, t->num_dims, t->shape);
        const char *dtype = uw_dtype_str(t->dtype);
        uw__sha256_add(&sha, t->name, strlen(t->name) + 1);
        uw__sha256_add(&sha, dtype, strlen(dtype) + 1);
        uw__sha256_add(&sha, shape, strlen(shape) + 1);
        uw__sha256_add(&sha, t->data, (size_t)uw_tensor_count(t) * uw_dtype_bytes(t->dtype));
    }
    uw__sha256_hex(&sha, hex);
}
