#!/usr/bin/env python3
"""What `mend fill` costs over decoding and encoding alone, on a 100-megapixel picture with one
small hole. Standard library only.

    cargo build --release --example recode --bin mend && benches/cli.py [--runs N] [--size WxH]

Prints median seconds and peak memory of the whole process for both, and their differences.
"""

import argparse
import os
import statistics
import struct
import sys
import tempfile
import time
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOLE = 300


def write_png(path, width, height, channels, rows):
    def chunk(name, body):
        crc = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)

    color = {1: 0, 3: 2}[channels]
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        f.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)))
        z = zlib.compressobj(1)
        for row in rows:
            data = z.compress(row)
            if data:
                f.write(chunk(b"IDAT", data))
        f.write(chunk(b"IDAT", z.flush()))
        f.write(chunk(b"IEND", b""))


def picture(width, height):
    """Rows of a photo-like picture: a smooth part with noise on it, each row filtered by Up."""
    noise = os.urandom(1 << 20).translate(bytes(i & 3 for i in range(256)))
    line = width * 3
    first = bytes((x // 3 * 200 // width) + 20 for x in range(line))
    yield b"\0" + first
    for y in range(1, height):
        at = (y * 7919) % (len(noise) - line - 1) if line < len(noise) else 0
        # Differences to the row above: -1, 0, 1 or 2, drifting nowhere.
        part = noise[at : at + line]
        yield b"\2" + part.translate(UP if y % 2 else DOWN)


UP = bytes([0, 1, 2, 0]) + bytes(252)
DOWN = bytes([0, 255, 254, 0]) + bytes(252)


def mask(width, height):
    empty = b"\0" + bytes(width)
    x, y = width // 2, height // 2
    hole = b"\0" + bytes(x) + b"\xff" * HOLE + bytes(width - x - HOLE)
    for row in range(height):
        yield hole if y <= row < y + HOLE else empty


def measure(command):
    """Seconds and peak bytes of one run."""
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit("failed: " + " ".join(command))
    scale = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * scale


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", default="12500x8000")
    parser.add_argument("--format", default="png")
    parser.add_argument("--keep", help="folder for the pictures; kept")
    args = parser.parse_args()
    width, height = (int(n) for n in args.size.split("x"))
    release = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")) + "/release/"
    temporary = tempfile.TemporaryDirectory()
    folder = args.keep or temporary.name
    os.makedirs(folder, exist_ok=True)
    image, holes, out = (os.path.join(folder, n) for n in ("p.png", "m.png", "o." + args.format))
    if not os.path.exists(image):
        write_png(image, width, height, 3, picture(width, height))
    if not os.path.exists(holes):
        write_png(holes, width, height, 1, mask(width, height))
    if args.format != "png":
        converted = os.path.join(folder, "p." + args.format)
        measure([release + "examples/recode", image, converted])
        image = converted
    commands = {
        "decode + encode": [release + "examples/recode", image, out],
        "fill": [release + "mend", "fill", image, "--mask", holes, "-o", out],
    }
    results = {name: [] for name in commands}
    for _ in range(args.runs):
        for name, command in commands.items():
            results[name].append(measure(command))
    medians = {}
    for name, runs in results.items():
        medians[name] = [statistics.median(r[i] for r in runs) for i in (0, 1)]
        seconds, peak = medians[name]
        print(f"{name:16} {seconds:6.2f} s  {peak / 2**20:6.0f} MiB")
    seconds, peak = (a - b for a, b in zip(medians["fill"], medians["decode + encode"]))
    print(f"{'fill over it':16} {seconds:6.2f} s  {peak / 2**20:6.0f} MiB")


if __name__ == "__main__":
    main()
