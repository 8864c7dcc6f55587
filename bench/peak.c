/* Twelve independent chains of FMAs: more than latency times ports, and nothing touches memory. */
#include "peak.h"

#include <string.h>

#include "clock.h"

#if defined(__x86_64__)
enum { CHAINS = 12, ROUNDS = 10000 };

/* Assembly, because a compiler may fold, split or spill chains that nobody reads.  Zeros all along:
 * no value ever needs the slow path of denormals. */
#define FMA(reg, n) "vfmadd231ps %%" reg "0, %%" reg "1, %%" reg #n "\n\t"
#define CHAINS_OF(reg)                                                                             \
    FMA(reg, 2)                                                                                    \
    FMA(reg, 3) FMA(reg, 4) FMA(reg, 5) FMA(reg, 6) FMA(reg, 7) FMA(reg, 8) FMA(reg, 9)            \
        FMA(reg, 10) FMA(reg, 11) FMA(reg, 12) FMA(reg, 13)
#define RUN(reg)                                                                                   \
    __asm__ volatile("vzeroall\n1:\n\t" CHAINS_OF(reg) "decl %0\n\tjnz 1b\n\tvzeroupper"           \
                     : "+r"(rounds)                                                                \
                     :                                                                             \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",       \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static void run_avx2(void) {
    int rounds = ROUNDS;
    RUN("ymm");
}
static void run_avx512(void) {
    int rounds = ROUNDS;
    RUN("zmm");
}

double uw__bench_peak(const char *isa) {
    const int lanes = !strcmp(isa, "avx512") ? 16 : !strcmp(isa, "avx2") ? 8 : 0;
    if (lanes == 0) return 0;
    const double start = uw__clock_s();
    if (lanes == 16) {
        run_avx512();
    } else {
        run_avx2();
    }
    return 2.0 * CHAINS * ROUNDS * lanes / (uw__clock_s() - start) * 1e-9;
}
#else
double uw__bench_peak(const char *isa) {
    (void)isa;
    return 0;
}
#endif
