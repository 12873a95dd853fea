# check_kernels on processors that this machine is not, under qemu-user: an x86-64 without AVX, and a 64-bit ARM with
# the integer dot product. A test whose tools are missing is skipped by name.

add_executable(check_kernels check_kernels.cpp)
set_target_properties(check_kernels PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(check_kernels PRIVATE loader_warnings loader_kernel_test_support)

find_program(LOADER_QEMU_X86_64 NAMES qemu-x86_64 qemu-x86_64-static)
find_program(LOADER_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
find_program(LOADER_CXX_AARCH64 NAMES aarch64-linux-gnu-g++)

# add_emulated_test(NAME MISSING COMMAND…): skipped where MISSING is not empty.
function(add_emulated_test name missing)
  if(missing)
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "skipped: no ${missing}")
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped: ")
  else()
    add_test(NAME ${name} COMMAND ${ARGN})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS contract)
endfunction()

# Cross-compiles only what check_kernels needs of the engine, with the flags that the files have in the native build.
function(add_aarch64_check output)
  set(sources
    backends/cpu/isa/baseline/kernels.cpp
    backends/cpu/isa/cpu_features.cpp
    backends/cpu/isa/neon/kernels.cpp
    backends/cpu/kernels/matmul.cpp
    core/engine/base/cpu_flags.cpp
    core/engine/base/error.cpp
    core/engine/base/half.cpp
    core/engine/quant/dequantize.cpp
    core/engine/quant/iq_grids.cpp
    core/engine/quant/tensor_type.cpp
    tests/contract/kernels/check_kernels.cpp
    tests/contract/kernels/kernel_problem.cpp
    tests/contract/kernels/random_weights.cpp
    tests/contract/kernels/vector_checks.cpp)
  set(warnings $<TARGET_PROPERTY:loader_warnings,INTERFACE_COMPILE_OPTIONS>)
  set(objects)
  foreach(source IN LISTS sources)
    set(flags -std=c++20 -O2 -g0)
    if(source MATCHES "^backends/cpu/")
      set(flags -std=c++20 -O3 -g0)
    endif()
    if(source MATCHES "isa/baseline|quant/dequantize")
      list(APPEND flags -ffp-contract=off)
    endif()
    string(REPLACE "/" "_" stem ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/aarch64/${stem}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${LOADER_CXX_AARCH64} ${flags} "${warnings}" -I${CMAKE_SOURCE_DIR}
              -MD -MF ${object}.d -MT ${object} -c ${CMAKE_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${CMAKE_SOURCE_DIR}/${source} DEPFILE ${object}.d
      COMMAND_EXPAND_LISTS VERBATIM COMMENT "Building ${source} for 64-bit ARM")
    list(APPEND objects ${object})
  endforeach()
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/aarch64)
  add_custom_command(OUTPUT ${output} COMMAND ${LOADER_CXX_AARCH64} -static -o ${output} ${objects}
    DEPENDS ${objects} VERBATIM COMMENT "Linking the kernels' check for 64-bit ARM")
  add_custom_target(check_kernels_aarch64 ALL DEPENDS ${output})
endfunction()

set(missing)
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(missing "x86-64 build here")
elseif(NOT LOADER_QEMU_X86_64)
  set(missing "qemu-x86_64")
endif()
add_emulated_test(kernels_baseline_qemu "${missing}"
  ${LOADER_QEMU_X86_64} -cpu Nehalem $<TARGET_FILE:check_kernels> --expect baseline)

set(missing)
if(NOT LOADER_CXX_AARCH64)
  set(missing "aarch64-linux-gnu-g++")
elseif(NOT LOADER_QEMU_AARCH64)
  set(missing "qemu-aarch64")
else()
  add_aarch64_check(${CMAKE_BINARY_DIR}/tests/check_kernels_aarch64)
endif()
add_emulated_test(kernels_neon_qemu "${missing}"
  ${LOADER_QEMU_AARCH64} -cpu max ${CMAKE_BINARY_DIR}/tests/check_kernels_aarch64 --expect neon)
