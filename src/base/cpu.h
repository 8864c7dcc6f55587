/* What this CPU and this operating system allow. */
#ifndef UW_CPU_H
#define UW_CPU_H

#include <stdbool.h>

enum {
    UW_CPU_AVX2 = 1u << 0,   /* AVX2 and FMA */
    UW_CPU_AVX512 = 1u << 1, /* F, BW, DQ, VL */
    UW_CPU_AVX512_BF16 = 1u << 2,
    UW_CPU_AMX_BF16 = 1u << 3, /* tiles, bf16, and the kernel's consent (arch_prctl) */
    UW_CPU_AMX_INT8 = 1u << 4,
    UW_CPU_NEON = 1u << 5
};

/* Return the mask of features present and permitted; asks the OS for AMX state once. */
unsigned uw__cpu_detect(void);

/* Return the mask allowed by an ISA cap "ref", "avx2", "avx512", "avx512bf16", "amx", "neon"; NULL and ""
 * mean no cap.  *known (nullable) says whether the name was one of these. */
unsigned uw__cpu_cap(const char *max_isa, bool *known);

#endif
