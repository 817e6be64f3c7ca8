#!/usr/bin/env python3
"""Writes single_file.txt beside it: what diffusers' converters make of every tensor of a Stable
Diffusion 1 and 2 checkpoint in one file. See README.md. Usage: single_file.py [FOLDER]

The checkpoints' own names and shapes are read from the golden itself, or from FOLDER: the lists in
`components/` of github.com/arenasys/stable-diffusion-webui-model-toolkit at
e19dd46e61f04436832b258f7ae6adfc72bca346 (MIT).
"""

import os
import sys

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "single_file.txt")
ROWS = 1 << 20
LEVELS = dict(layers_per_block=2, down_block_types=[0] * 4, up_block_types=[0] * 4)
UNET, VAE = "model.diffusion_model.", "first_stage_model."
CLIP1, CLIP2 = "cond_stage_model.transformer.", "cond_stage_model.model."
# section, list, prefix in the file, converter
SECTIONS = [
    ("unet.1", "UNET-v1-Inpainting", UNET, lambda c: convert_ldm_unet_checkpoint(c, LEVELS)),
    ("unet.2", "UNET-v2-SD", UNET, lambda c: convert_ldm_unet_checkpoint(c, LEVELS)),
    ("vae", "VAE-v1-SD", VAE, lambda c: convert_ldm_vae_checkpoint(c, LEVELS)),
    ("text.1", "CLIP-v1-SD", CLIP1, convert_ldm_clip_checkpoint),
    ("text.2", "CLIP-v2-SD", CLIP2, lambda c: convert_open_clip_checkpoint(torch.nn.Module(), c)),
]


def listed(folder, name, prefix):
    with open(os.path.join(folder, "components", name + ".txt")) as f:
        for line in f.read().splitlines():
            key, shape = line.split(" ")
            if name.startswith("CLIP-v1"):
                key = "text_model." + key
            yield prefix + key, [int(n) for n in shape[1:-1].split(",") if n]


def committed():
    sections, keys = {}, {}
    with open(FILE) as f:
        for line in f.read().splitlines():
            if line.startswith("["):
                section, prefix = line[1:-1].split(" ")
                keys = sections.setdefault(section, {})
            elif not line.startswith("#"):
                key, shape = line.split(" ")[:2]
                keys[prefix + key] = [int(n) for n in shape.split(",") if n != "-"]
    return sections


def dims(shape):
    return ",".join(str(n) for n in shape) or "-"


def lines(keys, prefix, convert):
    """Each value tells which tensor it is of and which row, so that what became of it can be
    seen."""
    names = list(keys)
    tensors = {}
    for i, key in enumerate(names):
        shape = keys[key] or [1]
        rows = torch.arange(shape[0]).view(-1, *[1] * (len(shape) - 1)) + i * ROWS
        tensors[key] = rows.expand(shape)
    made = {key: [] for key in names}
    for name, t in convert(tensors).items():
        i, first = divmod(int(t.flatten()[0]), ROWS)
        last = int(t.flatten()[-1]) % ROWS
        assert last == first + t.shape[0] - 1, name
        part = "" if list(t.shape) == keys[names[i]] else f" {dims(t.shape)} {first}"
        made[names[i]].append(name + part)
    for key in names:
        for what in made[key] or ["-"]:
            yield f"{key.removeprefix(prefix)} {dims(keys[key])} {what}"


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    old = None if folder else committed()
    out = [
        "# name and shape in the file; name in diffusers 0.42.1, or - where it is left out, with "
        "shape and first",
        "# row where it is not the whole tensor as it is",
    ]
    for section, name, prefix, convert in SECTIONS:
        keys = dict(listed(folder, name, prefix)) if folder else old[section]
        out += [f"[{section} {prefix}]", *lines(keys, prefix, convert)]
        print(section, len(keys))
    with open(FILE, "w") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
