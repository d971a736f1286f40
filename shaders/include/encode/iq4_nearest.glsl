// The sixteen values of IQ4_NL and IQ4_XS (quant/iq4.h): which is nearest.

// Where the nearer of two neighbouring values changes, and by how much it does.
const float kIq4Middle[15] = float[](-115.5, -93.5, -74.0, -57.0, -42.0, -28.5, -16.0, -4.5, 7.0, 19.0, 31.5, 45.5, 61.0, 79.0, 101.0);
const float kIq4Step[15] = float[](23.0, 21.0, 18.0, 16.0, 14.0, 13.0, 12.0, 11.0, 12.0, 12.0, 13.0, 15.0, 16.0, 20.0, 24.0);

/// The value of the table that is nearest to v; ties go up. Sums of small integers are exact in any order.
float iq4Value(float v) {
	float value = -127.0;
	[[unroll]] for (int i = 0; i < 15; ++i) value += v < kIq4Middle[i] ? 0.0 : kIq4Step[i];
	return value;
}

/// Its index.
uint iq4Code(float v) {
	uint code = 0u;
	[[unroll]] for (int i = 0; i < 15; ++i) code += v < kIq4Middle[i] ? 0u : 1u;
	return code;
}
