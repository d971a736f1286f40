// Speed of the encode shaders alone: weights already in memory that the device sees, bytes left there.
//
//   encode_bench [--device NAME] [--weights MILLIONS] [--seconds S] [--host] [--best] [TYPE ...]
//
// For each type: time until the pipeline exists and its first dispatch is done (that is part of a tool's run), then the rate of
// warm slabs by the wall clock and by CPU time (for software devices: what a core does, however busy the machine is; the best
// slab too, for neighbours on the same core slow it down), and the bytes read and written a second. --host measures encodeRow() of quant/codec.h on one thread instead.
#include "core/half.h"
#include "kernels/encoder.h"
#include "quant/codec.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <sys/resource.h>

#include <chrono>
#include <cstring>
#include <random>

using namespace vkq;

namespace {

constexpr uint32_t kRowElements = 4096;

double wallSeconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double cpuSeconds() {
	rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1e-6 * double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void fillGaussian(uint16_t* weights, uint64_t count) {
	constexpr uint64_t kPattern = 1 << 20;   // repeated: the generator is slower than the encoders
	std::mt19937 random(1);
	std::normal_distribution<float> normal(0, 0.02f);
	for (uint64_t i = 0; i < std::min(count, kPattern); ++i) weights[i] = floatToHalf(normal(random));
	for (uint64_t i = kPattern; i < count; i += kPattern) std::memcpy(weights + i, weights, std::min(kPattern, count - i) * 2);
}

struct Options {
	std::string device;
	double millions = 32, seconds = 2;
	bool host = false, importance = false;
	Search search = Search::kReference;
	std::vector<std::string> types;
};

Result<void> measureDevice(vk::Device& device, TensorType type, const Options& options) {
	const double created = wallSeconds();
	VKQ_TRY(const Encoder encoder, Encoder::create(device, type, TensorType::F16, options.importance, options.search));
	const double pipeline_ms = (wallSeconds() - created) * 1e3;
	const uint32_t rows = std::min(uint32_t(options.millions * 1e6 / kRowElements), encoder.maxRows(kRowElements));
	const uint64_t weights = uint64_t(rows) * kRowElements;
	const uint64_t out_bytes = *typeBytes(type, weights);

	VKQ_TRY(const vk::Buffer source, vk::Buffer::create(device, weights * 2, vk::MemoryUse::Upload));
	VKQ_TRY(const vk::Buffer output, vk::Buffer::create(device, out_bytes, vk::MemoryUse::Download));
	VKQ_TRY(const vk::Buffer notes, vk::Buffer::create(device, encoder.notesBytes(rows, kRowElements), vk::MemoryUse::Download));
	VKQ_TRY(const vk::Buffer importance, vk::Buffer::create(device, kRowElements * 4, vk::MemoryUse::Upload));
	fillGaussian(reinterpret_cast<uint16_t*>(source.mapped()), weights);
	std::mt19937 random(2);
	std::uniform_real_distribution<float> uniform(0.1f, 2.0f);
	for (uint32_t i = 0; i < kRowElements; ++i) reinterpret_cast<float*>(importance.mapped())[i] = uniform(random);
	std::memset(output.mapped(), 0, out_bytes);

	EncodeSlab slab{.source = source, .output = output, .notes = notes, .importance = importance, .rows = 1, .row_elements = kRowElements};
	VKQ_TRY(auto commands, vk::CommandBuffer::create(device));
	const auto run = [&]() -> Result<void> {
		clearNotes(notes.mapped());
		VKQ_CHECK(commands.begin());
		VKQ_CHECK(encoder.record(commands, slab));
		return commands.submitAndWait();
	};
	const double before_first = wallSeconds();
	VKQ_CHECK(run());
	const double first_ms = (wallSeconds() - before_first) * 1e3;

	slab.rows = rows;
	const double wall = wallSeconds(), cpu = cpuSeconds();
	double best = 0;
	int rounds = 0;
	do {
		const double before = cpuSeconds();
		VKQ_CHECK(run());
		best = std::max(best, double(weights) / (cpuSeconds() - before));
		++rounds;
	} while (wallSeconds() - wall < options.seconds);
	const double wall_rate = double(weights) * rounds / (wallSeconds() - wall), cpu_rate = double(weights) * rounds / (cpuSeconds() - cpu);
	fmt::print("{:8} {:>9.1f} {:>9.1f} {:>10.1f} {:>12.1f} {:>8.1f} {:>8.2f}\n", typeName(type), pipeline_ms, first_ms, wall_rate * 1e-6, cpu_rate * 1e-6, best * 1e-6,
	           wall_rate * double(weights * 2 + out_bytes) / double(weights) * 1e-9);
	std::fflush(stdout);
	return {};
}

void measureHost(TensorType type, const Options& options) {
	std::vector<uint16_t> halves(kRowElements * 64);
	fillGaussian(halves.data(), halves.size());
	std::vector<float> weights(halves.size()), importance(kRowElements);
	for (size_t i = 0; i < halves.size(); ++i) weights[i] = halfToFloat(halves[i]);
	std::mt19937 random(2);
	std::uniform_real_distribution<float> uniform(0.1f, 2.0f);
	for (float& value : importance) value = uniform(random);
	std::vector<std::byte> out(*typeBytes(type, kRowElements));
	const double wall = wallSeconds(), cpu = cpuSeconds();
	uint64_t done = 0;
	double best = 0;
	do {
		const double before = cpuSeconds();
		for (size_t row = 0; row < halves.size(); row += kRowElements, done += kRowElements)
			encodeRow(type, weights.data() + row, kRowElements, options.importance ? importance.data() : nullptr, out.data(), options.search);
		best = std::max(best, double(halves.size()) / (cpuSeconds() - before));
	} while (wallSeconds() - wall < options.seconds);
	fmt::print("{:8} {:>9} {:>9} {:>10.1f} {:>12.1f} {:>8.1f}\n", typeName(type), "", "", double(done) / (wallSeconds() - wall) * 1e-6, double(done) / (cpuSeconds() - cpu) * 1e-6, best * 1e-6);
}

Result<void> measure(const Options& options) {
	std::vector<TensorType> types;
	for (const TypeInfo& info : allTypes()) {
		const bool wanted = options.types.empty() || std::any_of(options.types.begin(), options.types.end(), [&](const std::string& name) { return typeFromName(name) == info.type; });
		if (wanted && Encoder::supports(info.type, TensorType::F16, options.search) && (options.search == Search::kReference || hasBestSearch(info.type)) &&
		    (!options.importance || usesImportance(info.type, options.search)))
			types.push_back(info.type);
	}
	fmt::print("{:8} {:>9} {:>9} {:>10} {:>12} {:>8} {:>8}\n", "type", "make ms", "first ms", "Mweights/s", "per CPU s", "best", "GB/s");
	if (options.host) {
		for (const TensorType type : types) measureHost(type, options);
		return {};
	}
	VKQ_TRY(auto device, vk::Device::open(options.device));
	fmt::print("{}, {}\n", device->info().name, device->info().driver);
	for (const TensorType type : types) VKQ_CHECK(measureDevice(*device, type, options));
	return {};
}

}  // namespace

int main(int argc, char** argv) {
	Options options;
	CLI::App app("Speed of the encode shaders, F16 in");
	app.add_option("--device", options.device, "index, name or UUID");
	app.add_option("--weights", options.millions, "millions of weights a slab")->capture_default_str();
	app.add_option("--seconds", options.seconds, "of measurement for each type")->capture_default_str();
	app.add_flag("--host", options.host, "measure the host encoder instead, one thread");
	app.add_flag_callback("--best", [&options] { options.search = Search::kBest; }, "measure the best search of types that have one");
	app.add_flag("--importance", options.importance, "with an importance matrix");
	app.add_option("TYPE", options.types, "types to measure (all)");
	CLI11_PARSE(app, argc, argv);
	if (const auto measured = measure(options); !measured) {
		fmt::print(stderr, "encode_bench: {}\n", measured.error().message);
		return 1;
	}
	return 0;
}
