// How much memory a graph of operations takes when results are placed one after another, each at the best-fitting hole that
// earlier results left: the scheme of ggml's graph allocator.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace vkq {

class GraphMemory {
public:
	using Id = uint32_t;

	/// Something that is there from the start. Like a result, its place is free after its last use.
	Id input(uint64_t bytes) { return add(bytes, {}, Kind::Input); }
	/// The result of an operation.
	Id result(uint64_t bytes, std::initializer_list<Id> uses) { return add(bytes, uses, Kind::Result); }
	/// A result that takes the place of the first of `uses` that has its size and is used by nothing else.
	Id inPlace(uint64_t bytes, std::initializer_list<Id> uses) { return add(bytes, uses, Kind::InPlace); }
	/// An operation that writes into memory outside of the graph.
	void sink(std::initializer_list<Id> uses) { add(0, uses, Kind::Result); }
	/// `id` is never given up.
	void keep(Id id) { nodes_[id].kept = true; }

	/// Bytes that the whole takes.
	uint64_t measure(uint64_t alignment) const;

private:
	enum class Kind : uint8_t { Input, Result, InPlace };
	struct Node {
		uint64_t bytes;
		std::vector<Id> uses;
		Kind kind;
		bool kept = false;
	};
	Id add(uint64_t bytes, std::initializer_list<Id> uses, Kind kind) {
		nodes_.push_back({bytes, uses, kind});
		return Id(nodes_.size() - 1);
	}
	std::vector<Node> nodes_;
};

}  // namespace vkq
