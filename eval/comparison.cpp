#include "eval/comparison.h"

#include "core/units.h"
#include "infer/generate.h"
#include "planner/file_types.h"
#include "quant/file_type.h"
#include "quant/metadata_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>

namespace vkq {

namespace {

constexpr uint32_t kTimedPrompt = 128, kTimedGeneration = 16;   // tokens a round
constexpr uint32_t kMostRounds = 8;
constexpr double kTimedSeconds = 0.6;                           // rounds begin until then: small models are quick, and noisy

double secondsSince(std::chrono::steady_clock::time_point start) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

std::string fileTypeOf(const ModelSource& source) {
	const auto number = source.metadata().unsignedInt("general.file_type");
	return number && *number <= UINT32_MAX ? std::string(fileTypeName(FileType(uint32_t(*number)))) : "unknown";
}

/// What the plan says of running it in earnest.
Result<void> plan(const ModelSource& source, const CompareOptions& options, ComparedLevel& level) {
	SessionOptions session = options.session;
	session.inputs = InputPrecision::Device;
	session.context = options.plan_context;
	if (options.memory) session.device_limits.assign(std::max<size_t>(1, session.devices.size()), options.memory);
	const auto planned = Session::planOnly(source, session);
	if (!planned && planned.error().code != ErrorCode::kDoesNotFit) return planned.error();
	level.fits = planned.ok();
	if (planned) level.planned_bytes = planned->plan.deviceBytes();
	else level.reason = planned.error().message;
	return {};
}

/// Speed of a prompt and of single tokens, with the inputs that the device prefers: the best of several rounds. The first one warms up: pipelines are made and
/// recorded there.
Result<void> timeSteps(const ModelSource& source, const CompareOptions& options, std::span<const Token> text, ComparedLevel& level) {
	const auto prompt = text.first(std::min<size_t>(text.size(), kTimedPrompt));
	SessionOptions wanted = options.session;
	wanted.context = uint32_t(prompt.size()) + kTimedGeneration;
	wanted.inputs = InputPrecision::Device;
	VKQ_TRY(Session session, Session::open(source, wanted));
	double spent = 0;
	for (uint32_t round = 0; round <= kMostRounds && spent < kTimedSeconds; ++round) {
		VKQ_CHECK(session.rewind(0));
		auto start = std::chrono::steady_clock::now();
		VKQ_TRY(std::span<const float> logits, session.feed(prompt));
		const double prompt_seconds = secondsSince(start);
		const uint32_t steps = round > 0 ? kTimedGeneration : 1;
		start = std::chrono::steady_clock::now();
		for (uint32_t i = 0; i < steps; ++i) {
			const Token next = Token(std::max_element(logits.begin(), logits.end()) - logits.begin());
			VKQ_TRY(logits, session.feed({&next, 1}));
		}
		if (round == 0) continue;
		const double generation_seconds = secondsSince(start);
		spent += prompt_seconds + generation_seconds;
		level.prompt_rate = std::max(level.prompt_rate, double(prompt.size()) / prompt_seconds);
		level.generation_rate = std::max(level.generation_rate, steps / generation_seconds);
	}
	return {};
}

Result<Answer> answerOf(const ModelSource& source, const Tokenizer& tokenizer, const CompareOptions& options) {
	VKQ_TRY(const std::vector<Token> prompt, tokenizer.encode(options.prompt));
	if (prompt.empty()) return fail(ErrorCode::kUsage, "the prompt has no tokens");
	SessionOptions wanted = options.session;
	wanted.inputs = InputPrecision::Device;
	wanted.context = uint32_t(prompt.size()) + options.predict;
	VKQ_TRY(Session session, Session::open(source, wanted));
	VKQ_TRY(Sampler sampler, Sampler::create({.temperature = 0}));
	VKQ_TRY(Generated generated, generate(session, tokenizer, sampler, prompt, {.most_tokens = options.predict}));
	Answer answer;
	answer.tokens = std::move(generated.tokens);
	answer.text = std::move(generated.text);
	answer.common_bytes = answer.text.size();
	return answer;
}

/// Where `answer` leaves the original's, in whole characters.
void markParting(Answer& answer, const Answer& original) {
	const auto [here, there] = std::mismatch(answer.tokens.begin(), answer.tokens.end(), original.tokens.begin(), original.tokens.end());
	answer.common_tokens = uint32_t(here - answer.tokens.begin());
	answer.parts = here != answer.tokens.end() || there != original.tokens.end();
	if (!answer.parts) return;
	size_t at = size_t(std::mismatch(answer.text.begin(), answer.text.end(), original.text.begin(), original.text.end()).first - answer.text.begin());
	while (at > 0 && at < answer.text.size() && (uint8_t(answer.text[at]) & 0xC0) == 0x80) --at;
	answer.common_bytes = at;
}

// Where a level's stages begin, as shares of its time: predictions take most of it.
constexpr double kPredictionsBegin = 0.05, kSpeedBegins = 0.9, kAnswerBegins = 0.95;

bool tell(const CompareProgress& progress, const ComparedLevel& level, std::string_view what, double share) {
	return !progress || progress(fmt::format("{}: {}", level.name, what), share);
}

EvalProgress chunkStage(const CompareProgress& progress, const ComparedLevel& level) {
	return [&progress, &level](uint32_t done, uint32_t chunks, double) {
		return tell(progress, level, "predictions", kPredictionsBegin + (kSpeedBegins - kPredictionsBegin) * done / chunks);
	};
}

ComparedLevel describe(const ModelSource& source, const CompareOptions& options) {
	ComparedLevel level;
	level.file_type = fileTypeOf(source);
	level.name = level.file_type;
	level.chosen = source.metadata().string(kRecipeKey).has_value();
	level.cache = cacheName(options.session.k_type, options.session.v_type);
	level.file_bytes = source.storedBytes();
	level.bits_per_weight = bitsPerWeight(source.tensors());
	return level;
}

Result<void> finishLevel(const ModelSource& source, const Tokenizer& tokenizer, const TextChunks& chunks, const CompareOptions& options, const CompareProgress& progress,
                         ComparedLevel& level) {
	if (!tell(progress, level, "speed", kSpeedBegins)) return fail(ErrorCode::kInterrupted, "interrupted");
	VKQ_CHECK(timeSteps(source, options, chunks.chunk(0), level));
	if (options.prompt.empty()) return {};
	if (!tell(progress, level, "answer", kAnswerBegins)) return fail(ErrorCode::kInterrupted, "interrupted");
	VKQ_TRY(level.answer, answerOf(source, tokenizer, options));
	return {};
}

double riseOf(const ComparedLevel& level) { return level.divergence->ratio.mean - 1; }

/// "3.86 MiB (35 % of the original), perplexity +0.8 %, the same most likely token at 96.1 % of positions"
std::string inWords(const ComparedLevel& level, const Comparison& c) {
	return fmt::format("{}{} ({:.0f} % of the original), perplexity {:+.2f} %, the same most likely token at {:.1f} % of positions", formatBytes(c.sizeOf(level)),
	                   c.cachesOnly() ? " of memory" : "", 100.0 * double(c.sizeOf(level)) / double(std::max<uint64_t>(1, c.sizeOf(c.original))), 100 * riseOf(level), 100 * level.divergence->same_top.mean);
}

}  // namespace

std::string cacheName(TensorType k, TensorType v) {
	const auto lower = [](TensorType type) {
		std::string name(typeName(type));
		for (char& letter : name) letter = char(std::tolower(static_cast<unsigned char>(letter)));
		return name;
	};
	return k == v ? lower(k) : lower(k) + "/" + lower(v);
}

Result<ComparedLevel> measureOriginal(const ModelSource& original, const Tokenizer& tokenizer, const TextChunks& chunks, const CompareOptions& options,
                                      const std::filesystem::path& base, const CompareProgress& progress) {
	ComparedLevel level = describe(original, options);
	VKQ_CHECK(plan(original, options, level));
	{
		VKQ_TRY(Session session, Session::open(original, scoringOptions(options.session, chunks.context)));
		VKQ_TRY(BaseLogitsWriter writer, BaseLogitsWriter::create(base, chunks, session.model().n_vocab, true));
		VKQ_TRY(const Perplexity perplexity,
		        measurePerplexity(session, chunks, chunkStage(progress, level), [&](const ScoredPosition& position) { return writer.add(position.logits); }));
		VKQ_CHECK(writer.finish());
		level.divergence.emplace();
		level.divergence->positions = perplexity.positions;
		level.divergence->perplexity = level.divergence->base_perplexity = {perplexity.value, perplexity.error};
		level.divergence->ratio = level.divergence->same_top = {1, 0};
		level.divergence->correlation = 1;
		level.divergence->seconds = perplexity.seconds;
	}
	VKQ_CHECK(finishLevel(original, tokenizer, chunks, options, progress, level));
	return level;
}

Result<ComparedLevel> measureLevel(const ModelSource& source, const ModelSource& original, const ComparedLevel& original_measured, const Tokenizer& tokenizer,
                                   const TextChunks& chunks, const BaseLogits& base, const CompareOptions& options, const CompareProgress& progress) {
	ComparedLevel level = describe(source, options);
	VKQ_CHECK(plan(source, options, level));
	if (&source != &original) {
		VKQ_TRY(level.errors, compareTensors(original, source, nullptr, [&](uint64_t done, uint64_t total, std::string_view) {
			return tell(progress, level, "weights", kPredictionsBegin * double(done) / double(std::max<uint64_t>(1, total)));
		}));
	}
	{
		auto session = Session::open(source, scoringOptions(options.session, chunks.context));
		if (!session && session.error().code == ErrorCode::kDoesNotFit) {
			level.fits = false;
			level.reason = session.error().message;
			return level;
		}
		if (!session) return std::move(session).error();
		VKQ_TRY(level.divergence, measureDivergence(*session, chunks, base, chunkStage(progress, level)));
	}
	VKQ_CHECK(finishLevel(source, tokenizer, chunks, options, progress, level));
	if (level.answer && original_measured.answer) markParting(*level.answer, *original_measured.answer);
	return level;
}

bool Comparison::cachesOnly() const {
	return !levels.empty() && std::all_of(levels.begin(), levels.end(), [](const ComparedLevel& level) { return level.errors.tensors.empty(); });
}

void Comparison::markFrontier() {
	for (ComparedLevel& level : levels) {
		level.on_frontier = level.divergence && !level.chosen && std::none_of(levels.begin(), levels.end(), [&](const ComparedLevel& other) {
			if (!other.divergence || other.chosen) return false;
			const double theirs = other.divergence->kld.mean, ours = level.divergence->kld.mean;
			return sizeOf(other) <= sizeOf(level) && theirs <= ours && (sizeOf(other) < sizeOf(level) || theirs < ours);
		});
	}
}

const ComparedLevel* Comparison::recommended() const {
	const ComparedLevel *smallest = nullptr, *closest = nullptr;
	for (const ComparedLevel& level : levels) {
		if (!level.fits || !level.divergence) continue;
		const Divergence& d = *level.divergence;
		if (!closest || d.kld.mean < closest->divergence->kld.mean) closest = &level;
		if (d.ratio.mean - d.ratio.error - 1 > kAcceptableRise) continue;
		// Of equal size (another cache of the same file): the one that plans less memory.
		if (!smallest || std::pair(level.file_bytes, level.planned_bytes) < std::pair(smallest->file_bytes, smallest->planned_bytes)) smallest = &level;
	}
	return smallest ? smallest : closest;
}

std::string Comparison::recommendation() const {
	const ComparedLevel* best = recommended();
	if (!best) return "None of these fits on the device: take a smaller file type, a shorter context, or a smaller cache type.";
	const bool acceptable = best->divergence->ratio.mean - best->divergence->ratio.error - 1 <= kAcceptableRise;
	std::string words = fmt::format("{} is {}: {}.", best->name,
	                                acceptable ? fmt::format("the smallest that fits and keeps perplexity within {:.0f} % of the original's", 100 * kAcceptableRise)
	                                           : fmt::format("the closest to the original of those that fit, though none keeps perplexity within {:.0f} %", 100 * kAcceptableRise),
	                                inWords(*best, *this));
	const ComparedLevel *smaller = nullptr, *closer = nullptr;   // next to it on the frontier
	for (const ComparedLevel& level : levels) {
		if (&level == best || !level.divergence || !level.fits || !level.on_frontier) continue;
		const uint64_t size = sizeOf(level);
		if (size < sizeOf(*best) && (!smaller || size > sizeOf(*smaller))) smaller = &level;
		if (size > sizeOf(*best) && level.divergence->kld.mean < best->divergence->kld.mean && (!closer || size < sizeOf(*closer))) closer = &level;
	}
	if (smaller) words += fmt::format(" Smaller: {}, {}.", smaller->name, inWords(*smaller, *this));
	if (closer) words += fmt::format(" Closer: {}, {}.", closer->name, inWords(*closer, *this));
	return words;
}

}  // namespace vkq
