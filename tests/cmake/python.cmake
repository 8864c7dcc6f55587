# python: the binding, its guide, the reference's own evaluation, the wheel.  An interpreter cannot load a library
# built for sanitizers, hence nosan.
function(uw_python_test name timeout)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/python/)
  add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh
           ${CMAKE_CURRENT_SOURCE_DIR}/python/run.py ${PROJECT_BINARY_DIR}/python ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "python;nosan" SKIP_RETURN_CODE 77 TIMEOUT ${timeout})
endfunction()

if(NOT UW_SANITIZE)
  uw_python_test(python_binding 300 test_model.py test_planning.py test_dataset.py test_policy.py test_worlds.py)
  uw_python_test(python_gym 120 test_gym.py)
  uw_python_test(python_guide 120 test_guide.py)
  uw_python_test(python_world_evaluate 900 test_world_evaluate.py)
  add_test(NAME python_wheel COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/python/wheel.sh ${PROJECT_SOURCE_DIR})
  set_tests_properties(python_wheel PROPERTIES LABELS "python;nosan;slow" SKIP_RETURN_CODE 77 TIMEOUT 1200)
endif()
