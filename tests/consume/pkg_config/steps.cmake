# Installed, moved, and used with a compiler and pkg-config alone.
install_leat(${WORK}/first)
file(RENAME ${WORK}/first ${WORK}/prefix)
compile_with_pkg_config(${WORK}/prefix)
run_consumer(${WORK}/consumer)
