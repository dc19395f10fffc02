# The overlay port, run with stand-ins for vcpkg's functions: it installs what a port may, and a user finds it. Without its
# feature, and with it.

# try_port(features by_cmake): `by_cmake` is where CMake has installed the same.
function(try_port features by_cmake)
  set(prefix ${WORK}/port_of_${features})
  file(REMOVE_RECURSE ${WORK}/port ${WORK}/build)
  step("the portfile with ${features}" ${CMAKE_COMMAND} -DCURRENT_PORT_DIR=${LEAT_ROOT}/cmake/vcpkg/leat
       -DCURRENT_PACKAGES_DIR=${prefix} -DFEATURES=${features} -DWORK=${WORK} -DGENERATOR=${GENERATOR}
       -DCOMPILER=${COMPILER} -P ${HERE}/vcpkg_port/functions.cmake)
  foreach(folder bin lib debug share/doc)
    if(EXISTS ${prefix}/${folder})
      message(FATAL_ERROR "the port leaves ${folder}")
    endif()
  endforeach()
  # The same files as CMake installs, where vcpkg wants them.
  file(GLOB_RECURSE missing RELATIVE ${by_cmake} ${by_cmake}/*)
  list(TRANSFORM missing REPLACE "^lib.*/cmake/leat/" "share/leat/")
  list(TRANSFORM missing REPLACE "^share/doc/leat/LICENSE$" "share/leat/copyright")
  list(TRANSFORM missing REPLACE "^bin/" "tools/leat/")
  list(APPEND missing share/leat/usage)
  file(GLOB_RECURSE by_port RELATIVE ${prefix} ${prefix}/*)
  set(besides "${by_port}")
  list(REMOVE_ITEM besides ${missing})
  list(REMOVE_ITEM missing ${by_port})
  if(missing OR besides)
    message(FATAL_ERROR "the port with ${features} lacks: ${missing}\nand has besides: ${besides}")
  endif()
  build_with_cmake(${HERE}/find_package -DCMAKE_PREFIX_PATH=${prefix})
  run_consumer(${WORK}/build/consumer)
endfunction()

set(ONLY consumer)
install_leat(${WORK}/by_cmake)
try_port(core ${WORK}/by_cmake)
file(READ ${WORK}/build/build.ninja how)
if(how MATCHES "LEAT_USE_LIBURING")
  message(FATAL_ERROR "the port brings liburing to who has not asked for it")
endif()

execute_process(COMMAND ${COMPILER} -E -x c++ -include liburing.h /dev/null RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
if(NOT code EQUAL 0)
  message(NOTICE "the port's feature is not tried: liburing is not found (Debian: apt install liburing-dev)")
  return()
endif()
step("configuring leat" ${CMAKE_COMMAND} -S ${LEAT_ROOT} -B ${WORK}/leat -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
     -DLEAT_USE_LIBURING=ON -DLEAT_BUILD_TESTS=OFF -DLEAT_BUILD_EXAMPLES=OFF -DLEAT_BUILD_BENCH=OFF)
step("installing" ${CMAKE_COMMAND} --install ${WORK}/leat --prefix ${WORK}/with_liburing)
# vcpkg names "core" always.
try_port(core,liburing ${WORK}/with_liburing)
file(READ ${WORK}/build/build.ninja how)
if(NOT how MATCHES "-DLEAT_USE_LIBURING=1" OR NOT how MATCHES "liburing[.]")
  message(FATAL_ERROR "the port with its feature does not bring liburing")
endif()
