#!/usr/bin/env python3
"""Writes rethined.safetensors beside it: a tiny network of training/rethined with random weights,
and what PyTorch makes of a picture with a hole. Usage: rethined.py"""

import json
import os
import sys

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "training", "rethined"))
import network  # noqa: E402
from extend import extend  # noqa: E402

torch.set_num_threads(1)
torch.manual_seed(6)
config = network.Config(channels=(8, 12, 20, 28), encoder=(1, 0, 1, 2), decoder=(1, 2, 1), key=10)
model = network.Rethined(config).eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.uniform_(-0.3, 0.3)
        elif name.endswith("scale"):
            p.uniform_(-0.5, 0.5)
        elif "head" in name or p.dim() == 2:  # zero-initialised, or far from what training makes
            p.normal_(std=0.7 / p[0].numel() ** 0.5)
    model.fold()
    for p in model.parameters():
        p.copy_(p.half().float())

    # Smooth, with edges and grain, and a hole that cuts through tokens and reaches the rim.
    height, width = 96, 128
    image = F.interpolate(torch.rand(1, 3, 6, 8), (height, width), mode="bicubic").clamp(0, 1)
    image = (0.7 * image + 0.3 * F.interpolate(torch.rand(1, 3, 24, 32), (height, width))).clamp(
        0, 1
    )
    hole = torch.zeros(1, 1, height, width)
    hole[..., 20:61, 35:78] = 1
    hole[..., 0:9, 100:128] = 1
    extended = extend(image, hole)
    coarse, features = model.fill_coarse(image, hole)
    # After all else that is drawn.
    sure = network.Sure(config.channels[0])
    for p in sure.parameters():
        p.copy_((2 * p).half().float())
    said = sure(model.coarse.decoded(extended, hole)[0])
    refined, mixed, scores = model.fill_matched(coarse, features, hole)
    high = coarse - network.gaussian_blur(coarse)
    ((rows, columns, logarithm),) = scores
    share, at = logarithm.exp().max(1)

goldens = {
    "image": image,
    "hole": hole,
    "extended": extended,
    "coarse": coarse,
    "features": features,
    "high": high,
    "sure": said,
    "mixed": mixed,
    "refined": refined,
    "best": torch.stack([rows.float(), columns[at].float(), share]),
}
tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
tensors |= {f"sure.{name}": value.half().contiguous() for name, value in sure.state_dict().items()}
tensors |= {f"golden.{name}": value.contiguous() for name, value in goldens.items()}
path = os.path.join(HERE, "rethined.safetensors")
save_file(
    tensors,
    path,
    {"format": "pt", "config": json.dumps(config.plain()), "torch": torch.__version__},
)
print(
    os.path.getsize(path),
    "bytes;",
    {name: round(value.std().item(), 3) for name, value in goldens.items()},
    "largest share",
    round(share.max().item(), 3),
    "smallest",
    round(share.min().item(), 4),
)
