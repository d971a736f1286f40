// The sample model on the device: every tensor has the SHA-256 that the reference's tool gave it, for every file type.
#include "ggufio/gguf_reader.h"
#include "ggufio/imatrix_file.h"
#include "kernels/encoder.h"
#include "quant/codec.h"
#include "tests/quant/sha256.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <fstream>
#include <set>

using namespace vkq;

namespace {

const std::string kGolden = VKQ_SOURCE_DIR "/tests/golden/";

Result<std::vector<std::byte>> encode(vk::Device& device, TensorType type, const GgufFile& model, const TensorInfo& tensor, const std::vector<float>* importance) {
	VKQ_TRY(const Encoder encoder, Encoder::create(device, type, tensor.type, importance != nullptr));
	const auto rows = uint32_t(tensor.rows()), row_elements = uint32_t(tensor.ne[0]);
	const uint64_t out_bytes = *typeBytes(type, tensor.elements());
	VKQ_TRY(auto source, vk::Buffer::create(device, model.data(tensor).size(), vk::MemoryUse::Upload));
	VKQ_TRY(auto output, vk::Buffer::create(device, out_bytes, vk::MemoryUse::Download));
	VKQ_TRY(auto notes, vk::Buffer::create(device, encoder.notesBytes(rows, row_elements), vk::MemoryUse::Download));
	VKQ_TRY(auto columns, vk::Buffer::create(device, row_elements * sizeof(float), vk::MemoryUse::Upload));
	std::memcpy(source.mapped(), model.data(tensor).data(), model.data(tensor).size());
	if (importance) std::memcpy(columns.mapped(), importance->data(), row_elements * sizeof(float));
	clearNotes(notes.mapped());
	VKQ_TRY(auto commands, vk::CommandBuffer::create(device));
	VKQ_CHECK(commands.begin());
	VKQ_CHECK(encoder.record(commands, {.source = source, .output = output, .notes = notes, .importance = columns, .rows = rows, .row_elements = row_elements}));
	VKQ_CHECK(commands.submitAndWait());
	VKQ_CHECK(encoder.repair(notes.mapped(), source.mapped(), importance ? importance->data() : nullptr, rows, row_elements, output.mapped()));
	return std::vector<std::byte>(output.mapped(), output.mapped() + out_bytes);
}

}  // namespace

TEST(DeviceEncoders, GiveTheReferencesBytesForEveryTensorOfEveryFileType) {
	auto device = vk::Device::open();
	ASSERT_TRUE(device.ok()) << device.error().message;
	const auto model = GgufFile::open(VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf");
	const auto matrix = openImatrix(kGolden + "orator-6m.imatrix.gguf");
	ASSERT_TRUE(model.ok() && matrix.ok());
	const auto& importance = matrix->importance;
	const auto golden = nlohmann::json::parse(std::ifstream(kGolden + "orator-6m.golden.json"));

	std::set<std::string> seen;   // tensor, type, importance: most file types share most tensors
	for (const auto& [file_type, facts] : golden["file_types"].items()) {
		const bool with_importance = file_type.ends_with("+imatrix");
		for (const auto& [name, fact] : facts["tensors"].items()) {
			const auto type = typeFromName(fact["type"].get<std::string>());
			ASSERT_TRUE(type.has_value());
			const TensorInfo* tensor = model->findTensor(name);
			ASSERT_NE(tensor, nullptr) << name;
			if (!Encoder::supports(*type, tensor->type)) continue;   // norms stay as they are
			if (!seen.insert(fmt::format("{} {} {}", name, typeName(*type), with_importance)).second) continue;
			const auto found = importance.find(name);
			const bool weighted = with_importance && found != importance.end() && usesImportance(*type);
			const auto encoded = encode(**device, *type, *model, *tensor, weighted ? &found->second : nullptr);
			ASSERT_TRUE(encoded.ok()) << encoded.error().message;
			EXPECT_EQ(sha256(*encoded), fact["sha256"].get<std::string>()) << name << " as " << file_type;
		}
	}
	EXPECT_GT(seen.size(), 500u);
}
