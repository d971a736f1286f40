#include "quantize/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace vkq {

namespace {

/// Partial choices kept of one length. More than a few hundred are rare; the limit bounds time for models of many like tensors.
constexpr size_t kMostStates = 4096;

/// An option that no other of its item beats, with its index there.
struct Efficient {
	uint64_t bytes;
	double cost;
	size_t index;
};

/// By rising bytes and falling cost.
std::vector<Efficient> efficientOptions(const BudgetItem& item) {
	std::vector<Efficient> options;
	for (size_t i = 0; i < item.size(); ++i) options.push_back({item[i].bytes, item[i].cost, i});
	std::sort(options.begin(), options.end(), [](const Efficient& a, const Efficient& b) {
		if (a.bytes != b.bytes) return a.bytes < b.bytes;
		return a.cost != b.cost ? a.cost < b.cost : a.index < b.index;
	});
	std::vector<Efficient> kept;
	for (const Efficient& option : options)
		if (kept.empty() || option.cost < kept.back().cost) kept.push_back(option);
	return kept;
}

/// From one corner of an item's hull to the next.
struct Step {
	size_t item;
	size_t to;          // of the item's efficient options
	uint64_t bytes;     // more
	double saved;       // cost
	double price() const { return saved / double(bytes); }
};

void appendHullSteps(const std::vector<Efficient>& options, size_t item, std::vector<Step>& steps) {
	for (size_t from = 0; from + 1 < options.size();) {
		Step best{item, from, 0, 0};
		for (size_t to = from + 1; to < options.size(); ++to) {
			const Step step{item, to, options[to].bytes - options[from].bytes, options[from].cost - options[to].cost};
			if (best.bytes == 0 || step.price() >= best.price()) best = step;   // of equal prices the longest
		}
		steps.push_back(best);
		from = best.to;
	}
}

/// A choice of the first items, one of a Pareto list: more bytes, less cost.
struct State {
	uint64_t bytes;
	double cost;
	uint32_t before;    // in the list of the items before
	uint32_t option;    // of the last item's efficient options
};

class Solver {
public:
	Solver(std::span<const BudgetItem> items, uint64_t budget) : budget_(budget) {
		for (const BudgetItem& item : items) options_.push_back(efficientOptions(item));
		at_.resize(items.size());
	}

	BudgetChoice solve() {
		takeSteps();
		fill();
		improve();
		BudgetChoice choice;
		for (size_t i = 0; i < options_.size(); ++i) choice.chosen.push_back(options_[i][at_[i]].index);
		choice.bytes = bytes_;
		choice.cost = cost_;
		choice.bound = std::min(bound_, cost_);
		return choice;
	}

private:
	void set(size_t item, size_t option) {
		at_[item] = option;
		bytes_ = 0;
		cost_ = 0;
		for (size_t i = 0; i < options_.size(); ++i) {   // summed anew in one order, so that equal choices cost exactly the same
			bytes_ += options_[i][at_[i]].bytes;
			cost_ += options_[i][at_[i]].cost;
		}
	}

