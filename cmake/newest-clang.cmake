# Toolchain: the clang++ with the highest version that is installed under its numbered name, else plain clang++.
foreach(version RANGE 40 16 -1)
  list(APPEND leat_clang_names clang++-${version})
endforeach()
find_program(LEAT_CLANG NAMES ${leat_clang_names} clang++ REQUIRED)
set(CMAKE_CXX_COMPILER "${LEAT_CLANG}")
