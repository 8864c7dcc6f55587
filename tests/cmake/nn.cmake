# nn: the context here; the layers' gradients run in double, beside the network's (model.cmake).
uw_test(test_context SOURCES unit/test_context.c MODULES nn LABELS unit)
uw_test(test_gauges SOURCES unit/test_gauges.c MODULES nn LABELS unit)
