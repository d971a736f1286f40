#include "planner/device_layout.h"
#include "planner/pieces.h"
#include "planner/solve.h"
#include "requests.h"

#include <algorithm>
#include <map>

using namespace vkq;
using test::deviceWith;
using test::requestFor;
using test::softwareDevice;

namespace {

Plan solved(const Request& request) {
	auto plan = solve(request);
	EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.error().message);
	return plan.ok() ? *plan : Plan{};
}

std::map<ScratchId, std::pair<Step, Step>> livesOf(const Request& request, bool has_head) {
	std::map<ScratchId, std::pair<Step, Step>> lives;
	for (const ScratchBuffer& b : scratchBuffers(request.model, {request.batch, request.logit_rows, request.context, has_head})) lives[b.id] = {b.first, b.last};
	return lives;
}

/// Everything that must hold of any plan that fits.
void expectSound(const Request& request, const Plan& plan) {
	ASSERT_TRUE(plan.fits) << plan.reason;
	std::vector<uint64_t> heap_sums(plan.heaps.size());
	for (const Block& block : plan.blocks) {
		const DeviceSpec& device = request.devices[block.device];
		EXPECT_LE(block.bytes, device.max_allocation);
		EXPECT_EQ(block.bytes % device.granularity, 0u);
		heap_sums[block.heap] += block.bytes;
	}
	for (size_t i = 0; i < plan.heaps.size(); ++i) {
		EXPECT_EQ(heap_sums[i], plan.heaps[i].planned) << plan.heaps[i].name;
		EXPECT_LE(plan.heaps[i].planned, plan.heaps[i].available) << plan.heaps[i].name;
	}

	std::vector<Placement> sorted = plan.placements;
	std::sort(sorted.begin(), sorted.end(), [](const Placement& a, const Placement& b) { return std::tie(a.block, a.offset) < std::tie(b.block, b.offset); });
	for (size_t i = 0; i < sorted.size(); ++i) {
		const Placement& p = sorted[i];
		const DeviceSpec& device = request.devices[p.device];
		EXPECT_EQ(p.offset % device.offset_alignment, 0u);
		EXPECT_LE(p.offset + p.bytes, plan.blocks[p.block].bytes);
		EXPECT_EQ(plan.blocks[p.block].device, p.device);
		if (p.what != What::Staging) {
			EXPECT_LE(p.bytes, device.max_storage_range);
		}
		for (size_t j = i + 1; j < sorted.size() && sorted[j].block == p.block && sorted[j].offset < p.offset + p.bytes; ++j) {
			const Placement& q = sorted[j];
			ASSERT_TRUE(p.what == What::Scratch && q.what == What::Scratch) << "only scratch may share memory";
			const auto lives = livesOf(request, plan.output_device == p.device);
			const auto a = lives.at(ScratchId(p.index)), b = lives.at(ScratchId(q.index));
			EXPECT_TRUE(a.second < b.first || b.second < a.first) << scratchName(ScratchId(p.index)) << " and " << scratchName(ScratchId(q.index));
		}
	}

	// Every weight that a device computes with lies there once, whole, in pieces of the size that repacking makes.
	for (uint32_t index = 0; index < request.tensors.size(); ++index) {
		const TensorInfo& tensor = request.tensors[index];
		const auto pieces = findPlacements(plan, What::Weight, index);
		if ((tensor.name == "token_embd.weight" && !request.model.tied_embeddings) || tensor.name.starts_with("rope_")) {
			EXPECT_TRUE(pieces.empty()) << tensor.name;
			continue;
		}
		if (tensor.dimensions == 1) {
			ASSERT_EQ(pieces.size(), 1u) << tensor.name;
			EXPECT_GE(pieces[0]->bytes, tensor.elements() * 4);
			continue;
		}
		uint64_t next = 0;
		for (const Placement* piece : pieces) {
			EXPECT_EQ(piece->first, next) << tensor.name;
			const uint32_t interleave = request.devices[piece->device].interleave;
			EXPECT_EQ(piece->bytes, deviceLayout(tensor.type, tensor.ne[0], piece->count, interleave)->bytes);
			const uint64_t expert = piece->first / tensor.ne[1], last_expert = (piece->first + piece->count - 1) / tensor.ne[1];
			const bool whole_experts = piece->first % tensor.ne[1] == 0 && piece->count % tensor.ne[1] == 0;
			EXPECT_TRUE(whole_experts || expert == last_expert) << tensor.name;
			next += piece->count;
		}
		EXPECT_EQ(next, tensor.rows()) << tensor.name;
	}
	for (uint32_t layer = 0; layer < request.model.n_layer; ++layer) {
		for (const What what : {What::KCache, What::VCache}) {
			uint64_t heads = 0;
			for (const Placement* piece : findPlacements(plan, what, layer)) {
				EXPECT_EQ(piece->first, heads);
				heads += piece->count;
			}
			EXPECT_EQ(heads, request.model.n_head_kv);
		}
	}
	uint32_t layers = 0;
	for (const LayerRange& range : plan.layers) {
		EXPECT_LE(range.offloaded, range.count);
		layers += range.count;
	}
	EXPECT_EQ(layers, request.model.n_layer);
}

