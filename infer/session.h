// A model loaded onto devices with one conversation's cache: feed tokens, get logits.
//
//   auto source = openModelSource("model.gguf");
//   auto session = Session::open(**source, {.context = 4096});
//   auto logits = session->feed(prompt);              // of the token after the prompt: [n_vocab]
//   for (;;) { Token next = sample(*logits); ...; logits = session->feed({&next, 1}); }
//
// The plan (planner/solve.h) is made first, from the devices' real limits; a model that does not fit is refused with numbers before
// anything is allocated. Thread rules: one thread at a time.
#pragma once

#include "arch/model.h"
#include "core/result.h"
#include "ggufio/model_source.h"
#include "infer/decode.h"
#include "infer/host_inputs.h"
#include "infer/tokenizer_vocabulary.h"
#include "infer/weights.h"
#include "planner/solve.h"
#include "quant/activation_rounding.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vkq {

/// Whether a quantized cache's heads are mixed by a Hadamard transform before rounding.
enum class CacheMixing { Auto, On, Off };   // Auto: for types of less than 8 bits whose heads divide

struct SessionOptions {
	uint32_t context = 0;                   // tokens; 0: what the model was trained for, at most kDefaultContext
	uint32_t batch = 512;                   // most tokens of one step
	uint32_t logit_rows = 1;                // most positions of one step whose logits can be asked for
	TensorType k_type = TensorType::F16, v_type = TensorType::F16;
	CacheMixing mixing = CacheMixing::Auto;
	std::vector<std::string> devices;       // as vk::chooseDevice(); empty: the best one. Several: layers are split over them
	std::vector<uint64_t> device_limits;    // bytes that may be used of each, in order; shorter or 0: all that is free
	uint64_t reserve = 0;                   // bytes of every device that are left alone
	Offload offload = Offload::None;
	bool validation = false;                // Khronos validation layer
	std::string variant;                    // of the kernels; empty: the devices' own
	InputPrecision inputs = InputPrecision::Device;   // what products are given (quant/activation_rounding.h)
};
constexpr uint32_t kDefaultContext = 4096;

/// How long work took, in seconds of wall time.
struct SessionTimes {
	double load = 0;
	double prompt = 0, generation = 0;      // steps of several tokens, of one
	uint64_t prompt_tokens = 0, generated_tokens = 0;
};

class Session {
public:
	/// `source` must outlive the session. kDoesNotFit carries the plan's reason and what would help; kUsage for options that make no sense.
	static Result<Session> open(const ModelSource& source, const SessionOptions& options, const LoadProgress& progress = {});

	/// What open() would execute, without allocating: for dry runs. kDoesNotFit as open().
	struct Planned {
		Request request;
		Plan plan;
	};
	static Result<Planned> planOnly(const ModelSource& source, const SessionOptions& options);

	Session(Session&&) noexcept;
	Session& operator=(Session&&) noexcept;
	~Session();

	const Hyperparameters& model() const;
	const Plan& plan() const;
	const Request& request() const;
	uint32_t context() const;              // tokens, the limit of position()
	uint32_t position() const;             // tokens in the cache
	const SessionTimes& times() const;
	std::string deviceNames() const;

	/// Appends tokens, in steps of `batch`; returns the logits after the last one, [n_vocab], valid until the next call.
	/// kUsage: no tokens, more than the context has left, a token outside the vocabulary; then nothing was appended.
	/// `interrupted`, if given, is asked between steps; true gives kInterrupted, tokens of finished steps stay.
	Result<std::span<const float>> feed(std::span<const Token> tokens, const std::function<bool()>& interrupted = {});

	/// Appends tokens and hands over the logits of each, [n_vocab] a token, in order: visit(index in `tokens`, logits) -> whether to go on.
	/// Steps are of at most `logit_rows` tokens. Tokens before `first` get no logits (and cost no head).
	Result<void> feedAll(std::span<const Token> tokens, size_t first, const std::function<bool(size_t, std::span<const float>)>& visit);

	/// Forgets tokens from `position` on. kUnsupported where a sliding layer has overwritten what would be needed again; 0 always works.
	Result<void> rewind(uint32_t position);

	/// Writes the cache to a file, with the tokens of the caller's bookkeeping; restore() wants the same model, cache types and at least as much context.
	/// The file is replaced atomically. What is restored is checked: kMalformed, or kInvalidData for another model's.
	Result<void> save(const std::filesystem::path& path, std::span<const Token> tokens) const;
	Result<std::vector<Token>> restore(const std::filesystem::path& path);

	/// The source's tensor `tensor` has other values now (of the same shape and type): they take the place of the ones that are loaded. The cache
	/// keeps what the old ones computed; rewind(0) forgets it.
	Result<void> reload(size_t tensor);

	/// From now on `observer` sees the inputs of products (infer/input_observer.h). It must outlive the steps; null: nobody does.
	void observe(InputObserver* observer);

	struct Impl;

private:
	explicit Session(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
