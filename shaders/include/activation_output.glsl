// What a kernel puts out for the products that read it: floats, 8 bits per 32, or both (kernels/activation_output.h).
//
// Needs shared/product.h, the specialization constant kOutputs (VKQ_OUTPUT_...), and `quantized`, a writeonly buffer of uint words.
const bool kFloatOutput = (kOutputs & VKQ_OUTPUT_FLOATS) != 0u, kQuantizedOutput = (kOutputs & VKQ_OUTPUT_8BITS) != 0u;
const bool kPackedBytes = (kOutputs & VKQ_OUTPUT_BYTES) != 0u;

/// v -> block `block` of the `blocks` of a vector, laid out for product.comp (shared/product.h): scale = max|x| / 127, code = round(x / scale).
void quantizeBlock(float v[32], uint vector, uint block, uint blocks) {
	const uint code_words = kPackedBytes ? VKQ_ACTIVATION_BYTE_WORDS : VKQ_ACTIVATION_PAIR_WORDS;
	const uint codes_at = vector * blocks * (code_words + 2u) + block * code_words;
	float largest = 0.0;
	[[unroll]] for (uint i = 0; i < 32u; ++i) largest = max(largest, abs(v[i]));
	const float scale = largest / 127.0;
	const float inverse = largest > 0.0 ? 127.0 / largest : 0.0;
	int code[32];
	[[unroll]] for (uint i = 0; i < 32u; ++i) code[i] = int(roundEven(v[i] * inverse));
	int sums[2] = {0, 0};
	[[unroll]] for (uint i = 0; i < 32u; ++i) sums[i / 16u] += code[i];
	[[unroll]] for (uint p = 0; p < code_words; ++p) {
		uint word = 0u;
		if (kPackedBytes) {
			[[unroll]] for (uint i = 0; i < 4u; ++i) word |= (uint(code[(8u * (p / 2u) + p % 2u + 2u * i) % 32u]) & 0xffu) << (8u * i);
		} else {
			const uint first = 8u * (p / 4u) + p % 4u;
			word = uint(code[first]) * 65536u + uint(code[first + 4u]);
		}
		quantized[codes_at + p] = word;
	}
	const uint meta = vector * blocks * (code_words + 2u) + blocks * code_words + block * 2u;
	quantized[meta] = floatBitsToUint(scale);
	quantized[meta + 1u] = uint(sums[1]) * 65536u + (uint(sums[0]) & 0xffffu);
}
