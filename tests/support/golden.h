/* Golden vectors: a safetensors file of the truth beside a table of what a correct fp32 program may be off.
 *
 *     golden g = golden_open("solvers/cem");           // golden/solvers/cem.safetensors + .tol.tsv
 *     golden_check(&g, "default.mean", offset, got, n);
 */
#ifndef UW_GOLDEN_H
#define UW_GOLDEN_H

#include "check.h"

#include <math.h>

#include "safetensors.h"

typedef struct golden {
    uw_safetensors *file;
    char tolerances[512]; /* path of the table */
    double worst;         /* largest error / tolerance so far */
    char worst_name[160];
} golden;

static inline golden golden_open(const char *name) {
    golden g = {0};
    char path[512];
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/golden/%s.safetensors", check_vectors(), name);
    snprintf(g.tolerances, sizeof g.tolerances, "%s/golden/%s.tol.tsv", check_vectors(), name);
    CHECK_OK(uw__safetensors_open(path, 0, &g.file, &err), &err);
    return g;
}

/* Close, and print how much of the tolerances was used. */
static inline void golden_close(golden *g) {
    if (g->worst_name[0])
        print_message("worst: %s at %.3f of its tolerance\n", g->worst_name, g->worst);
    uw__safetensors_close(g->file);
}

static inline uw_tensor golden_tensor(const golden *g, const char *name) {
    const int32_t i = uw__safetensors_find(g->file, name);
    if (i < 0) fail_msg("%s is not in the golden file", name);
    return uw__safetensors_tensor(g->file, i);
}

/* Borrow fp32 inputs. */
static inline const float *golden_f32(const golden *g, const char *name) {
    const uw_tensor t = golden_tensor(g, name);
    if (t.dtype != UW_DTYPE_F32) fail_msg("%s is not F32", name);
    return t.data;
}

static inline double golden_tolerance(const golden *g, const char *name) {
    char line[256], tensor[128];
    double max_abs = 0, fp32 = 0, tolerance = -1;
    FILE *f = fopen(g->tolerances, "r");
    if (!f) fail_msg("%s: cannot open", g->tolerances);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%127s %lf %lf %lf", tensor, &max_abs, &fp32, &tolerance) == 4 &&
            strcmp(tensor, name) == 0)
            break;
        tolerance = -1;
    }
    fclose(f);
    if (tolerance < 0) fail_msg("%s has no tolerance", name);
    return tolerance;
}

/* Compare n values with the fp64 truth from element `offset` on, within the table's tolerance. */
static inline void golden_check(golden *g, const char *name, size_t offset, const float *got,
                                size_t n) {
    const uw_tensor t = golden_tensor(g, name);
    const double tolerance = golden_tolerance(g, name);
    if (t.dtype != UW_DTYPE_F64) fail_msg("%s is not F64", name);
    assert_true(offset + n <= (size_t)uw_tensor_count(&t));
    const double *want = (const double *)t.data + offset;
    for (size_t i = 0; i < n; i++) {
        const double error = fabs((double)got[i] - want[i]) / tolerance;
        if (!(error <= 1.0))
            fail_msg("%s[%zu] = %.9g, wanted %.9g within %.2g (%.2f times that)", name, offset + i,
                     (double)got[i], want[i], tolerance, error);
        if (error > g->worst) {
            g->worst = error;
            snprintf(g->worst_name, sizeof g->worst_name, "%s", name);
        }
    }
}

#endif
