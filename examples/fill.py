#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fills a region of a picture, with Python's standard library and libmend.

    python3 fill.py photo.png mask.png filled.png

The mask has the picture's size: white is filled, black is kept, gray is between. Files are PNG, or
binary PPM (P6) and PGM (P5); OUT is a PNG unless its name ends in .ppm or .pgm. The picture keeps
its channels and its depth. Its colour profile is not carried over; the command line `mend` does
that.

libmend is looked for where the system keeps libraries; the environment variable MEND_LIBRARY names
another file. `cargo build --release --lib` makes target/release/libmend.so.
"""

import array
import ctypes
import ctypes.util
import os
import re
import struct
import sys
import zlib
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_uint32, c_void_p

# --- The library. Everything here is in include/mend.h. -------------------------------------------

ABI_VERSION = 1
OK = 0
LAYOUTS = {1: 1, 2: 2, 3: 3, 4: 4}  # by the number of channels: GRAY, GRAYA, RGB, RGBA
DEPTHS = {1: 0x10, 2: 0x20}  # by the bytes of a channel: U8, U16


class MendImage(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("length", c_size_t),
        ("stride", c_size_t),
        ("width", c_uint32),
        ("height", c_uint32),
        ("format", c_uint32),
    ]


class MendProgress(ctypes.Structure):
    # The library makes it; members that are not read here may be left out at the end.
    _fields_ = [("stage", c_char_p), ("step", c_uint32), ("steps", c_uint32)]


PROGRESS = ctypes.CFUNCTYPE(c_int32, POINTER(MendProgress), c_void_p)

FUNCTIONS = {
    "mend_abi_version": (c_uint32, []),
    "mend_error_message": (c_char_p, [c_void_p]),
    "mend_error_free": (None, [c_void_p]),
    "mend_string_free": (None, [c_void_p]),
    "mend_inpainter_new": (c_int32, [POINTER(c_void_p), POINTER(c_void_p)]),
    "mend_inpainter_free": (None, [c_void_p]),
    "mend_request_new": (c_int32, [POINTER(c_void_p), POINTER(c_void_p)]),
    "mend_request_set": (c_int32, [c_void_p, c_char_p, c_char_p, POINTER(c_void_p)]),
    "mend_request_free": (None, [c_void_p]),
    "mend_inpaint": (
        c_int32,
        [
            c_void_p,
            c_void_p,
            POINTER(MendImage),
            POINTER(MendImage),
            POINTER(MendImage),
            PROGRESS,
            c_void_p,
            c_void_p,
            POINTER(c_void_p),
            POINTER(c_void_p),
        ],
    ),
}


def load():
    """The library, with the types of its functions."""
    path = os.environ.get("MEND_LIBRARY") or ctypes.util.find_library("mend") or "libmend.so.1"
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise SystemExit(
            "libmend cannot be loaded (%s); name its file in MEND_LIBRARY" % error
        ) from None
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.mend_abi_version() != ABI_VERSION:
        raise SystemExit(
            "libmend has interface version %d, and this program needs %d"
            % (library.mend_abi_version(), ABI_VERSION)
        )
    return library


@PROGRESS
def show(progress, _user):
    """Called a few times a second; 1 means go on."""
    now = progress.contents
    percent = now.step * 100 // now.steps
    print("\r%s %d %%  " % (now.stage.decode(), percent), end="", file=sys.stderr, flush=True)
    return 1


def image(picture):
    """A mend_image of the picture's own memory."""
    memory = (ctypes.c_char * len(picture.data)).from_buffer(picture.data)
    pixel = picture.channels * picture.depth
    return MendImage(
        ctypes.addressof(memory),
        len(picture.data),
        picture.width * pixel,
        picture.width,
        picture.height,
        LAYOUTS[picture.channels] | DEPTHS[picture.depth],
    )


def fill(library, picture, mask, settings):
    """Fills `picture` in place where `mask` is not 0. Returns the report, a text in JSON."""
    inpainter, request, report, err = c_void_p(), c_void_p(), c_void_p(), c_void_p()

    def check(status):
        if status != OK:
            raise ValueError(library.mend_error_message(err).decode())

    try:
        check(library.mend_inpainter_new(byref(inpainter), byref(err)))  # make one and keep it
        check(library.mend_request_new(byref(request), byref(err)))
        for name, value in settings.items():
            check(library.mend_request_set(request, name.encode(), value.encode(), byref(err)))
        target = image(picture)
        check(
            library.mend_inpaint(
                inpainter,
                request,
                target,
                image(mask),
                target,
                show,
                None,
                None,
                byref(report),
                byref(err),
            )
        )
        print(file=sys.stderr)
        return ctypes.string_at(report).decode()
    finally:
        library.mend_string_free(report)
        library.mend_error_free(err)
        library.mend_request_free(request)
        library.mend_inpainter_free(inpainter)


# --- Picture files. -------------------------------------------------------------------------------


class Picture:
    """Pixels row by row from the top, `depth` bytes a channel in the machine's byte order."""

    def __init__(self, width, height, channels, depth, data):
        self.width, self.height, self.channels, self.depth = width, height, channels, depth
        self.data = bytearray(data)

    def as_mask(self):
        """One gray channel: the strongest colour of each pixel, so that pure colours count."""
        if self.channels == 1:
            return self
        colours = self.channels - (self.channels + 1) % 2
        values = array.array("B" if self.depth == 1 else "H", bytes(self.data))
        planes = [values[c :: self.channels] for c in range(colours)]
        gray = array.array(values.typecode, map(max, *planes) if colours > 1 else planes[0])
        return Picture(self.width, self.height, 1, self.depth, gray.tobytes())


