# SPDX-License-Identifier: MIT OR Apache-2.0
"""The preview in the dialog: the picture with the fill, the fills to choose from, and the buttons
that make more of them. No Krita here."""

from typing import Any

from . import preview
from .job import Rect
from .qt import QtCore, QtGui, QtWidgets

Qt = QtCore.Qt
# How far small things are magnified.
MOST_ZOOM = 3.0


def _number(flag):
    """A flag as drawText takes it: PyQt5's are numbers, PyQt6's have one."""
    return int(getattr(flag, "value", flag))


# What the button does that makes more, or ends it.
TIPS = {
    "&Another Set": "Makes other fills. The chosen one stays.",
    "&Stop Here": "Ends soon, with what the steps have come to by then.",
}
CENTRE = _number(Qt.AlignmentFlag.AlignCenter)


class Scene:
    """The picture around the hole and one fill on it, to be painted at any size."""

    def __init__(self, view, close_up, looks, fill=None):
        self.fill, self.close_up = fill, close_up
        self.whole = Rect(0, 0, view.width, view.height)
        self._images = [(look.rect, image_of(look)) for look in looks]

    def paint(self, painter, rect, faded, part):
        """`part` of it in the middle of `rect`, as large as it goes; `faded` where it is out of
        date."""
        scale = min(rect.width() / part.width, rect.height() / part.height, MOST_ZOOM)
        width, height = part.width * scale, part.height * scale
        left = rect.x() + (rect.width() - width) / 2
        top = rect.y() + (rect.height() - height) / 2
        painter.save()
        painter.setClipRect(QtCore.QRectF(left, top, width, height))
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        for at, image in self._images:
            place = QtCore.QRectF(
                left + (at.x - part.x) * scale,
                top + (at.y - part.y) * scale,
                at.width * scale,
                at.height * scale,
            )
            # In steps down to the size, so that each pixel counts.
            size = QtCore.QSize(max(round(place.width()), 1), max(round(place.height()), 1))
            if image.width() > size.width():
                image = image.scaled(
                    size,
                    Qt.AspectRatioMode.IgnoreAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
            painter.drawImage(place, image)
        if faded:
            veil = painter.background().color()
            veil.setAlpha(140)
            painter.fillRect(QtCore.QRectF(left, top, width, height), veil)
        painter.restore()


def image_of(look):
    kind = QtGui.QImage.Format.Format_RGBA8888
    # A copy, for the image does not keep the bytes alive.
    return QtGui.QImage(look.rgba, look.width, look.height, look.width * 4, kind).copy()


class Picture(QtWidgets.QWidget):
    """The large picture: with the fill, and without it as long as the mouse or the space bar is
    held on it."""

    held = QtCore.pyqtSignal(bool)

    def __init__(self):
        super().__init__()
        self.setObjectName("mend_picture")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(200, 120)
        expanding = QtWidgets.QSizePolicy.Policy.Expanding
        self.setSizePolicy(expanding, expanding)
        self.scene: Any = None
        self.text, self.faded = "", False

    def sizeHint(self):
        return QtCore.QSize(428, 240)

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        palette, box = self.palette(), self.rect()
        painter.fillRect(box, palette.color(QtGui.QPalette.ColorRole.Base))
        if self.scene:
            inside = box.adjusted(1, 1, -1, -1)
            self.scene.paint(painter, inside, self.faded, self.scene.whole)
        if self.text:
            self._write(painter, box)
        if self.hasFocus():
            painter.setPen(palette.color(QtGui.QPalette.ColorRole.Highlight))
            painter.drawRect(box.adjusted(0, 0, -1, -1))
        painter.end()

    def _write(self, painter, box):
        palette, flags = self.palette(), CENTRE | _number(Qt.TextFlag.TextWordWrap)
        if not self.scene:
            painter.setPen(palette.color(QtGui.QPalette.ColorRole.Text))
            painter.drawText(box.adjusted(12, 12, -12, -12), flags, self.text)
            return
        # Over a picture the text stands at its foot, on a band of its own.
        inside = box.adjusted(12, 4, -12, -4)
        needed = painter.boundingRect(inside, flags, self.text)
        band = QtCore.QRect(box.x(), box.bottom() - needed.height() - 7, box.width(), 999)
        painter.fillRect(band.intersected(box), QtGui.QColor(0, 0, 0, 170))
        painter.setPen(QtGui.QColor(255, 255, 255))
        needed.moveTop(band.y() + 4)
        painter.drawText(needed, flags, self.text)

    def mousePressEvent(self, event):
        self.held.emit(True)

    def mouseReleaseEvent(self, event):
        self.held.emit(False)

    def keyPressEvent(self, event):
        if event.key() != Qt.Key.Key_Space:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.held.emit(True)

    def keyReleaseEvent(self, event):
        if event.key() != Qt.Key.Key_Space:
            super().keyReleaseEvent(event)
        elif not event.isAutoRepeat():
            self.held.emit(False)

    def focusOutEvent(self, event):
        self.held.emit(False)
        super().focusOutEvent(event)


class Thumb(QtWidgets.QAbstractButton):
    """One of the fills, to be chosen as radio buttons are."""

    def __init__(self, number):
        super().__init__()
        self.setObjectName("mend_fill_%d" % (number + 1))
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setShortcut("Alt+%d" % (number + 1))
        self.setToolTip("Alt+%d" % (number + 1))
        self.setAccessibleName("Fill %d" % (number + 1))
        self.setFixedHeight(62)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Expanding, policy.Fixed)
        self.scene: Any = None
        self.faded = self.awaited = False

    def sizeHint(self):
        return QtCore.QSize(90, 62)

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        palette, box = self.palette(), self.rect()
        painter.fillRect(box, palette.color(QtGui.QPalette.ColorRole.Base))
        if self.scene:
            inside = box.adjusted(4, 4, -4, -4)
            self.scene.paint(painter, inside, self.faded, self.scene.close_up)
        elif self.awaited:
            painter.setPen(palette.color(QtGui.QPalette.ColorRole.Text))
            painter.drawText(box, CENTRE, "\u2026")
        if self.scene and self.isChecked():
            painter.setPen(QtGui.QPen(palette.color(QtGui.QPalette.ColorRole.Highlight), 3))
            painter.drawRect(box.adjusted(1, 1, -2, -2))
        if self.hasFocus():
            painter.setPen(QtGui.QPen(palette.color(QtGui.QPalette.ColorRole.Text), 1))
            painter.drawRect(box.adjusted(3, 3, -4, -4))
        painter.end()


