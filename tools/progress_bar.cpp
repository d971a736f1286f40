#include "tools/progress_bar.h"

#include "core/text.h"
#include "core/units.h"
#include "tools/common.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace vkq::tools {

namespace {

constexpr std::chrono::milliseconds kBarInterval{100}, kLineInterval{5000};

}  // namespace

unsigned terminalWidth() {
	winsize size{};
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
	return 80;
}

ProgressBar::ProgressBar(bool quiet) : style_(quiet ? Style::Off : isTerminal(stderr) ? Style::Bar : Style::Lines) {
	// The first line of a quick job would be noise.
	last_ = start_;
}

void ProgressBar::update(uint64_t done, uint64_t total, std::string_view what, std::string_view rate) {
	if (style_ == Style::Off || total == 0) return;
	const auto now = Clock::now();
	if (now - last_ < (style_ == Style::Bar ? kBarInterval : kLineInterval)) return;
	last_ = now;
	const double share = std::min(1.0, double(done) / double(total));
	const double elapsed = std::chrono::duration<double>(now - start_).count();
	const std::string eta = share > 0 ? formatSeconds(elapsed * (1 - share) / share) : "?";
	if (style_ == Style::Lines) {
		fmt::print(stderr, "{:3.0f}%  {}  {}  {} left\n", 100 * share, printable(what, 60), rate, eta);
		std::fflush(stderr);
		return;
	}
	const unsigned width = terminalWidth();
	const std::string tail = fmt::format(" {:3.0f}% {} {} left  ", 100 * share, rate, eta);
	const unsigned cells = std::clamp<int>(int(width) - int(tail.size()) - 34, 0, 40);
	const unsigned filled = unsigned(share * cells);
	const std::string name = printable(what, 30);
	std::string line = fmt::format("{}{}{}{}", std::string(filled, '#'), std::string(cells - filled, '.'), tail, name);
	if (line.size() >= width) line.resize(width - 1);
	fmt::print(stderr, "\r\033[K{}", line);
	std::fflush(stderr);
	drawn_ = true;
}

void ProgressBar::clear() {
	if (!drawn_) return;
	fmt::print(stderr, "\r\033[K");
	std::fflush(stderr);
	drawn_ = false;
}

}  // namespace vkq::tools
