#!/usr/bin/env python3
"""Writes rad.safetensors beside it: a tiny network of training/rad with random weights, and what
PyTorch makes with it. All is after METHODS.md's equations; the network with one noise level
everywhere is checked against diffusers' UNet2DModel, the LoRAs
against peft. Usage: rad.py      (torch, safetensors, diffusers, and peft 0.21.2 besides)

Weights are F16 under diffusers' names, computed with in F32. Goldens are F32, the schedule's F64,
`[batch, channels, height, width]`. Metadata: `config` as in config.json, `lora_config` as in
adapter_config.json, versions. `n` is the number of steps of a phase taken, 0 to 1000: DDPM's time
plus one. KIND is `binary` or `soft`, the mask's values.

adm.NAME                 the same weights as ADM names and shapes them: Linear time layers, qkv [3C,
C, 1], head by head q, k, v
lora.adapter.NAME        a LoRA as peft writes it, `base_model.model.LAYER.lora_A.weight`, with the
time layers' new weights
lora.injected.NAME       the same network with its LoRA inside: `LAYER.base_layer.weight`,
`LAYER.lora_A.default.weight`; complete
golden.lora.out          what either makes of golden.net.soft.x and .levels

golden.schedule.n        [1, k]: the steps; .mask [1, m]: the masks' values; .gamma [1, k]
golden.schedule.phase1.kept, .levels    alpha bar and its fractional index (tau) of mask and n, [m,
k]; .phase2.* likewise golden.embedding.levels → .sines → .out (before SiLU) golden.resblock.NAME.x
→ .time (scale and shift, from embedding.out, resized) → .out; NAME is of metadata `resblocks`
golden.attention.x → .out               down_blocks.1.attentions.0
golden.net.KIND.x, .levels → .out; .mask and, binary, .hole (the level in the hole)
golden.step.KIND.x, .output, .kept, .before, .noise → .ddpm, .ddim: one step of the sampler
golden.run.image, .noise (the start's), .step_noise [10, 3, h, w], .KIND.mask
golden.run.n             [1, 10]: n before each step; after the last comes 0
golden.run.SAMPLER.KIND.start, .after.1, .after.4, .after.7, .after.10
"""

import json
import os
import sys

import diffusers
import peft
import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "training", "rad"))
import adm  # noqa: E402
import schedule  # noqa: E402
from network import Config, EmbeddedMap, Rad, sines  # noqa: E402

RANK = 2
LORA_LAYERS = ["to_q", "to_k", "to_v", "to_out.0", "conv_in", "conv_out", "conv1", "conv2"]
RESBLOCKS = {
    "plain": "mid_block.resnets.0",
    "shortcut": "down_blocks.1.resnets.0",
    "down": "down_blocks.0.downsamplers.0",
    "up": "up_blocks.0.upsamplers.0",
}
HEIGHT, WIDTH = 12, 24
FFHQ = Config(
    sample_size=256,
    attention_head_dim=64,
    block_out_channels=(128, 128, 256, 256, 512, 512),
    down_block_types=("ResnetDownsampleBlock2D",) * 4
    + ("AttnDownBlock2D", "ResnetDownsampleBlock2D"),
    up_block_types=("ResnetUpsampleBlock2D", "AttnUpBlock2D") + ("ResnetUpsampleBlock2D",) * 4,
)


def weights(model):
    """Of a size that lets signals through, with nothing at the zero or one that it is initialised
    to."""
    for name, p in model.named_parameters():
        if "norm" in name:
            p.copy_(torch.empty_like(p).uniform_(-0.4, 0.4) + (1 if name.endswith("weight") else 0))
        elif name.endswith("bias"):
            p.uniform_(-0.3, 0.3)
        else:
            p.normal_(std=0.9 / p[0].numel() ** 0.5)
        p.copy_(p.half().float())


def as_diffusers(model):
    """diffusers' class with the same weights, to compare with."""
    theirs = UNet2DModel.from_config(model.config.plain()).eval()
    theirs.load_state_dict(
        {
            k: v[:, :, 0, 0] if "time_emb" in k and v.dim() == 4 else v
            for k, v in model.state_dict().items()
        }
    )
    return theirs


def close(what, a, b, most):
    off = (a - b).abs().max().item()
    print(f"{what}: {off:.1e}")
    assert off <= most, (what, off)


