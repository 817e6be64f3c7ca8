#!/usr/bin/env python3
"""Writes lora.safetensors beside it: LoRAs as kohya's scripts, peft and diffusers name them, for
the networks of unet_sd15.safetensors and clip.safetensors, and what those networks make with them:
the UNet's fused by diffusers, which must agree with the formula, the text encoder's by the formula.
See README.md. Usage: lora.py

Each file is under its own prefix, `kohya/`, `peft/`, `old/`; the metadata `cases` says which are
loaded, and how much of each."""

import json
import os

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from make import HERE, Draw, Golden
from pipeline import load
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel

CASES = {
    "kohya": {"kohya": 0.7},
    "peft": {"peft": 1.0},
    "old": {"old": -0.5},
    "both": {"kohya": 0.6, "peft": 0.8},
}
BLOCK = "transformer_blocks.0."
DOWN = "down_blocks.0.attentions.1."
UP = "up_blocks.2.attentions.0."
LAYERS = [
    DOWN + BLOCK + "attn1.to_q",
    DOWN + BLOCK + "attn2.to_k",
    DOWN + BLOCK + "attn2.to_out.0",
    DOWN + BLOCK + "ff.net.0.proj",
    UP + "proj_in",
    UP + BLOCK + "attn1.to_v",
]
CONVS = [
    "conv_in",
    "down_blocks.1.resnets.0.conv1",
    "down_blocks.1.resnets.0.time_emb_proj",
    "down_blocks.1.resnets.0.conv_shortcut",
    "down_blocks.0.downsamplers.0.conv",
]
TEXT = [
    "text_model.encoder.layers.0.self_attn.q_proj",
    "text_model.encoder.layers.2.self_attn.out_proj",
    "text_model.encoder.layers.1.mlp.fc1",
]


def text_encoder():
    with safe_open(os.path.join(HERE, "clip.safetensors"), "pt") as f:
        config = json.loads(f.metadata()["config"])["quick"]
        weights = {
            k.removeprefix("quick."): f.get_tensor(k).float() for k in f if k.startswith("quick.")
        }
        tokens = f.get_tensor("golden.quick.tokens")
    config = CLIPTextConfig(
        **{k: v for k, v in config.items() if k != "model_type"}, attn_implementation="eager"
    )
    model = CLIPTextModel(config)
    wrapped = next(iter(model.state_dict())).startswith("text_model.")
    model.load_state_dict(
        {k if wrapped else k.removeprefix("text_model."): v for k, v in weights.items()}
    )
    return model.eval().requires_grad_(False), tokens


def factors(draw, weight, rank):
    """A and B: the change's deviation is about a third of the weight's."""
    down = draw.normal(rank, *weight.shape[1:])
    up = (
        draw.normal(weight.shape[0], rank, *[1] * (weight.dim() - 2))
        * weight.std()
        / (3 * rank**0.5)
    )
    return down.half(), up.half()


def layer(model, name):
    """transformers left `text_model.` out from version 5 on."""
    modules = dict(model.named_modules())
    return modules.get(name, modules.get(name.removeprefix("text_model.")))


def files(draw, unet, text):
    """The tensors of each file by their names in it, and its changes: layer, A, B, alpha / rank."""
    tensors = {name: {} for name in ("kohya", "peft", "old")}
    changes = {name: [] for name in tensors}

    def add(file, name, rank, down, up, alpha=None, own=None):
        a, b = factors(draw, layer(text if name in TEXT else unet, name).weight, rank)
        tensors[file] |= {down: a, up: b}
        if own is not None:
            tensors[file][own] = torch.tensor(alpha).half()
        changes[file].append(
            (name, a.float(), b.float(), (rank if alpha is None else alpha) / rank)
        )

    for i, name in enumerate(LAYERS + CONVS + TEXT):
        own = ("lora_te_" if name in TEXT else "lora_unet_") + name.replace(".", "_")
        rank = 2 + i % 3
        # One for all, as kohya's scripts write it: of several diffusers 0.42.1 loses attention's.
        add(
            "kohya",
            name,
            rank,
            own + ".lora_down.weight",
            own + ".lora_up.weight",
            1.5,
            own + ".alpha",
        )
    for name in LAYERS + CONVS + TEXT:
        own = ("text_encoder." if name in TEXT else "unet.") + name
        add("peft", name, 3, own + ".lora_A.weight", own + ".lora_B.weight", 6)
    for name in [n for n in LAYERS if "attn" in n] + TEXT[:2]:
        inside, last = name.replace(".to_out.0", ".to_out").rsplit(".", 1)
        own = f"text_encoder.{inside}.to_{last.removesuffix('_proj')}_lora."
        if name not in TEXT:
            own = f"unet.{inside}.processor.{last}_lora."
        add("old", name, 2, own + "down.weight", own + "up.weight")
    return tensors, changes


