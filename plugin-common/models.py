# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a dialog of the models shows and does: a list, and one thing at a time done with it.

Knows no host and no toolkit. One copy serves every host. Python's standard library only, 3.8 or
newer. All methods of Shelf belong on the dialog's thread, and none of them waits for the network or
the disk; a timer of the dialog's calls `poll`.
"""

import threading
from typing import Any, NamedTuple, Tuple

try:  # Krita has the plug-in as a package, GIMP as a folder
    from . import job, native
except ImportError:
    import job
    import native

LOOK = 100  # milliseconds between two looks at what is done

# How the terms of a licence are told.
TERMS = {
    "free": "",
    "use-restricted": "forbids some uses",
    "non-commercial": "not for commercial use",
    "unknown": "read its terms",
}
STATES = {
    "installed": "Installed",
    "known": "Not here",
    "partial": "Partly here",
    "broken": "Damaged",
}


def size_text(count):
    """Bytes as those who publish models count them; empty for none."""
    if not count:
        return ""
    if count < 999500:
        return "%d kB" % max(round(count / 1e3), 1)
    if count < 999500000:
        return "%d MB" % round(count / 1e6)
    return "%.1f GB" % (count / 1e9)


class Row(NamedTuple):
    """One model as the list shows it."""

    id: str
    title: str
    purpose: str  # what it is for
    size: str
    licence: str  # with what it forbids
    state: str
    detail: str  # all of it in a few lines, for the chosen one
    can_get: bool
    can_remove: bool
    get_label: str
    here: int  # bytes that its removal frees


def row_of(model, can_fetch=True):
    """A Row of what the library says of a model."""
    state, here, total = model["state"], model.get("here", 0), model.get("bytes", 0)
    licence = model.get("licence") or {}
    name, terms = licence.get("name", ""), TERMS.get(licence.get("terms", ""), "")
    said: str = STATES.get(state) or state
    if state == "partial" and here and total:
        said = "%d %% here" % min(int(100 * here / total), 99)
    elif state == "installed" and model.get("linked"):
        said = "Installed, in its own place"
    purpose = model.get("purpose", "")
    lines = [model.get("about") or purpose]
    if licence:
        lines.append("Licence: %s%s. %s" % (name, ", " + terms if terms else "", licence["url"]))
    elif state == "installed":
        lines.append("Licence: as where you got it.")
    if state == "broken":
        lines.append(job.sentence((model.get("error") or {}).get("message", "It is damaged")))
    elif model.get("source"):
        # What follows in an address of Hugging Face's is the revision.
        lines.append("From %s" % model["source"].split("/resolve/")[0])
    known = state == "known" or "get" in model
    return Row(
        model["id"],
        model.get("title") or model["id"],
        purpose,
        size_text(total or here),
        "%s (%s)" % (name, terms) if terms else name,
        said,
        "\n".join(line for line in lines if line),
        can_fetch and known,
        state in ("installed", "partial"),
        {"partial": "Continue", "broken": "Repair"}.get(state, "Get"),
        here,
    )


def accept_text(row, model):
    """What to ask before the model is fetched; empty where its licence sets no limits to its
    use."""
    licence = model.get("licence")
    if licence and not licence.get("accept"):
        return ""
    if not licence:
        return "The terms of %s are not known. Get it all the same?" % row.title
    terms = TERMS.get(licence.get("terms", ""), "")
    about = ", which %s" % terms if terms.startswith("forbids") else ": %s" % terms
    return "%s comes under the licence %s%s.\n\nRead it: %s\n\nDo you accept it?" % (
        row.title,
        licence["name"],
        about if terms else "",
        licence["url"],
    )


def remove_text(row):
    """What to ask before the model is removed."""
    if not row.here:
        return "Take %s off the list? Its files stay where they are." % row.title
    return "Remove %s? That frees %s." % (row.title, size_text(row.here))


class Work(threading.Thread):
    """Does one thing. Read `told` at any time, `result` and `error` once it is not alive."""

    def __init__(self, verb, title, do, cancel):
        super().__init__(name="mend-models", daemon=True)
        self.verb, self.title = verb, title
        self.told: Any = None  # a native.Transfer
        self.result: Any = None
        self.error: Any = None
        self._do, self._cancel = do, cancel

    def run(self):
        try:
            self.result = self._do(self._report, self._cancel)
        except BaseException as error:  # looked at by the thread that started this one
            self.error = error

    def _report(self, transfer):
        self.told = transfer

    def stop(self):
        self._cancel.trigger()


class Shelf:
    """The models, and what is being done with them. After `poll` has said that something changed,
    show `rows`, `busy`, `share`, `words`; `changed` says whether engines may have come or gone."""

    def __init__(self, inpainter):
        self._inpainter = inpainter
        self._work: Any = None
        self._stopping = False
        self.changed = False
        self.folder, self.words, self.failed = "", "", False
        self.models: Tuple[dict, ...] = ()
        self.rows: Tuple[Row, ...] = ()
        self.read()

    def read(self):
        """Reads the list anew."""
        try:
            all_of_them = self._inpainter.models()
        except native.MendError as error:
            self.models, self.rows = (), ()
            self._say(job.sentence(error.message), True)
            return
        self.folder = all_of_them["folder"]
        self.models = tuple(all_of_them["models"])
        self.rows = tuple(row_of(model, all_of_them["fetch"]) for model in self.models)

    def row(self, model):
        """The Row of an id; None where it is no more."""
        return next((row for row in self.rows if row.id == model), None)

    def question(self, model):
        """What to ask before `get`; empty for nothing."""
        pairs = zip(self.rows, self.models)
        return next((accept_text(r, m) for r, m in pairs if r.id == model), "")

    # --- What is done ---

    @property
    def busy(self):
        """Whether something is being done; until then nothing else can be."""
        return self._work is not None

    @property
    def can_stop(self):
        return self.busy and not self._stopping

    @property
    def share(self):
        """How much of it is done, 0.0 to 1.0; None where nobody knows."""
        told = self._work and self._work.told
        if not told or not told.total:
            return None
        return min(told.bytes / told.total, 1.0)

    def get(self, model):
        """Fetches it, or goes on with that."""
        row = self.row(model)
        if row and row.can_get:
            fetch = self._inpainter.fetch_model
            self._begin(
                "Getting", row.title, lambda tell, stop: fetch(model, progress=tell, cancel=stop)
            )

    def bring(self, path):
        """Imports a file or a folder."""
        take = self._inpainter.import_model
        name = path.replace("\\", "/").rstrip("/").split("/")[-1]
        self._begin("Importing", name, lambda tell, stop: take(path, progress=tell, cancel=stop))

    def remove(self, model):
        """Removes it."""
        row = self.row(model)
        if row and row.can_remove:

            def do(_tell, _stop):
                # Some systems keep a file as long as it is read from.
                self._inpainter.trim()
                return self._inpainter.remove_model(model)

            self._begin("Removing", row.title, do)

    def stop(self):
        """Stops what is being done; what came stays."""
        if self._work is not None:
            self._stopping = True
            self._work.stop()
            self._say("Stopping…")

    def poll(self):
        """Goes on. Whether something is to be shown anew."""
        work = self._work
        if work is None:
            return False
        if work.is_alive():
            if not self._stopping:
                self._say(progress_text(work))
            return True
        self._work, self._stopping = None, False
        if getattr(work.error, "status", None) != native.ERR_CANCELLED:
            self.changed = True
        self.read()
        self._say(*self._outcome(work))
        return True

    def close(self, patience=1.0):
        """Stops for good: what came of a fetch stays, and is gone on from the next time. Waits at
        most so many seconds for the thread."""
        work = self._work
        if work is not None:
            work.stop()
            work.join(patience)
            self._work = None
            self.changed = self.changed or work.error is None

    def _begin(self, verb, title, do):
        if self.busy:
            return
        self._work = Work(verb, title, do, self._inpainter.cancel())
        self._work.start()
        self._say(progress_text(self._work))

    def _say(self, words, failed=False):
        self.words, self.failed = words, failed

    def _outcome(self, work):
        """What is to be said of work that is over, and whether it is bad news."""
        if work.error is None:
            if work.verb == "Removing":
                freed = size_text(work.result.get("bytes", 0))
                left = work.result.get("left")
                text = "%s was removed%s." % (work.title, ": %s freed" % freed if freed else "")
                if left:
                    text += " Mend did not put these there, and they stay: %s." % ", ".join(left)
                return text, False
            if work.verb == "Importing":
                return "%s was imported as %s." % (work.title, work.result["id"]), False
            return "%s is here." % work.title, False
        if getattr(work.error, "status", None) == native.ERR_CANCELLED:
            if work.verb == "Getting":
                return "Stopped. What came is kept; Continue goes on from there.", False
            return "Stopped.", False
        if isinstance(work.error, MemoryError):
            return job.NO_MEMORY, True
        return job.sentence(str(work.error)), True


def progress_text(work):
    """How far `work` is, in a line."""
    text = "%s %s" % (work.verb, work.title)
    told = work.told
    if told is None:
        return text + "…"
    if told.total:
        text += ": %s of %s" % (size_text(told.bytes) or "0 kB", size_text(told.total))
    left = job.left_text(told.seconds_left)
    return "%s, %s" % (text, left) if left else text
