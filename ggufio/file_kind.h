// What a file is, from its first bytes: so that a wrong file is named for what it is instead of "bad magic".
#pragma once

#include "core/bytes.h"

#include <string_view>

namespace vkq {

enum class FileKind { Gguf, Safetensors, Zip, Pickle, Html, LfsPointer, Json, OldGgml, Zeros, Empty, Unknown };

/// `image` is the file, or at least its first 4 KiB.
FileKind identifyFile(Bytes image);

/// "a safetensors file", "a Git LFS pointer, not the file itself", ...
std::string_view describeFile(FileKind kind);

/// What a user can do who wanted a model; empty when there is nothing to say.
std::string_view hintForFile(FileKind kind);

}  // namespace vkq
