#include "quantize/pipeline.h"

#include "core/text.h"
#include "quant/codec.h"
#include "quantize/device_slot.h"
#include "quantize/host_encoder.h"
#include "quantize/route.h"
#include "quantize/slab.h"

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <optional>
#include <thread>

namespace vkq {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Where an encoding goes: job `job` of output `output`.
struct Destination {
	size_t output, job;
};

/// One distinct encoding of a tensor, and all places that want it.
struct Encoding {
	TensorType to;
	const std::vector<float>* importance;
	Search search;
	std::vector<Destination> destinations;
	uint64_t rows_written = 0;   // of the tensor
};

/// A tensor of the source with everything that is to be made of it.
struct TensorWork {
	size_t source;
	std::vector<Encoding> encodings;
};

std::vector<TensorWork> collectWork(const ModelSource& source, std::span<const PipelineOutput> outputs) {
	std::vector<TensorWork> work(source.tensors().size());
	for (size_t i = 0; i < work.size(); ++i) work[i].source = i;
	for (size_t o = 0; o < outputs.size(); ++o) {
		const auto& jobs = outputs[o].plan->jobs;
		for (size_t j = 0; j < jobs.size(); ++j) {
			if (j < outputs[o].done.size() && outputs[o].done[j]) continue;
			auto& encodings = work[jobs[j].source].encodings;
			const auto same = std::find_if(encodings.begin(), encodings.end(), [&](const Encoding& e) { return e.to == jobs[j].to && e.importance == jobs[j].importance && e.search == jobs[j].search; });
			if (same != encodings.end()) same->destinations.push_back({o, j});
			else encodings.push_back({jobs[j].to, jobs[j].importance, jobs[j].search, {{o, j}}});
		}
	}
	std::erase_if(work, [](const TensorWork& tensor) { return tensor.encodings.empty(); });
	return work;
}

/// Formats that the shaders write; plain conversions are a memory copy's work and stay on the host.
bool deviceEncodes(const Encoding& encoding) { return Encoder::supports(encoding.to, TensorType::F32, encoding.search); }

class Pipeline {
public:
	Pipeline(const ModelSource& source, vk::Device* device, std::span<PipelineOutput> outputs, const PipelineOptions& options)
		: source_(source), device_(device), outputs_(outputs), options_(options), threads_(options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency())) {}

	Result<PipelineReport> run() {
		work_ = collectWork(source_, outputs_);
		for (const TensorWork& tensor : work_) {
			const TensorInfo& info = source_.tensors()[tensor.source];
			progress_.bytes_total += info.bytes;
			for (const Encoding& encoding : tensor.encodings) left_[keyOf(info, encoding)] += info.elements();
		}
		progress_.tensors = work_.size();
		if (options_.verify)
			for (const PipelineOutput& output : outputs_) report_.distortions.emplace_back(output.plan->jobs.size());
		if (device_) VKQ_CHECK(makeSlots());

		for (size_t i = 0; i < work_.size(); ++i) VKQ_CHECK(runTensor(work_[i]));
		while (!flights_.empty()) VKQ_CHECK(land());
		VKQ_CHECK(settle());
		report_.seconds = secondsSince(start_);
		report_.source_bytes = progress_.bytes_done;
		return std::move(report_);
	}

private:
	/// A slab on its way through the device.
	struct Flight {
		DeviceSlot* slot;
		TensorWork* tensor;
		Slab slab;
		std::vector<std::byte> computed;         // source rows that are no part of a mapped file
		std::vector<Encoding*> encodings;
		std::vector<SlabEncoding> requests;
		Router::Decision decision;
		Clock::time_point submitted;
	};

	Result<void> makeSlots() {
		for (unsigned i = 0; i < std::max(1u, options_.slots); ++i) {
			VKQ_TRY(DeviceSlot slot, DeviceSlot::create(*device_));
			slots_.push_back(std::make_unique<DeviceSlot>(std::move(slot)));
			free_.push_back(slots_.back().get());
		}
		encoders_.emplace(*device_);
		decoders_.emplace(*device_);
		return {};
	}

	Router::Key keyOf(const TensorInfo& info, const Encoding& encoding) const { return {info.type, encoding.to, encoding.importance != nullptr, encoding.search}; }

	const float* importanceOf(const Encoding& encoding, const TensorInfo& info, const Slab& slab) const {
		if (!encoding.importance) return nullptr;
		return encoding.importance->data() + slab.first_row / info.ne[1] * info.ne[0];   // each expert has its own
	}

