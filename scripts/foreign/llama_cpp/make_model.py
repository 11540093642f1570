"""Writes a model of random weights (0.5 MB) that llama.cpp's server loads: no sense in it.

    python make_model.py OUT.gguf        needs the packages gguf and numpy

Its vocabulary is the 256 bytes, a few words and ASCII; without `add_space_prefix=False` llama.cpp
cannot begin its grammars (JSON schemas, forced tool calls), because the prompt's end would not be
what the grammar expects.
"""

import sys

import gguf
import numpy as np

EMBEDDING, HEADS, FEED_FORWARD, LAYERS, CONTEXT = 64, 4, 128, 2, 4096
SPECIAL = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
CONTROL = ["<|im_start|>", "<|im_end|>"]

tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
words = ["▁", "▁the", "▁hello", "▁rain", "▁Paris", "ing", "er", "▁is", "▁it", "▁and"] + [
    chr(code) for code in range(33, 127)
]
tokens += [word for word in dict.fromkeys(words) if word not in tokens]
plain = len(tokens) - 259
tokens += SPECIAL + CONTROL
kind = gguf.TokenType
types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256 + [kind.NORMAL] * plain
types += [kind.USER_DEFINED] * len(SPECIAL) + [kind.CONTROL] * len(CONTROL)

out = gguf.GGUFWriter(sys.argv[1], "llama")
out.add_name("tiny-random")
out.add_context_length(CONTEXT)
out.add_embedding_length(EMBEDDING)
out.add_block_count(LAYERS)
out.add_feed_forward_length(FEED_FORWARD)
out.add_head_count(HEADS)
out.add_head_count_kv(HEADS)
out.add_layer_norm_rms_eps(1e-5)
out.add_rope_dimension_count(EMBEDDING // HEADS)
out.add_vocab_size(len(tokens))
out.add_tokenizer_model("llama")
out.add_tokenizer_pre("default")
out.add_token_list([token.encode() for token in tokens])
out.add_token_scores([-float(rank) for rank in range(len(tokens))])
out.add_token_types(types)
out.add_add_space_prefix(False)
out.add_bos_token_id(1)
out.add_eos_token_id(len(tokens) - 1)
out.add_unk_token_id(0)

random = np.random.default_rng(0)


def weights(*shape):
    return (random.standard_normal(shape) * 0.05).astype(np.float32)


out.add_tensor("token_embd.weight", weights(len(tokens), EMBEDDING))
out.add_tensor("output.weight", weights(len(tokens), EMBEDDING))
out.add_tensor("output_norm.weight", np.ones(EMBEDDING, np.float32))
for layer in range(LAYERS):
    name = f"blk.{layer}."
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        out.add_tensor(f"{name}{part}.weight", weights(EMBEDDING, EMBEDDING))
    out.add_tensor(f"{name}attn_norm.weight", np.ones(EMBEDDING, np.float32))
    out.add_tensor(f"{name}ffn_norm.weight", np.ones(EMBEDDING, np.float32))
    out.add_tensor(f"{name}ffn_gate.weight", weights(FEED_FORWARD, EMBEDDING))
    out.add_tensor(f"{name}ffn_up.weight", weights(FEED_FORWARD, EMBEDDING))
    out.add_tensor(f"{name}ffn_down.weight", weights(EMBEDDING, FEED_FORWARD))
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
