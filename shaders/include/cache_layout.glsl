// The K and V cache on the device: device layout (quant/device_layout.h) with rows of head_dim elements, row = head * cells + cell.
//
//   plane 0  codes: F32 1, F16 2, 8-bit 4, 4- and 5-bit 8 elements a word, ascending from the low bits
//   plane 1  fifth bits: 32 elements a word
//   plane 2  F16 scale of 32 elements, two a word; or scale (low half) and minimum (high half)
//
// Words of `interleave` rows alternate. Types are GGUF's ids, always specialization constants, so that one branch of each `if` remains.
#define VKQ_F32 0u
#define VKQ_F16 1u
#define VKQ_Q4_0 2u
#define VKQ_Q4_1 3u
#define VKQ_Q5_0 6u
#define VKQ_Q5_1 7u
#define VKQ_Q8_0 8u
#define VKQ_IQ4_NL 20u

bool cacheHasMinimum(uint type) { return type == VKQ_Q4_1 || type == VKQ_Q5_1; }
bool cacheHasFifthBit(uint type) { return type == VKQ_Q5_0 || type == VKQ_Q5_1; }
uint cacheCodeElements(uint type) { return type == VKQ_F32 ? 1u : type == VKQ_F16 ? 2u : type == VKQ_Q8_0 ? 4u : 8u; }
uint cacheScaleElements(uint type) { return cacheHasMinimum(type) ? 32u : 64u; }

/// Word `word` of a row that has `row_words` in this plane.
uint cacheWord(uint row, uint word, uint row_words, uint interleave) { return (row / interleave * row_words + word) * interleave + row % interleave; }

const float kIq4Table[16] = {-127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0};
