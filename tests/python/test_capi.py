# SPDX-License-Identifier: MIT OR Apache-2.0
"""libmend through ctypes and nothing else, as a program would use it that has only the header.

Run: MEND_LIBRARY=target/release/libmend.so python3 tests/python/test_capi.py
"""

import ctypes
import json
import os
import subprocess
import sys
import threading
import unittest
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_uint32, c_void_p
from random import Random

OK, NULL, ARGUMENT, IMAGE, MASK, PARAMETER, ENGINE = range(7)
BUDGET, CANCELLED = 9, 10
GRAY, RGB, RGBA = 1, 3, 4
U8, U16, F32 = 0x10, 0x20, 0x40

WIDTH, HEIGHT = 48, 36
HOLE = {(x, y) for x in range(15, 27) for y in range(12, 22)}


class Image(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("length", c_size_t),
        ("stride", c_size_t),
        ("width", c_uint32),
        ("height", c_uint32),
        ("format", c_uint32),
    ]


class Progress(ctypes.Structure):
    _fields_ = [
        ("stage", c_char_p),
        ("step", c_uint32),
        ("steps", c_uint32),
        ("seconds_left", ctypes.c_double),
        ("preview", POINTER(Image)),
    ]


CALLBACK = ctypes.CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)
NO_CALLBACK = CALLBACK()


