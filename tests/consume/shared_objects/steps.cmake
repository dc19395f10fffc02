# One loop in a program, a shared library and a plugin; every line that the program prints must say yes.
# What a loop keeps for a module is visible, or each object would have one of its own.
file(GLOB_RECURSE headers ${LEAT_ROOT}/include/*.hpp)
foreach(header IN LISTS headers)
  file(STRINGS ${header} hidden REGEX "^(class|struct) [A-Za-z]+( final)? : (public )?(leat::detail::)?LoopPart[ ,]")
  if(hidden)
    message(FATAL_ERROR "${header}: without LEAT_API: ${hidden}")
  endif()
endforeach()

install_leat(${WORK}/prefix)
build_with_cmake(${HERE}/shared_objects -DCMAKE_PREFIX_PATH=${WORK}/prefix)
step("running" ${WORK}/build/host ${WORK}/build/libplugin.so)
string(REGEX MATCHALL ": yes\n" good "${text}")
list(LENGTH good good)
if(text MATCHES ": NO" OR NOT good EQUAL 42)
  message(FATAL_ERROR "${good} times yes:\n${text}")
endif()