def smooth(*size):
    return F.interpolate(
        torch.randn(1, *size[:-2], size[-2] // 4, size[-1] // 4), size[-2:], mode="bicubic"
    )


def schedules():
    mask = torch.tensor([0, 1 / 4096, 0.1, 0.25, 0.5, 0.9, 0.999, 1], dtype=torch.float64)
    n = torch.tensor([0, 1, 2, 10, 100, 251, 500, 750, 991, 999, 1000])
    out = {"mask": mask[None], "n": n.double()[None], "gamma": schedule.gamma(n)[None]}
    for phase in (1, 2):
        kept = torch.stack([schedule.kept_after(mask, k, phase) for k in n], 1)
        out |= {f"phase{phase}.kept": kept, f"phase{phase}.levels": schedule.levels(kept)}
        hole = out[f"phase{phase}.levels"][-1 if phase == 1 else 0]
        close(f"binary levels, phase {phase}", hole, n.double(), 1e-6)
    return {f"schedule.{k}": v for k, v in out.items()}


def blocks(model):
    levels = 1000 * torch.rand(1, 1, 12, 10)
    levels[..., :5, :] = 0
    features, embedding = sines(levels, model.config), model.embed(levels)
    out = {"embedding.levels": levels, "embedding.sines": features, "embedding.out": embedding}
    time = EmbeddedMap(embedding)
    for name, where in RESBLOCKS.items():
        block = model.get_submodule(where)
        x = torch.randn(1, block.norm1.num_channels, 6, 8)
        shape = {"down": (3, 4), "up": (12, 16)}.get(name, (6, 8))
        out |= {
            f"resblock.{name}.x": x,
            f"resblock.{name}.time": time.project(block.time_emb_proj, shape),
            f"resblock.{name}.out": block(x, time),
        }
    attention = model.down_blocks[1].attentions[0]
    x = torch.randn(1, attention.group_norm.num_channels, 6, 4)
    return out | {"attention.x": x, "attention.out": attention(x)}


def masks(height, width):
    binary = torch.zeros(1, 1, height, width)
    binary[..., 3:11, 5:17] = 1
    binary[..., 10:, 20:] = 1
    soft = F.interpolate(
        binary[..., ::2, ::2], (height, width), mode="bilinear", align_corners=True
    )
    assert (
        ((soft > 0) & (soft < 1)).float().mean() > 0.2 and (soft == 0).any() and (soft == 1).any()
    )
    return {"binary": binary, "soft": soft}


def nets(model):
    out = {}
    for kind, (height, width) in {"binary": (24, 16), "soft": (16, 28)}.items():
        mask, n = masks(height, max(width, 24))[kind][..., :width], 637
        x = torch.randn(1, 3, height, width)
        levels = schedule.levels(schedule.kept_after(mask, n)).float()
        result = model(x, levels)
        out |= {
            f"net.{kind}.x": x,
            f"net.{kind}.mask": mask,
            f"net.{kind}.levels": levels,
            f"net.{kind}.out": result,
        }
        if kind == "binary":
            hole = torch.tensor([float(n)])
            close(
                "two vectors against the map",
                model.forward_binary(x, mask, 0 * hole, hole),
                result,
                1e-5,
            )
            out["net.binary.hole"] = hole
    x, level = torch.randn(2, 3, 16, 24), torch.tensor([3.0, 871.0])
    theirs = as_diffusers(model)(x, level).sample
    close(
        "one level everywhere against diffusers",
        model(x, level[:, None, None, None].expand(-1, 1, 16, 24)),
        theirs,
        2e-5,
    )
    return out


def steps():
    out = {}
    for kind, mask in masks(HEIGHT, WIDTH).items():
        mask = mask[..., :8, 4:20]
        x, output, noise = (
            torch.randn(1, 3, 8, 16),
            torch.randn(1, 6, 8, 16),
            torch.randn(1, 3, 8, 16),
        )
        kept, before = (schedule.kept_after(mask, n) for n in (301, 201))
        out |= {
            f"step.{kind}.{k}": v
            for k, v in {
                "x": x,
                "output": output,
                "kept": kept,
                "before": before,
                "noise": noise,
                "ddpm": schedule.ddpm(x, output, kept, before, noise),
                "ddim": schedule.ddim(x, output, kept, before),
            }.items()
        }
    return out


def runs(model):
    image = smooth(3, HEIGHT, WIDTH).mul(0.5).clamp(-1, 1)
    noise, step_noise = torch.randn(1, 3, HEIGHT, WIDTH), torch.randn(10, 3, HEIGHT, WIDTH)
    at = schedule.times(10)
    out = {
        "run.image": image,
        "run.noise": noise,
        "run.step_noise": step_noise,
        "run.n": torch.tensor([at], dtype=torch.float64),
    }
    for kind, mask in masks(HEIGHT, WIDTH).items():
        out[f"run.{kind}.mask"] = mask
        for sampler in ("ddpm", "ddim"):
            x = schedule.start(image, mask, at[0], noise)
            own = f"run.{sampler}.{kind}"
            out[f"{own}.start"] = x
            for i, (n, following) in enumerate(zip(at, [*at[1:], 0])):
                kept, before = schedule.kept_after(mask, n), schedule.kept_after(mask, following)
                output = model(x, schedule.levels(kept).float())
                x = (
                    schedule.ddpm(x, output, kept, before, step_noise[i : i + 1])
                    if sampler == "ddpm"
                    else schedule.ddim(x, output, kept, before)
                )
                if i % 3 == 0:
                    out[f"{own}.after.{i + 1}"] = x
            known = mask.expand_as(x) == 0
            assert torch.equal(x[known], image[known]) and x.isfinite().all()
    return out


def loras(model, goldens):
    """Adapter and injected tensors, and the output of the network that has them."""
    config = peft.LoraConfig(
        r=RANK,
        lora_alpha=RANK,
        target_modules=LORA_LAYERS,
        modules_to_save=["time_embedding", "time_emb_proj"],
    )

    def fresh():
        copy = Rad(model.config).eval().requires_grad_(False)
        copy.load_state_dict(model.state_dict())
        return copy

    adapted = peft.get_peft_model(fresh(), config)
    generator = torch.Generator().manual_seed(11)
    for name, p in adapted.named_parameters():
        spread = {"lora_A": 1 / p[0].numel() ** 0.5, "lora_B": 0.3, "modules_to_save": 0.1}
        for part, by in spread.items():
            if part in name:
                change = by * torch.randn(p.shape, generator=generator)
                p.copy_((change if part != "modules_to_save" else p + change).half().float())
    adapter = peft.get_peft_model_state_dict(adapted)
    x, levels = goldens["net.soft.x"], goldens["net.soft.levels"]
    answer = adapted.base_model.model(x, levels)

    # The formula, and the names inside of a network.
    merged, inside = model.state_dict(), {}
    deltas = {
        k.removesuffix(".lora_A.weight").removeprefix("base_model.model."): v
        for k, v in adapter.items()
        if "lora_A" in k
    }
    for layer, a in deltas.items():
        b = adapter[f"base_model.model.{layer}.lora_B.weight"]
        merged[f"{layer}.weight"] = merged[f"{layer}.weight"] + (
            b.flatten(1) @ a.flatten(1)
        ).view_as(merged[f"{layer}.weight"])
    for name, value in adapter.items():
        if "lora_" not in name:
            merged[name.removeprefix("base_model.model.")] = value
    formula = fresh()
    formula.load_state_dict(merged)
    close("LoRA by the formula against peft", formula(x, levels), answer, 2e-5)

    config.modules_to_save = None
    injected = fresh()
    injected.load_state_dict(
        {k: merged[k] if "time_emb" in k else v for k, v in model.state_dict().items()}
    )
    injected = peft.inject_adapter_in_model(config, injected)
    for layer in deltas:
        for part in ("lora_A", "lora_B"):
            injected.get_submodule(f"{layer}.{part}.default").weight.copy_(
                adapter[f"base_model.model.{layer}.{part}.weight"]
            )
    close("LoRA inside", injected(x, levels), answer, 1e-6)
    inside = injected.state_dict()
    return (
        {f"lora.adapter.{k}": v for k, v in adapter.items()}
        | {f"lora.injected.{k}": v for k, v in inside.items()},
        answer,
        json.dumps(
            {
                k: sorted(v) if isinstance(v, set) else v
                for k, v in config.to_dict().items()
                if k in ("r", "lora_alpha", "target_modules", "peft_type")
            }
        ),
    )


def names(path):
    """The FFHQ model's tensors: our name, ADM's, our shape."""
    with torch.device("meta"):
        state = Rad(FFHQ).state_dict()
    lines = ["# diffusers' name, ADM's, shape"]
    for own, theirs in adm.layers(FFHQ):
        for name in own if isinstance(own, tuple) else (own,):
            lines += [
                f"{name}.{what} {theirs}.{what} {','.join(map(str, state[f'{name}.{what}'].shape))}"
                for what in ("weight", "bias")
                if f"{name}.{what}" in state
            ]
    assert len(lines) == 1 + len(state)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(7)
    config = Config(
        sample_size=16,
        block_out_channels=(4, 8, 12),
        attention_head_dim=4,
        norm_num_groups=2,
        down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
    )
    model = Rad(config).eval().requires_grad_(False)
    weights(model)
    original = adm.to_adm(model.state_dict(), config)
    back = adm.from_adm(original, config)
    assert set(back) == set(model.state_dict()) and all(
        torch.equal(v, back[k]) for k, v in model.state_dict().items()
    )

    goldens = schedules() | blocks(model) | nets(model) | steps() | runs(model)
    lora, goldens["lora.out"], lora_config = loras(model, goldens)
    tensors = {
        k: v.half()
        for k, v in (
            model.state_dict() | {f"adm.{k}": v for k, v in original.items()} | lora
        ).items()
    }
    tensors |= {f"golden.{k}": v for k, v in goldens.items()}
    path = os.path.join(HERE, "rad.safetensors")
    save_file(
        {k: v.contiguous() for k, v in tensors.items()},
        path,
        {
            "format": "pt",
            "config": json.dumps(config.plain()),
            "lora_config": lora_config,
            "resblocks": json.dumps(RESBLOCKS),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "peft": peft.__version__,
        },
    )
    print(
        os.path.getsize(path),
        "bytes;",
        {k: round(v.std(correction=0).item(), 2) for k, v in goldens.items()},
    )
    names(os.path.join(HERE, "rad.txt"))


if __name__ == "__main__":
    with torch.no_grad():
        main()