TEST(Solve, LaysOutEveryKnownShapeSoundly) {
	for (const ModelShape& shape : knownShapes()) {
		for (const DeviceSpec& device : {deviceWith(1024 * kGiB), softwareDevice(1024 * kGiB)}) {
			for (const TensorType kv : {TensorType::F16, TensorType::Q8_0}) {
				Request request = requestFor(shape.size, "Q4_K_M", device);
				request.k_type = kv;
				SCOPED_TRACE(shape.name + " on " + device.name);
				expectSound(request, solved(request));
			}
		}
	}
}

TEST(Solve, SplitsTensorsThatExceedTheDevicesRange) {
	const Request request = requestFor("8", "F16", softwareDevice(64 * kGiB));   // the head alone is 1 GiB
	const Plan plan = solved(request);
	const auto head = std::find_if(request.tensors.begin(), request.tensors.end(), [](const TensorInfo& t) { return t.name == "output.weight"; });
	EXPECT_EQ(findPlacements(plan, What::Weight, uint32_t(head - request.tensors.begin())).size(), 8u);
	EXPECT_GT(plan.blocks.size(), 6u) << "no block may exceed 2 GiB";
}

TEST(Solve, CutsStacksOfExpertsBetweenExperts) {
	const Request request = requestFor("8x7", "F16", softwareDevice(128 * kGiB));   // 112 MiB an expert
	expectSound(request, solved(request));
	const Request larger = requestFor("8x22", "F16", softwareDevice(512 * kGiB));    // 192 MiB an expert: cut inside
	expectSound(larger, solved(larger));
}

TEST(Solve, CutsLongCachesByHeads) {
	Request request = requestFor("8", "Q4_K_M", softwareDevice(64 * kGiB));
	request.context = 131072;   // 32 MiB a head
	const Plan plan = solved(request);
	expectSound(request, plan);
	EXPECT_EQ(findPlacements(plan, What::KCache, 0).size(), 2u);
}

TEST(Solve, RefusesContextsWhoseCacheCannotBeBound) {
	Request request = requestFor("8", "Q4_K_M", softwareDevice(1024 * kGiB));
	request.context = 1u << 20;   // 256 MiB a head
	const Plan plan = solved(request);
	EXPECT_FALSE(plan.fits);
	EXPECT_EQ(plan.missing, 0u) << "more memory would not help";
	EXPECT_NE(plan.reason.find("context"), std::string::npos) << plan.reason;
}

TEST(Solve, FitsAtExactlyItsOwnSizeAndNotOneGranuleBelow) {
	for (const char* size : {"0.5", "7", "2", "30A3"}) {
		Request request = requestFor(size, "Q4_K_M", deviceWith(256 * kGiB));
		const uint64_t needed = solved(request).heaps[0].planned;
		request.devices[0].available = needed;
		expectSound(request, solved(request));
		request.devices[0].available = needed - 1;
		const Plan plan = solved(request);
		EXPECT_FALSE(plan.fits);
		EXPECT_EQ(plan.missing, 1u);
	}
}

TEST(Solve, LeavesTheReserveAlone) {
	Request request = requestFor("7", "Q4_K_M", deviceWith(256 * kGiB));
	const uint64_t needed = solved(request).heaps[0].planned;
	request.devices[0].available = needed + 100 * kMiB;
	request.reserve = 100 * kMiB;
	EXPECT_TRUE(solved(request).fits);
	request.reserve = 100 * kMiB + 1;
	EXPECT_FALSE(solved(request).fits);
}

