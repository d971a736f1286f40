// Which encoding every tensor takes so that all of them together stay within a budget of bytes and cost the least: a knapsack with one
// choice an item. Knows nothing of formats and models: bytes and costs in, indices out. The same numbers give the same choice.
//
//   1. Options that another beats in bytes and cost are dropped; the lower convex hull of the rest gives an item's steps, each with a
//      price: cost saved a byte.
//   2. All items start at their smallest option. Steps are taken by falling price until one does not fit: the Lagrange multiplier of the
//      budget is that step's price, and taking a fraction of it gives a bound that no choice can beat.
//   3. What is left of the budget is filled by the best single changes that fit.
//   4. A dynamic program over Pareto lists of (bytes, cost) looks for a better choice. Partial choices that the multiplier proves hopeless are
//      dropped, which leaves few; where the rest outgrows a limit, the least promising go too, and the bound says what that may have cost.
#pragma once

#include "core/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vkq {

struct BudgetOption {
	uint64_t bytes = 0;
	double cost = 0;          // finite
};
using BudgetItem = std::vector<BudgetOption>;   // in any order, at least one

struct BudgetChoice {
	std::vector<size_t> chosen;   // an option of each item
	uint64_t bytes = 0;
	double cost = 0;
	double bound = 0;             // no choice within the budget costs less; equal to cost where the choice is proven best
};

/// The smallest total that the items can have.
uint64_t smallestBytes(std::span<const BudgetItem> items);

/// kDoesNotFit where even smallestBytes() exceeds the budget.
Result<BudgetChoice> chooseWithin(std::span<const BudgetItem> items, uint64_t budget);

}  // namespace vkq