	Error named(const TensorInfo& info, Error error) const {
		if (error.message.find(info.name) == std::string::npos) error.message = fmt::format("{}: tensor {}: {}", source_.name(), quote(info.name), error.message);
		return error;
	}

	Result<void> runTensor(TensorWork& tensor) {
		const TensorInfo& info = source_.tensors()[tensor.source];
		for (uint64_t row = 0; row < info.rows();) {
			if (options_.interrupted && options_.interrupted->load()) return fail(ErrorCode::kInterrupted, "interrupted");
			Slab slab = nextSlab(info, tensor.source, row, options_.slab_weights);
			auto decision = decide(tensor, info, slab);
			if (decision == Router::Decision::ProbeHost) slab = nextSlab(info, tensor.source, row, Router::kHostProbeWeights);
			source_.willNeed(tensor.source, row + slab.rows, slab.rows);
			VKQ_CHECK(runSlab(tensor, info, slab, decision));
			row += slab.rows;
		}
		if (info.rows() == 0) return finishEmpty(tensor);
		return {};
	}

	/// Where the slab goes. Several encodings at once go where the most expensive of them is best off.
	Router::Decision decide(const TensorWork& tensor, const TensorInfo& info, const Slab& slab) const {
		if (!device_ || options_.route == Route::Host) return Router::Decision::Host;
		const Encoding* heaviest = nullptr;
		for (const Encoding& encoding : tensor.encodings)
			if (deviceEncodes(encoding) && encoding.to != info.type && (!heaviest || rank(encoding) > rank(*heaviest))) heaviest = &encoding;
		if (!heaviest || info.ne[0] > options_.slab_weights) return Router::Decision::Host;
		if (options_.route == Route::Device) return Router::Decision::Device;
		const Router::Key key = keyOf(info, *heaviest);
		return router_.decide(key, slab.rows * info.ne[0], left_.at(key));
	}

	/// Searches cost more than roundings: the best search, super-block formats and importance first.
	static int rank(const Encoding& encoding) { return (encoding.search == Search::kBest ? 4 : 0) + (typeInfo(encoding.to).block_elements > 32 ? 2 : 0) + (encoding.importance ? 1 : 0); }

	Result<void> runSlab(TensorWork& tensor, const TensorInfo& info, const Slab& slab, Router::Decision decision) {
		for (const Encoding& encoding : tensor.encodings) left_[keyOf(info, encoding)] -= slab.rows * info.ne[0];
		const bool on_device = decision == Router::Decision::Device || decision == Router::Decision::ProbeDevice;
		// Probes run alone, so that what they measure is theirs: on a software device both sides live on the same cores.
		if (decision == Router::Decision::ProbeHost || decision == Router::Decision::ProbeDevice)
			while (!flights_.empty()) VKQ_CHECK(land());
		Flight flight{nullptr, &tensor, slab, {}, {}, {}, decision, {}};
		VKQ_TRY(RowBlock rows, read(info, slab, flight.computed));

		encode_seconds_ = 0;
		for (Encoding& encoding : tensor.encodings) {
			if (encoding.to == info.type) VKQ_CHECK(copyRows(encoding, info, slab, rows));
			else if (on_device && deviceEncodes(encoding)) flight.encodings.push_back(&encoding);
			else VKQ_CHECK(encodeOnHost(encoding, info, slab, rows));
		}
		if (decision == Router::Decision::ProbeHost) measure(tensor, info, decision, slab, encode_seconds_);
		if (flight.encodings.empty()) return slabDone(info, slab);

		if (free_.empty()) VKQ_CHECK(land());
		flight.slot = free_.back();
		free_.pop_back();
		for (const Encoding* encoding : flight.encodings) flight.requests.push_back({encoding->to, importanceOf(*encoding, info, slab), encoding->search});

		flight.submitted = Clock::now();
		RowBlock input = rows;
		if (typeInfo(info.type).quantized) {   // requantizing: the device encodes from floats
			std::vector<std::byte> floats(rows.rows * rows.row_elements * sizeof(float));
			decodeRowsOnHost(rows, threads_, reinterpret_cast<float*>(floats.data()));
			flight.computed = std::move(floats);
			input = {TensorType::F32, flight.computed.data(), rows.rows, rows.row_elements};
		}
		flights_.push_back(std::move(flight));
		Flight& flown = flights_.back();
		const bool mapped = flown.computed.empty();
		if (auto set = flown.slot->setSource(input, mapped); !set) return named(info, std::move(set).error());
		if (mapped && flown.slot->imported()) report_.zero_copy = true;
		if (auto sent = flown.slot->submit(flown.requests, *encoders_); !sent) return named(info, std::move(sent).error());
		if (decision == Router::Decision::ProbeDevice) return land();
		return {};
	}