TEST(Solve, SizesTheCacheOfGroupedHeadsAndWindows) {
	Request request = requestFor("27", "Q4_K_M", deviceWith(256 * kGiB));   // 62 layers, every sixth full, window 1024
	request.context = 32768;
	const Plan plan = solved(request);
	const uint64_t row = 128 * 2, heads = 16;
	EXPECT_EQ(plan.k_bytes, heads * row * (10ull * 32768 + 52ull * (1024 + 512)));
	EXPECT_EQ(plan.v_bytes, plan.k_bytes);
	request.v_type = TensorType::Q8_0;
	const Plan mixed = solved(request);
	EXPECT_EQ(mixed.k_bytes, plan.k_bytes);
	EXPECT_EQ(mixed.v_bytes, plan.k_bytes / 32 * 17);
}

TEST(Solve, PrefersTheFastestDeviceThatHoldsEverything) {
	Request request = requestFor("7", "Q4_K_M", deviceWith(24 * kGiB, "slow"));
	request.devices[0].bandwidth = 300e9;
	request.devices.push_back(deviceWith(12 * kGiB, "fast"));
	request.devices[1].bandwidth = 900e9;
	request.devices.push_back(deviceWith(2 * kGiB, "tiny"));
	request.devices[2].bandwidth = 2000e9;
	const Plan plan = solved(request);
	expectSound(request, plan);
	ASSERT_EQ(plan.layers.size(), 1u);
	EXPECT_EQ(plan.layers[0].device, 1u);
}

TEST(Solve, SplitsLayersWhenNoDeviceHoldsAll) {
	Request request = requestFor("13", "Q8_0", deviceWith(12 * kGiB, "A"));
	request.devices.push_back(deviceWith(8 * kGiB, "B"));
	const Plan plan = solved(request);
	expectSound(request, plan);
	ASSERT_EQ(plan.layers.size(), 2u);
	EXPECT_EQ(plan.layers[1].first, plan.layers[0].count);
	EXPECT_EQ(plan.output_device, 1u);
	// The head lies on one device only.
	const auto head = std::find_if(request.tensors.begin(), request.tensors.end(), [](const TensorInfo& t) { return t.name == "output.weight"; });
	for (const Placement* piece : findPlacements(plan, What::Weight, uint32_t(head - request.tensors.begin()))) EXPECT_EQ(piece->device, 1u);
}

TEST(Solve, KeepsLayersOnTheHostOnlyWhenAllowed) {
	Request request = requestFor("13", "Q8_0", deviceWith(8 * kGiB));
	EXPECT_FALSE(solved(request).fits);
	request.offload = Offload::Layers;
	const Plan plan = solved(request);
	expectSound(request, plan);
	ASSERT_EQ(plan.layers.size(), 1u);
	EXPECT_GT(plan.layers[0].offloaded, 0u);
	EXPECT_FALSE(plan.output_offloaded);
	EXPECT_GT(plan.offloaded_weight_bytes, 5 * kGiB);
	// One layer fewer on the host would not fit: the device is filled.
	EXPECT_GT(plan.heaps[0].planned + plan.offloaded_weight_bytes / plan.layers[0].offloaded, plan.heaps[0].available);
}

TEST(Solve, RespectsTheHostsMemory) {
	Request request = requestFor("13", "Q8_0", deviceWith(8 * kGiB));
	request.offload = Offload::Layers;
	request.host_available = 4 * kGiB;
	const Plan plan = solved(request);
	EXPECT_FALSE(plan.fits);
	EXPECT_GT(plan.missing, 0u);
}

TEST(Solve, CountsTiedEmbeddingsOnceOnTheDevice) {
	const Request tied = requestFor("1", "Q8_0", deviceWith(16 * kGiB));
	ASSERT_TRUE(tied.model.tied_embeddings);
	const Plan plan = solved(tied);
	expectSound(tied, plan);
	EXPECT_GT(plan.weight_bytes, dataBytes(tied.tensors) - kMiB);
}

TEST(Solve, RefusesRequestsThatMakeNoSense) {
	const Request good = requestFor("7", "Q4_K_M", deviceWith(16 * kGiB));
	const auto code = [](const Request& request) {
		const auto plan = solve(request);
		return plan.ok() ? ErrorCode::kIo : plan.error().code;
	};
	Request request = good;
	request.devices.clear();
	EXPECT_EQ(code(request), ErrorCode::kUsage);
	request = good;
	request.context = 0;
	EXPECT_EQ(code(request), ErrorCode::kUsage);
	request = good;
	request.batch = 0;
	EXPECT_EQ(code(request), ErrorCode::kUsage);
	request = good;
	request.k_type = TensorType::Q4_K;
	EXPECT_EQ(code(request), ErrorCode::kUsage);
	request = good;
	request.devices[0].granularity = 3;
	EXPECT_EQ(code(request), ErrorCode::kUsage);
	request = good;
	request.tensors.back().type = TensorType::IQ2_XS;
	EXPECT_EQ(code(request), ErrorCode::kUnsupported);
	request = good;
	request.model.head_dim = 100;
	request.v_type = TensorType::Q8_0;
	EXPECT_EQ(code(request), ErrorCode::kUsage);
}

