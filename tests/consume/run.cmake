# cmake -DWAY=find_package|add_subdirectory -DLEAT_ROOT= -DLEAT_BUILD= -DLEAT_VERSION= -DWORK= -DGENERATOR= -DCOMPILER= -P run.cmake
# Builds and runs the consumer from nothing; installs leat first where the consumer looks for an installed one.

function(step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(NOTICE "${text}")
    message(FATAL_ERROR "${what} failed (${code})")
  endif()
  set(text "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(arguments -DLEAT_ROOT=${LEAT_ROOT} -DEXPECTED_VERSION=${LEAT_VERSION})
if(WAY STREQUAL "find_package")
  step("installing" ${CMAKE_COMMAND} --install ${LEAT_BUILD} --prefix ${WORK}/prefix)
  list(APPEND arguments -DCMAKE_PREFIX_PATH=${WORK}/prefix)
  step("the installed leat-lint" ${WORK}/prefix/bin/leat-lint ${LEAT_ROOT}/tests/consume/main.cpp)
endif()
step("configuring" ${CMAKE_COMMAND} -S ${LEAT_ROOT}/tests/consume/${WAY} -B ${WORK}/build -G ${GENERATOR}
     -DCMAKE_CXX_COMPILER=${COMPILER} ${arguments})
step("building" ${CMAKE_COMMAND} --build ${WORK}/build)
step("running" ${WORK}/build/consumer)
if(NOT text STREQUAL "leat ${LEAT_VERSION} ran: 0\n")
  message(FATAL_ERROR "the consumer printed: ${text}")
endif()
