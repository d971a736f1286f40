// Parameters of load_probe.comp.
#ifndef VKQ_SHADERS_LOAD_PROBE_H
#define VKQ_SHADERS_LOAD_PROBE_H
#include "interface.h"

#define VKQ_PROBE_LANES 8

VKQ_SHARED_BEGIN
struct LoadProbePush {
	uint address[2];   // of the words, low and high
	uint eights;       // how many times eight words to add up
};
VKQ_PUSH_SIZE(LoadProbePush, 12);
VKQ_SHARED_END

#endif
