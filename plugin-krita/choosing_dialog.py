# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog that selects an object by clicks and boxes. No Krita here."""

from typing import Any

from . import choosing, job, thumbs
from .gallery import image_of
from .inputs import Note, line
from .job import Rect
from .qt import QtCore, QtGui, QtWidgets

Qt = QtCore.Qt
# Pixels of the picture on the screen.
LARGE, SMALL = QtCore.QSize(720, 420), QtCore.QSize(320, 200)
# Pixels of the longer side of what is shown.
MOST = 1400
DOT = 5.0


class Picture(QtWidgets.QWidget):
    """The picture with what is selected of it, to be clicked on."""

    pointed = QtCore.pyqtSignal()

    def __init__(self, image, chooser):
        super().__init__()
        self.setObjectName("mend_choosing_picture")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setMinimumSize(SMALL)
        expanding = QtWidgets.QSizePolicy.Policy.Expanding
        self.setSizePolicy(expanding, expanding)
        self._image, self._chooser = image, chooser
        self._drag: Any = None
        self.tint: Any = None

    def sizeHint(self):
        return LARGE

    def frame(self):
        """Where the picture is on the widget."""
        room = (float(self.width()), float(self.height()))
        return choosing.Frame(self._chooser.width, self._chooser.height, room)

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QtGui.QPalette.ColorRole.Base))
        frame = self.frame()
        left, top = frame.corner
        place = QtCore.QRectF(left, top, frame.width * frame.scale, frame.height * frame.scale)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.drawImage(place, self._image)
        if self.tint is not None:
            painter.drawImage(place, self.tint)
        self._mark(painter, frame)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.Highlight))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _mark(self, painter, frame):
        """What was pointed at."""
        asked = self._chooser.asked
        area = self._drag.area if self._drag and self._drag.is_box else asked.area
        if area is not None:
            corners = [frame.place(*area[:2]), frame.place(*area[2:])]
            box = QtCore.QRectF(*(QtCore.QPointF(*corner) for corner in corners))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255), 3))
            painter.drawRect(box)
            painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0), 1))
            painter.drawRect(box)
        for column, row, wanted in asked.clicks:
            painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255), 2))
            painter.setBrush(QtGui.QColor(20, 150, 60) if wanted else QtGui.QColor(200, 30, 30))
            painter.drawEllipse(QtCore.QPointF(*frame.place(column, row)), DOT, DOT)

    def mousePressEvent(self, event):
        at, frame = event.pos(), self.frame()
        if not frame.inside(at.x(), at.y()):
            return
        shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        wanted = event.button() == Qt.MouseButton.LeftButton and not shifted
        self._drag = choosing.Drag(frame, at.x(), at.y(), wanted)

    def mouseMoveEvent(self, event):
        if self._drag is not None:
            self._drag.move(event.pos().x(), event.pos().y())
            self.update()

    def mouseReleaseEvent(self, event):
        drag, self._drag = self._drag, None
        if drag is not None:
            drag.done(self._chooser)
            self.pointed.emit()

    def contextMenuEvent(self, event):
        # The right button says what is not the object.
        event.accept()


class Dialog(QtWidgets.QDialog):
    """`whole`: all of the picture, with what thumbs.look wants of a part. `chooser`: a
    choosing.Chooser of it. `taken(mask, add, fill)` is emitted when the user takes the selection:
    whether to add it to the one that is there, and to go on to Inpaint."""

    taken = QtCore.pyqtSignal(object, bool, bool)

    def __init__(self, parent, whole, chooser, selected):
        super().__init__(parent)
        self.setObjectName("mend_choosing_dialog")
        self.setWindowTitle("Mend: Select Object")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, False)
        self.chooser = chooser
        view = Rect(0, 0, chooser.width, chooser.height)
        self._step = thumbs.step_of(view, MOST)
        look: Any = thumbs.look(whole, whole.data, view, self._step)
        self.picture = Picture(image_of(look), chooser)
        self.picture.setAccessibleName("Picture")
        self.picture.pointed.connect(self._refresh)
        self._hint = Note()
        self._hint.setObjectName("mend_choosing_hint")
        column = QtWidgets.QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(self.picture, 1)
        column.addWidget(self._hint)
        column.addLayout(self._settings(selected))
        column.addWidget(line())
        column.addWidget(self._buttons())
        self._keys()
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        self._refresh()
        self.picture.setFocus()

    def _settings(self, selected):
        row = QtWidgets.QHBoxLayout()
        self.grow = QtWidgets.QSpinBox()
        self.grow.setRange(choosing.BY_ITSELF, 200)
        self.grow.setSpecialValueText("A little")
        self.grow.setSuffix(" px")
        self.grow.setValue(choosing.BY_ITSELF)
        self.grow.setToolTip("How far the selection reaches beyond the object.")
        self.grow.valueChanged.connect(self._grow)
        label = QtWidgets.QLabel("&Grow:")
        label.setBuddy(self.grow)
        self.add = QtWidgets.QCheckBox("&Add to the selection")
        self.add.setToolTip("Krita cannot undo a selection that a plug-in makes.")
        self.add.setVisible(selected)
        self.add.setChecked(selected)
        self.back = QtWidgets.QPushButton("&Undo Click")
        self.back.setToolTip("Backspace")
        self.back.setAutoDefault(False)
        self.back.clicked.connect(self._undo)
        for widget in (label, self.grow, self.add):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.back)
        return row

    def _buttons(self):
        buttons = QtWidgets.QDialogButtonBox()
        role = QtWidgets.QDialogButtonBox.ButtonRole
        self.select = buttons.addButton("&Select", role.AcceptRole)
        self.select.setDefault(True)
        self.inpaint = buttons.addButton("Select and &Inpaint\u2026", role.ActionRole)
        self.inpaint.setAutoDefault(False)
        cancel = buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        cancel.setAutoDefault(False)
        self.select.clicked.connect(lambda: self._take(False))
        self.inpaint.clicked.connect(lambda: self._take(True))
        buttons.rejected.connect(self.reject)
        return buttons

    def _keys(self):
        for key, work in ((Qt.Key.Key_Backspace, self._undo), (Qt.Key.Key_Delete, self._clear)):
            # Qt 6 has it elsewhere.
            shortcut: Any = getattr(QtGui, "QShortcut", None) or QtWidgets.QShortcut
            shortcut(QtGui.QKeySequence(key), self.picture, work)

    # --- What the user does ---

    def _grow(self, pixels):
        self.chooser.set_grow(pixels)
        self._refresh()

    def _undo(self):
        self.chooser.undo()
        self._refresh()

    def _clear(self):
        self.chooser.clear()
        self._refresh()

    def _take(self, fill):
        if self.chooser.found:
            mask, add = self.chooser.mask, self.add.isChecked()
            self.accept()
            self.taken.emit(mask, add, fill)

    # --- What is seen ---

    def poll(self):
        """Shows what has been made."""
        if self.chooser.poll():
            self._refresh()

    def _refresh(self):
        chooser = self.chooser
        self._hint.setText(job.sentence(chooser.hint))
        found = chooser.found
        self.select.setEnabled(found)
        self.inpaint.setEnabled(found)
        self.back.setEnabled(bool(chooser.asked.clicks or chooser.asked.area))
        tint = None
        if chooser.mask is not None:
            made = choosing.tint(chooser.mask, chooser.width, chooser.height, self._step)
            tint = image_of(thumbs.Look(Rect(0, 0, chooser.width, chooser.height), *made))
        self.picture.tint = tint
        self.picture.update()

    def done(self, result):
        self._timer.stop()
        self.chooser.close()
        super().done(result)
