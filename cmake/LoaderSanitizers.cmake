# LOADER_SANITIZE=address,undefined instruments everything; findings end the program.
if(LOADER_SANITIZE)
  add_compile_options(-fsanitize=${LOADER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LOADER_SANITIZE})
endif()
if(LOADER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
