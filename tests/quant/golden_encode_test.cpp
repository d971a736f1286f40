// What the reference's tool makes of the sample model, tensor by tensor: our host encoders must give the same SHA-256.
#include "ggufio/gguf_reader.h"
#include "ggufio/imatrix_file.h"
#include "quant/codec.h"
#include "tests/quant/adversarial.h"
#include "tests/quant/sha256.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <map>
#include <set>

using namespace vkq;

namespace {

const std::string kGolden = VKQ_SOURCE_DIR "/tests/golden/";

GgufFile open(const std::string& path) {
	auto file = GgufFile::open(path);
	if (!file.ok()) throw std::runtime_error(file.error().message);
	return std::move(file).value();
}

std::vector<float> floats(const GgufFile& file, const TensorInfo& tensor) {
	std::vector<float> values(tensor.elements());
	decodeRow(tensor.type, file.data(tensor).data(), tensor.elements(), values.data());
	return values;
}

}  // namespace

TEST(HostEncoders, GiveTheReferencesBytesForEveryTensorOfEveryFileType) {
	const GgufFile model = open(VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf");
	const auto matrix = openImatrix(kGolden + "orator-6m.imatrix.gguf");
	ASSERT_TRUE(matrix.ok());
	const auto& importance = matrix->importance;
	const auto golden = nlohmann::json::parse(std::ifstream(kGolden + "orator-6m.golden.json"));

	std::map<std::string, std::vector<float>> weights;
	std::set<std::string> seen;  // tensor, type, importance: most file types share most tensors
	for (const auto& [file_type, facts] : golden["file_types"].items()) {
		const bool with_importance = file_type.ends_with("+imatrix");
		for (const auto& [name, fact] : facts["tensors"].items()) {
			const auto type = typeFromName(fact["type"].get<std::string>());
			ASSERT_TRUE(type.has_value());
			if (!seen.insert(fmt::format("{} {} {}", name, fact["type"].get<std::string>(), with_importance)).second) continue;
			const TensorInfo* tensor = model.findTensor(name);
			ASSERT_NE(tensor, nullptr) << name;
			auto& values = weights[name];
			if (values.empty()) values = floats(model, *tensor);

			const auto found = importance.find(name);
			const float* columns = with_importance && found != importance.end() ? found->second.data() : nullptr;
			const uint64_t row_bytes = *typeBytes(*type, tensor->ne[0]);
			std::vector<std::byte> encoded(row_bytes * tensor->rows());
			for (uint64_t row = 0; row < tensor->rows(); ++row)
				encodeRow(*type, values.data() + row * tensor->ne[0], tensor->ne[0], columns, encoded.data() + row * row_bytes);
			EXPECT_EQ(encoded.size(), fact["bytes"].get<uint64_t>());
			EXPECT_EQ(sha256(encoded), fact["sha256"].get<std::string>()) << name << " as " << file_type;
			EXPECT_TRUE(scalesAreFinite(*type, encoded.data(), tensor->elements()));
		}
	}
}

TEST(HostEncoders, GiveTheReferencesBytesForAdversarialRows) {
	const auto golden = nlohmann::json::parse(std::ifstream(kGolden + "adversarial.golden.json"));
	const uint64_t elements = golden["row_elements"];
	const auto importances = adversarial::importances(elements);
	size_t rows_checked = 0;
	for (const auto& [type_name, hashes] : golden["sha256"].items()) {
		const TensorType type = *typeFromName(type_name);
		for (const adversarial::Row& row : adversarial::rows(elements)) {
			std::vector<std::byte> all;  // without importance, then with each of them
			std::vector<std::byte> encoded(*typeBytes(type, elements));
			auto append = [&](const float* importance) {
				encodeRow(type, row.values.data(), elements, importance, encoded.data());
				all.insert(all.end(), encoded.begin(), encoded.end());
			};
			append(nullptr);
			if (usesImportance(type))
				for (const adversarial::Row& importance : importances) append(importance.values.data());
			EXPECT_EQ(sha256(all), hashes.value(row.name, "")) << type_name << ": " << row.name;
			++rows_checked;
		}
	}
	EXPECT_GT(rows_checked, 500u);
}
