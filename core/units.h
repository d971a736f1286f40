// Sizes, counts and times as people read and write them. Every printed size names its unit.
#pragma once

#include "core/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vkq {

inline constexpr uint64_t kKiB = uint64_t(1) << 10, kMiB = uint64_t(1) << 20, kGiB = uint64_t(1) << 30, kTiB = uint64_t(1) << 40;

/// "3.41 GiB", "512.00 MiB", "17 B": two decimals, the largest binary unit that leaves at least 1.
std::string formatBytes(uint64_t bytes);

/// "6.74 G", "618.2 M", "2,048": weights, tokens; decimal prefixes, exact below 10,000.
std::string formatCount(uint64_t count);

/// "1,234,567"
std::string formatExact(uint64_t count);

/// "0.42 s", "12.3 s", "2 min 05 s", "1 h 02 min"
std::string formatSeconds(double seconds);

/// A size from a user: digits, perhaps a decimal fraction, then a unit: B, KB MB GB TB (powers of 1000; K M G T alone too),
/// KiB MiB GiB TiB (powers of 1024), any case, a space between allowed. A bare number counts in `bare_unit` bytes.
/// kUsage if it is no such thing, is negative, or does not fit.
Result<uint64_t> parseBytes(std::string_view text, uint64_t bare_unit);

}  // namespace vkq
