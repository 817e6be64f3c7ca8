#!/usr/bin/env python3
"""Goldens of LaMa and MI-GAN: tiny networks with random weights, and what PyTorch makes of given
inputs.

    venv/bin/python erasers.py            # all of them
    venv/bin/python erasers.py --onnx     # migan.onnx besides: needs onnx and onnxscript

The networks are written down here after advimman/lama's `saicinpainting/training/modules/ffc.py` at
5a67a02 and Picsart-AI-Research/MI-GAN's `lib/model_zoo/migan_inference.py` at ad94e48, with their
modules' names and nothing that their published models do not use. `benches/erasers.py` times the
same definitions.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent


# ---------------------------------------------------------------- LaMa


class FourierUnit(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)

    def forward(self, x):
        _, channels, height, width = x.shape
        f = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        # Real and imaginary part of a channel are neighbours.
        f = torch.stack((f.real, f.imag), dim=2).flatten(1, 2)
        f = F.relu(self.bn(self.conv_layer(f)))
        f = f.unflatten(1, (channels, 2))
        f = torch.complex(f[:, :, 0], f[:, :, 1])
        return torch.fft.irfftn(f, s=(height, width), dim=(-2, -1), norm="ortho")


class SpectralTransform(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        half = outputs // 2
        self.conv1 = nn.Sequential(
            nn.Conv2d(inputs, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()
        )
        self.fu = FourierUnit(half)
        self.conv2 = nn.Conv2d(half, outputs, 1, bias=False)

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


class FFC(nn.Module):
    def __init__(self, inputs, outputs, kernel, share_in, share_out, stride=1, padding=0):
        super().__init__()
        in_g, out_g = int(inputs * share_in), int(outputs * share_out)
        in_l, out_l = inputs - in_g, outputs - out_g

        def conv(a, b):
            if a == 0 or b == 0:
                return nn.Identity()
            return nn.Conv2d(a, b, kernel, stride, padding, bias=False, padding_mode="reflect")

        self.convl2l = conv(in_l, out_l)
        self.convl2g = conv(in_l, out_g)
        self.convg2l = conv(in_g, out_l)
        self.convg2g = SpectralTransform(in_g, out_g) if in_g and out_g else nn.Identity()
        self.has_input_g, self.has_output_g = in_g > 0, out_g > 0

    def forward(self, x_l, x_g):
        out_l = self.convl2l(x_l)
        out_g = self.convl2g(x_l) if self.has_output_g else None
        if self.has_input_g:
            out_l = out_l + self.convg2l(x_g)
            if self.has_output_g:
                out_g = out_g + self.convg2g(x_g)
        return out_l, out_g


class FFC_BN_ACT(nn.Module):
    def __init__(self, inputs, outputs, kernel, share_in=0.0, share_out=0.0, stride=1, padding=0):
        super().__init__()
        self.ffc = FFC(inputs, outputs, kernel, share_in, share_out, stride, padding)
        out_g = int(outputs * share_out)
        self.bn_l = nn.BatchNorm2d(outputs - out_g)
        self.bn_g = nn.BatchNorm2d(out_g) if out_g else nn.Identity()

    def forward(self, x):
        x_l, x_g = self.ffc(*x)
        return F.relu(self.bn_l(x_l)), None if x_g is None else F.relu(self.bn_g(x_g))


class FFCResnetBlock(nn.Module):
    def __init__(self, channels, share):
        super().__init__()
        self.conv1 = FFC_BN_ACT(channels, channels, 3, share, share, padding=1)
        self.conv2 = FFC_BN_ACT(channels, channels, 3, share, share, padding=1)

    def forward(self, x):
        out = self.conv2(self.conv1(x))
        return x[0] + out[0], x[1] + out[1]


class Tuple(nn.Module):
    def forward(self, x):
        return x, None


class Concat(nn.Module):
    def forward(self, x):
        return torch.cat(x, dim=1)


class FFCResNetGenerator(nn.Module):
    """big-LaMa: `configs/training/big-lama.yaml`."""

    def __init__(self, ngf=64, n_downsampling=3, n_blocks=18, share=0.75):
        super().__init__()
        model = [nn.Sequential(nn.ReflectionPad2d(3), Tuple()), FFC_BN_ACT(4, ngf, 7)]
        for i in range(n_downsampling):
            last = share if i == n_downsampling - 1 else 0.0
            model.append(
                FFC_BN_ACT(ngf << i, ngf << (i + 1), 3, share_out=last, stride=2, padding=1)
            )
        model += [FFCResnetBlock(ngf << n_downsampling, share) for _ in range(n_blocks)]
        model.append(Concat())
        for i in range(n_downsampling, 0, -1):
            model.append(nn.ConvTranspose2d(ngf << i, ngf << (i - 1), 3, 2, 1, output_padding=1))
            model += [nn.BatchNorm2d(ngf << (i - 1)), nn.ReLU()]
        model += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Sigmoid()]
        self.model = nn.Sequential(*model)

    def forward(self, x):
        return self.model(x)


class Lama(nn.Module):
    """The trained module's `generator`, as it is called: the answer for the whole picture."""

    def __init__(self, **config):
        super().__init__()
        self.generator = FFCResNetGenerator(**config)

    def forward(self, image, mask):
        return self.generator(torch.cat([image * (1 - mask), mask], dim=1))


