// Which type every tensor gets: the reference tool's choices for nine model shapes, and the rules around them.
#include "quant/mixture.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <fstream>

using namespace vkq;

namespace {

using Json = nlohmann::json;

/// A model of a given shape, tensors in processing order.
struct Shape {
	MixtureModel model;
	std::deque<std::string> names;   // MixtureTensor points into it
	std::vector<MixtureTensor> tensors;

	void add(std::string name, std::array<uint64_t, 4> ne) {
		const uint32_t dimensions = ne[2] > 1 ? 3 : ne[1] > 1 ? 2 : 1;
		names.push_back(std::move(name));
		tensors.push_back({names.back(), dimensions, ne, dimensions == 1 ? TensorType::F32 : TensorType::F16, false});
	}
	const MixtureTensor& tensor(std::string_view name) const {
		return *std::find_if(tensors.begin(), tensors.end(), [&](const MixtureTensor& t) { return t.name == name; });
	}
};

/// The shapes that the golden file describes in a few numbers.
Shape shapeOf(const Json& facts) {
	Shape shape;
	const uint64_t d = facts["d_model"], ffn = facts["ffn"], heads = facts["heads"], kv_heads = facts["kv_heads"], experts = facts["experts"];
	const uint64_t vocab = facts["vocab"], kv = d / heads * kv_heads;
	shape.model = {facts["arch"], facts["layers"], uint32_t(heads), uint32_t(kv_heads), uint32_t(experts)};
	if (!facts["tied"]) shape.add("output.weight", {d, vocab, 1, 1});
	shape.add("output_norm.weight", {d, 1, 1, 1});
	shape.add("token_embd.weight", {d, vocab, 1, 1});
	for (uint32_t layer = 0; layer < shape.model.layers; ++layer) {
		auto add = [&](const char* kind, std::array<uint64_t, 4> ne) { shape.add(fmt::format("blk.{}.{}.weight", layer, kind), ne); };
		const bool fused = shape.model.arch == "phi3";
		if (!fused) add("attn_k", {d, kv, 1, 1});
		add("attn_norm", {d, 1, 1, 1});
		add("attn_output", {d, d, 1, 1});
		if (fused) {
			add("attn_qkv", {d, 3 * d, 1, 1});
		} else {
			add("attn_q", {d, d, 1, 1});
			add("attn_v", {d, kv, 1, 1});
		}
		if (experts) {
			add("ffn_down_exps", {ffn, d, experts, 1});
			add("ffn_gate_exps", {d, ffn, experts, 1});
			add("ffn_gate_inp", {d, experts, 1, 1});
			add("ffn_norm", {d, 1, 1, 1});
			add("ffn_up_exps", {d, ffn, experts, 1});
		} else {
			add("ffn_down", {ffn, d, 1, 1});
			if (!fused) add("ffn_gate", {d, ffn, 1, 1});
			add("ffn_norm", {d, 1, 1, 1});
			add("ffn_up", {d, fused ? 2 * ffn : ffn, 1, 1});
		}
	}
	return shape;
}

/// "Q6_K*4 Q4_K*2" -> a type a layer
std::vector<std::string> expandRuns(const std::string& runs) {
	std::vector<std::string> types;
	std::istringstream words(runs);
	for (std::string word; words >> word;) {
		const size_t star = word.find('*');
		types.insert(types.end(), std::stoul(word.substr(star + 1)), word.substr(0, star));
	}
	return types;
}

Shape llama(uint32_t layers, bool tied = false, uint32_t experts = 0) {
	return shapeOf({{"arch", "llama"}, {"layers", layers}, {"d_model", 256}, {"ffn", 512}, {"heads", 4}, {"kv_heads", 2}, {"vocab", 512},
	                {"experts", experts}, {"tied", tied}});
}

MixtureOptions optionsFor(std::string_view file_type) { return {.target = *findFileType(file_type)}; }

std::map<std::string, TensorType> choose(const Shape& shape, const MixtureOptions& options) {
	const auto choices = chooseTypes(shape.model, shape.tensors, options);
	EXPECT_TRUE(choices.ok()) << choices.error().message;
	std::map<std::string, TensorType> types;
	for (size_t i = 0; i < shape.tensors.size(); ++i) types.emplace(shape.tensors[i].name, choices->at(i).type);
	return types;
}

}  // namespace

