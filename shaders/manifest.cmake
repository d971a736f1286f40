# Every compiled shader: operation x format x variant. The name becomes ShaderId::name.

vkq_shader(copy_words SOURCE copy_words.comp)   # measures copy bandwidth: the limit that other kernels are held against

# Encoders: _shared are for subgroups of four, which do not hold a super-block's eight invocations.
foreach(format Q4_K Q5_K)
	string(TOLOWER ${format} name)
	vkq_shader(encode_${name} SOURCE encode_affine_k.comp DEFINES FORMAT_${format})
	vkq_shader(encode_${name}_shared SOURCE encode_affine_k.comp DEFINES FORMAT_${format} EXCHANGE_SHARED)
endforeach()

# Between the products: one variant each, specialized by constants.
foreach(name norm rotate_heads attention attention_merge activation softcap moe_routing moe_combine hadamard)
	vkq_shader(${name} SOURCE ${name}.comp)
endforeach()

# Products. One module serves every weight type: what differs is specialization constants (kernels/device_layout.h).
vkq_shader(product SOURCE product.comp)
vkq_shader(product_integer SOURCE product.comp DEFINES VKQ_INTEGER)
vkq_shader(quantize_activations SOURCE quantize_activations.comp)
vkq_shader(group_experts SOURCE group_experts.comp)
