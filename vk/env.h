// Every environment variable of the Vulkan layer is read here, once.
//
//   VKQ_DEVICE=N|NAME|UUID     the device to use when no --device is given
//   VKQ_VALIDATION=1|fatal     turns the Khronos validation layer on; its messages go to stderr and are counted, or end the process at once
//   VKQ_CACHE_DIR=DIR          where the pipeline cache lives; empty turns it off. Default: $XDG_CACHE_HOME/vkquant or ~/.cache/vkquant
//   VKQ_HEAP_LIMIT=BYTES       pretends that every heap has at most this budget: for tests of what does not fit
//   VKQ_FAULT=KIND@N           makes the N-th submit (device_lost) or allocation (out_of_memory) fail: for tests of what happens then
//   VKQ_VARIANT=NAME          forces a kernel variant (vkinfo --devices lists them)
//   VKQ_NO_IMPORT=1            never imports host memory: forces the staging path
//   VKQ_DISCRETE=1             treats unified memory as a card's own: for tests of staging and of weights left on the host
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vkq::vk {

enum class Fault { None, DeviceLost, OutOfMemory };

struct Environment {
	std::string device;                       // empty: not set
	bool validation = false, validation_fatal = false;
	std::optional<std::string> cache_dir;     // nothing: no default could be found, or turned off
	std::optional<uint64_t> heap_limit;
	Fault fault = Fault::None;
	uint64_t fault_at = 0;                    // 1-based count
	bool no_import = false;
	bool discrete = false;
	std::string variant;                      // empty: not set
};

/// Read at first use; the process's environment is not looked at again.
const Environment& environment();

}  // namespace vkq::vk
