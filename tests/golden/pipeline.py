#!/usr/bin/env python3
"""Writes pipeline.safetensors beside it: what diffusers' StableDiffusionInpaintPipeline makes of a
small picture with the networks of unet_sd15.safetensors and vae.safetensors, from given noise. See
README.md. Usage: pipeline.py

The plain UNet of four channels is the same one with the first four of the first convolution's
inputs.

pipeline_sd2.safetensors is the same of a tiny Stable Diffusion 2: unet_sd2.safetensors, which
predicts v, and the text encoder `gelu` of clip.safetensors, from the other file's picture, mask and
noise and from tokens of its own."""

import json
import os

import diffusers.models.autoencoders.vae as vae_module
import diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint as inpaint
import diffusers.schedulers.scheduling_euler_ancestral_discrete as euler_a
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
)
from make import HERE, Draw, Golden, plain_attention
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel

# Stable Diffusion 1.5's scheduler_config.json.
NOISE = dict(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    num_train_timesteps=1000,
    steps_offset=1,
    set_alpha_to_one=False,
    clip_sample=False,
)
WIDTH, HEIGHT = 96, 64
# name, UNet's channels, our scheduler, its class and keys, steps, strength, guidance
CASES = [
    ("nine", 9, "ddim", DDIMScheduler, {}, 4, 1.0, 3.0),
    (
        "nine_weaker",
        9,
        "dpmpp_2m_karras",
        DPMSolverMultistepScheduler,
        {"use_karras_sigmas": True},
        6,
        0.7,
        1.0,
    ),
    ("four", 4, "euler", EulerDiscreteScheduler, {}, 4, 1.0, 3.0),
    ("four_weaker", 4, "euler_a", EulerAncestralDiscreteScheduler, {}, 5, 0.8, 1.0),
]


def nine(config, weights):
    config["sample_size"] = 64


def four(config, weights):
    nine(config, weights)
    config["in_channels"] = 4
    weights["conv_in.weight"] = weights["conv_in.weight"][:, :4].contiguous()


def load(kind, file, change=lambda config, weights: None):
    with safe_open(os.path.join(HERE, file), "pt") as f:
        config = json.loads(f.metadata()["config"])
        weights = {k: f.get_tensor(k).float() for k in f if not k.startswith("golden.")}
    change(config, weights)
    model = kind.from_config(config)
    model.load_state_dict(weights)
    return plain_attention(model.eval().requires_grad_(False))


def inputs():
    draw = Draw(11)
    y, x = torch.meshgrid(torch.linspace(0, 1, HEIGHT), torch.linspace(0, 1, WIDTH), indexing="ij")
    image = torch.stack([x, 0.5 + 0.5 * torch.sin(9 * y), 1 - x * y])[None]
    image = (0.8 * image + 0.2 * draw.uniform(image.shape, 0, 1)).clamp(0, 1)
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[:, :, 13:45, 22:71] = 1
    mask[:, :, 5:20, 64:90] = 1
    prompt, negative = draw.normal(1, 77, 24), draw.normal(1, 77, 24)
    latents = (1, 4, HEIGHT // 8, WIDTH // 8)
    noise = {
        name: draw.normal(*latents)
        for name in ("start", "encode.0", "encode.1", *(f"step.{i}" for i in range(5)))
    }
    return dict(image=image, mask=mask, prompt=prompt, negative=negative), noise


def fill(golden, vae, unets, given, noise, case):
    name, channels, scheduler, kind, keys, steps, strength, scale = case
    # The picture is encoded first where it is needed at all.
    encodes = iter(["encode.1"] if channels == 9 and strength == 1 else ["encode.0", "encode.1"])
    step = iter(range(steps - int(steps * strength), steps))
    inpaint.randn_tensor = lambda shape, **_: noise["start"]
    vae_module.randn_tensor = lambda shape, **_: noise[next(encodes)]
    euler_a.randn_tensor = lambda shape, **_: noise[f"step.{next(step)}"]
    pipe = inpaint.StableDiffusionInpaintPipeline(
        vae,
        None,
        None,
        unets[channels],
        kind.from_config(NOISE | keys),
        None,
        None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    made = pipe(
        prompt_embeds=given["prompt"],
        negative_prompt_embeds=given["negative"],
        image=given["image"],
        mask_image=given["mask"],
        height=HEIGHT,
        width=WIDTH,
        num_inference_steps=steps,
        strength=strength,
        guidance_scale=scale,
        output_type="latent",
    ).images
    out = vae.decode(made / vae.config.scaling_factor).sample
    golden.add(f"{name}.latents", made)
    golden.out(f"{name}.out", out / 2 + 0.5, 0.05)
    return {
        name: dict(
            channels=channels, scheduler=scheduler, steps=steps, strength=strength, guidance=scale
        )
    }


def main():
    golden = Golden("pipeline.safetensors")
    given, noise = inputs()
    vae = load(AutoencoderKL, "vae.safetensors")
    unets = {
        9: load(UNet2DConditionModel, "unet_sd15.safetensors", nine),
        4: load(UNet2DConditionModel, "unet_sd15.safetensors", four),
    }
    for name, t in (given | noise).items():
        golden.add(name, t)
    cases = {}
    for case in CASES:
        cases |= fill(golden, vae, unets, given, noise, case)
    golden.metadata["cases"] = json.dumps(cases, sort_keys=True)
    golden.save()
    two(vae, given, noise)


def two(vae, given, noise):
    golden = Golden("pipeline_sd2.safetensors")
    unets = {4: load(UNet2DConditionModel, "unet_sd2.safetensors", four)}
    with safe_open(os.path.join(HERE, "clip.safetensors"), "pt") as f:
        config = json.loads(f.metadata()["config"])["gelu"]
        weights = {
            k.removeprefix("gelu."): f.get_tensor(k).float() for k in f if k.startswith("gelu.")
        }
    text = (
        CLIPTextModel(CLIPTextConfig(**config, attn_implementation="eager"))
        .eval()
        .requires_grad_(False)
    )
    text.load_state_dict(weights)
    tokens = torch.randint(
        config["vocab_size"],
        (2, config["max_position_embeddings"]),
        generator=torch.Generator().manual_seed(12),
    )
    golden.add("tokens", tokens)
    states = text(input_ids=tokens).last_hidden_state
    case = ("two", 4, "ddim", DDIMScheduler, {"prediction_type": "v_prediction"}, 4, 1.0, 3.0)
    cases = fill(
        golden, vae, unets, given | dict(negative=states[:1], prompt=states[1:]), noise, case
    )
    golden.metadata["cases"] = json.dumps(cases, sort_keys=True)
    golden.save()


if __name__ == "__main__":
    main()
