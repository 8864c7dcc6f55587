uw_test(test_text SOURCES unit/test_text.c MODULES report LABELS unit)
uw_test(test_svg SOURCES unit/test_svg.c MODULES report LABELS unit)
uw_test(test_report SOURCES unit/test_report.c report/synthetic.c report/synthetic_trust.c MODULES report LABELS unit)

# The page in a real browser; skipped (77) where there is no chromium.
add_executable(make_report report/make_report.c report/synthetic.c report/synthetic_trust.c)
uw_use(make_report MODULES report)
add_test(NAME report_render
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/report/render.sh $<TARGET_FILE:make_report>)
set_tests_properties(report_render PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS "install")
