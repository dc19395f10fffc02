# Two proofs about the headers, from generated sources: all of them together in every program of the tests (leat_odr: a missing
# `inline` is a duplicate symbol), and each of them alone, twice (leat_each_header: nothing leans on what was included before).

file(GLOB_RECURSE headers RELATIVE "${PROJECT_SOURCE_DIR}/include" CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/include/*.hpp")
list(SORT headers)

# It is for one object alone of a program that has said so.
list(REMOVE_ITEM headers leat/compiled.hpp)

set(odr_text "// Generated: every public header in one object, linked into every program of the tests.\n")
set(alone_sources "")
foreach(header IN LISTS headers)
  if(NOT header MATCHES "/detail/")
    string(APPEND odr_text "#include <${header}>\n")
  endif()
  string(REPLACE "/" "." name "${header}")
  string(REGEX REPLACE "[.]hpp$" ".cpp" name "${name}")
  set(source "${CMAKE_CURRENT_BINARY_DIR}/each_header/${name}")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#include <${header}>\n#include <${header}>\n" @ONLY)
  list(APPEND alone_sources "${source}")
endforeach()

set(odr_source "${CMAKE_CURRENT_BINARY_DIR}/odr/odr.cpp")
file(CONFIGURE OUTPUT "${odr_source}" CONTENT "${odr_text}" @ONLY)
add_library(leat_odr OBJECT "${odr_source}")
target_link_libraries(leat_odr PRIVATE leat_dev)
# The same object goes into the programs beside others, where these are configured as the unit tests are.
if(LEAT_DEV_COMPILED STREQUAL "PROGRAMS")
  add_library(leat_odr_programs OBJECT "${odr_source}")
  target_link_libraries(leat_odr_programs PRIVATE leat_dev_programs)
else()
  add_library(leat_odr_programs ALIAS leat_odr)
endif()

if(LEAT_HOUSE_TESTS)
  add_library(leat_each_header OBJECT ${alone_sources})
  target_link_libraries(leat_each_header PRIVATE leat_dev)
endif()
