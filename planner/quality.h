// What a file type costs in quality, as published, and the order in which types are preferred.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace vkq {

/// Figures of the reference's own tool for Llama 3 8B, without importance matrix, over wikitext-2 (kLossSource). Other models lose
/// other amounts (small ones more); the order holds.
struct PublishedQuality {
	std::string_view type;                          // file type
	std::optional<double> perplexity_increase;      // over F16's 6.2332; nothing: no figure published for it
	std::optional<double> divergence;               // mean Kullback-Leibler divergence from F16 (kDivergenceSource)
};
inline constexpr std::string_view kLossSource = "llama.cpp, help of llama-quantize: perplexity increase of Llama 3 8B, no importance matrix";
inline constexpr std::string_view kDivergenceSource = "llama.cpp pull request 6936: Llama 3 8B, no importance matrix";
inline constexpr double kPublishedBasePerplexity = 6.2332;

/// Measured on the model itself (vkeval kld --json).
struct MeasuredQuality {
	double perplexity_ratio = 1;                    // of the original's
	double mean_divergence = 0;
};

/// Best first: the order of preference.
std::span<const PublishedQuality> qualityOrder();

/// Null for a type that is not in the list.
const PublishedQuality* publishedQuality(std::string_view file_type);

/// Position in qualityOrder(); its length for a type that is not in it.
size_t qualityRank(std::string_view file_type);

}  // namespace vkq
