"""Writes a model as Mend reads it: averaged weights, a LoRA folded in, in half precision, as
OUT/unet/config.json and OUT/unet/diffusion_pytorch_model.safetensors.

usage: export.py CHECKPOINT OUT
"""

import sys

import files
import torch


def main(checkpoint, out):
    torch.manual_seed(1)
    model = files.read(checkpoint)
    size = 4 * model.config.stride
    x, hole = torch.randn(1, 3, size, 2 * size), (torch.rand(1, 1, size, 2 * size) < 0.3).float()
    levels = torch.zeros(1), torch.tensor([400.0])
    before = model.forward_binary(x, hole, *levels)
    files.write_folder(model, out)
    read = files.read(out)
    off = (read.forward_binary(x, hole, *levels) - before).abs().max().item()
    print(
        f"{sum(p.numel() for p in model.parameters())} numbers; half precision changes an answer "
        f"by {off:.1e}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
