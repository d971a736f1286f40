// What shader headers need in both languages: fixed-width names, and push-constant structs with scalar layout.
//
// In C++ the structs live in namespace vkq::shader; in GLSL they are plain structs put into one push_constant block.
// Only 32-bit members, so that both languages agree on every offset.
#ifndef VKQ_SHADERS_INTERFACE_H
#define VKQ_SHADERS_INTERFACE_H

#ifdef __cplusplus
#include <cstdint>
#define VKQ_SHARED_BEGIN namespace vkq::shader { using uint = uint32_t;
#define VKQ_SHARED_END }
#define VKQ_PUSH_SIZE(type, bytes) static_assert(sizeof(type) == (bytes) && sizeof(type) <= 128, "push constants: the size both languages expect")
#else
#define VKQ_SHARED_BEGIN
#define VKQ_SHARED_END
#define VKQ_PUSH_SIZE(type, bytes)
#endif

#endif
