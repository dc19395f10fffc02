# Included by consumers that have leat inside of their own project.
foreach(developer_option LEAT_BUILD_TESTS LEAT_BUILD_EXAMPLES LEAT_BUILD_BENCH LEAT_INSTALL)
  if(${developer_option})
    message(FATAL_ERROR "${developer_option} is on in somebody else's project")
  endif()
endforeach()
