uw_test(test_fileio SOURCES unit/test_fileio.c MODULES io LABELS unit)
