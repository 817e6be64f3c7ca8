"""Low-rank changes of weights (arXiv 2106.09685), as RAD is fine-tuned: of attention and
convolutions; the time layers are trained whole."""

import torch
from torch import nn
from torch.nn.utils import parametrize

RANK = ALPHA = 16
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "conv_in", "conv_out", "conv1", "conv2")
WHOLE = ("time_embedding", "time_emb_proj")


class LowRank(nn.Module):
    def __init__(self, weight):
        super().__init__()
        rows = weight.shape[0]
        self.down = nn.Parameter(torch.empty(RANK, weight[0].numel(), device=weight.device))
        self.up = nn.Parameter(torch.zeros(rows, RANK, device=weight.device))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight):
        return weight + ALPHA / RANK * (self.up @ self.down).view_as(weight)


def add(model):
    """Only what RAD's fine-tuning trains needs gradients afterwards."""
    model.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if any(name == end or name.endswith("." + end) for end in LAYERS):
            parametrize.register_parametrization(layer, "weight", LowRank(layer.weight))
        elif any(part in WHOLE for part in name.split(".")):
            layer.requires_grad_(True)


def fold(model):
    for layer in model.modules():
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
