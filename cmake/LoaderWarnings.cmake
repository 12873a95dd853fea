# Warnings are errors in our own code; every target links this.
add_library(loader_warnings INTERFACE)
if(MSVC)
  target_compile_options(loader_warnings INTERFACE /W4 /WX /utf-8)
else()
  target_compile_options(loader_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 sees overlapping copies in std::string concatenation where there are none (GCC bug 105651),
    # and at -O3 characters of a std::string as not initialised.
    target_compile_options(loader_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
  endif()
endif()
