# LEAT_SANITIZE: the flags, and the run-time options every test runs with.
add_library(leat_sanitizers INTERFACE)
set(LEAT_SANITIZER_ENVIRONMENT "")
if(LEAT_SANITIZE)
  target_compile_options(
    leat_sanitizers INTERFACE -fsanitize=${LEAT_SANITIZE} -fno-sanitize-recover=all
                              -fno-omit-frame-pointer)
  # What these look for clang's build looks for too, and under g++ they cost half of the time that compiling takes.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND LEAT_SANITIZE MATCHES "undefined")
    target_compile_options(leat_sanitizers INTERFACE -fno-sanitize=null,alignment,object-size,vptr)
  endif()
  target_link_options(leat_sanitizers INTERFACE -fsanitize=${LEAT_SANITIZE})
  target_compile_definitions(leat_sanitizers INTERFACE LEAT_TEST_SANITIZED=1)
  list(APPEND LEAT_SANITIZER_ENVIRONMENT
       "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1"
       "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"
       "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
else()
  target_compile_definitions(leat_sanitizers INTERFACE LEAT_TEST_SANITIZED=0)
endif()