def swapped(data, depth):
    """Between the machine's byte order and that of PNG and PPM, which is big-endian."""
    if depth == 1 or sys.byteorder == "big":
        return bytes(data)
    values = array.array("H", bytes(data))
    values.byteswap()
    return values.tobytes()


def read(path):
    with open(path, "rb") as file:
        content = file.read()
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return read_png(content)
        if content[:2] in (b"P5", b"P6"):
            return read_pnm(content)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError("%s: %s" % (path, error)) from None
    raise ValueError("%s: neither a PNG nor a binary PPM or PGM" % path)


def read_pnm(content):
    head = re.match(rb"P([56])\s+(\d+)\s+(\d+)\s+(\d+)\s", content)
    if not head:
        raise ValueError("its header makes no sense")
    width, height, largest = map(int, head.groups()[1:])
    if largest not in (255, 65535):
        raise ValueError("its largest value is %d: only 255 and 65535 are read" % largest)
    channels, depth = (3 if head[1] == b"6" else 1), (1 if largest == 255 else 2)
    size = width * height * channels * depth
    data = content[head.end() : head.end() + size]
    if size == 0 or len(data) < size:
        raise ValueError("it ends before its picture does")
    return Picture(width, height, channels, depth, swapped(data, depth))


def png_chunks(content):
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        check = content[at + 8 + length : at + 12 + length]
        if len(check) < 4 or zlib.crc32(kind + body) != struct.unpack(">I", check)[0]:
            raise ValueError("it is damaged or cut short")
        yield kind, body
        at += 12 + length


def read_png(content):
    chunks = list(png_chunks(content))
    if not chunks or chunks[0][0] != b"IHDR":
        raise ValueError("it has no header")
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour)
    depths = (1, 2, 4, 8, 16) if channels == 1 else (8, 16)
    if channels is None or interlaced or bits not in depths:
        raise ValueError("this example reads neither palettes nor interlaced files")
    if width * height == 0:
        raise ValueError("it has no pixel")
    row = (width * channels * bits + 7) // 8
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    # No more than the header promises, whatever the file makes of it.
    lines = zlib.decompressobj().decompress(packed, (row + 1) * height)
    if len(lines) < (row + 1) * height:
        raise ValueError("it ends before its picture does")
    data, above = bytearray(), bytes(row)
    for y in range(height):
        line = lines[y * (row + 1) : (y + 1) * (row + 1)]
        above = unfiltered(line[0], bytearray(line[1:]), above, max(1, channels * bits // 8))
        data += above if bits >= 8 else widened(above, width, bits)
    depth = 2 if bits == 16 else 1
    return Picture(width, height, channels, depth, swapped(data, depth))


def unfiltered(kind, line, above, pixel):
    """A row of a PNG as it was before its filter; PNG Specification, section 9."""
    for i in range(len(line) if kind else 0):
        left = line[i - pixel] if i >= pixel else 0
        up = above[i]
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        elif kind == 4:
            corner = above[i - pixel] if i >= pixel else 0
            to_left, to_up = abs(up - corner), abs(left - corner)
            to_corner = abs(left + up - 2 * corner)
            if to_left <= to_up and to_left <= to_corner:
                guess = left
            else:
                guess = up if to_up <= to_corner else corner
        else:
            raise ValueError("its row filter %d is unknown" % kind)
        line[i] = (line[i] + guess) & 255
    return line


def widened(line, width, bits):
    """Gray values of 1, 2 or 4 bits as bytes, 0 to 255."""
    largest = (1 << bits) - 1
    at = ((x * bits, 8 - bits - x * bits % 8) for x in range(width))
    return bytes((line[start // 8] >> shift & largest) * 255 // largest for start, shift in at)


def write(path, picture):
    row = picture.width * picture.channels * picture.depth
    data = swapped(picture.data, picture.depth)
    if path.endswith((".ppm", ".pgm")):
        if picture.channels not in (1, 3):
            raise ValueError("%s: PPM and PGM hold no transparency; write a PNG" % path)
        kind, largest = (5 if picture.channels == 1 else 6), 256**picture.depth - 1
        out = b"P%d\n%d %d\n%d\n" % (kind, picture.width, picture.height, largest) + data
    else:
        lines = b"".join(b"\0" + data[y * row : (y + 1) * row] for y in range(picture.height))
        colour = {1: 0, 3: 2, 2: 4, 4: 6}[picture.channels]
        head = struct.pack(
            ">IIBBBBB", picture.width, picture.height, picture.depth * 8, colour, 0, 0, 0
        )
        out = b"\x89PNG\r\n\x1a\n"
        for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
            out += struct.pack(">I", len(body)) + kind + body
            out += struct.pack(">I", zlib.crc32(kind + body))
    with open(path, "wb") as file:
        file.write(out)


def main(arguments):
    if len(arguments) != 4:
        print("usage: fill.py IMAGE MASK OUT", file=sys.stderr)
        return 2
    try:
        picture, mask = read(arguments[1]), read(arguments[2]).as_mask()
        report = fill(load(), picture, mask, {"seed": "1"})
        write(arguments[3], picture)
    except (OSError, ValueError) as error:
        print("fill.py: %s" % error, file=sys.stderr)
        return 1
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
