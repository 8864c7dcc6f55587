# kernels: the table, and every variant the CPU allows against sums and functions in double.
uw_test(test_dispatch SOURCES unit/test_dispatch.c MODULES kernels LABELS unit)
foreach(family IN ITEMS gemm conv map elementwise norm reduce attention few_keys)
  uw_test(test_kernels_${family} SOURCES parity/test_kernels_${family}.c MODULES kernels LABELS parity)
endforeach()
uw_test(test_kernels_gemm_bf16 SOURCES parity/test_kernels_gemm_bf16.c MODULES kernels LABELS parity)
if(UW_X86)
  # The code for rare instructions once more, those replaced by plain C: runs wherever there is AVX-512.
  target_sources(test_kernels_gemm_bf16 PRIVATE support/soft_dot.c support/soft_amx.c)
  set_source_files_properties(support/soft_dot.c support/soft_amx.c PROPERTIES COMPILE_OPTIONS
    "-O2;-fno-sanitize=all;-mavx2;-mfma;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl")
  target_compile_definitions(test_kernels_gemm_bf16 PRIVATE UW_X86)
endif()
