# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog of the models: a model is fetched from a server of this test's, stopped, gone on with,
imported, removed; and the dialog of Inpaint follows."""

import os

from hands import APP, OUT, Picture, check, idle, module, photograph, plugin, shown
from slow_server import Slow


def answer(button):
    """Presses a button of the question that is open."""
    (question,) = shown("mend_models_question")
    found = [b for b in question.buttons() if button in b.text().replace("&", "")]
    check(len(found) == 1, button, "is not among", [b.text() for b in question.buttons()])
    text = question.text()
    found[0].click()
    return text


def asks(press, button, words, name=None):
    """Presses what asks, and answers; a question waits in an event loop of its own."""
    seen = []

    def look():
        if name:
            shown("mend_models_question")[0].grab().save(os.path.join(OUT, name))
        seen.append(answer(button))

    module("qt").QtCore.QTimer.singleShot(400, look)
    press()
    check(seen and words in seen[0], "it was asked", seen)


def models():
    """All of it, in a Krita that has no model of MI-GAN's."""
    picture = Picture(1200, 900)
    yield from picture.open()
    picture.select((40, 80, 240, 180))
    APP.writeSetting("mend_inpaint", "last", "")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    box._more.click()
    yield 300
    yield from photograph(box, "krita-models-button.png")
    box.open_models()
    yield lambda: shown("mend_models_dialog")
    yield 300
    box.models.choose("sd15-inpainting")
    yield from photograph(box.models, "krita-models.png")
    box.models.reject()
    yield 200
    check(plugin()._dialog is box, "it opened anew though nothing changed")
    catalogue = os.path.join(OUT, "catalog.json")
    file = os.path.join(os.path.dirname(__file__), "migan.pt")
    server = Slow(file, catalogue, "Test Non-Commercial")
    os.environ["MEND_CATALOG"] = catalogue
    box.open_models()
    yield lambda: shown("mend_models_dialog")
    yield 300
    dialog = box.models
    titles = [row.title for row in dialog.shelf.rows]
    check("A Small Eraser" in titles and "big-LaMa" in titles, "it lists", titles)
    dialog.choose("sd15-inpainting")
    yield 200
    check("OpenRAIL" in dialog._detail.text(), "no licence in", dialog._detail.text())
    dialog.choose("eraser")
    asks(dialog.get.click, "Accept", "not for commercial use", "krita-models-licence.png")
    yield lambda: dialog.shelf.share is not None and dialog.shelf.share > 0.4
    yield 300
    yield from photograph(dialog, "krita-models-getting.png")
    check(not dialog.get.isEnabled(), "two at a time")
    dialog.cancel.click()
    yield lambda: not dialog.shelf.busy
    yield 150
    check("Continue" in dialog.get.text(), "after a stop it offers", dialog.get.text())
    asks(dialog.get.click, "Accept", "not for commercial use")
    yield lambda: not dialog.shelf.busy
    yield 150
    check(dialog.shelf.row("eraser").state == "Installed", dialog.shelf.words)
    dialog.accept()
    # The dialog opens again, with what came.
    yield lambda: plugin()._dialog is not box and shown("mend_inpaint_dialog")
    yield 400
    again = plugin()._dialog
    offered = {e["id"]: e["available"] for e in plugin()._description["engines"]}
    check(offered["migan"], "the engine did not come:", offered)
    check(again._more.isChecked(), "More was closed")
    again.input("engine").set("migan")
    yield 500
    check(again._start.isEnabled(), "it cannot be used:", again._planned.text())
    # Closing stops a fetch and keeps its part; removing asks.
    again.open_models()
    yield lambda: shown("mend_models_dialog")
    dialog = again.models
    dialog.choose("eraser")
    yield 100
    asks(dialog.remove.click, "Remove", "That frees")
    yield lambda: not dialog.shelf.busy
    yield 150
    check(dialog.shelf.row("eraser").state == "Not here", dialog.shelf.words)
    dialog.choose("eraser")
    asks(dialog.get.click, "Accept", "commercial")
    yield lambda: dialog.shelf.share is not None and dialog.shelf.share > 0.4
    dialog.reject()
    yield lambda: plugin()._dialog is not again and shown("mend_inpaint_dialog")
    row = next(m for m in plugin()._mend.models()["models"] if m["id"] == "eraser")
    check(row["state"] == "partial" and row["here"] > 0, "closing left", row["state"])
    plugin()._dialog.reject()
    yield 200
    plugin()._mend.remove_model("eraser")
    server.close()
    os.environ.pop("MEND_CATALOG")
    yield idle
    yield from picture.close()
