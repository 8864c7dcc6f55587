/* CPU features by cpuid, and the operating system's consent to use them. */
#include "cpu.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Extended control register 0: which register files the OS saves. */
static uint64_t xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Linux hands out the 8 KiB of tile state only on request (arch_prctl(ARCH_REQ_XCOMP_PERM, 18)). */
static bool amx_permitted(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_TILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILEDATA) == 0;
#else
    return false;
#endif
}

unsigned uw__cpu_detect(void) {
    uint32_t a, b, c, d;
    unsigned mask = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const bool osxsave = c >> 27 & 1, avx = c >> 28 & 1, fma = c >> 12 & 1;
    if (!osxsave || !avx) return 0;
    const uint64_t saved = xcr0();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;

    const bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xe6) == 0xe6;
    const bool avx2 = b >> 5 & 1;
    const bool avx512 = (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
    const bool amx_tile = d >> 24 & 1, amx_bf16 = d >> 22 & 1, amx_int8 = d >> 25 & 1;
    if (ymm && avx2 && fma) mask |= UW_CPU_AVX2;
    if ((mask & UW_CPU_AVX2) && zmm && avx512) mask |= UW_CPU_AVX512;
    if ((mask & UW_CPU_AVX512) && amx_tile && (saved & 0x60000) == 0x60000 && amx_permitted())
        mask |= (amx_bf16 ? UW_CPU_AMX_BF16 : 0u) | (amx_int8 ? UW_CPU_AMX_INT8 : 0u);
    if ((mask & UW_CPU_AVX512) && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1))
        mask |= UW_CPU_AVX512_BF16;
    return mask;
}
#else
unsigned uw__cpu_detect(void) {
#if defined(__aarch64__)
    return UW_CPU_NEON; /* part of the base architecture */
#else
    return 0;
#endif
}
#endif

unsigned uw__cpu_cap(const char *max_isa, bool *known) {
    static const struct {
        const char *name;
        unsigned mask;
    } caps[] = {
        {"ref", 0},
        {"avx2", UW_CPU_AVX2},
        {"avx512", UW_CPU_AVX2 | UW_CPU_AVX512},
        {"avx512bf16", UW_CPU_AVX2 | UW_CPU_AVX512 | UW_CPU_AVX512_BF16},
        {"amx", ~0u},
        {"neon", UW_CPU_NEON},
    };
    if (known) *known = true;
    if (!max_isa || !*max_isa) return ~0u;
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        if (!strcmp(max_isa, caps[i].name)) return caps[i].mask;
    if (known) *known = false;
    return ~0u;
}
