"""Weights of a GGUF file for the models of small_models.py. Quantized files are decoded to F32 by vkquant first: one decoder is enough."""

import hashlib, math, struct

import numpy
import torch

SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}   # bytes of GGUF's value types
STRING, ARRAY = 8, 9
FLOATS = {0: numpy.float32, 1: numpy.float16}


class Gguf:
	"""The tensors of a file: entries (name, shape rows first, type, offset), where their list begins, where their data begins."""

	def __init__(self, path):
		self.path, self.data, self.at = path, numpy.memmap(path, dtype=numpy.uint8, mode="r"), 0
		magic, _, tensors, keys = self.take("4sIQQ")
		if magic != b"GGUF":
			raise ValueError(f"{path}: not a GGUF file")
		alignment = 32
		for _ in range(keys):
			if self.text() == "general.alignment":
				_, alignment = self.take("II")
			else:
				self.skip(self.take("I"))
		self.list_begin, self.entries = self.at, []
		for _ in range(tensors):
			name, rank = self.text(), self.take("I")
			shape = [self.take("Q") for _ in range(rank)][::-1]
			self.entries.append((name, shape, *self.take("IQ")))
		self.list_end = self.at
		self.data_begin = -(-self.at // alignment) * alignment

	def take(self, form):
		values = struct.unpack_from("<" + form, self.data, self.at)
		self.at += struct.calcsize("<" + form)
		return values[0] if len(values) == 1 else values

	def text(self):
		size = self.take("Q")
		self.at += size
		return bytes(self.data[self.at - size:self.at]).decode("utf-8", "replace")

	def skip(self, kind):
		if kind == STRING:
			self.text()
		elif kind == ARRAY:
			element, count = self.take("IQ")
			if element in SCALARS:
				self.at += SCALARS[element] * count
			else:
				for _ in range(count):
					self.skip(element)
		else:
			self.at += SCALARS[kind]

	def digest(self):
		"""Of names, shapes, types and weights; not of the metadata."""
		return hashlib.sha256(bytes(self.data[self.list_begin:self.list_end]) + bytes(self.data[self.data_begin:])).hexdigest()

	def tensors(self):
		out = {}
		for name, shape, kind, offset in self.entries:
			if kind not in FLOATS:
				raise ValueError(f"{self.path}: {name} is not decoded (type {kind})")
			begin = self.data_begin + offset
			flat = self.data[begin:begin + math.prod(shape) * numpy.dtype(FLOATS[kind]).itemsize].view(FLOATS[kind])
			out[name] = torch.from_numpy(flat.astype(numpy.float32).reshape(shape))
		return out


PLAIN_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LAYER_NAMES = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
               "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm",
               "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "ffn_gate_inp": "block_sparse_moe.gate"}
GEMMA_NAMES = {"ffn_norm": "pre_feedforward_layernorm", "post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}
EXPERT_NAMES = {"ffn_gate_exps": "w1", "ffn_down_exps": "w2", "ffn_up_exps": "w3"}


def hugging_face(tensors, config):
	"""GGUF's names, row order and norms back to Hugging Face's."""
	family, head = config["model_type"], config["head_dim"]
	names = dict(LAYER_NAMES, **(GEMMA_NAMES if family == "gemma2" else {}))
	out = {}
	for name, value in tensors.items():
		parts = name.split(".")
		if family == "gemma2" and name.endswith("norm.weight"):
			value = value - 1          # GGUF holds the factor, Hugging Face its difference from 1
		if parts[0] != "blk":
			if parts[0] in PLAIN_NAMES:
				out[PLAIN_NAMES[parts[0]] + ".weight"] = value
			continue
		at, kind = f"model.layers.{parts[1]}.", parts[2]
		if kind in EXPERT_NAMES:
			for expert, matrix in enumerate(value):
				out[f"{at}block_sparse_moe.experts.{expert}.{EXPERT_NAMES[kind]}.weight"] = matrix
			continue
		if kind in ("attn_q", "attn_k") and family in ("llama", "mixtral"):
			# the rotation turns neighbours in GGUF's order, and an element of each half in Hugging Face's
			value = value.view(-1, head // 2, 2, value.shape[-1]).transpose(1, 2).reshape(value.shape)
		out[at + names[kind] + ".weight"] = value
	return out
