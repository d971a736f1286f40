#include "infer/tokenizer_pattern.h"

#include "core/text.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace vkq {

namespace {

// Building blocks of the tables below. X and Y of the Tekken family: letters that are no ASCII lower (upper) case.
#define CONTRACTIONS "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PUNCTUATION " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define MIXED_CASE(suffix) \
	"[^\\r\\n\\p{L}\\p{N}]?[^\\P{L}a-z]*[^\\P{L}A-Z]+" suffix "|[^\\r\\n\\p{L}\\p{N}]?[^\\P{L}a-z]+[^\\P{L}A-Z]*" suffix
#define ASCII_PUNCTUATION R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])"

constexpr std::string_view kGpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
constexpr std::string_view kLlama3 = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" PUNCTUATION "|" SPACES;
constexpr std::string_view kQwen2 = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" PUNCTUATION "|" SPACES;
/// DeepSeek's "Han": U+0800 to U+9FA5 and Hangul. White space within counts as no character of theirs, as in the reference.
constexpr std::string_view kHan =
	R"([\x{800}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{9fa5}\x{ac00}-\x{d7ff}]+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)";

/// Cased letters as DeepSeek's first tokenizer lists them.
constexpr std::string_view kDeepSeekLetters =
	R"(\s?[)"
	R"(A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af}\x{370}-\x{373})"
	R"(\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481})"
	R"(\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf})"
	R"(\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45})"
	R"(\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe})"
	R"(\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc})"
	R"(\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139})"
	R"(\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2})"
	R"(\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf})"
	R"(\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3})"
	R"(\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
	R"(]+)";

const std::vector<PreTokenizer>& preTokenizers() {
	static const std::vector<PreTokenizer> table = {
		{{"default"}, {"[\\p{P}\\$\\+<=>\\^~\\|]+", kGpt2, "\\p{N}+", "[0-9][0-9][0-9]"}},
		{{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4", "mellum", "gigachat", "a.x-4.0", "modern-bert"}, {kGpt2}},
		{{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}, {"\\p{N}", kGpt2}},
		{{"falcon"}, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", kGpt2, "[0-9][0-9][0-9]"}},
		{{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"}, {kLlama3}, true, true},
		{{"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, {kLlama3}},
		{{"qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "kormo", "solar-open", "grok-2"}, {kQwen2}},
		{{"qwen35"},
		 {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES}},
		{{"seed-coder"}, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES}},
		{{"bailingmoe", "bailingmoe2", "llada-moe"},
		 {"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" PUNCTUATION "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
		{{"tekken"}, {MIXED_CASE("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES}, true, true},
		{{"gpt-4o", "llama4", "kanana2"}, {MIXED_CASE(CONTRACTIONS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES}},
		{{"deepseek-llm"},
		 {"[\\r\\n]", kDeepSeekLetters, R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3001}\x{3002}]+)", "(?<!\\s)\\s+\\z", kHan,
		  "\\p{N}+"}},
		{{"deepseek-coder"}, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", kHan, "\\p{N}"}},
		{{"deepseek-v3", "hunyuan-dense", "joyai-llm"},
		 {"\\p{N}{1,3}", R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)",
		  ASCII_PUNCTUATION "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES}},
		{{"bloom", "poro-chat", "gpt3-finnish"}, {kBloom}},
		{{"viking"}, {kBloom, "\\p{N}"}},
	};
	return table;
}

/// \s and \S spelled out: PCRE2 counts U+180E as white space, Unicode and the tokenizers do not.
std::string withUnicodeSpaces(std::string_view pattern) {
	constexpr std::string_view spaces = "\\t-\\r\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
	std::string expanded;
	bool in_class = false;
	for (size_t i = 0; i < pattern.size(); ++i) {
		if (pattern[i] == '\\' && i + 1 < pattern.size()) {
			const char escaped = pattern[++i];
			if (escaped == 's') {
				expanded += in_class ? std::string(spaces) : fmt::format("[{}]", spaces);
			} else if (escaped == 'S') {
				expanded += fmt::format("[^{}]", spaces);
			} else {
				expanded += '\\';
				expanded += escaped;
			}
			continue;
		}
		if (pattern[i] == '[') in_class = true;
		if (pattern[i] == ']') in_class = false;
		expanded += pattern[i];
	}
	return expanded;
}

std::string pcreMessage(int code) {
	PCRE2_UCHAR text[256] = {};
	pcre2_get_error_message(code, text, sizeof text);
	return reinterpret_cast<const char*>(text);
}

template <auto Free>
struct FreeWith {
	template <class T>
	void operator()(T* pointer) const { Free(pointer); }
};
using Code = std::unique_ptr<pcre2_code, FreeWith<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, FreeWith<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, FreeWith<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, FreeWith<pcre2_jit_stack_free>>;

/// Where the next match in `piece` from `at` on lies, or none. Empty matches cannot occur: no pattern allows one.
struct Match {
	bool found = false;
	size_t begin = 0, end = 0;
};

Result<Match> nextMatch(const pcre2_code* code, std::string_view piece, size_t at, pcre2_match_data* data, pcre2_match_context* context) {
	// The whole text was checked to be UTF-8; checking again at each match would make this quadratic.
	const int count = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(), at, PCRE2_NO_UTF_CHECK, data, context);
	if (count == PCRE2_ERROR_NOMATCH) return Match{};
	if (count < 0) return fail(ErrorCode::kUnsupported, fmt::format("the text cannot be cut into words: {}", pcreMessage(count)));
	const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
	return Match{true, ends[0], ends[1]};
}

}  // namespace

struct WordSplitter::Impl {
	std::vector<Code> codes;
};

WordSplitter::WordSplitter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WordSplitter::WordSplitter(WordSplitter&&) noexcept = default;
WordSplitter& WordSplitter::operator=(WordSplitter&&) noexcept = default;
WordSplitter::~WordSplitter() = default;

Result<const PreTokenizer*> findPreTokenizer(std::string_view name, std::string_view file) {
	if (name.empty()) name = "default";
	for (const PreTokenizer& entry : preTokenizers())
		if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end()) return &entry;
	return fail(ErrorCode::kUnsupported, fmt::format("{}: the pre-tokenizer {} is not known", file, quote(name)),
	            "tokenizer.ggml.pre must name one of the tables in infer/tokenizer_pattern.cpp");
}

Result<WordSplitter> WordSplitter::compile(const PreTokenizer& pre_tokenizer) {
	auto impl = std::make_unique<Impl>();
	for (const std::string_view source : pre_tokenizer.patterns) {
		const std::string pattern = withUnicodeSpaces(source);
		int error = 0;
		PCRE2_SIZE position = 0;
		Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &error, &position, nullptr));
		if (!code)
			return fail(ErrorCode::kUnsupported, fmt::format("PCRE2 refuses a pre-tokenizer's pattern at {}: {}", position, pcreMessage(error)),
			            "PCRE2 must be built with Unicode support");
		pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without a JIT the interpreter does the same, slower
		impl->codes.push_back(std::move(code));
	}
	return WordSplitter(std::move(impl));
}

Result<std::vector<uint32_t>> WordSplitter::split(std::string_view text) const {
	std::vector<uint32_t> lengths;
	if (text.empty()) return lengths;
	lengths.push_back(uint32_t(text.size()));
	const MatchContext context(pcre2_match_context_create(nullptr));
	const JitStack stack(pcre2_jit_stack_create(32 << 10, 8 << 20, nullptr));
	if (!context || !stack) return fail(ErrorCode::kOutOfMemory, "no memory for matching regular expressions");
	pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
	// Every pattern here is linear in the text; the default limit would only refuse megabytes without a space.
	pcre2_set_match_limit(context.get(), UINT32_MAX);
	for (const Code& code : impl_->codes) {
		const MatchData data(pcre2_match_data_create_from_pattern(code.get(), nullptr));
		if (!data) return fail(ErrorCode::kOutOfMemory, "no memory for matching regular expressions");
		std::vector<uint32_t> finer;
		finer.reserve(lengths.size() + text.size() / 4);
		size_t start = 0;
		for (const uint32_t length : lengths) {
			const std::string_view piece = text.substr(start, length);
			size_t at = 0;
			while (at < piece.size()) {
				VKQ_TRY(const Match match, nextMatch(code.get(), piece, at, data.get(), context.get()));
				if (!match.found) break;
				if (match.begin > at) finer.push_back(uint32_t(match.begin - at));
				finer.push_back(uint32_t(match.end - match.begin));
				at = match.end;
			}
			if (at < piece.size()) finer.push_back(uint32_t(piece.size() - at));
			start += length;
		}
		lengths = std::move(finer);
	}
	return lengths;
}

}  // namespace vkq
