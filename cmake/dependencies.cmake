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
# On x86 the library may hold a choice by the processor: twice as fast or more, the same sums.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::XXHASH)
check_symbol_exists(XXH3_64bits_withSeed_dispatch xxh_x86dispatch.h XXHASH_DISPATCH)
unset(CMAKE_REQUIRED_LIBRARIES)
if(XXHASH_DISPATCH)
  target_compile_definitions(uw_flags INTERFACE UW_XXHASH_DISPATCH=1)
endif()
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)        # io/npy.c
uw_dependency(UW_ZSTD ZSTD libzstd)                          # data/codec.c
uw_dependency(UW_PNG PNG libpng)                             # io/png.c
uw_dependency(UW_JPEG JPEG libjpeg)                          # io/jpeg.c
uw_dependency(UW_YAML YAML yaml-0.1)                         # io/yaml.c
uw_dependency(UW_HDF5 HDF5 hdf5-serial)                      # io/hdf5_write.c
uw_dependency(UW_BLOSC BLOSC blosc)                          # io/hdf5_filter.c
uw_dependency(UW_LIBDEFLATE LIBDEFLATE libdeflate)            # io/hdf5_filter.c
if(UW_BUILD_CLI)
  uw_dependency(UW_PAGE MICROHTTPD libmicrohttpd)              # cli/play_page.c
endif()
if(UW_GIF)                                                   # io/gif.c
  find_package(GIF REQUIRED)
  target_compile_definitions(uw_flags INTERFACE UW_GIF=1)
endif()
if(UW_CHIPMUNK)                                              # env/push_t_*.c
  # Debian's package has no pkg-config file; its headers need the private ones too, which it has.
  find_library(CHIPMUNK_LIBRARY chipmunk REQUIRED)
  find_path(CHIPMUNK_INCLUDE_DIR chipmunk/chipmunk_private.h REQUIRED)
  mark_as_advanced(CHIPMUNK_LIBRARY CHIPMUNK_INCLUDE_DIR)
  add_library(UwChipmunk INTERFACE IMPORTED)
  target_link_libraries(UwChipmunk INTERFACE ${CHIPMUNK_LIBRARY})
  target_include_directories(UwChipmunk INTERFACE ${CHIPMUNK_INCLUDE_DIR})
  target_compile_definitions(uw_flags INTERFACE UW_CHIPMUNK=1)
endif()
find_path(UW_RANDOM123_DIR Random123/philox.h REQUIRED)      # base/rng.c
mark_as_advanced(UW_RANDOM123_DIR)
if(UW_BUILD_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
