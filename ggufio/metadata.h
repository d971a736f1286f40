// GGUF key-value metadata: ordered, typed, as it lies in the file.
#pragma once

#include "core/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vkq {

/// Values are GGUF's ids.
enum class MetaType : uint32_t { U8 = 0, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

/// "u32", "string", ...
std::string_view metaTypeName(MetaType type);

/// A homogeneous array; arrays of arrays do not exist in GGUF. The alternative held gives the element type.
/// Bools are bytes 0 or 1 (a struct of their own, so that they are no u8).
struct MetaBools { std::vector<uint8_t> values; bool operator==(const MetaBools&) const = default; };
using MetaArray = std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>, std::vector<uint32_t>,
                               std::vector<int32_t>, std::vector<float>, MetaBools, std::vector<std::string>, std::vector<uint64_t>,
                               std::vector<int64_t>, std::vector<double>>;

using MetaValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string, MetaArray, uint64_t, int64_t, double>;

MetaType metaType(const MetaValue& value);          // MetaType::Array for arrays
MetaType metaElementType(const MetaArray& array);   // never Array
uint64_t metaArraySize(const MetaArray& array);

struct MetaEntry {
	std::string key;
	MetaValue value;
};

class Metadata {
public:
	std::span<const MetaEntry> entries() const { return entries_; }
	bool empty() const { return entries_.empty(); }

	/// The value, or null.
	const MetaValue* find(std::string_view key) const;
	bool contains(std::string_view key) const { return find(key) != nullptr; }

	/// Appends; a key that exists is removed first, so that it moves to the end (as the reference does).
	void set(std::string key, MetaValue value);
	/// Appends without looking: for parsers that know the key to be new.
	void append(std::string key, MetaValue value);
	/// Replaces the value in place when the key exists, appends otherwise.
	void replace(std::string key, MetaValue value);
	/// Whether it was there.
	bool remove(std::string_view key);

	/// Typed look-ups. Any integer type (or a bool) that holds a non-negative value reads as unsigned; any float type as double.
	/// Nothing when the key is missing or of another kind.
	std::optional<uint64_t> unsignedInt(std::string_view key) const;
	std::optional<int64_t> signedInt(std::string_view key) const;
	std::optional<double> number(std::string_view key) const;  // integers too
	std::optional<bool> boolean(std::string_view key) const;
	std::optional<std::string_view> string(std::string_view key) const;
	/// Null when missing or not an array of that kind.
	const std::vector<std::string>* strings(std::string_view key) const;
	const MetaArray* array(std::string_view key) const;

private:
	std::vector<MetaEntry> entries_;
};

}  // namespace vkq
