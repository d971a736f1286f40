// vkbench kernels: products of every type and shape: time, GB/s of weights, share of the measured copy bandwidth, GFLOP/s.
//
// A sample is one submission that passes over at least --megabytes of weights (as many copies of the matrix as that takes, so that no
// cache holds them); the best of --repeat samples counts, because other load on the machine only ever adds time.
#include "bench/sample.h"
#include "bench/vkbench.h"

#include "core/bytes.h"
#include "kernels/product.h"
#include "quant/device_layout.h"
#include "shaders/shared/copy_words.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace vkq::bench {

namespace {

using namespace vkq::vk;

struct Options {
	std::string device, variant;
	std::vector<std::string> types{"Q4_K", "Q6_K", "Q8_0", "F16"};
	std::vector<std::string> shapes{"2048x2048", "2048x8192", "8192x2048"};
	std::vector<uint32_t> vectors{1, 8, 64};
	std::string arithmetic = "both";
	uint32_t repeat = 5;
	uint64_t megabytes = 256;
	bool json = false;
};

struct Shape {
	uint32_t columns, rows;
};

struct Row {
	TensorType type;
	Shape shape;
	uint32_t vectors;
	bool integer;
	Sample time;            // of one product
	double weight_bytes;
};

Result<Shape> parseShape(const std::string& text) {
	unsigned columns = 0, rows = 0;
	char rest;
	if (std::sscanf(text.c_str(), "%ux%u%c", &columns, &rows, &rest) != 2 || !columns || !rows)
		return fail(ErrorCode::kUsage, fmt::format("'{}' is no shape", text), "write COLUMNSxROWS, for example 2048x8192");
	return Shape{columns, rows};
}

/// Bytes a second, read and written together.
Result<double> copyBandwidth(Device& device, const Options& options) {
	const uint64_t bytes = std::min<uint64_t>(alignUp(options.megabytes << 19, 16), device.limits().storage_range / 16 * 16);
	VKQ_TRY(auto from, Buffer::create(device, bytes, MemoryUse::Device));
	VKQ_TRY(auto to, Buffer::create(device, bytes, MemoryUse::Device));
	constexpr uint32_t kLanes = 256;
	VKQ_TRY(const Pipeline* pipeline, device.pipeline({.shader = ShaderId::copy_words, .constants = {kLanes}}));
	VKQ_TRY(auto commands, CommandBuffer::create(device));
	VKQ_CHECK(commands.begin());
	const uint32_t groups = uint32_t(std::min<uint64_t>(divideUp(bytes / 16, kLanes), 4096));
	commands.dispatch(*pipeline, {from, to}, shader::CopyWordsPush{uint32_t(bytes / 16)}, {groups});
	VKQ_TRY(const Sample best, sample(commands, std::min(options.repeat, 20u)));
	return 2.0 * double(bytes) / best.wall;
}

/// Words that are harmless as codes, as halves and as floats.
void fillWeights(std::byte* at, uint64_t bytes) {
	auto* words = reinterpret_cast<uint32_t*>(at);
	uint32_t state = 1;
	for (uint64_t i = 0; i < bytes / 4; ++i) words[i] = (state = state * 1664525 + 1013904223) & 0x33ff33ff;
}

Result<Row> measure(const Kernels& kernels, const Options& options, TensorType type, Shape shape, uint32_t vectors, bool integer) {
	Device& device = *kernels.device;
	const auto layout = deviceLayout(type, shape.columns, shape.rows, kernels.variant.interleave);
	if (!layout || layout->bytes > device.limits().storage_range)
		return fail(ErrorCode::kUsage, fmt::format("a matrix {} x {} of {} does not suit the type or the device", shape.columns, shape.rows, typeName(type)));
	const uint64_t copies = std::max<uint64_t>(1, (options.megabytes << 20) / layout->bytes);
	const uint64_t stride = alignUp(layout->bytes, std::max<uint64_t>(device.limits().storage_alignment, 256));
	VKQ_TRY(auto staging, Buffer::create(device, stride, MemoryUse::Upload));
	fillWeights(staging.mapped(), stride);
	const uint64_t per_buffer = std::max<uint64_t>(1, device.limits().allocation / 2 / stride);
	std::vector<Buffer> buffers;
	VKQ_TRY(auto upload, CommandBuffer::create(device));
	VKQ_CHECK(upload.begin());
	for (uint64_t i = 0; i < copies; ++i) {
		if (i % per_buffer == 0) {
			VKQ_TRY(auto buffer, Buffer::create(device, std::min(per_buffer, copies - i) * stride, MemoryUse::Device));
			buffers.push_back(std::move(buffer));
		}
		upload.copy(staging, 0, buffers.back(), i % per_buffer * stride, stride);
	}
	VKQ_CHECK(upload.submitAndWait());

	VKQ_TRY(auto x, Buffer::create(device, uint64_t(vectors) * shape.columns * 4, MemoryUse::Upload));
	for (uint64_t i = 0; i < uint64_t(vectors) * shape.columns; ++i) reinterpret_cast<float*>(x.mapped())[i] = float(int(i * 7919 % 201) - 100) * 0.01f;
	VKQ_TRY(auto quantized, Buffer::create(device, std::max<uint64_t>(quantizedActivationBytes(shape.columns, vectors), 4), MemoryUse::Device));
	VKQ_TRY(auto y, Buffer::create(device, uint64_t(vectors) * shape.rows * 4, MemoryUse::Device));

	VKQ_TRY(auto commands, CommandBuffer::create(device));
	VKQ_CHECK(commands.begin());
	Vectors input{x};
	if (integer) {
		VKQ_CHECK(quantizeActivations(kernels, commands, input, shape.columns, vectors, quantized));
		commands.barrier();
		input = {quantized, 0, true};
	}
	for (uint64_t i = 0; i < copies; ++i) {
		const Matrix matrix{type, shape.columns, shape.rows, 1, {{BufferView(buffers[i / per_buffer], i % per_buffer * stride, layout->bytes), 0, shape.rows}}};
		VKQ_CHECK(multiply(kernels, commands, Product{&matrix, {y}}, input, vectors));
		commands.barrier();
	}
	Row row{type, shape, vectors, integer, {}, double(layout->bytes)};
	VKQ_TRY(row.time, sample(commands, options.repeat));
	row.time.wall /= double(copies);
	row.time.cpu /= double(copies);
	row.time.first = std::max(0.0, row.time.first - row.time.wall * double(copies));   // the rest is the driver compiling
	return row;
}

Result<void> run(const Options& options) {
	VKQ_TRY(auto device, Device::open(options.device));
	VKQ_TRY(const Kernels kernels, Kernels::create(*device, options.variant));
	VKQ_TRY(const double copy, copyBandwidth(*device, options));
	nlohmann::json json{{"device", device->info().name}, {"driver", device->info().driver}, {"variant", kernels.variant.name}, {"copy_GBps", copy * 1e-9}, {"products", nlohmann::json::array()}};
	if (!options.json) {
		fmt::print("device   {}\ndriver   {}\nvariant  {}: {}\ncopy     {:.1f} GB/s (read + written)\n\n", device->info().name, device->info().driver, kernels.variant.name,
		           kernels.variant.description, copy * 1e-9);
		fmt::print("{:<7} {:>13} {:>7} {:<7} {:>11} {:>8} {:>7} {:>9} {:>10} {:>9}\n", "type", "columns x rows", "vectors", "inputs", "microsec", "GB/s", "of copy", "GFLOP/s",
		           "cpu microsec", "first ms");
		std::fflush(stdout);
	}
	for (const std::string& name : options.types) {
		const auto type = typeFromName(name);
		if (!type || !typeInfo(*type).has_codec) return fail(ErrorCode::kUsage, fmt::format("there are no kernels for a type '{}'", name));
		for (const std::string& text : options.shapes) {
			VKQ_TRY(const Shape shape, parseShape(text));
			for (const uint32_t vectors : options.vectors)
				for (const bool integer : {false, true}) {
					if (integer && (!hasIntegerProduct(*type) || options.arithmetic == "floats")) continue;
					if (!integer && hasIntegerProduct(*type) && options.arithmetic == "8bits") continue;
					VKQ_TRY(const Row row, measure(kernels, options, *type, shape, vectors, integer));
					const double rate = row.weight_bytes / row.time.wall, flops = 2.0 * shape.columns * shape.rows * vectors / row.time.wall;
					json["products"].push_back({{"type", typeName(*type)}, {"columns", shape.columns}, {"rows", shape.rows}, {"vectors", vectors},
					                            {"inputs", integer ? "8bits" : "floats"}, {"seconds", row.time.wall}, {"cpu_seconds", row.time.cpu},
					                            {"first_seconds", row.time.first}, {"GBps", rate * 1e-9}, {"share_of_copy", rate / copy}, {"GFLOPps", flops * 1e-9}});
					if (!options.json)
						fmt::print("{:<7} {:>13} {:>7} {:<7} {:>11.1f} {:>8.2f} {:>6.0f}% {:>9.1f} {:>10.1f} {:>9.0f}\n", typeName(*type), text, vectors, integer ? "8 bits" : "floats",
						           row.time.wall * 1e6, rate * 1e-9, 100 * rate / copy, flops * 1e-9, row.time.cpu * 1e6, row.time.first * 1e3);
					std::fflush(stdout);
				}
		}
	}
	if (options.json) fmt::print("{}\n", json.dump(1, '\t'));
	return {};
}

}  // namespace

