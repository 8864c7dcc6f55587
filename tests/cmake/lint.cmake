# Rules of the house that a compiler does not check.
foreach(rule IN ITEMS headers layers imports sizes words)
  add_test(NAME lint_${rule} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/lint/${rule}.sh
           ${PROJECT_SOURCE_DIR} $<TARGET_FILE:umwelt_shared> ${CMAKE_C_COMPILER})
  set_tests_properties(lint_${rule} PROPERTIES LABELS "lint;unit" SKIP_RETURN_CODE 77)
endforeach()
if(UW_BUILD_CLI)
  add_test(NAME lint_binary_size COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/lint/binary_size.sh
           ${PROJECT_SOURCE_DIR} $<TARGET_FILE:umwelt_shared> ${CMAKE_C_COMPILER} $<TARGET_FILE:umwelt>)
  set_tests_properties(lint_binary_size PROPERTIES LABELS "lint;unit" SKIP_RETURN_CODE 77)
endif()
