/* Labels: the recorded numbers that a readout is trained on. */
#ifndef UW_LABELS_H
#define UW_LABELS_H

#include <umwelt/dataset.h>

#include "kernels.h"

enum { UW_MAX_LABELS = 64 };

/* One recorded number; an angle counts as two, its sine and cosine. */
typedef struct uw_label {
    int32_t column, at; /* number `at` of a row of the column */
    bool angle;
} uw_label;

typedef struct uw_labels {
    int32_t count;   /* 0: none */
    int32_t numbers; /* what the readout says: count, and one more per angle */
    uw_label label[UW_MAX_LABELS];
    size_t row_bytes; /* of the widest column */
} uw_labels;

/* Parse "NAME", "NAME[i]" and "NAME[i-j]", comma-separated, with ":rad" behind what is an angle; a column
 * whose unit is rad needs no saying.
 * Returns  UW_OK; UW_ENOTFOUND with a "did you mean"; UW_ESHAPE for a column of no numbers; UW_EINVAL     */
uw_status uw__labels_parse(const uw_dataset *data, const char *text, uw_labels *out, uw_err *err);
/* Read the labels of `count` rows, `stride` apart, as recorded: out [count, numbers].
 * temp: [count * row_bytes], any alignment of a double */
uw_status uw__labels_read(const uw_dataset *data, const uw_labels *labels, int64_t episode,
                          int64_t row, int64_t count, int64_t stride, void *temp, uw_real *out,
                          uw_err *err);

#endif
