// Writes the fuzzers' seeds: small valid files, one folder a fuzzer.  make_seeds FOLDER

#include "tests/fuzz/seeds.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

int main(int argc, char** argv) {
	if (argc != 2) {
		std::fputs("usage: make_seeds FOLDER\n", stderr);
		return 2;
	}
	for (const auto& [fuzzer, seeds] : vkq::test::allSeeds()) {
		const auto folder = std::filesystem::path(argv[1]) / fuzzer;
		std::filesystem::create_directories(folder);
		for (const auto& [name, bytes] : seeds) {
			std::ofstream out(folder / name, std::ios::binary);
			out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
			if (!out.flush()) {
				std::fprintf(stderr, "make_seeds: %s cannot be written\n", (folder / name).c_str());
				return 1;
			}
		}
	}
	return 0;
}
