// The chooser against all choices there are, and its promises on problems too large for that.

#include "quantize/budget.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace vkq;

namespace {

/// The least cost within the budget over every choice; infinity where none fits.
double bruteForce(std::span<const BudgetItem> items, uint64_t budget) {
	if (items.empty()) return 0;
	double best = INFINITY;
	for (const BudgetOption& option : items[0])
		if (option.bytes <= budget) best = std::min(best, option.cost + bruteForce(items.subspan(1), budget - option.bytes));
	return best;
}

/// Sizes and errors of codes of 2 to 8 bits for a tensor of some weights, with noise: what the chooser is for.
BudgetItem likeATensor(std::mt19937& random) {
	const uint64_t blocks = 1 + random() % 20;
	const double sensitivity = std::exp2(double(random() % 80) / 10);
	BudgetItem item;
	for (const uint64_t bytes : {84, 110, 136, 144, 160, 176, 192, 210, 272})
		item.push_back({blocks * bytes, sensitivity * double(blocks) * std::exp2(-double(bytes) / 16) * (0.8 + double(random() % 400) / 1000)});
	return item;
}

BudgetItem random(std::mt19937& random, size_t most) {
	BudgetItem item(1 + random() % most);
	for (BudgetOption& option : item) option = {random() % 50, double(random() % 1000) / 10};
	return item;
}

void check(std::span<const BudgetItem> items, const BudgetChoice& choice, uint64_t budget) {
	ASSERT_EQ(choice.chosen.size(), items.size());
	uint64_t bytes = 0;
	double cost = 0;
	for (size_t i = 0; i < items.size(); ++i) {
		bytes += items[i].at(choice.chosen[i]).bytes;
		cost += items[i].at(choice.chosen[i]).cost;
	}
	EXPECT_EQ(bytes, choice.bytes);
	EXPECT_LE(bytes, budget);
	EXPECT_NEAR(cost, choice.cost, 1e-9 * (1 + std::abs(cost)));
	EXPECT_LE(choice.bound, choice.cost);
}

}  // namespace

TEST(Budget, IsTheBestOfAllChoices) {
	std::mt19937 generator(7);
	for (int round = 0; round < 600; ++round) {
		std::vector<BudgetItem> items;
		const bool tensors = round % 2;
		for (size_t n = generator() % (tensors ? 5 : 7); n > 0; --n) items.push_back(tensors ? likeATensor(generator) : random(generator, 5));
		uint64_t largest = 0;
		for (const BudgetItem& item : items)
			for (const BudgetOption& option : item) largest += option.bytes;
		const uint64_t budget = largest ? generator() % largest : 10;
		const double best = bruteForce(items, budget);
		const auto choice = chooseWithin(items, budget);
		ASSERT_EQ(choice.ok(), std::isfinite(best)) << round;
		if (!choice) {
			EXPECT_EQ(choice.error().code, ErrorCode::kDoesNotFit);
			EXPECT_GT(smallestBytes(items), budget);
			continue;
		}
		check(items, *choice, budget);
		EXPECT_NEAR(choice->cost, best, 1e-9 * (1 + best)) << "round " << round;
		EXPECT_NEAR(choice->bound, choice->cost, 1e-9 * (1 + best)) << "round " << round;
	}
}

TEST(Budget, IsWithinItsBoundForModelsOfManyTensors) {
	std::mt19937 generator(11);
	for (const size_t count : {40, 250, 700}) {
		std::vector<BudgetItem> items;
		uint64_t largest = 0;
		for (size_t i = 0; i < count; ++i) {
			items.push_back(likeATensor(generator));
			largest += items.back().back().bytes;
		}
		for (const double share : {0.35, 0.5, 0.7, 0.9}) {
			const uint64_t budget = uint64_t(double(largest) * share);
			const auto choice = chooseWithin(items, budget);
			ASSERT_TRUE(choice) << choice.error().message;
			check(items, *choice, budget);
			EXPECT_LT(choice->cost - choice->bound, 1e-3 * choice->cost) << count << " tensors, " << share;
			EXPECT_GT(double(choice->bytes), 0.995 * double(budget)) << count << " tensors, " << share;
		}
	}
}

TEST(Budget, GivesEveryTensorItsBestWhereThereIsRoom) {
	std::mt19937 generator(3);
	std::vector<BudgetItem> items;
	double cost = 0;
	for (int i = 0; i < 30; ++i) {
		items.push_back(likeATensor(generator));
		cost += std::min_element(items.back().begin(), items.back().end(), [](const auto& a, const auto& b) { return a.cost < b.cost; })->cost;
	}
	const auto choice = chooseWithin(items, UINT64_MAX);
	ASSERT_TRUE(choice);
	EXPECT_NEAR(choice->cost, cost, 1e-9 * cost);
	EXPECT_EQ(choice->bound, choice->cost);
}

TEST(Budget, NeverCostsMoreWithMoreBytes) {
	std::mt19937 generator(5);
	std::vector<BudgetItem> items;
	for (int i = 0; i < 12; ++i) items.push_back(likeATensor(generator));
	double before = INFINITY;
	for (uint64_t budget = smallestBytes(items); budget < 2 * smallestBytes(items); budget += 97) {
		const auto choice = chooseWithin(items, budget);
		ASSERT_TRUE(choice);
		EXPECT_LE(choice->cost, before * (1 + 1e-12));
		before = choice->cost;
	}
}

TEST(Budget, SaysWhenEvenTheSmallestIsTooLarge) {
	const std::vector<BudgetItem> items{{{100, 1}, {200, 0.5}}, {{50, 2}}};
	EXPECT_EQ(smallestBytes(items), 150u);
	EXPECT_TRUE(chooseWithin(items, 150));
	const auto choice = chooseWithin(items, 149);
	ASSERT_FALSE(choice);
	EXPECT_EQ(choice.error().code, ErrorCode::kDoesNotFit);
}
