/* The arithmetic peak of one core, measured: what a kernel's speed is held against. */
#ifndef UW_BENCH_PEAK_H
#define UW_BENCH_PEAK_H

/* Return GFLOP/s of products between registers over some 20 microseconds: fp32 multiply-adds for "avx2" and
 * "avx512", bf16 ones for "avx512bf16" and "amx"; 0 for any other name.  The CPU must have the set. */
double uw__bench_peak(const char *isa);

#endif
