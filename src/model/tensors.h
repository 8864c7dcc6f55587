/* Lists of tensors: identity and spelling, for models and for any safetensors file. */
#ifndef UW_TENSORS_H
#define UW_TENSORS_H

#include <umwelt/tensor.h>

/* Sort by name. */
void uw__tensors_sort(uw_tensor *tensors, int32_t count);
/* SHA-256 over name NUL dtype NUL shape NUL bytes of every tensor; sorted by name beforehand. */
void uw__tensors_sha256(const uw_tensor *sorted, int32_t count, char hex[65]);
/* Write "[3, 4]" into text. */
void uw__shape_text(char *text, size_t size, int32_t num_dims, const int64_t *shape);

#endif
