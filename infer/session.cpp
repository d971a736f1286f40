#include "infer/session.h"

#include "core/units.h"
#include "infer/device_spec.h"
#include "infer/session_impl.h"
#include "kernels/kv_cache.h"
#include "kernels/rotate_heads.h"
#include "shaders/shared/step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace vkq {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool mixes(CacheMixing mixing, TensorType type, uint32_t head_dim) {
	if (mixing == CacheMixing::Off || !typeInfo(type).quantized || head_dim % kHadamard) return false;
	return mixing == CacheMixing::On || type != TensorType::Q8_0;
}

Error doesNotFit(const Plan& plan, const Request& request) {
	const uint32_t most = largestContext(request, request.context);
	std::string hint = most ? fmt::format("--ctx {} would fit; so may a smaller cache type (--kv q8_0)", formatExact(most))
	                        : "a smaller file type would need less; vkplan says which fits";
	if (plan.missing) hint = fmt::format("{} are missing; {}", formatBytes(plan.missing), hint);
	return fail(ErrorCode::kDoesNotFit, plan.reason, std::move(hint));
}

}  // namespace

Result<std::unique_ptr<Session::Impl>> Session::Impl::prepare(const ModelSource& source, const SessionOptions& options) {
	auto impl = std::make_unique<Impl>();
	impl->source = &source;
	impl->options = options;
	Request& request = impl->request;
	VKQ_TRY(request.model, readHyperparameters(source.metadata(), source.tensors(), source.name()));
	VKQ_CHECK(checkTensors(request.model, source.tensors(), source.name()));
	request.tensors.assign(source.tensors().begin(), source.tensors().end());
	for (const TensorType type : {options.k_type, options.v_type}) {
		if (isCacheType(type)) continue;
		std::vector<std::string_view> names;
		for (const TensorType cache_type : cacheTypes()) names.push_back(typeName(cache_type));
		return fail(ErrorCode::kUsage, fmt::format("a cache cannot be kept in {}", typeName(type)), fmt::format("there are: {}", fmt::join(names, ", ")));
	}
	if (request.model.head_dim % 4) return fail(ErrorCode::kUnsupported, fmt::format("{}: heads of {} elements, which do not divide by 4, are not supported", source.name(), request.model.head_dim));
	request.context = options.context ? options.context : std::min(request.model.n_ctx_train, kDefaultContext);
	request.batch = std::clamp(options.batch, 1u, request.context);
	request.logit_rows = std::clamp(options.logit_rows, 1u, request.batch);
	request.k_type = options.k_type;
	request.v_type = options.v_type;
	request.reserve = options.reserve;
	request.offload = options.offload;
	request.float_inputs = options.inputs == InputPrecision::Reference;
	impl->cache = {options.k_type, options.v_type, mixes(options.mixing, options.k_type, request.model.head_dim), mixes(options.mixing, options.v_type, request.model.head_dim)};

	const std::vector<std::string> wanted = options.devices.empty() ? std::vector<std::string>{""} : options.devices;
	for (size_t i = 0; i < wanted.size(); ++i) {
		VKQ_TRY(auto device, vk::Device::open(wanted[i], options.validation));
		VKQ_TRY(Kernels kernels, Kernels::create(*device, options.variant));
		if (options.inputs != InputPrecision::Device) {
			kernels.variant.integer_inputs = options.inputs == InputPrecision::Bits8;
			kernels.variant.dot = false;   // it takes few vectors in 8 bits and many as floats
		}
		DeviceSpec spec = deviceSpec(kernels);
		if (wanted.size() > 1) spec.name = fmt::format("{} #{}", spec.name, i);
		if (i < options.device_limits.size() && options.device_limits[i]) spec.available = std::min(spec.available, options.device_limits[i]);
		request.devices.push_back(std::move(spec));
		impl->devices.push_back(std::move(device));
		impl->kernels.push_back(std::move(kernels));
	}
	VKQ_TRY(impl->plan, solve(request));
	if (!impl->plan.fits) return doesNotFit(impl->plan, request);
	impl->stages = stagesOf(impl->plan);
	return impl;
}

