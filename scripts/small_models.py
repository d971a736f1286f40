"""Small language models for measurements: Hugging Face folders of four families read, run and written with PyTorch, in float32.

Used by train-small-model and bench/quality_table; the programs of the project themselves need no Python."""

import json, math, os, re, struct

import numpy
import torch
import torch.nn.functional as F

CONTEXT = 256      # tokens of a training sequence, and the context of the evaluation


# --- Safetensors: a length, a JSON header, the data ---

def load_safetensors(path):
	with open(path, "rb") as file:
		header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
		data = file.read()
	tensors = {}
	for name, entry in header.items():
		if name == "__metadata__":
			continue
		assert entry["dtype"] == "BF16", f"{path}: {name} is {entry['dtype']}, not BF16"
		begin, end = entry["data_offsets"]
		bits = numpy.frombuffer(data[begin:end], dtype="<u2").astype(numpy.uint32) << 16
		tensors[name] = torch.from_numpy(bits.view(numpy.float32).reshape(entry["shape"]).copy())
	return tensors


def save_safetensors(path, tensors):
	header, chunks, offset = {}, [], 0
	for name, tensor in sorted(tensors.items()):
		bits = tensor.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().astype("<i2").tobytes()
		header[name] = dict(dtype="BF16", shape=list(tensor.shape), data_offsets=[offset, offset + len(bits)])
		chunks.append(bits)
		offset += len(bits)
	text = json.dumps(header).encode()
	text += b" " * (-len(text) % 8)
	with open(path + ".partial", "wb") as file:
		file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))
	os.replace(path + ".partial", path)


# --- Byte-level BPE, for the teacher's tokenizer.json ---

class Tokenizer:
	# the tokenizer's pattern, with [^\W\d_] for \p{L}, \d for \p{N}: equal on the texts used here
	WORDS = re.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d{1,3}| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

	def __init__(self, folder):
		model = json.load(open(os.path.join(folder, "tokenizer.json"), encoding="utf-8"))["model"]
		self.ids = model["vocab"]
		pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
		self.ranks = {tuple(pair): rank for rank, pair in enumerate(pairs)}
		plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
		others = [byte for byte in range(256) if byte not in plain]
		self.letters = {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}
		self.known = {}

	def word(self, word):
		parts = [self.letters[byte] for byte in word.encode("utf-8")]
		if "".join(parts) in self.ids:
			return [self.ids["".join(parts)]]
		while len(parts) > 1:
			rank, at = min((self.ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:])))
			if rank == 1 << 30:
				break
			parts[at:at + 2] = [parts[at] + parts[at + 1]]
		return [self.ids[part] for part in parts]

	def encode(self, text):
		tokens = []
		for match in self.WORDS.finditer(text):
			word = match.group()
			if word not in self.known:
				self.known[word] = self.word(word)
			tokens += self.known[word]
		return tokens


# --- The model: one decoder, the families' differences read from the configuration ---

