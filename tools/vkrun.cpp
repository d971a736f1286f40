// vkrun MODEL: completes a prompt, answers one, or chats.

#include "core/units.h"
#include "infer/utf8.h"
#include "planner/report.h"
#include "tools/common.h"
#include "tools/progress_bar.h"
#include "tools/vkrun_chat.h"
#include "tools/vkrun_settings.h"
#include "vk/software_threads.h"

#include <fmt/format.h>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace vkq;
using namespace vkq::tools;

namespace {

/// The prompt of -p, -f or standard input; nothing when there is to be a chat on the terminal.
Result<std::optional<std::string>> readPrompt(const RunArguments& a) {
	std::string text;
	std::string_view from = "standard input";
	if (a.has_prompt) {
		text = a.prompt;
		from = "--prompt";
	} else if (!a.prompt_file.empty()) {
		std::ifstream file(a.prompt_file, std::ios::binary);
		text.assign(std::istreambuf_iterator<char>(file), {});
		if (!file) return fail(ErrorCode::kIo, fmt::format("{}: cannot be read", a.prompt_file));
		from = a.prompt_file;
	} else if (::isatty(STDIN_FILENO) == 1) {
		return std::optional<std::string>();
	} else {
		text.assign(std::istreambuf_iterator<char>(std::cin), {});
		while (!text.empty() && text.back() == '\n') text.pop_back();
	}
	if (text.empty()) return fail(ErrorCode::kUsage, fmt::format("the prompt from {} is empty", from));
	for (size_t at = 0; at < text.size();) {
		const Utf8Character character = readUtf8(text, at);
		if (!character.valid) return fail(ErrorCode::kInvalidData, fmt::format("the prompt from {} is not UTF-8: byte {} is 0x{:02x}", from, formatExact(at), uint8_t(text[at])));
		at += character.bytes;
	}
	return std::optional<std::string>(std::move(text));
}

Json timesJson(const SessionTimes& times) {
	const auto rate = [](uint64_t tokens, double seconds) { return seconds > 0 ? double(tokens) / seconds : 0.0; };
	return {{"load_seconds", times.load},
	        {"prompt_tokens", times.prompt_tokens},
	        {"prompt_seconds", times.prompt},
	        {"prompt_tokens_per_second", rate(times.prompt_tokens, times.prompt)},
	        {"generated_tokens", times.generated_tokens},
	        {"generation_seconds", times.generation},
	        {"generation_tokens_per_second", rate(times.generated_tokens, times.generation)}};
}

void printTimes(const Session& session) {
	const SessionTimes& t = session.times();
	const auto part = [](std::string_view name, uint64_t tokens, double seconds) {
		return tokens ? fmt::format("; {} {} tokens, {:.1f} tokens/s", name, formatExact(tokens), double(tokens) / seconds) : std::string();
	};
	fmt::print(stderr, "{}: loaded in {}{}{}\n", session.deviceNames(), formatSeconds(t.load), part("prompt", t.prompt_tokens, t.prompt),
	           part("generation", t.generated_tokens, t.generation));
}

Json answerJson(const Generated& answer, const Session& session, const RunSettings& settings, const std::vector<Token>* prompt) {
	Json json{{"model", settings.model}, {"device", session.deviceNames()}, {"context", session.context()}, {"seed", settings.sampler.seed}};
	if (prompt) json["prompt_tokens"] = *prompt;
	json["text"] = answer.text;
	json["tokens"] = answer.tokens;
	json["stop_reason"] = stopReasonName(answer.reason);
	json["memory"] = {{"weights", session.plan().weight_bytes + session.plan().offloaded_weight_bytes},
	                  {"k_cache", session.plan().k_bytes},
	                  {"v_cache", session.plan().v_bytes},
	                  {"scratch", session.plan().scratch_bytes + session.plan().staging_bytes}};
	json["times"] = timesJson(session.times());
	return json;
}

/// Continues a text as it stands.
Result<Generated> complete(Session& session, const Tokenizer& tokenizer, Sampler& sampler, const RunArguments& a, const std::string& text, const GenerateOptions& options,
                           const std::function<void(std::string_view)>& show, std::vector<Token>& prompt) {
	std::vector<Token> past;
	if (!a.load_cache.empty()) { VKQ_TRY(past, session.restore(a.load_cache)); }
	VKQ_TRY(prompt, tokenizer.encode(text, past.empty()));
	if (prompt.empty()) return fail(ErrorCode::kUsage, "the prompt is empty: it becomes no token");
	auto answer = generate(session, tokenizer, sampler, prompt, options, show, [] { return interrupted(); });
	if (answer && !a.save_cache.empty()) {
		past.insert(past.end(), prompt.begin(), prompt.end());
		past.insert(past.end(), answer->tokens.begin(), answer->tokens.end());
		past.resize(session.position());
		VKQ_CHECK(session.save(a.save_cache, past));
	}
	return answer;
}

int vkrun(int argc, char** argv) {
	RunArguments arguments;
	if (const auto code = parseRunArguments(arguments, argc, argv)) return *code;
	const auto failed = [](const Error& error) { return report("vkrun", error); };
	auto settings = settle(arguments);
	if (!settings) return failed(settings.error());
	auto prompt = arguments.plan_only ? Result<std::optional<std::string>>(std::optional<std::string>()) : readPrompt(arguments);
	if (!prompt) return failed(prompt.error());
	const bool cache_files = !arguments.load_cache.empty() || !arguments.save_cache.empty();

	auto source = openModelSource(settings->model);
	if (!source) return failed(source.error());
	auto tokenizer = Tokenizer::fromMetadata((*source)->metadata(), (*source)->name());
	if (!tokenizer) return failed(tokenizer.error());
	auto chat = Chat::create(**source, *tokenizer, arguments, *settings);
	if (!chat) return failed(chat.error());
	const bool raw = arguments.raw || !chat->instructed();
	if (cache_files && !(prompt->has_value() && raw)) {
		return failed(fail(ErrorCode::kUsage, "--load-cache and --save-cache go with a prompt that is continued as it stands", "add --raw and -p"));
	}

	if (arguments.plan_only) {
		auto planned = Session::planOnly(**source, settings->session);
		if (!planned) return failed(planned.error());
		if (arguments.json) printJson(planJson(planned->request, planned->plan));
		else fmt::print("{}", heapBars(planned->request, planned->plan));
		return kDone;
	}

	vk::chooseSoftwareThreads((*source)->storedBytes());
	catchInterrupts();
	auto session = [&] {
		ProgressBar bar(arguments.quiet || arguments.json);
		return Session::open(**source, settings->session, [&](uint64_t done, uint64_t total) {
			bar.update(done, total, "loading", {});
			return !interrupted();
		});
	}();
	if (!session) return failed(session.error());
	if (auto checked = checkVocabulary(*tokenizer, session->model(), (*source)->name()); !checked) return failed(checked.error());
	auto sampler = Sampler::create(settings->sampler);
	if (!sampler) return failed(sampler.error());
	const GenerateOptions options{.most_tokens = settings->predict, .stops = settings->stops, .ignore_end = arguments.ignore_end, .show_control = arguments.show_control};
	if (!raw && !chat->recognized() && !arguments.quiet) {
		fmt::print(stderr, "vkrun: the model's chat template is not known; its chat is written as '{}' (--chat-format, --raw)\n", chat->formatName());
	}

	if (!prompt->has_value()) {
		const int code = chatOnTerminal(*chat, *session, *sampler, options, arguments.quiet);
		if (!arguments.quiet) printTimes(*session);
		return code;
	}
	const auto show = [&](std::string_view text) {
		if (arguments.json) return;
		fmt::print("{}", text);
		std::fflush(stdout);
	};
	if (raw && !arguments.json && !arguments.quiet) show(**prompt);
	std::vector<Token> prompt_tokens;
	auto answer = raw ? complete(*session, *tokenizer, *sampler, arguments, **prompt, options, show, prompt_tokens)
	                  : chat->ask(*session, *sampler, **prompt, options, show, [] { return interrupted(); });
	if (!arguments.json && (answer || raw)) {
		fmt::print("\n");
		std::fflush(stdout);   // before what follows on the other stream
	}
	if (!answer) return failed(answer.error());
	if (arguments.json) printJson(answerJson(*answer, *session, *settings, raw ? &prompt_tokens : nullptr));
	else if (!arguments.quiet) {
		if (answer->reason == StopReason::ContextFull)
			fmt::print(stderr, "vkrun: stopped, for the context of {} tokens is full; --ctx sets it\n", formatExact(session->context()));
		printTimes(*session);
	}
	return answer->reason == StopReason::Interrupted ? kInterrupted : kDone;
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkrun", [&] { return vkrun(argc, argv); });
}
