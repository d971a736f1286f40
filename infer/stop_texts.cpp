#include "infer/stop_texts.h"

#include <algorithm>
#include <utility>

namespace vkq {

StopTexts::StopTexts(std::vector<std::string> stops) : stops_(std::move(stops)) {
	std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopTexts::push(std::string_view text) {
	if (stopped_) return {};
	held_ += text;
	size_t stop_at = std::string::npos;
	for (const std::string& stop : stops_) stop_at = std::min(stop_at, held_.find(stop));
	size_t ready = held_.size();
	if (stop_at != std::string::npos) {
		stopped_ = true;
		ready = stop_at;
	} else {
		for (const std::string& stop : stops_)
			for (size_t length = std::min(stop.size() - 1, held_.size()); length > 0; --length)
				if (held_.ends_with(std::string_view(stop).substr(0, length))) {
					ready = std::min(ready, held_.size() - length);
					break;
				}
	}
	std::string shown = held_.substr(0, ready);
	held_.erase(0, stopped_ ? held_.size() : ready);
	return shown;
}

std::string StopTexts::finish() { return std::exchange(held_, {}); }

}  // namespace vkq
