# SPDX-License-Identifier: MIT OR Apache-2.0
"""A web server inside a host's own Python, with a model that comes in two goes; and a catalogue
that names it."""

import hashlib
import http.server
import json
import threading


class Slow:
    """Serves the file `path` as the model "eraser" (MI-GAN): half of it at first, and then nothing
    until `halt` is set; all the rest when the rest is asked for. Writes `catalogue`."""

    def __init__(self, path, catalogue, licence):
        with open(path, "rb") as file:
            data = file.read()
        self.halt = halt = threading.Event()

        class Files(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers.get("Range")
                start = int(asked[6:-1]) if asked else 0
                self.send_response(206 if asked else 200)
                self.send_header("ETag", '"v1"')
                self.send_header("Content-Length", str(len(data) - start))
                if asked:
                    whole = len(data)
                    part = "bytes %d-%d/%d" % (start, whole - 1, whole)
                    self.send_header("Content-Range", part)
                self.end_headers()
                if asked or halt.is_set():
                    self.wfile.write(data[start:])
                    return
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                halt.wait(30)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        model = {
            "id": "eraser",
            "kind": "migan",
            "base": "any",
            "title": "A Small Eraser",
            "about": "MI-GAN with random weights, for tests",
            "url": "http://127.0.0.1:%d/eraser" % self._server.server_address[1],
            "licence": {"name": licence, "url": "https://example.org/licence"},
            "files": [
                {"path": "migan.pt", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            ],
        }
        with open(catalogue, "w", encoding="utf-8") as file:
            json.dump({"models": [model]}, file)

    def close(self):
        self.halt.set()
        self._server.shutdown()
        self._server.server_close()
