#include "eval/base_logits.h"

#include "core/text.h"
#include "ggufio/mapped_file.h"
#include "ggufio/output_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

namespace vkq {

namespace {

constexpr std::string_view kMagic = "_logits_";
constexpr float kDepth = 16;   // how far below the largest logit is told apart

uint64_t wordsOf(uint32_t vocabulary) { return 4 + alignUp(vocabulary, 2); }

struct Header {
	int32_t context, vocabulary, chunks;
};

uint64_t scoredPerChunk(uint32_t context) { return context - 1 - context / 2; }

}  // namespace

std::vector<uint16_t> packLogProbabilities(std::span<const float> logits) {
	const auto [lowest_at, highest_at] = std::minmax_element(logits.begin(), logits.end());
	const float highest = *highest_at, lowest = std::max(*lowest_at, highest - kDepth);
	double sum = 0;
	for (const float logit : logits) sum += std::exp(logit - highest);
	const float log_sum = float(std::log(sum));
	const float lowest_log = lowest - highest - log_sum;
	const float scale = (highest - lowest) / 65535.0f;
	std::vector<uint16_t> words(wordsOf(uint32_t(logits.size())));
	std::memcpy(&words[0], &scale, 4);
	std::memcpy(&words[2], &lowest_log, 4);
	if (scale > 0) {
		const float inverse = 1 / scale;
		for (size_t i = 0; i < logits.size(); ++i)
			words[4 + i] = logits[i] > lowest ? uint16_t(std::nearbyint(inverse * (logits[i] - lowest))) : 0;
	}
	return words;
}

struct BaseLogitsWriter::Impl {
	OutputFile file;
	uint64_t at = 0, end = 0;
};

BaseLogitsWriter::BaseLogitsWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BaseLogitsWriter::BaseLogitsWriter(BaseLogitsWriter&&) noexcept = default;
BaseLogitsWriter& BaseLogitsWriter::operator=(BaseLogitsWriter&&) noexcept = default;
BaseLogitsWriter::~BaseLogitsWriter() = default;

Result<BaseLogitsWriter> BaseLogitsWriter::create(const std::filesystem::path& output, const TextChunks& chunks, uint32_t vocabulary, bool overwrite) {
	const uint64_t head = kMagic.size() + sizeof(Header) + chunks.original.size() * sizeof(Token);
	const uint64_t bytes = head + uint64_t(chunks.count()) * chunks.scoredPerChunk() * wordsOf(vocabulary) * 2;
	std::error_code ignored;
	if (!overwrite && std::filesystem::exists(output, ignored)) return fail(ErrorCode::kExists, fmt::format("{} exists already", quote(output.string())), "--force replaces it");
	VKQ_TRY(OutputFile file, OutputFile::create(output, bytes, overwrite));
	auto impl = std::make_unique<Impl>(Impl{std::move(file), 0, bytes});
	const Header header{int32_t(chunks.context), int32_t(vocabulary), int32_t(chunks.count())};
	VKQ_CHECK(impl->file.writeAt(0, std::as_bytes(std::span(kMagic))));
	VKQ_CHECK(impl->file.writeAt(kMagic.size(), std::as_bytes(std::span(&header, 1))));
	VKQ_CHECK(impl->file.writeAt(kMagic.size() + sizeof header, std::as_bytes(std::span(chunks.original))));
	impl->at = head;
	return BaseLogitsWriter(std::move(impl));
}

Result<void> BaseLogitsWriter::add(std::span<const float> logits) {
	const auto words = packLogProbabilities(logits);
	const Bytes bytes = std::as_bytes(std::span(words));
	assert(impl_->at + bytes.size() <= impl_->end);
	VKQ_CHECK(impl_->file.writeAt(impl_->at, bytes));
	impl_->at += bytes.size();
	return {};
}

Result<void> BaseLogitsWriter::finish() {
	assert(impl_->at == impl_->end);
	return impl_->file.finish();
}

struct BaseLogits::Impl {
	MappedFile file;
	Header header{};
	std::vector<Token> tokens;
	uint64_t first = 0;   // byte of the first position
};

BaseLogits::BaseLogits(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BaseLogits::BaseLogits(BaseLogits&&) noexcept = default;
BaseLogits& BaseLogits::operator=(BaseLogits&&) noexcept = default;
BaseLogits::~BaseLogits() = default;

Result<BaseLogits> BaseLogits::open(const std::filesystem::path& path) {
	VKQ_TRY(MappedFile file, MappedFile::open(path));
	const auto bad = [&](std::string_view why) { return fail(ErrorCode::kMalformed, fmt::format("{}: {}", quote(path.string()), why), "write one with vkeval ppl --save-logits"); };
	auto impl = std::make_unique<Impl>(Impl{std::move(file), {}, {}, 0});
	ByteReader reader(impl->file.bytes());
	if (reader.readChars(kMagic.size()) != kMagic) return bad("is no base-logits file");
	const auto header = reader.read<Header>();
	if (!header) return bad("is cut short in its header");
	if (header->context < 4 || header->vocabulary < 1 || header->chunks < 1 || header->vocabulary > 1 << 24) return bad("has impossible sizes in its header");
	const auto count = checkedMul(uint64_t(header->chunks), uint64_t(header->context));
	const auto token_bytes = count ? reader.readBytes(std::min<uint64_t>(*count, UINT64_MAX / 8) * sizeof(Token)) : std::nullopt;
	if (!token_bytes) return bad("is cut short in its tokens");
	impl->header = *header;
	impl->tokens.resize(*count);
	std::memcpy(impl->tokens.data(), token_bytes->data(), token_bytes->size());
	for (const Token token : impl->tokens)
		if (token < 0 || token >= header->vocabulary) return bad("holds a token outside of its vocabulary");
	impl->first = reader.position();
	const auto positions = uint64_t(header->chunks) * scoredPerChunk(uint32_t(header->context));
	const auto bytes = checkedMul(positions, wordsOf(uint32_t(header->vocabulary)) * 2);
	if (!bytes || reader.remaining() < *bytes) return bad("is cut short: fewer positions than its header says");
	return BaseLogits(std::move(impl));
}

uint32_t BaseLogits::context() const { return uint32_t(impl_->header.context); }
uint32_t BaseLogits::vocabulary() const { return uint32_t(impl_->header.vocabulary); }
uint32_t BaseLogits::chunks() const { return uint32_t(impl_->header.chunks); }
const std::vector<Token>& BaseLogits::tokens() const { return impl_->tokens; }

Result<void> BaseLogits::read(uint64_t index, std::vector<float>& log_probabilities) const {
	assert(index < uint64_t(chunks()) * scoredPerChunk(context()));
	const std::byte* at = impl_->file.bytes().data() + impl_->first + index * wordsOf(vocabulary()) * 2;
	float scale, lowest;
	std::memcpy(&scale, at, 4);
	std::memcpy(&lowest, at + 4, 4);
	log_probabilities.resize(vocabulary());
	for (uint32_t i = 0; i < vocabulary(); ++i) {
		uint16_t code;
		std::memcpy(&code, at + 8 + 2 * size_t(i), 2);
		log_probabilities[i] = scale * float(code) + lowest;
	}
	return impl_->file.intact();
}

}  // namespace vkq
