# The whole loop, really trained: about a minute on two quiet cores.
if(UW_BUILD_CLI)
  add_test(NAME integration_demo COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/integration/demo.sh $<TARGET_FILE:umwelt>)
  set_tests_properties(integration_demo PROPERTIES LABELS "integration;slow;nosan" SKIP_RETURN_CODE 77 TIMEOUT 1500
    PROCESSORS 2)
endif()
