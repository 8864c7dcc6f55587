/* Support for tests of kernels: every variant this CPU allows, buffers whose ends are guarded, random
 * inputs from one printed seed, and the worst error as a fraction of the contract's bound. */
#ifndef UW_KERNEL_CHECK_H
#define UW_KERNEL_CHECK_H

#include "check.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"
#include "kernels.h"
#include "rng.h"

static const double eps = (double)FLT_EPSILON;

/* ---- variants -------------------------------------------------------------------------------- */

enum { KC_MAX_VARIANTS = 3 };

/* Fill tables with ref and what the CPU has above it; return how many. */
static inline int kc_variants(uw_kernels k[KC_MAX_VARIANTS]) {
    static const unsigned masks[] = {0, UW_CPU_AVX2, UW_CPU_AVX2 | UW_CPU_AVX512,
                                     UW_CPU_NEON};
    const unsigned cpu = uw__cpu_detect();
    int count = 0;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        if ((cpu & masks[i]) != masks[i]) continue;
        memset(&k[count], 0, sizeof k[count]);
        uw__kernels_init(&k[count], masks[i]);
        if (i == 0 || strcmp(k[count].isa, k[count - 1].isa) != 0) count++;
    }
    return count;
}

/* ---- random inputs --------------------------------------------------------------------------- */

static uw_rng kc_rng;

static inline void kc_seed(uint64_t fallback) {
    const uint64_t seed = check_seed(fallback);
    kc_rng = uw__rng(seed, UW_STREAM_TEST, 0);
    printf("seed %llu (UW_SEED replays)\n", (unsigned long long)seed);
}
static inline size_t kc_below(uint32_t n) {
    return uw__rng_below(&kc_rng, n);
}
/* Uniform in [-scale, scale). */
static inline float kc_uniform(double scale) {
    return (float)((uw__rng_uniform64(&kc_rng) * 2 - 1) * scale);
}

/* ---- guarded buffers --------------------------------------------------------------------------- */

enum { KC_CANARIES = 16 };

/* n floats that end at a page nobody may touch, with canaries before them. */
typedef struct kc_buffer {
    float *p;
    size_t n;
    void *map;
    size_t map_bytes;
} kc_buffer;

static const float kc_canary = -1.2345678e30f;

/* Every float starts as NaN, so that reading what was never written shows. */
static inline kc_buffer kc_alloc(size_t n) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = (n + KC_CANARIES) * sizeof(float);
    const size_t body = (bytes + page - 1) / page * page;
    kc_buffer b = {.n = n, .map_bytes = body + page};
    b.map = mmap(NULL, b.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(b.map != MAP_FAILED);
    assert_int_equal(mprotect((char *)b.map + body, page, PROT_NONE), 0);
    b.p = (float *)((char *)b.map + body) - n;
    for (size_t i = 0; i < n; i++) b.p[i] = NAN;
    for (size_t i = 1; i <= KC_CANARIES; i++) b.p[-(ptrdiff_t)i] = kc_canary;
    return b;
}
static inline kc_buffer kc_random(size_t n, double scale) {
    kc_buffer b = kc_alloc(n);
    for (size_t i = 0; i < n; i++) b.p[i] = kc_uniform(scale);
    return b;
}
static inline kc_buffer kc_copy(const kc_buffer *from) {
    kc_buffer b = kc_alloc(from->n);
    if (from->n) memcpy(b.p, from->p, from->n * sizeof(float));
    return b;
}
static inline kc_buffer kc_normal(size_t n) {
    kc_buffer b = kc_alloc(n);
    uw__rng_fill_normal(&kc_rng, b.p, n);
    return b;
}
static inline void kc_free(kc_buffer *b) {
    for (size_t i = 1; i <= KC_CANARIES; i++) {
        if (b->p[-(ptrdiff_t)i] != kc_canary) fail_msg("written %zu floats before a buffer", i);
    }
    munmap(b->map, b->map_bytes);
}

/* ---- comparison ---------------------------------------------------------------------------------- */

/* The worst error of one operation in one variant, in units of its bound. */
typedef struct kc_worst {
    const char *op, *isa;
    double ratio;
} kc_worst;

/* The sizes a vector loop can get wrong, then one of many vectors; ends with SIZE_MAX. */
static const size_t kc_sizes[] = {0,  1,  2,  3,  7,  8,  9,  15, 16,  17,       31,
                                  32, 33, 40, 47, 48, 63, 64, 65, 1003, SIZE_MAX};

/* Fails for NaN, too: an unordered comparison is not <=. */
static inline void kc_near(kc_worst *w, double got, double exact, double bound, const char *where,
                           size_t i) {
    const double error = fabs(got - exact);
    if (!(error <= bound))
        fail_msg("%s %s, %s [%zu]: got %.9g, exact %.9g, off by %.3g, bound %.3g", w->op, w->isa,
                 where, i, got, exact, error, bound);
    const double ratio = error > 0 ? error / bound : 0;
    if (ratio > w->ratio) w->ratio = ratio;
}
static inline void kc_worst_init(kc_worst *w, const uw_kernels *k, int variants, int op) {
    for (int v = 0; v < variants; v++)
        w[v] = (kc_worst){.op = uw__kernel_name(op), .isa = k[v].chosen[op]};
}
static inline void kc_report(const kc_worst *w, int variants) {
    for (int v = 0; v < variants; v++)
        printf("%-20s %-7s worst error %.3f of the bound\n", w[v].op, w[v].isa, w[v].ratio);
}

#endif
