// Parameters of copy_words.comp.
#ifndef VKQ_SHADERS_COPY_WORDS_H
#define VKQ_SHADERS_COPY_WORDS_H
#include "interface.h"

VKQ_SHARED_BEGIN
struct CopyWordsPush {
	uint vec4s;   // how many 16-byte words to copy
};
VKQ_PUSH_SIZE(CopyWordsPush, 4);
VKQ_SHARED_END

#endif
