# Installed, and then moved as a whole: nothing in it may know where it was installed.
install_leat(${WORK}/first)
file(RENAME ${WORK}/first ${WORK}/prefix)
step("the installed leat-lint" ${WORK}/prefix/bin/leat-lint ${HERE}/main.cpp)
build_with_cmake(${HERE}/find_package -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run_consumer(${WORK}/build/consumer)
run_consumer(${WORK}/build/compiled_consumer)