TEST(Mixture, GivesTheReferencesTypesForNineShapesAndAllFileTypes) {
	const Json golden = Json::parse(std::ifstream(VKQ_SOURCE_DIR "/tests/golden/mixes.golden.json"));
	ASSERT_EQ(golden.size(), 9u);
	for (const auto& [shape_name, facts] : golden.items()) {
		const Shape shape = shapeOf(facts);
		for (const auto& [file_type, kinds] : facts["file_types"].items()) {
			const auto types = choose(shape, optionsFor(file_type));
			size_t checked = 0;
			for (const auto& [kind, runs] : kinds.items()) {
				if (kind == "output" || kind == "token_embd") {
					EXPECT_EQ(typeName(types.at(kind + ".weight")), runs.get<std::string>()) << shape_name << ' ' << file_type << ' ' << kind;
					++checked;
					continue;
				}
				const auto expected = expandRuns(runs);
				ASSERT_EQ(expected.size(), shape.model.layers);
				for (size_t layer = 0; layer < expected.size(); ++layer, ++checked) {
					const std::string name = fmt::format("blk.{}.{}.weight", layer, kind);
					EXPECT_EQ(typeName(types.at(name)), expected[layer]) << shape_name << ' ' << file_type << ' ' << name;
				}
			}
			const auto norms = std::count_if(types.begin(), types.end(), [](const auto& entry) { return entry.second == TensorType::F32; });
			EXPECT_EQ(checked + size_t(norms), shape.tensors.size());
		}
	}
}

TEST(Mixture, GivesTheSampleModelTheReferencesTypesWithAndWithoutImportance) {
	const Json golden = Json::parse(std::ifstream(VKQ_SOURCE_DIR "/tests/golden/orator-6m.golden.json"));
	const Shape shape = shapeOf({{"arch", "llama"}, {"layers", 6}, {"d_model", 256}, {"ffn", 768}, {"heads", 4}, {"kv_heads", 2}, {"vocab", 2048},
	                             {"experts", 0}, {"tied", false}});
	for (const auto& [key, facts] : golden["file_types"].items()) {
		const size_t plus = key.find('+');
		MixtureOptions options = optionsFor(key.substr(0, plus));
		options.have_imatrix = plus != key.npos;
		const auto types = choose(shape, options);
		ASSERT_EQ(types.size(), facts["tensors"].size());
		for (const auto& [name, fact] : facts["tensors"].items()) EXPECT_EQ(typeName(types.at(name)), fact["type"].get<std::string>()) << key << ' ' << name;
	}
}

TEST(Mixture, LargeMixturesKeepOutputAndEmbeddingInEightBits) {
	const Shape shape = llama(8);
	for (const auto& [large, medium] : {std::pair{"Q4_K_L", "Q4_K_M"}, std::pair{"Q5_K_L", "Q5_K_M"}}) {
		auto expected = choose(shape, optionsFor(medium));
		expected["output.weight"] = expected["token_embd.weight"] = TensorType::Q8_0;
		EXPECT_EQ(choose(shape, optionsFor(large)), expected);
		EXPECT_EQ(findFileType(large)->file_type, findFileType(medium)->file_type);
	}
}

TEST(Mixture, UsersWordForOutputAndEmbeddingGoesFirst) {
	MixtureOptions options = optionsFor("Q4_K_L");
	options.output_type = TensorType::Q5_K;
	options.embedding_type = TensorType::F16;
	options.pure = true;
	const auto types = choose(llama(4), options);
	EXPECT_EQ(types.at("output.weight"), TensorType::Q5_K);
	EXPECT_EQ(types.at("token_embd.weight"), TensorType::F16);
	EXPECT_EQ(types.at("blk.0.attn_v.weight"), TensorType::Q4_K);
}

