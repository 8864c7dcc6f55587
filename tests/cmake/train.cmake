# train: losses, optimiser, batches, checkpoints, the run.
uw_test(parity_golden_losses SOURCES parity/golden_losses.c MODULES train LABELS parity ARGS sigreg)
uw_test_again(parity_golden_losses_vicreg parity_golden_losses vicreg)
uw_parity_isas(parity_golden_losses parity_golden_losses sigreg)
uw_parity_isas(parity_golden_losses_vicreg parity_golden_losses vicreg)

# The losses in double against central differences: the double objects stand in for kernels, nn and model.
uw_test(grad_losses SOURCES property/grad_losses.c MODULES base LABELS property)
target_compile_definitions(grad_losses PRIVATE UW_DOUBLE)
target_sources(grad_losses PRIVATE $<TARGET_OBJECTS:uw_losses_double> $<TARGET_OBJECTS:uw_net_double>
                                   $<TARGET_OBJECTS:uw_kernels_double>)
target_include_directories(grad_losses PRIVATE ${PROJECT_SOURCE_DIR}/src/kernels
  ${PROJECT_SOURCE_DIR}/src/nn ${PROJECT_SOURCE_DIR}/src/model ${PROJECT_SOURCE_DIR}/src/train)

uw_test(parity_golden_step1 SOURCES parity/golden_step.c MODULES train LABELS parity ARGS step1)
uw_test_again(parity_golden_step5 parity_golden_step1 step5)
# The encoder takes a few rows at once and computes them again in the backward: the same numbers.
uw_test_again(parity_golden_step5_chunks parity_golden_step1 step5 7)
uw_test(parity_golden_curve SOURCES parity/golden_curve.c MODULES train LABELS parity)
uw_parity_isas(parity_golden_curve parity_golden_curve)
uw_parity_isas(parity_golden_step1 parity_golden_step1 step1)
uw_parity_isas(parity_golden_step5 parity_golden_step1 step5)

uw_test(test_train_settings SOURCES unit/test_train_settings.c MODULES train LABELS unit)
uw_test(test_train_parts SOURCES unit/test_train_parts.c MODULES train LABELS unit)
uw_test(test_labels SOURCES unit/test_labels.c MODULES train LABELS unit)
uw_test(test_redraw SOURCES unit/test_redraw.c MODULES train eval LABELS unit)
uw_test(test_train_run SOURCES unit/test_train_run.c MODULES train LABELS unit)

uw_test(train_same_bits SOURCES property/train_same_bits.c MODULES train LABELS property)
uw_test(train_bf16 SOURCES property/train_bf16.c MODULES train LABELS property)
uw_parity_isas(train_bf16 train_bf16)
uw_test(train_damage SOURCES property/train_damage.c MODULES train LABELS property)
uw_test(train_kill SOURCES property/train_kill.c MODULES train LABELS property)

uw_test(alloc_train_step SOURCES property/alloc_train_step.c MODULES train LABELS property)
foreach(call IN ITEMS malloc calloc realloc aligned_alloc posix_memalign)
  target_link_options(alloc_train_step PRIVATE -Wl,--wrap=${call})
endforeach()
uw_test(test_prepare SOURCES unit/test_prepare.c MODULES model LABELS unit)
uw_test(alloc_train_fail SOURCES property/alloc_train_fail.c MODULES train LABELS property)
uw_wrap_alloc(alloc_train_fail)
uw_test(test_lewm_start SOURCES unit/test_lewm_start.c MODULES train LABELS unit)
