#include "quant/distortion.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vkq {

namespace {

double ratio(double error, double reference) {
	if (error == 0) return 0;
	return reference > 0 ? std::sqrt(error / reference) : std::numeric_limits<double>::infinity();
}

/// What is not a number is worse than any number and stays the worst.
bool isWorse(double candidate, double worst) { return !std::isnan(worst) && !(candidate <= worst); }

}  // namespace

void Distortion::add(const float* original, const float* decoded, uint64_t count, const float* importance) {
	for (uint64_t first = 0; first < count; first += kBlock) {
		const uint64_t end = std::min(first + kBlock, count);
		double error = 0, largest = 0;
		for (uint64_t i = first; i < end; ++i) {
			const double x = original[i], y = decoded[i], difference = x - y;
			error += difference * difference;
			original_ += x * x;
			decoded_ += y * y;
			product_ += x * y;
			if (isWorse(std::fabs(difference), largest)) largest = std::fabs(difference);
		}
		if (importance) {
			for (uint64_t i = first; i < end; ++i) {
				const double x = original[i], difference = x - decoded[i];
				weighted_error_ += importance[i] * difference * difference;
				weighted_original_ += importance[i] * x * x;
			}
		}
		error_ += error;
		if (isWorse(largest, max_error_)) max_error_ = largest;
		const double block_rmse = std::sqrt(error / double(end - first));
		if (isWorse(block_rmse, worst_.rmse)) worst_ = {block_rmse, count_ + first};
	}
	count_ += count;
	weighted_ |= importance != nullptr;
}

void Distortion::merge(const Distortion& next) {
	error_ += next.error_;
	original_ += next.original_;
	decoded_ += next.decoded_;
	product_ += next.product_;
	weighted_error_ += next.weighted_error_;
	weighted_original_ += next.weighted_original_;
	weighted_ |= next.weighted_;
	if (isWorse(next.max_error_, max_error_)) max_error_ = next.max_error_;
	if (isWorse(next.worst_.rmse, worst_.rmse)) worst_ = {next.worst_.rmse, count_ + next.worst_.first};
	count_ += next.count_;
}

double Distortion::rmse() const { return count_ ? std::sqrt(error_ / double(count_)) : 0; }
double Distortion::relativeRmse() const { return ratio(error_, original_); }
double Distortion::weightedRelativeRmse() const { return ratio(weighted_error_, weighted_original_); }

double Distortion::cosine() const {
	if (original_ == 0 && decoded_ == 0) return 1;
	if (original_ == 0 || decoded_ == 0) return 0;
	return product_ / (std::sqrt(original_) * std::sqrt(decoded_));
}

}  // namespace vkq
