#!/usr/bin/env python3
"""Writes pipeline_lcm.safetensors beside it: what diffusers' StableDiffusionInpaintPipeline makes
with LCMScheduler and a LoRA fused into the UNet, the way that LCM-LoRA is used, from the picture,
mask, text and noise of pipeline.safetensors and the LoRA `kohya` of lora.safetensors. See
README.md. Usage: lcm_lora.py"""

import json
import os

import diffusers.schedulers.scheduling_lcm as lcm
import pipeline
from diffusers import AutoencoderKL, LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from make import HERE, Golden
from safetensors import safe_open

CASE = ("lcm", 9, "lcm", LCMScheduler, {}, 4, 1.0, 1.0)


def fused():
    """The UNet with the LoRA in it, rounded as its file is."""
    unet = pipeline.load(UNet2DConditionModel, "unet_sd15.safetensors", pipeline.nine)
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
    with safe_open(os.path.join(HERE, "lora.safetensors"), "pt") as f:
        given = {
            k.removeprefix("kohya/"): f.get_tensor(k).float() for k in f if k.startswith("kohya/")
        }
    state, alphas = pipe.lora_state_dict(given, unet_config=unet.config)
    pipe.load_lora_into_unet(state, network_alphas=alphas, unet=unet, adapter_name="lcm")
    pipe.set_adapters(["lcm"], adapter_weights=[1.0])
    pipe.fuse_lora(components=["unet"])
    pipe.unload_lora_weights()
    return unet.half().float().eval().requires_grad_(False)


def main():
    golden = Golden("pipeline_lcm.safetensors")
    given, noise = pipeline.inputs()
    vae = pipeline.load(AutoencoderKL, "vae.safetensors")
    step = iter(range(CASE[5]))
    lcm.randn_tensor = lambda shape, **_: noise[f"step.{next(step)}"]
    cases = pipeline.fill(golden, vae, {9: fused()}, given, noise, CASE)
    golden.metadata["cases"] = json.dumps(cases, sort_keys=True)
    golden.save()


if __name__ == "__main__":
    main()
