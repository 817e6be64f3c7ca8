"""RAD's network: the U-Net of ADM (arXiv 2105.05233) that is told the noise level of every pixel
instead of the picture's (arXiv 2412.09191). Modules, keys and configuration are named as in
diffusers' `UNet2DModel`; the time layers' weights are 1x1 convolutions.

Pictures are RGB in [-1, 1], `[batch, 3, height, width]`; noise levels `[batch, 1, height, width]`,
from 0 (known) to 1000 (nothing but noise). Sides are multiples of `Config.stride`.
"""

from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

MAX_PERIOD = 10000  # of the sines that a noise level is embedded in


@dataclass
class Config:
    """Keys of diffusers' `config.json`; those not among them have one value here, which
    `from_plain` checks. Defaults are the small network's."""

    sample_size: int = 128
    in_channels: int = 3
    out_channels: int = 6  # of the noise and of its variance
    layers_per_block: int = 1
    block_out_channels: tuple = (32, 64, 128, 160, 192)
    down_block_types: tuple = ("ResnetDownsampleBlock2D",) * 3 + ("AttnDownBlock2D",) * 2
    up_block_types: tuple = ("AttnUpBlock2D",) * 2 + ("ResnetUpsampleBlock2D",) * 3
    attention_head_dim: int = 32
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    flip_sin_to_cos: bool = True  # cosines first
    freq_shift: float = 0

    FIXED: ClassVar = {
        "resnet_time_scale_shift": "scale_shift",
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "act_fn": "silu",
        "add_attention": True,
        "center_input_sample": False,
        "time_embedding_type": "positional",
        "dropout": 0.0,
        "mid_block_scale_factor": 1,
    }

    @property
    def stride(self):
        return 2 ** (len(self.block_out_channels) - 1)

    def plain(self):
        """As `config.json` has it. Without `attn_norm_num_groups` diffusers would leave out the
        middle attention's norm, which ADM has."""
        own = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {
            "_class_name": "UNet2DModel",
            **own,
            "attn_norm_num_groups": self.norm_num_groups,
            **self.FIXED,
        }

    @classmethod
    def from_plain(cls, plain):
        for key, value in cls.FIXED.items():
            if plain.get(key, value) != value:
                raise ValueError(f"{key} is {plain[key]!r}; only {value!r} is known here")
        known = {f.name for f in fields(cls)}
        return cls(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items() if k in known}
        )


def sines(levels, config):
    """`[batch, 1, height, width]` → `[batch, block_out_channels[0], height, width]`."""
    half = config.block_out_channels[0] // 2
    steps = torch.arange(half, dtype=torch.float32, device=levels.device) / (
        half - config.freq_shift
    )
    angles = levels.float() * (MAX_PERIOD**-steps)[:, None, None]
    parts = (angles.cos(), angles.sin()) if config.flip_sin_to_cos else (angles.sin(), angles.cos())
    return torch.cat(parts, 1)


