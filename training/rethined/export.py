"""Writes a checkpoint's averaged weights as Mend reads them: branches folded into one kernel, half
precision, the configuration in the metadata.

usage: export.py CHECKPOINT OUT.safetensors
"""

import json
import sys

import torch
from safetensors.torch import save_file
from validate import load


def main(checkpoint, out):
    torch.manual_seed(1)
    model = load(checkpoint)
    image, hole = torch.rand(1, 3, 128, 160), (torch.rand(1, 1, 16, 20) < 0.3).float()
    hole = torch.nn.functional.interpolate(hole, scale_factor=8)
    with torch.no_grad():
        before = model(image, hole)
        model.fold()
        folded = (model(image, hole) - before).abs().max().item()
        tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
        model.load_state_dict({name: value.float() for name, value in tensors.items()})
        halved = (model(image, hole) - before).abs().max().item()
    numbers = sum(value.numel() for value in tensors.values())
    print(
        f"{numbers} numbers; folding changes an answer by {folded:.1e}, half precision by "
        f"{halved:.1e}"
    )
    if folded > 1e-4:
        sys.exit("folding is wrong")
    save_file(tensors, out, {"format": "pt", "config": json.dumps(model.config.plain())})


if __name__ == "__main__":
    main(*sys.argv[1:])
