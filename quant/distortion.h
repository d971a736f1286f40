// How far decoded weights are from the originals, gathered over slabs of any size.
#pragma once

#include <cstdint>

namespace vkq {

class Distortion {
public:
	/// The unit of worstBlock(): the smallest block of any format.
	static constexpr uint64_t kBlock = 32;

	/// Adds `count` weights that follow the ones before. `importance`, if not null, holds `count` weights >= 0.
	void add(const float* original, const float* decoded, uint64_t count, const float* importance = nullptr);

	/// Adds what another gathered over the weights that follow.
	void merge(const Distortion& next);

	uint64_t count() const { return count_; }
	/// Root of the mean squared error, in units of the weights. 0 for no weights.
	double rmse() const;
	/// The same over the root mean square of the originals: 0.08 says that the error is 8 % of a typical weight. 0 where both are
	/// zero, infinite where only the originals are.
	double relativeRmse() const;
	/// Largest absolute difference. NaN if a decoded weight is not a number.
	double maxError() const { return max_error_; }
	/// Of the angle between originals and decoded as vectors; 1 when both are zero.
	double cosine() const;
	/// relativeRmse() with every square weighted by importance: what the model's outputs feel. 0 without importance.
	double weightedRelativeRmse() const;
	bool hasImportance() const { return weighted_; }

	/// The kBlock consecutive weights (counted anew in each add(), so that blocks do not straddle rows) with the largest rmse.
	struct Block {
		double rmse = 0;
		uint64_t first = 0;   // index of its first weight over all that were added
	};
	Block worstBlock() const { return worst_; }

private:
	uint64_t count_ = 0;
	double error_ = 0;               // sums of squares and products
	double original_ = 0;
	double decoded_ = 0;
	double product_ = 0;
	double weighted_error_ = 0;
	double weighted_original_ = 0;
	double max_error_ = 0;
	bool weighted_ = false;
	Block worst_;
};

}  // namespace vkq
