uw_test(test_fit SOURCES unit/test_fit.c MODULES probe LABELS unit)
uw_test(test_probe SOURCES unit/test_probe.c MODULES probe LABELS unit)
uw_test(test_landmarks SOURCES unit/test_landmarks.c MODULES probe LABELS unit)
uw_test(test_statistics SOURCES unit/test_statistics.c MODULES probe LABELS unit)
