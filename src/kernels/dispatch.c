/* The choice of kernels: every set in turn, from the definition upward, overwrites what it has.
 *
 * A new instruction set joins as its folder, its list of operations (as x86/x86.h) and one row. */
#include "kernels.h"

#include "cpu.h"

#if defined(UW_X86)
#include "x86/x86.h"
#endif
#if defined(UW_NEON)
#include "arm/arm.h"
#endif

#define X(field, type)                                                                             \
    k->field = uw_##field##_ref;                                                                   \
    k->chosen[UW_OP_##field] = "ref";
static void install_ref(uw_kernels *k) {
    UW_KERNEL_MAP(X)
}
#undef X

#if defined(UW_X86)
#define X(field, type)                                                                             \
    k->field = uw_##field##_avx2;                                                                  \
    k->chosen[UW_OP_##field] = "avx2";
static void install_avx2(uw_kernels *k) {
    UW_AVX2_MAP(X)
}
#undef X

#define X(field, type)                                                                             \
    k->field = uw_##field##_avx512;                                                                \
    k->chosen[UW_OP_##field] = "avx512";
static void install_avx512(uw_kernels *k) {
    UW_AVX512_MAP(X)
}
#undef X

#define X(field, type)                                                                             \
    k->field = uw_##field##_avx512bf16;                                                            \
    k->chosen[UW_OP_##field] = "avx512bf16";
static void install_avx512bf16(uw_kernels *k) {
    UW_AVX512BF16_MAP(X)
}
#undef X

#define X(field, type)                                                                             \
    k->field = uw_##field##_amx;                                                                   \
    k->chosen[UW_OP_##field] = "amx";
static void install_amx(uw_kernels *k) {
    UW_AMX_MAP(X)
}
#undef X
#endif

#if defined(UW_NEON)
#define X(field, type)                                                                             \
    k->field = uw_##field##_neon;                                                                  \
    k->chosen[UW_OP_##field] = "neon";
static void install_neon(uw_kernels *k) {
    UW_NEON_MAP(X)
}
#undef X
#endif

static const struct {
    const char *isa;
    unsigned needs; /* UW_CPU_* bits, all of them */
    void (*install)(uw_kernels *k);
} sets[] = {
    {"ref", 0, install_ref},
#if defined(UW_X86)
    {"avx2", UW_CPU_AVX2, install_avx2},
    {"avx512", UW_CPU_AVX2 | UW_CPU_AVX512, install_avx512},
    {"avx512bf16", UW_CPU_AVX2 | UW_CPU_AVX512 | UW_CPU_AVX512_BF16, install_avx512bf16},
    {"amx", UW_CPU_AVX2 | UW_CPU_AVX512 | UW_CPU_AVX512_BF16 | UW_CPU_AMX_BF16, install_amx},
#endif
#if defined(UW_NEON)
    {"neon", UW_CPU_NEON, install_neon},
#endif
};

void uw__kernels_init(uw_kernels *k, unsigned cpu) {
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if ((cpu & sets[i].needs) != sets[i].needs) continue;
        sets[i].install(k);
        k->isa = sets[i].isa;
    }
}

const char *uw__kernel_name(int op) {
    static const char *const names[UW_NUM_OPS] = {
#define X(field, type) #field,
        UW_KERNEL_MAP(X)
#undef X
    };
    return op >= 0 && op < UW_NUM_OPS ? names[op] : NULL;
}
