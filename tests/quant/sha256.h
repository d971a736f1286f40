// SHA-256 in hexadecimal, as the golden files list it.
#pragma once

#include <fmt/format.h>
#include <nettle/sha2.h>

#include <cstddef>
#include <span>
#include <string>

namespace vkq {

inline std::string sha256(std::span<const std::byte> bytes) {
	sha256_ctx context;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_init(&context);
	sha256_update(&context, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
	sha256_digest(&context, sizeof(digest), digest);
	std::string hex;
	for (uint8_t byte : digest) hex += fmt::format("{:02x}", byte);
	return hex;
}

}  // namespace vkq
