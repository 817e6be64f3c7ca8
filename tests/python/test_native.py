# SPDX-License-Identifier: MIT OR Apache-2.0
"""native.py against include/mend.h, against the real library, and against wrong libraries.

Run: python3 -m unittest discover tests/python
It needs the library (cargo build --release --lib, or MEND_LIBRARY) and a C compiler.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import plugins

plugins.import_gimp()

import native

HEADER = os.path.join(plugins.ROOT, "include", "mend.h")


def library_file():
    asked = os.environ.get("MEND_LIBRARY")
    found = (
        [asked]
        if asked
        else [
            os.path.join(plugins.ROOT, "target", kind, native.library_names()[0])
            for kind in ("release", "debug")
        ]
    )
    for path in found:
        if os.path.isfile(path):
            return path
    raise AssertionError("build the library first: cargo build --release --lib")


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r"//[^\n]*", " ", text)


SCALARS = {
    "uint32_t": ctypes.c_uint32,
    "int32_t": ctypes.c_int32,
    "size_t": ctypes.c_size_t,
    "double": ctypes.c_double,
    "mend_status": ctypes.c_int32,
    "mend_progress_fn": native.mend_progress_fn,
    "uint64_t": ctypes.c_uint64,
    "mend_transfer_fn": native.mend_transfer_fn,
}
HANDLES = {
    "mend_inpainter",
    "mend_request",
    "mend_cancel",
    "mend_error",
    "mend_variations",
    "mend_selector",
    "mend_seen",
}


def ctype(declaration, named=True):
    """The ctypes type of a C parameter, field or result such as `const mend_image *mask`."""
    text = re.sub(r"\b(const|struct|enum)\b", " ", declaration).replace("*", " * ").split()
    stars = text.count("*")
    words = [w for w in text if w != "*"]
    base = words[0]
    if named and len(words) < 2:
        raise AssertionError("no name in %r" % declaration)
    if stars == 0:
        return None if base == "void" else SCALARS[base]
    if stars == 2 or (stars == 1 and base == "char" and "const" not in declaration):
        # A handle or a string that is given back; a plain char * is one to free.
        return ctypes.POINTER(ctypes.c_void_p) if stars == 2 else ctypes.c_void_p
    if base == "char":
        return ctypes.c_char_p
    if base == "mend_image":
        return ctypes.POINTER(native.mend_image)
    if base in ("mend_click", "mend_box"):
        return ctypes.POINTER(getattr(native, base))
    if base == "uint32_t":
        # A number that is given back.
        return ctypes.POINTER(ctypes.c_uint32)
    if base == "mend_progress":
        return ctypes.POINTER(native.mend_progress)
    if base == "mend_transfer":
        return ctypes.POINTER(native.mend_transfer)
    if base == "void" or base in HANDLES:
        return ctypes.c_void_p
    raise AssertionError("unknown type %r" % declaration)


class Header(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(HEADER, encoding="utf-8") as file:
            cls.text = without_comments(file.read())

    def test_every_function_has_its_signature(self):
        found = {}
        pattern = r"([\w\s\*]+?)\b(mend_\w+)\s*\(([^()]*)\)\s*;"
        for result, name, arguments in re.findall(pattern, self.text):
            result = result.split(";")[-1].split("\n\n")[-1].replace("extern", " ").strip()
            parts = [a.strip() for a in arguments.split(",")]
            if parts in (["void"], [""]):
                parts = []
            found[name] = (ctype(result, named=False), [ctype(p) for p in parts])
        self.assertEqual(sorted(found), sorted(native.SIGNATURES))
        for name, signature in found.items():
            self.assertEqual(native.SIGNATURES[name], signature, name)

    def struct_fields(self, name):
        body = re.search(
            r"typedef\s+struct\s+%s\s*\{(.*?)\}\s*%s\s*;" % (name, name), self.text, re.DOTALL
        )
        self.assertIsNotNone(body, name)
        result = []
        for line in body.group(1).split(";"):
            if not line.strip():
                continue
            first, *others = line.split(",")
            kind = ctype(first)
            base = re.match(r"[\w\s\*]*?(?=\w+\s*$)", first.strip()).group(0)
            result.append((re.search(r"(\w+)\s*$", first).group(1), kind))
            result += [(o.strip(), ctype(base + " " + o)) for o in others]
        return result

    def test_structs(self):
        self.assertEqual(self.struct_fields("mend_image"), native.mend_image._fields_)
        self.assertEqual(self.struct_fields("mend_progress"), native.mend_progress._fields_)
        self.assertEqual(self.struct_fields("mend_transfer"), native.mend_transfer._fields_)
        self.assertEqual(self.struct_fields("mend_click"), native.mend_click._fields_)
        self.assertEqual(self.struct_fields("mend_box"), native.mend_box._fields_)

    def test_callbacks(self):
        for name in ("mend_progress_fn", "mend_transfer_fn"):
            found = re.search(
                r"typedef\s+int32_t\s*\(\s*\*\s*%s\s*\)\s*\(([^()]*)\)" % name, self.text
            )
            self.assertIsNotNone(found)
            kind = getattr(native, name)
            arguments = tuple(ctype(p) for p in found.group(1).split(","))
            self.assertEqual(arguments, kind._argtypes_)
            self.assertEqual(kind._restype_, ctypes.c_int32)

    def constant(self, name):
        found = re.search(r"\b%s\b\s*(?:=\s*)?\(?\s*(0x[0-9a-fA-F]+|\d+)" % name, self.text)
        self.assertIsNotNone(found, name)
        return int(found.group(1), 0)

    def test_constants(self):
        self.assertEqual(self.constant("MEND_ABI_VERSION"), native.ABI_VERSION)
        self.assertEqual(self.constant("MEND_OK"), native.OK)
        for name, value in vars(native).items():
            if name.startswith("ERR_"):
                self.assertEqual(self.constant("MEND_" + name), value, name)
        for kind, names in [
            ("LAYOUT_", "GRAY GRAYA RGB RGBA BGR BGRA"),
            ("DEPTH_", "U8 U16 F16 F32"),
            ("", "PREMULTIPLIED LINEAR"),
        ]:
            for name in names.split():
                self.assertEqual(self.constant("MEND_" + kind + name), getattr(native, name), name)


def picture(width, height):
    """A picture with structure, RGBA 8-bit."""
    out = bytearray()
    for y in range(height):
        for x in range(width):
            stripe = 60 if (x // 7 + y // 11) % 2 else 0
            out += bytes((x * 2 & 255, 255 - (y * 3 & 255), 90 + stripe, 255))
    return out


class Real(unittest.TestCase):
    W, H = 96, 80

    @classmethod
    def setUpClass(cls):
        cls.library = native.load(library_file())

    def setUp(self):
        self.inpainter = native.Inpainter({"threads": "2"}, self.library)
        self.pixels = picture(self.W, self.H)
        self.image = native.Image(self.pixels, self.W, self.H, native.RGBA | native.U8)
        mask = bytearray(self.W * self.H)
        for y in range(30, 50):
            mask[y * self.W + 40 : y * self.W + 60] = b"\xff" * 20
        self.mask = native.Image(bytes(mask), self.W, self.H, native.GRAY | native.U8)

    def test_fill_changes_the_hole_only(self):
        before = bytes(self.pixels)
        seen = []
        report = self.inpainter.inpaint({"seed": "1"}, self.image, self.mask, progress=seen.append)
        self.assertEqual(report["regions"], 1)
        changed = [i // 4 for i in range(len(before)) if before[i] != self.pixels[i]]
        self.assertTrue(changed)
        self.assertTrue(all(self.mask.data[i] for i in changed))
        self.assertTrue(seen and seen[-1].share == 1.0)

    def test_out_is_written_and_the_image_is_not(self):
        before = bytes(self.pixels)
        out = native.Image(bytearray(before), self.W, self.H, native.RGBA | native.U8)
        image = native.Image(before, self.W, self.H, native.RGBA | native.U8)
        self.inpainter.inpaint({}, image, self.mask, out=out)
        self.inpainter.inpaint({}, self.image, self.mask)
        self.assertEqual(out.data, self.pixels)
        self.assertEqual(image.data, before)
        self.assertNotEqual(out.data, before)

    def test_variations_are_taken_by_number(self):
        before = bytes(self.pixels)
        made = self.inpainter.vary({"variations": "3"}, self.image, self.mask)
        self.assertEqual((len(made), bytes(self.pixels)), (3, before))
        scores = [made.score(number) for number in range(3)]
        self.assertEqual(scores, sorted(scores))
        self.assertEqual(len(made.report["scores"]), 3)
        self.assertNotEqual(made.score(3), made.score(3))
        out = native.Image(bytearray(len(before)), self.W, self.H, native.RGBA | native.U8)
        best = self.inpainter.inpaint({"best-of": "3"}, self.image, self.mask, out=out)
        self.assertEqual(best["scores"], made.report["scores"])
        made.take(2, self.image)
        made.take(0, self.image)
        self.assertEqual(self.pixels, out.data)
        for number in (3, -1):
            with self.assertRaises(native.MendError) as caught:
                made.take(number, self.image)
            self.assertEqual(caught.exception.status, native.ERR_ARGUMENT)

    def test_an_object_is_selected_by_clicks_and_by_a_box(self):
        pixels = bytearray(b"\x30\x30\x30\xff" * (self.W * self.H))
        for y in range(20, 50):
            pixels[(y * self.W + 30) * 4 : (y * self.W + 60) * 4] = b"\xd0\x80\x40\xff" * 30
        image = native.Image(bytes(pixels), self.W, self.H, native.RGBA | native.U8)
        selector = native.Selector({"models": "/no/such/folder"}, self.library)
        steps = []
        seen = selector.look(image, progress=steps.append)
        self.assertTrue(steps and steps[-1].share == 1.0)
        # What was seen outlives both.
        del selector, image
        mask = bytearray(self.W * self.H)
        out = native.Image(mask, self.W, self.H, native.GRAY | native.U8)
        for clicks, area in (([(40, 30, True)], None), ([], (25, 15, 65, 55))):
            mask[:] = b"\x07" * len(mask)
            report = seen.select(clicks, out, area, grow=0)
            self.assertEqual(report["way"], "plain")
            self.assertEqual(report["pixels"], out.data.count(255))
            self.assertTrue(850 <= report["pixels"] <= 950, report)
            self.assertEqual((out.data[30 * self.W + 40], out.data[0]), (255, 0))
        before = bytes(out.data)
        for clicks in ([], [(400, 30, True)], [(40, 30, False)]):
            with self.assertRaises(native.MendError) as caught:
                seen.select(clicks, out)
            self.assertEqual(caught.exception.status, native.ERR_ARGUMENT)
        self.assertEqual(out.data, before)

    def test_a_guide_is_a_mask_of_the_pictures_size(self):
        small = native.Image(b"\xff" * 4, 2, 2, native.GRAY | native.U8)
        with self.assertRaisesRegex(native.MendError, "guide mask is 2×2"):
            self.inpainter.inpaint({}, self.image, self.mask, guide=small)

    def test_what_the_callback_raises_stops_the_fill_and_arrives(self):
        before = bytes(self.pixels)

        def callback(_progress):
            raise ZeroDivisionError("mine")

        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            self.inpainter.inpaint({}, self.image, self.mask, progress=callback)
        self.assertEqual(self.pixels, before)

    def test_false_from_the_callback_and_the_flag_cancel(self):
        before = bytes(self.pixels)
        with self.assertRaises(native.MendError) as caught:
            self.inpainter.inpaint({}, self.image, self.mask, progress=lambda p: False)
        self.assertEqual(caught.exception.status, native.ERR_CANCELLED)
        flag = self.inpainter.cancel()
        thread = threading.Thread(target=flag.trigger)
        thread.start()
        thread.join()
        with self.assertRaises(native.MendError) as caught:
            self.inpainter.inpaint({}, self.image, self.mask, cancel=flag)
        self.assertEqual(caught.exception.status, native.ERR_CANCELLED)
        self.assertEqual(self.pixels, before)

    def test_plan_from_the_mask_alone(self):
        plan = self.inpainter.plan({}, self.mask)
        hole = plan["regions"][0]["hole"]
        self.assertEqual((hole["x"], hole["y"], hole["width"], hole["height"]), (40, 30, 20, 20))
        self.assertGreater(plan["peak_bytes"], 0)

    def test_describe(self):
        description = self.inpainter.describe()
        self.assertIn("engine", [p["name"] for p in description["params"]])
        self.assertTrue(self.inpainter.version)

    def test_errors_have_status_and_message(self):
        for status, call in [
            (native.ERR_PARAMETER, lambda: self.inpainter.plan({"sead": "1"}, self.mask)),
            (
                native.ERR_ENGINE,
                lambda: self.inpainter.plan({"engine": "no-such-engine"}, self.mask),
            ),
            (
                native.ERR_MASK,
                lambda: self.inpainter.inpaint(
                    {}, self.image, native.Image(b"\xff" * 4, 2, 2, native.GRAY | native.U8)
                ),
            ),
            (
                native.ERR_IMAGE,
                lambda: self.inpainter.inpaint(
                    {},
                    native.Image(self.pixels, self.W, self.H + 1, native.RGBA | native.U8),
                    self.mask,
                ),
            ),
            (native.ERR_ARGUMENT, lambda: self.inpainter.plan({"seed": "1\0"}, self.mask)),
            (
                native.ERR_ARGUMENT,
                lambda: self.inpainter.inpaint(
                    {},
                    native.Image(bytes(self.pixels), self.W, self.H, native.RGBA | native.U8),
                    self.mask,
                ),
            ),
        ]:
            with self.assertRaises(native.MendError) as caught:
                call()
            self.assertEqual(caught.exception.status, status, caught.exception.message)
            self.assertTrue(caught.exception.message)


class Loading(unittest.TestCase):
    """What the user is told when the library is missing or is another one."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.asked = os.environ.pop("MEND_LIBRARY", None)
        if self.asked:
            self.addCleanup(os.environ.__setitem__, "MEND_LIBRARY", self.asked)

    def build(self, source):
        path = os.path.join(self.folder, "other.so")
        with open(path + ".c", "w") as file:
            file.write(source)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", path, path + ".c"], check=True)
        return path

    def refused(self, path=None):
        with self.assertRaises(native.LoadError) as caught:
            native.load(path)
        return caught.exception.message

    def test_missing(self):
        message = self.refused()
        self.assertIn("libmend", message)
        self.assertIn("mend install gimp", message)

    def test_a_path_that_does_not_exist(self):
        os.environ["MEND_LIBRARY"] = "/nowhere/libmend.so"
        self.addCleanup(os.environ.pop, "MEND_LIBRARY", None)
        self.assertIn("/nowhere/libmend.so", self.refused())

    def test_another_abi_version(self):
        path = self.build(
            "unsigned mend_abi_version(void) { return %d; }" % (native.ABI_VERSION + 1)
        )
        message = self.refused(path)
        self.assertIn("version %d" % (native.ABI_VERSION + 1), message)
        self.assertIn("mend install", message)

    def test_another_library_altogether(self):
        self.assertIn("is not Mend's library", self.refused(self.build("int unrelated = 1;")))

    def test_a_library_that_lacks_a_function(self):
        path = self.build("unsigned mend_abi_version(void) { return %d; }" % native.ABI_VERSION)
        self.assertIn("lacks mend_", self.refused(path))

    def test_no_library_at_all(self):
        path = os.path.join(self.folder, "text.so")
        with open(path, "w") as file:
            file.write("no library")
        self.assertIn("cannot be loaded", self.refused(path))


class System(unittest.TestCase):
    @unittest.skipUnless(sys.platform.startswith("linux"), "glibc is Linux's")
    def test_the_glibc_that_the_library_needs_is_the_one_that_is_stated(self):
        with open(os.path.join(plugins.ROOT, "docs", "gimp.md"), encoding="utf-8") as file:
            stated = re.search(r"needs glibc 2\.(\d+) or newer", file.read())
        symbols = subprocess.run(
            ["objdump", "-T", library_file()], check=True, capture_output=True, text=True
        ).stdout
        needed = max(int(n) for n in re.findall(r"GLIBC_2\.(\d+)", symbols))
        self.assertLessEqual(needed, int(stated.group(1)))


if __name__ == "__main__":
    unittest.main()
