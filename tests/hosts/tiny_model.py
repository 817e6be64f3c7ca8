# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes a tiny Stable Diffusion with random weights as a diffusers folder, made of tests/golden:
its fills are noise, but all of the engine runs. Standard library only;
src/engines/diffusion/tests/tiny.rs does the same.
"""

import json
import os
import struct

VOCABULARY = 49408  # tokens of OpenAI's


def read(path):
    """The metadata, and name: (dtype, shape, bytes)."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    cut = {
        name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])])
        for name, t in header.items()
    }
    return metadata, cut


def write(path, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(data for _, _, data in tensors.values())


def part(folder, stem, config, tensors):
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    write(os.path.join(folder, stem + ".safetensors"), tensors)


def make(golden, folder):
    """The model, in `folder`, of the goldens in `golden`."""

    def load(name, prefix=""):
        metadata, all_tensors = read(os.path.join(golden, name + ".safetensors"))
        own = {
            n[len(prefix) :]: t
            for n, t in all_tensors.items()
            if n.startswith(prefix) and not n.startswith("golden.")
        }
        return json.loads(metadata["config"]), own

    config, tensors = load("unet_sd15")
    config.update(in_channels=9, sample_size=8)
    part(os.path.join(folder, "unet"), "diffusion_pytorch_model", config, tensors)
    config, tensors = load("vae")
    part(os.path.join(folder, "vae"), "diffusion_pytorch_model", config, tensors)
    config, tensors = load("clip", "quick.")
    config = dict(config["quick"], vocab_size=VOCABULARY)
    for name, (dtype, shape, data) in tensors.items():
        if name.endswith("token_embedding.weight"):
            # More rows, the same again and again.
            row = len(data) // shape[0]
            rows = (data * (VOCABULARY // shape[0] + 1))[: VOCABULARY * row]
            tensors[name] = (dtype, [VOCABULARY, shape[1]], rows)
    part(os.path.join(folder, "text_encoder"), "model", config, tensors)
