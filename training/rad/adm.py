"""The names of ADM's own checkpoints (openai/guided-diffusion, MIT, `guided_diffusion/unet.py` at
22e0df8) and ours."""

import torch

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
QKV = ("to_q", "to_k", "to_v")


def layers(config):
    """Pairs of a layer's name, here and in ADM, with an attention's three as a tuple for `qkv`."""
    count, widths = config.layers_per_block, config.block_out_channels

    def resnet(own, theirs):
        return [(f"{own}.{a}", f"{theirs}.{b}") for a, b in RESNET.items()]

    def attention(own, theirs):
        return [
            (f"{own}.group_norm", f"{theirs}.norm"),
            (tuple(f"{own}.{n}" for n in QKV), f"{theirs}.qkv"),
            (f"{own}.to_out.0", f"{theirs}.proj_out"),
        ]

    found = [
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("conv_in", "input_blocks.0.0"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ]
    number = 1
    for level, kind in enumerate(config.down_block_types):
        own = f"down_blocks.{level}"
        for i in range(count):
            found += resnet(f"{own}.resnets.{i}", f"input_blocks.{number}.0")
            found += (
                attention(f"{own}.attentions.{i}", f"input_blocks.{number}.1")
                if "Attn" in kind
                else []
            )
            number += 1
        if level < len(widths) - 1:
            found += resnet(f"{own}.downsamplers.0", f"input_blocks.{number}.0")
            number += 1
    found += resnet("mid_block.resnets.0", "middle_block.0") + attention(
        "mid_block.attentions.0", "middle_block.1"
    )
    found += resnet("mid_block.resnets.1", "middle_block.2")
    number = 0
    for level, kind in enumerate(config.up_block_types):
        own = f"up_blocks.{level}"
        for i in range(count + 1):
            place = 1
            found += resnet(f"{own}.resnets.{i}", f"output_blocks.{number}.0")
            if "Attn" in kind:
                found += attention(f"{own}.attentions.{i}", f"output_blocks.{number}.1")
                place = 2
            if i == count and level < len(widths) - 1:
                found += resnet(f"{own}.upsamplers.0", f"output_blocks.{number}.{place}")
            number += 1
    return found


def is_adm(state):
    return "time_embed.0.weight" in state


def from_adm(state, config):
    """ADM's tensors under our names, in our shapes. Its `qkv` has the three of each head one after
    the other."""
    found = {}
    for own, theirs in layers(config):
        for what in ("weight", "bias"):
            if f"{theirs}.{what}" not in state:  # a block without shortcut
                continue
            value = state[f"{theirs}.{what}"]
            if isinstance(own, tuple):
                heads = value.shape[0] // 3 // config.attention_head_dim
                parts = (
                    value.flatten(1).unflatten(0, (heads, 3, -1))
                    if what == "weight"
                    else value.unflatten(0, (heads, 3, -1))
                )
                found |= {f"{name}.{what}": parts[:, i].flatten(0, 1) for i, name in enumerate(own)}
            else:
                found[f"{own}.{what}"] = (
                    value.squeeze(-1) if "to_out" in own and what == "weight" else value
                )
    return in_our_shapes(found)


def to_adm(state, config):
    """The other way round: time layers and `qkv` as ADM has them."""
    found = {}
    for own, theirs in layers(config):
        for what in ("weight", "bias"):
            if isinstance(own, tuple):
                parts = [
                    state[f"{name}.{what}"].unflatten(0, (-1, config.attention_head_dim))
                    for name in own
                ]
                value = torch.stack(parts, 1).flatten(0, 2)
                found[f"{theirs}.{what}"] = value[..., None] if what == "weight" else value
            elif f"{own}.{what}" in state:
                value = state[f"{own}.{what}"]
                if what == "weight" and "time" in own:
                    value = value[:, :, 0, 0]
                elif what == "weight" and "to_out" in own:
                    value = value[..., None]
                found[f"{theirs}.{what}"] = value
    return found


def in_our_shapes(state):
    """Time layers of a plain model are linear ones: `[out, in]` there, `[out, in, 1, 1]` here."""
    return {
        name: value[:, :, None, None] if "time_emb" in name and value.dim() == 2 else value
        for name, value in state.items()
    }
