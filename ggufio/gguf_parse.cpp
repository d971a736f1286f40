#include "ggufio/gguf_parse.h"

#include "core/text.h"
#include "core/units.h"
#include "ggufio/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace vkq {

namespace {

constexpr uint64_t kMaxStringBytes = uint64_t(1) << 30;
constexpr uint64_t kMaxArrayElements = uint64_t(1) << 30;
// The fewest bytes that the file spends on one of each: what bounds the counts that it declares.
constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;

class Parser {
public:
	Parser(Bytes image, std::string_view name) : image_(image), in_(image), name_(name) {}

	Result<ParsedGguf> parse() {
		VKQ_CHECK(readHeader());
		VKQ_CHECK(readMetadata());
		VKQ_CHECK(readTensorInfos());
		VKQ_CHECK(checkTensorData());
		return std::move(out_);
	}

private:
	Error malformed(std::string_view what, std::string hint = {}) const {
		return fail(ErrorCode::kMalformed, fmt::format("{}: {}", name_, what), std::move(hint));
	}
	Error cut(std::string_view inside) const {
		return malformed(fmt::format("cut short: the file ends at byte {} inside {}", image_.size(), inside), "download or copy it again");
	}

	template <class T>
	Result<T> read(std::string_view inside) {
		if (auto value = in_.read<T>()) return *value;
		return cut(inside);
	}

	Result<std::string_view> readString(std::string_view inside) {
		VKQ_TRY(const uint64_t length, read<uint64_t>(inside));
		if (length > kMaxStringBytes) return malformed(fmt::format("{} declares a text of {}", inside, formatBytes(length)));
		if (auto text = in_.readChars(length)) return *text;
		return cut(inside);
	}

	Result<void> readHeader() {
		const FileKind kind = identifyFile(image_);
		if (kind != FileKind::Gguf)
			return malformed(fmt::format("not a GGUF file; it looks like {}", describeFile(kind)),
			                 kind == FileKind::Safetensors ? "vkquant makes a GGUF file of it" : std::string(hintForFile(kind)));
		VKQ_TRY([[maybe_unused]] const uint32_t magic, read<uint32_t>("the header"));
		VKQ_TRY(out_.version, read<uint32_t>("the header"));
		if ((out_.version & 0xffff) == 0)
			return fail(ErrorCode::kUnsupported, fmt::format("{}: is a big-endian GGUF file; only little-endian ones are read", name_),
			            "download the little-endian form of the model");
		if (out_.version < 2 || out_.version > 3)
			return fail(ErrorCode::kUnsupported, fmt::format("{}: is GGUF version {}; versions 2 and 3 are read", name_, out_.version),
			            out_.version == 1 ? "convert the original model again" : "a newer release of this program may read it");
		VKQ_TRY(tensor_count_, read<uint64_t>("the header"));
		VKQ_TRY(entry_count_, read<uint64_t>("the header"));
		if (entry_count_ > in_.remaining() / kMinEntryBytes)
			return malformed(fmt::format("declares {} metadata entries, more than its {} can hold", entry_count_, formatBytes(image_.size())));
		if (tensor_count_ > in_.remaining() / kMinTensorBytes)
			return malformed(fmt::format("declares {} tensors, more than its {} can hold", tensor_count_, formatBytes(image_.size())));
		return {};
	}

	Result<void> readMetadata() {
		std::vector<std::string_view> keys;
		keys.reserve(entry_count_);
		for (uint64_t i = 0; i < entry_count_; ++i) {
			VKQ_TRY(const std::string_view key, readString(fmt::format("the key of metadata entry {} of {}", i + 1, entry_count_)));
			if (key.empty()) return malformed(fmt::format("metadata entry {} has an empty key", i + 1));
			keys.push_back(key);
			const std::string inside = "metadata value " + quote(key);
			VKQ_TRY(const MetaType type, readType(inside));
			VKQ_TRY(MetaValue value, readValue(type, inside));
			out_.metadata.append(std::string(key), std::move(value));
		}
		if (const auto repeated = firstRepeated(std::move(keys))) return malformed(fmt::format("metadata key {} occurs twice", quote(*repeated)));
		if (const MetaValue* value = out_.metadata.find("general.alignment")) {
			const uint32_t* alignment = std::get_if<uint32_t>(value);
			if (!alignment || !std::has_single_bit(*alignment)) return malformed("'general.alignment' is not a power of two of type u32");
			out_.alignment = *alignment;
		}
		return {};
	}

