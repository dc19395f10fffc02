# What developing leat needs and using it does not: tests, examples, benchmarks and how they are compiled.

option(LEAT_WERROR "Warnings are errors" OFF)
set(LEAT_UNIT_TESTS ON CACHE STRING
    "Tests of the library itself: ON, OFF, THREADS (where threads meet) or UNSANITIZED (those that no sanitizer runs, or not whole)")
if(NOT LEAT_UNIT_TESTS MATCHES "^(ON|OFF|TRUE|FALSE|YES|NO|1|0|THREADS|UNSANITIZED)$")
  message(FATAL_ERROR "LEAT_UNIT_TESTS is ${LEAT_UNIT_TESTS}, not ON, OFF, THREADS or UNSANITIZED")
endif()
option(LEAT_PEER_TESTS "Tests beside others: node, redis, nginx, curl" ON)
option(LEAT_HOUSE_TESTS "Tests of the tree itself: floors, lint, documents, packaging, each header alone" ON)
option(LEAT_UNITY_TESTS "Several test files are compiled as one: half the time for all of them, more for one" OFF)
set(LEAT_DEV_COMPILED OFF CACHE STRING
    "What is built here uses leat::compiled, which compiles in less time: ON, OFF, or PROGRAMS, all but unit tests and benchmarks")
option(LEAT_FUZZ "The fuzzers, which need clang" OFF)
set(LEAT_SANITIZE "" CACHE STRING "Sanitizers for tests and examples, e.g. address,undefined or thread")

include(CTest)
include(cmake/warnings.cmake)
include(cmake/sanitizers.cmake)

# The flags of everything built here; a user of leat::leat gets none of them.
add_library(leat_dev_flags INTERFACE)
target_link_libraries(leat_dev_flags INTERFACE leat_warnings leat_sanitizers)
# What unit tests and benchmarks link, and what other programs link.
add_library(leat_dev INTERFACE)
add_library(leat_dev_programs INTERFACE)
target_link_libraries(leat_dev INTERFACE leat_dev_flags)
target_link_libraries(leat_dev_programs INTERFACE leat_dev_flags)
if(LEAT_DEV_COMPILED)
  target_link_libraries(leat_compiled PRIVATE leat_dev_flags)
  target_link_libraries(leat_dev_programs INTERFACE leat::compiled)
else()
  target_link_libraries(leat_dev_programs INTERFACE leat::leat)
endif()
if(LEAT_DEV_COMPILED AND NOT LEAT_DEV_COMPILED STREQUAL "PROGRAMS")
  target_link_libraries(leat_dev INTERFACE leat::compiled)
else()
  target_link_libraries(leat_dev INTERFACE leat::leat)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # It collects its garbage often, for machines with little memory: a tenth of its time.
  target_compile_options(leat_dev_flags INTERFACE --param=ggc-min-heapsize=600000)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(LEAT_CCACHE ccache)
if(LEAT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache asks for before it caches a compilation that uses a precompiled header. It takes what
  # a file depends on from the compiler instead of preprocessing it once more.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_DEPEND=1 ${LEAT_CCACHE})
endif()

# leat_test(NAME name LABEL label [TIMEOUT seconds] [ENVIRONMENT VAR=value...] COMMAND command...)
# A ctest with a time limit, and with what the sanitizers of this build need in its environment.
function(leat_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LABEL;TIMEOUT" "ENVIRONMENT;COMMAND")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND} COMMAND_EXPAND_LISTS)
  set_tests_properties(
    ${arg_NAME} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "${LEAT_SANITIZER_ENVIRONMENT};${arg_ENVIRONMENT}")
endfunction()

if(LEAT_BUILD_EXAMPLES)
  add_subdirectory(examples)
endif()
if(LEAT_BUILD_BENCH)
  add_subdirectory(bench)
endif()
if(LEAT_BUILD_TESTS)
  add_subdirectory(tests)
endif()
