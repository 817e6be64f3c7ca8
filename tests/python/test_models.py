# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-common/models.py: with a library made of Python, and with the real one and a server.

Run: python3 -m unittest discover tests/python
"""

import hashlib
import http.server
import json
import os
import shutil
import tempfile
import threading
import time
import unittest
from typing import Any

import plugins

plugins.import_gimp()

import models
import native
from test_native import library_file

GOLDEN = os.path.join(plugins.ROOT, "tests", "golden", "taesd.safetensors")
RAIL = {"name": "Some RAIL", "url": "https://example.org/l", "terms": "use-restricted"}


def model(name, state="known", **more):
    return {
        "id": name,
        "title": name.upper(),
        "state": state,
        "purpose": "Removes things",
        "bytes": 2_000_000,
        "here": 0,
        "licence": {"name": "MIT", "url": "https://x", "terms": "free", "accept": False},
        "source": "https://example.org",
        **({"get": "mend models fetch"} if state in ("known", "partial") else {}),
        **more,
    }


class Library:
    """Fetches in steps that the test lets through."""

    def __init__(self, *listed):
        self.listed: Any = {m["id"]: m for m in listed}
        self.error: Any = None
        self.gate, self.raised = threading.Event(), threading.Event()
        self.calls = []

    def models(self):
        return {"folder": "/m", "fetch": True, "models": list(self.listed.values())}

    def cancel(self):
        self.raised = raised = threading.Event()

        class Cancel:
            def trigger(self):
                raised.set()

        return Cancel()

    def trim(self):
        self.calls.append("trim")

    def fetch_model(self, name, mirror=None, progress: Any = None, cancel=None):
        raw = native.mend_transfer(b"f", 500_000, 2_000_000, 1e5, 15.0)
        progress(native.Transfer(raw))
        while not self.gate.wait(0.01):
            if self.raised.is_set():
                self.listed[name] = model(name, "partial", here=500_000)
                raise native.MendError(native.ERR_CANCELLED, "cancelled")
        if self.error:
            raise self.error
        self.listed[name] = model(name, "installed", here=2_000_000)
        return self.listed[name]

    def import_model(self, path, name=None, progress=None, cancel=None):
        self.listed["own"] = model("own", "installed", licence=None)
        return self.listed["own"]

    def remove_model(self, name):
        self.listed[name] = model(name)
        return {"files": 1, "bytes": 2_000_000, "left": ["notes.txt"]}


def until(shelf, done, seconds=20.0):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s" % (seconds, shelf.words))
        shelf.poll()
        time.sleep(0.005)


def idle(shelf):
    until(shelf, lambda: not shelf.busy)


class Rows(unittest.TestCase):
    def test_states_in_words(self):
        for given, state, label, can_get, can_remove in [
            (model("a"), "Not here", "Get", True, False),
            (model("a", "partial", here=500_000), "25 % here", "Continue", True, True),
            (model("a", "installed", here=2_000_000), "Installed", "Get", False, True),
            (model("a", "broken", get="x"), "Damaged", "Repair", True, False),
            ({"id": "a", "state": "broken"}, "Damaged", "Repair", False, False),
        ]:
            row = models.row_of(given)
            self.assertEqual(
                (row.state, row.get_label, row.can_get, row.can_remove),
                (state, label, can_get, can_remove),
            )
        self.assertFalse(models.row_of(model("a"), can_fetch=False).can_get)

    def test_a_licence_that_limits_use_is_shown_and_asked_for(self):
        free = model("a")
        self.assertEqual(models.accept_text(models.row_of(free), free), "")
        for licence, said in [
            ({**RAIL, "accept": True}, "forbids some uses"),
            ({**RAIL, "terms": "non-commercial", "accept": True}, "not for commercial use"),
            (None, "not known"),
        ]:
            one = model("a", licence=licence)
            row = models.row_of(one)
            self.assertIn(said, models.accept_text(row, one))
            if licence:
                self.assertIn("https://example.org/l", models.accept_text(row, one))
                self.assertIn("https://example.org/l", row.detail)
                self.assertIn(said, row.licence)

    def test_sizes(self):
        for count, text in [
            (0, ""),
            (1, "1 kB"),
            (28_079_181, "28 MB"),
            (999_600, "1 MB"),
            (2_133_000_000, "2.1 GB"),
        ]:
            self.assertEqual(models.size_text(count), text)


class Shelf(unittest.TestCase):
    def test_a_model_comes(self):
        library = Library(model("a"))
        shelf = models.Shelf(library)
        shelf.get("a")
        self.assertTrue(shelf.busy)
        until(shelf, lambda: shelf.share is not None)
        shelf.poll()
        self.assertEqual(shelf.share, 0.25)
        self.assertEqual(shelf.words, "Getting A: 500 kB of 2 MB, about 15 seconds left")
        shelf.remove("a")  # one thing at a time
        self.assertFalse(shelf.changed)
        library.gate.set()
        idle(shelf)
        self.assertEqual((shelf.words, shelf.failed, shelf.changed), ("A is here.", False, True))
        self.assertEqual(shelf.row("a").state, "Installed")

    def test_stopped_and_gone_on_with(self):
        library = Library(model("a"))
        shelf = models.Shelf(library)
        shelf.get("a")
        shelf.stop()
        self.assertFalse(shelf.can_stop)
        idle(shelf)
        self.assertFalse(shelf.failed or shelf.changed)
        self.assertEqual(shelf.row("a").get_label, "Continue")
        library.gate.set()
        shelf.get("a")
        idle(shelf)
        self.assertEqual(shelf.row("a").state, "Installed")

    def test_closing_stops_and_keeps(self):
        library = Library(model("a"))
        shelf = models.Shelf(library)
        shelf.get("a")
        start = time.monotonic()
        shelf.close()
        self.assertLess(time.monotonic() - start, 0.9)
        self.assertEqual(library.listed["a"]["state"], "partial")
        self.assertFalse(shelf.changed)

    def test_what_fails_is_told(self):
        library = Library(model("a"))
        library.error = native.MendError(native.ERR_IO, "the server is gone; try later")
        library.gate.set()
        shelf = models.Shelf(library)
        shelf.get("a")
        idle(shelf)
        self.assertTrue(shelf.failed)
        self.assertEqual(shelf.words, "The server is gone; try later.")

    def test_import_and_remove(self):
        library = Library(model("a", "installed", here=2_000_000))
        shelf = models.Shelf(library)
        self.assertEqual(models.remove_text(shelf.row("a")), "Remove A? That frees 2 MB.")
        shelf.remove("a")
        idle(shelf)
        self.assertEqual(library.calls, ["trim"])
        self.assertIn("2 MB freed", shelf.words)
        self.assertIn("notes.txt", shelf.words)
        shelf.bring("/x/own.safetensors")
        idle(shelf)
        self.assertEqual(shelf.words, "own.safetensors was imported as own.")
        self.assertIn("as where you got it", shelf.row("own").detail)


class Files(http.server.BaseHTTPRequestHandler):
    """Serves the golden, with ranges; half of it at first, and then nothing for a while."""

    ranges, halt = [], threading.Event()

    def do_GET(self):
        with open(GOLDEN, "rb") as file:
            data = file.read()
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked[6:-1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(data) - start))
        if asked:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        self.end_headers()
        if asked or self.halt.is_set():
            self.wfile.write(data[start:])
        else:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.halt.wait(20)

    def log_message(self, *_):
        pass


class Real(unittest.TestCase):
    def test_the_library_fetches_for_the_shelf(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(Files.halt.set)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(GOLDEN, "rb") as file:
            data = file.read()
        catalogue = os.path.join(folder, "catalog.json")
        one = {
            "id": "tiny",
            "kind": "taesd",
            "base": "any",
            "title": "Tiny",
            "url": "http://127.0.0.1:%d" % server.server_address[1],
            "files": [
                {
                    "path": "m.safetensors",
                    "size": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
            ],
        }
        with open(catalogue, "w", encoding="utf-8") as file:
            json.dump({"models": [one]}, file)
        settings = {"models": os.path.join(folder, "models"), "catalog": catalogue}
        inpainter = native.Inpainter(settings, native.load(library_file()))
        shelf = models.Shelf(inpainter)
        self.assertEqual(shelf.rows[0].title, "Tiny")
        self.assertIn("not known", shelf.question("tiny"))
        self.assertEqual(shelf.question("migan"), "")
        self.assertIn("OpenRAIL", shelf.question("sd15"))
        self.assertEqual(Files.ranges, [])

        shelf.get("tiny")
        until(shelf, lambda: shelf.share and shelf.share > 0.4)
        stopped = time.monotonic()
        shelf.stop()
        idle(shelf)
        self.assertLess(time.monotonic() - stopped, 0.5)
        self.assertEqual(shelf.row("tiny").get_label, "Continue")
        shelf.get("tiny")
        idle(shelf)
        self.assertFalse(shelf.failed, shelf.words)
        self.assertEqual(shelf.row("tiny").state, "Installed")
        self.assertTrue(Files.ranges[-1], Files.ranges)

        shelf.bring(GOLDEN)
        idle(shelf)
        self.assertEqual(shelf.words, "taesd.safetensors was imported as taesd.")
        shelf.remove("tiny")
        idle(shelf)
        self.assertIn("freed", shelf.words)
        self.assertEqual(shelf.row("tiny").state, "Not here")
        shelf.bring(__file__)
        idle(shelf)
        self.assertTrue(shelf.failed)


if __name__ == "__main__":
    unittest.main()
