// How wide the vectors of a software device are.
//
// Mesa's software device compiles shaders to vectors of at most 256 bits unless LP_NATIVE_VECTOR_WIDTH asks for more, for on many processors
// 512-bit instructions bring nothing or lower the clock. Encoders are bound by arithmetic and registers, so they gain where the
// processor has full 512-bit units (docs/kernels.md): AMD Zen 5, Q4_K 1.5 times, IQ4_XS 1.4 times. The matrix products of inference lose there.
#pragma once

namespace vkq::vk {

/// For a process that encodes and does not run models: asks for 512-bit vectors where this processor is known to gain. A user's
/// own LP_NATIVE_VECTOR_WIDTH stands. To be called before the first Device is opened, and while the process has one thread (it sets the variable).
void widenSoftwareVectors();

}  // namespace vkq::vk
