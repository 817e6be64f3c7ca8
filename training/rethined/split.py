"""Splits what export.py wrote into the files of the two data crates: a published package may have
at most 10 MiB, and f16 numbers hardly get smaller when they are packed.

Each part is a safetensors file of its own with some of the tensors, in the order of the whole file;
the first has the metadata. Needs the standard library alone.

usage: split.py WEIGHTS.safetensors [CRATES]      # CRATES is ../../crates
"""

import json
import struct
import sys
from pathlib import Path

PARTS = 2
# What crates.io takes, of the packed package.
LIMIT = 10 << 20


def read(path):
    """The metadata, and each tensor as (name, description, bytes), in the order of their bytes."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.pop("__metadata__", {})
    tensors = [(name, about, body[slice(*about["data_offsets"])]) for name, about in header.items()]
    return metadata, sorted(tensors, key=lambda tensor: tensor[1]["data_offsets"])


def written(metadata, tensors):
    """A safetensors file."""
    header, body = {}, b"".join(data for _, _, data in tensors)
    if metadata:
        header["__metadata__"] = metadata
    at = 0
    for name, about, data in tensors:
        header[name] = {**about, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def split(tensors, parts):
    """As many lists of about as many bytes, the tensors in their order."""
    total = sum(len(data) for _, _, data in tensors)
    lists, at = [[] for _ in range(parts)], 0
    for tensor in tensors:
        # A tensor belongs where its middle lies.
        middle = at + len(tensor[2]) // 2
        lists[min(parts - 1, middle * parts // total)].append(tensor)
        at += len(tensor[2])
    return lists


def main(weights, crates=None):
    crates = Path(crates or Path(__file__).parents[2] / "crates")
    metadata, tensors = read(weights)
    for i, part in enumerate(split(tensors, PARTS)):
        path = crates / f"mend-rethined-{i + 1}" / "src" / "weights.safetensors"
        data = written(metadata if i == 0 else {}, part)
        if len(data) > LIMIT:
            sys.exit(f"{path} would have {len(data)} bytes, more than {LIMIT}: make more parts")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{path}: {len(part)} tensors, {len(data)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
