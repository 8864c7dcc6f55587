/* Twelve independent chains of FMAs: more than latency times ports, and nothing touches memory. */
#include "peak.h"

#include <stdint.h>
#include <string.h>

#include "clock.h"

#if defined(__x86_64__)
enum { CHAINS = 12, ROUNDS = 10000 };

/* Assembly, because a compiler may fold, split or spill chains that nobody reads.  Zeros all along:
 * no value ever needs the slow path of denormals. */
#define FMA(op, reg, n) op " %%" reg "0, %%" reg "1, %%" reg #n "\n\t"
#define CHAINS_OF(op, reg)                                                                         \
    FMA(op, reg, 2)                                                                                \
    FMA(op, reg, 3)                                                                                \
    FMA(op, reg, 4) FMA(op, reg, 5) FMA(op, reg, 6) FMA(op, reg, 7) FMA(op, reg, 8)                \
        FMA(op, reg, 9) FMA(op, reg, 10) FMA(op, reg, 11) FMA(op, reg, 12) FMA(op, reg, 13)
#define RUN(op, reg)                                                                               \
    __asm__ volatile("vzeroall\n1:\n\t" CHAINS_OF(op, reg) "decl %0\n\tjnz 1b\n\tvzeroupper"       \
                     : "+r"(rounds)                                                                \
                     :                                                                             \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",       \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static void run_avx2(void) {
    int rounds = ROUNDS;
    RUN("vfmadd231ps", "ymm");
}
static void run_avx512(void) {
    int rounds = ROUNDS;
    RUN("vfmadd231ps", "zmm");
}
static void run_avx512bf16(void) {
    int rounds = ROUNDS;
    RUN("vdpbf16ps", "zmm");
}

/* Four tiles of sums, all that two tiles of each operand can feed.  The operands are random bf16 of
 * 0.5 to 2 in size: over zeros the unit draws less and clocks higher than in any product. */
enum { TILE_ROUNDS = 1000, TILE_FLOP = 2 * 16 * 16 * 32 };
static void run_amx(void) {
    struct {
        uint8_t palette, rest[15];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    uint16_t operand[16 * 32];
    uint32_t state = 1;
    for (int i = 0; i < 8; i++) config.row_bytes[i] = 64, config.rows[i] = 16;
    for (int i = 0; i < 16 * 32; i++) {
        state = state * 1664525u + 1013904223u;
        operand[i] = (uint16_t)((state >> 16 & 0x80ff) | 0x3f00);
    }
    int rounds = TILE_ROUNDS;
    __asm__ volatile("ldtilecfg %1\n\t"
                     "tileloadd (%2,%3,1), %%tmm4\n\ttileloadd (%2,%3,1), %%tmm5\n\t"
                     "tileloadd (%2,%3,1), %%tmm6\n\ttileloadd (%2,%3,1), %%tmm7\n1:\n\t"
                     "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
                     "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3\n\t"
                     "decl %0\n\tjnz 1b\n\ttilerelease"
                     : "+r"(rounds)
                     : "m"(config), "r"(operand), "r"((size_t)64)
                     : "cc", "memory");
}

double uw__bench_peak(const char *isa) {
    static const struct {
        const char *isa;
        void (*run)(void);
        double flop;
    } sets[] = {{"avx2", run_avx2, 2.0 * 8 * CHAINS * ROUNDS},
                {"avx512", run_avx512, 2.0 * 16 * CHAINS * ROUNDS},
                {"avx512bf16", run_avx512bf16, 2.0 * 32 * CHAINS * ROUNDS},
                {"amx", run_amx, 4.0 * TILE_ROUNDS * TILE_FLOP}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (strcmp(isa, sets[i].isa) != 0) continue;
        const double start = uw__clock_s();
        sets[i].run();
        return sets[i].flop / (uw__clock_s() - start) * 1e-9;
    }
    return 0;
}
#else
double uw__bench_peak(const char *isa) {
    (void)isa;
    return 0;
}
#endif
