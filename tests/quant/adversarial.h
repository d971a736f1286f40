// Rows of weights that encoders get wrong, and importances to go with them: for the host codecs and for every shader that
// must equal them. The numbers come from whole-number arithmetic and exact float operations, so they are the same bits
// everywhere, and the reference's bytes for them can be kept (tests/golden/adversarial.golden.json).
#pragma once

#include "core/half.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vkq::adversarial {

struct Row {
	std::string name;
	std::vector<float> values;
};

/// SplitMix64.
class Random {
public:
	explicit Random(uint64_t seed) : state_(seed) {}
	uint64_t next() {
		state_ += 0x9e3779b97f4a7c15;
		uint64_t z = state_;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		return z ^ (z >> 31);
	}
	uint32_t below(uint32_t bound) { return uint32_t(next() >> 32) % bound; }
	/// Uniform in [0, 1), 24 bits.
	float uniform() { return float(next() >> 40) * 0x1p-24f; }
	/// Close to a standard normal: the sum of twelve uniforms less 6, exact but for its last bits.
	float normal() {
		float sum = -6;
		for (int i = 0; i < 12; ++i) sum += uniform();
		return sum;
	}
	/// 2^power, -126 .. 127
	static float power(int power) { return std::ldexp(1.0f, power); }

private:
	uint64_t state_;
};

/// Named rows of `elements` weights (a multiple of 256). All finite; every block scale that they lead to is a finite half.
inline std::vector<Row> rows(uint64_t elements) {
	std::vector<Row> all;
	auto add = [&](std::string name, auto value) {
		Random random(0x5eed + all.size());
		Row row{std::move(name), std::vector<float>(elements)};
		for (uint64_t i = 0; i < elements; ++i) row.values[i] = value(i, random);
		all.push_back(std::move(row));
	};
	using R = Random;

	add("normal weights", [](uint64_t, R& r) { return r.normal() * 0.02f; });
	add("normal weights stored as halves", [](uint64_t, R& r) { return halfToFloat(floatToHalf(r.normal() * 0.02f)); });
	add("normal weights stored as bfloats", [](uint64_t, R& r) { return bfloatToFloat(floatToBfloat(r.normal() * 0.02f)); });
	add("uniform weights", [](uint64_t, R& r) { return r.uniform() - 0.5f; });
	add("heavy tails", [](uint64_t, R& r) { const float v = r.normal(); return v * v * v * 0.01f; });

	add("zeros", [](uint64_t, R&) { return 0.0f; });
	add("negative zeros", [](uint64_t, R&) { return -0.0f; });
	add("zero blocks between others", [](uint64_t i, R& r) { const float v = r.normal(); return i / 32 % 2 ? 0.0f : v; });
	add("zero groups of sixteen", [](uint64_t i, R& r) { const float v = r.normal(); return i / 16 % 3 == 1 ? 0.0f : v; });
	add("one weight a super-block", [](uint64_t i, R& r) { const float v = r.normal(); return i % 256 == 77 ? v : 0.0f; });
	add("one weight a block", [](uint64_t i, R& r) { const float v = r.normal(); return i % 32 == i / 32 % 32 ? v : 0.0f; });

	add("all equal", [](uint64_t, R&) { return 0.37f; });
	add("all equal and negative", [](uint64_t, R&) { return -0.37f; });
	add("equal within a block", [](uint64_t i, R&) { return float(i / 32 % 9) * 0.1f - 0.3f; });
	add("ties of magnitude, signs alternating", [](uint64_t i, R&) { return i % 2 ? 1.0f : -1.0f; });
	add("few distinct values", [](uint64_t, R& r) { return float(int(r.below(5)) - 2) * 0.25f; });
	add("halfway between codes", [](uint64_t i, R& r) { return i % 32 == 0 ? 8.0f : float(int(r.below(16)) - 8) + 0.5f; });
	add("whole numbers up to 127", [](uint64_t i, R& r) { return i % 32 == 0 ? 127.0f : float(int(r.below(255)) - 127); });
	add("whole numbers and halves", [](uint64_t i, R& r) { return i % 32 == 0 ? -127.0f : float(int(r.below(509)) - 254) * 0.5f; });
	add("ramp", [](uint64_t i, R&) { return float(i % 256) * 0.01f - 1.0f; });

	add("all positive", [](uint64_t, R& r) { return r.uniform() + 0.5f; });
	add("all negative", [](uint64_t, R& r) { return -r.uniform() - 0.5f; });
	add("positive, far from zero", [](uint64_t, R& r) { return 100.0f + r.uniform(); });
	add("negative, far from zero", [](uint64_t, R& r) { return -100.0f - r.uniform(); });

	add("one outlier a block", [](uint64_t i, R& r) { const float v = r.normal(); return i % 32 == 5 ? v * 1000 : v * 0.001f; });
	add("one outlier a super-block", [](uint64_t i, R& r) { const float v = r.normal(); return i % 256 == 200 ? v * 1000 : v * 0.001f; });
	add("one enormous outlier", [](uint64_t i, R& r) { const float v = r.normal(); return i % 256 == 31 ? 60000.0f : v * 1e-6f; });
	add("magnitudes differ from group to group", [](uint64_t i, R& r) { return r.normal() * R::power(int(i / 16 * 7919 % 30) - 20); });
	add("magnitudes differ from weight to weight", [](uint64_t, R& r) { return r.normal() * R::power(int(r.below(24)) - 16); });

	add("near the largest half", [](uint64_t, R& r) { return (r.uniform() - 0.5f) * 120000; });
	add("subnormal halves", [](uint64_t, R& r) { return float(int(r.below(2047)) - 1023) * 0x1p-24f; });
	add("smallest halves", [](uint64_t, R& r) { return float(int(r.below(7)) - 3) * 0x1p-24f; });
	add("scales that vanish as halves", [](uint64_t, R& r) { return r.normal() * 0x1p-26f; });
	add("just above a zero group", [](uint64_t, R& r) { return r.normal() * 1e-15f; });
	add("just below a zero group", [](uint64_t, R& r) { return r.normal() * 1e-16f; });
	add("squares underflow", [](uint64_t, R& r) { return r.normal() * 0x1p-70f; });
	add("smallest normal floats", [](uint64_t, R& r) { return r.normal() * 0x1p-124f; });
	add("subnormal floats", [](uint64_t, R& r) { return float(int(r.below(2001)) - 1000) * 0x1p-140f; });
	add("inverse scale overflows", [](uint64_t, R& r) { return float(int(r.below(7)) - 3) * 0x1p-149f; });
	return all;
}