Part kernelsPart(CLI::App& app) {
	auto options = std::make_shared<Options>();
	CLI::App* command = app.add_subcommand("kernels", "Products: GB/s, share of copy bandwidth, GFLOP/s");
	command->footer("Example: vkbench kernels --types Q4_K,Q6_K --shapes 2048x8192 --vectors 1,32");
	command->add_option("--device", options->device, "Index, UUID or part of the name");
	command->add_option("--variant", options->variant, "Kernel variant (vkinfo --devices lists them)");
	command->add_option("--types", options->types, "Weight types")->delimiter(',')->capture_default_str();
	command->add_option("--shapes", options->shapes, "COLUMNSxROWS")->delimiter(',')->capture_default_str();
	command->add_option("--vectors", options->vectors, "How many vectors at once")->delimiter(',')->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_option("--inputs", options->arithmetic, "Inputs as floats, 8bits or both")->check(CLI::IsMember({"floats", "8bits", "both"}))->capture_default_str();
	command->add_option("--repeat", options->repeat, "Samples; the best counts")->check(CLI::Range(1, 1000))->capture_default_str();
	command->add_option("--megabytes", options->megabytes, "Weights that a sample passes over")->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_flag("--json", options->json, "JSON instead of a table");
	return {command, [options] { return run(*options); }};
}

}  // namespace vkq::bench
