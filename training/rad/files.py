"""Models as files: folders as diffusers has them, with RAD's or a plain ADM's tensors, and
checkpoints of train.py."""

import json
import os

import adm
import lora
import torch
from network import Config, Rad
from safetensors.torch import load_file, save_file

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


def read_folder(folder):
    """A folder with `unet/`, or that one itself, with our tensors, a plain diffusers model's or
    ADM's own."""
    if os.path.isdir(os.path.join(folder, "unet")):
        folder = os.path.join(folder, "unet")
    with open(os.path.join(folder, CONFIG)) as f:
        config = Config.from_plain(json.load(f))
    state = load_file(os.path.join(folder, WEIGHTS))
    model = Rad(config)
    model.load_state_dict(
        adm.from_adm(state, config) if adm.is_adm(state) else adm.in_our_shapes(state)
    )
    return model


def write_folder(model, folder):
    folder = os.path.join(folder, "unet")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, CONFIG), "w") as f:
        json.dump(model.config.plain(), f, indent=2)
        f.write("\n")
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, os.path.join(folder, WEIGHTS), {"format": "pt"})


def build(config, base):
    """As training begins: anew, or a base with a LoRA."""
    if not base:
        return Rad(config)
    model = read_folder(base)
    lora.add(model)
    return model


def trained(model):
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def read(path):
    """A folder, or a checkpoint with its averaged weights and its LoRA folded, to be used."""
    if os.path.isdir(path):
        return read_folder(path).float().eval().requires_grad_(False)
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = build(Config.from_plain(state["config"]), state["base"])
    with torch.no_grad():
        for name, p in trained(model).items():
            p.copy_(state["ema"][name])
    lora.fold(model)
    return model.eval().requires_grad_(False)
