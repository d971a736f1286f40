// Value or error, for everything that untrusted input or the environment can make fail.
//
// A function that can fail returns Result<T>. Its Error carries a code (for exit codes and tests), one sentence that a
// user can act on (naming file, tensor, reason), and optionally a hint (what to try). Broken invariants of our own are
// assert()s instead; Vulkan calls go through VKQ_VK_TRY in vk/check.h, which ends here too.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace vkq {

enum class ErrorCode {
	kUsage,               // the request makes no sense: unknown type, contradicting options
	kNotFound,            // a file, device or tensor that was named does not exist
	kExists,              // an output exists and --force was not given
	kIo,                  // read, write, rename failed
	kDiskFull,            // no room on the output's file system
	kMalformed,           // a file breaks its own format
	kUnsupported,         // well formed, but of a kind that this program does not do
	kInvalidData,         // well formed, but the numbers make no sense: NaN weights, wrong-sized imatrix
	kNoDevice,            // no Vulkan driver or no device that has what is needed
	kOutOfMemory,         // host memory
	kOutOfDeviceMemory,   // device memory
	kDeviceLost,          // the driver gave up
	kDoesNotFit,          // the plan says no
	kInterrupted,         // Ctrl-C
};

struct Error {
	ErrorCode code = ErrorCode::kIo;
	std::string message;  // one sentence, no trailing newline
	std::string hint;     // what to try; may be empty
};

template <class T = void>
class [[nodiscard]] Result {
	using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

public:
	using value_type = T;

	Result() requires std::is_void_v<T> : state_(std::in_place_index<0>) {}
	template <class U>
		requires(!std::is_void_v<T> && std::is_constructible_v<Value, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Error> &&
		         !std::is_same_v<std::remove_cvref_t<U>, Result>)
	Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
	Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

	bool ok() const { return state_.index() == 0; }
	explicit operator bool() const { return ok(); }

	Value& value() & { assert(ok()); return *std::get_if<0>(&state_); }
	const Value& value() const& { assert(ok()); return *std::get_if<0>(&state_); }
	Value&& value() && { assert(ok()); return std::move(*std::get_if<0>(&state_)); }
	Value* operator->() { return &value(); }
	const Value* operator->() const { return &value(); }
	Value& operator*() & { return value(); }
	const Value& operator*() const& { return value(); }

	const Error& error() const& { assert(!ok()); return *std::get_if<1>(&state_); }
	Error&& error() && { assert(!ok()); return std::move(*std::get_if<1>(&state_)); }

private:
	std::variant<Value, Error> state_;
};

inline Error fail(ErrorCode code, std::string message, std::string hint = {}) { return Error{code, std::move(message), std::move(hint)}; }

}  // namespace vkq

#define VKQ_CONCAT_(a, b) a##b
#define VKQ_CONCAT(a, b) VKQ_CONCAT_(a, b)

/// VKQ_TRY(auto file, openFile(path)); declares `file` or returns the error to the caller.
#define VKQ_TRY(declaration, expression)                               \
	auto VKQ_CONCAT(vkq_try_, __LINE__) = (expression);                \
	if (!VKQ_CONCAT(vkq_try_, __LINE__).ok())                          \
		return std::move(VKQ_CONCAT(vkq_try_, __LINE__)).error();      \
	declaration = std::move(VKQ_CONCAT(vkq_try_, __LINE__)).value()

/// VKQ_CHECK(writeHeader()); for a Result<void>, or one whose value is not needed.
#define VKQ_CHECK(expression)                                                \
	do {                                                                     \
		if (auto vkq_check_ = (expression); !vkq_check_.ok())                \
			return std::move(vkq_check_).error();                            \
	} while (0)
