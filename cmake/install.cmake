# cmake --install: library, headers, CMake package, pkg-config, command, man page, completions.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS umwelt_shared EXPORT umweltTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS umwelt_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/umwelt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/umwelt)
install(EXPORT umweltTargets NAMESPACE umwelt:: DESTINATION ${package_dir})
configure_package_config_file(cmake/umweltConfig.cmake.in ${PROJECT_BINARY_DIR}/umweltConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/umweltConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/umweltConfig.cmake ${PROJECT_BINARY_DIR}/umweltConfigVersion.cmake
  DESTINATION ${package_dir})
# The prefix is found from the file's own place, so that --prefix at install time is honoured.
file(RELATIVE_PATH UW_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/umwelt.pc.in ${PROJECT_BINARY_DIR}/umwelt.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/umwelt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(UW_BUILD_CLI)
  install(TARGETS umwelt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set(made ${PROJECT_BINARY_DIR}/cli)
  install(FILES ${made}/umwelt.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${made}/umwelt.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME umwelt)
  install(FILES ${made}/_umwelt DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${made}/umwelt.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
