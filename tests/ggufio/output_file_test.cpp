#include "ggufio/output_file.h"

#include "ggufio/mapped_file.h"
#include "ggufio/model_source.h"
#include "tests/ggufio/gguf_image.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vkq;
using namespace vkq::test;

namespace {

constexpr int kCannotMount = 77;

/// Runs `body` in a child process that sees `folder` as a file system of 1 MiB, and returns what the body says of it.
std::string onASmallDisk(const TempFolder& folder, const std::function<std::string()>& body) {
	int pipe_ends[2];
	if (::pipe(pipe_ends) != 0) return "no pipe";
	const pid_t child = ::fork();
	if (child == 0) {
		if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(kCannotMount);
		::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
		if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0) ::_exit(kCannotMount);
		const std::string said = body();
		const bool told = ::write(pipe_ends[1], said.data(), said.size()) == ssize_t(said.size());
		::_exit(told ? 0 : 1);
	}
	::close(pipe_ends[1]);
	std::string said;
	char buffer[512];
	ssize_t got;
	while ((got = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0) said.append(buffer, size_t(got));
	::close(pipe_ends[0]);
	int status = 0;
	::waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == kCannotMount ? "cannot mount" : said;
}

std::string listed(const TempFolder& folder) {
	std::string out;
	for (const std::string& name : folder.listing()) out += " " + name;
	return out;
}

}  // namespace

TEST(OutputFile, AFullDiskIsNoticedBeforeTheFirstByte) {
	const TempFolder folder;
	const std::string said = onASmallDisk(folder, [&] {
		const auto space = checkFreeSpace(folder.path(), 2 << 20);
		const auto file = OutputFile::create(folder / "x", 2 << 20, false);
		if (space.ok() || file.ok() || file.error().code != ErrorCode::kDiskFull) return std::string("not noticed");
		return space.error().message + "\n" + file.error().message + "\n" + listed(folder);
	});
	if (said == "cannot mount") GTEST_SKIP() << "this process may not mount";
	EXPECT_EQ(said, folder.path().string() + ": not enough disk space: 2.00 MiB needed, 1.00 MiB available\n" + (folder / "x").string() +
	                    ": the disk is full\n");
}

TEST(OutputFile, ReservesItsSpaceAgainstOtherWriters) {
	const TempFolder folder;
	const std::string said = onASmallDisk(folder, [&] {
		auto first = OutputFile::create(folder / "first", 768 << 10, false);
		const auto second = OutputFile::create(folder / "second", 768 << 10, false);
		if (!first.ok()) return first.error().message;
		if (second.ok()) return std::string("both fit");
		const std::vector<std::byte> bytes(768 << 10, std::byte(1));
		if (auto written = first->writeAt(0, bytes); !written.ok()) return written.error().message;
		if (auto finished = first->finish(); !finished.ok()) return finished.error().message;
		return second.error().message + listed(folder);
	});
	if (said == "cannot mount") GTEST_SKIP() << "this process may not mount";
	EXPECT_EQ(said, (folder / "second").string() + ": the disk is full first");
}

TEST(OutputFile, ADiskThatFillsUpMeanwhileIsReportedAndCleanedUp) {
	const TempFolder folder;
	const std::string said = onASmallDisk(folder, [&] {
		std::string message;
		{
			auto file = OutputFile::create(folder / "x", 4096, false);
			const std::vector<std::byte> bytes(2 << 20);   // beyond what was reserved
			const auto written = file->writeAt(0, bytes);
			message = written.ok() ? "not noticed" : written.error().message;
		}
		return message + listed(folder);
	});
	if (said == "cannot mount") GTEST_SKIP() << "this process may not mount";
	EXPECT_EQ(said, (folder / "x").string() + ": the disk is full");
}

