uw_test(test_fit SOURCES unit/test_fit.c MODULES probe LABELS unit)
