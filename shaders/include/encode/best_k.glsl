// What the best searches of the k-quants share: one invocation has 32 weights x[], in BEST_PARTS groups of BEST_COUNT, and how much each
// counts, w[]; without an importance matrix all count alike, and nothing is multiplied. Sums of a group are four strided sums.

#include "include/encode/best_scale.glsl"
#ifdef IMPORTANCE
#include "include/encode/best_weights.glsl"
#endif

const float kLowest = -3.402823466e+38;

const int kRefits = 2;   // kBestKRefits of quant/best_lanes.h

#define SUM4(s) ((s[0] + s[1]) + (s[2] + s[3]))

#ifdef IMPORTANCE
float weighed(int i, float value) {
	precise float product = w[i] * value;
	return product;
}
#else
float weighed(int i, float value) { return value; }
#endif
