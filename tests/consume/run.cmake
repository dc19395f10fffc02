# cmake -DWAY= -DLEAT_ROOT= -DLEAT_BUILD= -DLEAT_VERSION= -DWORK= -DGENERATOR= -DCOMPILER= -P run.cmake
# Builds and runs the consumer in the folder WAY from nothing. A folder with a steps.cmake says itself how; the others are
# a CMake project whose program is called consumer.
cmake_minimum_required(VERSION 3.23)
set(HERE "${CMAKE_CURRENT_LIST_DIR}")

# step(what command...): the command must end with 0; what it printed is in `text`.
function(step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(NOTICE "${text}")
    message(FATAL_ERROR "${what} failed (${code})")
  endif()
  set(text "${text}" PARENT_SCOPE)
endfunction()

# install_leat(prefix): what `cmake --install` gives of the build that runs this test.
function(install_leat prefix)
  step("installing" ${CMAKE_COMMAND} --install ${LEAT_BUILD} --prefix ${prefix})
endfunction()

# build_with_cmake(source argument...): configures and builds the project into ${WORK}/build, or of it the target ${ONLY}.
function(build_with_cmake source)
  step("configuring" ${CMAKE_COMMAND} -S ${source} -B ${WORK}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
       -DLEAT_ROOT=${LEAT_ROOT} -DEXPECTED_VERSION=${LEAT_VERSION} ${ARGN})
  if(DEFINED ONLY)
    set(only --target ${ONLY})
  endif()
  step("building" ${CMAKE_COMMAND} --build ${WORK}/build ${only})
endfunction()

# run_consumer(program...): must print what main.cpp prints.
function(run_consumer)
  step("running" ${ARGN})
  if(NOT text STREQUAL "leat ${LEAT_VERSION} ran: 0\n")
    message(FATAL_ERROR "the consumer printed: ${text}")
  endif()
endfunction()

# need(variable program package): the program's path, or a failure that says what to install.
function(need variable program package)
  find_program(${variable} ${program} NO_CACHE)
  if(NOT ${variable})
    message(FATAL_ERROR "${program} is missing (Debian: apt install ${package})")
  endif()
  set(${variable} "${${variable}}" PARENT_SCOPE)
endfunction()

# compile_with_pkg_config(prefix): g++ or clang++ with nothing but what pkg-config says, into ${WORK}/consumer.
function(compile_with_pkg_config prefix)
  need(pkg_config pkg-config pkg-config)
  set(ENV{PKG_CONFIG_PATH} "${prefix}/share/pkgconfig")
  step("asking for the version" ${pkg_config} --modversion leat)
  if(NOT text STREQUAL "${LEAT_VERSION}\n")
    message(FATAL_ERROR "leat.pc has the version ${text}")
  endif()
  step("asking for the flags" ${pkg_config} --cflags --libs leat)
  separate_arguments(flags UNIX_COMMAND "${text}")
  if(NOT "-pthread" IN_LIST flags)
    message(FATAL_ERROR "leat.pc does not link with the threads: ${text}")
  endif()
  step("compiling with ${text}" ${COMPILER} -std=c++20 ${HERE}/main.cpp -o ${WORK}/consumer ${flags})
  set(flags "${flags}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
if(EXISTS "${HERE}/${WAY}/steps.cmake")
  include("${HERE}/${WAY}/steps.cmake")
else()
  build_with_cmake(${HERE}/${WAY})
  run_consumer(${WORK}/build/consumer)
endif()