TEST(OutputFile, ReportsAFileSizeLimit) {
	const TempFolder folder;
	const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
	rlimit old_limit;
	getrlimit(RLIMIT_FSIZE, &old_limit);
	const rlimit limit{4096, old_limit.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	const auto file = OutputFile::create(folder / "x", 8192, false);
	setrlimit(RLIMIT_FSIZE, &old_limit);
	std::signal(SIGXFSZ, old_handler);
	ASSERT_FALSE(file.ok());
	EXPECT_EQ(file.error().message, (folder / "x").string() + ": the file would be larger than the file system or a limit allows");
	EXPECT_TRUE(folder.listing().empty());
}

TEST(OutputFile, AKilledWriterLeavesNothingUnderTheFinalName) {
	const TempFolder folder;
	const pid_t child = ::fork();
	if (child == 0) {
		auto file = OutputFile::create(folder / "x", 4096, false);
		::raise(SIGKILL);
	}
	::waitpid(child, nullptr, 0);
	EXPECT_EQ(folder.listing(), std::vector<std::string>{"x.partial"});
	EXPECT_EQ(partialBytesOnDisk(folder / "x"), 4096u);
	{
		const auto again = OutputFile::create(folder / "x", 100, false);
		EXPECT_TRUE(again.ok());
	}
	EXPECT_TRUE(folder.listing().empty());
}

TEST(OutputFile, DoesNotFollowALinkThatLiesInItsWay) {
	const TempFolder folder;
	writeFile(folder / "precious", std::as_bytes(std::span<const char>("data", 4)));
	std::filesystem::create_symlink(folder / "precious", folder / "x.partial");
	EXPECT_FALSE(OutputFile::create(folder / "x", 100, false).ok());
	EXPECT_EQ(std::filesystem::file_size(folder / "precious"), 4u);
}

TEST(MappedFile, ASourceThatShrinksIsAnErrorWhereItIsRead) {
	const TempFolder folder;
	writeFile(folder / "x.gguf", smallImage().bytes);
	const auto source = openGgufSource(folder / "x.gguf");
	ASSERT_TRUE(source.ok());
	std::vector<std::byte> row((*source)->tensors()[0].rowBytes());
	ASSERT_TRUE((*source)->readRows(0, 0, 1, row.data()).ok());
	std::filesystem::resize_file(folder / "x.gguf", 100);
	const auto read = (*source)->readRows(0, 0, 1, row.data());
	ASSERT_FALSE(read.ok());
	EXPECT_NE(read.error().message.find("x.gguf: has become shorter while it was read: nothing left at byte "), std::string::npos);
}

TEST(MappedFile, PagesThatAreLostReadAsZerosAndAreRemembered) {
	guardLostPages();
	const TempFolder folder;
	writeFile(folder / "x", std::vector<std::byte>(1 << 16, std::byte(7)));
	const auto file = MappedFile::open(folder / "x"), other = MappedFile::open(folder / "x");
	ASSERT_TRUE(file.ok() && other.ok());
	std::filesystem::resize_file(folder / "x", 1 << 15);
	EXPECT_EQ(file->bytes()[0], std::byte(7));
	EXPECT_FALSE(file->intact().ok());   // its size tells, before anything of the lost half is touched
	EXPECT_EQ(file->bytes()[1 << 15], std::byte(0));
	EXPECT_EQ(file->bytes()[(1 << 16) - 1], std::byte(0));
	ASSERT_FALSE(file->intact().ok());
	EXPECT_NE(file->intact().error().message.find("x: has become shorter while it was read"), std::string::npos);
	// Growing again brings nothing back; another map, which nobody has read meanwhile, has lost nothing.
	std::filesystem::resize_file(folder / "x", 1 << 16);
	EXPECT_FALSE(file->intact().ok());
	EXPECT_TRUE(other->intact().ok());
}

TEST(MappedFile, ALossWithinThePageThatIsLeftIsKnownToo) {
	const TempFolder folder;
	writeFile(folder / "x", std::vector<std::byte>(4096 + 100, std::byte(7)));
	const auto file = MappedFile::open(folder / "x");
	ASSERT_TRUE(file.ok());
	EXPECT_TRUE(file->intact().ok());
	std::filesystem::resize_file(folder / "x", 4096 + 50);
	EXPECT_EQ(file->bytes()[4096 + 60], std::byte(0));   // no signal: the kernel fills up the page
	EXPECT_FALSE(file->intact().ok());
}

TEST(MappedFile, ASourceThatIsDeletedCanStillBeRead) {
	const TempFolder folder;
	writeFile(folder / "x.gguf", smallImage().bytes);
	const auto source = openGgufSource(folder / "x.gguf");
	ASSERT_TRUE(source.ok());
	std::filesystem::remove(folder / "x.gguf");
	std::vector<std::byte> row((*source)->tensors()[0].rowBytes());
	EXPECT_TRUE((*source)->readRows(0, 0, 1, row.data()).ok());
}

TEST(MappedFile, HintsDoNotChangeWhatIsRead) {
	const auto file = MappedFile::open(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf");
	ASSERT_TRUE(file.ok());
	const std::vector<std::byte> before(file->bytes().begin(), file->bytes().end());
	file->willNeed(100, 5'000'000);
	file->doneWith(100, 5'000'000);
	file->doneWith(0, UINT64_MAX / 2);
	file->willNeed(file->bytes().size() + 1, 10);
	EXPECT_TRUE(std::equal(before.begin(), before.end(), file->bytes().begin()));
}
