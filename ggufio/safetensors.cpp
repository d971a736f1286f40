#include "ggufio/safetensors.h"

#include "core/text.h"
#include "ggufio/file_kind.h"
#include "ggufio/json_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

namespace vkq {

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxDimensions = 8;

struct TypeRow {
	SafetensorsType type;
	std::string_view name;
	uint32_t bytes;
};

constexpr std::array<TypeRow, 16> kTypes{{
    {SafetensorsType::Bool, "BOOL", 1},       {SafetensorsType::U8, "U8", 1},           {SafetensorsType::I8, "I8", 1},
    {SafetensorsType::F8_E4M3, "F8_E4M3", 1}, {SafetensorsType::F8_E5M2, "F8_E5M2", 1}, {SafetensorsType::F8_E8M0, "F8_E8M0", 1},
    {SafetensorsType::U16, "U16", 2},         {SafetensorsType::I16, "I16", 2},         {SafetensorsType::F16, "F16", 2},
    {SafetensorsType::BF16, "BF16", 2},       {SafetensorsType::U32, "U32", 4},         {SafetensorsType::I32, "I32", 4},
    {SafetensorsType::F32, "F32", 4},         {SafetensorsType::U64, "U64", 8},         {SafetensorsType::I64, "I64", 8},
    {SafetensorsType::F64, "F64", 8},
}};

/// The header as a stream of events: its grammar is three levels deep and everything else is refused where it stands, so
/// that no document is ever built from untrusted bytes. begin and bytes stay relative to the data until the end.
class HeaderReader : public nlohmann::json_sax<Json> {
public:
	std::vector<SafetensorsTensor> tensors;
	std::string reason;   // why parsing stopped

	bool start_object(std::size_t) override {
		if (level_ == Level::Nothing) return level_ = Level::File, true;
		if (level_ != Level::File) return stop("an object where none belongs");
		if (in_metadata_) return level_ = Level::Metadata, true;
		level_ = Level::Tensor;
		has_type_ = has_shape_ = has_range_ = false;
		return true;
	}

	bool key(string_t& text) override {
		if (level_ == Level::File) {
			in_metadata_ = text == "__metadata__";
			if (!in_metadata_) tensors.emplace_back().name = text;
		} else {
			field_ = text;
		}
		return true;
	}

	bool end_object() override {
		if (level_ == Level::Tensor) {
			if (!has_type_ || !has_shape_ || !has_range_)
				return stop(fmt::format("{} is missing", !has_type_ ? "dtype" : !has_shape_ ? "shape" : "data_offsets"));
			if (!finishTensor()) return false;
		}
		level_ = level_ == Level::File ? Level::Nothing : Level::File;
		return true;
	}

	bool start_array(std::size_t) override {
		if (level_ != Level::Tensor || (field_ != "shape" && field_ != "data_offsets")) return stop("a list where none belongs");
		level_ = Level::List;
		numbers_.clear();
		return true;
	}

	bool end_array() override {
		level_ = Level::Tensor;
		if (field_ == "shape") {
			if (has_shape_) return stop("shape is given twice");
			has_shape_ = true;
			tensors.back().shape = numbers_;
			return true;
		}
		if (has_range_) return stop("data_offsets is given twice");
		if (numbers_.size() != 2) return stop(fmt::format("data_offsets has {} numbers instead of two", numbers_.size()));
		has_range_ = true;
		if (numbers_[0] > numbers_[1]) return stop(fmt::format("data_offsets end at {} before they begin at {}", numbers_[1], numbers_[0]));
		tensors.back().begin = numbers_[0];
		tensors.back().bytes = numbers_[1] - numbers_[0];
		return true;
	}

	bool number_unsigned(number_unsigned_t number) override {
		if (level_ != Level::List) return scalar();
		if (numbers_.size() == kMaxDimensions) return stop(fmt::format("{} has more than {} numbers", field_, kMaxDimensions));
		numbers_.push_back(number);
		return true;
	}

