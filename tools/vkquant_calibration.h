// Sensitivities of tensors, measured on a calibration text while a mix is chosen.
#pragma once

#include "tools/vkquant_mix.h"

#include <functional>

namespace vkq::tools {

/// Replaces the sensitivities of `mix` by measured ones and chooses again, by `choose`, which reads mix.tensors and writes mix.choice.
/// Each tensor is rounded to the type that the present choice gives it; where the next choice is far from that, it is measured again there.
Result<void> calibrate(const ModelSource& source, const MixRequest& request, const MixSurroundings& surroundings, Search search, ChosenMix& mix,
                       const std::function<Result<void>()>& choose);

}  // namespace vkq::tools
