// The cache is filled by the append kernel, then attention is compared with float64 sums over what the cache should hold: the input
// itself for floats, the host encoder's rounding for quantized types.
#include "kernels/attention.h"
#include "kernels/load_probe.h"
#include "kernels/rotate_heads.h"
#include "quant/codec.h"
#include "quant/device_layout.h"
#include "shaders/shared/step.h"
#include "tests/kernels/transformer_fixture.h"

#include <cmath>
#include <cstdlib>

using namespace vkq;

namespace {

struct Shape {
	uint32_t tokens = 1, past = 0, heads = 4, kv_heads = 2, head_dim = 64, window = 0, splits = 1, cells = 0;
	float softcap = 0;
	TensorType key = TensorType::F16, value = TensorType::F16;
	uint32_t cut = 0;         // heads of the first piece of K; 0: one piece
	bool quantized = false;   // 8 bits are put out too
};

/// Which shapes are computed with whole-vector loads, too: a driver that they are not meant for takes seconds to compile each.
enum class Loads { Both, BothEverywhere };

struct AttentionTest : KernelTest {
	/// Values as the cache keeps them. IQ4_NL's simple encoder is no codec of ours: what the kernel wrote must be near the input, so the input serves.
	static std::vector<float> kept(TensorType type, const std::vector<float>& x, uint32_t head_dim) {
		if (type == TensorType::F32 || type == TensorType::IQ4_NL) return x;
		std::vector<float> y(x.size());
		std::vector<std::byte> row(typeBytes(type, head_dim).value());
		for (size_t i = 0; i < x.size(); i += head_dim) {
			encodeRow(type, &x[i], head_dim, nullptr, row.data());
			decodeRow(type, row.data(), head_dim, &y[i]);
		}
		return y;
	}

	void check(const Shape& s, Loads loads = Loads::Both) {
		const uint32_t total = s.past + s.tokens, cells = s.cells ? s.cells : (total + 31) / 32 * 32, kv_width = s.kv_heads * s.head_dim;
		const auto q = normal(size_t(s.tokens) * s.heads * s.head_dim, 1.0f / std::sqrt(float(s.head_dim)) * 2);
		const auto k = normal(size_t(total) * kv_width), v = normal(size_t(total) * kv_width);
		auto query = bufferOf(q), keys = bufferOf(k), values = bufferOf(v), out = buffer(q.size() * 4);
		auto quantized = buffer(s.quantized ? quantizedActivationBytes(s.heads * s.head_dim, s.tokens) : 0);
		auto splits = buffer(uint64_t(s.splits) * s.tokens * s.heads * (s.head_dim + 2) * 4);
		auto step = buffer(16), fill_step = buffer(16);

		const auto bytes = [&](TensorType type, uint32_t heads) { return deviceLayout(type, s.head_dim, uint64_t(heads) * cells, kKeyInterleave)->bytes; };
		std::vector<vk::Buffer> buffers;
		std::vector<CachePiece> key_pieces, value_pieces;
		for (uint32_t head = 0; head < s.kv_heads;) {
			const uint32_t count = head == 0 && s.cut ? s.cut : s.kv_heads - head;
			buffers.push_back(buffer(bytes(s.key, count)));
			key_pieces.push_back({buffers.back(), s.key, head, count, cells});
			head += count;
		}
		buffers.push_back(buffer(bytes(s.value, s.kv_heads)));
		value_pieces.push_back({buffers.back(), s.value, 0, s.kv_heads, cells});

		// Fill in steps of at most 32 tokens, as a ring must be.
		for (uint32_t first = 0; first < total; first += 32) {
			const uint32_t count = std::min(32u, total - first);
			const shader::StepInput fill{first, count, 0, 0};
			std::memcpy(fill_step.mapped(), &fill, sizeof fill);
			run([&](vk::CommandBuffer& commands) {
				return recordRotateHeads(*device, commands, {.step_input = fill_step, .key = {keys, kv_width, first * kv_width}, .value = {values, kv_width, first * kv_width},
				                                             .keys = key_pieces, .values = value_pieces, .head_dim = s.head_dim, .tokens = count});
			});
		}
		const shader::StepInput input{s.past, s.tokens, 0, 0};
		std::memcpy(step.mapped(), &input, sizeof input);
		const auto kept_k = kept(s.key, k, s.head_dim), kept_v = kept(s.value, v, s.head_dim);
		const bool coarse = s.key == TensorType::IQ4_NL || s.value == TensorType::IQ4_NL;
		std::vector<double> wanted(q.size());
		for (uint32_t t = 0; t < s.tokens; ++t) {
			const uint32_t own = s.past + t, first = s.window && own + 1 > s.window ? own + 1 - s.window : 0;
			for (uint32_t head = 0; head < s.heads; ++head) {
				const size_t q_at = (size_t(t) * s.heads + head) * s.head_dim, kv_at = size_t(head / (s.heads / s.kv_heads)) * s.head_dim;
				double sum = 0;
				for (uint32_t p = first; p <= own; ++p) {
					double score = 0;
					for (uint32_t i = 0; i < s.head_dim; ++i) score += double(q[q_at + i]) * kept_k[size_t(p) * kv_width + kv_at + i];
					if (s.softcap > 0) score = s.softcap * std::tanh(score / s.softcap);
					const double weight = std::exp(score);
					sum += weight;
					for (uint32_t i = 0; i < s.head_dim; ++i) wanted[q_at + i] += weight * kept_v[size_t(p) * kv_width + kv_at + i];
				}
				for (uint32_t i = 0; i < s.head_dim; ++i) wanted[q_at + i] /= sum;
			}
		}
		const bool streams = device->info().features.buffer_device_address && (loads == Loads::BothEverywhere || streamsFaster(*device));
		for (const bool whole_vectors : {false, true}) {
			if (whole_vectors && !streams) continue;
			std::fill_n(floats(out).data(), q.size(), NAN);
			run([&](vk::CommandBuffer& commands) {
				return recordAttention(*device, commands, {.step_input = step, .query = query, .query_stride = s.heads * s.head_dim, .keys = key_pieces, .values = value_pieces,
				                                           .output = {out, s.quantized ? vk::BufferView(quantized) : vk::BufferView()}, .splits_buffer = splits, .splits = s.splits,
				                                           .tokens = s.tokens, .heads = s.heads, .kv_heads = s.kv_heads, .head_dim = s.head_dim, .window = s.window,
				                                           .softcap = s.softcap, .whole_vectors = whole_vectors});
			});
			if (s.quantized) expectQuantized(out, quantized, s.heads * s.head_dim, s.tokens, false);

			double worst = 0;
			for (size_t i = 0; i < wanted.size(); ++i) worst = std::max(worst, std::isnan(floats(out)[i]) ? INFINITY : std::abs(wanted[i] - floats(out)[i]));
			EXPECT_LT(worst, coarse ? 0.25 : 2e-4) << "tokens " << s.tokens << " past " << s.past << " heads " << s.heads << "/" << s.kv_heads << " x " << s.head_dim << " window "
			                                       << s.window << " splits " << s.splits << " K " << typeName(s.key) << " V " << typeName(s.value) << (whole_vectors ? " whole vectors" : "");
		}
	}
};

}  // namespace

