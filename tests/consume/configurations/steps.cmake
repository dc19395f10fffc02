# Two objects that agree about layouts link whatever else differs; two that do not are refused by the linker, which names
# the configuration that the one wants and the other does not offer.
set(compile ${COMPILER} -std=c++20 -O0 -I ${LEAT_ROOT}/include -pthread)
step("compiling main.cpp" ${compile} -c ${HERE}/configurations/main.cpp -o ${WORK}/main.o)

# compile_library(flag...) into ${WORK}/library.o
function(compile_library)
  step("compiling library.cpp with ${ARGN}" ${compile} ${ARGN} -c ${HERE}/configurations/library.cpp -o ${WORK}/library.o)
endfunction()
set(link ${COMPILER} ${WORK}/main.o ${WORK}/library.o -o ${WORK}/program -pthread)

foreach(flags "-DNDEBUG -DLEAT_CLOSURE_GUARD=0" "-O1 -DLEAT_STACK_BUDGET=16384"
              "-O1 -fsanitize=undefined -fsanitize-undefined-trap-on-error")
  separate_arguments(list UNIX_COMMAND "${flags}")
  compile_library(${list})
  step("linking with ${flags}" ${link})
  step("running with ${flags}" ${WORK}/program)
endforeach()

# The value that each switch does not have by default.
execute_process(
  COMMAND ${COMPILER} -std=c++20 -dM -E -I ${LEAT_ROOT}/include ${HERE}/configurations/library.cpp
  OUTPUT_VARIABLE macros COMMAND_ERROR_IS_FATAL ANY)
foreach(switch LEAT_RECYCLE_FRAMES LEAT_STACK_CHECK LEAT_USE_LIBURING LEAT_COMPILED)
  set(other 1)
  if(macros MATCHES "#define ${switch} 1")
    set(other 0)
  endif()
  compile_library(-D${switch}=${other})
  execute_process(COMMAND ${link} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(code EQUAL 0)
    message(FATAL_ERROR "objects with and without ${switch} link")
  endif()
  if(NOT text MATCHES "undefined (reference|symbol).*answer")
    message(FATAL_ERROR "not the error that was expected for ${switch}:\n${text}")
  endif()
endforeach()

# Flags that fill the promise of a coroutine before it is constructed, or allocate it otherwise. clang is like g++ then in
# who frees it.
set(flags -DLEAT_STACK_CHECK=1 -ftrivial-auto-var-init=pattern -Werror)
if(macros MATCHES "#define __clang__")
  list(APPEND flags -fcoro-aligned-allocation)
endif()
compile_library(${flags})
step("compiling main.cpp with ${flags}" ${compile} ${flags} -c ${HERE}/configurations/main.cpp -o ${WORK}/main.o)
step("linking with ${flags}" ${link})
step("running with ${flags}" ${WORK}/program)
