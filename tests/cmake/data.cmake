uw_test(test_dataset SOURCES unit/test_dataset.c MODULES data LABELS unit)
uw_test(test_windows SOURCES unit/test_windows.c MODULES data LABELS unit)
uw_test(damage_dataset SOURCES property/damage_dataset.c MODULES data LABELS property)
target_link_options(damage_dataset PRIVATE -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
  -Wl,--wrap=strdup -Wl,--wrap=mmap)
uw_test(test_convert SOURCES unit/test_convert.c MODULES data LABELS unit)
uw_test(test_hdf5 SOURCES unit/test_hdf5.c MODULES data LABELS unit)
uw_test(test_folder SOURCES unit/test_folder.c MODULES data LABELS unit)
uw_test(convert_stream SOURCES property/convert_stream.c MODULES data LABELS property)
