# Every library beside libc, libm and pthreads: one option, one adapter file, one line here.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

macro(uw_dependency option target packages)
  if(${option})
    pkg_check_modules(${target} REQUIRED IMPORTED_TARGET ${packages})
    target_compile_definitions(uw_flags INTERFACE ${option}=1)
  endif()
endmacro()

if(UW_BUILD_CLI)
  pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
endif()
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash) # io/hash.c
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)        # io/npy.c
uw_dependency(UW_ZSTD ZSTD libzstd)                          # data/codec.c
uw_dependency(UW_PNG PNG libpng)                             # io/png.c
uw_dependency(UW_JPEG JPEG libjpeg)                          # io/jpeg.c
uw_dependency(UW_YAML YAML yaml-0.1)                         # io/yaml.c
uw_dependency(UW_HDF5 HDF5 hdf5-serial)                      # io/hdf5_write.c
uw_dependency(UW_BLOSC BLOSC blosc)                          # io/hdf5_filter.c
if(UW_BUILD_CLI)
  uw_dependency(UW_PAGE MICROHTTPD libmicrohttpd)              # cli/play_page.c
endif()
if(UW_GIF)                                                   # io/gif.c
  find_package(GIF REQUIRED)
  target_compile_definitions(uw_flags INTERFACE UW_GIF=1)
endif()
find_path(UW_RANDOM123_DIR Random123/philox.h REQUIRED)      # base/rng.c
mark_as_advanced(UW_RANDOM123_DIR)
if(UW_BUILD_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