class Decoder(torch.nn.Module):
	def __init__(self, config):
		super().__init__()
		self.config, self.family = config, config["model_type"]
		width, head = config["hidden_size"], config["head_dim"]
		queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
		feed, depth = config["intermediate_size"], config["num_hidden_layers"]
		self.weights = torch.nn.ParameterDict()
		self.experts = config.get("num_local_experts", 0)

		def matrix(name, rows, columns, scale=1.0):
			self.add(name, torch.randn(rows, columns) * scale / math.sqrt(columns))

		def norm(name, size):
			self.add(name, torch.zeros(size) if self.family == "gemma2" else torch.ones(size))

		# a residual branch starts small, so that the stream keeps its size through the layers
		branch = 1 / math.sqrt(2 * depth)
		matrix("model.embed_tokens.weight", config["vocab_size"], width)
		for layer in range(depth):
			at = f"model.layers.{layer}."
			norms = ["input_layernorm", "post_attention_layernorm"]
			if self.family == "gemma2":
				norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
			for name in norms:
				norm(f"{at}{name}.weight", width)
			matrix(at + "self_attn.q_proj.weight", queries, width)
			matrix(at + "self_attn.k_proj.weight", keys, width)
			matrix(at + "self_attn.v_proj.weight", keys, width)
			matrix(at + "self_attn.o_proj.weight", width, queries, branch)
			if self.family == "qwen3":
				norm(at + "self_attn.q_norm.weight", head)
				norm(at + "self_attn.k_norm.weight", head)
			if self.experts:
				matrix(at + "block_sparse_moe.gate.weight", self.experts, width)
			for name in self.feed_forward_names(at):
				matrix(name("gate"), feed, width)
				matrix(name("up"), feed, width)
				matrix(name("down"), width, feed, branch)
		norm("model.norm.weight", width)
		if not config["tie_word_embeddings"]:
			matrix("lm_head.weight", config["vocab_size"], width)
		frequencies = config["rope_theta"] ** (-torch.arange(0, head, 2, dtype=torch.float32) / head)
		angles = torch.outer(torch.arange(CONTEXT, dtype=torch.float32), frequencies).repeat(1, 2)
		self.cos, self.sin = angles.cos(), angles.sin()

	def feed_forward_names(self, at):
		if not self.experts:
			return [lambda part: f"{at}mlp.{part}_proj.weight"]
		letters = dict(gate="w1", up="w3", down="w2")
		return [lambda part, e=e: f"{at}block_sparse_moe.experts.{e}.{letters[part]}.weight" for e in range(self.experts)]

	def add(self, name, value):
		self.weights[name.replace(".", "/")] = torch.nn.Parameter(value)

	def w(self, name):
		return self.weights[name.replace(".", "/")]

	def named(self):
		return {name.replace("/", "."): value for name, value in self.weights.items()}

	def load(self, tensors):
		with torch.no_grad():
			for name, value in self.named().items():
				value.copy_(tensors[name])
		return self

	def norm(self, name, x):
		scaled = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.config["rms_norm_eps"])
		return scaled * (1 + self.w(name) if self.family == "gemma2" else self.w(name))

	def rotate(self, x, first):
		cos, sin = self.cos[first:first + x.shape[-2]], self.sin[first:first + x.shape[-2]]
		left, right = x.chunk(2, -1)
		return x * cos + torch.cat((-right, left), -1) * sin

	def attention(self, layer, x, first, cache):
		at, head = f"model.layers.{layer}.self_attn.", self.config["head_dim"]
		batch, length = x.shape[:2]
		q, k, v = (F.linear(x, self.w(f"{at}{n}_proj.weight")).view(batch, length, -1, head).transpose(1, 2) for n in "qkv")
		if self.family == "qwen3":
			q, k = self.norm(at + "q_norm.weight", q), self.norm(at + "k_norm.weight", k)
		q, k = self.rotate(q, first), self.rotate(k, first)
		if cache is not None:
			if first:
				k, v = torch.cat((cache[layer][0], k), 2), torch.cat((cache[layer][1], v), 2)
			cache[layer] = (k, v)
		# each key head serves a group of query heads
		group = q.shape[1] // k.shape[1]
		q = q.reshape(batch, k.shape[1], group * length, head)
		scores = (q @ k.transpose(2, 3) / math.sqrt(head)).view(batch, k.shape[1], group, length, -1)
		cap = self.config.get("attn_logit_softcapping")
		if cap:
			scores = torch.tanh(scores / cap) * cap
		distance = torch.arange(first, first + length)[:, None] - torch.arange(k.shape[2])[None]
		hidden = distance < 0
		window = self.config.get("sliding_window")
		if window and layer % 2 == 0:
			hidden = hidden | (distance >= window)
		scores = scores.masked_fill(hidden, float("-inf")).softmax(-1)
		mixed = scores.view(batch, k.shape[1], group * length, -1) @ v
		mixed = mixed.view(batch, -1, length, head).transpose(1, 2).reshape(batch, length, -1)
		return F.linear(mixed, self.w(at + "o_proj.weight"))

	def feed_forward(self, name, x):
		gate, up = F.linear(x, self.w(name("gate"))), F.linear(x, self.w(name("up")))
		if self.family == "gemma2":  # GELU in its tanh form
			gate = 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate ** 3)))
		else:
			gate = F.silu(gate)
		return F.linear(gate * up, self.w(name("down")))

	def mixture(self, layer, x):
		"""Each token goes through its two best experts. Adds to self.balance what keeps the experts equally busy."""
		at = f"model.layers.{layer}."
		flat = x.reshape(-1, x.shape[-1])
		shares = F.linear(flat, self.w(at + "block_sparse_moe.gate.weight")).softmax(-1)
		best, chosen = shares.topk(self.config["num_experts_per_tok"], -1)
		best = best / best.sum(-1, keepdim=True)
		out = torch.zeros_like(flat)
		busy = torch.zeros(self.experts)
		for expert, name in enumerate(self.feed_forward_names(at)):
			rows, slot = (chosen == expert).nonzero(as_tuple=True)
			busy[expert] = len(rows) / len(flat)
			out = out.index_add(0, rows, self.feed_forward(name, flat[rows]) * best[rows, slot, None])
		self.balance = self.balance + self.experts * (busy * shares.mean(0)).sum()
		return out.view_as(x)

	def forward(self, tokens, first=0, cache=None, scored=slice(None)):
		"""Logits [sequence, position, token] after each position, or after those of `scored`. With a cache (a dict), `tokens` follow the `first`
		positions that are in it."""
		gemma = self.family == "gemma2"
		self.balance = torch.zeros(())
		x = F.embedding(tokens, self.w("model.embed_tokens.weight"))
		if gemma:
			x = x * math.sqrt(self.config["hidden_size"])
		for layer in range(self.config["num_hidden_layers"]):
			at = f"model.layers.{layer}."
			y = self.attention(layer, self.norm(at + "input_layernorm.weight", x), first, cache)
			x = x + (self.norm(at + "post_attention_layernorm.weight", y) if gemma else y)
			y = self.norm(at + ("pre_feedforward_layernorm.weight" if gemma else "post_attention_layernorm.weight"), x)
			y = self.mixture(layer, y) if self.experts else self.feed_forward(self.feed_forward_names(at)[0], y)
			x = x + (self.norm(at + "post_feedforward_layernorm.weight", y) if gemma else y)
		x = self.norm("model.norm.weight", x[:, scored])
		logits = F.linear(x, self.w("model.embed_tokens.weight" if self.config["tie_word_embeddings"] else "lm_head.weight"))
		cap = self.config.get("final_logit_softcapping")
		return torch.tanh(logits / cap) * cap if cap else logits


