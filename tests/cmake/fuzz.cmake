# uw_fuzz(NAME MODULES ...): the format of tests/fuzz/fuzz_NAME.c, as a CTest program that replays seeds, corpus
# and mutations, and with UW_FUZZ also as a libFuzzer program fuzz_NAME.
function(uw_fuzz name)
  cmake_parse_arguments(F "" "" "MODULES" ${ARGN})
  add_executable(fuzz_${name}_replay fuzz/fuzz_${name}.c fuzz/replay.c fuzz/mutate.c fuzz/support.c)
  uw_use(fuzz_${name}_replay MODULES ${F_MODULES})
  target_compile_definitions(fuzz_${name}_replay PRIVATE
    UW_FUZZ_CORPUS="${PROJECT_SOURCE_DIR}/tests/fuzz/corpus")
  target_link_options(fuzz_${name}_replay PRIVATE
    LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free)
  add_test(NAME fuzz_${name} COMMAND fuzz_${name}_replay)
  set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 300 LABELS fuzz)
  if(UW_FUZZ)
    add_executable(fuzz_${name} fuzz/fuzz_${name}.c fuzz/libfuzzer.c fuzz/mutate.c fuzz/support.c)
    uw_use(fuzz_${name} MODULES ${F_MODULES})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()

if(UW_FUZZ) # coverage that libFuzzer follows, in all our code
  target_compile_options(uw_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

uw_fuzz(safetensors MODULES io)
uw_fuzz(json MODULES io)
uw_fuzz(npz MODULES io)
uw_fuzz(pt MODULES io)
uw_fuzz(csv MODULES io)
uw_fuzz(tfevents MODULES io)
if(UW_YAML)
  uw_fuzz(yaml MODULES io)
endif()
if(UW_PNG AND UW_JPEG)
  uw_fuzz(image MODULES io)
endif()
uw_fuzz(dataset MODULES data)
uw_fuzz(model MODULES model)
uw_fuzz(table MODULES data)
uw_fuzz(checkpoint MODULES train)
