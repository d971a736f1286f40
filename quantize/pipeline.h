// Encodes a model: row slabs of every tensor are read, encoded on the device (or, where that is quicker, on the host), repaired
// where the device's arithmetic cannot be trusted, and written, several slabs in flight. Memory does not grow with the model.
//
//   source rows --(imported in place, or copied)--> slot --encode--> slot's output --(fix flagged blocks)--> writers
//
// Several outputs (levels) are made in one pass: each slab is read once, and encoded once per distinct type.
#pragma once

#include "core/result.h"
#include "ggufio/gguf_writer.h"
#include "ggufio/model_source.h"
#include "quant/distortion.h"
#include "quantize/plan.h"
#include "vk/device.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace vkq {

enum class Route { Auto, Device, Host };

struct Progress {
	size_t tensor = 0, tensors = 0;          // of the source, 0-based
	std::string_view name;
	uint64_t bytes_done = 0, bytes_total = 0;     // of the source
	uint64_t weights_done = 0;
	double seconds = 0;                      // since the start
};

struct PipelineOptions {
	Route route = Route::Auto;
	unsigned threads = 0;                    // host threads, 0: as many as the machine runs at once
	bool verify = false;                     // decode again and compare with the source
	uint64_t slab_weights = 4 << 20;         // about how many weights a slab holds
	unsigned slots = 3;                      // slabs in flight
	const std::atomic<bool>* interrupted = nullptr;     // looked at between slabs
	std::function<void(const Progress&)> progress;      // called from the calling thread
};

/// One level to be made: job i of the plan becomes the writer's tensor i.
struct PipelineOutput {
	const QuantizePlan* plan = nullptr;
	GgufWriter* writer = nullptr;
	std::vector<bool> done;                                  // tensors that the file holds already (resume); empty: none
	std::function<Result<void>(size_t index)> tensor_done;   // all of this tensor's bytes were handed to the writer
};

struct PipelineReport {
	double seconds = 0;
	uint64_t source_bytes = 0, written_bytes = 0;
	uint64_t device_weights = 0, host_weights = 0, copied_weights = 0;   // by where they were encoded, each distinct type counted
	uint64_t repaired_blocks = 0;            // encoded again on the host: subnormals, mostly
	bool zero_copy = false;                  // the device read the mapped file in place
	std::vector<std::vector<Distortion>> distortions;   // per output, per tensor; empty without verify
};

/// `device` may be null: then everything is encoded on the host.
Result<PipelineReport> runPipeline(const ModelSource& source, vk::Device* device, std::span<PipelineOutput> outputs, const PipelineOptions& options);

}  // namespace vkq