	Result<MetaType> readType(std::string_view inside) {
		VKQ_TRY(const uint32_t id, read<uint32_t>(inside));
		if (id > uint32_t(MetaType::F64)) return malformed(fmt::format("{} has the unknown type {}", inside, id));
		return MetaType(id);
	}

	template <class T>
	Result<MetaValue> readScalar(std::string_view inside) {
		VKQ_TRY(const T value, read<T>(inside));
		return MetaValue(value);
	}

	Result<MetaValue> readValue(MetaType type, std::string_view inside) {
		switch (type) {
		case MetaType::U8: return readScalar<uint8_t>(inside);
		case MetaType::I8: return readScalar<int8_t>(inside);
		case MetaType::U16: return readScalar<uint16_t>(inside);
		case MetaType::I16: return readScalar<int16_t>(inside);
		case MetaType::U32: return readScalar<uint32_t>(inside);
		case MetaType::I32: return readScalar<int32_t>(inside);
		case MetaType::F32: return readScalar<float>(inside);
		case MetaType::U64: return readScalar<uint64_t>(inside);
		case MetaType::I64: return readScalar<int64_t>(inside);
		case MetaType::F64: return readScalar<double>(inside);
		case MetaType::Bool: {
			VKQ_TRY(const uint8_t value, read<uint8_t>(inside));
			return MetaValue(value != 0);
		}
		case MetaType::String: {
			VKQ_TRY(const std::string_view text, readString(inside));
			return MetaValue(std::string(text));
		}
		case MetaType::Array: {
			VKQ_TRY(MetaArray array, readArray(inside));
			return MetaValue(std::move(array));
		}
		}
		return malformed(fmt::format("{} has an unknown type", inside));
	}

	template <class T>
	Result<std::vector<T>> readNumbers(uint64_t count, std::string_view inside) {
		auto bytes = in_.readBytes(count * sizeof(T));   // count <= 2^30
		if (!bytes) return cut(fmt::format("{} ({} elements)", inside, count));
		std::vector<T> values(count);
		if (count != 0) std::memcpy(values.data(), bytes->data(), bytes->size());
		return values;
	}

	template <class T>
	Result<MetaArray> readNumberArray(uint64_t count, std::string_view inside) {
		VKQ_TRY(std::vector<T> values, readNumbers<T>(count, inside));
		return MetaArray(std::move(values));
	}

	Result<MetaArray> readArray(std::string_view inside) {
		VKQ_TRY(const MetaType type, readType(inside));
		VKQ_TRY(const uint64_t count, read<uint64_t>(inside));
		if (count > kMaxArrayElements) return malformed(fmt::format("{} declares an array of {} elements", inside, count));
		switch (type) {
		case MetaType::U8: return readNumberArray<uint8_t>(count, inside);
		case MetaType::I8: return readNumberArray<int8_t>(count, inside);
		case MetaType::U16: return readNumberArray<uint16_t>(count, inside);
		case MetaType::I16: return readNumberArray<int16_t>(count, inside);
		case MetaType::U32: return readNumberArray<uint32_t>(count, inside);
		case MetaType::I32: return readNumberArray<int32_t>(count, inside);
		case MetaType::F32: return readNumberArray<float>(count, inside);
		case MetaType::U64: return readNumberArray<uint64_t>(count, inside);
		case MetaType::I64: return readNumberArray<int64_t>(count, inside);
		case MetaType::F64: return readNumberArray<double>(count, inside);
		case MetaType::Bool: {
			VKQ_TRY(std::vector<uint8_t> values, readNumbers<uint8_t>(count, inside));
			for (uint8_t& value : values) value = value != 0;
			return MetaArray(MetaBools{std::move(values)});
		}
		case MetaType::String: return readStringArray(count, inside);
		case MetaType::Array: break;
		}
		return malformed(fmt::format("{} is an array of arrays, which GGUF does not have", inside));
	}

	Result<MetaArray> readStringArray(uint64_t count, std::string_view inside) {
		if (count > in_.remaining() / sizeof(uint64_t)) return cut(fmt::format("{} ({} elements)", inside, count));
		std::vector<std::string> values;
		values.reserve(count);
		// The loop over a vocabulary: hundreds of thousands of rounds, so no message is prepared before it is needed.
		for (uint64_t i = 0; i < count; ++i) {
			const auto length = in_.read<uint64_t>();
			if (length && *length > kMaxStringBytes) return malformed(fmt::format("{} declares a text of {}", inside, formatBytes(*length)));
			const auto text = length ? in_.readChars(*length) : std::nullopt;
			if (!text) return cut(fmt::format("{} (element {} of {})", inside, i, count));
			values.emplace_back(*text);
		}
		return MetaArray(std::move(values));
	}

