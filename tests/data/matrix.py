#!/usr/bin/env python3
"""Makes matrix.bin.gz and matrix.txt: small files of every kind that a decoder may get wrong, and
what the reference decoders (libjpeg through Pillow, tifffile, OpenEXR, Pillow) see in them.

Needs requirements.txt and libjpeg-turbo's cjpeg (2.1.5). Usage: matrix.py

matrix.bin.gz holds all files one after the other. A line of matrix.txt: name, offset, length, and
  exact WxHxC DEPTH SHA256    the pixels' bytes (little-endian), first 16 digits of their sum
  near WxHxC OFFSET           8-bit pixels that stand at OFFSET; a mean difference below 1 is equal
  refused WORD                not supported, and the message has this word
"""

import gzip
import hashlib
import io
import os
import struct
import subprocess
import tempfile

import numpy as np
import tifffile
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
blob, lines, places = bytearray(), [], {}


def put(data):
    if data not in places:
        places[data] = len(blob)
        blob.extend(data)
    return places[data]


def expect(name, data, what):
    lines.append(f"{name} {put(data)} {len(data)} {what}")


def exact(name, data, pixels):
    h, w, c = pixels.shape
    depth = {"u1": "U8", "u2": "U16", "f2": "F16", "f4": "F32"}[pixels.dtype.str[1:]]
    raw = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    digest = hashlib.sha256(raw).hexdigest()[:16]
    expect(name, data, f"exact {w}x{h}x{c} {depth} {digest}")


def near(name, data, pixels):
    h, w, c = pixels.shape
    expect(name, data, f"near {w}x{h}x{c} {put(pixels.astype('u1').tobytes())}")


def steps(w, h, c):
    """Smooth values from 0 to 1 in 32 steps, so that all of it compresses well."""
    y, x = np.mgrid[0:h, 0:w]
    waves = [0.5 + 0.5 * np.sin(x / 5 + y / 7 + 2 * k) for k in range(c)]
    return np.round(np.stack(waves, -1) * 31) / 31


def picture(w, h, c, kind):
    kind, values = np.dtype(kind), steps(w, h, c)
    return values.astype(kind) if kind.kind == "f" else (values * np.iinfo(kind).max).astype(kind)