class Gallery(QtWidgets.QWidget):
    """All of the preview. `previewer`: a preview.Previewer; a timer here makes it go on. `settled`
    is emitted when a fill was made, or could not be."""

    settled = QtCore.pyqtSignal()

    def __init__(self, previewer):
        super().__init__()
        self.previewer = previewer
        self._becoming, self._becoming_of = None, None
        self._scenes, self._original, self._of = {}, None, None
        self._shown_original, self._polling = False, False
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.picture = Picture()
        self.picture.setAccessibleName("Preview")
        self.picture.setToolTip("Hold the mouse button or the space bar to see the original.")
        self.picture.held.connect(self._hold)
        column.addWidget(self.picture, 1)
        strip = QtWidgets.QHBoxLayout()
        strip.setSpacing(6)
        self._group = QtWidgets.QButtonGroup(self)
        self.thumbs = [Thumb(number) for number in range(preview.FILLS)]
        for number, thumb in enumerate(self.thumbs):
            self._group.addButton(thumb, number)
            strip.addWidget(thumb)
            thumb.toggled.connect(lambda on, number=number: on and self._choose(number))
        column.addLayout(strip)
        column.addLayout(self._buttons())
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        self.refresh()

    def _buttons(self):
        row = QtWidgets.QHBoxLayout()
        self.original = QtWidgets.QPushButton("Show &Original")
        self.original.setToolTip("Shows the picture without the fill, as long as it is held.")
        self.original.pressed.connect(lambda: self._hold(True))
        self.original.released.connect(lambda: self._hold(False))
        self.another = QtWidgets.QPushButton("&Another Set")
        self.another.setToolTip(TIPS["&Another Set"])
        self.another.clicked.connect(self._another)
        for button in (self.original, self.another):
            button.setAutoDefault(False)
        row.addWidget(self.original)
        row.addStretch(1)
        row.addWidget(self.another)
        return row

    # --- What the user does ---

    def want(self, key, slow, steps):
        """The settings are these now; see Previewer.want."""
        self.previewer.want(key, slow, steps)
        self.poll()
        self.refresh()

    def _hold(self, held):
        if held != self._shown_original:
            self._shown_original = held
            self.refresh()

    def _choose(self, number):
        self.previewer.choose(number)
        self.refresh()

    def _another(self):
        state = self.previewer.state
        if state in (preview.ASK, preview.FAILED):
            self.previewer.ask()
        elif self.previewer.can_finish:
            self.previewer.finish()
        elif self.previewer.working:
            self.previewer.stop()
        else:
            self.previewer.another()
        self.poll()
        self.refresh()

    # --- What is seen ---

    def poll(self):
        """Goes on with the preview."""
        # Krita handles events, and this timer's with them, while it converts colours.
        if self._polling:
            return
        self._polling = True
        worked = self.previewer.working
        try:
            changed = self.previewer.poll()
        finally:
            self._polling = False
        if changed or (self.previewer.working and self.previewer.slow):
            self.refresh()
        now = self.previewer
        if (worked and not now.working) or (changed and now.fills and not now.stale):
            self.settled.emit()

    def make(self):
        """Makes the fill that waits to be asked for."""
        self.previewer.ask()
        self.poll()
        self.refresh()

    def close_preview(self):
        """Stops for good."""
        self._timer.stop()
        self.previewer.close()

    def refresh(self):
        """Shows the state as it is."""
        now = self.previewer
        self._make_scenes()
        shown = self._original if self._shown_original else None
        if shown is None and now.fills:
            shown = self._scenes.get(id(now.fills[now.chosen]))
        if now.glimpse and not self._shown_original:
            shown = self._becoming
        self.picture.scene = shown or self._original
        self.picture.faded = now.stale and not self._shown_original
        self.picture.text = self.previewer.words
        self.picture.update()
        for number, thumb in enumerate(self.thumbs):
            there = number < len(now.fills)
            thumb.scene = self._scenes.get(id(now.fills[number])) if there else None
            thumb.setEnabled(there)
            thumb.faded = now.stale or (there and now.fills[number] in now.leaving)
            thumb.awaited = now.working and number < now.expected
            if there and number == now.chosen and not thumb.isChecked():
                blocked = thumb.blockSignals(True)
                thumb.setChecked(True)
                thumb.blockSignals(blocked)
            thumb.update()
        self.original.setEnabled(bool(now.fills))
        text, able = "&Another Set", now.more
        if now.state in (preview.ASK, preview.FAILED):
            text, able = "Pre&view", True
        elif now.working and now.steps:
            text, able = "&Stop Here", now.can_finish
        elif now.working and now.slow:
            text, able = "&Stop", True
        if self.another.text() != text:
            self.another.setText(text)
            self.another.setToolTip(TIPS.get(text, ""))
        self.another.setEnabled(able)

    def _make_scenes(self):
        now = self.previewer
        if now.view is None:
            self._scenes, self._original, self._of = {}, None, None
            self._becoming, self._becoming_of = None, None
            return
        if self._original is None or self._of is not now.picture:
            self._original, self._of = Scene(now.view, now.close_up, now.picture), now.picture
        if now.glimpse is not self._becoming_of:
            self._becoming_of = now.glimpse
            looks = (*now.picture, *now.glimpse)
            self._becoming = Scene(now.view, now.close_up, looks) if now.glimpse else None
        kept = {}
        for fill in now.fills:
            known = self._scenes.get(id(fill))
            # The fill is kept beside its scene, so that no other one gets its id.
            if known is None:
                known = Scene(now.view, now.close_up, (*now.picture, *fill.looks), fill)
            kept[id(fill)] = known
        self._scenes = kept
