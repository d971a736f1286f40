#include "kernels/device_layout.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

using namespace vkq;

TEST(DeviceLayout, KeepsPlanesAlignedAndApart) {
	for (const TypeInfo& info : allTypes()) {
		if (!info.has_codec) continue;
		const auto layout = deviceLayout(info.type, info.block_elements * 3, 21, 8);
		ASSERT_TRUE(layout) << info.name;
		EXPECT_EQ(layout->padded_rows, 24u);
		uint64_t end = 0;
		for (uint32_t plane = 0; plane < kPlanes; ++plane) {
			EXPECT_EQ(layout->plane_offset[plane] % kPlaneAlignment, 0u) << info.name;
			EXPECT_GE(layout->plane_offset[plane], end) << info.name;
			EXPECT_EQ(layout->plane_bytes[plane], layout->padded_rows * layout->row_words[plane] * 4) << info.name;
			end = layout->plane_offset[plane] + layout->plane_bytes[plane];
		}
		EXPECT_EQ(layout->bytes, (end + kPlaneAlignment - 1) / kPlaneAlignment * kPlaneAlignment) << info.name;
	}
}

TEST(DeviceLayout, TakesHardlyMoreThanTheFile) {
	for (const TypeInfo& info : allTypes()) {
		if (!info.has_codec) continue;
		const auto layout = deviceLayout(info.type, 4096, 4096, 32);
		ASSERT_TRUE(layout);
		EXPECT_LE(double(layout->bytes), double(*typeBytes(info.type, 4096 * 4096)) * 1.056) << info.name;
	}
}

TEST(DeviceLayout, RefusesWhatIsNoMatrix) {
	EXPECT_FALSE(deviceLayout(TensorType::Q4_K, 128, 8, 8));
	EXPECT_FALSE(deviceLayout(TensorType::F32, 0, 8, 8));
	EXPECT_FALSE(deviceLayout(TensorType::F32, 8, 0, 8));
	EXPECT_FALSE(deviceLayout(TensorType::F32, uint64_t(1) << 40, uint64_t(1) << 40, 8));
	EXPECT_FALSE(deviceLayout(TensorType::F16, 2, UINT64_MAX, 8));
}

TEST(DeviceLayout, InterleavesWordsOfARowGroup) {
	std::vector<float> rows(5 * 3);
	for (size_t i = 0; i < rows.size(); ++i) rows[i] = float(10 * (i / 3) + i % 3);   // row r, column c: 10 r + c
	const auto layout = deviceLayout(TensorType::F32, 3, 5, 4);
	ASSERT_TRUE(layout);
	std::vector<float> out(layout->bytes / 4, -1.0f);
	repackRows(TensorType::F32, *layout, 3, 4, 0, 5, reinterpret_cast<const std::byte*>(rows.data()), reinterpret_cast<std::byte*>(out.data()));
	const std::vector<float> expected{0, 10, 20, 30, 1, 11, 21, 31, 2, 12, 22, 32, 40, 0, 0, 0, 41, 0, 0, 0, 42, 0, 0, 0};
	EXPECT_EQ(out, expected);
}

TEST(DeviceLayout, SlabsGiveWhatTheWholeGives) {
	constexpr uint64_t kColumns = 512, kRows = 27;
	for (const TypeInfo& info : allTypes()) {
		if (!info.has_codec) continue;
		const uint64_t row_bytes = *typeBytes(info.type, kColumns);
		std::vector<std::byte> file(row_bytes * kRows);
		for (size_t i = 0; i < file.size(); ++i) file[i] = std::byte(i * 2654435761u >> 13);
		const auto layout = deviceLayout(info.type, kColumns, kRows, 8);
		ASSERT_TRUE(layout);
		std::vector<std::byte> whole(layout->bytes), slabs(layout->bytes);
		repackRows(info.type, *layout, kColumns, 8, 0, kRows, file.data(), whole.data());
		for (const auto& [first, count] : {std::pair{16, 11}, {0, 8}, {8, 8}})
			repackRows(info.type, *layout, kColumns, 8, uint64_t(first), uint64_t(count), file.data() + uint64_t(first) * row_bytes, slabs.data());
		EXPECT_EQ(whole, slabs) << info.name;
	}
}
