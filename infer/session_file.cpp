// A cache on disk: a GGUF file whose tensors blk.N.k and blk.N.v are bytes: for each head in turn, each plane's words of the cells in use
// (whole groups of the cache's interleaving).
#include "core/bytes.h"
#include "core/units.h"
#include "ggufio/gguf_writer.h"
#include "infer/session_impl.h"
#include "kernels/kv_cache.h"
#include "planner/device_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace vkq {

namespace {

constexpr std::string_view kKind = "vkquant-cache";
constexpr uint32_t kVersion = 1;

/// One stretch of a cache's words, in a placement.
struct Stretch {
	const Placement* placement;
	uint64_t offset, bytes;   // from the placement's start
};

/// Where the words of the first `used` cells of a layer's K or V lie, in file order.
std::vector<Stretch> stretchesOf(const Session::Impl& session, What what, uint32_t layer, uint64_t used) {
	const Hyperparameters& h = session.request.model;
	const TensorType type = what == What::KCache ? session.cache.k_type : session.cache.v_type;
	const uint64_t cells = cacheCells(session.request.context, session.request.batch, h.slides(layer) ? h.sliding_window : 0);
	used = std::min(cells, alignUp(used, kKeyInterleave));
	std::vector<Stretch> stretches;
	for (const Placement* placement : findPlacements(session.plan, what, layer)) {
		const DeviceLayout layout = cacheLayout(type, h.head_dim, uint32_t(placement->count), cells).value();
		for (uint64_t head = 0; head < placement->count; ++head) {
			for (uint32_t plane = 0; plane < kPlanes; ++plane) {
				const uint64_t row_bytes = layout.row_words[plane] * 4;
				if (row_bytes) stretches.push_back({placement, layout.plane_offset[plane] + head * cells * row_bytes, used * row_bytes});
			}
		}
	}
	return stretches;
}

uint64_t bytesOf(const std::vector<Stretch>& stretches) {
	uint64_t bytes = 0;
	for (const Stretch& stretch : stretches) bytes += stretch.bytes;
	return bytes;
}

/// Tells models apart: FNV-1a over the tensors' names, shapes, types and first rows.
Result<uint64_t> fingerprint(const ModelSource& source) {
	uint64_t hash = 0xcbf29ce484222325;
	const auto mix = [&](const void* data, size_t bytes) {
		for (size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3;
	};
	std::vector<std::byte> row;
	for (size_t i = 0; i < source.tensors().size(); ++i) {
		const TensorInfo& tensor = source.tensors()[i];
		mix(tensor.name.data(), tensor.name.size());
		mix(tensor.ne.data(), sizeof tensor.ne);
		mix(&tensor.type, sizeof tensor.type);
		row.resize(tensor.rowBytes());
		VKQ_CHECK(source.readRows(i, 0, 1, row.data()));
		mix(row.data(), row.size());
	}
	return hash;
}

std::string tensorName(What what, uint32_t layer) { return fmt::format("blk.{}.{}", layer, what == What::KCache ? "k" : "v"); }

/// What a cache file must agree on with the session that reads it.
Result<Metadata> description(const Session::Impl& session) {
	VKQ_TRY(const uint64_t model, fingerprint(*session.source));
	Metadata metadata;
	metadata.append("general.type", std::string(kKind));
	metadata.append("cache.version", kVersion);
	metadata.append("cache.model", model);
	metadata.append("cache.k_type", std::string(typeName(session.cache.k_type)));
	metadata.append("cache.v_type", std::string(typeName(session.cache.v_type)));
	metadata.append("cache.k_mixed", session.cache.hadamard_k);
	metadata.append("cache.v_mixed", session.cache.hadamard_v);
	return metadata;
}

/// The longest ring that has wrapped round fixes its cells; 0: none has.
uint64_t wrappedCells(const Session::Impl& session, uint64_t position) {
	const Hyperparameters& h = session.request.model;
	const uint64_t ring = h.sliding_window ? cacheCells(session.request.context, session.request.batch, h.sliding_window) : 0;
	return position > ring ? ring : 0;
}

}  // namespace

Result<void> Session::save(const std::filesystem::path& path, std::span<const Token> tokens) const {
	const Impl& session = *impl_;
	if (tokens.size() != session.position) return fail(ErrorCode::kUsage, fmt::format("the cache holds {} tokens, {} were named", session.position, tokens.size()));
	VKQ_TRY(Metadata metadata, description(session));
	metadata.append("cache.ring_cells", wrappedCells(session, session.position));
	metadata.append("cache.tokens", MetaArray(std::vector<int32_t>(tokens.begin(), tokens.end())));

	std::vector<TensorInfo> tensors;
	std::vector<std::vector<Stretch>> stretches;
	for (uint32_t layer = 0; layer < session.request.model.n_layer; ++layer) {
		for (const What what : {What::KCache, What::VCache}) {
			stretches.push_back(stretchesOf(session, what, layer, session.position));
			TensorInfo tensor;
			tensor.name = tensorName(what, layer);
			tensor.type = TensorType::I8;
			tensor.ne[0] = bytesOf(stretches.back());
			tensors.push_back(std::move(tensor));
		}
	}
	VKQ_TRY(GgufLayout layout, layOutGguf(metadata, std::move(tensors)));
	VKQ_TRY(GgufWriter writer, GgufWriter::create(path, metadata, std::move(layout), true));
	std::vector<std::byte> bytes;
	for (size_t i = 0; i < stretches.size(); ++i) {
		uint64_t at = 0;
		for (const Stretch& stretch : stretches[i]) {
			bytes.resize(stretch.bytes);
			VKQ_CHECK(session.allocation->read(*stretch.placement, stretch.offset, bytes));
			VKQ_CHECK(writer.write(i, at, bytes));
			at += stretch.bytes;
		}
	}
	return writer.finish();
}

Result<std::vector<Token>> Session::restore(const std::filesystem::path& path) {
	Impl& session = *impl_;
	const std::string name = path.string();
	VKQ_TRY(const GgufFile file, GgufFile::open(path));
	if (file.metadata().string("general.type") != kKind) return fail(ErrorCode::kMalformed, fmt::format("{}: is no cache of vkquant", name));
	VKQ_TRY(const Metadata wanted, description(session));
	for (const MetaEntry& entry : wanted.entries()) {
		const MetaValue* found = file.metadata().find(entry.key);
		if (!found) return fail(ErrorCode::kMalformed, fmt::format("{}: metadata key {} is missing", name, entry.key));
		if (*found == entry.value) continue;
		return fail(ErrorCode::kInvalidData, fmt::format("{}: was written for another {}", name, entry.key == "cache.model" ? "model" : "kind of cache"),
		            "use the model file, --kv and --kv-mixing that it was written with");
	}
	const MetaArray* array = file.metadata().array("cache.tokens");
	const auto* tokens = array ? std::get_if<std::vector<int32_t>>(array) : nullptr;
	const auto ring = file.metadata().unsignedInt("cache.ring_cells");
	if (!tokens || !ring) return fail(ErrorCode::kMalformed, fmt::format("{}: tokens or ring size are missing", name));
	if (tokens->size() > session.request.context) {
		return fail(ErrorCode::kUsage, fmt::format("{}: {} tokens do not fit a context of {}", name, formatExact(tokens->size()), formatExact(session.request.context)), "give a larger --ctx");
	}
	for (const int32_t token : *tokens)
		if (token < 0 || uint32_t(token) >= session.request.model.n_vocab) return fail(ErrorCode::kMalformed, fmt::format("{}: token {} is outside the vocabulary", name, token));
	if (*ring != wrappedCells(session, tokens->size())) {
		return fail(ErrorCode::kInvalidData, fmt::format("{}: sliding layers were kept in {} cells", name, *ring), "use the --ctx and --batch that it was written with");
	}

	// Everything is checked before the cache is touched.
	struct Load {
		const TensorInfo* tensor;
		std::vector<Stretch> stretches;
	};
	std::vector<Load> loads;
	for (uint32_t layer = 0; layer < session.request.model.n_layer; ++layer) {
		for (const What what : {What::KCache, What::VCache}) {
			Load load{file.findTensor(tensorName(what, layer)), stretchesOf(session, what, layer, tokens->size())};
			if (!load.tensor || load.tensor->bytes != bytesOf(load.stretches)) {
				return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is missing or has another size", name, tensorName(what, layer)));
			}
			loads.push_back(std::move(load));
		}
	}
	std::vector<std::byte> bytes;
	for (const Load& load : loads) {
		uint64_t at = 0;
		for (const Stretch& stretch : load.stretches) {
			bytes.resize(stretch.bytes);
			VKQ_CHECK(file.read(*load.tensor, at, stretch.bytes, bytes.data()));
			VKQ_CHECK(session.allocation->write(*stretch.placement, stretch.offset, bytes));
			at += stretch.bytes;
		}
	}
	session.position = uint32_t(tokens->size());
	session.furthest = session.position;
	return *tokens;
}

}  // namespace vkq
