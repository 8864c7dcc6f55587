# An outside project finds the installed library with find_package and with pkg-config.
if(UW_BUILD_CLI AND NOT UW_SANITIZE)
  add_test(NAME install_outside_project
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/install/run.sh ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR}
            ${CMAKE_C_COMPILER} ${CMAKE_COMMAND} ${CMAKE_GENERATOR})
  set_tests_properties(install_outside_project PROPERTIES LABELS "install;nosan" SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
