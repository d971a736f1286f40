# Every compiled shader: operation x format x variant. The name becomes ShaderId::name.

vkq_shader(copy_words SOURCE copy_words.comp)   # measures copy bandwidth: the limit that other kernels are held against
vkq_shader(load_probe SOURCE load_probe.comp)
vkq_shader(load_probe_stream SOURCE load_probe.comp DEFINES VKQ_STREAM)

# Encoders. _shared are for subgroups of four, which do not hold a super-block's eight invocations.
vkq_shader(encode_sums SOURCE encode_sums.comp)
foreach(format q4_0 q4_1 q5_0 q5_1 q8_0 iq4_nl mxfp4)
	string(TOUPPER FORMAT_${format} define)
	vkq_shader(encode_${format} SOURCE encode_block.comp DEFINES ${define})
	if(NOT format MATCHES "q8_0|mxfp4")   # these ignore importance
		vkq_shader(encode_${format}_importance SOURCE encode_block.comp DEFINES ${define} IMPORTANCE)
	endif()
endforeach()
foreach(format q2_k q3_k q4_k q5_k q6_k iq4_xs)
	set(source encode_${format}.comp)
	if(format MATCHES "q[45]_k")
		set(source encode_affine_k.comp)
	endif()
	string(TOUPPER FORMAT_${format} define)
	vkq_shader(encode_${format} SOURCE ${source} DEFINES ${define})
	vkq_shader(encode_${format}_shared SOURCE ${source} DEFINES ${define} EXCHANGE_SHARED)
	vkq_shader(encode_${format}_importance SOURCE ${source} DEFINES ${define} IMPORTANCE)
	vkq_shader(encode_${format}_importance_shared SOURCE ${source} DEFINES ${define} IMPORTANCE EXCHANGE_SHARED)
endforeach()
# The best searches: --search best.
foreach(format q4_0 q4_1 q5_0 q5_1 q8_0 iq4_nl mxfp4)
	string(TOUPPER FORMAT_${format} define)
	vkq_shader(encode_best_${format} SOURCE encode_best_block.comp DEFINES ${define})
	vkq_shader(encode_best_${format}_importance SOURCE encode_best_block.comp DEFINES ${define} IMPORTANCE)
endforeach()
foreach(format iq4_xs)
	set(source encode_best_${format}.comp)
	string(TOUPPER FORMAT_${format} define)
	vkq_shader(encode_best_${format} SOURCE ${source} DEFINES ${define})
	vkq_shader(encode_best_${format}_shared SOURCE ${source} DEFINES ${define} EXCHANGE_SHARED)
	vkq_shader(encode_best_${format}_importance SOURCE ${source} DEFINES ${define} IMPORTANCE)
	vkq_shader(encode_best_${format}_importance_shared SOURCE ${source} DEFINES ${define} IMPORTANCE EXCHANGE_SHARED)
endforeach()

# Best searches of the k-quants.
foreach(format q2_k q3_k q4_k q5_k q6_k)
	string(TOUPPER FORMAT_${format} define)
	set(source encode_best_affine_k.comp)
	if(format MATCHES "^q[36]_k$")
		set(source encode_best_symmetric_k.comp)
	endif()
	vkq_shader(encode_best_${format} SOURCE ${source} DEFINES ${define})
	vkq_shader(encode_best_${format}_shared SOURCE ${source} DEFINES ${define} EXCHANGE_SHARED)
	vkq_shader(encode_best_${format}_importance SOURCE ${source} DEFINES ${define} IMPORTANCE)
	vkq_shader(encode_best_${format}_importance_shared SOURCE ${source} DEFINES ${define} IMPORTANCE EXCHANGE_SHARED)
endforeach()

# Between the products: one variant each, specialized by constants.
foreach(name norm rotate_heads attention attention_stream attention_merge activation softcap moe_routing moe_combine hadamard sum_squares)
	vkq_shader(${name} SOURCE ${name}.comp)
endforeach()

# Products. One module serves every weight type: what differs is specialization constants (kernels/device_layout.h).
vkq_shader(product SOURCE product.comp)
vkq_shader(product_tiled SOURCE product_tiled.comp)
vkq_shader(product_cooperative SOURCE product_tiled.comp GLSLANG 14 DEFINES VKQ_COOPERATIVE)
vkq_shader(product_integer SOURCE product.comp DEFINES VKQ_INTEGER)
vkq_shader(product_dot SOURCE product.comp DEFINES VKQ_DOT)
vkq_shader(product_stream SOURCE product.comp DEFINES VKQ_STREAM)
vkq_shader(product_stream_integer SOURCE product.comp DEFINES VKQ_STREAM VKQ_INTEGER)
vkq_shader(quantize_activations SOURCE quantize_activations.comp)
vkq_shader(round_activations SOURCE round_activations.comp)
vkq_shader(group_experts SOURCE group_experts.comp)

# Decoders of file blocks to floats.
foreach(format q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs mxfp4)
	string(TOUPPER FORMAT_${format} define)
	vkq_shader(decode_${format} SOURCE decode.comp DEFINES ${define})
endforeach()
