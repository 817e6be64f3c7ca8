#!/usr/bin/env python3
"""Goldens of MobileSAM: a tiny network with random weights, and what PyTorch makes of given inputs;
and mobile_sam.txt, the names and shapes of the published one's state dict.

    venv/bin/python mobile_sam.py

The network is written down here after ChaoningZhang/MobileSAM's `mobile_sam/modeling` and its
`build_sam_vit_t`, with their modules' names. What the published file holds and masks by clicks do
not use (`norm_head`, `head`, `mask_downscaling`) is in the list of names only.
`benches/mobile_sam.py` times the same definition.
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent

# Of the published network: widths, blocks, heads and windows of the four stages.
PUBLISHED = {
    "dims": (64, 128, 160, 320),
    "depths": (2, 2, 6, 2),
    "heads": (2, 4, 5, 10),
    "windows": (7, 7, 14, 7),
    "out": 256,
    "mlp": 2048,
}
TINY = {
    "dims": (8, 16, 24, 40),
    "depths": (1, 2, 2, 1),
    "heads": (1, 2, 3, 5),
    "windows": (7, 5, 4, 3),
    "out": 32,
    "mlp": 48,
}
SIDE = 96
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)


class ConvNorm(nn.Sequential):
    def __init__(self, inputs, outputs, side=1, stride=1, pad=0, groups=1):
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, side, stride, pad, groups=groups, bias=False)
        self.add_module("c", conv)
        self.add_module("bn", nn.BatchNorm2d(outputs))


class PatchEmbed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.seq = nn.Sequential(
            ConvNorm(3, width // 2, 3, 2, 1), nn.GELU(), ConvNorm(width // 2, width, 3, 2, 1)
        )

    def forward(self, x):
        return self.seq(x)


class MBConv(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, 1, 1, 4 * width)
        self.conv3 = ConvNorm(4 * width, width)

    def forward(self, x):
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class PatchMerging(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs)
        self.conv2 = ConvNorm(outputs, outputs, 3, stride, 1, outputs)
        self.conv3 = ConvNorm(outputs, outputs)

    def forward(self, x):
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class WindowAttention(nn.Module):
    def __init__(self, width, heads, window):
        super().__init__()
        self.heads, self.dim = heads, width // heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        y, x = y.flatten(), x.flatten()
        apart = (y[:, None] - y).abs() * window + (x[:, None] - x).abs()
        self.register_buffer("apart", apart, persistent=False)

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, tokens, self.heads, 3 * self.dim)
        q, k, v = qkv.transpose(1, 2).split(self.dim, dim=3)
        scores = q @ k.transpose(-2, -1) * self.dim**-0.5 + self.attention_biases[:, self.apart]
        x = scores.softmax(-1) @ v
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads, window):
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.mlp = Mlp(width)
        self.local_conv = ConvNorm(width, width, 3, 1, 1, width)

    def forward(self, x):
        batch, width, height, along = x.shape
        side = self.window
        down, across = -(-height // side), -(-along // side)
        # The windows at the rim are filled up with zeros, which the norm and the attention see.
        h = F.pad(x, (0, across * side - along, 0, down * side - height)).permute(0, 2, 3, 1)
        h = h.reshape(batch, down, side, across, side, width).transpose(2, 3)
        h = self.attn(h.reshape(-1, side * side, width))
        h = h.view(batch, down, across, side, side, width).transpose(2, 3)
        h = h.reshape(batch, down * side, across * side, width)[:, :height, :along]
        x = self.local_conv(x + h.permute(0, 3, 1, 2))
        return x + self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Stage(nn.Module):
    def __init__(self, blocks, downsample):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.downsample(x) if self.downsample else x


class LayerNorm2d(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return x.permute(0, 3, 1, 2)


class TinyViT(nn.Module):
    def __init__(self, c):
        super().__init__()
        dims = c["dims"]
        self.patch_embed = PatchEmbed(dims[0])
        self.layers = nn.ModuleList()
        for i, width in enumerate(dims):
            blocks = [
                Block(width, c["heads"][i], c["windows"][i]) if i else MBConv(width)
                for _ in range(c["depths"][i])
            ]
            # The last one keeps the size: 1/16, as the rest of SAM expects it.
            down = PatchMerging(width, dims[i + 1], (2, 2, 1)[i]) if i < 3 else None
            self.layers.append(Stage(blocks, down))
        self.neck = nn.Sequential(
            nn.Conv2d(dims[-1], c["out"], 1, bias=False),
            LayerNorm2d(c["out"]),
            nn.Conv2d(c["out"], c["out"], 3, padding=1, bias=False),
            LayerNorm2d(c["out"]),
        )

    def forward(self, x):
        x = self.patch_embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


class Positions(nn.Module):
    def __init__(self, half):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, half))

    def forward(self, points):
        turns = 2 * math.pi * ((2 * points - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([turns.sin(), turns.cos()], -1)


class PromptEncoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.pe_layer = Positions(width // 2)
        self.point_embeddings = nn.ModuleList([nn.Embedding(1, width) for _ in range(4)])
        self.not_a_point_embed = nn.Embedding(1, width)
        self.no_mask_embed = nn.Embedding(1, width)

    def forward(self, points, box, side):
        """points: (x, y, wanted or not), box: (x0, y0, x1, y1), in pixels of the frame"""
        tokens = []
        for x, y, wanted in points:
            place = self.pe_layer((torch.tensor([x, y]) + 0.5) / side)
            tokens.append(place + self.point_embeddings[int(wanted)].weight[0])
        if points and box is None:
            tokens.append(self.not_a_point_embed.weight[0])
        if box is not None:
            for i in range(2):
                place = self.pe_layer((torch.tensor(box[2 * i : 2 * i + 2]) + 0.5) / side)
                tokens.append(place + self.point_embeddings[2 + i].weight[0])
        return torch.stack(tokens)[None]

    def grid(self, side):
        at = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(at, at, indexing="ij")
        return self.pe_layer(torch.stack([x, y], -1)).view(1, side * side, -1)


class Attention(nn.Module):
    def __init__(self, width, less=1, heads=8):
        super().__init__()
        inner, self.heads = width // less, heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(self, q, k, v):
        def apart(x):
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        q, k, v = apart(self.q_proj(q)), apart(self.k_proj(k)), apart(self.v_proj(v))
        x = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v
        return self.out_proj(x.transpose(1, 2).flatten(2))


class MlpBlock(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.lin2(F.relu(self.lin1(x)))


class TwoWayBlock(nn.Module):
    def __init__(self, width, inner, first):
        super().__init__()
        self.first = first
        self.self_attn = Attention(width)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width, 2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MlpBlock(width, inner)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width, 2)

    def forward(self, queries, keys, query_pe, key_pe):
        if self.first:
            queries = self.self_attn(queries, queries, queries)
        else:
            q = queries + query_pe
            queries = queries + self.self_attn(q, q, queries)
        queries = self.norm1(queries)
        there = self.cross_attn_token_to_image(queries + query_pe, keys + key_pe, keys)
        queries = self.norm2(queries + there)
        queries = self.norm3(queries + self.mlp(queries))
        back = self.cross_attn_image_to_token(keys + key_pe, queries + query_pe, queries)
        return queries, self.norm4(keys + back)


class TwoWay(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.layers = nn.ModuleList([TwoWayBlock(width, inner, i == 0) for i in range(2)])
        self.final_attn_token_to_image = Attention(width, 2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(self, keys, key_pe, tokens):
        queries = tokens
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, key_pe)
        last = self.final_attn_token_to_image(queries + tokens, keys + key_pe, keys)
        return self.norm_final_attn(queries + last), keys


class MlpHead(nn.Module):
    def __init__(self, inputs, inner, outputs):
        super().__init__()
        sides = (inputs, inner, inner, outputs)
        self.layers = nn.ModuleList([nn.Linear(sides[i], sides[i + 1]) for i in range(3)])

    def forward(self, x):
        x = F.relu(self.layers[0](x))
        return self.layers[2](F.relu(self.layers[1](x)))


class MaskDecoder(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.transformer = TwoWay(width, inner)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(4, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, 2, 2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, 2, 2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            [MlpHead(width, width, width // 8) for _ in range(4)]
        )
        self.iou_prediction_head = MlpHead(width, 256 if width == 256 else 20, 4)

    def forward(self, embedding, positions, sparse, dense):
        _, width, height, along = embedding.shape
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])[None]
        tokens = torch.cat([own, sparse], 1)
        keys = (embedding + dense[:, :, None, None]).flatten(2).transpose(1, 2)
        said, keys = self.transformer(keys, positions, tokens)
        picture = keys.transpose(1, 2).view(1, width, height, along)
        picture = self.output_upscaling(picture)
        by = [mlp(said[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)]
        masks = torch.einsum("bmc,bchw->bmhw", torch.stack(by, 1), picture)
        return masks, self.iou_prediction_head(said[:, 0])


class MobileSam(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.image_encoder = TinyViT(c)
        self.prompt_encoder = PromptEncoder(c["out"])
        self.mask_decoder = MaskDecoder(c["out"], c["mlp"])

    def inputs(self, image, side):
        """image: 0 to 1; padded with zeros below and at the right after it is normalised"""
        of = torch.tensor([MEAN, DEVIATION])[:, None, :, None, None]
        image = (255 * image - of[0]) / of[1]
        return F.pad(image, (0, side - image.shape[3], 0, side - image.shape[2]))

    def masks(self, embedding, points, box, side):
        prompt = self.prompt_encoder
        sparse = prompt(points, box, side)
        grid = prompt.grid(side // 16)
        return self.mask_decoder(embedding, grid, sparse, prompt.no_mask_embed.weight)


def published_names():
    """Names and shapes of the published file: the network's, and what is not used here."""
    model = MobileSam(PUBLISHED)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    more = {
        "image_encoder.norm_head.weight": (320,),
        "image_encoder.norm_head.bias": (320,),
        "image_encoder.head.weight": (1000, 320),
        "image_encoder.head.bias": (1000,),
    }
    scaling = ((0, (4, 1, 2, 2)), (1, (4,)), (3, (16, 4, 2, 2)), (4, (16,)), (6, (256, 16, 1, 1)))
    for i, shape in scaling:
        more[f"prompt_encoder.mask_downscaling.{i}.weight"] = shape
        more[f"prompt_encoder.mask_downscaling.{i}.bias"] = shape[:1]
    return shapes | more


