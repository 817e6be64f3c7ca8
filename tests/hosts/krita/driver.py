# SPDX-License-Identifier: MIT OR Apache-2.0
"""A plug-in for tests only: runs the script $MEND_TEST_SCRIPT inside a real Krita, then quits.

The script's main(say) is a generator. It yields milliseconds to wait, or a function to wait for
until it returns true; between steps Krita's own event loop runs, as it does under a user's hands.
What main returns is the exit code.
"""

import os
import time
import traceback
from typing import Any, Dict

from krita import Extension, Krita

try:
    from PyQt5.QtCore import QTimer
except ImportError:
    from PyQt6.QtCore import QTimer

PATIENCE = 90.0  # seconds that one wait may take


class Driver(Extension):
    def setup(self):
        if os.environ.get("MEND_TEST_SCRIPT"):
            QTimer.singleShot(1000, self._begin)

    def createActions(self, window):
        pass

    def _begin(self):
        self._log = open(os.environ["MEND_TEST_LOG"], "w", encoding="utf-8")
        try:
            path = os.environ["MEND_TEST_SCRIPT"]
            with open(path, encoding="utf-8") as file:
                names: Dict[str, Any] = {"__name__": "mend_test", "__file__": path}
                exec(compile(file.read(), path, "exec"), names)
            self._steps = names["main"](self.say)
        except BaseException:
            self._fail()
        self._step(lambda: next(self._steps))

    def say(self, *words):
        print(*words, file=self._log, flush=True)

    def _fail(self):
        self.say(traceback.format_exc())
        os._exit(3)

    def _step(self, go_on):
        try:
            wanted = go_on()
        except StopIteration as end:
            os._exit(int(end.value or 0))
        except BaseException:
            self._fail()
        if callable(wanted):
            self._wait(wanted, time.monotonic() + PATIENCE)
        else:
            QTimer.singleShot(int(wanted), self._next)

    def _next(self):
        self._step(lambda: next(self._steps))

    def _wait(self, ready, until):
        try:
            done = ready()
        except BaseException:
            self._fail()
        if done:
            QTimer.singleShot(0, self._next)
        elif time.monotonic() > until:
            error = TimeoutError("waited %.0f s in vain" % PATIENCE)
            self._step(lambda: self._steps.throw(error))
        else:
            QTimer.singleShot(10, lambda: self._wait(ready, until))


Krita.instance().addExtension(Driver(Krita.instance()))