	bool string(string_t& text) override {
		if (level_ == Level::Metadata) return true;
		if (level_ != Level::Tensor || field_ != "dtype") return scalar();
		const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& candidate) { return candidate.name == text; });
		if (row == kTypes.end()) return stop(fmt::format("its type {} is unknown", quote(text)));
		if (has_type_) return stop("dtype is given twice");
		has_type_ = true;
		tensors.back().type = row->type;
		return true;
	}

	bool number_integer(number_integer_t number) override {
		return level_ == Level::List ? stop(fmt::format("{} has a negative number, {}", field_, number)) : scalar();
	}
	bool number_float(number_float_t, const string_t& text) override {
		return level_ == Level::List ? stop(fmt::format("{} has {}, which is not a whole number of 64 bits", field_, text)) : scalar();
	}
	bool null() override { return scalar(); }
	bool boolean(bool) override { return scalar(); }
	bool binary(binary_t&) override { return scalar(); }

	bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
		std::string_view message = error.what();
		if (const size_t colon = message.find("syntax error"); colon != message.npos) message.remove_prefix(colon);
		reason = fmt::format("the header is not valid JSON at byte {}: {}", position, message);
		return false;
	}

private:
	enum class Level { Nothing, File, Metadata, Tensor, List };

	/// A value that says nothing to us: allowed as a further field of a tensor, nowhere else.
	bool scalar() {
		const bool known = field_ == "dtype" || field_ == "shape" || field_ == "data_offsets";
		if (level_ == Level::Metadata) return stop("__metadata__ has a value that is not a string");
		if (level_ == Level::Tensor && !known) return true;
		return stop(level_ == Level::Tensor ? fmt::format("{} is of the wrong kind", field_) : "the header is not an object of tensors");
	}

	bool finishTensor() {
		const SafetensorsTensor& tensor = tensors.back();
		uint64_t bytes = safetensorsTypeBytes(tensor.type);
		for (const uint64_t length : tensor.shape) {
			const auto product = checkedMul(bytes, length);
			// Lengths above 2^63 are refused even beside a zero: nothing later has to think of them.
			if (!product || *product > uint64_t(INT64_MAX) || length > uint64_t(INT64_MAX))
				return stop(fmt::format("its shape [{}] is too large", fmt::join(tensor.shape, ", ")));
			bytes = *product;
		}
		if (bytes == tensor.bytes) return true;
		return stop(fmt::format("its shape [{}] of {} takes {} bytes, its data_offsets have {}", fmt::join(tensor.shape, ", "),
		                        safetensorsTypeName(tensor.type), bytes, tensor.bytes));
	}

	bool stop(std::string why) {
		const bool in_tensor = (level_ == Level::Tensor || level_ == Level::List) && !tensors.empty();
		reason = in_tensor ? fmt::format("tensor {}: {}", quote(tensors.back().name), why) : std::move(why);
		return false;
	}

	Level level_ = Level::Nothing;
	bool in_metadata_ = false;
	bool has_type_ = false, has_shape_ = false, has_range_ = false;
	std::string field_;
	std::vector<uint64_t> numbers_;
};

/// Sorts tensors by place and makes sure that they cover `data_bytes` exactly once.
Result<void> checkCoverage(std::vector<SafetensorsTensor>& tensors, uint64_t data_bytes, std::string_view file) {
	// A tensor without bytes goes before the one that begins at the same place.
	std::sort(tensors.begin(), tensors.end(), [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
		return a.begin != b.begin ? a.begin < b.begin : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
	});
	uint64_t end = 0;
	for (const SafetensorsTensor& tensor : tensors) {
		if (tensor.begin + tensor.bytes > data_bytes) {
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {}: ends at byte {} of {} bytes of data", file, quote(tensor.name),
			                                               tensor.begin + tensor.bytes, data_bytes),
			            "the file is cut off, or its download did not finish");
		}
		if (tensor.begin != end) {
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {}: begins at byte {} of the data, {} {}", file, quote(tensor.name), tensor.begin,
			                                               tensor.begin < end ? "inside the tensor before it, which ends at" : "with a hole after byte", end));
		}
		end += tensor.bytes;
	}
	if (end != data_bytes)
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} bytes follow the last tensor", file, data_bytes - end));
	return {};
}

}  // namespace

