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

static int golden_compared; /* values held against the truth so far, by this program */

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

static inline bool golden_exists(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/golden/%s.safetensors", check_vectors(), name);
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

/* End this test as skipped, with a word, when the folder of vectors lacks a file. */
static inline void golden_need(const char *name) {
    if (golden_exists(name)) return;
    print_message("skipped: %s/golden/%s.safetensors is not there\n", check_vectors(), name);
    skip();
}

/* Return the exit code of a program: 77 when all went well because nothing was compared. */
static inline int golden_exit(int failures) {
    return failures ? failures : golden_compared ? 0 : UW_SKIP;
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

/* Return axis i of a tensor's shape; the name is said when it has fewer. */
static inline size_t golden_axis(const golden *g, const char *name, int32_t i) {
    const uw_tensor t = golden_tensor(g, name);
    if (i >= t.num_dims) fail_msg("%s has %d axes, wanted more than %d", name, (int)t.num_dims, (int)i);
    return (size_t)t.shape[i];
}

/* Borrow fp32 inputs. */
static inline const float *golden_f32(const golden *g, const char *name) {
    const uw_tensor t = golden_tensor(g, name);
    if (t.dtype != UW_DTYPE_F32) fail_msg("%s is not F32", name);
    return t.data;
}

/* A row of the table: the absolute tolerance, and the relative L2 error of the reference in fp32. */
typedef struct golden_row {
    double tolerance, rel_l2;
} golden_row;

static inline golden_row golden_row_of(const golden *g, const char *name) {
    char line[320], tensor[160];
    golden_row row = {-1.0, 0.0};
    double max_abs, fp32, tolerance, rel_l2;
    FILE *f = fopen(g->tolerances, "r");
    if (!f) fail_msg("%s: cannot open", g->tolerances);
    while (row.tolerance < 0.0 && fgets(line, sizeof line, f))
        if (sscanf(line, "%159s %lf %lf %lf %lf", tensor, &max_abs, &fp32, &tolerance, &rel_l2) == 5 &&
            strcmp(tensor, name) == 0)
            row = (golden_row){tolerance, rel_l2};
    fclose(f);
    if (row.tolerance < 0.0) fail_msg("%s has no tolerance", name);
    return row;
}

static inline double golden_tolerance(const golden *g, const char *name) {
    return golden_row_of(g, name).tolerance;
}

/* Count a comparison whose error is `ratio` of what is allowed, and remember the worst. */
static inline void golden_note(golden *g, const char *name, double ratio) {
    golden_compared++;
    if (ratio > g->worst || !g->worst_name[0]) {
        g->worst = ratio;
        snprintf(g->worst_name, sizeof g->worst_name, "%s", name);
    }
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
        golden_note(g, name, error);
    }
}

#endif
