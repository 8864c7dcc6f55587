/* The arithmetic peak of one core, measured: what a kernel's speed is held against. */
#ifndef UW_BENCH_PEAK_H
#define UW_BENCH_PEAK_H

/* Return GFLOP/s of fused multiply-adds between registers for an instruction set ("avx2", "avx512"), over
 * some 20 microseconds; 0 for any other name.  The CPU must have the set. */
double uw__bench_peak(const char *isa);

#endif
