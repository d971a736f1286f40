// What an interrupted job has safely on disk: a small text file beside OUTPUT.partial, for --resume.
//
// First line: a fingerprint of everything that decides the output's bytes (header, source files, importance matrix, search). Then one line
// a finished tensor, appended only after its bytes have reached the disk. A torn last line is ignored.
#pragma once

#include "core/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace vkq {

class Journal {
public:
	/// Beside `output`: OUTPUT.journal. Reads it if it is there and has this fingerprint; else starts anew.
	static Result<Journal> open(const std::filesystem::path& output, const std::string& fingerprint, size_t tensors);
	Journal(Journal&&) noexcept;
	Journal& operator=(Journal&&) noexcept;
	~Journal();

	/// Which tensors an earlier run has finished; all false if there was none, or its fingerprint differs.
	const std::vector<bool>& finished() const { return finished_; }
	bool continues() const { return continues_; }

	/// Notes finished tensors and waits until the note is on disk. The tensors' bytes must be there already.
	Result<void> add(const std::vector<size_t>& tensors);

	/// The job is complete: the journal is deleted.
	void remove();

private:
	Journal() = default;
	std::filesystem::path path_;
	int file_ = -1;
	bool continues_ = false;
	std::vector<bool> finished_;
};

}  // namespace vkq
