#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A diffusion fill of a 512x512 region, measured as whole commands: on a large and on a small
canvas, and beside diffusers' pipeline.

    cargo build --release && benches/diffusion.py MODEL [--steps N] [--runs N] [--peer PYTHON]

MODEL is a Stable Diffusion folder of the true size; random weights do (see benches/README.md).
Fills the same hole in a canvas of 24 and of 1 megapixels. With --peer, a Python that has torch and
diffusers, runs diffusers' pipeline on the same model, with loading left out of its time but not of
Mend's.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIDE, HOLE = 512, 256
PEER = """
import sys, time, torch
from diffusers import (AutoencoderKL, DPMSolverMultistepScheduler,
    StableDiffusionInpaintPipeline as Pipeline, UNet2DConditionModel)
from transformers import CLIPTextModel
model, steps = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(2)
load = lambda c, part: c.from_pretrained(model, subfolder=part, torch_dtype=torch.float32)
text = load(CLIPTextModel, "text_encoder")
pipe = Pipeline(vae=load(AutoencoderKL, "vae"), text_encoder=text, tokenizer=None,
    unet=load(UNet2DConditionModel, "unet"), safety_checker=None, feature_extractor=None,
    scheduler=DPMSolverMultistepScheduler(beta_start=0.00085, beta_end=0.012,
        beta_schedule="scaled_linear", steps_offset=1, use_karras_sigmas=True))
pipe.set_progress_bar_config(disable=True)
image, mask = torch.rand(1, 3, 512, 512) * 2 - 1, torch.zeros(1, 1, 512, 512)
mask[:, :, 128:384, 128:384] = 1
start = time.perf_counter()
with torch.inference_mode():
    states = text(torch.zeros(1, 77, dtype=torch.long))[0]
    pipe(prompt_embeds=states, image=image, mask_image=mask, num_inference_steps=steps,
         guidance_scale=1.0)
print(time.perf_counter() - start)
"""


def write(folder, name, width, height):
    """A picture with structure and its mask, both without compression."""
    line = bytes((x * 200 // width + (x * 7919 & 15)) & 255 for x in range(width) for _ in range(3))
    with open(os.path.join(folder, name + ".ppm"), "wb") as f:
        f.write(b"P6 %d %d 255\n" % (width, height))
        f.writelines(line[3 * (y % 97) :] + line[: 3 * (y % 97)] for y in range(height))
    left, top = (width - HOLE) // 2, (height - HOLE) // 2
    hole = bytes(left) + b"\xff" * HOLE + bytes(width - left - HOLE)
    with open(os.path.join(folder, name + ".pgm"), "wb") as f:
        f.write(b"P5 %d %d 255\n" % (width, height))
        f.writelines(hole if top <= y < top + HOLE else bytes(width) for y in range(height))


def measure(command):
    """Seconds and peak bytes of one run."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit("failed: " + " ".join(command))
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--peer", help="a Python with torch and diffusers")
    args = parser.parse_args()
    release = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")) + "/release/"
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "large", 6000, 4000)
        write(folder, "small", 1024, 1024)

        def command(verb, name, *more):
            own = [
                "--engine",
                "diffusion",
                "--model",
                args.model,
                "--prompt",
                "a red boat",
                "--guidance",
                "1",
                "--steps",
                str(args.steps),
                "--context",
                "128",
            ]
            picture = os.path.join(folder, name)
            return [
                release + "mend",
                verb,
                picture + ".ppm",
                "--mask",
                picture + ".pgm",
                *own,
                *more,
            ]

        def fill(label, name, *more):
            plan = subprocess.run(
                command("plan", name, "--json", *more), capture_output=True, text=True, check=True
            )
            out = ["-o", os.path.join(folder, "out.ppm")]
            results = [measure(command("fill", name, *more, *out)) for _ in range(args.runs)]
            seconds = statistics.median(r[0] for r in results)
            peak = max(r[1] for r in results)
            said = json.loads(plan.stdout)
            # The whole process: the canvas, the mask and the program, beside what the fill takes.
            print(
                f"{label:24} {seconds:7.2f} s, peak {peak / 1e6:6.0f} MB; the plan said "
                f"{said['command_bytes'] / 1e6:6.0f} MB ({said['command_bytes'] / peak:.2f})",
                flush=True,
            )
            return seconds

        large, small = fill("24 megapixels", "large"), fill("1 megapixel", "small")
        recoded = {}
        for name in ("large", "small"):
            both = [os.path.join(folder, f) for f in (name + ".ppm", "out.ppm")]
            recoded[name] = measure([release + "examples/recode", *both])[0]
        beyond = (large - recoded["large"]) / (small - recoded["small"])
        print(f"24 over 1 megapixels beyond decoding and encoding: {beyond:.3f}")
        if args.peer:
            peer = subprocess.run(
                [args.peer, "-c", PEER, args.model, str(args.steps)],
                capture_output=True,
                text=True,
                check=True,
            )
            theirs = float(peer.stdout.split()[-1])
            print(
                f"diffusers {theirs:.2f} s (loaded before); the whole command over it: "
                f"{small / theirs:.2f}"
            )


main()