	Result<void> readTensorInfos() {
		std::vector<std::string_view> names;
		names.reserve(tensor_count_);
		out_.tensors.reserve(tensor_count_);
		uint64_t expected_offset = 0;
		for (uint64_t i = 0; i < tensor_count_; ++i) {
			const std::string inside = fmt::format("the description of tensor {} of {}", i + 1, tensor_count_);
			VKQ_TRY(const std::string_view name, readString(inside));
			if (name.empty()) return malformed(fmt::format("tensor {} has no name", i + 1));
			if (name.size() > kMaxTensorNameBytes)
				return malformed(fmt::format("tensor name {} is longer than {} bytes", quote(name), kMaxTensorNameBytes));
			names.push_back(name);
			VKQ_TRY(TensorInfo tensor, readTensorInfo(name, inside));
			if (tensor.offset != expected_offset)
				return malformed(fmt::format("tensor {} is said to lie at offset {}, but the tensor before it ends at {}", quote(name), tensor.offset,
				                             expected_offset));
			const auto end = checkedAdd(expected_offset, tensor.bytes);
			if (!end || *end > uint64_t(INT64_MAX)) return malformed(fmt::format("tensor {} ends beyond any file", quote(name)));
			expected_offset = alignUp(*end, out_.alignment);
			out_.tensors.push_back(std::move(tensor));
		}
		if (const auto repeated = firstRepeated(std::move(names))) return malformed(fmt::format("tensor {} occurs twice", quote(*repeated)));
		out_.data_start = alignUp(in_.position(), out_.alignment);
		return {};
	}

	Result<TensorInfo> readTensorInfo(std::string_view name, std::string_view inside) {
		TensorInfo tensor;
		tensor.name = name;
		VKQ_TRY(tensor.dimensions, read<uint32_t>(inside));
		if (tensor.dimensions > 4) return malformed(fmt::format("tensor {} has {} dimensions; at most 4 exist", quote(name), tensor.dimensions));
		uint64_t elements = 1;   // zeros counted as ones, so that no product of some of the dimensions overflows either
		for (uint32_t d = 0; d < tensor.dimensions; ++d) {
			VKQ_TRY(tensor.ne[d], read<uint64_t>(inside));
			const auto product = checkedMul(elements, std::max<uint64_t>(tensor.ne[d], 1));
			if (!product || *product > uint64_t(INT64_MAX)) return malformed(fmt::format("tensor {} has more elements than fit 63 bits", quote(name)));
			elements = *product;
		}
		VKQ_TRY(const uint32_t id, read<uint32_t>(inside));
		const auto type = typeFromId(id);
		if (!type) return malformed(fmt::format("tensor {} has the unknown type {}", quote(name), id), "a newer release of this program may know it");
		tensor.type = *type;
		if (tensor.ne[0] % typeInfo(tensor.type).block_elements != 0)
			return malformed(fmt::format("tensor {} has rows of {} elements, which are no whole {} blocks of {}", quote(name), tensor.ne[0],
			                             typeName(tensor.type), typeInfo(tensor.type).block_elements));
		const auto row_bytes = typeBytes(tensor.type, tensor.ne[0]);
		const auto bytes = row_bytes ? checkedMul(*row_bytes, tensor.rows()) : std::nullopt;
		if (!bytes) return malformed(fmt::format("tensor {} has more bytes than fit 63 bits", quote(name)));
		tensor.bytes = *bytes;
		VKQ_TRY(tensor.offset, read<uint64_t>(inside));
		return tensor;
	}

	Result<void> checkTensorData() const {
		for (size_t i = 0; i < out_.tensors.size(); ++i) {
			const TensorInfo& tensor = out_.tensors[i];
			const auto start = checkedAdd(out_.data_start, tensor.offset);
			const auto end = start ? checkedAdd(*start, tensor.bytes) : std::nullopt;
			if (end && *end <= image_.size()) continue;
			return malformed(fmt::format("cut short: tensor {} needs bytes {} to {}, but the file ends at {}; {} of {} tensors are whole",
			                             quote(tensor.name), start.value_or(UINT64_MAX), end.value_or(UINT64_MAX), image_.size(), i,
			                             out_.tensors.size()),
			                 "download or copy it again");
		}
		return {};
	}

	Bytes image_;
	ByteReader in_;
	std::string_view name_;
	uint64_t tensor_count_ = 0, entry_count_ = 0;
	ParsedGguf out_;
};

}  // namespace

Result<ParsedGguf> parseGguf(Bytes image, std::string_view name) { return Parser(image, name).parse(); }

}  // namespace vkq
