# Targets that `./dev test` and `./dev fuzz` build by name: the tests that feed hostile input, which also run under
# ASan+UBSan, and the fuzz targets.
add_custom_target(hostile_tests)
add_custom_target(fuzz_targets)

# loader_add_test(NAME LABEL SOURCES… [LIBRARIES…])
# One Qt Test executable, registered with CTest under its name; LABEL is the level of the pyramid (unit, contract, golden …).
function(loader_add_test name label)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES AUTOMOC ON RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE loader_warnings loader_test_support Qt6::Test ${arg_LIBRARIES})
  # A quarter of the time that a test takes to compile goes into debug information, which only sanitizers read.
  if(NOT MSVC AND NOT LOADER_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(${name} PRIVATE -g0)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  # Qt's own limit of five minutes per function is too short under a sanitizer; CTest's limit guards instead.
  set_tests_properties(${name} PROPERTIES LABELS ${label}
    ENVIRONMENT "QT_QPA_PLATFORM=offscreen;QTEST_FUNCTION_TIMEOUT=3600000;LOADER_SOURCE_DIR=${CMAKE_SOURCE_DIR};LOADER_BUILD_DIR=${CMAKE_BINARY_DIR}")
endfunction()

# loader_mark_hostile(NAME…): these tests of this folder feed damaged or malicious input. They get the label hostile,
# and the short test run repeats them under ASan+UBSan.
function(loader_mark_hostile)
  foreach(name IN LISTS ARGN)
    set_property(TEST ${name} APPEND PROPERTY LABELS hostile)
    add_dependencies(hostile_tests ${name})
  endforeach()
endfunction()

# loader_add_fuzz_target(NAME SOURCES…): a libFuzzer program; its corpus is tests/fuzz/corpus/NAME.
# Without LOADER_FUZZ the same source becomes a test that replays the corpus once, so that no finding returns.
function(loader_add_fuzz_target name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(LOADER_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzz_targets ${name})
    # What libFuzzer discovers goes to the first folder: the seeds in the repository stay as they are.
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus/${name})
    add_test(NAME ${name} COMMAND ${name} -runs=20000
      ${CMAKE_BINARY_DIR}/corpus/${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${name} PROPERTIES LABELS fuzz)
  else()
    add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name}_replay COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${name}_replay PROPERTIES LABELS "fuzz;hostile")
    add_dependencies(hostile_tests ${name})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  target_link_libraries(${name} PRIVATE loader_warnings loader_engine ${arg_LIBRARIES})
endfunction()

# loader_add_script_test(NAME LABEL SCRIPT [ARGUMENTS…]): a Python test of this folder; standard library only.
function(loader_add_script_test name label script)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} ENVIRONMENT "LOADER_BUILD_DIR=${CMAKE_BINARY_DIR}")
endfunction()
