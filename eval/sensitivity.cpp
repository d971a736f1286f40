#include "eval/sensitivity.h"

#include "eval/changed_source.h"
#include "eval/scoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vkq {

namespace {

/// Log-probabilities of the original below this do not count: as in divergence.h.
constexpr float kNegligible = -16;

class Meter {
public:
	Meter(Session& session, const TextChunks& chunks, uint64_t memory) : session_(session), chunks_(chunks), vocabulary_(session.model().n_vocab) {
		const uint64_t positions = uint64_t(chunks.count()) * (chunks.context - first());
		const uint64_t most = std::max<uint64_t>(1, memory / (sizeof(float) * vocabulary_));
		stride_ = (positions + most - 1) / most;
	}

	Result<void> keepOriginal() {
		return run([&](size_t, std::span<const float> logits) -> Result<void> {
			VKQ_TRY(const double total, logSumExp(logits));
			for (const float logit : logits) base_.push_back(float(double(logit) - total));
			return {};
		});
	}

	Result<double> divergence() {
		double sum = 0;
		size_t count = 0;
		VKQ_CHECK(run([&](size_t index, std::span<const float> logits) -> Result<void> {
			VKQ_TRY(const double total, logSumExp(logits));
			const float* base = base_.data() + index * vocabulary_;
			for (size_t i = 0; i < vocabulary_; ++i)
				if (base[i] > kNegligible) sum += std::exp(double(base[i])) * (double(base[i]) - (double(logits[i]) - total));
			++count;
			return {};
		}));
		return sum / double(std::max<size_t>(1, count));
	}

private:
	uint32_t first() const { return chunks_.context / 4; }

	/// Visits every stride-th position of all chunks, with its number.
	Result<void> run(const std::function<Result<void>(size_t index, std::span<const float> logits)>& visit) {
		uint64_t position = 0;
		for (uint32_t chunk = 0; chunk < chunks_.count(); ++chunk) {
			VKQ_CHECK(session_.rewind(0));
			Result<void> outcome;
			VKQ_CHECK(session_.feedAll(chunks_.chunk(chunk), first(), [&](size_t, std::span<const float> logits) {
				const uint64_t now = position++;
				if (now % stride_ == 0) outcome = visit(size_t(now / stride_), logits);
				return outcome.ok();
			}));
			VKQ_CHECK(outcome);
		}
		return {};
	}

	Session& session_;
	const TextChunks& chunks_;
	const size_t vocabulary_;
	uint64_t stride_ = 1;
	std::vector<float> base_;   // [position][vocabulary]
};

}  // namespace

Result<std::vector<double>> measureSensitivity(const ModelSource& source, const TextChunks& chunks, std::span<const SensitivityProbe> probes,
                                               const SensitivityOptions& options, const ProbeProgress& progress) {
	ChangedSource changed(source);
	VKQ_TRY(Session session, Session::open(changed, scoringOptions(options.session, chunks.context)));
	Meter meter(session, chunks, options.memory);
	VKQ_CHECK(meter.keepOriginal());
	std::vector<double> klds;
	for (const SensitivityProbe& probe : probes) {
		const TensorInfo& tensor = source.tensors()[probe.tensor];
		VKQ_TRY(std::vector<std::byte> values, probe.values());
		if (values.size() != tensor.bytes) return fail(ErrorCode::kInvalidData, fmt::format("{} bytes for tensor {}, which has {}", values.size(), tensor.name, tensor.bytes));
		changed.change(probe.tensor, std::move(values));
		VKQ_CHECK(session.reload(probe.tensor));
		VKQ_TRY(const double kld, meter.divergence());
		klds.push_back(kld);
		changed.restore();
		VKQ_CHECK(session.reload(probe.tensor));
		if (progress && !progress(klds.size(), probes.size(), tensor.name, kld)) return fail(ErrorCode::kInterrupted, "interrupted");
	}
	return klds;
}

}  // namespace vkq
