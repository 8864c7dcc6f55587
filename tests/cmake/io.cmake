# uw_wrap_alloc(TEST): calls of malloc and its kin from our code go through tests/support/alloc_fail.h.
function(uw_wrap_alloc name)
  target_link_options(${name} PRIVATE
    LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup)
endfunction()

uw_test(test_fileio SOURCES unit/test_fileio.c MODULES io LABELS unit)
uw_test(test_safetensors SOURCES unit/test_safetensors.c MODULES io LABELS unit)
uw_test(test_json SOURCES unit/test_json.c MODULES io LABELS unit)
uw_test(test_hash SOURCES unit/test_hash.c MODULES io LABELS unit)
uw_test(test_csv SOURCES unit/test_csv.c MODULES io LABELS unit)
uw_test(test_npz SOURCES unit/test_npz.c MODULES io LABELS unit)
uw_test(test_npz_numpy SOURCES parity/test_npz_numpy.c MODULES io LABELS parity)
uw_test(test_pt SOURCES unit/test_pt.c MODULES io LABELS unit)
uw_test(test_image SOURCES unit/test_image.c MODULES io LABELS unit)
uw_test(test_yaml SOURCES unit/test_yaml.c MODULES io LABELS unit)
uw_test(test_tfevents SOURCES unit/test_tfevents.c MODULES io LABELS unit)
uw_test(alloc_io SOURCES property/alloc_io.c MODULES io LABELS property)
uw_wrap_alloc(alloc_io)
uw_test(syscall_io SOURCES property/syscall_io.c MODULES io LABELS property)
target_link_options(syscall_io PRIVATE
  LINKER:--wrap=open,--wrap=write,--wrap=pwrite,--wrap=fsync,--wrap=close,--wrap=rename,--wrap=renameat2)
