# The command as its users meet it: exit codes, JSON, files left behind.
if(UW_BUILD_CLI)
  foreach(script IN ITEMS usage loop bad_input resources interrupt generated checkpoint datasets peer_data protocols solvers misfit identifiability plant surprise)
    add_test(NAME cli_${script} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/${script}.sh $<TARGET_FILE:umwelt>)
    set_tests_properties(cli_${script} PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 600
      ENVIRONMENT "UW_GENERATED=${PROJECT_BINARY_DIR}/cli")
  endforeach()
  # what goes out to the reference, in its own hands
  add_test(NAME cli_checkpoint_reference COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh
           ${CMAKE_CURRENT_SOURCE_DIR}/cli/checkpoint_reference.py $<TARGET_FILE:umwelt>)
  set_tests_properties(cli_checkpoint_reference PROPERTIES LABELS "cli;python" SKIP_RETURN_CODE 77 TIMEOUT 300)
  # play, in a real terminal and a real browser
  foreach(face IN ITEMS terminal page refusals dream)
    if(face STREQUAL "terminal" OR UW_PAGE)
      add_test(NAME cli_play_${face} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/cli/play.py ${face} $<TARGET_FILE:umwelt>)
      set_tests_properties(cli_play_${face} PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 300)
    endif()
  endforeach()
endif()
