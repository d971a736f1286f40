#include "arch/known_shapes.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace vkq;

namespace {

double billionsOf(std::string_view size) {
	const auto shape = shapeForSize(size);
	EXPECT_TRUE(shape.ok()) << size;
	const auto h = hyperparameters(*shape);
	EXPECT_TRUE(h.ok()) << size;
	return double(parameterCount(*h)) * 1e-9;
}

TEST(KnownShapes, CountTheParametersThatTheirMakersPublish) {
	// From the model cards, in billions.
	EXPECT_NEAR(billionsOf("0.1"), 0.1345, 0.0005);
	EXPECT_NEAR(billionsOf("0.5"), 0.494, 0.001);
	EXPECT_NEAR(billionsOf("1"), 1.236, 0.001);
	EXPECT_NEAR(billionsOf("3"), 3.213, 0.001);
	EXPECT_NEAR(billionsOf("7"), 7.248, 0.001);
	EXPECT_NEAR(billionsOf("8"), 8.030, 0.001);
	EXPECT_NEAR(billionsOf("9"), 9.242, 0.001);
	EXPECT_NEAR(billionsOf("13"), 13.016, 0.001);
	EXPECT_NEAR(billionsOf("32"), 32.76, 0.01);
	EXPECT_NEAR(billionsOf("70"), 70.55, 0.01);
	EXPECT_NEAR(billionsOf("72"), 72.7, 0.1);
	EXPECT_NEAR(billionsOf("405"), 405.85, 0.1);
	EXPECT_NEAR(billionsOf("8x7"), 46.70, 0.01);
	EXPECT_NEAR(billionsOf("8x22"), 140.6, 0.1);
	EXPECT_NEAR(billionsOf("30A3"), 30.53, 0.01);
	EXPECT_NEAR(billionsOf("235A22"), 235.09, 0.01);
}

TEST(KnownShapes, AllPassTheChecksThatFilesMustPass) {
	for (const ModelShape& shape : knownShapes()) {
		const auto h = hyperparameters(shape);
		ASSERT_TRUE(h.ok()) << shape.name << ": " << h.error().message;
		EXPECT_TRUE(checkTensors(*h, expectedTensors(*h), shape.name).ok()) << shape.name;
	}
}

TEST(KnownShapes, ActiveParametersOfMixturesAreTheChosenExperts) {
	const auto h = hyperparameters(*shapeForSize("30A3"));
	EXPECT_NEAR(double(activeParameterCount(*h)) * 1e-9, 3.0, 0.1);
}

TEST(ShapeForSize, TakesSizesAsPeopleWriteThem) {
	EXPECT_EQ(shapeForSize("7B")->name, shapeForSize("7")->name);
	EXPECT_EQ(shapeForSize("8X7b")->name, "Mixtral 8x7B");
	EXPECT_EQ(shapeForSize("30B-A3B")->name, "Qwen3 30B-A3B");
	EXPECT_EQ(shapeForSize("0.135")->name, "SmolLM2 135M");
}

TEST(ShapeForSize, ScalesTheNearestShapeToTheCount) {
	for (const char* size : {"0.2", "2.4", "5.3", "10", "18", "50", "200"}) {
		const double wanted = std::stod(size);
		EXPECT_NEAR(billionsOf(size) / wanted, 1.0, 0.02) << size;
		EXPECT_NE(shapeForSize(size)->name.find("scaled from"), std::string::npos) << size;
	}
}

TEST(ShapeForSize, RefusesWhatIsNoSize) {
	for (const char* size : {"", "seven", "nan", "-7", "0", "0.001", "5000", "7x", "9x9", "inf", "1e3"}) {
		const auto shape = shapeForSize(size);
		ASSERT_FALSE(shape.ok()) << size;
		EXPECT_EQ(shape.error().code, ErrorCode::kUsage) << size;
	}
}

TEST(ShapeForSize, ListsTheKnownMixtures) { EXPECT_NE(shapeForSize("9x9").error().hint.find("8x22"), std::string::npos); }

TEST(OverrideShape, ChangesPartsOfAShape) {
	const auto shape = overrideShape(*shapeForSize("8"), "layers=16,ctx=8192");
	ASSERT_TRUE(shape.ok());
	EXPECT_EQ(shape->n_layer, 16u);
	EXPECT_EQ(shape->n_ctx_train, 8192u);
	EXPECT_EQ(shape->n_embd, 4096u);
}

TEST(OverrideShape, LetsTheHeadSizeFollowTheWidth) {
	const auto h = hyperparameters(*overrideShape(*shapeForSize("8"), "embd=2048"));
	EXPECT_EQ(h->head_dim, 64u);
	EXPECT_EQ(hyperparameters(*overrideShape(*shapeForSize("8"), "embd=2048,head_dim=128"))->head_dim, 128u);
}

TEST(OverrideShape, MakesAWholeShapeAndSaysWhatItLacks) {
	const auto shape = overrideShape({}, "layers=16,embd=2048,ff=8192,heads=32,vocab=32000,ctx=4096");
	ASSERT_TRUE(shape.ok()) << shape.error().message;
	EXPECT_EQ(hyperparameters(*shape)->n_head_kv, 32u) << "without kv, each query head has its own";
	EXPECT_EQ(overrideShape({}, "layers=16,embd=2048,heads=32,vocab=32000").error().message, "--shape: without --params it must say ff, ctx too");
}

TEST(OverrideShape, ErrorsGoByTheNamesOfTheParts) {
	EXPECT_EQ(hyperparameters(*overrideShape(*shapeForSize("7"), "embd=4294967295")).error().message, "Mistral 7B, reshaped: embd is 4294967295, outside 1 to 1048576");
	EXPECT_EQ(hyperparameters(*overrideShape(*shapeForSize("7"), "experts=8")).error().message, "Mistral 7B, reshaped: used is missing");
}

TEST(OverrideShape, NamesThePartThatIsWrong) {
	for (const char* text : {"layers", "layers=", "layers=-1", "layers=2.5", "depth=3", "arch=mamba", "layers=99999999999"}) {
		const auto shape = overrideShape(*shapeForSize("8"), text);
		ASSERT_FALSE(shape.ok()) << text;
		EXPECT_EQ(shape.error().code, ErrorCode::kUsage);
	}
}

}  // namespace