std::string_view safetensorsTypeName(SafetensorsType type) { return kTypes[size_t(type)].name; }
uint32_t safetensorsTypeBytes(SafetensorsType type) { return kTypes[size_t(type)].bytes; }

Result<SafetensorsFile> SafetensorsFile::parse(Bytes image, std::string name) {
	SafetensorsFile file;
	file.image_ = image;
	file.name_ = std::move(name);

	if (const FileKind kind = identifyFile(image); kind != FileKind::Safetensors && kind != FileKind::Unknown) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: is {}, not a safetensors file", file.name_, describeFile(kind)),
		            std::string(hintForFile(kind)));
	}
	ByteReader reader(image);
	const auto header_bytes = reader.read<uint64_t>();
	if (!header_bytes) return fail(ErrorCode::kMalformed, fmt::format("{}: {} bytes are too few for a safetensors file", file.name_, image.size()));
	if (*header_bytes > kMaxHeaderBytes)
		return fail(ErrorCode::kMalformed, fmt::format("{}: a header of {} bytes is not that of a safetensors file", file.name_, *header_bytes));
	const auto header = reader.readChars(*header_bytes);
	if (!header) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: the header should have {} bytes, {} are there", file.name_, *header_bytes, reader.remaining()),
		            "the file is cut off, or its download did not finish");
	}
	if (!header->starts_with('{')) return fail(ErrorCode::kMalformed, fmt::format("{}: the header is not a JSON object", file.name_));

	HeaderReader events;
	if (!Json::sax_parse(header->begin(), header->end(), &events)) return fail(ErrorCode::kMalformed, fmt::format("{}: {}", file.name_, events.reason));
	file.tensors_ = std::move(events.tensors);

	VKQ_CHECK(checkCoverage(file.tensors_, reader.remaining(), file.name_));
	for (SafetensorsTensor& tensor : file.tensors_) tensor.begin += reader.position();

	file.by_name_.resize(file.tensors_.size());
	std::iota(file.by_name_.begin(), file.by_name_.end(), 0u);
	std::sort(file.by_name_.begin(), file.by_name_.end(), [&](uint32_t a, uint32_t b) { return file.tensors_[a].name < file.tensors_[b].name; });
	for (size_t i = 1; i < file.by_name_.size(); ++i) {
		const std::string& twice = file.tensors_[file.by_name_[i]].name;
		if (twice == file.tensors_[file.by_name_[i - 1]].name)
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is there twice", file.name_, quote(twice)));
	}
	return file;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
	VKQ_TRY(MappedFile map, MappedFile::open(path));
	auto parsed = parse(map.bytes(), path.string());
	VKQ_CHECK(map.intact());
	VKQ_TRY(SafetensorsFile file, std::move(parsed));
	file.map_ = std::move(map);
	return file;
}

const SafetensorsTensor* SafetensorsFile::find(std::string_view name) const {
	const auto found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
	                                    [&](uint32_t index, std::string_view wanted) { return tensors_[index].name < wanted; });
	return found == by_name_.end() || tensors_[*found].name != name ? nullptr : &tensors_[*found];
}

Result<void> SafetensorsFile::read(const SafetensorsTensor& tensor, uint64_t first_byte, uint64_t bytes, std::byte* out) const {
	assert(first_byte <= tensor.bytes && bytes <= tensor.bytes - first_byte);
	if (!map_.bytes().empty()) return map_.readAt(tensor.begin + first_byte, bytes, out);
	if (bytes) std::memcpy(out, image_.data() + tensor.begin + first_byte, bytes);
	return {};
}

void SafetensorsFile::willNeed(const SafetensorsTensor& tensor, uint64_t first_byte, uint64_t bytes) const {
	map_.willNeed(tensor.begin + first_byte, bytes);
}

void SafetensorsFile::doneWith(const SafetensorsTensor& tensor, uint64_t first_byte, uint64_t bytes) const {
	map_.doneWith(tensor.begin + first_byte, bytes);
}

}  // namespace vkq
