uw_test(test_base SOURCES unit/test_base.c MODULES base LABELS unit)
uw_test(test_rng SOURCES unit/test_rng.c MODULES base LABELS unit)
target_include_directories(test_rng SYSTEM PRIVATE ${UW_RANDOM123_DIR})
uw_test(test_pool SOURCES unit/test_pool.c MODULES base LABELS unit)
