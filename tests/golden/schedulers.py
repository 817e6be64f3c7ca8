#!/usr/bin/env python3
"""Writes schedulers.json beside it: what diffusers' schedulers make of numbers of steps and
configurations, and of a model and noise that are formulas. `src/schedulers/tests.rs` has the same
formulas. Usage: schedulers.py
"""

import json
import math
import os

import diffusers
import torch
from diffusers.schedulers import (
    scheduling_ddpm,
    scheduling_euler_ancestral_discrete,
    scheduling_lcm,
    scheduling_tcd,
)
from diffusers.schedulers.scheduling_utils import AysSchedules

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPE = (1, 2, 4, 4)
SIZE = math.prod(SHAPE)
CLASSES = {
    "ddim": diffusers.DDIMScheduler,
    "ddpm": diffusers.DDPMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_a": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler,
    "dpmpp_2m_karras": diffusers.DPMSolverMultistepScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
    "lcm": diffusers.LCMScheduler,
    "tcd": diffusers.TCDScheduler,
}
# Their times are their teacher's, and what they call the clean sample is not what theirs is here.
DISTILLED = ("lcm", "tcd")
# scheduler/scheduler_config.json of Stable Diffusion 1.5, but for PNDM's own keys
SD15 = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def tensor(values):
    return torch.tensor(values, dtype=torch.float64).float().reshape(SHAPE)


def noise(k):
    """Of step `k`; what a run begins with has -1."""
    return tensor([1.5 * math.sin(12.9898 * j + 78.233 * (k + 1)) for j in range(SIZE)])


def picture():
    return tensor([math.cos(0.37 * j) for j in range(SIZE)])


def model(x, t):
    x = x.flatten().double().tolist()
    return tensor([0.3 * v + 0.6 * math.sin(0.01 * t + 0.7 * j + 0.5 * v) for j, v in enumerate(x)])


def flat(t):
    return [float(f"{v:.9g}") for v in t.flatten().tolist()]


STEP = [0]


def drawn(shape, generator=None, device=None, dtype=None, layout=None):
    assert tuple(shape) == SHAPE
    return noise(STEP[0]).to(dtype)


for module in (
    scheduling_ddpm,
    scheduling_euler_ancestral_discrete,
    scheduling_lcm,
    scheduling_tcd,
):
    module.randn_tensor = drawn


def make(kind, config, steps, given=None):
    config = {**SD15, **config}
    if kind == "dpmpp_2m_karras":
        config["use_karras_sigmas"] = True
    s = CLASSES[kind].from_config(config)
    if given is None:
        s.set_timesteps(steps)
    elif kind == "unipc":
        raise ValueError(kind)
    else:
        s.set_timesteps(timesteps=given)
    return s


def levels(s):
    """What add_noise makes of 1 and of 0, with noise 0 and 1, at each step."""
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    pairs = []
    for t in s.timesteps:
        t = t.reshape(1)
        pairs.append([s.add_noise(one, zero, t).item(), s.add_noise(zero, one, t).item()])
    return pairs


def schedule(kind, steps, config):
    s = make(kind, config, steps)
    case = {
        "kind": kind,
        "steps": steps,
        "config": config,
        "timesteps": [float(t) for t in s.timesteps],
    }
    case["init_noise_sigma"] = float(s.init_noise_sigma)
    if hasattr(s, "sigmas"):
        case["sigmas"] = flat(s.sigmas)
    # Karras's rounded times may come twice; add_noise then finds the second.
    if len(set(case["timesteps"])) == steps:
        pairs = levels(s)
        case["original"], case["noise"] = ([float(f"{p[i]:.9g}") for p in pairs] for i in (0, 1))
    return case


def run(kind, config, steps=10, given=None, start=0, whole=False, eta=None):
    s = make(kind, config, steps, given)
    times = s.timesteps[start:]
    # add_noise asks for the time's index, before which nothing may have run.
    if start > 0:
        x = s.add_noise(picture(), noise(-1), times[:1])
    else:
        x = noise(-1) * s.init_noise_sigma
    if hasattr(s, "set_begin_index"):
        s.set_begin_index(start)
    samples, originals = [flat(x)], []
    for k, t in enumerate(times):
        STEP[0] = start + k
        out = model(s.scale_model_input(x, t), float(t))
        result = s.step(out, t, x, **({} if eta is None else {"eta": eta}))
        x = result.prev_sample
        samples.append(flat(x))
        if kind not in DISTILLED and getattr(result, "pred_original_sample", None) is not None:
            originals.append(flat(result.pred_original_sample))
    assert torch.isfinite(x).all(), (kind, config)
    case = {"kind": kind, "config": config, "steps": steps, "start": start}
    if eta is not None:
        case["eta"] = eta
    if given is not None:
        case["timesteps"] = [float(t) for t in given]
    case["samples"] = samples if whole else [samples[0], samples[1], samples[-1]]
    if whole and originals:
        case["originals"] = originals
    return case


schedules, runs, alphas = [], [], []
SPACINGS = [{}] + [{"timestep_spacing": s} for s in ("leading", "trailing", "linspace")]
ZERO_SNR = {
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "prediction_type": "v_prediction",
}
SIGMA_MIN = {"final_sigmas_type": "sigma_min"}

