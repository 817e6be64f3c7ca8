# SPDX-License-Identifier: MIT OR Apache-2.0
"""examples/fill.py, as somebody runs it who copied it.

Run: python3 -m unittest discover tests/python
It needs the library (cargo build --release --lib, or MEND_LIBRARY).
"""

import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "examples", "fill.py")
PHOTOS = os.path.join(ROOT, "examples", "photos")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_native import library_file


def example():
    """The example as a module; plain `import fill` would be GIMP's file of that name."""
    spec: Any = importlib.util.spec_from_file_location("example_fill", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Example(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.example = example()
        cls.library = library_file()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_it(self, *files):
        return subprocess.run(
            [sys.executable, EXAMPLE, *files],
            check=False,
            capture_output=True,
            text=True,
            env=dict(os.environ, MEND_LIBRARY=self.library),
        )

    def check_fill(self, before, mask, after):
        """What is selected has changed, and nothing else."""
        self.assertEqual(
            (before.width, before.height, before.channels, before.depth),
            (after.width, after.height, after.channels, after.depth),
        )
        pixel = before.channels * before.depth
        changed = selected = 0
        for i, value in enumerate(mask.data):
            same = (
                before.data[i * pixel : (i + 1) * pixel] == after.data[i * pixel : (i + 1) * pixel]
            )
            self.assertTrue(same or value, i)
            changed += not same
            selected += value > 0
        self.assertGreater(changed, selected // 2)
        return selected

    def test_it_fills_a_photo(self):
        photo, mask = (os.path.join(PHOTOS, n) for n in ("boat.png", "boat.mask.png"))
        done = self.run_it(photo, mask, self.path("filled.png"))
        self.assertEqual(done.returncode, 0, done.stderr)
        read = self.example.read
        selected = self.check_fill(read(photo), read(mask), read(self.path("filled.png")))
        self.assertEqual(json.loads(done.stdout)["pixels"], selected)

    def test_every_kind_of_picture(self):
        for channels, depth, name in [
            (1, 1, "gray.pgm"),
            (3, 1, "colour.ppm"),
            (3, 2, "deep.ppm"),
            (1, 2, "gray16.png"),
            (2, 1, "alpha.png"),
            (4, 2, "all.png"),
        ]:
            width, height = 40, 32
            values = [
                (x * 5 + y * 3 + c * 40) % 200
                for y in range(height)
                for x in range(width)
                for c in range(channels)
            ]
            opaque = set() if channels % 2 else set(range(channels - 1, len(values), channels))
            data = b"".join(
                bytes([255 if i in opaque else v] * depth) for i, v in enumerate(values)
            )
            inside = lambda x, y: 15 <= x < 24 and 10 <= y < 20  # noqa: E731
            pixel = channels * depth
            mark = bytes([255] * pixel)  # what is to go is unlike everything around it
            selected = [inside(i % width, i // width) for i in range(width * height)]
            data = b"".join(
                mark if s else data[i * pixel : (i + 1) * pixel] for i, s in enumerate(selected)
            )
            picture = self.example.Picture
            before = picture(width, height, channels, depth, data)
            hole = picture(width, height, 1, 1, bytes(255 * s for s in selected))
            self.example.write(self.path(name), before)
            self.example.write(self.path("mask.png"), hole)
            done = self.run_it(self.path(name), self.path("mask.png"), self.path("out-" + name))
            self.assertEqual(done.returncode, 0, name + done.stderr)
            self.check_fill(before, hole, self.example.read(self.path("out-" + name)))

    def test_every_row_filter_of_a_png(self):
        width, height, pixel = 7, 10, 3
        rows = [
            bytes((x * x * 11 + y * 37) & 255 for x in range(width * pixel)) for y in range(height)
        ]
        lines = b""
        for y, row in enumerate(rows):
            up = rows[y - 1] if y else bytes(len(row))
            left, corner = bytes(pixel) + row[:-pixel], bytes(pixel) + up[:-pixel]
            paeth = [
                min((abs(a + b - c - p), i, p) for i, p in enumerate((a, b, c)))[2]
                for a, b, c in zip(left, up, corner)
            ]
            guesses = [bytes(len(row)), left, up, [(a + b) // 2 for a, b in zip(left, up)], paeth]
            lines += bytes([y % 5]) + bytes((v - g) & 255 for v, g in zip(row, guesses[y % 5]))
        out = b"\x89PNG\r\n\x1a\n"
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
            out += struct.pack(">I", len(body)) + kind + body
            out += struct.pack(">I", zlib.crc32(kind + body))
        self.assertEqual(bytes(self.example.read_png(out).data), b"".join(rows))

    def test_it_says_what_is_wrong(self):
        photo = os.path.join(PHOTOS, "boat.png")
        with open(photo, "rb") as file:
            half = file.read()[:5000]
        with open(self.path("half.png"), "wb") as file:
            file.write(half)
        with open(self.path("text.png"), "w") as file:
            file.write("no picture")
        self.example.write(self.path("small.png"), self.example.Picture(5, 5, 1, 1, bytes(25)))
        for picture, mask, said in [
            (self.path("half.png"), photo, "half.png"),
            (photo, self.path("none.png"), "none.png"),
            (self.path("text.png"), photo, "text.png"),
            (photo, self.path("small.png"), "mask"),
        ]:
            done = self.run_it(picture, mask, self.path("nothing.png"))
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
        self.assertFalse(os.path.exists(self.path("nothing.png")))
        self.assertEqual(self.run_it(photo).returncode, 2)


if __name__ == "__main__":
    unittest.main()
