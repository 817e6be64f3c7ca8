#!/usr/bin/env python3
"""Writes the goldens beside it: tiny networks and single layers with random weights, and what
diffusers and PyTorch make of given inputs. See README.md. Usage: make.py [FILE.safetensors ...],
all by default.

Nothing may hide: norms' scales are off 1, biases and running means off 0, what is zero-initialised
is drawn like the rest, numbers of channels are ragged. Every linear and convolution is scaled by
what comes into it, so that its output's deviation is about 1, and the script stops where a block
leaves 0.3 to 3.
"""

import json
import os
import sys

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention import FeedForward
from diffusers.models.attention_processor import Attention, AttnProcessor
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers.activations import QuickGELUActivation

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)  # sums in one order
torch.use_deterministic_algorithms(True)
CONVS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NORMS = (nn.GroupNorm, nn.LayerNorm, nn.BatchNorm2d)


class Draw:
    """Random numbers of one file; every weight is one that f16 holds."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(shape, generator=self.generator)

    def uniform(self, shape, low, high):
        return low + (high - low) * torch.rand(shape, generator=self.generator)

    def weights(self, module):
        for _, m in sorted(module.named_modules()):
            if isinstance(m, NORMS):
                if m.weight is not None:
                    m.weight.data = self.uniform(m.weight.shape, 0.7, 1.3)
                    m.bias.data = self.uniform(m.bias.shape, -0.3, 0.3)
                if isinstance(m, nn.BatchNorm2d):
                    m.running_mean = self.uniform(m.running_mean.shape, -0.3, 0.3)
                    m.running_var = self.uniform(m.running_var.shape, 0.5, 2)
            elif isinstance(m, CONVS):
                w = m.weight
                m.weight.data = self.normal(*w.shape) / (w[0].numel() ** 0.5)
                if m.bias is not None:
                    m.bias.data = self.uniform(m.bias.shape, -0.3, 0.3)
        rounded(module)
        return module.eval().requires_grad_(False)


def rounded(module):
    for t in [*module.parameters(), *module.buffers()]:
        if t.is_floating_point():
            t.data = t.data.half().float()


def balance(module, run):
    """Scales the weights of each linear and convolution, in the order in which they run, so that
    its output's deviation is 1; what is added to a residual then does not make it grow without end
    either."""

    def hook(m, inputs, output):
        if m in done:
            return None
        done.add(m)
        m.weight.data = (m.weight.data / output.std().clamp(min=1e-3)).half().float()
        return m.forward(*inputs)

    done = set()
    hooks = [m.register_forward_hook(hook) for m in module.modules() if isinstance(m, CONVS)]
    run()
    for h in hooks:
        h.remove()


def moderate(name, tensor, low=0.3, high=3.0):
    assert torch.isfinite(tensor).all(), name
    deviation = tensor.std().item()
    assert low <= deviation <= high, f"{name}: deviation {deviation:.3f}"
    print(f"  {name} {list(tensor.shape)} deviation {deviation:.2f}")


def in_order(path):
    """The metadata stands in another order at each run: sorted, the same tensors are the same
    file."""
    with open(path, "r+b") as f:
        length = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length
        f.seek(8)
        f.write(text.ljust(length))


class Golden:
    def __init__(self, file, config=None):
        self.file, self.tensors = file, {}
        self.metadata = {
            "diffusers": diffusers.__version__,
            "torch": torch.__version__,
            "format": "pt",
        }
        if config is not None:
            self.metadata["config"] = json.dumps(plain(config), sort_keys=True)
        print(file)

    def weights(self, module, prefix=""):
        for name, t in module.state_dict().items():
            if t.is_floating_point():
                assert torch.equal(t, t.half().float()), name
                self.add(prefix + name, t.half())

    def add(self, name, tensor):
        assert name not in self.tensors, name
        self.tensors[name] = tensor.detach().contiguous().clone()

    def out(self, name, tensor, low=0.3, high=3.0):
        moderate(name, tensor, low, high)
        self.add(name, tensor.float())

    def save(self):
        path = os.path.join(HERE, self.file)
        save_file(self.tensors, path, metadata=self.metadata)
        os.chmod(path, 0o644)
        in_order(path)
        print(f"  {os.path.getsize(path)} bytes, {len(self.tensors)} tensors")


def plain(config):
    return {k: v for k, v in dict(config).items() if not k.startswith("_") or k == "_class_name"}


def plain_attention(model):
    """Attention as a sum over all, whose rounding does not depend on the CPU as the fused one's
    may."""
    for m in model.modules():
        if isinstance(m, Attention):
            m.set_processor(AttnProcessor())
    return model


def record(golden, case, blocks, run):
    """Runs, and keeps the outputs of `blocks`: name → module."""
    kept = {}

    def keep(name):
        def hook(_, __, output):
            kept[name] = output[0] if isinstance(output, tuple) else output

        return hook

    hooks = [m.register_forward_hook(keep(name)) for name, m in blocks.items()]
    result = run()
    for h in hooks:
        h.remove()
    for name, t in kept.items():
        golden.out(f"golden.{case}.{name}", t)
    return result


def unet(file, seed, cases, **config):
    draw = Draw(seed)
    model = UNet2DConditionModel(
        in_channels=9,
        out_channels=4,
        layers_per_block=2,
        norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        **config,
    )
    plain_attention(draw.weights(model))
    inputs = {}
    for case, (batch, height, width, tokens, times) in cases.items():
        inputs[case] = (
            draw.normal(batch, 9, height, width),
            torch.tensor(times, dtype=torch.float32),
            draw.normal(batch, tokens, model.config.cross_attention_dim),
        )
    balance(model, lambda: model(*inputs["a"]))
    golden = Golden(file, model.config)
    golden.weights(model)
    blocks = {"time": model.time_embedding, "conv_in": model.conv_in, "mid": model.mid_block}
    blocks |= {f"down.{i}": b for i, b in enumerate(model.down_blocks)}
    blocks |= {f"up.{i}": b for i, b in enumerate(model.up_blocks)}
    for case, (sample, timestep, states) in inputs.items():
        golden.add(f"golden.{case}.sample", sample)
        golden.add(f"golden.{case}.timestep", timestep)
        golden.add(f"golden.{case}.encoder_hidden_states", states)
        out = record(golden, case, blocks, lambda: model(sample, timestep, states).sample)
        golden.out(f"golden.{case}.out", out)
    golden.save()


def unet_sd15(file):
    unet(
        file,
        15,
        {"a": (1, 16, 16, 7, [481.0]), "b": (2, 24, 8, 5, [999.0, 21.0])},
        block_out_channels=(12, 24, 36, 40),
        cross_attention_dim=24,
        attention_head_dim=2,
    )


def unet_sd2(file):
    unet(
        file,
        2,
        {"a": (2, 16, 16, 7, [741.0, 1.0])},
        block_out_channels=(12, 24, 36, 40),
        cross_attention_dim=20,
        attention_head_dim=(2, 3, 4, 5),
        use_linear_projection=True,
    )


def vae(file):
    draw = Draw(3)
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        layers_per_block=2,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 12, 16, 16),
        scaling_factor=0.18215,
    )
    plain_attention(draw.weights(model))
    image, latents = draw.uniform((2, 3, 32, 40), -1, 1), draw.normal(2, 4, 4, 6)
    balance(model, lambda: (model.encode(image), model.decode(latents)))
    golden = Golden(file, model.config)
    golden.weights(model)
    golden.add("golden.image", image)
    golden.add("golden.latents", latents)
    e, d = model.encoder, model.decoder
    blocks = {f"down.{i}": b for i, b in enumerate(e.down_blocks)} | {"mid": e.mid_block}
    dist = record(golden, "encoder", blocks, lambda: model.encode(image).latent_dist)
    golden.out("golden.moments", dist.parameters)
    golden.add("golden.mean", dist.mean)
    golden.add("golden.logvar", dist.logvar)
    blocks = {"mid": d.mid_block} | {f"up.{i}": b for i, b in enumerate(d.up_blocks)}
    golden.out(
        "golden.decoded", record(golden, "decoder", blocks, lambda: model.decode(latents).sample)
    )
    golden.save()


def taesd(file):
    draw = Draw(5)
    model = draw.weights(
        AutoencoderTiny(encoder_block_out_channels=(12,) * 4, decoder_block_out_channels=(12,) * 4)
    )
    image, latents = draw.uniform((2, 3, 32, 40), -1, 1), 3 * draw.normal(2, 4, 4, 6)
    balance(model, lambda: (model.encode(image), model.decode(latents)))
    golden = Golden(file, model.config)
    golden.weights(model)
    golden.add("golden.image", image)
    golden.add("golden.latents", latents)
    golden.out("golden.encoded", model.encode(image).latents)
    golden.out("golden.decoded", model.decode(latents).sample)
    golden.save()


def blocks(file):
    draw, golden = Draw(4), Golden(file)
    configs = {}

    def block(name, module, inputs, call=None, **config):
        """`name.*` are the weights, `golden.name.*` the inputs by name and `out`."""
        draw.weights(module)
        plain_attention(module)
        call = call or (lambda: module(*inputs.values()))
        balance(module, call)
        golden.weights(module, f"{name}.")
        for key, t in inputs.items():
            golden.add(f"golden.{name}.{key}", t.float())
        out = call()
        out = out[0] if isinstance(out, tuple) else out
        # A norm in the last place, or none at all, is as it is.
        golden.out(f"golden.{name}.out", out)
        configs[name] = config

    n = draw.normal

    # diffusers' blocks
    for name, cin, cout in (("resnet", 20, 20), ("resnet_shortcut", 20, 28)):
        module = ResnetBlock2D(
            in_channels=cin, out_channels=cout, temb_channels=13, groups=4, eps=1e-5
        )
        block(name, module, {"x": n(2, cin, 7, 5), "temb": n(2, 13)}, groups=4, eps=1e-5)
    module = ResnetBlock2D(in_channels=12, out_channels=20, temb_channels=None, groups=4, eps=1e-6)
    inputs = {"x": n(1, 12, 6, 9)}
    block(
        "resnet_vae", module, inputs, lambda m=module, i=inputs: m(i["x"], None), groups=4, eps=1e-6
    )
    for name, linear in (("transformer_conv", False), ("transformer_linear", True)):
        module = Transformer2DModel(
            num_attention_heads=3,
            attention_head_dim=8,
            in_channels=24,
            num_layers=1,
            norm_num_groups=4,
            cross_attention_dim=14,
            use_linear_projection=linear,
        )
        inputs = {"x": n(2, 24, 5, 6), "encoder_hidden_states": n(2, 7, 14)}
        block(
            name,
            module,
            inputs,
            lambda m=module, i=inputs: m(
                i["x"], encoder_hidden_states=i["encoder_hidden_states"], return_dict=False
            ),
            heads=3,
            head_dim=8,
            groups=4,
            use_linear_projection=linear,
        )
    module = Attention(
        20,
        heads=1,
        dim_head=20,
        eps=1e-6,
        norm_num_groups=4,
        residual_connection=True,
        bias=True,
        upcast_softmax=True,
        _from_deprecated_attn_block=True,
    )
    block("attention_vae", module, {"x": n(2, 20, 6, 5)}, heads=1, groups=4, eps=1e-6)
    block(
        "downsample",
        Downsample2D(12, use_conv=True, out_channels=12, padding=1, name="op"),
        {"x": n(2, 12, 9, 6)},
        padding=1,
    )
    block(
        "downsample_vae",
        Downsample2D(12, use_conv=True, out_channels=12, padding=0, name="op"),
        {"x": n(2, 12, 9, 6)},
        padding=0,
    )
    block("upsample", Upsample2D(12, use_conv=True, out_channels=12), {"x": n(2, 12, 5, 3)})
    module = nn.Sequential(
        Timesteps(18, flip_sin_to_cos=True, downscale_freq_shift=0), TimestepEmbedding(18, 30)
    )
    timestep = torch.tensor([0.0, 1.0, 481.0, 999.0])
    golden.add("golden.time.projected", module[0](timestep))
    named = nn.Module()
    named.embedding = module[1]
    block(
        "time",
        named,
        {"timestep": timestep},
        lambda: module(timestep),
        channels=18,
        flip_sin_to_cos=True,
        downscale_freq_shift=0,
    )
    block("geglu", FeedForward(20, activation_fn="geglu"), {"x": n(2, 6, 20)})

    # PyTorch's layers
    def conv(name, x, cin, cout, kernel, **kw):
        block(name, nn.Conv2d(cin, cout, kernel, **kw), {"x": x}, **kw)

    conv("conv", n(2, 5, 9, 7), 5, 11, 3, padding=1)
    conv("conv_stride", n(2, 5, 9, 8), 5, 11, 3, padding=1, stride=2)
    conv("conv_dilation", n(1, 6, 11, 9), 6, 7, 3, padding=2, dilation=2)
    conv("conv_groups", n(2, 15, 6, 7), 15, 21, 3, padding=1, groups=3)
    conv("conv_depthwise", n(2, 13, 8, 9), 13, 13, 3, padding=1, groups=13)
    conv("conv_depthwise_stride", n(2, 13, 8, 9), 13, 13, 5, padding=2, stride=2, groups=13)
    conv("conv_1x1", n(2, 13, 5, 7), 13, 19, 1)
    conv("conv_1x1_stride", n(2, 13, 5, 7), 13, 19, 1, stride=2)
    conv("conv_7x7", n(1, 4, 10, 13), 4, 9, 7, padding=3, bias=False)
    conv("conv_valid", n(1, 17, 6, 5), 17, 33, 3)
    conv("conv_oblong", n(1, 6, 7, 9), 6, 10, (3, 5), padding=(1, 2), stride=(1, 2))

    def transposed(name, x, cin, cout, kernel, **kw):
        block(name, nn.ConvTranspose2d(cin, cout, kernel, **kw), {"x": x}, **kw)

    transposed("transposed", n(2, 10, 5, 4), 10, 7, 3, stride=2, padding=1, output_padding=1)
    transposed("transposed_4x4", n(2, 10, 5, 4), 10, 7, 4, stride=2, padding=1)
    transposed(
        "transposed_groups",
        n(1, 15, 4, 5),
        15,
        9,
        3,
        stride=2,
        padding=1,
        output_padding=1,
        groups=3,
    )
    transposed("transposed_plain", n(1, 6, 4, 5), 6, 9, 3)
    block("linear", nn.Linear(13, 29), {"x": n(2, 5, 13)})
    block(
        "group_norm",
        nn.GroupNorm(3, 21, eps=1e-5),
        {"x": 2 * n(2, 21, 5, 7) + 0.5},
        groups=3,
        eps=1e-5,
    )
    block("layer_norm", nn.LayerNorm(21, eps=1e-5), {"x": 2 * n(2, 6, 21) + 0.5}, eps=1e-5)
    folded = nn.Sequential()
    folded.conv = nn.Conv2d(7, 13, 3, padding=1, bias=False)
    folded.bn = nn.BatchNorm2d(13)
    block("conv_bn", folded, {"x": n(2, 7, 8, 6)}, padding=1, eps=1e-5)
    x = torch.cat(
        [
            torch.linspace(-12, 12, 97),
            torch.tensor([0.0, -0.0, 1e-6, -1e-6, 30.0, -30.0, 100.0, -100.0]),
        ]
    )
    golden.add("golden.activations.x", x)
    for name, f in (
        ("gelu_erf", F.gelu),
        ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
        ("gelu_quick", QuickGELUActivation()),
        ("silu", F.silu),
        ("sigmoid", torch.sigmoid),
    ):
        golden.add(f"golden.activations.{name}", f(x))
    golden.metadata["config"] = json.dumps(configs, sort_keys=True)
    golden.save()


ALL = {"unet_sd15": unet_sd15, "unet_sd2": unet_sd2, "vae": vae, "taesd": taesd, "blocks": blocks}
if __name__ == "__main__":
    for name, make in ALL.items():
        file = f"{name}.safetensors"
        if not sys.argv[1:] or file in sys.argv[1:]:
            make(file)