for config in (
    {},
    {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    {"beta_schedule": "squaredcos_cap_v2"},
    {"rescale_betas_zero_snr": True},
    {"num_train_timesteps": 500},
):
    a = diffusers.DDIMScheduler.from_config({**SD15, **config}).alphas_cumprod
    at = [*range(0, len(a), 37), len(a) - 2, len(a) - 1]
    alphas.append({"config": config, "at": at, "alphas_cumprod": flat(a[at])})

for kind in CLASSES:
    for steps in (1, 4, 10, 20, 30):
        for config in SPACINGS if kind not in DISTILLED else [{}]:
            schedules.append(schedule(kind, steps, config))
for kind in ("euler", "dpmpp_2m", "unipc"):
    schedules.append(schedule(kind, 12, {"use_karras_sigmas": True}))
    schedules.append(schedule(kind, 12, SIGMA_MIN))
    schedules.append(schedule(kind, 12, ZERO_SNR))
    schedules.append(schedule(kind, 12, {**SIGMA_MIN, "use_karras_sigmas": True}))
schedules.append(
    schedule("dpmpp_2m", 12, {"use_karras_sigmas": True, "beta_schedule": "squaredcos_cap_v2"})
)
schedules.append(schedule("euler_a", 12, ZERO_SNR))
schedules.append(schedule("lcm", 7, {"original_inference_steps": 60}))
for kind in ("ddim", "ddpm"):
    schedules.append(schedule(kind, 12, ZERO_SNR))
    schedules.append(
        schedule(kind, 7, {"num_train_timesteps": 500, "timestep_spacing": "linspace"})
    )

for kind in CLASSES:
    for prediction in ("epsilon", "v_prediction", "sample"):
        if (kind, prediction) != ("euler_a", "sample"):
            runs.append(run(kind, {"prediction_type": prediction}, whole=prediction != "sample"))
    runs.append(run(kind, {}, steps=12, start=5))
    runs.append(run(kind, {}, steps=30))
    if kind not in DISTILLED:
        runs.append(run(kind, {"timestep_spacing": "trailing"}))
    if "karras" not in kind and kind not in DISTILLED:
        runs.append(run(kind, ZERO_SNR))
for kind in ("ddim", "ddpm", "lcm"):
    for prediction in ("epsilon", "sample"):
        runs.append(run(kind, {"clip_sample": True, "prediction_type": prediction}))
for eta in (0.0, 0.7, 1.0):
    runs.append(run("tcd", {}, steps=4, eta=eta))
runs.append(run("tcd", {}, steps=1, eta=1.0))
runs.append(run("tcd", {"clip_sample": True}, steps=4))
runs.append(run("ddim", {"set_alpha_to_one": True}))
runs.append(run("ddim", {"timestep_spacing": "linspace"}, steps=7))
runs.append(run("ddpm", {"variance_type": "fixed_small_log"}))
runs.append(run("ddpm", {"variance_type": "fixed_large"}))
for kind in ("euler", "dpmpp_2m", "unipc"):
    runs.append(run(kind, SIGMA_MIN))
    runs.append(run(kind, {"use_karras_sigmas": True}))
for config in (
    {"solver_order": 1},
    {"solver_type": "heun"},
    {"solver_type": "heun", "lower_order_final": False, **SIGMA_MIN},
    {"euler_at_final": True, **SIGMA_MIN},
):
    runs.append(run("dpmpp_2m", config, steps=20))
for config in (
    {"solver_order": 1},
    {"solver_order": 3},
    {"solver_order": 3, "prediction_type": "v_prediction"},
    {"solver_type": "bh1", **SIGMA_MIN},
    {"solver_order": 3, "solver_type": "bh1", "lower_order_final": False, **SIGMA_MIN},
    {"use_karras_sigmas": True, **SIGMA_MIN},
):
    runs.append(run("unipc", config, whole=config.get("solver_order") == 3))
for kind in ("ddpm", "euler", "dpmpp_2m", "lcm", "tcd"):
    runs.append(run(kind, {}, given=AysSchedules["StableDiffusionTimesteps"]))


def digest(kind, config, most):
    """Of the times of 1 to `most` steps, each time as the bits of its float32."""
    h = 0
    for steps in range(1, most + 1):
        times = make(kind, config, steps).timesteps.float()
        # A rounding error in arange may give time -1 after the last.
        assert len(times) == steps or (len(times) == steps + 1 and times[-1] == -1), (
            kind,
            config,
            steps,
        )
        times = times[:steps]
        for bits in times.numpy().view("uint32").tolist():
            h = (h * 0x100000001B3 + bits) % 2**64
    return {"kind": kind, "config": config, "steps": most, "digest": str(h)}


digests = [digest(kind, {}, 50) for kind in DISTILLED]
for kind in ("ddim", "ddpm", "euler", "euler_a", "dpmpp_2m", "unipc"):
    digests += [digest(kind, config, 333) for config in SPACINGS]
digests.append(digest("dpmpp_2m_karras", {}, 100))

golden = {
    "diffusers": diffusers.__version__,
    "torch": torch.__version__,
    "align_your_steps": AysSchedules["StableDiffusionTimesteps"],
    "alphas": alphas,
    "digests": digests,
    "schedules": schedules,
    "runs": runs,
}
path = os.path.join(HERE, "schedulers.json")
with open(path, "w") as f:
    # A case a line, so that a change can be read.
    def part(v):
        if isinstance(v, list) and v and isinstance(v[0], dict):
            return "[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in v) + "\n]"
        return json.dumps(v)

    f.write("{" + ",\n".join(f"{json.dumps(k)}: {part(v)}" for k, v in golden.items()) + "}\n")
print(f"{os.path.getsize(path)} bytes, {len(schedules)} schedules, {len(runs)} runs")