	/// The slab's rows as they lie in the mapped file, or computed into `storage`.
	Result<RowBlock> read(const TensorInfo& info, const Slab& slab, std::vector<std::byte>& storage) {
		const uint64_t row_bytes = info.rowBytes();
		if (const Bytes mapped = source_.mapped(slab.tensor); !mapped.empty()) {
			return RowBlock{info.type, mapped.data() + slab.first_row * row_bytes, slab.rows, info.ne[0]};
		}
		storage.resize(slab.rows * row_bytes);
		VKQ_CHECK(source_.readRows(slab.tensor, slab.first_row, slab.rows, storage.data()));
		return RowBlock{info.type, storage.data(), slab.rows, info.ne[0]};
	}

	void measure(const TensorWork& tensor, const TensorInfo& info, Router::Decision decision, const Slab& slab, double seconds) {
		for (const Encoding& encoding : tensor.encodings)
			if (encoding.to != info.type) router_.measured(keyOf(info, encoding), decision, slab.rows * info.ne[0], seconds);
	}

	Result<void> copyRows(Encoding& encoding, const TensorInfo& info, const Slab& slab, const RowBlock& rows) {
		if (!rowsAreFinite(rows, threads_)) return notFiniteError(source_, info);
		report_.copied_weights += slab.rows * info.ne[0];
		return write(encoding, info, slab, {rows.bytes, slab.rows * info.rowBytes()});
	}

	Result<void> encodeOnHost(Encoding& encoding, const TensorInfo& info, const Slab& slab, const RowBlock& rows) {
		host_bytes_.resize(*typeBytes(encoding.to, info.ne[0]) * slab.rows);
		const float* importance = importanceOf(encoding, info, slab);
		const auto start = Clock::now();
		if (!encodeRowsOnHost(rows, encoding.to, importance, encoding.search, threads_, host_bytes_.data())) return notFiniteError(source_, info);
		encode_seconds_ += secondsSince(start);
		if (!scalesAreFinite(encoding.to, host_bytes_.data(), slab.rows * info.ne[0])) return scaleOverflow(info, encoding.to);
		report_.host_weights += slab.rows * info.ne[0];
		if (options_.verify) {
			std::vector<float> decoded(slab.rows * info.ne[0]);
			decodeRowsOnHost({encoding.to, host_bytes_.data(), slab.rows, info.ne[0]}, threads_, decoded.data());
			Distortion distortion;
			compareRows(rows, decoded.data(), importance, distortion);
			addDistortion(encoding, distortion);
		}
		return writeBehind(encoding, info, slab);
	}

	Error scaleOverflow(const TensorInfo& info, TensorType type) const {
		return fail(ErrorCode::kInvalidData, fmt::format("{}: tensor {} has weights too large for {}: a block's scale overflows half precision", source_.name(), quote(info.name), typeName(type)),
		            "keep this tensor in F32 or BF16: --tensor-type NAME=bf16");
	}

	void addDistortion(const Encoding& encoding, const Distortion& distortion) {
		for (const Destination& to : encoding.destinations) report_.distortions[to.output][to.job].merge(distortion);
	}

	/// Waits for the oldest slab on the device and writes it.
	Result<void> land() {
		Flight flight = std::move(flights_.front());
		flights_.pop_front();
		const TensorInfo& info = source_.tensors()[flight.tensor->source];
		auto repaired = flight.slot->wait();
		if (!repaired) return repaired.error().code == ErrorCode::kInvalidData ? named(info, std::move(repaired).error()) : std::move(repaired).error();
		report_.repaired_blocks += *repaired;
		if (flight.decision == Router::Decision::ProbeDevice) measure(*flight.tensor, info, flight.decision, flight.slab, secondsSince(flight.submitted));
		for (size_t i = 0; i < flight.encodings.size(); ++i) {
			report_.device_weights += flight.slab.rows * info.ne[0];
			if (options_.verify) {
				Distortion distortion;
				VKQ_TRY(const float* decoded, flight.slot->decode(i, *decoders_));
				compareRows(flight.slot->source(), decoded, flight.requests[i].importance, distortion);
				addDistortion(*flight.encodings[i], distortion);
			}
			VKQ_CHECK(write(*flight.encodings[i], info, flight.slab, flight.slot->encoded(i)));
		}
		free_.push_back(flight.slot);
		return slabDone(info, flight.slab);
	}

