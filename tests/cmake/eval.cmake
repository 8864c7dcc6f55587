# eval: intervals, protocols, drivers, the run, the card.
uw_test(test_stats SOURCES unit/test_stats.c MODULES eval LABELS unit)
uw_test(test_eval SOURCES unit/test_eval.c MODULES eval LABELS unit)
uw_test(eval_baselines SOURCES integration/eval_baselines.c MODULES eval LABELS integration)

uw_test(alloc_eval SOURCES property/alloc_eval.c MODULES eval LABELS property)
uw_wrap_alloc(alloc_eval)

# The reference's evaluations, through the protocols.
uw_test(parity_protocol_pusht SOURCES parity/test_protocol.c MODULES eval LABELS parity ARGS pusht)
uw_test_again(parity_protocol_tworoom parity_protocol_pusht tworoom)
uw_test(test_protocol SOURCES unit/test_protocol.c MODULES eval LABELS unit)
