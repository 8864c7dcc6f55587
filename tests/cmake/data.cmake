uw_test(test_dataset SOURCES unit/test_dataset.c MODULES data LABELS unit)
uw_test(test_windows SOURCES unit/test_windows.c MODULES data LABELS unit)