def by_formula(model, changes, case, names):
    for file, weight in case.items():
        for name, a, b, scale in changes[file]:
            if name in names:
                w = layer(model, name).weight
                w += weight * scale * (b.flatten(1) @ a.flatten(1)).view(w.shape)
    return model


def fused(loras, changes, case, metadata):
    unet = load(UNet2DConditionModel, "unet_sd15.safetensors")
    pipe = StableDiffusionPipeline(
        unet=unet,
        text_encoder=None,
        vae=None,
        tokenizer=None,
        scheduler=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for name in case:
        given = {k: v.float() for k, v in loras[name].items()}
        state, alphas, adapter = pipe.lora_state_dict(
            given, unet_config=unet.config, return_lora_metadata=True
        )
        if name == "peft":
            adapter = json.loads(metadata)
        pipe.load_lora_into_unet(
            state, network_alphas=alphas, unet=unet, adapter_name=name, metadata=adapter
        )
        pipe.set_adapters([name], adapter_weights=[case[name]])
        pipe.fuse_lora(components=["unet"])
        pipe.unload_lora_weights()
    ours = by_formula(
        load(UNet2DConditionModel, "unet_sd15.safetensors"), changes, case, LAYERS + CONVS
    )
    for key, t in ours.state_dict().items():
        assert torch.allclose(unet.state_dict()[key], t, rtol=1e-5, atol=1e-5), key
    # With transformers 5, whose layers' names changed, diffusers 0.42.1 loses a text encoder's
    # alphas.
    text, tokens = text_encoder()
    return unet.eval(), by_formula(text, changes, case, TEXT), tokens


def main():
    draw = Draw(31)
    golden = Golden("lora.safetensors")
    loras, changes = files(
        draw, load(UNet2DConditionModel, "unet_sd15.safetensors"), text_encoder()[0]
    )
    adapter = {}
    for net in ("unet", "text_encoder"):
        names = [
            k.removeprefix(net + ".").removesuffix(".lora_A.weight").removeprefix("text_model.")
            for k in loras["peft"]
            if k.startswith(net + ".") and "lora_A" in k
        ]
        adapter |= {
            f"{net}.r": 3,
            f"{net}.lora_alpha": 6,
            f"{net}.target_modules": names,
            f"{net}.peft_type": "LORA",
        }
    metadata = json.dumps(adapter, sort_keys=True)
    for name, state in loras.items():
        for key, t in state.items():
            golden.add(f"{name}/{key}", t)
    with safe_open(os.path.join(HERE, "unet_sd15.safetensors"), "pt") as f:
        given = [
            f.get_tensor(f"golden.a.{k}") for k in ("sample", "timestep", "encoder_hidden_states")
        ]
    for name, case in CASES.items():
        unet, text, tokens = fused(loras, changes, case, metadata)
        with torch.no_grad():
            out = unet(*given).sample
            golden.out(f"golden.{name}.unet", out)
            golden.out(f"golden.{name}.text", text(input_ids=tokens).last_hidden_state)
        before = load(UNet2DConditionModel, "unet_sd15.safetensors")(*given).sample
        print(f"  {name}: moved by {(out - before).abs().max():.2f}")
    golden.metadata["cases"] = json.dumps(CASES)
    golden.metadata["lora_adapter_metadata"] = metadata
    golden.save()


if __name__ == "__main__":
    main()