TEST(Mixture, TypeForTheOutputIsThatOfATiedEmbeddingToo) {
	MixtureOptions options = optionsFor("Q4_K_M");
	options.output_type = TensorType::Q8_0;
	EXPECT_EQ(choose(llama(4, true), options).at("token_embd.weight"), TensorType::Q8_0);
	EXPECT_EQ(choose(llama(4, false), options).at("token_embd.weight"), TensorType::Q4_K);
	options.embedding_type = TensorType::Q5_K;
	EXPECT_EQ(choose(llama(4, true), options).at("token_embd.weight"), TensorType::Q5_K);
}

TEST(Mixture, PureGivesEveryMatrixTheBaseTypeAndNormsTheirOwn) {
	MixtureOptions options = optionsFor("Q4_K_M");
	options.pure = true;
	for (const auto& [name, type] : choose(llama(4), options))
		EXPECT_EQ(type, name.find("norm") == name.npos ? TensorType::Q4_K : TensorType::F32) << name;
}

TEST(Mixture, LeavesTheOutputTensorWhenAsked) {
	MixtureOptions options = optionsFor("Q4_0");
	options.leave_output_tensor = true;
	EXPECT_EQ(choose(llama(4), options).at("output.weight"), TensorType::F16);
}

TEST(Mixture, TiedEmbeddingTakesTheOutputsRule) {
	EXPECT_EQ(choose(llama(4, true), optionsFor("Q4_K_M")).at("token_embd.weight"), TensorType::Q6_K);
	EXPECT_EQ(choose(llama(4, false), optionsFor("Q4_K_M")).at("token_embd.weight"), TensorType::Q4_K);
}

TEST(Mixture, FirstMatchingOverrideWinsAndIsLowerCased) {
	MixtureOptions options = optionsFor("Q4_K_S");
	options.overrides = {{"BLK\\.[01]\\.ATTN_Q", TensorType::Q8_0}, {"attn_q", TensorType::Q6_K}};
	const auto types = choose(llama(4), options);
	EXPECT_EQ(types.at("blk.0.attn_q.weight"), TensorType::Q8_0);
	EXPECT_EQ(types.at("blk.2.attn_q.weight"), TensorType::Q6_K);
	EXPECT_EQ(types.at("blk.2.attn_k.weight"), TensorType::Q4_K);
}

TEST(Mixture, OverriddenLayersAreNotCounted) {
	// Q4_K_S gives the first eighth of the feed-forward outputs Q5_K. With layer 0 overridden, layer 1 counts as the first.
	MixtureOptions options = optionsFor("Q4_K_S");
	options.overrides = {{"blk\\.0\\.ffn_down", TensorType::Q8_0}};
	const auto types = choose(llama(8), options);
	EXPECT_EQ(types.at("blk.0.ffn_down.weight"), TensorType::Q8_0);
	EXPECT_EQ(types.at("blk.1.ffn_down.weight"), TensorType::Q5_K);
	EXPECT_EQ(types.at("blk.2.ffn_down.weight"), TensorType::Q4_K);
}

TEST(Mixture, RowsThatDoNotDivideFallBack) {
	Shape shape = llama(1);
	shape.add("blk.0.a.weight", {288, 4, 1, 1});
	shape.add("blk.0.b.weight", {100, 4, 1, 1});
	const struct { const char* file_type; TensorType of_288; } cases[] = {
		{"Q2_K", TensorType::Q4_0}, {"Q3_K_M", TensorType::Q4_0}, {"Q4_K_M", TensorType::Q5_0}, {"Q5_K_M", TensorType::Q5_1},
		{"Q6_K", TensorType::Q8_0}, {"IQ4_XS", TensorType::IQ4_NL}, {"Q8_0", TensorType::Q8_0}, {"BF16", TensorType::BF16},
	};
	for (const auto& expected : cases) {
		const auto types = choose(shape, optionsFor(expected.file_type));
		EXPECT_EQ(types.at("blk.0.a.weight"), expected.of_288) << expected.file_type;
		const bool quantized = typeInfo(expected.of_288).quantized;
		EXPECT_EQ(types.at("blk.0.b.weight"), quantized ? TensorType::F16 : expected.of_288) << expected.file_type;
	}
	const auto choices = chooseTypes(shape.model, shape.tensors, optionsFor("Q4_K_M"));
	EXPECT_TRUE(choices->back().fell_back);
	EXPECT_FALSE(choices->front().fell_back);
}

