"""Writes llava_golden.json: logits and greedy tokens of Hugging Face's LLaVA for two tiny models.

Made with transformers 5.24.0, torch 2.11.0 (CPU, float32), Python 3.11:
    python generate_llava_golden.py llava_golden.json
Weights and pixels follow from their names (`fill`), so that the golden needs no binary; llava_golden_test.cc draws the same.
"""
import json
import sys

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, SiglipVisionConfig

MASK = (1 << 64) - 1


def uniform(seed, index):
    """Number `index` in [-1, 1) of a seed: one step of splitmix64."""
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-52 - 1


def fill(name, shape):
    """0.3 u, for the weights of norms 1 + 0.3 u; the seed is the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    count = 1
    for size in shape:
        count *= size
    mean = 1.0 if name.endswith(".weight") and "norm" in name else 0.0
    values = [mean + 0.3 * uniform(seed, i) for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).to(torch.float32).reshape(shape)


def saved_name(name):
    """The name in a checkpoint of a parameter of the module."""
    for module, saved in (("lm_head.", "language_model.lm_head."), ("model.language_model.", "language_model.model."),
                          ("model.vision_tower.", "vision_tower.vision_model."), ("model.", "")):
        if name.startswith(module):
            return saved + name[len(module):]
    raise ValueError(name)


def run(config, num_patches, prompt):
    model = LlavaForConditionalGeneration(config).eval()
    image = config.image_token_index
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(fill(saved_name(name), parameter.shape))
        size = config.vision_config.image_size
        pixels = fill("pixels", (1, 3, size, size)) / 0.3
        ids = [token for p in prompt for token in ([image] * num_patches if p == image else [p])]
        inputs = {"input_ids": torch.tensor([ids]), "pixel_values": pixels, "attention_mask": torch.ones(1, len(ids)).long()}
        logits = model(**inputs).logits[0]
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=12, pad_token_id=0)[0, len(ids):]
    written = json.loads(config.to_json_string(use_diff=False))
    keep = {
        "": ["model_type", "image_token_index", "projector_hidden_act", "vision_feature_layer", "vision_feature_select_strategy"],
        "vision_config": ["model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "image_size", "patch_size", "hidden_act", "layer_norm_eps"],
        "text_config": ["model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps",
                        "rope_parameters", "tie_word_embeddings", "eos_token_id"],
    }
    short = {key: written[key] for key in keep[""]}
    for part in ("vision_config", "text_config"):
        short[part] = {key: written[part][key] for key in keep[part]}
    return short, prompt, tokens.tolist(), [[float(f"{x:.8g}") for x in row] for row in logits.tolist()]


def main(path):
    torch.manual_seed(0)
    text = dict(vocab_size=24, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=64, eos_token_id=2)
    vision = dict(hidden_size=24, intermediate_size=40, num_attention_heads=2, image_size=12, patch_size=4)
    clip = LlavaConfig(vision_config=CLIPVisionConfig(num_hidden_layers=3, **vision), text_config=LlamaConfig(**text),
                       image_token_index=5, vision_feature_layer=-2, vision_feature_select_strategy="default")
    text.update(head_dim=12, num_key_value_heads=1, rope_parameters={"rope_theta": 500.0, "rope_type": "default"})
    siglip = LlavaConfig(vision_config=SiglipVisionConfig(num_hidden_layers=2, vision_use_head=False, **vision),
                         text_config=LlamaConfig(**text), image_token_index=5, vision_feature_layer=-1,
                         vision_feature_select_strategy="full", projector_hidden_act="silu")
    with open(path, "w") as out:
        out.write("[\n")
        cases = [run(clip, 9, [1, 7, 5, 11, 3, 20]), run(siglip, 9, [1, 5, 9, 9, 14])]
        for i, (config, prompt, tokens, logits) in enumerate(cases):
            out.write('{"config": %s,\n"prompt": %s,\n"greedy": %s,\n"logits": [\n' %
                      (json.dumps(config), json.dumps(prompt), json.dumps(tokens)))
            out.write(",\n".join(json.dumps(row) for row in logits))
            out.write("]}" + (",\n" if i + 1 < len(cases) else "\n]\n"))


if __name__ == "__main__":
    main(sys.argv[1])
