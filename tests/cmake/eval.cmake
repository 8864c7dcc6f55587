# eval: intervals, protocols, drivers, the run, the card.
uw_test(test_stats SOURCES unit/test_stats.c MODULES eval LABELS unit)
uw_test(test_eval SOURCES unit/test_eval.c MODULES eval LABELS unit)
uw_test(eval_baselines SOURCES integration/eval_baselines.c MODULES eval LABELS integration)

uw_test(alloc_eval SOURCES property/alloc_eval.c MODULES eval LABELS property)
uw_wrap_alloc(alloc_eval)