/// Rows whose scales do not fit a half, and which must therefore be refused. (Beyond about 1e12 the searches' own sums overflow,
/// and they find zero scales: the reference's bytes, which no check of scales can refuse.)
inline std::vector<Row> overflowingRows(uint64_t elements) {
	std::vector<Row> all;
	for (const auto& [name, size] : {std::pair{"around 1e9", 1e9f}, std::pair{"around 3e9", 3e9f}, std::pair{"around 1e10", 1e10f}}) {
		Random random(7);
		Row row{name, std::vector<float>(elements)};
		for (float& value : row.values) value = (random.uniform() - 0.5f) * size;
		all.push_back(std::move(row));
	}
	return all;
}

/// Named importances for rows of `elements` weights: >= 0 and finite.
inline std::vector<Row> importances(uint64_t elements) {
	std::vector<Row> all;
	auto add = [&](std::string name, auto value) {
		Random random(0x1337 + all.size());
		Row row{std::move(name), std::vector<float>(elements)};
		for (uint64_t i = 0; i < elements; ++i) row.values[i] = value(i, random);
		all.push_back(std::move(row));
	};
	using R = Random;
	add("all one", [](uint64_t, R&) { return 1.0f; });
	add("all zero", [](uint64_t, R&) { return 0.0f; });
	add("like activations", [](uint64_t, R& r) { const float v = r.normal(); return v * v; });
	add("two thirds zero", [](uint64_t, R& r) { const float v = r.uniform(); return r.below(3) ? 0.0f : v; });
	add("one column in a block", [](uint64_t i, R&) { return i % 32 == 9 ? 1.0f : 0.0f; });
	add("zero blocks", [](uint64_t i, R& r) { const float v = r.uniform(); return i / 32 % 2 ? v : 0.0f; });
	add("over many magnitudes", [](uint64_t, R& r) { return r.uniform() * R::power(int(r.below(40)) - 20); });
	add("tiny", [](uint64_t, R& r) { return r.uniform() * 0x1p-100f; });
	add("large", [](uint64_t, R& r) { return r.uniform() * 1e10f; });
	return all;
}

}  // namespace vkq::adversarial
