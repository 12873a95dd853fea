# loader_add_test(NAME LABEL SOURCES… [LIBRARIES…])
# One Qt Test executable, registered with CTest under its name; LABEL is the level of the pyramid (unit, contract, golden …).
function(loader_add_test name label)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES AUTOMOC ON RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE loader_warnings loader_test_support Qt6::Test ${arg_LIBRARIES})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${label}
    ENVIRONMENT "QT_QPA_PLATFORM=offscreen;LOADER_SOURCE_DIR=${CMAKE_SOURCE_DIR};LOADER_BUILD_DIR=${CMAKE_BINARY_DIR}")
endfunction()

# loader_add_fuzz_target(NAME SOURCES…): a libFuzzer program; its corpus is tests/fuzz/corpus/NAME.
# Without LOADER_FUZZ the same source becomes a test that replays the corpus once, so that no finding returns.
function(loader_add_fuzz_target name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(LOADER_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name}_replay COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${name}_replay PROPERTIES LABELS fuzz)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  target_link_libraries(${name} PRIVATE loader_warnings loader_engine ${arg_LIBRARIES})
endfunction()