// One row of queries: what the driver compiles for eight takes it seconds a pair, and reads the cache by the same code. Reading K and reading V are
// functions of their own, so every type of each with two of the other; VKQ_LONG_TESTS=1 asks for all 64 pairs.
TEST_F(AttentionTest, EqualsFloat64ForPairsOfCacheTypes) {
	const char* wanted = std::getenv("VKQ_LONG_TESTS");
	const bool all = wanted && *wanted == '1';
	for (const TensorType key : cacheTypes())
		for (const TensorType value : cacheTypes())
			if (all || key == value || key == TensorType::F16 || value == TensorType::F16) check({.tokens = 1, .past = 70, .heads = 2, .kv_heads = 2, .key = key, .value = value});
}

TEST_F(AttentionTest, EqualsFloat64WhereRowsShareTheLoads) {
	for (const TensorType type : {TensorType::F16, TensorType::Q8_0}) check({.tokens = 3, .past = 70, .key = type, .value = type});
}

TEST_F(AttentionTest, EqualsFloat64WithWholeVectorsOnEveryDriver) {
	check({.tokens = 1, .past = 40, .heads = 1, .kv_heads = 1, .key = TensorType::F16, .value = TensorType::F16, .quantized = true}, Loads::BothEverywhere);
	check({.tokens = 2, .past = 37, .heads = 1, .kv_heads = 1, .key = TensorType::Q8_0, .value = TensorType::Q5_1}, Loads::BothEverywhere);
}

TEST_F(AttentionTest, EqualsFloat64OverShapes) {
	check({.tokens = 1, .past = 0});
	check({.tokens = 1, .past = 31});
	check({.tokens = 1, .past = 32, .heads = 1, .kv_heads = 1, .head_dim = 4});
	check({.tokens = 7, .past = 0, .heads = 3, .kv_heads = 1, .head_dim = 96});
	check({.tokens = 2, .past = 5, .heads = 5, .kv_heads = 5, .head_dim = 80});
	check({.tokens = 33, .past = 200, .heads = 8, .kv_heads = 1, .head_dim = 128});
	check({.tokens = 1, .past = 400, .heads = 32, .kv_heads = 2, .head_dim = 32});
	check({.tokens = 2, .past = 11, .heads = 2, .kv_heads = 2, .head_dim = 256, .key = TensorType::Q8_0, .value = TensorType::Q8_0});
	check({.tokens = 1, .past = 40, .heads = 1, .kv_heads = 1, .head_dim = 96, .key = TensorType::Q5_0, .value = TensorType::Q5_1});
}

TEST_F(AttentionTest, SplitsAddUp) {
	for (const uint32_t splits : {2u, 5u, 16u})
		for (const uint32_t past : {0u, 63u, 500u}) check({.tokens = 2, .past = past, .splits = splits, .key = TensorType::Q8_0});
}

TEST_F(AttentionTest, SlidesOverARing) {
	check({.tokens = 1, .past = 100, .window = 24, .cells = 64});
	check({.tokens = 9, .past = 300, .window = 24, .cells = 64});
	check({.tokens = 32, .past = 32, .window = 32, .cells = 64, .key = TensorType::Q4_0});
	check({.tokens = 4, .past = 90, .window = 1, .splits = 4, .cells = 64});
}

// Heads of whole blocks of 32, with and without splits; heads that blocks reach over.
TEST_F(AttentionTest, PutsOut8BitsToo) {
	check({.tokens = 3, .past = 50, .heads = 6, .kv_heads = 2, .quantized = true});
	check({.tokens = 2, .past = 300, .head_dim = 96, .splits = 3, .quantized = true});
	check({.tokens = 2, .past = 5, .heads = 2, .kv_heads = 2, .head_dim = 80, .quantized = true});
}

TEST_F(AttentionTest, CapsScores) { check({.tokens = 4, .past = 60, .softcap = 1.5f}); }

TEST_F(AttentionTest, PiecesOfTheCacheMayBeCutApart) {
	check({.tokens = 3, .past = 50, .heads = 6, .kv_heads = 3, .key = TensorType::Q5_1, .value = TensorType::Q4_1, .cut = 1});
	check({.tokens = 1, .past = 50, .heads = 6, .kv_heads = 3, .splits = 3, .cut = 2});
}
