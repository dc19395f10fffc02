# cmake -DPROGRAM= -DEXPECTED= -DACTUAL= -DSECONDS= -P run-example.cmake: the program's standard output must be the expected file.
execute_process(
  COMMAND ${PROGRAM} OUTPUT_FILE ${ACTUAL} ERROR_VARIABLE errors RESULT_VARIABLE code TIMEOUT ${SECONDS})
execute_process(COMMAND diff -u ${EXPECTED} ${ACTUAL} OUTPUT_VARIABLE difference RESULT_VARIABLE differs)
if(NOT code EQUAL 0 OR NOT differs EQUAL 0)
  # FATAL_ERROR would wrap the lines.
  message(NOTICE "${difference}\nstandard error:\n${errors}")
  message(FATAL_ERROR "${PROGRAM} ended with ${code}")
endif()
