#include "planner/gpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <string>
#include <vector>

namespace vkq {

namespace {

constexpr KnownGpu kGpus[] = {
	{"GeForce RTX 5090", 32, 1792}, {"GeForce RTX 5080", 16, 960}, {"GeForce RTX 5070 Ti", 16, 896}, {"GeForce RTX 5070", 12, 672},
	{"GeForce RTX 5060 Ti 16GB", 16, 448}, {"GeForce RTX 5060 Ti 8GB", 8, 448}, {"GeForce RTX 5060", 8, 448},
	{"GeForce RTX 4090", 24, 1008}, {"GeForce RTX 4080 Super", 16, 736}, {"GeForce RTX 4080", 16, 717}, {"GeForce RTX 4070 Ti Super", 16, 672},
	{"GeForce RTX 4070 Ti", 12, 504}, {"GeForce RTX 4070 Super", 12, 504}, {"GeForce RTX 4070", 12, 504}, {"GeForce RTX 4060 Ti 16GB", 16, 288},
	{"GeForce RTX 4060 Ti 8GB", 8, 288}, {"GeForce RTX 4060", 8, 272},
	{"GeForce RTX 3090 Ti", 24, 1008}, {"GeForce RTX 3090", 24, 936}, {"GeForce RTX 3080 Ti", 12, 912}, {"GeForce RTX 3080", 10, 760},
	{"GeForce RTX 3070", 8, 448}, {"GeForce RTX 3060 Ti", 8, 448}, {"GeForce RTX 3060", 12, 360}, {"GeForce RTX 3050", 8, 224},
	{"GeForce RTX 2080 Ti", 11, 616}, {"GeForce RTX 2070", 8, 448}, {"GeForce RTX 2060", 6, 336}, {"GeForce GTX 1660 Super", 6, 336},
	{"GeForce GTX 1080 Ti", 11, 484}, {"GeForce GTX 1070", 8, 256}, {"GeForce GTX 1060", 6, 192},
	{"NVIDIA H200", 141, 4800}, {"NVIDIA H100 SXM", 80, 3350}, {"NVIDIA A100 80GB", 80, 2039}, {"NVIDIA A100 40GB", 40, 1555},
	{"NVIDIA L40S", 48, 864}, {"NVIDIA L4", 24, 300}, {"NVIDIA T4", 16, 320}, {"NVIDIA Tesla P40", 24, 347},
	{"NVIDIA RTX A6000", 48, 768}, {"NVIDIA RTX 6000 Ada", 48, 960},
	{"Radeon RX 9070 XT", 16, 640}, {"Radeon RX 9070", 16, 640}, {"Radeon RX 9060 XT 16GB", 16, 320}, {"Radeon RX 9060 XT 8GB", 8, 320},
	{"Radeon RX 7900 XTX", 24, 960}, {"Radeon RX 7900 XT", 20, 800}, {"Radeon RX 7900 GRE", 16, 576}, {"Radeon RX 7800 XT", 16, 624},
	{"Radeon RX 7700 XT", 12, 432}, {"Radeon RX 7600 XT", 16, 288}, {"Radeon RX 7600", 8, 288}, {"Radeon RX 6900 XT", 16, 512},
	{"Radeon RX 6800 XT", 16, 512}, {"Radeon RX 6700 XT", 12, 384}, {"Radeon RX 6600", 8, 224}, {"Radeon RX 580", 8, 256},
	{"AMD Instinct MI300X", 192, 5300},
	{"Intel Arc B580", 12, 456}, {"Intel Arc B570", 10, 380}, {"Intel Arc A770 16GB", 16, 560}, {"Intel Arc A750", 8, 512}, {"Intel Arc A380", 6, 186},
	{"Radeon 780M", 0, 89.6, true}, {"Radeon 890M", 0, 120, true}, {"Ryzen AI Max+ 395", 0, 256, true}, {"Steam Deck", 0, 88, true},
	{"Intel Iris Xe", 0, 68.3, true}, {"Intel Arc 140V", 0, 136.5, true},
	{"Adreno 750", 0, 76.8, true}, {"Immortalis-G720", 0, 76.8, true},
	{"Apple M1", 0, 68.3, true}, {"Apple M2", 0, 100, true}, {"Apple M2 Max", 0, 400, true}, {"Apple M3 Ultra", 0, 819, true},
	{"Apple M4", 0, 120, true}, {"Apple M4 Pro", 0, 273, true}, {"Apple M4 Max", 0, 546, true},
};

/// Lower case letters and digits, without the words that people leave out.
std::string normalized(std::string_view name) {
	std::string text;
	for (const char c : name) {
		const auto byte = static_cast<unsigned char>(c);
		if (std::isalnum(byte) || c == '+') text += char(std::tolower(byte));
	}
	for (const std::string_view word : {"nvidia", "geforce", "amd", "radeon", "intel", "apple", "tesla", "instinct"}) {
		if (const size_t at = text.find(word); at != std::string::npos && text.size() > word.size()) text.erase(at, word.size());
	}
	return text;
}

/// Letters to insert, remove or change to make one of the other.
size_t editDistance(std::string_view a, std::string_view b) {
	std::vector<size_t> row(b.size() + 1);
	std::iota(row.begin(), row.end(), size_t(0));
	for (size_t i = 0; i < a.size(); ++i) {
		size_t diagonal = row[0]++;
		for (size_t j = 0; j < b.size(); ++j) {
			const size_t changed = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
		}
	}
	return row.back();
}

/// The few cards whose names look most like it.
std::vector<std::string_view> cardsLike(const std::string& wanted) {
	constexpr size_t kMost = 5;
	std::vector<std::pair<size_t, std::string_view>> distances;
	for (const KnownGpu& gpu : kGpus) distances.emplace_back(editDistance(wanted, normalized(gpu.name)), gpu.name);
	std::stable_sort(distances.begin(), distances.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
	std::vector<std::string_view> names;
	const size_t limit = std::min(wanted.size() / 3, distances.front().first + 1);
	for (const auto& [distance, name] : distances) if (distance <= limit && names.size() < kMost) names.push_back(name);
	return names;
}

std::string joined(const std::vector<std::string_view>& names) {
	std::string text;
	for (const std::string_view name : names) text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
	return text;
}

}  // namespace

std::span<const KnownGpu> knownGpus() { return kGpus; }

Result<KnownGpu> findGpu(std::string_view name) {
	const std::string wanted = normalized(name);
	std::vector<std::string_view> near;
	std::vector<const KnownGpu*> ending;   // "4060": RTX 4060, not RTX 4060 Ti
	const KnownGpu* only = nullptr;
	for (const KnownGpu& gpu : kGpus) {
		const std::string known = normalized(gpu.name);
		if (known == wanted) return gpu;
		if (!wanted.empty() && known.find(wanted) != std::string::npos) near.push_back(gpu.name), only = &gpu;
		if (!wanted.empty() && known.ends_with(wanted)) ending.push_back(&gpu);
	}
	if (ending.size() == 1) return *ending.front();
	if (near.size() == 1) return *only;
	if (near.size() > 1) return fail(ErrorCode::kUsage, fmt::format("--gpu '{}' could be several cards", name), "one of: " + joined(near));
	near = cardsLike(wanted);   // nothing contains it
	return fail(ErrorCode::kUsage, fmt::format("--gpu '{}' is no card that is known here", name),
	            near.empty() ? "give its memory with --vram; --list-gpus lists the known cards" : fmt::format("near it: {}; or give its memory with --vram", joined(near)));
}

Result<DeviceSpec> deviceOf(const KnownGpu& gpu, uint64_t memory) {
	if (memory == 0 && gpu.memory_gib == 0) {
		return fail(ErrorCode::kUsage, fmt::format("{} shares the host's memory: say how much of it with --vram", gpu.name), "for example --vram 12");
	}
	DeviceSpec spec;
	spec.name = gpu.name;
	spec.memory = spec.available = memory ? memory : uint64_t(gpu.memory_gib * double(kGiB));
	spec.unified = gpu.unified;
	spec.bandwidth = gpu.bandwidth_gb * 1e9;
	if (gpu.unified) spec.host_bandwidth = spec.bandwidth;
	return spec;
}

}  // namespace vkq
