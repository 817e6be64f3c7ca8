#!/usr/bin/env python3
"""Writes peft_scales.json beside it: the adapter_config.json that peft saves for a small network,
and what peft itself multiplies each layer's B A by after it has read the folder again. See
README.md. Usage: peft_scales.py (needs torch and peft)"""

import json
import os
import tempfile

import peft
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = {
    "plain": dict(r=4, lora_alpha=8),
    "default": dict(r=2),
    "root": dict(r=4, lora_alpha=6, use_rslora=True),
    "patterns": dict(
        r=4,
        lora_alpha=8,
        rank_pattern={"to_k": 2, "down_blocks.0.conv1": 3},
        alpha_pattern={"to_k": 3, "to_q": 1.5, "down_blocks.0.conv1": 12},
    ),
    # The first that fits counts, also where a later one names the layer in full.
    "order": dict(
        r=4,
        lora_alpha=8,
        alpha_pattern={"attn1.to_q": 2, "mid_block.attn1.to_q": 5, "attn2.to_q": 7},
    ),
    "regexes": dict(
        r=4,
        lora_alpha=8,
        alpha_pattern={
            r"^mid_block\.attn[12]\.to_q": 2,
            r"(down|up)_blocks\.\d+\.conv1": 5,
            r"attn\d\.to_k": 6,
        },
    ),
    "regex and root": dict(
        r=4,
        lora_alpha=8,
        use_rslora=True,
        rank_pattern={r".*attn2.*": 9},
        alpha_pattern={r".*attn2.*": 3},
    ),
    "fan in": dict(r=4, lora_alpha=12, fan_in_fan_out=True),
}


def attention():
    return nn.ModuleDict({"to_q": nn.Linear(6, 6), "to_k": nn.Linear(6, 6)})


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down_blocks = nn.ModuleList([nn.ModuleDict({"conv1": nn.Conv2d(6, 6, 3)})])
        self.mid_block = nn.ModuleDict({"attn1": attention(), "attn2": attention()})


def main():
    torch.manual_seed(3)
    cases = {}
    for name, settings in CASES.items():
        config = peft.LoraConfig(target_modules=["to_q", "to_k", "conv1"], **settings)
        with tempfile.TemporaryDirectory() as folder:
            peft.get_peft_model(Net(), config).save_pretrained(folder)
            with open(os.path.join(folder, "adapter_config.json")) as f:
                text = f.read()
            model = peft.PeftModel.from_pretrained(Net(), folder)
        layers = {}
        for full, module in model.named_modules():
            if isinstance(module, peft.tuners.lora.LoraLayer):
                layer = full.removeprefix("base_model.model.")
                rank = module.lora_A["default"].weight.shape[0]
                # What is added, over what the factors alone make.
                module.lora_B["default"].weight.data.normal_()
                delta = module.get_delta_weight("default").flatten()
                down = module.lora_A["default"].weight.flatten(1)
                up = module.lora_B["default"].weight.flatten(1)
                alone = (up @ down).flatten()
                layers[layer] = [rank, round(float((delta @ alone) / (alone @ alone)), 6)]
        cases[name] = {"config": text, "layers": layers}
    out = {"peft": peft.__version__, "torch": torch.__version__, "cases": cases}
    with open(os.path.join(HERE, "peft_scales.json"), "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
