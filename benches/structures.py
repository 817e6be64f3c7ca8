#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""How well commands continue what runs across a hole: edges, patterns, borders, smooth light.

    benches/structures.py OUT 'LABEL=COMMAND' ... [--kind real,bricks,…] [--photos DIR]
                          [--scenes TAR] [--each] [--sheet] [--json FILE]

    benches/structures.py /tmp/out 'before=/tmp/mend fill {img} --mask {mask} -o {out}' \\
                          'now=target/release/mend fill {img} --mask {mask} -o {out}'

Every case has a known truth; the hole is noise in the picture that commands get. All commands fill
a case in turn, before the next case. The pictures are made once, in OUT/cases. benches/README.md
says what the figures mean; benches/requirements.txt is what this needs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from structures import crops, drawn, scores

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared/data"
KINDS = ("real", "stripes", "bricks", "windows", "perspective", "borders", "wires", "smooth")
# Of photos that are measured on only when asked for.
MORE = ("scenes", "skies")
FIGURES = (*scores.MEASURES, "wall", "cpu")
DIGITS = {"psnr": 2, "orient": 3, "shift": 2, "crisp": 2, "texture": 2, "seam": 4, "step": 2}
TILE = 240


@dataclasses.dataclass(frozen=True)
class Case:
    """A picture and its hole, as files in a folder of their own."""

    kind: str
    name: str
    folder: Path

    @property
    def label(self) -> str:
        """What the case is called in tables and file names."""
        return f"{self.kind}-{self.name}"

    def file(self, what: str) -> Path:
        """The file of its truth, its mask, or the input with noise in the hole."""
        return self.folder / f"{self.label}.{what}.png"


def make(folder: Path, photos: Path, scenes: Path, kinds: list[str]) -> list[Case]:
    """The cases of these kinds; those that are not in the folder are made."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    sources = [(crop, photos) for crop in crops.PHOTOS] + [(crop, scenes) for crop in crops.OTHERS]
    for crop, source in sources:
        if crop.kind in kinds:
            case = Case(crop.kind, crop.name, folder)
            if not case.file("input").exists():
                write(case, crops.cut(crop, source), crop.hole.mask())
            cases.append(case)
    for drawing in drawn.DRAWN:
        if drawing.kind in kinds:
            case = Case(drawing.kind, drawing.name, folder)
            if not case.file("input").exists():
                write(case, drawing.picture(), drawing.hole.mask())
            cases.append(case)
    return sorted(cases, key=lambda case: kinds.index(case.kind))


def write(case: Case, truth: np.ndarray, hole: np.ndarray) -> None:
    """A case's files. The input is the last: if it exists, all do."""
    noisy = truth.copy()
    noisy[hole] = np.random.default_rng(1).integers(0, 256, (hole.sum(), 3))
    Image.fromarray(truth).save(case.file("truth"))
    Image.fromarray((hole * 255).astype(np.uint8)).save(case.file("mask"))
    Image.fromarray(noisy).save(case.file("input"))


def read(path: Path) -> np.ndarray:
    """A picture's pixels, 8 bits in three channels."""
    return np.asarray(Image.open(path).convert("RGB"))


def timed(command: list[str]) -> tuple[float, float]:
    """Runs a command: seconds on the wall, and of the processors (user and system)."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = child.stderr.read() if child.stderr else ""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if child.returncode != 0:
        sys.exit(f"{shlex.join(command)} failed: exit code {child.returncode}\n{said[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime


def measure(case: Case, command: str, out: Path) -> dict[str, float]:
    """Fills a case with a command, and scores the fill."""
    names = {"img": case.file("input"), "mask": case.file("mask"), "out": out}
    # What an earlier run left must not be scored as this one's.
    out.unlink(missing_ok=True)
    wall, cpu = timed([part.format(**names) for part in shlex.split(command)])
    fill, hole = read(out), read(case.file("mask"))[..., 0] > 127
    changed = int((fill != read(case.file("input"))).any(2)[~hole].sum())
    if changed:
        print(f"{case.label}: {changed} pixels outside the hole changed", file=sys.stderr)
    return {**scores.score(read(case.file("truth")), fill, hole), "wall": wall, "cpu": cpu}


def row(label: str, figures: list[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {label} | {' | '.join(figures)} |"


def mean(results: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure; of seconds the median, as the machine may do other things too."""
    return {
        name: float((np.mean if name in DIGITS else np.median)([r[name] for r in results]))
        for name in FIGURES
    }


def absolute(figures: dict[str, float]) -> list[str]:
    """Figures as they are."""
    return [f"{figures[name]:.{DIGITS.get(name, 3)}f}" for name in FIGURES]


def relative(figures: dict[str, float], first: dict[str, float]) -> list[str]:
    """Figures beside the first command's: differences, and ratios of the seconds."""
    return [
        f"{figures[name] - first[name]:+.{DIGITS[name]}f}"
        if name in DIGITS
        else f"×{figures[name] / first[name]:.2f}"
        for name in FIGURES
    ]