def by_pillow(data, mode=None):
    image = Image.open(io.BytesIO(data))
    pixels = np.asarray(image.convert(mode) if mode else image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def jpegs():
    samplings = [
        "1x1",
        "2x1",
        "1x2",
        "2x2",
        "4x1",
        "1x4",
        "4x2",
        "2x4",
        "3x1",
        "1x3",
        "2x1,1x1,2x1",
        "2x2,1x2,1x2",
        "2x2,2x1,2x1",
        "2x2,2x1,1x2",
        "1x1,2x1,2x1",
        "1x1,1x2,1x2",
        "2x1,2x1,2x1",
        "4x2,2x1,2x1",
        "3x2",
        "2x2,1x1,2x2",
        "1x1,2x2,2x2",
        "4x1,2x1,2x1",
    ]
    scans = {
        "one": "",
        "three": "0;1;2;",
        "reversed": "2;1;0;",
        "first": "0;1,2;",
        "last": "0,1;2;",
        "middle": "1;0,2;",
        "progressive": None,
    }
    with tempfile.TemporaryDirectory() as folder:

        def encode(name, args, pixels):
            source = os.path.join(folder, "p.ppm")
            Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).save(source)
            run = subprocess.run(["cjpeg", *args, source], capture_output=True, check=False)
            if run.returncode == 0:
                return run.stdout
            return None

        for w, h in [(37, 29), (20, 13)]:
            pixels = picture(w, h, 3, "u1")
            for sampling in samplings:
                full = sampling if "," in sampling else sampling + ",1x1,1x1"
                for scan, script in scans.items():
                    for restart in [[], ["-restart", "2B"]]:
                        if restart and (w < 30 or scan in ("first", "last", "middle")):
                            continue
                        args = ["-sample", full, *restart]
                        if script is None:
                            args.append("-progressive")
                        elif script:
                            path = os.path.join(folder, "scans")
                            with open(path, "w") as f:
                                f.write(script.replace(";", ";\n"))
                            args += ["-scans", path]
                        name = f"{w}x{h}-{sampling}-{scan}{'-restart' if restart else ''}.jpg"
                        data = encode(name, args, pixels)
                        if data is None:
                            continue
                        # Single components between the least and the most, where blocks of whole
                        # units are more than the picture needs: see jpeg_pixels.rs.
                        if (
                            w == 37
                            and sampling in ("4x2,2x1,2x1", "4x1,2x1,2x1")
                            and scan not in ("one", "progressive", "first")
                        ):
                            expect(name, data, "refused subsampling")
                        else:
                            near(name, data, by_pillow(data))
            for sampling in ["1x1", "2x2", "1x2"]:
                for more in [[], ["-progressive"], ["-restart", "1"]]:
                    name = f"{w}x{h}-gray-{sampling}-{''.join(more)}.jpg"
                    data = encode(name, ["-grayscale", "-sample", sampling, *more], pixels)
                    near(name, data, by_pillow(data))
        for more in [["-rgb"], ["-rgb", "-progressive"], ["-optimize"], ["-quality", "5"]]:
            data = encode("", more, pixels)
            near(f"20x13-{''.join(more)}.jpg", data, by_pillow(data))
        data = encode("", ["-arithmetic"], pixels)
        expect("20x13-arithmetic.jpg", data, "refused arithmetic")
        colours(encode("", ["-sample", "1x1,1x1,1x1"], pixels))
        ends(encode("", ["-sample", "2x2,1x1,1x1"], pixels))
    inks()


def colours(plain):
    """What the components are, as segments and numbers tell."""
    bare = plain[:2] + plain[20:]
    for jfif in [False, True]:
        for transform in [None, 0, 1, 2]:
            for ids in [b"\1\2\3", b"RGB", b"\0\1\2"]:
                adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
                segment = b"" if transform is None else adobe + bytes([transform])
                data = bytearray(
                    plain[:20] + segment + plain[20:] if jfif else bare[:2] + segment + bare[2:]
                )
                frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
                for k in range(3):
                    data[frame + 10 + 3 * k] = data[scan + 5 + 2 * k] = ids[k]
                data = bytes(data)
                near(f"colours-{jfif}-{transform}-{ids[0]}.jpg", data, by_pillow(data, "RGB"))


def ends(plain):
    """No end marker, and all of the picture there."""
    want = by_pillow(plain)
    for name, end in [
        ("none", b""),
        ("half", b"\xff"),
        ("zeros", b"\0" * 64),
        ("fill", b"\xff" * 9),
    ]:
        near(f"end-{name}.jpg", plain[:-2] + end, want)
    near("end-more.jpg", plain + b"more\xff\xd8\xff", want)


def inks():
    import imagecodecs

    pixels = picture(20, 13, 4, "u1")
    for colour in ["CMYK", "YCCK"]:
        for sampling in ["444", "420"]:
            data = imagecodecs.jpeg8_encode(
                pixels, level=95, colorspace="CMYK", outcolorspace=colour, subsampling=sampling
            )
            near(f"{colour}-{sampling}.jpg", data, by_pillow(data, "RGB"))


