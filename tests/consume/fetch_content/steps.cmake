# The archive holds what using leat needs, and neither tests nor documents: nothing may ask for those.
execute_process(
  COMMAND ${CMAKE_COMMAND} -E tar czf ${WORK}/leat-${LEAT_VERSION}.tar.gz --format=gnutar
          CMakeLists.txt LICENSE cmake include scripts
  WORKING_DIRECTORY ${LEAT_ROOT} COMMAND_ERROR_IS_FATAL ANY)
file(SHA256 ${WORK}/leat-${LEAT_VERSION}.tar.gz sha256)
build_with_cmake(${HERE}/fetch_content -DLEAT_ARCHIVE=${WORK}/leat-${LEAT_VERSION}.tar.gz -DLEAT_ARCHIVE_SHA256=${sha256})
run_consumer(${WORK}/build/consumer)
