// The format that FORMAT_Q4_0, ... names.
#if defined(FORMAT_Q4_0)
#include "formats/q4_0.glsl"
#elif defined(FORMAT_Q4_1)
#include "formats/q4_1.glsl"
#elif defined(FORMAT_Q5_0)
#include "formats/q5_0.glsl"
#elif defined(FORMAT_Q5_1)
#include "formats/q5_1.glsl"
#elif defined(FORMAT_Q8_0)
#include "formats/q8_0.glsl"
#elif defined(FORMAT_Q2_K)
#include "formats/q2_k.glsl"
#elif defined(FORMAT_Q3_K)
#include "formats/q3_k.glsl"
#elif defined(FORMAT_Q4_K)
#include "formats/q4_k.glsl"
#elif defined(FORMAT_Q5_K)
#include "formats/q5_k.glsl"
#elif defined(FORMAT_Q6_K)
#include "formats/q6_k.glsl"
#elif defined(FORMAT_IQ4_NL)
#include "formats/iq4_nl.glsl"
#elif defined(FORMAT_IQ4_XS)
#include "formats/iq4_xs.glsl"
#elif defined(FORMAT_MXFP4)
#include "formats/mxfp4.glsl"
#else
#error no FORMAT_ is defined
#endif
