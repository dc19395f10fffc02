# liburing::liburing, the kernel's library for io_uring; also installed, for who uses a leat that was built with it.
if(TARGET liburing::liburing)
  set(liburing_FOUND TRUE)
  return()
endif()
find_path(LIBURING_INCLUDE_DIR liburing.h)
find_library(LIBURING_LIBRARY uring)
mark_as_advanced(LIBURING_INCLUDE_DIR LIBURING_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liburing REQUIRED_VARS LIBURING_LIBRARY LIBURING_INCLUDE_DIR)
if(liburing_FOUND)
  add_library(liburing::liburing UNKNOWN IMPORTED)
  set_target_properties(
    liburing::liburing PROPERTIES IMPORTED_LOCATION "${LIBURING_LIBRARY}"
                                  INTERFACE_INCLUDE_DIRECTORIES "${LIBURING_INCLUDE_DIR}")
endif()
