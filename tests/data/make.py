#!/usr/bin/env python3
"""Makes the pictures beside it from one CC0 photo, with programs that are not Mend's own.

Needs Pillow, numpy and ImageMagick 6. Usage: make.py PHOTO, a picture of at least 336x312 pixels;
the committed files come from "flowers" of the GB82 image set (CC0).
"""

import os
import subprocess
import sys

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

os.chdir(os.path.dirname(os.path.abspath(__file__)))
photo = Image.open(sys.argv[1]).convert("RGB").crop((240, 240, 336, 312))
small = photo.crop((20, 10, 60, 38))
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
rng = np.random.default_rng(7)
holes = (rng.integers(0, 4, (28, 40)) * 85).astype("u1")
clear = small.copy()
clear.putalpha(Image.fromarray(holes))
gray16 = np.asarray(small.convert("L")).astype("u4") * 257
gray16 = np.clip(gray16 + rng.integers(0, 256, gray16.shape), 0, 65535).astype("u2")


def convert(*args):
    subprocess.check_call(["convert", *args])


exif = Image.Exif()
exif[271] = "Maker"
exif[274] = 6
exif[282] = exif[283] = 300.0
exif[296] = 2
exif.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
exif.get_ifd(0x8825)[1] = "N"

# PNG
text = PngImagePlugin.PngInfo()
text.add_text("Author", "somebody")
text.add_itxt("Comment", "grün", zip=True)
text.add(b"gAMA", (45455).to_bytes(4, "big"))
photo.save("photo.png", icc_profile=profile, exif=exif, dpi=(300, 300), pnginfo=text, optimize=True)
small.quantize(64).save("palette.png", transparency=3, optimize=True)
small.convert("1").save("one-bit.png")
Image.fromarray(gray16).save("gray16.png")
clear.convert("LA").save("gray-alpha.png")
convert(
    "photo.png", "-strip", "-crop", "40x28+20+10", "+repage", "-interlace", "PNG", "interlaced.png"
)
convert(
    "photo.png",
    "-strip",
    "-crop",
    "40x28+20+10",
    "+repage",
    "-evaluate",
    "multiply",
    "0.93",
    "-define",
    "png:color-type=6",
    "-define",
    "png:bit-depth=16",
    "-alpha",
    "set",
    "rgba16.png",
)

# JPEG: a phone's, with a thumbnail; others by their coding.
thumbnail = photo.resize((32, 24))
thumbnail.save("thumbnail.tmp.jpg", quality=30)
exif_ifd1 = exif.tobytes()
with open("thumbnail.tmp.jpg", "rb") as f:
    preview = f.read()
body = bytearray(exif_ifd1[6:])
order = "big" if body[:2] == b"MM" else "little"
first = int.from_bytes(body[4:8], order)
link = first + 2 + 12 * int.from_bytes(body[first : first + 2], order)
assert body[link : link + 4] == b"\0\0\0\0"
second = len(body)
body[link : link + 4] = second.to_bytes(4, order)
at = second + 2 + 24 + 4
body += (2).to_bytes(2, order)
for tag, value in ((513, at), (514, len(preview))):
    body += tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order)
    body += value.to_bytes(4, order)
body += b"\0\0\0\0" + preview
os.remove("thumbnail.tmp.jpg")
photo.save(
    "phone.jpg",
    quality=82,
    subsampling=2,
    icc_profile=profile,
    exif=b"Exif\0\0" + bytes(body),
    dpi=(300, 300),
    comment=b"by hand",
)
photo.save("progressive.jpg", quality=74, subsampling=1, progressive=True)
photo.save("full.jpg", quality=93, subsampling=0, optimize=True)
photo.convert("L").save("gray.jpg", quality=85)
small.convert("CMYK").save("cmyk.jpg", quality=80)
convert(
    "photo.png",
    "-strip",
    "-sampling-factor",
    "4x1,1x1,1x1",
    "-quality",
    "80",
    "-define",
    "jpeg:restart-interval=3",
    "wide.jpg",
)
convert("photo.png", "-strip", "-sampling-factor", "1x1,2x2,1x1", "-quality", "40", "odd.jpg")

# TIFF
small.save("rgb.tif", icc_profile=profile, exif=exif, dpi=(300, 300), compression="tiff_lzw")
clear.save("rgba.tif", compression="tiff_adobe_deflate")
small.convert("1").save("fax.tif", compression="group4")
small.save("jpeg.tif", compression="jpeg", quality=85)
Image.fromarray((gray16 / 65535.0).astype("f4")).save("float.tif")
strip = ["-strip", "-crop", "40x28+20+10", "+repage"]
convert(
    "photo.png",
    *strip,
    "-evaluate",
    "multiply",
    "0.93",
    "-depth",
    "16",
    "-endian",
    "MSB",
    "-compress",
    "Zip",
    "-define",
    "tiff:tile-geometry=32x32",
    "tiled16.tif",
)
convert("photo.png", *strip, "-interlace", "plane", "-compress", "Zip", "planar.tif")
convert(
    "photo.png",
    *strip,
    "-define",
    "quantum:format=floating-point",
    "-depth",
    "16",
    "-compress",
    "Zip",
    "half.tif",
)
small.crop((0, 0, 8, 8)).save(
    "pages.tif", save_all=True, append_images=[small], compression="tiff_lzw"
)
small.quantize(16).save("palette.tif", compression="tiff_lzw")

# WebP, BMP and the rest
small.save("rgb.webp", lossless=True, icc_profile=profile, exif=exif)
clear.save("rgba.webp", lossless=True, exact=True)
small.save("lossy.webp", quality=70)
small.save("moving.webp", save_all=True, append_images=[small.rotate(180)], quality=10)
small.save("rgb.bmp", dpi=(300, 300))
convert("gray-alpha.png", "rgba.bmp")
small.convert("L").save("gray.bmp")
small.save("rgb.ppm")
clear.save("rgba.tga")
clear.save("rgba.qoi")
small.crop((0, 0, 8, 8)).save(
    "moving.png", save_all=True, append_images=[small.crop((8, 8, 16, 16))]
)
