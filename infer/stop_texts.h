// Ending an answer at a text ("\nUser:") that may arrive in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// Passes text through until one of the stops appears; holds back an end that may be the beginning of one.
class StopTexts {
public:
	explicit StopTexts(std::vector<std::string> stops);   // empty ones are ignored

	/// What can be shown now. Once a stop has appeared, what stood before it, and nothing more.
	std::string push(std::string_view text);
	/// What was held back, when nothing follows.
	std::string finish();
	bool stopped() const { return stopped_; }

private:
	std::vector<std::string> stops_;
	std::string held_;
	bool stopped_ = false;
};

}  // namespace vkq
