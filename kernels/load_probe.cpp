#include "kernels/load_probe.h"

#include "core/result.h"
#include "shaders/shared/load_probe.h"
#include "vk/commands.h"
#include "vk/memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <string>

namespace vkq {

namespace {

constexpr uint32_t kWords = 1 << 18;      // fits caches: loads are to be measured, not memory
constexpr uint32_t kGroups = 16;
constexpr int kRounds = 5;
constexpr double kHopeless = 4;           // so many times slower in the first round: that was no accident

double processorSeconds() {
	timespec time{};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

/// One way of loading, ready to run.
struct Probe {
	vk::Buffer sums;
	vk::CommandBuffer commands;

	static Result<Probe> create(vk::Device& device, ShaderId shader, const vk::Buffer& words) {
		VKQ_TRY(auto sums, vk::Buffer::create(device, kGroups * VKQ_PROBE_LANES * sizeof(uint32_t), vk::MemoryUse::Download));
		VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({.shader = shader, .constants = {}}));
		VKQ_TRY(auto commands, vk::CommandBuffer::create(device));
		VKQ_CHECK(commands.begin());
		commands.dispatch(*pipeline, {words, sums}, shader::LoadProbePush{{uint32_t(words.address()), uint32_t(words.address() >> 32)}, kWords / 8}, {kGroups});
		VKQ_CHECK(commands.submitAndWait());   // compiles
		return Probe{std::move(sums), std::move(commands)};
	}

	/// Of the processor, not of the clock: a software device computes in this process, and other load must not decide.
	Result<double> seconds() {
		const double start = processorSeconds();
		VKQ_CHECK(commands.submitAndWait());
		return processorSeconds() - start;
	}
};

Result<bool> measure(vk::Device& device) {
	VKQ_TRY(const auto words, vk::Buffer::create(device, kWords * sizeof(uint32_t), vk::MemoryUse::Upload));
	auto* at = reinterpret_cast<uint32_t*>(words.mapped());
	for (uint32_t i = 0; i < kWords; ++i) at[i] = i * 2654435761u;
	VKQ_TRY(Probe plain, Probe::create(device, ShaderId::load_probe, words));
	VKQ_TRY(Probe stream, Probe::create(device, ShaderId::load_probe_stream, words));
	if (std::memcmp(plain.sums.mapped(), stream.sums.mapped(), plain.sums.bytes()) != 0) return false;
	double plain_best = INFINITY, stream_best = INFINITY;
	for (int round = 0; round < kRounds; ++round) {
		VKQ_TRY(const double plain_now, plain.seconds());
		VKQ_TRY(const double stream_now, stream.seconds());
		plain_best = std::min(plain_best, plain_now);
		stream_best = std::min(stream_best, stream_now);
		if (stream_best > kHopeless * plain_best) break;
	}
	return stream_best < plain_best;
}

}  // namespace

bool streamsFaster(vk::Device& device) {
	static std::mutex mutex;
	static std::map<std::string, bool> known;   // by driver: a property of it, not of one opened device
	std::lock_guard lock(mutex);
	const auto [entry, is_new] = known.try_emplace(device.info().driver + device.info().name, false);
	if (is_new) {
		const auto measured = measure(device);
		entry->second = measured && *measured;
	}
	return entry->second;
}

}  // namespace vkq
