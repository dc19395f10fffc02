# leat::compiled: leat::leat, of which the functions that are no templates are compiled once instead of in each file. It is
# built with the project that links it and has its flags, so both agree on sanitizers and all else; nothing links it, it is
# not built.
if(NOT TARGET leat_compiled)
  add_library(leat_compiled STATIC EXCLUDE_FROM_ALL "${CMAKE_CURRENT_LIST_DIR}/leat-compiled.cpp")
  add_library(leat::compiled ALIAS leat_compiled)
  target_compile_definitions(leat_compiled PUBLIC LEAT_COMPILED=1)
  target_link_libraries(leat_compiled PUBLIC leat::leat)
  set_target_properties(leat_compiled PROPERTIES OUTPUT_NAME leat POSITION_INDEPENDENT_CODE ON)
endif()
