// Progress of long work on stderr: a bar that redraws itself on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vkq::tools {

class ProgressBar {
public:
	enum class Style { Bar, Lines, Off };

	/// Bar when stderr is a terminal, Lines otherwise, Off when quiet.
	explicit ProgressBar(bool quiet);
	~ProgressBar() { clear(); }

	/// `done` of `total` units (any unit); `what` is being worked on; `rate` is shown as it is ("212 M weights/s").
	/// Draws at most ten times a second (lines: every five seconds).
	void update(uint64_t done, uint64_t total, std::string_view what, std::string_view rate);
	/// Removes the bar from the screen.
	void clear();

private:
	using Clock = std::chrono::steady_clock;
	Style style_;
	Clock::time_point start_ = Clock::now(), last_{};
	bool drawn_ = false;
};

/// Columns of the terminal behind stderr, 80 if unknown.
unsigned terminalWidth();

}  // namespace vkq::tools
