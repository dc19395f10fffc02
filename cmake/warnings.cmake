# The warnings a careful user turns on; our headers are not system headers here, so they meet them too.
add_library(leat_warnings INTERFACE)
target_compile_options(leat_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(LEAT_WERROR)
  target_compile_options(leat_warnings INTERFACE -Werror)
endif()

# Catch2 2 and Google Benchmark name things with __COUNTER__, which clang 22 began to call an extension.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-Wc2y-extensions LEAT_HAS_C2Y_WARNING)
if(LEAT_HAS_C2Y_WARNING)
  target_compile_options(leat_warnings INTERFACE -Wno-c2y-extensions)
endif()