def draw(model):
    """No norm is the identity, no bias is zero, and no layer hides."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("attention_biases"):
                p.normal_()
            elif name.endswith(("bn.weight", "norm.weight")) or (p.dim() == 1 and "weight" in name):
                p.uniform_(0.6, 1.6)
            elif p.dim() == 1:
                p.uniform_(-0.4, 0.4)
            elif "embed" in name or ("token" in name and "attn" not in name):
                p.normal_()
            else:
                p.normal_(std=1.4 / p[0].numel() ** 0.5)
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.uniform_(-0.3, 0.3)
            elif name.endswith("running_var"):
                b.uniform_(0.5, 1.5)
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())


def main():
    torch.set_num_threads(1)
    torch.manual_seed(11)
    model = MobileSam(TINY).eval()
    draw(model)
    goldens = {}
    encoder = model.image_encoder
    with torch.no_grad():
        # Wider than high, as a photo is; the frame is square.
        image = F.interpolate(torch.rand(1, 3, 9, 12), (70, 96), mode="bicubic").clamp(0, 1)
        x = encoder.patch_embed(model.inputs(image, SIDE))
        goldens |= {"image": image, "patch": x}
        for i, layer in enumerate(encoder.layers):
            x = layer(x)
            goldens[f"layer.{i}"] = x
        embedding = encoder.neck(x)
        goldens["embedding"] = embedding
        cases = {
            "point": ([(40.0, 31.0, 1)], None),
            "points": ([(40.0, 31.0, 1), (12.5, 60.0, 0), (80.0, 5.0, 1)], None),
            "box": ([], (11.0, 20.5, 70.0, 64.0)),
            "both": ([(40.0, 31.0, 1), (90.0, 66.0, 0)], (11.0, 20.5, 70.0, 64.0)),
        }
        for name, (points, box) in cases.items():
            masks, quality = model.masks(embedding, points, box, SIDE)
            goldens |= {f"{name}.masks": masks, f"{name}.quality": quality}
    tensors = {
        name: value.half().contiguous()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    tensors |= {f"golden.{name}": value.contiguous() for name, value in goldens.items()}
    path = HERE / "mobile_sam.safetensors"
    save_file(tensors, path, {"format": "pt", "torch": torch.__version__})
    names = published_names()
    text = "".join(f"{name} {','.join(map(str, names[name]))}\n" for name in sorted(names))
    (HERE / "mobile_sam.txt").write_text(text)
    spread = {name: round(value.std().item(), 3) for name, value in goldens.items()}
    print(path.stat().st_size, "bytes;", spread)


if __name__ == "__main__":
    sys.exit(main())
