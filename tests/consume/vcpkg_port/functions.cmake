# cmake -DCURRENT_PORT_DIR= -DCURRENT_PACKAGES_DIR= -DFEATURES=core,... -DWORK= -DGENERATOR= -DCOMPILER= -P functions.cmake
# Runs a portfile without vcpkg: what vcpkg's functions do for a header-only port, no more.
cmake_minimum_required(VERSION 3.23)
set(PORT leat)
string(REPLACE "," ";" FEATURES "${FEATURES}")
set(CMAKE_CURRENT_LIST_DIR "${CURRENT_PORT_DIR}")

function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
  set(options "")
  while(arg_FEATURES)
    list(POP_FRONT arg_FEATURES feature option)
    if(feature IN_LIST FEATURES)
      list(APPEND options "-D${option}=ON")
    else()
      list(APPEND options "-D${option}=OFF")
    endif()
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} "${options}" PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  if(NOT VCPKG_BUILD_TYPE STREQUAL "release")
    message(FATAL_ERROR "a header-only port is built once")
  endif()
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${WORK}/port -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
            -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} -DCMAKE_INSTALL_LIBDIR=lib
            --warn-uninitialized ${arg_OPTIONS}
    ERROR_VARIABLE errors OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  if(errors MATCHES "not used by the project")
    message(FATAL_ERROR "the port gives options that are none: ${errors}")
  endif()
endfunction()

function(vcpkg_cmake_install)
  execute_process(
    COMMAND ${CMAKE_COMMAND} --build ${WORK}/port --target install OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
  file(GLOB files ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/*)
  if(NOT files)
    message(FATAL_ERROR "nothing is in ${arg_CONFIG_PATH}")
  endif()
  file(INSTALL ${files} DESTINATION ${CURRENT_PACKAGES_DIR}/share/${PORT})
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH})
  # The files count the folders up to the prefix: one less now.
  file(GLOB targets ${CURRENT_PACKAGES_DIR}/share/${PORT}/*-targets.cmake ${CURRENT_PACKAGES_DIR}/share/${PORT}/*-config.cmake)
  foreach(file IN LISTS targets)
    file(READ ${file} text)
    string(REPLACE "\${CMAKE_CURRENT_LIST_DIR}/../../../" "\${CMAKE_CURRENT_LIST_DIR}/../../" text "${text}")
    string(REGEX REPLACE "get_filename_component\\(_IMPORT_PREFIX \"\\\${CMAKE_CURRENT_LIST_FILE}\" PATH\\)"
                         "set(_IMPORT_PREFIX \"\${CMAKE_CURRENT_LIST_FILE}\")" text "${text}")
    file(WRITE ${file} "${text}")
  endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)
  file(GLOB pcs ${CURRENT_PACKAGES_DIR}/share/pkgconfig/*.pc)
  if(NOT pcs)
    message(FATAL_ERROR "the port installs no .pc file")
  endif()
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(INSTALL ${arg_FILE_LIST} DESTINATION ${CURRENT_PACKAGES_DIR}/share/${PORT} RENAME copyright)
endfunction()

include("${CURRENT_PORT_DIR}/portfile.cmake")