def load():
    path = os.environ.get("MEND_LIBRARY")
    if not path:
        raise unittest.SkipTest("set MEND_LIBRARY to libmend's file")
    lib = ctypes.CDLL(path)
    image, out = POINTER(Image), POINTER(c_void_p)
    for name, result, arguments in [
        ("mend_abi_version", c_uint32, []),
        ("mend_version", c_char_p, []),
        ("mend_error_status", c_int32, [c_void_p]),
        ("mend_error_message", c_char_p, [c_void_p]),
        ("mend_error_free", None, [c_void_p]),
        ("mend_string_free", None, [c_void_p]),
        ("mend_inpainter_new", c_int32, [out, out]),
        ("mend_inpainter_set", c_int32, [c_void_p, c_char_p, c_char_p, out]),
        ("mend_inpainter_trim", c_int32, [c_void_p, out]),
        ("mend_inpainter_free", None, [c_void_p]),
        ("mend_describe", c_int32, [c_void_p, out, out]),
        ("mend_request_new", c_int32, [out, out]),
        ("mend_request_set", c_int32, [c_void_p, c_char_p, c_char_p, out]),
        ("mend_request_set_mask", c_int32, [c_void_p, c_char_p, image, out]),
        ("mend_request_free", None, [c_void_p]),
        ("mend_cancel_new", c_int32, [out, out]),
        ("mend_cancel_trigger", c_int32, [c_void_p]),
        ("mend_cancel_finish", c_int32, [c_void_p]),
        ("mend_cancel_free", None, [c_void_p]),
        ("mend_plan", c_int32, [c_void_p, c_void_p, image, image, out, out]),
        (
            "mend_inpaint",
            c_int32,
            [c_void_p, c_void_p, image, image, image, CALLBACK, c_void_p, c_void_p, out, out],
        ),
        (
            "mend_inpaint_variations",
            c_int32,
            [c_void_p, c_void_p, image, image, CALLBACK, c_void_p, c_void_p, out, out, out],
        ),
        ("mend_variations_count", c_size_t, [c_void_p]),
        ("mend_variations_score", ctypes.c_double, [c_void_p, c_size_t]),
        ("mend_variations_take", c_int32, [c_void_p, c_size_t, image, image, out]),
        ("mend_variations_free", None, [c_void_p]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def struct(buffer, pixel, pixel_format, width=WIDTH, height=HEIGHT, stride=None):
    return Image(
        ctypes.addressof(buffer), len(buffer), stride or width * pixel, width, height, pixel_format
    )


def picture():
    # Stripes and a gradient, and in the hole what is to go.
    rows = (
        bytes((255, 0, 255) if (x, y) in HOLE else ((x * 7 + y * 3) % 200, 40 + x, 200 - y))
        for y in range(HEIGHT)
        for x in range(WIDTH)
    )
    data = b"".join(rows)
    return (ctypes.c_ubyte * len(data)).from_buffer_copy(data)


def mask(hole=HOLE):
    data = bytes(255 if (x, y) in hole else 0 for y in range(HEIGHT) for x in range(WIDTH))
    return (ctypes.c_ubyte * len(data)).from_buffer_copy(data)


# A fill on a daemon thread, and an end of Python's that takes longer than the callback sleeps.
ENDING = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
import test_capi as t
inside = threading.Event()

@t.CALLBACK
def progress(_told, _user):
    inside.set()
    time.sleep(0.2)
    return 1

def fill():
    lib, inpainter, request = t.load(), t.c_void_p(), t.c_void_p()
    lib.mend_inpainter_new(t.byref(inpainter), None)
    lib.mend_request_new(t.byref(request), None)
    pixels, selected = t.picture(), t.mask()
    image, hole = t.struct(pixels, 3, t.RGB | t.U8), t.struct(selected, 1, t.GRAY | t.U8)
    lib.mend_inpaint(inpainter, request, image, hole, image, progress, None, None, None, None)
    print("it came back")

class Last:
    def __init__(self, sleep):
        self.sleep = sleep
    def __del__(self):
        self.sleep(1.0)

threading.Thread(target=fill, daemon=True).start()
inside.wait()
print("in the callback", flush=True)
sys.last_to_go = Last(time.sleep)
"""


class Capi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lib = load()

    def setUp(self):
        self.inpainter, self.request = c_void_p(), c_void_p()
        self.assertEqual(self.lib.mend_inpainter_new(byref(self.inpainter), None), OK)
        self.addCleanup(self.lib.mend_inpainter_free, self.inpainter)
        self.assertEqual(self.lib.mend_request_new(byref(self.request), None), OK)
        self.addCleanup(self.lib.mend_request_free, self.request)

    def call(self, name, *arguments):
        """Calls a function that takes err last. Returns its status and message."""
        err = c_void_p()
        status = getattr(self.lib, name)(*arguments, byref(err))
        self.assertEqual(bool(err), status != OK)
        if not err:
            return OK, ""
        self.assertEqual(self.lib.mend_error_status(err), status)
        message = self.lib.mend_error_message(err).decode("utf-8")
        self.lib.mend_error_free(err)
        return status, message

    def take(self, text):
        value = json.loads(ctypes.string_at(text).decode("utf-8"))
        self.lib.mend_string_free(text)
        return value

    def fill(self, src, selected, dst, callback=NO_CALLBACK, cancel=None, report=None):
        return self.call(
            "mend_inpaint",
            self.inpainter,
            self.request,
            src,
            selected,
            dst,
            callback,
            None,
            cancel,
            report,
        )

    def check_fill(self, before, after):
        changed = {
            (i % WIDTH, i // WIDTH)
            for i in range(WIDTH * HEIGHT)
            if bytes(before[i * 3 : i * 3 + 3]) != bytes(after[i * 3 : i * 3 + 3])
        }
        self.assertLessEqual(changed, HOLE)
        self.assertGreater(len(changed), len(HOLE) // 2)

    def test_versions(self):
        self.assertEqual(self.lib.mend_abi_version(), 1)
        self.assertRegex(self.lib.mend_version().decode(), r"^\d+\.\d+\.\d+")

    def test_describe_and_plan(self):
        text = c_void_p()
        self.assertEqual(self.call("mend_describe", self.inpainter, byref(text))[0], OK)
        said = self.take(text)
        self.assertIn("exemplar", [e["id"] for e in said["engines"]])
        for parameter in said["params"]:
            status, message = self.call(
                "mend_request_set",
                self.request,
                parameter["name"].encode(),
                parameter["default"].encode(),
            )
            self.assertEqual(status, OK, message)
        for option in said["options"]:
            status, message = self.call(
                "mend_inpainter_set",
                self.inpainter,
                option["name"].encode(),
                option["default"].encode(),
            )
            self.assertEqual(status, OK, message)
        selected = mask()
        for image in (None, struct(picture(), 3, RGB | U8)):
            status, message = self.call(
                "mend_plan",
                self.inpainter,
                self.request,
                image,
                struct(selected, 1, GRAY | U8),
                byref(text),
            )
            self.assertEqual(status, OK, message)
            self.assertEqual(self.take(text)["regions"][0]["hole_pixels"], len(HOLE))

    def test_in_place_and_apart(self):
        before, in_place, selected = picture(), picture(), mask()
        report = c_void_p()
        steps = []

        @CALLBACK
        def progress(told, _user):
            told = told.contents
            steps.append((told.stage, told.step, told.steps, threading.get_ident()))
            return 1

        image, hole = struct(in_place, 3, RGB | U8), struct(selected, 1, GRAY | U8)
        status, message = self.fill(image, hole, image, progress, report=byref(report))
        self.assertEqual(status, OK, message)
        self.assertEqual(self.take(report)["pixels"], len(HOLE))
        self.assertTrue(steps)
        self.assertEqual({s[3] for s in steps}, {threading.get_ident()})
        self.check_fill(before, in_place)
        stride = WIDTH * 3 + 16
        apart = (ctypes.c_ubyte * (stride * HEIGHT)).from_buffer_copy(b"\xa5" * stride * HEIGHT)
        status, message = self.fill(
            struct(before, 3, RGB | U8), hole, struct(apart, 3, RGB | U8, stride=stride)
        )
        self.assertEqual(status, OK, message)
        self.assertEqual(bytes(before), bytes(picture()))
        rows = [bytes(apart[y * stride : (y + 1) * stride]) for y in range(HEIGHT)]
        self.assertEqual(b"".join(r[: WIDTH * 3] for r in rows), bytes(in_place))
        self.assertEqual({r[WIDTH * 3 :] for r in rows}, {b"\xa5" * 16})

    def test_variations(self):
        # In noise each fill has something else to choose from.
        random, size = Random(7), WIDTH * HEIGHT * 3
        noise = bytes(random.randrange(256) for _ in range(size))
        before, plain = ((ctypes.c_ubyte * size).from_buffer_copy(noise) for _ in range(2))
        selected = mask()
        image, hole = struct(before, 3, RGB | U8), struct(selected, 1, GRAY | U8)
        in_place = struct(plain, 3, RGB | U8)
        self.assertEqual(self.fill(in_place, hole, in_place)[0], OK)
        self.assertEqual(self.call("mend_request_set", self.request, b"variations", b"3")[0], OK)
        made, report = c_void_p(), c_void_p()
        status, message = self.call(
            "mend_inpaint_variations",
            self.inpainter,
            self.request,
            image,
            hole,
            NO_CALLBACK,
            None,
            None,
            byref(made),
            byref(report),
        )
        self.assertEqual(status, OK, message)
        self.addCleanup(self.lib.mend_variations_free, made)
        self.assertEqual(self.lib.mend_variations_count(made), 3)
        scores = [self.lib.mend_variations_score(made, n) for n in range(3)]
        self.assertEqual(scores, sorted(scores))
        for told, score in zip(self.take(report)["scores"], scores):
            self.assertAlmostEqual(told, score)
        taken = []
        for number in range(3):
            after = (ctypes.c_ubyte * len(before))()
            status, message = self.call(
                "mend_variations_take", made, number, image, struct(after, 3, RGB | U8)
            )
            self.assertEqual(status, OK, message)
            self.check_fill(before, after)
            taken.append(bytes(after))
        self.assertIn(bytes(plain), taken)
        self.assertEqual(len(set(taken)), 3)
        status, message = self.call("mend_variations_take", made, 3, image, image)
        self.assertEqual((status, bytes(before)), (ARGUMENT, noise), message)

    def test_refusals_change_nothing(self):
        pixels, selected = picture(), mask()
        good, hole = struct(pixels, 3, RGB | U8), struct(selected, 1, GRAY | U8)
        for src, masked, dst, status, said in [
            (None, hole, good, NULL, "'src'"),
            (good, None, good, NULL, "'mask'"),
            (good, hole, None, NULL, "'dst'"),
            (good, struct(selected, 1, GRAY | U8, width=WIDTH - 1), good, MASK, "mask"),
            (struct(pixels, 3, RGB | U8, stride=7), hole, good, IMAGE, "stride"),
            (struct(pixels, 3, RGB | U8, height=HEIGHT + 1), hole, good, IMAGE, "'src'"),
            (struct(pixels, 3, RGB | F32), hole, good, IMAGE, "'src'"),
            (struct(pixels, 3, 0xBAD), hole, good, IMAGE, "format"),
            (good, good, good, MASK, "'mask'"),
            (good, hole, struct(pixels, 3, RGB | U8, height=HEIGHT - 1), IMAGE, "'dst'"),
        ]:
            got, message = self.fill(src, masked, dst)
            self.assertEqual(got, status, message)
            self.assertIn(said, message)
        for name, value, status, said in [
            (b"sede", b"1", PARAMETER, "'seed'"),
            (b"seed", b"x", PARAMETER, "seed"),
            (b"engine", b"exemplary", ENGINE, "'exemplar'"),
            (b"\xff", b"1", ARGUMENT, "UTF-8"),
            (None, b"1", NULL, "'name'"),
        ]:
            got, message = self.call("mend_request_set", self.request, name, value)
            self.assertEqual(got, status, message)
            self.assertIn(said, message)
        self.assertEqual(
            self.call("mend_inpainter_set", self.inpainter, b"max-memory", b"1K")[0], OK
        )
        self.assertEqual(self.fill(good, hole, good)[0], BUDGET)
        self.assertEqual(bytes(pixels), bytes(picture()))

    def test_cancel(self):
        pixels, selected = picture(), mask()
        image, hole = struct(pixels, 3, RGB | U8), struct(selected, 1, GRAY | U8)
        for answer in (0, 2, -1, 0x5A5A5A5A):
            calls = []

            @CALLBACK
            def progress(_told, _user):
                calls.append(answer)
                return answer

            self.assertEqual(self.fill(image, hole, image, progress)[0], CANCELLED)
            self.assertEqual(len(calls), 1)
        cancel = c_void_p()
        self.assertEqual(self.lib.mend_cancel_new(byref(cancel), None), OK)
        self.assertEqual(self.lib.mend_cancel_trigger(cancel), OK)
        self.assertEqual(self.fill(image, hole, image, cancel=cancel)[0], CANCELLED)
        self.lib.mend_cancel_free(cancel)
        self.assertEqual(bytes(pixels), bytes(picture()))

    def test_two_threads_share_an_inpainter(self):
        selected = mask()
        hole = struct(selected, 1, GRAY | U8)
        pictures = [picture() for _ in range(2)]
        outcomes = []

        def work(pixels):
            image = struct(pixels, 3, RGB | U8)
            outcomes.append(self.fill(image, hole, image))

        threads = [threading.Thread(target=work, args=(p,)) for p in pictures]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(outcomes, [(OK, "")] * 2)
        self.check_fill(picture(), pictures[0])
        self.assertEqual(bytes(pictures[0]), bytes(pictures[1]))

    def test_a_thread_that_python_ends_inside_the_callback_takes_nothing_with_it(self):
        # Python 3.13 and older end a daemon thread as it asks for the interpreter that is gone.
        child = subprocess.run(
            [sys.executable, "-c", ENDING, os.path.dirname(__file__)],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual((child.returncode, child.stderr), (0, ""))
        self.assertEqual(child.stdout, "in the callback\n")

    def test_nothing_to_free(self):
        for name in ("inpainter", "request", "cancel", "error", "string", "variations"):
            getattr(self.lib, "mend_%s_free" % name)(None)
        self.assertEqual(self.lib.mend_error_status(None), NULL)
        self.assertEqual(self.lib.mend_error_message(None), b"")


if __name__ == "__main__":
    unittest.main()
