"""Trains the coarse network, the matching and the coherence layer jointly, on CPU cores or one GPU.

usage: train.py CACHE_DIR OUT_DIR (--minutes M | --until HH:MM | --steps N) [--seed S] [--workers W]
[--rate R]
                [--plan SIZE:BATCH:FROM,...] [--init WEIGHTS.safetensors] [--resume]

Each worker is a process with one thread and its own part of the batch; gradients are averaged after
each step. On a machine that is shared with others, one barrier a step wastes less than one for
every operation does. Learning rate and sizes follow the progress: the clock, or the steps; the
latter is reproducible to the bit on one machine. The coarse network's convolutions run in bfloat16
where the machine has it (emulated it is ten times as slow), its weights are kept in float32.
where the machine has it (emulated it is ten times as slow), its weights are kept in float32. --init
begins with exported weights, whose branches were folded: each starts anew, at nothing, beside its
kernel. OUT_DIR gets `last.pt`, which --resume goes on from, and `log.csv`. With a GPU there is one
worker, on it.
"""

import argparse
import copy
import csv
import datetime
import math
import os
import threading
import time
from queue import Queue

import losses
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from data import Crops
from network import Config, RepConv, Rethined
from safetensors.torch import load_file

WARM_UP_STEPS = 150
BETAS, DECAY, MOST_GRADIENT = (0.9, 0.99), 0.01, 1.0
EMA = 0.998
MATCHED_SHARE = 0.25  # of a batch goes through matching and coherence in each step
MATCH_WEIGHT, REFINED_WEIGHT, TEXTURE_WEIGHT = 0.05, 0.3, 0.5
SAVE_SECONDS, LOG_STEPS = 240, 20
LAST_RATE = 0.01  # of the peak, at the end
NAMES = ("loss", "coarse", "refined", "texture", "match")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("cache")
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--until", help="HH:MM, local time")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--plan", default="128:24:0,192:10:0.6")
    parser.add_argument("--init")
    parser.add_argument("--resume", action="store_true")
    a = parser.parse_args()
    if (a.minutes is not None) + (a.until is not None) + (a.steps is not None) != 1:
        parser.error("one of --minutes, --until and --steps")
    a.plan = [(int(s), int(b), float(f)) for s, b, f in (p.split(":") for p in a.plan.split(","))]
    now = datetime.datetime.now()
    if a.until:
        h, m = map(int, a.until.split(":"))
        a.minutes = (now.replace(hour=h, minute=m, second=0) - now).total_seconds() / 60
    a.start = time.time()
    return a


def at_progress(plan, progress):
    return [entry for entry in plan if entry[2] <= progress][-1][:2]


class Loader:
    """One batch ahead, in a thread."""

    def __init__(self, crops, worker):
        self.crops, self.worker = crops, worker
        self.asked, self.made, self.pending = Queue(), Queue(), None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            step, size, count = self.asked.get()
            self.made.put(self.crops.batch(step, self.worker, size, count))

    def ask(self, *what):
        self.pending = what
        self.asked.put(what)

    def get(self, step, size, count, device):
        if self.pending != (step, size, count):
            if self.pending:
                self.made.get()
            self.ask(step, size, count)
        batch = self.made.get()
        self.ask(step + 1, size, count)
        return [torch.from_numpy(b).to(device) for b in batch]


def halved(device):
    return device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def objective(model, image, hole):
    """The loss, and its parts in the order of `NAMES`."""
    with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=halved(image.device.type)):
        coarse, features = model.fill_coarse(image, hole)
    coarse, features = coarse.float(), features.float()
    first = losses.psnr_loss(coarse, image, hole)
    n = max(1, round(len(image) * MATCHED_SHARE))
    truth, part = image[:n], hole[:n]
    # The coarse answer is not to be bent for what comes after it; the features are.
    refined, _, scores = model.fill_matched(coarse[:n].detach(), features[:n], part)
    second, texture = (
        losses.psnr_loss(refined, truth, part),
        losses.texture_loss(refined, truth, part),
    )
    match = losses.match_loss(scores, truth)
    loss = first + MATCH_WEIGHT * match + REFINED_WEIGHT * (second + TEXTURE_WEIGHT * texture)
    return loss, torch.stack([loss, first, second, texture, match]).detach()


