// Notes for the host about blocks that a device may get wrong, or nobody can get right (shared/encode.h).

layout(binding = 2, scalar) buffer Notes {
	uint note_count;
	uint notes_padding;
	EncodeNote notes[kNoteCapacity];
	float sums[];   // of squares, for searches with importance: one a row or super-block (encode_sums.comp)
};

void note(uint unit, uint reasons) {
	const uint at = atomicAdd(note_count, 1u);
	if (at < kNoteCapacity) notes[at] = EncodeNote(unit, reasons);
}

// Magnitudes of a group of weights, as bits: their order is that of the floats.
uint largest_magnitude, smallest_magnitude;   // the smallest is of those that are not zero, minus one

void beginMagnitudes() {
	largest_magnitude = 0u;
	smallest_magnitude = 0xffffffffu;
}

void seeMagnitude(float value) {
	const uint magnitude = floatBitsToUint(value) & 0x7fffffffu;
	largest_magnitude = max(largest_magnitude, magnitude);
	smallest_magnitude = min(smallest_magnitude, magnitude - 1u);
}

/// 2^exponent as bits.
#define POWER_OF_TWO(exponent) (uint((exponent) + 127) << 23)

/// Reasons for a note, given that nothing subnormal or infinite arises while the largest magnitude is between `largest` and
/// 2^40 and the others are zero or at least `smallest` (as bits).
uint magnitudeReasons(uint largest, uint smallest) {
	if (largest_magnitude == 0u) return 0u;
	if (largest_magnitude >= 0x7f800000u) return kNoteSource;
	return largest_magnitude < largest || smallest_magnitude < smallest - 1u || largest_magnitude > POWER_OF_TWO(40) ? kNoteUncertain : 0u;
}

/// Whether binary16 bits are an infinity or a NaN.
bool halfIsFinite(uint bits) { return (bits & 0x7c00u) != 0x7c00u; }
