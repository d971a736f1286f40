// Means with standard errors, and percentiles.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace vkq {

/// Mean of independent samples and its standard error, from running sums in double.
struct MeanError {
	double mean = 0, error = 0;
};

class Sums {
public:
	void add(double value) {
		sum_ += value;
		squares_ += value * value;
		++count_;
	}
	uint64_t count() const { return count_; }
	double mean() const { return count_ ? sum_ / double(count_) : 0; }
	/// sqrt((mean(v^2) - mean(v)^2) / (n - 1)): the reference's formula.
	double standardError() const {
		if (count_ < 2) return 0;
		const double variance = squares_ / double(count_) - mean() * mean();
		return variance > 0 ? std::sqrt(variance / double(count_ - 1)) : 0;
	}
	MeanError meanError() const { return {mean(), standardError()}; }

private:
	double sum_ = 0, squares_ = 0;
	uint64_t count_ = 0;
};

/// The value below which `share` (0..1) of the sorted values lie, interpolated between neighbours. 0 for none.
inline double percentile(const std::vector<float>& sorted, double share) {
	if (sorted.empty()) return 0;
	const double at = share * double(sorted.size() - 1);
	const size_t low = size_t(at);
	const size_t high = low + 1 < sorted.size() ? low + 1 : low;
	return double(sorted[low]) + (at - double(low)) * (double(sorted[high]) - double(sorted[low]));
}

}  // namespace vkq
