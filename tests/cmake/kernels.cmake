uw_test(test_kernels_gemm SOURCES parity/test_kernels_gemm.c MODULES kernels LABELS parity)
