/* Recorded traces of the reference's worlds: arrays of traces/NAME.npz, rows of factor values. */
#ifndef UW_TRACE_H
#define UW_TRACE_H

#include <math.h>
#include <unistd.h>

#include <umwelt/env.h>

#include "check.h"
#include "npy.h"

enum { TRACE_MAX_BYTES = 64 << 20 };

static int trace_opened; /* files that were there */

/* The path of a trace; ends this test as skipped, with a word, when the folder of vectors lacks it. */
static inline void trace_path(const char *name, char path[512]) {
    snprintf(path, 512, "%s/traces/%s", check_vectors(), name);
    if (!access(path, R_OK)) {
        trace_opened++;
        return;
    }
    print_message("skipped: %s is not there\n", path);
    skip();
}

/* Return the exit code of a program: 77 when all went well because nothing was there to compare. */
static inline int trace_exit(int failures) {
    return failures ? failures : trace_opened ? 0 : UW_SKIP;
}

static inline uw_npz *trace_open(const char *name) {
    char path[512];
    uw_err err = {0};
    uw_npz *npz = NULL;
    trace_path(name, path);
    CHECK_OK(uw__npz_open(path, TRACE_MAX_BYTES, &npz, &err), &err);
    return npz;
}

/* The array `name`, or with a part "part.name". */
static inline uw_tensor trace_array(uw_npz *npz, const char *part, const char *name) {
    char full[96];
    uw_tensor t;
    uw_err err = {0};
    snprintf(full, sizeof full, "%s%s%s", part ? part : "", part ? "." : "", name);
    const int32_t i = uw__npz_find(npz, full);
    if (i < 0) fail_msg("no array '%s'", full);
    CHECK_OK(uw__npz_get(npz, i, &t, &err), &err);
    return t;
}

/* Numbers per row: everything after the first axis. */
static inline int64_t trace_row_numbers(const uw_tensor *t) {
    int64_t n = 1;
    for (int32_t i = 1; i < t->num_dims; i++) n *= t->shape[i];
    return n;
}

static inline double trace_number(const uw_tensor *t, int64_t i) {
    switch (t->dtype) {
    case UW_DTYPE_U8:
    case UW_DTYPE_BOOL:
        return (double)((const uint8_t *)t->data)[i];
    case UW_DTYPE_I32:
        return (double)((const int32_t *)t->data)[i];
    case UW_DTYPE_I64:
        return (double)((const int64_t *)t->data)[i];
    case UW_DTYPE_F32:
        return (double)((const float *)t->data)[i];
    case UW_DTYPE_F64:
        return ((const double *)t->data)[i];
    default:
        fail_msg("%s: unexpected type %s", t->name, uw_dtype_str(t->dtype));
        return NAN;
    }
}

/* Row `row` of every "[part.]var.<factor>" as a values array; factors of ours are not recorded and keep their
 * defaults. */
static inline void trace_values(uw_npz *npz, const char *part, const uw_env_class *cls, int64_t row,
                                double *values) {
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        memcpy(values + f->offset, f->init, (size_t)f->dim * sizeof *values);
        if (f->ours) continue;
        char name[80];
        snprintf(name, sizeof name, "var.%s", f->name);
        const uw_tensor t = trace_array(npz, part, name);
        assert_int_equal(trace_row_numbers(&t), f->dim);
        for (int32_t k = 0; k < f->dim; k++)
            values[f->offset + k] = trace_number(&t, row * f->dim + k);
    }
}

#endif
