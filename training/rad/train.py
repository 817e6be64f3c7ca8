"""Trains RAD's network, anew or by a LoRA from a base, on one GPU or a CPU.

usage: train.py CACHE_DIR OUT_DIR (--minutes M | --until HH:MM | --steps N) [--size 128]
                [--batch 128] [--rate R] [--seed S] [--strokes SHARE] [--config config.json]
                [--lora BASE] [--workers W] [--threads T] [--resume]

CACHE_DIR is what ../rethined/data.py wrote. BASE is a folder as files.py reads it. The learning
rate follows the progress: the clock, or the steps; the latter is reproducible to the bit on one
machine's CPU. OUT_DIR gets `last.pt`, which --resume goes on from with what it was begun with
(minutes are then further ones), and `log.csv`; SIGTERM saves and ends. On a GPU the network runs in
bfloat16, its weights are kept in float32.
"""

import argparse
import csv
import datetime
import json
import os
import signal
import time

import files
import losses
import schedule
import torch
from examples import Examples, batches
from network import Config

RATE, LORA_RATE = 4e-4, 1e-4
WARM_UP_STEPS, FALL_FROM = 100, 0.7  # the rate rises, holds, and falls to nothing from there on
BETAS, DECAY, MOST_GRADIENT = (0.9, 0.999), 0.0, 1.0
EMA = 0.9995
SAVE_SECONDS, LOG_STEPS = 240, 20
KEPT_OPTIONS = ("size", "batch", "rate", "seed", "strokes")
NAMES = ("loss", "error", "bound", "error_1", "error_2")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("cache")
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--until", help="HH:MM, local time")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--strokes", type=float, default=0, help="share of LaMa's holes among Perlin's"
    )
    parser.add_argument("--config")
    parser.add_argument("--lora", metavar="BASE")
    parser.add_argument("--workers", type=int, default=max(1, min(12, (os.cpu_count() or 1) - 2)))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--resume", action="store_true")
    a = parser.parse_args()
    if (a.minutes is not None) + (a.until is not None) + (a.steps is not None) != 1:
        parser.error("one of --minutes, --until and --steps")
    if a.lora and a.config:
        parser.error("a base has its own configuration")
    if a.until:
        now = datetime.datetime.now()
        h, m = map(int, a.until.split(":"))
        a.minutes = (now.replace(hour=h, minute=m, second=0) - now).total_seconds() / 60
    a.rate = a.rate or (LORA_RATE if a.lora else RATE)
    return a


def rate_at(a, step, progress):
    return a.rate * min(1, (step + 1) / WARM_UP_STEPS, (1 - progress) / (1 - FALL_FROM))


def save(path, state):
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


def train(a):
    start = time.time()
    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    last = os.path.join(a.out, "last.pt")
    state = torch.load(last, map_location=device, weights_only=True) if a.resume else None
    if state:
        vars(a).update(state["options"])
        config, base = Config.from_plain(state["config"]), state["base"]
    else:
        config, base = Config(), a.lora and os.path.abspath(a.lora)
        if a.config:
            with open(a.config) as f:
                config = Config.from_plain(json.load(f))
    torch.manual_seed(a.seed)
    model = files.build(config, base).to(device, memory_format=torch.channels_last)
    named = files.trained(model)
    parameters = list(named.values())
    optimizer = torch.optim.AdamW(
        parameters, lr=a.rate, betas=BETAS, weight_decay=DECAY, fused=True
    )
    step, before, images = 0, 0.0, 0
    if state:
        with torch.no_grad():
            for name, p in named.items():
                p.copy_(state["trained"][name])
        optimizer.load_state_dict(state["optimizer"])
        step, before, images = state["step"], state["seconds"], state["images"]
    ema = [p.detach().clone() for p in parameters]
    if state:
        for mean, name in zip(ema, named):
            mean.copy_(state["ema"][name])
    fresh = not os.path.exists(os.path.join(a.out, "log.csv"))
    log = csv.writer(open(os.path.join(a.out, "log.csv"), "a", buffering=1))
    if fresh:
        log.writerow(["step", "images", "seconds", "rate", "gradient", *NAMES])
    print(
        f"{sum(p.numel() for p in model.parameters())} numbers, "
        f"{sum(p.numel() for p in parameters)} trained, on {device}",
        flush=True,
    )

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    source = batches(Examples(a.cache, a.seed, a.size, a.strokes), images, a.batch, a.workers)
    chance, choice = torch.Generator(device), torch.Generator()
    sums, summed, saved = 0, 0, time.time()
    while True:
        elapsed = before + time.time() - start
        progress = step / a.steps if a.steps else min(1.0, elapsed / (60 * a.minutes + before))
        if progress >= 1 or stop or time.time() - saved > SAVE_SECONDS:
            saved = time.time()
            save(
                last,
                {
                    "config": model.config.plain(),
                    "base": base,
                    "options": {k: getattr(a, k) for k in KEPT_OPTIONS},
                    "trained": {n: p.detach() for n, p in named.items()},
                    "ema": dict(zip(named, ema)),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                    "seconds": elapsed,
                    "images": images,
                },
            )
        if progress >= 1 or stop:
            break
        picture, hole = (v.to(device, non_blocking=True) for v in next(source))
        for generator in (chance, choice):
            generator.manual_seed(a.seed * 2**32 + step)
        noise = torch.randn(picture.shape, generator=chance, device=device)
        phase = torch.randint(1, 3, (a.batch,), generator=choice)
        n = torch.randint(1, schedule.STEPS + 1, (a.batch,), generator=choice)
        optimizer.zero_grad(set_to_none=True)
        loss, parts = losses.objective(
            model, picture.to(memory_format=torch.channels_last), hole, phase, n, noise
        )
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, MOST_GRADIENT)
        rate = rate_at(a, step, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if torch.isfinite(norm):
            optimizer.step()
        step, images = step + 1, images + a.batch
        with torch.no_grad():
            torch._foreach_lerp_(ema, parameters, 1 - min(EMA, step / (step + 10)))
        sums, summed = sums + torch.cat([norm.reshape(1), parts]), summed + 1
        if step % LOG_STEPS == 0:
            gradient, *means = (sums[:4] / summed).tolist()
            means += (sums[4:6] / sums[6:8].clamp(min=1)).tolist()
            sums, summed = 0, 0
            log.writerow(
                [
                    step,
                    images,
                    round(before + time.time() - start),
                    f"{rate:.3g}",
                    f"{gradient:.3g}",
                    *(f"{m:.4f}" for m in means),
                ]
            )


if __name__ == "__main__":
    train(arguments())
