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

# g++ 12 with optimisation warns falsely of its own std::string and of unions with a state beside them (GCC bugs 105651,
# 105562, 80635).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(leat_warnings INTERFACE -Wno-array-bounds -Wno-restrict -Wno-maybe-uninitialized
                         -Wno-stringop-overflow -Wno-stringop-overread)
endif()