def begun(weights):
    """The network at its random start, or with exported weights."""
    model = Rethined(Config())
    if weights:
        folded = load_file(weights)
        for module in model.modules():
            if isinstance(module, RepConv):
                torch.nn.init.zeros_(module.pointwise)
        missing, unknown = model.load_state_dict(
            {k: v.float() for k, v in folded.items()}, strict=False
        )
        if unknown or any(not name.endswith((".pointwise", ".scale")) for name in missing):
            raise SystemExit(f"{weights} is another network's: {unknown or missing}")
    return model


def save(path, state):
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


def work(rank, a):
    torch.set_num_threads(1)
    cuda = torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    workers = 1 if cuda else a.workers
    dist.init_process_group(
        "gloo",
        init_method=f"file://{os.path.abspath(a.out)}/rendezvous-{int(a.start)}",
        rank=rank,
        world_size=workers,
        timeout=datetime.timedelta(hours=1),
    )
    torch.manual_seed(a.seed)
    model = begun(a.init).to(device, memory_format=torch.channels_last)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        parameters, lr=a.rate, betas=BETAS, weight_decay=DECAY, fused=True
    )
    ema = copy.deepcopy(model).requires_grad_(False) if rank == 0 else None
    step, before, images = 0, 0.0, 0
    last = os.path.join(a.out, "last.pt")
    if a.resume:
        state = torch.load(last, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, before, images = state["step"], state["seconds"], state["images"]
        if ema:
            ema.load_state_dict(state["ema"])
    loader = Loader(Crops(a.cache, a.seed), rank)
    log = None
    if rank == 0:
        fresh = not os.path.exists(os.path.join(a.out, "log.csv"))
        file = open(os.path.join(a.out, "log.csv"), "a", buffering=1)
        log = csv.writer(file)
        if fresh:
            log.writerow(
                ["step", "images", "seconds", "progress", "size", "rate", "gradient", *NAMES]
            )
    sums, saved = torch.zeros(len(NAMES) + 1), time.time()
    clock = torch.zeros(1)

    while True:
        elapsed = before + time.time() - a.start
        clock[0] = step / a.steps if a.steps else min(1.0, elapsed / (60 * a.minutes + before))
        dist.broadcast(clock, 0)
        progress = clock.item()
        if rank == 0 and (progress >= 1 or time.time() - saved > SAVE_SECONDS):
            saved = time.time()
            save(
                last,
                {
                    "model": model.state_dict(),
                    "ema": ema.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                    "seconds": elapsed,
                    "images": images,
                    "config": model.config.plain(),
                },
            )
        if progress >= 1:
            break
        size, count = at_progress(a.plan, progress)
        rate = a.rate * min(1, (step + 1) / WARM_UP_STEPS)
        rate *= LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress))
        image, hole = loader.get(step, size, count, device)
        optimizer.zero_grad(set_to_none=True)
        loss, parts = objective(model, image, hole)
        loss.backward()
        for p in parameters:
            if p.grad is None:  # nothing was there to match
                p.grad = torch.zeros_like(p)
        flat = torch.cat([*(p.grad.reshape(-1) for p in parameters), parts])
        if workers > 1:
            dist.all_reduce(flat)
            flat /= workers
        at = 0
        for p in parameters:
            p.grad.copy_(flat[at : at + p.numel()].view(p.shape))
            at += p.numel()
        norm = torch.nn.utils.clip_grad_norm_(parameters, MOST_GRADIENT)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if torch.isfinite(norm):
            optimizer.step()
        step, images = step + 1, images + count * workers
        if rank == 0:
            with torch.no_grad():
                keep = min(EMA, step / (step + 10))
                torch._foreach_lerp_(list(ema.parameters()), parameters, 1 - keep)
            sums += torch.cat([flat[at:].cpu(), norm.reshape(1).cpu()])
            if step % LOG_STEPS == 0:
                *means, gradient = (sums / LOG_STEPS).tolist()
                sums.zero_()
                log.writerow(
                    [
                        step,
                        images,
                        round(elapsed),
                        round(progress, 4),
                        size,
                        f"{rate:.3g}",
                        f"{gradient:.3g}",
                        *(f"{m:.4f}" for m in means),
                    ]
                )


if __name__ == "__main__":
    given = arguments()
    os.makedirs(given.out, exist_ok=True)
    count = 1 if torch.cuda.is_available() else given.workers
    mp.spawn(work, (given,), count)