	Result<void> write(Encoding& encoding, const TensorInfo& info, const Slab& slab, Bytes bytes) {
		VKQ_CHECK(settle());
		VKQ_CHECK(put(encoding, info, slab, bytes));
		return wrote(encoding, info, slab);
	}

	/// As write(), for what the host has encoded; it returns at once, and the host goes on with the next slab meanwhile.
	Result<void> writeBehind(Encoding& encoding, const TensorInfo& info, const Slab& slab) {
		VKQ_CHECK(settle());
		std::swap(host_bytes_, written_bytes_);
		behind_ = {std::async(std::launch::async, [this, &encoding, &info, slab] { return put(encoding, info, slab, written_bytes_); }), &encoding, &info, slab};
		return {};
	}

	/// Waits until what is written behind is written.
	Result<void> settle() {
		if (!behind_.done.valid()) return {};
		VKQ_CHECK(behind_.done.get());
		return wrote(*behind_.encoding, *behind_.info, behind_.slab);
	}

	Result<void> put(const Encoding& encoding, const TensorInfo& info, const Slab& slab, Bytes bytes) {
		VKQ_CHECK(source_.intact());
		for (const Destination& to : encoding.destinations) VKQ_CHECK(outputs_[to.output].writer->write(to.job, slab.first_row * *typeBytes(encoding.to, info.ne[0]), bytes));
		return {};
	}

	Result<void> wrote(Encoding& encoding, const TensorInfo& info, const Slab& slab) {
		encoding.rows_written += slab.rows;
		for (const Destination& to : encoding.destinations) {
			report_.written_bytes += slab.rows * *typeBytes(encoding.to, info.ne[0]);
			if (encoding.rows_written == info.rows() && outputs_[to.output].tensor_done) VKQ_CHECK(outputs_[to.output].tensor_done(to.job));
		}
		return {};
	}

	Result<void> finishEmpty(TensorWork& tensor) {
		for (const Encoding& encoding : tensor.encodings)
			for (const Destination& to : encoding.destinations)
				if (outputs_[to.output].tensor_done) VKQ_CHECK(outputs_[to.output].tensor_done(to.job));
		return {};
	}

	Result<void> slabDone(const TensorInfo& info, const Slab& slab) {
		source_.doneWith(slab.tensor, slab.first_row, slab.rows);
		progress_.tensor = slab.tensor;
		progress_.name = info.name;
		progress_.bytes_done += slab.rows * info.rowBytes();
		progress_.weights_done += slab.rows * info.ne[0];
		progress_.seconds = secondsSince(start_);
		if (options_.progress) options_.progress(progress_);
		return {};
	}

	const ModelSource& source_;
	vk::Device* device_;
	std::span<PipelineOutput> outputs_;
	const PipelineOptions& options_;
	const unsigned threads_;
	const Clock::time_point start_ = Clock::now();

	std::vector<TensorWork> work_;
	std::map<Router::Key, uint64_t> left_;   // weights of each kind that are still to come
	Router router_;
	std::optional<EncoderSet> encoders_;
	std::optional<DecoderSet> decoders_;
	std::vector<std::unique_ptr<DeviceSlot>> slots_;
	std::vector<DeviceSlot*> free_;
	std::deque<Flight> flights_;             // oldest first; destroyed before the slots
	std::vector<std::byte> host_bytes_, written_bytes_;   // what the host encodes, and what is written behind
	struct {
		std::future<Result<void>> done;
		Encoding* encoding = nullptr;
		const TensorInfo* info = nullptr;
		Slab slab;
	} behind_;                               // destroyed, and so waited for, before the bytes
	double encode_seconds_ = 0;              // of the host, for this slab
	Progress progress_;
	PipelineReport report_;
};

}  // namespace

Result<PipelineReport> runPipeline(const ModelSource& source, vk::Device* device, std::span<PipelineOutput> outputs, const PipelineOptions& options) {
	return Pipeline(source, device, outputs, options).run();
}

}  // namespace vkq
