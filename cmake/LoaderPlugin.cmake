# loader_add_backend(ID SOURCES… [LIBRARIES…])
# A plain library loader_backend_<id>, which tests and tools link, and a Qt plugin from plugin.cpp and <id>.json,
# which is the only part that knows Qt.
function(loader_add_backend id)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(loader_backend_${id} STATIC ${arg_SOURCES})
  target_link_libraries(loader_backend_${id} PUBLIC loader_backend_api PRIVATE loader_warnings ${arg_LIBRARIES})
  add_library(loader_plugin_${id} MODULE plugin.cpp ${id}.json)
  set_target_properties(loader_plugin_${id} PROPERTIES
    AUTOMOC ON
    OUTPUT_NAME backend_${id}
    PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY ${LOADER_PLUGIN_DIRECTORY})
  add_dependencies(programs loader_plugin_${id})
  target_link_libraries(loader_plugin_${id} PRIVATE loader_backend_${id} loader_warnings Qt6::Core)
endfunction()

# loader_add_importer(ID SOURCES… [LIBRARIES…])
# The same for a program whose settings are imported: loader_importer_<id> and its plugin.
function(loader_add_importer id)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(loader_importer_${id} STATIC ${arg_SOURCES})
  target_link_libraries(loader_importer_${id} PUBLIC loader_app PRIVATE loader_warnings ${arg_LIBRARIES})
  add_library(loader_importer_plugin_${id} MODULE plugin.cpp ${id}.json)
  set_target_properties(loader_importer_plugin_${id} PROPERTIES
    AUTOMOC ON
    OUTPUT_NAME importer_${id}
    PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY ${LOADER_IMPORTER_DIRECTORY})
  add_dependencies(programs loader_importer_plugin_${id})
  add_dependencies(importers loader_importer_plugin_${id})
  target_link_libraries(loader_importer_plugin_${id} PRIVATE loader_importer_${id} loader_warnings Qt6::Core)
endfunction()