Result<Session::Planned> Session::planOnly(const ModelSource& source, const SessionOptions& options) {
	VKQ_TRY(auto impl, Impl::prepare(source, options));
	return Planned{std::move(impl->request), std::move(impl->plan)};
}

Result<Session> Session::open(const ModelSource& source, const SessionOptions& options, const LoadProgress& progress) {
	const auto start = Clock::now();
	VKQ_TRY(auto impl, Impl::prepare(source, options));
	std::vector<vk::Device*> devices;
	for (const auto& device : impl->devices) devices.push_back(device.get());
	VKQ_TRY(impl->allocation, Allocation::create(devices, impl->plan));
	VKQ_TRY(impl->weights, Weights::load(source, impl->request.model, impl->request.tensors, *impl->allocation, impl->kernels, progress));
	VKQ_TRY(impl->inputs, HostInputs::create(source, impl->request.model, impl->request.context));
	impl->recorded.resize(impl->stages.size());
	impl->times.load = secondsSince(start);
	return Session(std::move(impl));
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const Hyperparameters& Session::model() const { return impl_->request.model; }
const Plan& Session::plan() const { return impl_->plan; }
const Request& Session::request() const { return impl_->request; }
uint32_t Session::context() const { return impl_->request.context; }
uint32_t Session::position() const { return impl_->position; }
const SessionTimes& Session::times() const { return impl_->times; }

std::string Session::deviceNames() const {
	std::vector<std::string> names;
	for (const Stage& stage : impl_->stages) names.push_back(impl_->request.devices[stage.device].name);
	return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> Session::Impl::checkTokens(std::span<const Token> tokens) const {
	if (broken) return fail(ErrorCode::kDeviceLost, "an earlier step of this session failed", "open the model again");
	if (tokens.empty()) return fail(ErrorCode::kUsage, "there are no tokens to feed: the prompt is empty");
	if (tokens.size() > request.context - position) {
		return fail(ErrorCode::kUsage, fmt::format("the context of {} tokens is full: {} are in it, {} more do not fit", formatExact(request.context), formatExact(position), formatExact(tokens.size())),
		            "a larger --ctx, or a shorter prompt");
	}
	for (const Token token : tokens) {
		if (token < 0 || uint32_t(token) >= request.model.n_vocab) {
			return fail(ErrorCode::kUsage, fmt::format("token {} is outside the model's vocabulary of {}", token, formatExact(request.model.n_vocab)));
		}
	}
	return {};
}

Result<void> Session::Impl::step(std::span<const Token> tokens, uint32_t logit_rows) {
	const auto start = Clock::now();
	const uint32_t count = uint32_t(tokens.size());
	const uint64_t residual_bytes = uint64_t(count) * request.model.n_embd * sizeof(float);
	const auto mapped = [&](const Stage& stage, ScratchId id) { return allocation->mapped(*allocation->scratch(stage.device, id)); };
	broken = true;   // until the step is done
	for (size_t i = 0; i < stages.size(); ++i) {
		const Stage& stage = stages[i];
		float* embedded = reinterpret_cast<float*>(mapped(stage, ScratchId::Embedded));
		if (i == 0) VKQ_CHECK(inputs.embed(tokens, embedded));
		else std::memcpy(embedded, mapped(stages[i - 1], ScratchId::Handover), residual_bytes);
		const shader::StepInput step_input{position, count, 0, 0};
		std::memcpy(mapped(stage, ScratchId::StepInput), &step_input, sizeof step_input);
		inputs.rotate(position, count, reinterpret_cast<float*>(mapped(stage, ScratchId::Rotation)));

		Recorded& slot = recorded[i][count == 1 ? 0 : 1];
		if (!slot.commands || slot.tokens != count || slot.logit_rows != logit_rows) {
			if (!slot.commands) {
				VKQ_TRY(slot.commands, vk::CommandBuffer::create(*devices[stage.device]));
			}
			slot.tokens = 0;
			VKQ_CHECK(slot.commands->begin());
			const StepRecorder recorder{request.model, *allocation, weights, kernels[stage.device], stage, cache, request.context, request.batch, options.inputs == InputPrecision::Reference, observer};
			VKQ_CHECK(recorder.record(*slot.commands, count, logit_rows));
			slot.tokens = count;
			slot.logit_rows = logit_rows;
		}
		VKQ_CHECK(slot.commands->submitAndWait());
	}
	broken = false;
	position += count;
	furthest = std::max<uint64_t>(furthest, position);
	(count == 1 ? times.generation : times.prompt) += secondsSince(start);
	(count == 1 ? times.generated_tokens : times.prompt_tokens) += count;
	return {};
}

std::span<const float> Session::Impl::logits(uint32_t row) const {
	const std::byte* mapped = allocation->mapped(*allocation->scratch(stages.back().device, ScratchId::Logits));
	return {reinterpret_cast<const float*>(mapped) + size_t(row) * request.model.n_vocab, request.model.n_vocab};
}

void Session::observe(InputObserver* observer) {
	impl_->observer = observer;
	for (auto& stage : impl_->recorded)
		for (Impl::Recorded& slot : stage) slot.tokens = 0;   // recorded anew at the next step
}

Result<void> Session::reload(size_t tensor) { return Weights::reload(*impl_->source, tensor, *impl_->allocation, impl_->kernels); }

Result<std::span<const float>> Session::feed(std::span<const Token> tokens, const std::function<bool()>& interrupted) {
	VKQ_CHECK(impl_->checkTokens(tokens));
	while (!tokens.empty()) {
		if (interrupted && interrupted()) return fail(ErrorCode::kInterrupted, "interrupted");
		const size_t count = std::min<size_t>(tokens.size(), impl_->request.batch);
		VKQ_CHECK(impl_->step(tokens.first(count), count == tokens.size() ? 1 : 0));
		tokens = tokens.subspan(count);
	}
	return impl_->logits(0);
}

Result<void> Session::feedAll(std::span<const Token> tokens, size_t first, const std::function<bool(size_t, std::span<const float>)>& visit) {
	VKQ_CHECK(impl_->checkTokens(tokens));
	for (size_t done = 0; done < tokens.size();) {
		const bool wanted = done >= first;
		size_t count = std::min<size_t>(tokens.size() - done, wanted ? impl_->request.logit_rows : impl_->request.batch);
		if (!wanted) count = std::min(count, first - done);
		VKQ_CHECK(impl_->step(tokens.subspan(done, count), wanted ? uint32_t(count) : 0));
		for (size_t i = 0; wanted && i < count; ++i)
			if (!visit(done + i, impl_->logits(uint32_t(i)))) return {};
		done += count;
	}
	return {};
}

Result<void> Session::rewind(uint32_t position) {
	const Hyperparameters& h = impl_->request.model;
	if (position > impl_->position) {
		return fail(ErrorCode::kUsage, fmt::format("cannot go to position {}: the cache holds {} tokens", formatExact(position), formatExact(impl_->position)));
	}
	// A ring holds its window and one batch: positions further back than that batch have lost part of their window.
	const bool overwritten = h.sliding_window && impl_->furthest > h.sliding_window && impl_->furthest - position > impl_->request.batch;
	if (position != 0 && overwritten) {
		return fail(ErrorCode::kUnsupported, fmt::format("the layers with a sliding window have forgotten what position {} needs", formatExact(position)), "start again from position 0");
	}
	impl_->position = position;
	if (position == 0) impl_->furthest = 0;
	return {};
}

}  // namespace vkq
