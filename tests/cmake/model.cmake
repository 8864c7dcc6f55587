# Gradients run in double: the network and the reference kernels once more, on the ordinary base.
function(uw_gradient_test name)
  uw_test(${name} SOURCES ${ARGN} MODULES base LABELS property)
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:uw_net_double> $<TARGET_OBJECTS:uw_kernels_double>)
  target_compile_definitions(${name} PRIVATE UW_DOUBLE)
  foreach(module IN ITEMS kernels nn model)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src/${module})
  endforeach()
endfunction()

uw_gradient_test(test_gradients_layers property/test_gradients_layers.c)
uw_gradient_test(test_gradients_network property/test_gradients_network.c)

# LeWM's numbers; of train only the regulariser is needed.
foreach(size IN ITEMS tiny full)
  uw_test(parity_golden_lewm_${size} SOURCES parity/golden_lewm_${size}.c ${PROJECT_SOURCE_DIR}/src/train/sigreg.c
          MODULES model LABELS parity ARGS model TIMEOUT 900)
  target_include_directories(parity_golden_lewm_${size} PRIVATE ${PROJECT_SOURCE_DIR}/src/train)
  uw_test_again(parity_golden_plan_${size} parity_golden_lewm_${size} plan TIMEOUT 900)
  uw_parity_isas(parity_golden_lewm_${size} parity_golden_lewm_${size} model)
  uw_parity_isas(parity_golden_plan_${size} parity_golden_lewm_${size} plan)
  uw_test_again(parity_golden_encode_${size} parity_golden_lewm_${size} encode TIMEOUT 900)
  uw_parity_isas(parity_golden_encode_${size} parity_golden_lewm_${size} encode)
endforeach()
# The full size in plain C takes a minute, and many times that under a sanitizer.
set_tests_properties(parity_golden_lewm_full_ref parity_golden_plan_full_ref parity_golden_encode_full_ref
  PROPERTIES LABELS "parity;slow;nosan")

uw_test(network_threads SOURCES property/network_threads.c MODULES model LABELS property)

uw_test(test_model SOURCES unit/test_model.c MODULES model LABELS unit)
uw_wrap_alloc(test_model)
uw_test(test_encoder SOURCES unit/test_encoder.c MODULES model LABELS unit)
uw_wrap_alloc(test_encoder)
uw_test(test_exchange SOURCES unit/test_exchange.c MODULES model LABELS unit)
uw_wrap_alloc(test_exchange)
uw_test(dynamics SOURCES property/dynamics.c MODULES model LABELS property)
uw_wrap_alloc(dynamics)
uw_test(rollout SOURCES property/rollout.c MODULES model LABELS property)
uw_test(dynamics_gradient SOURCES property/dynamics_gradient.c MODULES model LABELS property)
uw_wrap_alloc(dynamics_gradient)
uw_test(test_norm_epsilon SOURCES unit/test_norm_epsilon.c MODULES model LABELS unit)
uw_test(test_observe SOURCES unit/test_observe.c MODULES model LABELS unit)
uw_test(test_conv_stack SOURCES unit/test_conv_stack.c MODULES model LABELS unit)
