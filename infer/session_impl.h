// What a Session holds. Members are destroyed in reverse order: recordings before weights before memory before devices.
#pragma once

#include "infer/session.h"

#include <optional>

namespace vkq {

struct Session::Impl {
	/// A command buffer and the shape it was recorded for.
	struct Recorded {
		std::optional<vk::CommandBuffer> commands;
		uint32_t tokens = 0, logit_rows = 0;
	};

	const ModelSource* source = nullptr;
	Request request;
	SessionOptions options;
	Plan plan;
	CacheSettings cache;
	std::vector<std::unique_ptr<vk::Device>> devices;
	std::vector<Kernels> kernels;
	std::vector<Stage> stages;
	std::optional<Allocation> allocation;
	Weights weights;
	HostInputs inputs;
	std::vector<std::array<Recorded, 2>> recorded;   // [stage]: single tokens; the latest other shape
	uint32_t position = 0;
	uint64_t furthest = 0;                            // most tokens that the cache has held: what rings have overwritten
	bool broken = false;                              // a step failed half-way
	SessionTimes times;
	InputObserver* observer = nullptr;

	/// Opens the devices, reads the hyperparameters, solves. Nothing is allocated on devices.
	static Result<std::unique_ptr<Impl>> prepare(const ModelSource& source, const SessionOptions& options);

	/// Runs one step and leaves logits of its last `logit_rows` tokens in the Logits buffer.
	Result<void> step(std::span<const Token> tokens, uint32_t logit_rows);
	std::span<const float> logits(uint32_t row) const;
	Result<void> checkTokens(std::span<const Token> tokens) const;
};

}  // namespace vkq
