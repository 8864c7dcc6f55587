# train: losses, optimiser, batches, checkpoints, the run.
uw_test(parity_golden_losses SOURCES parity/golden_losses.c MODULES train LABELS parity ARGS sigreg)
add_test(NAME parity_golden_losses_vicreg COMMAND parity_golden_losses vicreg)
set_tests_properties(parity_golden_losses_vicreg PROPERTIES LABELS parity TIMEOUT 60)