	void takeSteps() {
		std::vector<Step> steps;
		for (size_t i = 0; i < options_.size(); ++i) {
			appendHullSteps(options_[i], i, steps);
			bytes_ += options_[i][0].bytes;
			cost_ += options_[i][0].cost;
		}
		std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.price() > b.price(); });
		std::vector<bool> stuck(options_.size());
		bool bound_known = false;
		for (const Step& step : steps) {
			if (stuck[step.item]) continue;
			if (step.bytes <= budget_ - bytes_) {
				bytes_ += step.bytes;
				cost_ -= step.saved;
				at_[step.item] = step.to;
				continue;
			}
			stuck[step.item] = true;
			if (bound_known) continue;
			bound_known = true;
			multiplier_ = step.price();
			bound_ = cost_ - multiplier_ * double(budget_ - bytes_);
		}
		if (!options_.empty()) set(0, at_[0]);
		if (!bound_known) bound_ = cost_;   // everything at its best
	}

	/// The single change that saves most of those that fit, until there is none.
	void fill() {
		for (;;) {
			double most = 0;
			size_t item = 0, option = 0;
			for (size_t i = 0; i < options_.size(); ++i) {
				const Efficient& now = options_[i][at_[i]];
				for (size_t o = at_[i] + 1; o < options_[i].size(); ++o) {
					if (options_[i][o].bytes - now.bytes > budget_ - bytes_) break;
					if (const double saved = now.cost - options_[i][o].cost; saved > most) most = saved, item = i, option = o;
				}
			}
			if (most == 0) return;
			const double before = cost_;
			set(item, option);
			if (cost_ >= before) return;   // lost in rounding
		}
	}

	/// Cost that items from `first` on must at least add to a choice of the ones before that takes `bytes`: by the multiplier.
	double leastOf(size_t first, uint64_t bytes) const { return least_[first] - multiplier_ * double(budget_ - bytes); }

	void improve() {
		if (bound_ >= cost_ || options_.empty()) return;
		const size_t n = options_.size();
		least_.assign(n + 1, 0);
		std::vector<uint64_t> smallest(n + 1, 0);
		for (size_t i = n; i-- > 0;) {
			double least = std::numeric_limits<double>::infinity();
			for (const Efficient& option : options_[i]) least = std::min(least, option.cost + multiplier_ * double(option.bytes));
			least_[i] = least_[i + 1] + least;
			smallest[i] = smallest[i + 1] + options_[i][0].bytes;
		}
		double dropped = std::numeric_limits<double>::infinity();   // the best that a dropped state could have become
		std::vector<std::vector<State>> lists{{{0, 0.0, 0, 0}}};
		for (size_t i = 0; i < n; ++i) {
			std::vector<State> next;
			for (uint32_t s = 0; s < lists[i].size(); ++s)
				for (uint32_t o = 0; o < options_[i].size(); ++o) {
					const State state{lists[i][s].bytes + options_[i][o].bytes, lists[i][s].cost + options_[i][o].cost, s, o};
					if (state.bytes + smallest[i + 1] > budget_) break;
					if (state.cost + leastOf(i + 1, state.bytes) < cost_) next.push_back(state);
				}
			lists.push_back(paretoOf(std::move(next), i + 1, dropped));
		}
		bound_ = std::max(bound_, std::min(cost_, dropped));
		// The last list is sorted by falling cost: its end is the best.
		if (lists[n].empty() || lists[n].back().cost >= cost_) return;
		std::vector<size_t> better(n);
		const State* state = &lists[n].back();
		for (size_t i = n; i-- > 0; state = &lists[i][state->before]) better[i] = state->option;
		at_ = better;
		set(0, at_[0]);
		bound_ = std::max(bound_, std::min(cost_, dropped));
	}

	std::vector<State> paretoOf(std::vector<State> states, size_t items, double& dropped) const {
		std::sort(states.begin(), states.end(), [](const State& a, const State& b) {
			if (a.bytes != b.bytes) return a.bytes < b.bytes;
			if (a.cost != b.cost) return a.cost < b.cost;
			return a.before != b.before ? a.before < b.before : a.option < b.option;
		});
		std::vector<State> kept;
		for (const State& state : states)
			if (kept.empty() || state.cost < kept.back().cost) kept.push_back(state);
		if (kept.size() <= kMostStates) return kept;
		std::vector<double> promise;
		for (const State& state : kept) promise.push_back(state.cost + leastOf(items, state.bytes));
		std::vector<double> order = promise;
		std::nth_element(order.begin(), order.begin() + kMostStates, order.end());
		const double limit = order[kMostStates];
		dropped = std::min(dropped, limit);
		std::vector<State> best;
		for (size_t i = 0; i < kept.size(); ++i)
			if (promise[i] < limit) best.push_back(kept[i]);
		return best;
	}

	const uint64_t budget_;
	std::vector<std::vector<Efficient>> options_;   // of each item, at least one
	std::vector<size_t> at_;                        // what is chosen
	uint64_t bytes_ = 0;
	double cost_ = 0, bound_ = 0;
	double multiplier_ = 0;                         // cost that a byte is worth at this budget
	std::vector<double> least_;                     // of the items from i on: sum of the smallest cost + multiplier * bytes
};

}  // namespace

uint64_t smallestBytes(std::span<const BudgetItem> items) {
	uint64_t sum = 0;
	for (const BudgetItem& item : items)
		sum += std::min_element(item.begin(), item.end(), [](const BudgetOption& a, const BudgetOption& b) { return a.bytes < b.bytes; })->bytes;
	return sum;
}

Result<BudgetChoice> chooseWithin(std::span<const BudgetItem> items, uint64_t budget) {
	if (const uint64_t smallest = smallestBytes(items); smallest > budget)
		return fail(ErrorCode::kDoesNotFit, fmt::format("the smallest choice takes {} bytes, {} are allowed", smallest, budget));
	return Solver(items, budget).solve();
}

}  // namespace vkq
