// Parameters of decode.comp.
#ifndef VKQ_SHADERS_DECODE_H
#define VKQ_SHADERS_DECODE_H
#include "interface.h"

VKQ_SHARED_BEGIN
struct DecodePush {
	uint parts;          // of 32 weights
	uint source_byte;    // where the first block begins in the source binding
	uint output_word;    // where the first float goes in the output binding
};
VKQ_PUSH_SIZE(DecodePush, 12);
VKQ_SHARED_END

#endif
