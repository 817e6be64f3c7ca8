#!/usr/bin/env python3
"""What a `mend` makes of a fixed set of requests, as one digest each: over all engines, formats and
numbers of threads.

    tools/record.py target/release/mend > before.txt      # then, with another build:
    tools/record.py target/release/mend | diff before.txt -

A change that is to leave fills alone leaves every line alone. Networks are the tests' own, with
random weights; those of Stable Diffusion are left out unless a folder with a small one is given by
`--tiny FOLDER`.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA, GOLDEN, PHOTOS = ROOT / "tests/data", ROOT / "tests/golden", ROOT / "examples/photos"

ENGINES = {
    "exemplar": [],
    "rethined": ["--engine", "rethined"],
    "attention": ["--engine", "rethined", "--detail", "attention"],
    "migan": ["--engine", "migan", "--model", GOLDEN / "migan.safetensors"],
    "lama": ["--engine", "lama", "--model", GOLDEN / "lama.safetensors"],
    "rad": ["--engine", "rad", "--model", GOLDEN / "rad.safetensors", "--steps", "4"],
}
FORMATS = [
    "photo.png",
    "gray16.png",
    "rgba.webp",
    "rgba16.png",
    "palette.png",
    "gray-alpha.png",
    "rgb.tif",
    "float.tif",
    "rgb.bmp",
    "boat.jpg",
]
OPTIONS = {
    "seed": ["--seed", "7"],
    "grow": ["--grow", "3", "--feather", "2"],
    "layer": ["--result", "layer"],
    "budget": ["--max-memory", "200M"],
}


def mask(path):
    """A PGM with a box and a soft spot, scaled to each picture by `--fit-mask`."""
    width, height = 60, 45
    rows = [bytearray(width) for _ in range(height)]
    for y in range(height):
        for x in range(width):
            if 24 <= x < 36 and 15 <= y < 27:
                rows[y][x] = 255
            elif (x - 10) ** 2 + (y - 8) ** 2 < 16:
                rows[y][x] = 128
    path.write_bytes(b"P5\n%d %d\n255\n" % (width, height) + b"".join(rows))


def fill(mend, image, mask, options, folder):
    out = folder / ("out" + (".png" if "--result" in options else image.suffix))
    out.unlink(missing_ok=True)
    command = [mend, "fill", image, "--mask", mask, "--fit-mask", "-o", out, *options]
    environment = {**os.environ, "MEND_MODELS": str(folder)}
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        return f"exit {done.returncode}"
    return hashlib.sha256(out.read_bytes()).hexdigest()[:32]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mend", type=Path)
    parser.add_argument("--tiny", type=Path, help="a diffusers folder of a small Stable Diffusion")
    args = parser.parse_args()
    engines = dict(ENGINES)
    if args.tiny:
        engines["diffusion"] = [
            "--engine",
            "diffusion",
            "--model",
            args.tiny,
            "--prompt",
            "a boat",
            "--steps",
            "3",
        ]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        drawn = folder / "mask.pgm"
        mask(drawn)

        def case(name, image, where, options):
            print(f"{name}: {fill(args.mend, image, where, options, folder)}", flush=True)

        photo = DATA / "photo.png"
        for engine, chosen in engines.items():
            for image in [DATA / name for name in FORMATS]:
                case(f"{engine} {image.name}", image, drawn, chosen)
            for threads in ["1", "3"]:
                case(f"{engine} threads {threads}", photo, drawn, [*chosen, "--threads", threads])
            for option, values in OPTIONS.items():
                case(f"{engine} {option}", DATA / "rgba16.png", drawn, [*chosen, *values])
        for where in sorted(PHOTOS.glob("*.mask.png")):
            image = where.with_name(where.name.replace(".mask", ""))
            for engine in ["exemplar", "rethined", "attention"]:
                case(f"{engine} {image.name}", image, where, engines[engine])
    return 0


if __name__ == "__main__":
    sys.exit(main())