TEST(Mixture, ExpertsAloneAreFourBitFloatsInMxfp4) {
	const auto types = choose(llama(2, false, 4), optionsFor("MXFP4_MOE"));
	EXPECT_EQ(types.at("blk.0.ffn_up_exps.weight"), TensorType::MXFP4);
	EXPECT_EQ(types.at("blk.0.attn_q.weight"), TensorType::Q8_0);
	EXPECT_EQ(types.at("output.weight"), TensorType::Q8_0);
	EXPECT_EQ(types.at("blk.0.ffn_gate_inp.weight"), TensorType::F16);
}

TEST(Mixture, RefusesAnExpertOfALayerThatTheModelDoesNotHave) {
	Shape shape = llama(2, false, 4);
	shape.add("blk.7.ffn_down_exps.weight", {512, 256, 4, 1});
	const auto choices = chooseTypes(shape.model, shape.tensors, optionsFor("Q4_K_M"));
	ASSERT_FALSE(choices.ok());
	EXPECT_EQ(choices.error().code, ErrorCode::kMalformed);
	EXPECT_NE(choices.error().message.find("blk.7.ffn_down_exps.weight"), std::string::npos);
}

TEST(Mixture, BadPatternsAreNamed) {
	for (const std::string pattern : {"blk.(", "[z-a]", "", "(a)\\1"}) {
		MixtureOptions options = optionsFor("Q4_K_M");
		options.overrides = {{pattern, TensorType::Q8_0}};
		const Shape shape = llama(1);
		const auto choices = chooseTypes(shape.model, shape.tensors, options);
		ASSERT_FALSE(choices.ok()) << pattern;
		EXPECT_EQ(choices.error().code, ErrorCode::kUsage);
		EXPECT_NE(choices.error().message.find(pattern), std::string::npos);
	}
}

TEST(Mixture, PatternsThatBacktrackDoNotHang) {
	MixtureOptions options = optionsFor("Q4_K_M");
	options.overrides = {{"(.|.)*(.|.)*(.|.)*#", TensorType::Q8_0}};
	Shape shape = llama(1);
	shape.add(std::string(57, 'a') + ".weight", {256, 4, 1, 1});
	EXPECT_TRUE(chooseTypes(shape.model, shape.tensors, options).ok());
	options.overrides = {{std::string(1000, 'a'), TensorType::Q8_0}};
	EXPECT_FALSE(chooseTypes(shape.model, shape.tensors, options).ok());
}

TEST(Mixture, TwoBitsEverywhereNeedAnImportanceMatrix) {
	Shape shape = llama(2);
	const auto choices = chooseTypes(shape.model, shape.tensors, optionsFor("Q2_K_S"));
	const auto refused = checkImportanceNeeds(FileType::Q2_K_S, shape.tensors, *choices);
	ASSERT_FALSE(refused.ok());
	EXPECT_NE(refused.error().message.find("blk.0.attn_k.weight"), std::string::npos);
	for (MixtureTensor& tensor : shape.tensors) tensor.has_importance = tensor.name.starts_with("blk.");
	EXPECT_TRUE(checkImportanceNeeds(FileType::Q2_K_S, shape.tensors, *choices).ok());
	EXPECT_TRUE(checkImportanceNeeds(FileType::Q2_K, llama(2).tensors, *choices).ok());
}

TEST(FileTypes, AreFoundByNameAliasAndNumber) {
	EXPECT_EQ(findFileType("q4_k_m")->name, "Q4_K_M");
	EXPECT_EQ(findFileType("Q4_K")->name, "Q4_K_M");
	EXPECT_EQ(findFileType("15")->name, "Q4_K_M");
	EXPECT_EQ(findFileType("Q9_K"), nullptr);
	EXPECT_EQ(findFileType("15x"), nullptr);
	EXPECT_EQ(findFileType(""), nullptr);
	EXPECT_EQ(fileTypeName(FileType::Q5_K_M), "Q5_K_M");
	EXPECT_EQ(fileTypeName(FileType(4711)), "unknown");
}
