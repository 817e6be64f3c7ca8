# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crops of photos with holes: where edges and patterns run across, and where all is smooth.

`find.py` proposed them and eyes chose them. Only the places stand here, not the pictures.
"""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from structures.holes import SIDE, Hole


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square of a photo, by its upper left corner, and the hole in it."""

    kind: str
    photo: str
    x: int
    y: int
    hole: Hole

    @property
    def name(self) -> str:
        """A file name that says where the crop is."""
        return f"{Path(self.photo).stem[:24]}-{self.x}-{self.y}"


# The photo, the crop's x and y, and the hole: shape, x, y, width, height, angle, seed.
REAL = [
    ("kodak/kodim01.png", 18, 0, Hole("ellipse", 192, 90, 93, 87)),
    ("kodak/kodim01.png", 258, 58, Hole("rect", 192, 196, 96, 90)),
    ("kodak/kodim01.png", 58, 58, Hole("stroke", 192, 192, 120, 55, 10, 3)),
    ("kodak/kodim02.png", 0, 0, Hole("ellipse", 70, 110, 110, 102)),
    ("kodak/kodim02.png", 384, 58, Hole("rect", 300, 192, 102, 84, 20)),
    ("kodak/kodim03.png", 278, 128, Hole("rect", 192, 282, 104, 81)),
    ("kodak/kodim06.png", 0, 0, Hole("rect", 110, 150, 120, 72)),
    ("kodak/kodim07.png", 38, 0, Hole("blob", 192, 170, 90, 84, 0, 1)),
    ("kodak/kodim07.png", 58, 128, Hole("stroke", 192, 222, 102, 53, 60, 2)),
    ("kodak/kodim07.png", 198, 128, Hole("stroke", 186, 282, 120, 50, 80, 4)),
    ("kodak/kodim08.png", 384, 128, Hole("rect", 266, 242, 104, 87)),
    ("kodak/kodim08.png", 278, 0, Hole("ellipse", 192, 90, 120, 110)),
    ("kodak/kodim09.png", 0, 198, Hole("rect", 190, 192, 99, 90, 15)),
    ("kodak/kodim10.png", 0, 58, Hole("blob", 150, 192, 120, 110, 0, 5)),
    ("kodak/kodim10.png", 0, 0, Hole("ellipse", 70, 130, 93, 93)),
    ("kodak/kodim10.png", 128, 0, Hole("stroke", 302, 96, 116, 53, 30, 6)),
    ("kodak/kodim11.png", 338, 0, Hole("rect", 192, 110, 104, 84)),
    ("kodak/kodim12.png", 278, 0, Hole("stroke", 196, 128, 102, 50, 100, 7)),
    ("kodak/kodim12.png", 0, 0, Hole("blob", 150, 130, 104, 102, 0, 8)),
    ("kodak/kodim16.png", 138, 78, Hole("stroke", 192, 186, 120, 53, 70, 9)),
    ("kodak/kodim19.png", 58, 318, Hole("rect", 192, 190, 104, 84)),
    ("kodak/kodim19.png", 0, 238, Hole("ellipse", 110, 192, 110, 104)),
    ("kodak/kodim19.png", 128, 78, Hole("rect", 242, 192, 96, 110)),
    ("kodak/kodim21.png", 378, 118, Hole("blob", 192, 186, 93, 87, 0, 10)),
    ("kodak/kodim22.png", 58, 0, Hole("ellipse", 192, 110, 107, 96)),
    ("kodak/kodim24.png", 384, 0, Hole("ellipse", 226, 190, 99, 84)),
    ("kodak/kodim24.png", 298, 0, Hole("blob", 192, 130, 90, 87, 0, 11)),
    ("kodak/kodim24.png", 0, 0, Hole("rect", 190, 92, 90, 87)),
    ("cc0/city.png", 0, 58, Hole("ellipse", 90, 192, 84, 78)),
    ("cc0/city.png", 192, 192, Hole("rect", 292, 198, 84, 93)),
    ("cc0/mies.png", 138, 0, Hole("ellipse", 192, 170, 93, 87)),
    ("cc0/path.png", 38, 192, Hole("blob", 192, 278, 110, 102, 0, 12)),
    ("cc0/reflect.png", 58, 118, Hole("rect", 192, 192, 120, 87)),
]
SMOOTH = [
    ("kodak/kodim03.png", 158, 0, Hole("ellipse", 192, 90, 116, 104)),
    ("kodak/kodim06.png", 384, 0, Hole("rect", 290, 74, 100, 76)),
    ("kodak/kodim07.png", 0, 0, Hole("blob", 74, 76, 84, 84, 0, 13)),
    ("kodak/kodim09.png", 0, 0, Hole("rect", 130, 90, 110, 90, 12)),
    ("kodak/kodim12.png", 384, 128, Hole("blob", 246, 302, 104, 100, 0, 14)),
    ("kodak/kodim15.png", 0, 78, Hole("ellipse", 90, 192, 110, 110)),
    ("kodak/kodim16.png", 98, 0, Hole("rect", 192, 70, 100, 84)),
    ("kodak/kodim20.png", 384, 0, Hole("blob", 246, 170, 104, 100, 0, 15)),
    ("kodak/kodim21.png", 298, 0, Hole("stroke", 192, 90, 90, 50, 35, 16)),
    ("kodak/kodim23.png", 218, 0, Hole("ellipse", 192, 70, 84, 80)),
    ("cc0/path.png", 38, 0, Hole("blob", 192, 70, 104, 96, 0, 17)),
]
SCENES = [
    (
        "clic/ff32adfa29d4b5de26293352f53cc983d12d3ededd71fe65ca0ef0d887be65c4.jpg",
        358,
        466,
        Hole("ellipse", 192, 304, 120, 110),
    ),
    ("wiki/005.jpg", 278, 296, Hole("blob", 192, 234, 102, 96, 0, 20)),
    ("wiki/008.jpg", 0, 379, Hole("rect", 190, 231, 119, 102, 20)),
    ("wiki/014.jpg", 238, 278, Hole("rect", 192, 192, 87, 81)),
    ("wiki/021.jpg", 0, 416, Hole("stroke", 100, 226, 116, 53, 70, 21)),
    ("wiki/034.jpg", 638, 0, Hole("ellipse", 192, 74, 93, 87)),
    ("cid22/164338.jpg", 0, 38, Hole("rect", 110, 192, 104, 96)),
    ("cid22/1722183.jpg", 0, 128, Hole("ellipse", 190, 202, 90, 84)),
    ("cid22/207691.jpg", 128, 128, Hole("blob", 242, 300, 96, 90, 0, 22)),
    ("cid22/2123337.jpg", 0, 128, Hole("rect", 130, 282, 93, 75)),
    ("cid22/2208891.jpg", 128, 0, Hole("ellipse", 242, 90, 96, 90)),
    ("cid22/2387532.jpg", 0, 0, Hole("blob", 190, 130, 120, 110, 0, 23)),
    ("cid22/2599868.jpg", 128, 0, Hole("rect", 270, 150, 110, 102)),
    ("cid22/3311574.jpg", 128, 128, Hole("ellipse", 202, 262, 120, 110)),
    ("cid22/3315291.jpg", 18, 38, Hole("rect", 192, 192, 104, 96)),
    ("cid22/3705529.jpg", 0, 128, Hole("ellipse", 110, 222, 104, 96)),
    ("cid22/3779828.jpg", 0, 0, Hole("blob", 130, 130, 102, 93, 0, 24)),
    ("cid22/pexels-photo-2802032.jpg", 0, 0, Hole("stroke", 150, 76, 102, 50, 40, 25)),
    ("cid22/pexels-photo-4210863.jpg", 78, 98, Hole("ellipse", 192, 192, 81, 78)),
    ("cid22/pexels-photo-635405.jpg", 58, 128, Hole("rect", 192, 296, 120, 110)),
    ("cid22/pexels-photo-6926600.jpg", 78, 38, Hole("ellipse", 192, 192, 93, 87)),
    ("cid22/pexels-photo-7078290.jpg", 18, 58, Hole("stroke", 192, 192, 102, 53, 0, 26)),
]
SKIES = [
    ("wiki/003.jpg", 640, 118, Hole("ellipse", 310, 192, 110, 110)),
    ("wiki/006.jpg", 0, 0, Hole("blob", 150, 110, 104, 100, 0, 30)),
    ("wiki/011.jpg", 640, 0, Hole("rect", 310, 150, 100, 90)),
    ("wiki/049.jpg", 0, 0, Hole("ellipse", 110, 110, 112, 100)),
    ("cid22/1287145.jpg", 98, 0, Hole("rect", 192, 90, 116, 90)),
    ("cid22/1292115.jpg", 118, 0, Hole("blob", 192, 70, 96, 90, 0, 31)),
    ("cid22/271619.jpg", 58, 0, Hole("ellipse", 192, 190, 114, 110)),
    ("cid22/2444429.jpg", 0, 0, Hole("stroke", 110, 78, 90, 50, 15, 32)),
    ("cid22/2866385.jpg", 0, 0, Hole("ellipse", 190, 150, 116, 110)),
    ("cid22/5212582.jpg", 128, 128, Hole("blob", 302, 242, 104, 100, 0, 33)),
]
PHOTOS = [Crop("real", *row) for row in REAL] + [Crop("smooth", *row) for row in SMOOTH]
OTHERS = [Crop("scenes", *row) for row in SCENES] + [Crop("skies", *row) for row in SKIES]


def shrunk(photo: Image.Image) -> Image.Image:
    """A photo at the size the places are given for: large ones reduced by a whole number."""
    factor = max(1, round(min(photo.size) / 600))
    return photo.reduce(factor) if factor > 1 else photo


def read(photo: str, source: Path) -> Image.Image:
    """A photo of a folder, or of a tar archive."""
    if source.is_dir():
        return shrunk(Image.open(source / photo).convert("RGB"))
    with tarfile.open(source) as archive:
        member = archive.extractfile(photo)
        if member is None:
            raise FileNotFoundError(f"{photo} in {source}")
        return shrunk(Image.open(io.BytesIO(member.read())).convert("RGB"))


def cut(crop: Crop, source: Path) -> np.ndarray:
    """A crop's pixels."""
    box = (crop.x, crop.y, crop.x + SIDE, crop.y + SIDE)
    photo = read(crop.photo, source)
    if box[2] > photo.width or box[3] > photo.height:
        raise ValueError(f"{crop.photo} is smaller than its crop")
    return np.asarray(photo.crop(box))