def as_mend(page):
    """What Mend makes of a page: see tiff_stored.rs and tiff_pixels.rs."""
    a = page.asarray()
    if a.dtype == bool:
        a = a.astype("u1") * 255
    if a.ndim == 2:
        a = a[:, :, None]
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        a = np.moveaxis(a, 0, -1)
    bits = page.bitspersample
    if page.photometric == 0:
        a = np.iinfo(a.dtype).max - a
    if page.photometric == 3:
        a = np.moveaxis(page.colormap[:, a[:, :, 0]], 0, -1).astype("u4")
        return ((a + 128) // 257).astype("u1")
    if 1 < bits < 8 or 8 < bits < 16:
        most, full = (1 << bits) - 1, 255 if bits < 8 else 65535
        a = ((a.astype("u4") * full + most // 2) // most).astype("u1" if bits < 8 else "u2")
    if a.dtype.kind == "u" and a.dtype.itemsize == 4:
        a = ((a.astype("u8") + 32768) // 65537).astype("u2")
    if a.dtype.itemsize == 8:
        a = a.astype("f4")
    if page.photometric == 5:
        if a.dtype.itemsize == 2:
            a = ((a.astype("u4") + 128) // 257).astype("u1")
        light = 255 - a.astype("u4")
        rgb = ((light[:, :, :3] * light[:, :, 3:4] + 127) // 255).astype("u1")
        return np.concatenate([rgb, a[:, :, 4:]], -1)
    extra = page.extrasamples
    colour = a.shape[2] - len(extra)
    alpha = [colour + i for i, kind in enumerate(extra) if kind in (1, 2)][:1]
    return a[:, :, [*range(colour), *alpha]]


def tiff(name, pixels, refused=None, close=False, **how):
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, metadata=None, software="", **how)
    data = out.getvalue()
    if refused:
        expect(name, data, f"refused {refused}")
        return
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    (near if close else exact)(name, data, as_mend(page))


def tiffs():
    w, h = 19, 17
    layouts = [dict(rowsperstrip=h), dict(rowsperstrip=5), dict(tile=(16, 16))]
    channels = [(1, None), (3, "contig"), (3, "separate"), (4, "contig"), (4, "separate")]
    ways = [(None, None), ("packbits", None)]
    ways += [(c, p) for c in ["lzw", "deflate", "zstd"] for p in [None, 2, 3]]
    turn = 0
    for kind in ["u1", "u2", "u4", "f2", "f4", "f8"]:
        for compression, predictor in ways:
            if (predictor == 3 and kind[0] != "f") or (predictor == 2 and kind[0] == "f"):
                continue
            for n, planar in channels:
                # All layouts and byte orders come by in turn; tiles in planes always do.
                turn += 1
                chosen = [layouts[turn % 3]]
                if planar == "separate" and turn % 3 != 2:
                    chosen.append(layouts[2])
                for layout in chosen:
                    pixels = picture(w, h, n, kind)
                    how = dict(layout, compression=compression, byteorder="<>"[turn % 2])
                    how["photometric"] = "minisblack" if n == 1 else "rgb"
                    if predictor:
                        how["predictor"] = predictor
                    if planar:
                        how["planarconfig"] = planar
                    if n == 4:
                        how["extrasamples"] = ["unassalpha"]
                    if n == 1:
                        pixels = pixels[:, :, 0]
                    if planar == "separate":
                        pixels = np.moveaxis(pixels, -1, 0)
                    shape = "tile" if "tile" in layout else f"strip{layout['rowsperstrip']}"
                    order = how["byteorder"]
                    name = f"{kind}-{compression}-{predictor}-{order}-{shape}-{n}-{planar}.tif"
                    tiff(name, pixels, **how)
    for kind, layout in [("strips", layouts[1]), ("tiles", layouts[2])]:
        for big in [False, True]:
            special_tiffs(f"{kind}{'-big' if big else ''}", dict(layout, bigtiff=big), w, h)


def special_tiffs(tag, how, w, h):
    gray = picture(w, h, 1, "u1")[:, :, 0]
    tiff(f"white-{tag}.tif", gray, photometric="miniswhite", **how)
    wide = picture(w, h, 1, "u2")[:, :, 0]
    tiff(f"white16-{tag}.tif", wide, photometric="miniswhite", **how)
    table = (np.arange(768).reshape(3, 256) * 7 % 256 * 257).astype("u2")
    tiff(f"palette-{tag}.tif", gray, photometric="palette", colormap=table, **how)
    for kind in ["unspecified", "assocalpha", "unassalpha"]:
        tiff(
            f"{kind}-{tag}.tif",
            picture(w, h, 4, "u1"),
            photometric="rgb",
            extrasamples=[kind],
            **how,
        )
        tiff(
            f"gray-{kind}-{tag}.tif",
            picture(w, h, 2, "u2"),
            photometric="minisblack",
            planarconfig="contig",
            extrasamples=[kind],
            **how,
        )
    for kinds in [["unspecified", "unassalpha"], ["unassalpha", "unspecified"]]:
        name = f"{'-'.join(kinds)}-{tag}.tif"
        tiff(name, picture(w, h, 5, "u1"), photometric="rgb", extrasamples=kinds, **how)
    planes = np.moveaxis(picture(w, h, 6, "u1"), -1, 0)
    tiff(
        f"three-more-{tag}.tif",
        planes,
        photometric="rgb",
        planarconfig="separate",
        extrasamples=["unspecified"] * 3,
        **how,
    )
    for kind in ["u1", "u2"]:
        tiff(
            f"cmyk-{kind}-{tag}.tif",
            picture(w, h, 4, kind),
            photometric="separated",
            extrasamples=(),
            **how,
        )
    tiff(
        f"cmyka-{tag}.tif",
        picture(w, h, 5, "u1"),
        photometric="separated",
        extrasamples=["unassalpha"],
        **how,
    )
    for bits in [2, 4, 12]:
        kind = "u1" if bits < 8 else "u2"
        for n in [1, 3]:
            pixels = (picture(w, h, n, "u2") >> (16 - bits)).astype(kind)
            pixels = pixels[:, :, 0] if n == 1 else pixels
            photometric = "minisblack" if n == 1 else "rgb"
            tiff(
                f"{bits}-bits-{n}-{tag}.tif",
                pixels,
                photometric=photometric,
                bitspersample=bits,
                **how,
            )
    for photometric in ["minisblack", "miniswhite"]:
        tiff(f"bits-{photometric}-{tag}.tif", gray > 127, photometric=photometric, **how)
    colour = picture(w, h, 3, "u1")
    for kind in ["rgb", "ycbcr"]:
        tiff(
            f"jpeg-{kind}-{tag}.tif",
            colour,
            close=True,
            photometric="rgb",
            compression="jpeg",
            compressionargs=dict(outcolorspace=kind, level=95),
            **how,
        )
    tiff(
        f"jpeg-gray-{tag}.tif",
        gray,
        close=True,
        photometric="minisblack",
        compression="jpeg",
        **how,
    )
    renumbered(f"jpeg-renumbered-{tag}.tif", colour, how)
    if "big" in tag:
        return
    tiff(f"signed-{tag}.tif", colour.astype("i2"), "signed", photometric="rgb", **how)
    tiff(f"lab-{tag}.tif", colour, "Lab", photometric="cielab", **how)
    tiff(f"ycbcr-{tag}.tif", colour, "YCbCr", photometric="ycbcr", **how)
    tiff(f"small-{tag}.tif", colour, "small", photometric="rgb", subfiletype=1, **how)
    for compression, word in [
        ("lerc", "LERC"),
        ("lzma", "LZMA"),
        ("jpeg2000", "2000"),
        ("webp", "WebP"),
    ]:
        tiff(
            f"{compression}-{tag}.tif",
            colour,
            word,
            photometric="rgb",
            compression=compression,
            **how,
        )


def renumbered(name, colour, how):
    """JPEG inside whose components have numbers that say nothing: TIFF's own tags count."""
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        colour,
        metadata=None,
        software="",
        photometric="rgb",
        compression="jpeg",
        compressionargs=dict(outcolorspace="rgb", level=95),
        **how,
    )
    data = bytearray(out.getvalue().replace(b"Adobe", b"other"))
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    for start, length in zip(page.dataoffsets, page.databytecounts):
        chunk = bytes(data[start : start + length])
        frame, scan = start + chunk.index(b"\xff\xc0"), start + chunk.index(b"\xff\xda")
        for k in range(3):
            data[frame + 10 + 3 * k] = data[scan + 5 + 2 * k] = k
    data = bytes(data)
    near(name, data, tifffile.TiffFile(io.BytesIO(data)).pages[0].asarray())


def tga(name, kind, bits, descriptor, pixels, table=b"", attributes=None):
    h, w = pixels.shape[:2]
    head = struct.pack(
        "<BBBHHBHHHHBB",
        0,
        bool(table),
        kind,
        0,
        256 * bool(table),
        24 * bool(table),
        0,
        0,
        w,
        h,
        bits,
        descriptor,
    )
    data = head + table + pixels.tobytes()
    if attributes is not None:
        area = bytearray(495)
        area[:2], area[494] = struct.pack("<H", 495), attributes
        data += area + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"
    return f"{name}.tga", data


def tgas():
    a = picture(13, 7, 4, "u1")
    bgra, rgb = a[:, :, [2, 1, 0, 3]], a[:, :, :3]
    for name, origin, turn in [
        ("bottom-left", 0, lambda z: z[::-1]),
        ("top-left", 0x20, lambda z: z),
        ("top-right", 0x30, lambda z: z[:, ::-1]),
        ("bottom-right", 0x10, lambda z: z[::-1, ::-1]),
    ]:
        exact(*tga(f"rgba-{name}", 2, 32, origin | 8, turn(bgra)), a)
        exact(*tga(f"no-alpha-{name}", 2, 32, origin, turn(bgra)), rgb)
        exact(*tga(f"rgb-{name}", 2, 24, origin, turn(bgra[:, :, :3])), rgb)
        exact(*tga(f"gray-{name}", 3, 8, origin, turn(a[:, :, 0])), a[:, :, :1])
    runs = np.concatenate([np.zeros((7, 13, 1), "u1"), bgra], -1)
    exact(*tga("runs", 10, 32, 0x28, runs), a)
    exact(*tga("runs-no-alpha", 10, 32, 0x20, runs), rgb)
    table = (np.arange(768) * 5 % 256).astype("u1")
    want = table.reshape(256, 3)[a[:, :, 0]][:, :, ::-1]
    exact(*tga("palette", 1, 8, 0x20, a[:, :, 0], table.tobytes()), want)
    for attributes, pixels in enumerate([rgb, rgb, a, a, a]):
        exact(*tga(f"attributes-{attributes}", 2, 32, 0x28, bgra, attributes=attributes), pixels)
    exact(*tga("attributes-3-no-bits", 2, 32, 0x20, bgra, attributes=3), a)


def bmp(name, bits, compression, pixels, size=40, masks=(), palette=b"", height=None):
    rows = [row.tobytes() for row in pixels[::-1]]
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    masks = struct.pack(f"<{len(masks)}I", *masks)
    w = pixels.shape[1] if bits >= 8 else pixels.shape[1] * 8 // bits
    head = struct.pack(
        "<IiiHHIIiiII",
        size,
        w,
        height or pixels.shape[0],
        1,
        bits,
        compression,
        len(body),
        2835,
        2835,
        0,
        0,
    )
    head += masks + (b"" if size == 40 else b"\0" * (size - 40 - len(masks))) + palette
    file = struct.pack("<2sIHHI", b"BM", 14 + len(head) + len(body), 0, 0, 14 + len(head))
    return f"{name}.bmp", file + head + body


def bmps():
    a = picture(13, 7, 4, "u1")
    bgra, rgb = a[:, :, [2, 1, 0, 3]], a[:, :, :3]
    exact(*bmp("rgb", 24, 0, bgra[:, :, :3].copy()), rgb)
    exact(*bmp("top-down", 24, 0, bgra[::-1, :, :3].copy(), height=-7), rgb)
    for size in [40, 108, 124]:
        exact(*bmp(f"32-no-alpha-{size}", 32, 0, bgra, size), rgb)
    masks = (0xFF0000, 0xFF00, 0xFF)
    exact(*bmp("32-masks", 32, 3, bgra, 40, masks), rgb)
    exact(*bmp("32-masks-turned", 32, 3, a, 40, masks[::-1]), rgb)
    for size in [56, 108, 124]:
        exact(*bmp(f"32-alpha-{size}", 32, 3, bgra, size, (*masks, 0xFF000000)), a)
        exact(*bmp(f"32-masks-{size}", 32, 3, bgra, size, (*masks, 0)), rgb)
    b = a.astype("u2")
    for name, (r, g), mask in [("555", (10, 5), None), ("565", (11, 5), (0xF800, 0x7E0, 0x1F))]:
        green = b[:, :, 1] >> (3 if r == 10 else 2)
        packed = ((b[:, :, 0] >> 3) << r | green << g | b[:, :, 2] >> 3).astype("<u2")
        named, data = bmp(name, 16, 3 if mask else 0, packed, 40, mask or ())
        near(named, data, by_pillow(data, "RGB"))
    table = (np.arange(1024) * 5 % 256).astype("u1").reshape(256, 4)
    want = table[a[:, :, 0]][:, :, 2::-1]
    exact(*bmp("palette", 8, 0, a[:, :, 0].copy(), palette=table.tobytes()), want)


def read_only():
    """GIF as Pillow sees it, OpenEXR and Radiance as they were written."""
    import OpenEXR

    a = picture(13, 7, 3, "u1")
    for name, how in [
        ("plain", {}),
        ("interlaced", dict(interlace=1)),
        ("clear", dict(transparency=3)),
    ]:
        out = io.BytesIO()
        Image.fromarray(a).quantize(32).save(out, "GIF", **how)
        exact(f"{name}.gif", out.getvalue(), by_pillow(out.getvalue(), "RGBA"))
    frames = [Image.fromarray(np.roll(a, i, 0)).quantize(32) for i in range(2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    expect("moving.gif", out.getvalue(), "refused animation")
    f = picture(13, 7, 4, "f4") * np.float32(3)
    ways = [
        "NO_COMPRESSION",
        "RLE_COMPRESSION",
        "ZIPS_COMPRESSION",
        "ZIP_COMPRESSION",
        "PIZ_COMPRESSION",
    ]
    for way in ways:
        for channels, pixels in [("RGB", f[:, :, :3]), ("RGBA", f)]:
            head = dict(compression=getattr(OpenEXR, way), type=OpenEXR.scanlineimage)
            half = pixels.astype("f2") if way == "PIZ_COMPRESSION" else pixels.copy()
            exact(f"{way}-{channels}.exr", exr(head, {channels: half}), half.astype("f4"))
    head = dict(compression=OpenEXR.ZIP_COMPRESSION, type=OpenEXR.scanlineimage)
    expect("gray.exr", exr(head, {"Y": f[:, :, 0].copy()}), "refused red")
    more = {"RGB": f[:, :, :3].copy(), "Z": f[:, :, 3].copy()}
    exact("depth.exr", exr(head, more), f[:, :, :3])
    rgbe = np.concatenate([a, np.full((7, 13, 1), 130, "u1")], -1)
    rgbe[:, ::2, 3] = 127
    data = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 7 +X 13\n" + rgbe.tobytes()
    scale = np.exp2(rgbe[:, :, 3:].astype("f4") - 136)
    exact("flat.hdr", data, (rgbe[:, :, :3] * scale).astype("f4"))


def exr(head, channels):
    import OpenEXR

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "p.exr")
        OpenEXR.File(head, channels).write(path)
        with open(path, "rb") as f:
            return f.read()


jpegs()
read_only()
tiffs()
tgas()
bmps()
with open("matrix.bin.gz", "wb") as f:
    f.write(gzip.compress(bytes(blob), 9, mtime=0))
with open("matrix.txt", "w") as f:
    f.write("\n".join(lines) + "\n")