# ---------------------------------------------------------------- MI-GAN


def lrelu_agc(x):
    return (F.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-256, 256)


def fir(gain):
    f = torch.tensor([1.0, 3.0, 3.0, 1.0])
    f = torch.outer(f, f)
    return f / f.sum() * gain


class Downsample2d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 4, 2, 1, groups=channels, bias=False)
        self.filter.weight = nn.Parameter(fir(1).repeat(channels, 1, 1, 1))

    def forward(self, x):
        return self.filter(x)


class Upsample2d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.insert_zeros = nn.ConvTranspose2d(
            channels, channels, 2, 2, groups=channels, bias=False
        )
        corner = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        self.insert_zeros.weight = nn.Parameter(corner.repeat(channels, 1, 1, 1))
        self.filter = nn.Conv2d(channels, channels, 4, groups=channels, bias=False)
        self.filter.weight = nn.Parameter(fir(4).repeat(channels, 1, 1, 1))

    def forward(self, x):
        return self.filter(F.pad(self.insert_zeros(x), (2, 1, 2, 1)))


class SeparableConv2d(nn.Module):
    def __init__(self, inputs, outputs, down=False, up=False, resolution=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.conv2 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.downsample = Downsample2d(inputs) if down else None
        self.upsample = Upsample2d(outputs) if up else None
        self.use_noise = resolution is not None
        if self.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x):
        x = lrelu_agc(self.conv1(x))
        if self.downsample is not None:
            x = self.downsample(x)
        x = self.conv2(x)
        if self.upsample is not None:
            x = self.upsample(x)
        if self.use_noise:
            x = x + self.noise_const * self.noise_strength
        return lrelu_agc(x)


class EncoderBlock(nn.Module):
    def __init__(self, inputs, outputs, rgb=None, down=True):
        super().__init__()
        self.fromrgb = nn.Conv2d(rgb, inputs, 1) if rgb else None
        self.conv1 = SeparableConv2d(inputs, inputs)
        self.conv2 = SeparableConv2d(inputs, outputs, down=down)

    def forward(self, x, img):
        if self.fromrgb is not None:
            y = lrelu_agc(self.fromrgb(img))
            x = y if x is None else x + y
        feat = self.conv1(x)
        return self.conv2(feat), feat


