#include "ggufio/metadata.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace vkq {

namespace {

// MetaArray's alternatives in the order of their declaration.
constexpr std::array kElementTypes = {MetaType::U8,  MetaType::I8,   MetaType::U16,    MetaType::I16, MetaType::U32, MetaType::I32,
                                      MetaType::F32, MetaType::Bool, MetaType::String, MetaType::U64, MetaType::I64, MetaType::F64};
static_assert(kElementTypes.size() == std::variant_size_v<MetaArray>);
static_assert(std::is_same_v<std::variant_alternative_t<size_t(MetaType::Array), MetaValue>, MetaArray>);
static_assert(std::is_same_v<std::variant_alternative_t<size_t(MetaType::F64), MetaValue>, double>);

template <class T>
constexpr bool kIsInteger = std::is_integral_v<T>;   // bool included

}  // namespace

std::string_view metaTypeName(MetaType type) {
	constexpr std::string_view kNames[] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
	return kNames[size_t(type)];
}

MetaType metaType(const MetaValue& value) { return MetaType(value.index()); }

MetaType metaElementType(const MetaArray& array) { return kElementTypes[array.index()]; }

uint64_t metaArraySize(const MetaArray& array) {
	return std::visit(
	    [](const auto& values) -> uint64_t {
		    if constexpr (std::is_same_v<std::decay_t<decltype(values)>, MetaBools>) return values.values.size();
		    else return values.size();
	    },
	    array);
}

const MetaValue* Metadata::find(std::string_view key) const {
	const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const MetaEntry& entry) { return entry.key == key; });
	return at == entries_.end() ? nullptr : &at->value;
}

void Metadata::set(std::string key, MetaValue value) {
	remove(key);
	append(std::move(key), std::move(value));
}

void Metadata::append(std::string key, MetaValue value) { entries_.push_back({std::move(key), std::move(value)}); }

void Metadata::replace(std::string key, MetaValue value) {
	const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const MetaEntry& entry) { return entry.key == key; });
	if (at != entries_.end()) at->value = std::move(value);
	else append(std::move(key), std::move(value));
}

bool Metadata::remove(std::string_view key) {
	return std::erase_if(entries_, [&](const MetaEntry& entry) { return entry.key == key; }) != 0;
}

std::optional<uint64_t> Metadata::unsignedInt(std::string_view key) const {
	const MetaValue* value = find(key);
	if (!value) return std::nullopt;
	return std::visit(
	    [](const auto& held) -> std::optional<uint64_t> {
		    using T = std::decay_t<decltype(held)>;
		    if constexpr (kIsInteger<T>) {
			    if constexpr (std::is_signed_v<T>)
				    if (held < 0) return std::nullopt;
			    return uint64_t(held);
		    } else return std::nullopt;
	    },
	    *value);
}

std::optional<int64_t> Metadata::signedInt(std::string_view key) const {
	const MetaValue* value = find(key);
	if (!value) return std::nullopt;
	return std::visit(
	    [](const auto& held) -> std::optional<int64_t> {
		    using T = std::decay_t<decltype(held)>;
		    if constexpr (kIsInteger<T>) {
			    if constexpr (std::is_same_v<T, uint64_t>)
				    if (held > uint64_t(INT64_MAX)) return std::nullopt;
			    return int64_t(held);
		    } else return std::nullopt;
	    },
	    *value);
}

std::optional<double> Metadata::number(std::string_view key) const {
	const MetaValue* value = find(key);
	if (!value) return std::nullopt;
	return std::visit(
	    [](const auto& held) -> std::optional<double> {
		    using T = std::decay_t<decltype(held)>;
		    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) return double(held);
		    else return std::nullopt;
	    },
	    *value);
}

std::optional<bool> Metadata::boolean(std::string_view key) const {
	const MetaValue* value = find(key);
	if (const bool* held = value ? std::get_if<bool>(value) : nullptr) return *held;
	return std::nullopt;
}

std::optional<std::string_view> Metadata::string(std::string_view key) const {
	const MetaValue* value = find(key);
	if (const std::string* held = value ? std::get_if<std::string>(value) : nullptr) return *held;
	return std::nullopt;
}

const MetaArray* Metadata::array(std::string_view key) const {
	const MetaValue* value = find(key);
	return value ? std::get_if<MetaArray>(value) : nullptr;
}

const std::vector<std::string>* Metadata::strings(std::string_view key) const {
	const MetaArray* held = array(key);
	return held ? std::get_if<std::vector<std::string>>(held) : nullptr;
}

}  // namespace vkq
