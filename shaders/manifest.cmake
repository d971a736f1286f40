# Every compiled shader: operation x format x variant. The name becomes ShaderId::name.

vkq_shader(copy_words SOURCE copy_words.comp)   # measures copy bandwidth: the limit that other kernels are held against
