# kernels: the table, and every variant the CPU allows against sums and functions in double.
uw_test(test_dispatch SOURCES unit/test_dispatch.c MODULES kernels LABELS unit)
foreach(family IN ITEMS gemm conv map elementwise norm reduce attention few_keys)
  uw_test(test_kernels_${family} SOURCES parity/test_kernels_${family}.c MODULES kernels LABELS parity)
endforeach()