TEST(Solve, SaysThatABatchOfLogitsCannotBeBound) {
	Request request = requestFor("8", "Q4_K_M", softwareDevice(64 * kGiB));
	request.logit_rows = 512;   // x 128,256 x 4 bytes = 250 MiB
	const Plan plan = solved(request);
	EXPECT_FALSE(plan.fits);
	EXPECT_NE(plan.reason.find("logits"), std::string::npos) << plan.reason;
}

TEST(LargestContext, IsTheLargest) {
	Request request = requestFor("7", "Q6_K", deviceWith(8 * kGiB));
	const uint32_t most = largestContext(request, 32768);
	EXPECT_GT(most, 8192u);
	EXPECT_LT(most, 32768u);
	EXPECT_EQ(most % kCellAlignment, 0u);
	request.context = most;
	EXPECT_TRUE(solved(request).fits);
	request.context = most + kCellAlignment;
	EXPECT_FALSE(solved(request).fits);
}

TEST(LargestContext, IsTheLimitWhenThatFitsAndZeroWhenNothingDoes) {
	EXPECT_EQ(largestContext(requestFor("0.5", "Q4_K_M", deviceWith(8 * kGiB)), 32768), 32768u);
	EXPECT_EQ(largestContext(requestFor("0.5", "Q4_K_M", deviceWith(8 * kGiB)), 1001), 1001u);
	EXPECT_EQ(largestContext(requestFor("70", "Q4_K_M", deviceWith(8 * kGiB)), 32768), 0u);
}

TEST(CacheCells, RoundUpAndStopAtTheWindow) {
	EXPECT_EQ(cacheCells(1, 512, 0), 32u);
	EXPECT_EQ(cacheCells(4096, 512, 0), 4096u);
	EXPECT_EQ(cacheCells(4096, 512, 1024), 1536u);
	EXPECT_EQ(cacheCells(1000, 512, 1024), 1024u);
	EXPECT_EQ(cacheCells(UINT32_MAX, 512, UINT32_MAX), uint64_t(UINT32_MAX) + 1);
}

TEST(WeightBytes, AreWhatAPlanGrowsBy) {
	DeviceSpec device = deviceWith(200 * kGiB);
	device.max_allocation = device.max_storage_range = 100 * kGiB;
	const auto heapAndWeights = [&](const Request& request) {
		uint64_t weights = 0;
		for (const TensorInfo& tensor : request.tensors) weights += *weightBytes(request.model, tensor, device);
		return std::pair{solved(request).heaps[0].planned, weights};
	};
	for (const char* size : {"0.5", "8x7"}) {   // tied embeddings; experts
		const Request small = requestFor(size, "Q4_K_M", device);
		Request large = small;
		std::vector<TensorType> types;
		for (const TensorInfo& tensor : large.tensors) types.push_back(tensor.dimensions > 1 ? TensorType::Q8_0 : tensor.type);
		large.tensors = *tensorsWith(small.tensors, types);
		const auto [small_heap, small_weights] = heapAndWeights(small);
		const auto [large_heap, large_weights] = heapAndWeights(large);
		EXPECT_GT(large_weights, small_weights);
		EXPECT_LT(large_heap - small_heap, large_weights - small_weights + device.granularity) << size;
		EXPECT_GT(large_heap - small_heap + device.granularity, large_weights - small_weights) << size;
	}
}

TEST(TensorsWith, RefusesTypesThatDoNotSuit) {
	const Request request = requestFor("0.5", "F16", deviceWith(kGiB));
	EXPECT_FALSE(tensorsWith(request.tensors, std::vector<TensorType>(3)).ok()) << "a type for each tensor";
	std::vector<TensorType> types(request.tensors.size(), TensorType::Q4_K);   // rows of 896 elements are not whole blocks of 256
	EXPECT_FALSE(tensorsWith(request.tensors, types).ok());
}

}  // namespace
