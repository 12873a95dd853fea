# Warnings are errors in our own code; every target links this.
add_library(loader_warnings INTERFACE)
if(MSVC)
  target_compile_options(loader_warnings INTERFACE /W4 /WX /utf-8)
else()
  target_compile_options(loader_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)
endif()
