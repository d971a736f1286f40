// Arithmetic whose bits are promised: what x86-64 C computes, step for step.
//
// Everything that reaches a stored byte is `precise` (no contraction, no reassociation). Division and square root must be
// correctly rounded: where the driver's are not, kCorrectedDivision adds a fused residual step.

// Constants 0, 1, 2 are the workgroup's size by convention.
layout(constant_id = 3) const bool kCorrectedDivision = false;

float exactDivide(float a, float b) {
	precise float q = a / b;
	if (kCorrectedDivision) {
		precise float residual = fma(-q, b, a);
		precise float better = fma(residual, 1.0 / b, q);
		// Infinite and zero quotients have no residual.
		if (!isinf(q) && !isnan(better)) q = better;
	}
	return q;
}

float exactSqrt(float a) {
	precise float s = sqrt(a);
	if (kCorrectedDivision && a > 0.0 && !isinf(a)) {
		precise float residual = fma(-s, s, a);
		precise float better = fma(residual, 0.5 / s, s);
		s = better;
	}
	return s;
}

/// To the nearest integer, ties to even, for |v| <= 4194303.
float nearest(float v) {
	precise float shifted = v + 12582912.0;
	precise float whole = shifted - 12582912.0;
	return whole;
}

/// clamp(nearest(v), low, high), for any v. The clamp happens while the rounding constant is still added, on integers: the
/// order of bits is that of the floats, and integers have no NaN that a driver must look out for.
float nearestClamped(float v, int low, int high) {
	precise float shifted = v + 12582912.0;
	const int bits = min(max(floatBitsToInt(shifted), 0x4b400000 + low), 0x4b400000 + high);
	precise float whole = intBitsToFloat(bits) - 12582912.0;
	return whole;
}

const float kNearestRange = 4194303.0;

/// A group whose largest magnitude is below this is all zeros (quant/scale_search.h).
const float kZeroGroup = 1e-15;

// Integers in the order of the floats (-0 before +0), and back. Float min, max and comparisons of freshly converted halves are
// turned into comparisons of halves by LLVM, one lane after the other; and min and max look out for NaN.
int ordered(float v) {
	const int bits = floatBitsToInt(v);
	return bits ^ ((bits >> 31) & 0x7fffffff);
}
float unordered(int key) { return intBitsToFloat(key ^ ((key >> 31) & 0x7fffffff)); }

float magnitudeOf(float v) { return uintBitsToFloat(floatBitsToUint(v) & 0x7fffffffu); }

/// Binary16 bits, to nearest even, subnormals kept: in integers, because packHalf2x16 may flush or truncate.
uint halfBits(float value) {
	const uint bits = floatBitsToUint(value);
	const uint sign = (bits >> 16) & 0x8000u;
	const uint magnitude = bits & 0x7fffffffu;
	const uint rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
	uint half_bits = (rounded - 0x38000000u) >> 13;
	if (magnitude < 0x38800000u) {   // below 2^-14: a subnormal half, or zero
		const uint shift = min(126u - (magnitude >> 23), 31u);
		const uint significand = (magnitude & 0x7fffffu) | 0x800000u;
		const uint kept = significand >> shift;
		const uint rest = significand & ((1u << shift) - 1u);
		const uint tie = 1u << (shift - 1u);
		half_bits = kept + uint(rest > tie || (rest == tie && (kept & 1u) != 0u));
	}
	if (magnitude >= 0x47800000u) half_bits = 0x7c00u;
	if (magnitude > 0x7f800000u) half_bits = 0x7e00u;
	return sign | half_bits;
}

/// The value of binary16 bits; subnormals by integer conversion, because unpackHalf2x16 may flush them.
float halfValue(uint bits) {
	const uint exponent = (bits >> 10) & 0x1fu;
	const uint mantissa = bits & 0x3ffu;
	precise float subnormal = float(mantissa) * 5.9604644775390625e-8;   // 2^-24
	float magnitude = uintBitsToFloat(((exponent + 112u) << 23) | (mantissa << 13));
	if (exponent == 0u) magnitude = subnormal;
	if (exponent == 31u) magnitude = uintBitsToFloat(0x7f800000u | (mantissa << 13));
	return (bits & 0x8000u) != 0u ? -magnitude : magnitude;
}
