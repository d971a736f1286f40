# An installed vkquant is found with find_package(vkquant) and linked as vkquant::quantize, vkquant::planner, ...
include(CMakePackageConfigHelpers)
get_property(folders GLOBAL PROPERTY VKQ_FOLDERS)
install(TARGETS ${folders} EXPORT vkquant-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT vkquant-targets NAMESPACE vkquant:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vkquant)
foreach(folder core quant ggufio arch planner vk kernels quantize infer eval shaders)
	install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vkquant FILES_MATCHING PATTERN "*.h")
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/shaders/generated/shaders/shader_id.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vkquant/shaders)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/vkquant-config.cmake.in ${PROJECT_BINARY_DIR}/vkquant-config.cmake
	INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vkquant)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vkquant-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vkquant-config.cmake ${PROJECT_BINARY_DIR}/vkquant-config-version.cmake
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vkquant)
