// What a step of the model (a batch of tokens through all layers) is about: written by the host before each submit, so that a
// recorded command buffer serves again and again. Tokens of a step have consecutive positions.
#ifndef VKQ_SHADERS_STEP_H
#define VKQ_SHADERS_STEP_H
#include "interface.h"

VKQ_SHARED_BEGIN
struct StepInput {
	uint first_position;   // of the step's first token
	uint tokens;
	uint unused_0;
	uint unused_1;
};
VKQ_SHARED_END

#endif
