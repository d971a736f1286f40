// Importance matrices: how much each column of a weight matters, measured by running the model over a text.
//
// For every matrix of the layers, the squares of its input are summed over all tokens, column by column, on the device; per expert in a mixture.
// Sums of a chunk are single precision, sums over chunks double. Chunks are those of text_chunks.h, whole.
#pragma once

#include "core/result.h"
#include "eval/perplexity.h"
#include "eval/text_chunks.h"
#include "ggufio/imatrix_file.h"
#include "infer/session.h"

namespace vkq {

/// Sums for every matrix of the layers under the names of `source`, which `session` was opened from. `progress` gets 0 for the running figure.
/// kInvalidData if an input is not finite.
Result<ImatrixSums> collectImatrix(Session& session, const ModelSource& source, const TextChunks& chunks, const EvalProgress& progress = {});

}  // namespace vkq
