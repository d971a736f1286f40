#include "quant/imatrix.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vkq {

namespace {

constexpr std::string_view kEmbeddingName = "token_embd.weight";
constexpr size_t kNamedProblems = 8;

/// i32 length and as many bytes; nothing for a negative length or one beyond the file.
std::optional<std::string_view> readText(ByteReader& reader) {
	const auto length = reader.read<int32_t>();
	if (!length || *length < 0) return std::nullopt;
	return reader.readChars(uint64_t(*length));
}

bool isImportance(float value) { return std::isfinite(value) && value >= 0; }

}  // namespace

Result<Imatrix> parseLegacyImatrix(Bytes image, std::string name) {
	const auto malformed = [&](std::string_view what) { return fail(ErrorCode::kMalformed, fmt::format("{}: is no importance matrix: {}", name, what)); };
	ByteReader reader(image);
	const auto entries = reader.read<int32_t>();
	if (!entries || *entries < 1) return malformed("it names no entries");

	Imatrix imatrix;
	for (int32_t i = 0; i < *entries; ++i) {
		const auto tensor = readText(reader);
		if (!tensor) return malformed(fmt::format("entry {} of {} ends in its name", i + 1, *entries));
		if (tensor->empty()) return malformed(fmt::format("entry {} of {} has no name", i + 1, *entries));
		const auto calls = reader.read<int32_t>(), count = reader.read<int32_t>();
		if (!calls || !count) return malformed(fmt::format("the entry of {} ends before its values", quote(*tensor)));
		if (*calls < 0) return malformed(fmt::format("the entry of {} has {} calls", quote(*tensor), *calls));
		if (*count < 1) return malformed(fmt::format("the entry of {} has {} values", quote(*tensor), *count));
		const auto bytes = reader.readBytes(uint64_t(*count) * sizeof(float));
		if (!bytes) return malformed(fmt::format("the entry of {} has {} values, more than the file holds", quote(*tensor), *count));

		const auto [entry, is_new] = imatrix.importance.try_emplace(std::string(*tensor));
		if (!is_new) return malformed(fmt::format("it has two entries of {}", quote(*tensor)));
		std::vector<float>& values = entry->second;
		values.resize(size_t(*count));
		std::memcpy(values.data(), bytes->data(), bytes->size());
		if (*calls > 0)
			for (float& value : values) value /= float(*calls);
	}
	if (reader.remaining() > 0) {
		const auto chunks = reader.read<int32_t>();
		const auto dataset = readText(reader);
		if (!chunks || *chunks < 0 || !dataset) return malformed("what follows its entries is no number of chunks and data set");
		imatrix.chunks = uint32_t(*chunks);
		if (!dataset->empty()) imatrix.datasets.emplace_back(*dataset);
	}
	imatrix.file = std::move(name);
	return imatrix;
}

Result<ImatrixFindings> checkImatrix(const Imatrix& imatrix, std::span<const ImatrixUse> uses) {
	std::vector<std::string> problems;
	for (const auto& [tensor, values] : imatrix.importance) {
		const auto bad = std::find_if_not(values.begin(), values.end(), isImportance);
		if (bad != values.end()) problems.push_back(fmt::format("{} holds {} in column {}", quote(tensor), *bad, bad - values.begin()));
	}

	ImatrixFindings findings;
	for (const ImatrixUse& use : uses) {
		const auto entry = imatrix.importance.find(std::string(use.tensor));
		if (entry == imatrix.importance.end()) {
			if (use.required) problems.push_back(fmt::format("{} has no entry", quote(use.tensor)));
			else findings.missing.emplace_back(use.tensor);
			continue;
		}
		const auto expected = checkedMul(use.columns, use.slices);
		if (expected == entry->second.size()) {
			++findings.used;
		} else if (use.tensor == kEmbeddingName && !use.required) {
			findings.ignored.emplace_back(use.tensor);
		} else {
			problems.push_back(fmt::format("{} has {} values, not {}", quote(use.tensor), entry->second.size(), use.columns * use.slices));
		}
	}
	if (problems.empty()) return findings;

	std::string all;
	for (size_t i = 0; i < std::min(problems.size(), kNamedProblems); ++i) all += fmt::format("{}{}", i ? "; " : "", problems[i]);
	if (problems.size() > kNamedProblems) all += fmt::format("; and {} more", problems.size() - kNamedProblems);
	return fail(ErrorCode::kInvalidData, fmt::format("importance matrix {} does not suit this model: {}", imatrix.file, all),
	            "make one from this very model, or leave those tensors out with --exclude-weights");
}

}  // namespace vkq