class TimeEmbedding(nn.Module):
    """What a pixel's noise level says: `[batch, features, height, width]` → `[batch, width of time,
    height, width]`."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Conv2d(inputs, outputs, 1), nn.Conv2d(outputs, outputs, 1)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


def resize(x, size):
    return (
        x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=True)
    )


class EmbeddedMap:
    """Any noise levels: an embedding for every pixel."""

    def __init__(self, embedding):
        self.embedding = F.silu(embedding)

    def project(self, layer, size):
        return layer(resize(self.embedding, size))


class EmbeddedPair:
    """Noise levels that take two values. Everything behind SiLU is linear, so that each layer turns
    two vectors and blends the results with the resized mask."""

    def __init__(self, known, hole, mask):
        self.pair, self.mask, self.masks = F.silu(torch.cat([known, hole])), mask, {}

    def project(self, layer, size):
        if size not in self.masks:
            self.masks[size] = resize(self.mask, size)
        known, hole = layer(self.pair).chunk(2)
        return known + (hole - known) * self.masks[size].to(hole.dtype)


class ResBlock(nn.Module):
    def __init__(self, config, inputs, outputs, time, resample=None):
        super().__init__()
        self.resample = resample
        self.norm1 = nn.GroupNorm(config.norm_num_groups, inputs, config.norm_eps)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Conv2d(time, 2 * outputs, 1)
        self.norm2 = nn.GroupNorm(config.norm_num_groups, outputs, config.norm_eps)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None
        (
            nn.init.zeros_(self.conv2.weight),
            nn.init.zeros_(self.conv2.bias),
        )  # as in ADM: a block begins by adding nothing

    def resampled(self, x):
        if self.resample == "down":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.resample == "up" else x

    def forward(self, x, time):
        h = self.conv1(self.resampled(F.silu(self.norm1(x))))
        scale, shift = time.project(self.time_emb_proj, h.shape[-2:]).chunk(2, 1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        x = self.resampled(x)
        return h + (self.conv_shortcut(x) if self.conv_shortcut is not None else x)


class Attention(nn.Module):
    def __init__(self, config, channels):
        super().__init__()
        self.heads = channels // config.attention_head_dim
        self.group_norm = nn.GroupNorm(config.norm_num_groups, channels, config.norm_eps)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])
        nn.init.zeros_(self.to_out[0].weight), nn.init.zeros_(self.to_out[0].bias)

    def forward(self, x):
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (
            to(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for to in (self.to_q, self.to_k, self.to_v)
        )
        found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.to_out[0](found).transpose(1, 2).reshape(x.shape)


class Block(nn.Module):
    """A level, on the way down or up: residual blocks, each with its attention where the level has
    any, then one that resamples."""

    def __init__(self, config, pairs, time, attend, resample):
        super().__init__()
        outputs = pairs[-1][1]
        self.resnets = nn.ModuleList(ResBlock(config, i, o, time) for i, o in pairs)
        self.attentions = (
            nn.ModuleList(Attention(config, outputs) for _ in pairs)
            if attend
            else [None] * len(pairs)
        )
        self.resampler = f"{resample}samplers" if resample else None
        if resample:
            self.add_module(
                self.resampler, nn.ModuleList([ResBlock(config, outputs, outputs, time, resample)])
            )

    def layers(self):
        return zip(self.resnets, self.attentions)

    def end(self, x, time):
        return getattr(self, self.resampler)[0](x, time) if self.resampler else x


class Middle(nn.Module):
    def __init__(self, config, channels, time):
        super().__init__()
        self.resnets = nn.ModuleList(ResBlock(config, channels, channels, time) for _ in range(2))
        self.attentions = nn.ModuleList([Attention(config, channels)])

    def forward(self, x, time):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, time)), time)


class Rad(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        widths, layers = config.block_out_channels, config.layers_per_block
        time = 4 * widths[0]
        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], time)
        self.down_blocks, skips = nn.ModuleList(), [widths[0]]
        channels = widths[0]
        for level, (width, kind) in enumerate(zip(widths, config.down_block_types)):
            pairs = [(channels if i == 0 else width, width) for i in range(layers)]
            last = level == len(widths) - 1
            self.down_blocks.append(
                Block(config, pairs, time, "Attn" in kind, None if last else "down")
            )
            skips += [width] * (layers if last else layers + 1)
            channels = width
        self.mid_block = Middle(config, channels, time)
        self.up_blocks = nn.ModuleList()
        for level, (width, kind) in enumerate(zip(reversed(widths), config.up_block_types)):
            pairs = [
                ((channels if i == 0 else width) + skips.pop(), width) for i in range(layers + 1)
            ]
            last = level == len(widths) - 1
            self.up_blocks.append(
                Block(config, pairs, time, "Attn" in kind, None if last else "up")
            )
            channels = width
        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, channels, config.norm_eps)
        self.conv_out = nn.Conv2d(channels, config.out_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight), nn.init.zeros_(self.conv_out.bias)

    def embed(self, levels):
        with torch.autocast(
            levels.device.type, enabled=False
        ):  # the sines of large levels lose too much in bfloat16
            return self.time_embedding(sines(levels, self.config))

    def forward(self, x, levels):
        """The noise in `x` and what tells its variance, `[batch, 6, height, width]`."""
        return self.through(x, EmbeddedMap(self.embed(levels)))

    def forward_binary(self, x, mask, known, hole):
        """The same where `mask`, `[batch, 1, height, width]`, is 0 or 1 and the noise levels are
        `known` and `hole` there, `[batch]` each."""
        known, hole = self.embed(torch.cat([known, hole])[:, None, None, None]).chunk(2)
        return self.through(x, EmbeddedPair(known, hole, mask))

    def through(self, x, time):
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for resnet, attention in block.layers():
                x = resnet(x, time)
                x = attention(x) if attention else x
                skips.append(x)
            if block.resampler:
                x = block.end(x, time)
                skips.append(x)
        x = self.mid_block(x, time)
        for block in self.up_blocks:
            for resnet, attention in block.layers():
                x = resnet(torch.cat([x, skips.pop()], 1), time)
                x = attention(x) if attention else x
            x = block.end(x, time)
        return self.conv_out(F.silu(self.conv_norm_out(x)))
