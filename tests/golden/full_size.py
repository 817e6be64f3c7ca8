#!/usr/bin/env python3
"""What diffusers makes of a model of the true size: inputs and outputs of its UNet at 64x64 and
32x32 latents and of its VAE, each way, for the test that is left out of CI. Usage: full_size.py
MODEL OUT.safetensors

  python tests/golden/full_size.py MODEL /tmp/full.safetensors
  MEND_FULL_SIZE=MODEL:/tmp/full.safetensors cargo test --release --lib -- \
    --ignored --nocapture full_size

MODEL is a diffusers folder; weights in f16 are computed with in f32, as Mend does.
"""

import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file

model, out = sys.argv[1:]
draw = torch.Generator().manual_seed(4)


def normal(*shape):
    return torch.randn(shape, generator=draw)


kept = {}
with torch.inference_mode():
    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32)
    for name, side in (("unet64", 64), ("unet32", 32)):
        sample = normal(1, unet.config.in_channels, side, side)
        states = normal(1, 77, unet.config.cross_attention_dim)
        made = unet(sample, torch.tensor([501]), encoder_hidden_states=states).sample
        kept |= {f"{name}.sample": sample, f"{name}.states": states, f"{name}.out": made}
    del unet
    vae = AutoencoderKL.from_pretrained(model, subfolder="vae", torch_dtype=torch.float32)
    image, latents = normal(1, 3, 512, 512).clamp(-1, 1), normal(1, 4, 64, 64)
    kept |= {"image": image, "mean": vae.encode(image).latent_dist.mean, "latents": latents}
    kept["decoded"] = vae.decode(latents).sample
save_file({f"golden.{name}": x.contiguous() for name, x in kept.items()}, out)
for name, x in kept.items():
    print(name, tuple(x.shape), f"deviation {x.std():.3f}")
