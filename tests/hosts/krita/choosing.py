# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selecting an object by a click, in the real program and without a model."""

from typing import Any

try:
    from PyQt5.QtCore import QEvent, QPointF, Qt
    from PyQt5.QtGui import QMouseEvent
    from PyQt5.QtWidgets import QApplication
except ImportError:
    from PyQt6.QtCore import QEvent, QPointF, Qt
    from PyQt6.QtGui import QMouseEvent
    from PyQt6.QtWidgets import QApplication

from hands import APP, H, Picture, W, check, idle, layers, photograph, plugin, shown, undo_name
from previews import silent

CENTRE, RADIUS = (110, 120), 40


def disc(width, height):
    """A red disc on plain green."""
    data = bytearray(b"\x50\xa0\x50\xff" * (width * height))
    for y in range(height):
        for x in range(width):
            if inside(x, y):
                data[(y * width + x) * 4 : (y * width + x) * 4 + 3] = b"\x20\x20\xd0"
    return bytes(data)


def inside(x, y, by=0):
    return (x - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2 <= (RADIUS + by) ** 2


def click(widget, column, row, button=Qt.MouseButton.LeftButton):
    """As a mouse does it."""
    at = QPointF(*widget.frame().place(column, row))
    kinds = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease)
    for kind in kinds:
        none = Qt.KeyboardModifier.NoModifier
        event: Any = QMouseEvent(kind, at, button, button, none)
        QApplication.sendEvent(widget, event)


def by_a_click():
    """A click selects the disc, and what is selected can be removed."""
    picture = Picture(pixels=disc(W, H))
    yield from picture.open()
    # With the settings of nobody, such as an engine that takes minutes.
    APP.writeSetting("mend_inpaint", "last", "")
    doc = picture.doc
    before, tree, undoable = picture.seen(), layers(doc.rootNode()), undo_name()
    APP.action("mend_select_object").trigger()
    yield lambda: shown("mend_choosing_dialog")
    box = plugin()._choosing
    yield lambda: box.chooser.state == "waiting"
    check(not box.select.isEnabled(), "nothing can be taken")
    check(not box.add.isVisible(), "there is no selection to add to")
    click(box.picture, *CENTRE)
    yield lambda: box.chooser.state == "ready"
    check("plain" in box._hint.text(), "it does not say how:", box._hint.text())
    yield from photograph(box, "krita-select.png")
    # The disc is seen tinted, and the ground is seen as it is.
    seen = box.picture.grab().toImage()
    for place, wanted in ((CENTRE, "disc"), ((260, 120), "ground")):
        x, y = box.picture.frame().place(place[0] + 12, place[1] + 12)
        colour = seen.pixelColor(int(x), int(y))
        red = colour.red() > colour.green()
        check(red == (wanted == "disc"), wanted, "is", colour.getRgb())
    # What is not the object, and back again.
    click(box.picture, 10, 10, Qt.MouseButton.RightButton)
    yield lambda: box.chooser.state == "ready"
    check(len(box.chooser.asked.clicks) == 2, "the right button said nothing")
    box.back.click()
    yield lambda: box.chooser.state == "ready"
    check(picture.seen() == before and doc.selection() is None, "it selected at once")
    box.select.click()
    yield 300
    silent()
    selected = picture.selected()
    wrong = [
        (x, y)
        for y in range(H)
        for x in range(W)
        if (inside(x, y, -1) and not selected[y * W + x])
        or (selected[y * W + x] and not inside(x, y, 8))
    ]
    check(not wrong, len(wrong), "pixels are selected wrongly", wrong[:4])
    # Krita has no undo step for a plug-in's selection: the user's own are to stay as they were.
    check(undo_name() == undoable, "another undo step:", undo_name())
    # What is selected already stays, unless the user says otherwise; and on to Inpaint.
    picture.select((250, 20, 30, 30))
    APP.action("mend_select_object").trigger()
    yield lambda: shown("mend_choosing_dialog")
    box = plugin()._choosing
    yield lambda: box.chooser.state == "waiting"
    check(box.add.isVisible() and box.add.isChecked(), "the selection would be lost")
    click(box.picture, *CENTRE)
    yield lambda: box.chooser.state == "ready"
    box.inpaint.click()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield lambda: box.previewer.state == "ready"
    box._start.click()
    yield idle
    yield 200
    silent()
    after = picture.seen()
    at = (CENTRE[1] * W + CENTRE[0]) * 4
    both = picture.selected()
    check(both[30 * W + 260] and both[CENTRE[1] * W + CENTRE[0]], "they are not both selected")
    check(after[at : at + 4] == b"\x50\xa0\x50\xff", "the disc is still there", after[at : at + 4])
    check(len(layers(doc.rootNode())) == len(tree) + 1, "there is no new layer")
    yield from picture.close()
