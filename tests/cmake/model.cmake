# Gradients run in double: the network and the reference kernels once more, on the ordinary base.
function(uw_gradient_test name)
  uw_test(${name} SOURCES ${ARGN} MODULES base LABELS property)
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:uw_net_double> $<TARGET_OBJECTS:uw_kernels_double>)
  target_compile_definitions(${name} PRIVATE UW_DOUBLE)
  foreach(module IN ITEMS kernels nn model)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src/${module})
  endforeach()
endfunction()

uw_gradient_test(test_gradients_network property/test_gradients_network.c)