def table(title: str, results: dict[str, list[dict[str, float]]]) -> None:
    """Prints the means of a kind: a row a command, and how it differs from the first."""
    labels = list(results)
    means = {label: mean(each) for label, each in results.items()}
    print("\n" + row(f"**{title}, {len(results[labels[0]])}**", list(FIGURES)))
    print("|---" * (len(FIGURES) + 1) + "|")
    for label in labels:
        print(row(label, absolute(means[label])))
    for label in labels[1:]:
        print(row(f"{label} against {labels[0]}", relative(means[label], means[labels[0]])))
    sys.stdout.flush()


def window(hole: np.ndarray) -> tuple[int, int, int, int]:
    """A square around a hole, with surroundings, inside the picture."""
    rows, columns = np.where(hole.any(1))[0], np.where(hole.any(0))[0]
    size = min(max(np.ptp(rows), np.ptp(columns)) + 100, *hole.shape)
    y = int(np.clip((rows[0] + rows[-1] - size) // 2, 0, hole.shape[0] - size))
    x = int(np.clip((columns[0] + columns[-1] - size) // 2, 0, hole.shape[1] - size))
    return x, y, x + int(size), y + int(size)


def sheet(cases: list[Case], fills: dict[str, Path], out: Path) -> None:
    """A picture to look at: a row a case, with the hole in gray, the truth and each fill."""
    titles = ["hole", "truth", *fills]
    page = Image.new("RGB", (len(titles) * TILE, len(cases) * TILE + 20), (24, 24, 24))
    draw = ImageDraw.Draw(page)
    for column, title in enumerate(titles):
        draw.text((column * TILE + 4, 4), title, fill=(255, 255, 255))
    for number, case in enumerate(cases):
        hole = read(case.file("mask"))[..., 0] > 127
        truth = read(case.file("truth"))
        gray = np.where(hole[..., None], np.uint8(128), truth)
        filled = [read(folder / f"{case.label}.png") for folder in fills.values()]
        for column, picture in enumerate([gray, truth, *filled]):
            part = Image.fromarray(picture).crop(window(hole)).resize((TILE - 4, TILE - 4))
            page.paste(part, (column * TILE, number * TILE + 20))
        draw.text((4, number * TILE + 22), case.name, fill=(255, 255, 0))
    page.save(out)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="where the cases, fills and sheets are kept")
    parser.add_argument(
        "commands", nargs="+", metavar="LABEL=COMMAND", help="with {img}, {mask} and {out}"
    )
    parser.add_argument(
        "--kind", default=",".join(KINDS), help=f"some of {', '.join(KINDS + MORE)}"
    )
    parser.add_argument("--photos", type=Path, default=DATA / "photos", help="with kodak/ and cc0/")
    parser.add_argument(
        "--scenes", type=Path, default=DATA / "train/scenes.tar", help="an archive, or a folder"
    )
    parser.add_argument("--each", action="store_true", help="print the figures of each case too")
    parser.add_argument(
        "--sheet", action="store_true", help="write OUT/sheets/KIND-N.png to look at"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    args = parser.parse_args()
    args.kind = args.kind.split(",")
    unknown = set(args.kind) - {*KINDS, *MORE}
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    args.commands = dict(command.partition("=")[::2] for command in args.commands)
    for label, command in args.commands.items():
        if "{out}" not in command or "/" in label:
            parser.error(f"not LABEL=COMMAND with {{img}}, {{mask}} and {{out}}: {label}={command}")
    return args


def main() -> None:
    args = arguments()
    cases = make(args.out / "cases", args.photos, args.scenes, args.kind)
    fills = {label: args.out / "fills" / label for label in args.commands}
    for folder in fills.values():
        folder.mkdir(parents=True, exist_ok=True)
    everything = {}
    for kind in args.kind:
        chosen = [case for case in cases if case.kind == kind]
        results: dict[str, list[dict[str, float]]] = {label: [] for label in fills}
        for case in chosen:
            for label, command in args.commands.items():
                figures = measure(case, command, fills[label] / f"{case.label}.png")
                results[label].append(figures)
                if args.each:
                    print(row(f"{case.label} {label}", absolute(figures)), flush=True)
        table(kind, results)
        everything[kind] = {
            label: {case.name: r for case, r in zip(chosen, each)}
            for label, each in results.items()
        }
        if args.json:
            args.json.write_text(json.dumps(everything, indent=1) + "\n")
        if args.sheet:
            (args.out / "sheets").mkdir(exist_ok=True)
            for start in range(0, len(chosen), 8):
                name = f"{kind}-{start // 8 + 1}.png"
                sheet(chosen[start : start + 8], fills, args.out / "sheets" / name)


if __name__ == "__main__":
    main()
