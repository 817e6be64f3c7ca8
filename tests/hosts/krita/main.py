# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Krita plug-in under a user's hands: run inside a real Krita by driver.py.

Every case triggers the plug-in's own actions and looks at pixels, layers, the undo history and the
messages. One line a case; the exit code is 1 if any failed.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

import canvas
import choosing
import fills
import getting
import models
import nodes
import previews
import trouble
import window
from hands import APP, Failed, Picture, close, idle, noise, plugin, remember, running, shown

ONLY = os.environ.get("MEND_TEST_ONLY", "")


def cases():
    yield "no document", trouble.no_document
    yield "menu and shortcuts", window.menu
    yield "archive for Krita's importer", window.archive
    yield "dialog", window.dialog
    yield "dialog's height, no models", lambda: window.height("no")
    yield "dialog's height, every model", lambda: window.height("every")
    for result in ("layer", "in-place"):
        yield "preview, chosen fill, " + result, lambda r=result: previews.chosen(r)
    yield "preview, all kept", previews.kept
    yield "preview of a photo", previews.photo
    yield "preview, colours", previews.colours
    yield "preview stays responsive", previews.responsive
    yield "preview, 12 megapixels", previews.large
    for model, depth in fills.MATRIX:
        if depth not in APP.colorDepths(model):
            continue
        for profile in fills.profiles(model, depth):
            for result in ("layer", "in-place"):
                space = (model, depth, profile)
                yield (
                    "%s %s %s, %s" % ((*space, result)),
                    (lambda s=space, r=result: fills.matrix_case(s, r)),
                )
    yield "soft selection, both ways alike", fills.soft_both
    yield "grow", fills.grown
    yield "one click", fills.one_click
    yield "selected just now", trouble.selected_just_now
    yield "selection partly off the canvas", fills.off_canvas
    yield "layer larger than the canvas", nodes.beyond_canvas
    for result in ("layer", "in-place"):
        yield "small moved layer, " + result, lambda r=result: nodes.small_layer(r)
        yield "in a group, " + result, lambda r=result: nodes.in_group(r)
        yield "transparency, " + result, lambda r=result: fills.see_through(r)
        yield "layer of another colour space, " + result, lambda r=result: fills.other_space(r)
        yield "animated layer, " + result, lambda r=result: nodes.animated(r)
    yield "mask and opacity, in place", nodes.masked_layer
    yield "all visible layers", nodes.all_visible
    yield "the layer's own selection", fills.own_selection
    yield "the same fill again", fills.same_again
    yield "diffusion model with a prompt, layer", lambda: models.diffusion("layer")
    yield "diffusion model with a prompt, in-place", lambda: models.diffusion("in-place")
    yield "diffusion model, in the dialog", models.in_the_dialog
    yield "diffusion model, ended early", models.ended_early
    yield "object selected by a click", choosing.by_a_click
    yield "canvas that grows", lambda: canvas.expanded(False)
    yield "canvas that grows as far as the selection", lambda: canvas.expanded(True)
    yield "models, from the dialog", getting.models
    yield "refusals", trouble.refusals
    yield "locked layer", trouble.locked
    yield "wrong layer", trouble.wrong_layer
    yield "library missing or wrong", trouble.bad_libraries
    yield "cancel", trouble.cancelled
    yield "Krita stays responsive", trouble.responsive
    yield "layer removed meanwhile", lambda: trouble.gone_meanwhile("layer")
    yield "document closed meanwhile", lambda: trouble.gone_meanwhile("document")
    yield "12 megapixels U8", lambda: trouble.large("U8")
    yield "12 megapixels F32", lambda: trouble.large("F32")


def main(say):
    say("Krita", APP.version())
    failed = 0
    for name, case in cases():
        if ONLY and not any(part in name for part in ONLY.split("|")):
            continue
        began = time.monotonic()
        note = ""
        try:
            note = (yield from case()) or ""
            verdict = "ok  "
        except (Failed, TimeoutError) as error:
            verdict, note, failed = "FAIL", str(error), failed + 1
        if isinstance(note, bytes):
            note = ""
        say(
            "%s %s (%.1f s)%s"
            % (verdict, name, time.monotonic() - began, ": " + note if note else "")
        )
        # Whatever the case left behind.
        for name_left in ("mend_inpaint_message", "mend_inpaint_dialog", "mend_inpaint_progress"):
            for left in shown(name_left):
                left.close()
        fill = plugin()._fill
        if fill is not None:
            fill._run.cancel()
            yield idle
        for document in APP.documents():
            yield from close(document)
    if failed:
        say(failed, "failed")
        return 1
    # Last of all, for there is no window after it: Krita's window is closed while a fill runs.
    # Krita may end by itself then, and its exit status is the verdict.
    picture = Picture(1200, 1200, pixels=noise(1200, 1200))
    yield from picture.open()
    picture.select((200, 200, 700, 700))
    remember("layer")
    yield 300
    raised = []
    sys.excepthook = lambda *error: raised.append(error[1])
    APP.action("mend_inpaint_again").trigger()
    yield running
    thread = plugin()._fill._run
    picture.doc.setModified(False)
    say("all passed so far; Krita's window is closed while a fill runs")
    APP.activeWindow().qwindow().close()
    yield lambda: idle() and not thread.is_alive()
    yield 300
    if raised or not thread.cancelled or shown("mend_inpaint_message"):
        say("FAIL window closed meanwhile:", raised, thread.error)
        return 1
    return 0