class Encoder(nn.Module):
    def __init__(self, resolution, base, most):
        super().__init__()
        self.sides = [2**i for i in range(int(math.log2(resolution)), 1, -1)]
        of = {side: min(base // side, most) for side in self.sides}
        for side, smaller in zip(self.sides, self.sides[1:]):
            rgb = 4 if side == resolution else None
            setattr(self, f"b{side}", EncoderBlock(of[side], of[smaller], rgb))
        self.b4 = EncoderBlock(of[4], of[4], down=False)

    def forward(self, img):
        x, feats = None, {}
        for side in self.sides:
            x, feats[side] = getattr(self, f"b{side}")(x, img)
        return x, feats


class SynthesisBlockFirst(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = SeparableConv2d(channels, channels)
        self.conv2 = SeparableConv2d(channels, channels)
        self.torgb = nn.Conv2d(channels, 3, 1)

    def forward(self, x, feat):
        x = self.conv2(self.conv1(x) + feat)
        return x, self.torgb(x)


class SynthesisBlock(nn.Module):
    def __init__(self, inputs, outputs, resolution):
        super().__init__()
        self.conv1 = SeparableConv2d(inputs, outputs, up=True, resolution=resolution)
        self.conv2 = SeparableConv2d(outputs, outputs, resolution=resolution)
        self.torgb = nn.Conv2d(outputs, 3, 1)
        self.upsample = Upsample2d(3)

    def forward(self, x, feat, img):
        x = self.conv2(self.conv1(x) + feat)
        return x, self.upsample(img) + self.torgb(x)


class Synthesis(nn.Module):
    def __init__(self, resolution, base, most):
        super().__init__()
        self.sides = [2**i for i in range(2, int(math.log2(resolution)) + 1)]
        of = {side: min(base // side, most) for side in self.sides}
        self.b4 = SynthesisBlockFirst(of[4])
        for smaller, side in zip(self.sides, self.sides[1:]):
            setattr(self, f"b{side}", SynthesisBlock(of[smaller], of[side], side))

    def forward(self, x, feats):
        x, img = self.b4(x, feats[4])
        for side in self.sides[1:]:
            x, img = getattr(self, f"b{side}")(x, feats[side], img)
        return img


class Generator(nn.Module):
    """MI-GAN; `x` is the mask less a half, where 1 is known, and the known picture, -1 to 1."""

    def __init__(self, resolution=512, base=32768, most=512):
        super().__init__()
        self.synthesis = Synthesis(resolution, base, most)
        self.encoder = Encoder(resolution, base, most)

    def forward(self, x):
        return self.synthesis(*self.encoder(x))


# ---------------------------------------------------------------- weights and goldens


def is_fixed(name):
    """The resampling filters, which no training changes."""
    return name.endswith(("filter.weight", "insert_zeros.weight"))


def randomize(net, seed):
    """Weights that hide nothing: no norm is the identity, no noise is nothing, no bias is 0."""
    g = torch.Generator().manual_seed(seed)
    for name, v in [*net.named_parameters(), *net.named_buffers()]:
        if is_fixed(name) or not v.is_floating_point():
            continue
        r = torch.randn(v.shape, generator=g)
        if name.endswith("running_var"):
            new = 0.5 + torch.rand(v.shape, generator=g)
        elif name.endswith("noise_strength"):
            new = 0.2 + 0.1 * r
        elif name.endswith("noise_const"):
            new = r
        elif v.ndim >= 2:
            new = r / math.sqrt(
                v[0].numel() if "ConvTranspose" not in name else v.numel() / v.shape[1]
            )
        elif name.endswith("weight"):
            new = 1 + 0.2 * r
        else:
            new = 0.1 * r
        # As it is stored, so that both sides compute with the same numbers.
        v.data.copy_(new.to(torch.float16).to(torch.float32))
    return net.eval()


def stored(net):
    """The state dict, in 16 bits where that loses nothing."""

    def half(v):
        return v.to(torch.float16) if v.is_floating_point() else v

    return {k: half(v).contiguous() for k, v in net.state_dict().items()}


def save(name, tensors, goldens, config):
    goldens = {f"golden.{k}": v.detach().contiguous() for k, v in goldens.items()}
    meta = {"config": json.dumps(config), "torch": torch.__version__}
    save_file({**tensors, **goldens}, str(HERE / f"{name}.safetensors"), meta)


def lama():
    config = {"ngf": 8, "n_blocks": 2}
    net = randomize(Lama(**config), 7)
    # What comes to the sigmoid is then of its slope's length.
    net.generator.model[-2].weight.data *= 8
    g = torch.Generator().manual_seed(8)
    out = {}
    block = net.generator.model[5]
    # An odd width and an odd height, for the transforms' last column.
    for case, (h, w) in {"even": (8, 12), "odd": (5, 7)}.items():
        x_l, x_g = torch.randn(1, 16, h, w, generator=g), torch.randn(1, 48, h, w, generator=g)
        half = torch.randn(1, 24, h, w, generator=g)
        spectral = block.conv1.ffc.convg2g
        out[f"{case}.half"], out[f"{case}.fu"] = half, spectral.fu(half)
        out[f"{case}.l"], out[f"{case}.g"] = x_l, x_g
        out[f"{case}.convg2g"] = spectral(x_g)
        out[f"{case}.conv1.l"], out[f"{case}.conv1.g"] = block.conv1((x_l, x_g))
        out[f"{case}.block.l"], out[f"{case}.block.g"] = block((x_l, x_g))
    for case, (h, w) in {"wide": (40, 56), "square": (64, 64)}.items():
        image = torch.rand(1, 3, h, w, generator=g)
        mask = torch.zeros(1, 1, h, w)
        mask[..., h // 4 : h // 2, w // 3 : w // 3 + 9] = 1
        out[f"{case}.image"], out[f"{case}.mask"], out[f"{case}.out"] = (
            image,
            mask,
            net(image, mask),
        )
    # Sides that are no multiples of 8, as the original's `pad_img_to_modulo` and its cut back have
    # them.
    h, w = 39, 61
    image = torch.rand(1, 3, h, w, generator=g)
    mask = torch.zeros(1, 1, h, w)
    mask[..., h // 4 : h // 2, w // 2 : w - 2] = 1
    around = ((0, 0), (0, 0), (0, -h % 8), (0, -w % 8))
    padded = [torch.from_numpy(np.pad(x.numpy(), around, mode="symmetric")) for x in (image, mask)]
    out["ragged.image"], out["ragged.mask"], out["ragged.out"] = (
        image,
        mask,
        net(*padded)[..., :h, :w],
    )
    save("lama", stored(net), out, config)
    return net


def migan(onnx):
    config = {"resolution": 32, "base": 512, "most": 32}
    net = randomize(Generator(**config), 9)
    g = torch.Generator().manual_seed(10)
    out = {}
    down, up = net.encoder.b32.conv2, net.synthesis.b16.conv1
    # The last is so large that the activations reach their bounds.
    for case, scale in {"small": 1, "large": 500}.items():
        x = scale * torch.randn(1, 16, 32, 32, generator=g)
        out[f"{case}.down.x"], out[f"{case}.down.out"] = x, down(x)
        x = scale * torch.randn(1, 32, 8, 8, generator=g)
        out[f"{case}.up.x"], out[f"{case}.up.out"] = x, up(x)
        x = scale * torch.randn(1, 32, 16, 16, generator=g)
        out[f"{case}.plain.x"], out[f"{case}.plain.out"] = x, net.synthesis.b16.conv2(x)
    image = 2 * torch.rand(1, 3, 32, 32, generator=g) - 1
    known = torch.ones(1, 1, 32, 32)
    known[..., 9:20, 12:27] = 0
    x = torch.cat([known - 0.5, image * known], dim=1)
    out["x"], out["out"] = x, net(x)
    low, feats = net.encoder(x)
    out["encoder"] = low
    for side, feat in feats.items():
        out[f"feat.{side}"] = feat
    save("migan", stored(net), out, config)
    # The same weights as people have them.
    with torch.no_grad():
        torch.save(net.state_dict(), HERE / "migan.pt")
        torch.jit.trace(net, x).save(str(HERE / "migan_traced.pt"))
        if onnx:
            torch.onnx.export(
                net,
                (x,),
                str(HERE / "migan.onnx"),
                dynamo=False,
                do_constant_folding=True,
                opset_version=12,
            )
    return net


def checkpoint():
    """A trainer's checkpoint with what else stands in one, and a TorchScript module around the
    network."""

    class Callback:
        def __init__(self):
            self.best = torch.zeros(2)

    Callback.__module__, Callback.__qualname__ = "__main__", "Callback"
    globals()["Callback"] = Callback
    torch.manual_seed(1)
    conv = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    tied = torch.arange(12.0)
    state = {f"generator.{k}": v for k, v in conv.state_dict().items()}
    state |= {
        "half": tied.half(),
        "brain": tied.bfloat16(),
        "double": tied.double(),
        "part": tied[4:10].reshape(2, 3),
        "turned": tied.reshape(3, 4).t(),
        "parameter": nn.Parameter(tied.clone()),
    }
    optimizer = {
        "state": {0: {"exp_avg": torch.zeros(5)}},
        "param_groups": [{"lr": 1e-3, "params": [0]}],
    }
    whole = {
        "epoch": 3,
        "state_dict": state,
        "optimizer_states": [optimizer],
        "callbacks": {"checkpoint": Callback()},
        "hyper": {"name": "tiny", "many": 10**30, "none": None, "set": {1, 2}},
    }
    torch.save(whole, HERE / "checkpoint.ckpt")


def keys():
    """Names and shapes of the published networks' state dicts."""
    lines = []
    for name, net in {
        "lama": Lama(),
        "migan512": Generator(512),
        "migan256": Generator(256),
    }.items():
        for key, v in sorted(net.state_dict().items()):
            lines.append(f"{name} {key} {','.join(map(str, v.shape))}\n")
    (HERE / "erasers.txt").write_text("".join(lines))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        lama()
    migan("--onnx" in sys.argv)
    checkpoint()
    keys()
