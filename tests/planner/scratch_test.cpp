#include "planner/pieces.h"
#include "requests.h"

#include <algorithm>

using namespace vkq;

namespace {

TEST(Scratch, GrowsWithTheBatchAndNotWithTheContextBeyondItsSplits) {
	const Hyperparameters h = *hyperparameters(*shapeForSize("7"));
	std::vector<ArenaSlot> slots;
	const auto arena = [&](uint32_t batch, uint32_t context) { return layOutArena(scratchBuffers(h, {batch, 1, context, true}), 256, slots); };
	EXPECT_LT(arena(64, 4096), arena(512, 4096));
	EXPECT_EQ(arena(512, 65536), arena(512, 131072));
}

TEST(Scratch, HoldsLogitsOnlyWhereTheHeadIs) {
	const Hyperparameters h = *hyperparameters(*shapeForSize("7"));
	const auto has = [&](bool head, ScratchId id) {
		const auto buffers = scratchBuffers(h, {512, 1, 4096, head});
		return std::any_of(buffers.begin(), buffers.end(), [&](const ScratchBuffer& b) { return b.id == id; });
	};
	EXPECT_TRUE(has(true, ScratchId::Logits));
	EXPECT_FALSE(has(false, ScratchId::Logits));
	EXPECT_TRUE(has(false, ScratchId::Handover));
}

TEST(Scratch, NamesEveryBuffer) {
	for (uint32_t id = 0; id < kScratchCount; ++id) EXPECT_FALSE(scratchName(ScratchId(id)).empty()) << id;
}

TEST(Arena, OverlaysBuffersThatNeverMeet) {
	const std::vector<ScratchBuffer> buffers{
		{ScratchId::Query, 1000, Step::Projections, Step::Attention},
		{ScratchId::Gate, 800, Step::GateUp, Step::Down},
		{ScratchId::Residual, 100, Step::Embed, Step::Head},
	};
	std::vector<ArenaSlot> slots;
	EXPECT_EQ(layOutArena(buffers, 256, slots), 1124u);   // 1000 rounded up to 1024, then the residual
	for (const ArenaSlot& slot : slots) EXPECT_EQ(slot.offset, slot.buffer.id == ScratchId::Residual ? 1024u : 0u);
}

TEST(Arena, IsNoSmallerThanWhatIsAliveAtOnceAndNoLargerThanAll) {
	for (const ModelShape& shape : knownShapes()) {
		const auto buffers = scratchBuffers(*hyperparameters(shape), {512, 1, 4096, true});
		std::vector<ArenaSlot> slots;
		const uint64_t arena = layOutArena(buffers, 256, slots);
		uint64_t all = 0, peak = 0;
		for (uint32_t step = 0; step <= uint32_t(Step::Head); ++step) {
			uint64_t alive = 0;
			for (const ScratchBuffer& b : buffers) if (!b.host_visible && uint32_t(b.first) <= step && step <= uint32_t(b.last)) alive += b.bytes;
			peak = std::max(peak, alive);
		}
		for (const ScratchBuffer& b : buffers) if (!b.host_visible) all += alignUp(b.bytes, 256);
		EXPECT_GE(arena, peak) << shape.name;
		EXPECT_LE(arena, all) << shape.name;
		EXPECT_LE(arena, peak + peak / 4) << shape.name << ": the packing wastes more than a quarter";
	}
}

}  // namespace