def load_model(folder):
	config = json.load(open(os.path.join(folder, "config.json")))
	with torch.no_grad():
		return Decoder(config).load(load_safetensors(os.path.join(folder, "model.safetensors")))


# --- Evaluation ---

PART = 8           # chunks at once: their logits stay in a few MiB


def chunks_of(tokens, most=0):
	"""As llama-perplexity cuts a text: chunks of CONTEXT, the first token of each replaced by the beginning token (0). `most`: only so many, spread evenly."""
	tokens = torch.tensor([0] + tokens)
	rows = tokens[:len(tokens) // CONTEXT * CONTEXT].view(-1, CONTEXT).clone()
	rows[:, 0] = 0
	return rows[torch.arange(most) * len(rows) // most] if 0 < most < len(rows) else rows


def scored(model, rows):
	"""Part by part: log-probabilities after the positions that are scored (the second half of each chunk but its last), and the tokens that came."""
	half = CONTEXT // 2
	for part in rows.split(PART):
		yield model(part, scored=slice(half, -1)).log_softmax(-1), part[:, half + 1:, None]


def perplexity(model, tokens):
	surprise = [-predicted.gather(-1, came) for predicted, came in scored(model, chunks_of(tokens))]
	return math.exp(torch.cat(surprise).double().mean())
