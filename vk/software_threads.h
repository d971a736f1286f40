// How many threads a software device uses.
//
// Mesa's software device hands every dispatch to a pool of threads and waits for it: 5 to 50 microseconds, by the machine. A token of a small model is a hundred
// dispatches that take less than that each, so there the calling thread alone is quicker: orator-6m generates 1,650 tokens/s so and 290 with two threads (docs/kernels.md).
#pragma once

#include <cstdint>

namespace vkq::vk {

/// For a process that generates text with a model of so many bytes: keeps a software device on the calling thread where that is quicker. A user's own
/// LP_NUM_THREADS stands. To be called before a Device is opened for the model, while the process has one thread (it sets the variable).
void chooseSoftwareThreads(uint64_t model_bytes);

}  // namespace vkq::vk
