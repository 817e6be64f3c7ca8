# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the dialog is built of: inputs by the kind of parameter, text that wraps, a form. No Krita
here.

Every input has `get`, `set` and a signal `changed`.
"""

import random

from . import krita_job, params
from .qt import QtCore, QtGui, QtWidgets

Qt = QtCore.Qt
INT_MAX = 2**31 - 1


class Digits(QtWidgets.QLineEdit):
    """A whole number of a range that is beyond a spin box's, with a spin box's methods."""

    valueChanged = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        self._field = field
        high = 10**18 if field.max is None else int(field.max)
        digits = "[0-9]{1,%d}" % len(str(high)) if (field.min or 0) >= 0 else "-?[0-9]{1,19}"
        expression = QtCore.QRegularExpression(digits)
        self.setValidator(QtGui.QRegularExpressionValidator(expression, self))
        self.textChanged.connect(lambda _: self.valueChanged.emit())

    def value(self):
        try:
            return self._field.within(int(self.text()))
        except ValueError:
            return self._field.default

    def setValue(self, value):
        self.setText(str(value))


class Whole(QtWidgets.QWidget):
    """A whole number: a spin box, or a line of text where the range is beyond one."""

    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        row = _row(self)
        if field.max is None or field.max > INT_MAX or (field.min or 0) < -INT_MAX:
            self._edit = Digits(field)
            self._edit.valueChanged.connect(self.changed.emit)
        else:
            self._edit = QtWidgets.QSpinBox()
            self._edit.setRange(int(field.min or 0), int(field.max))
            self._edit.setAccelerated(True)
            if "pixels" in field.help:
                self._edit.setSuffix(" px")
            self._edit.valueChanged.connect(lambda _: self.changed.emit())
        row.addWidget(self._edit, 1)
        if field.name == "seed":
            another = QtWidgets.QPushButton("Another")
            another.setToolTip("Draws a seed at random: another fill of the same place.")
            another.setAutoDefault(False)
            another.clicked.connect(lambda: self.set(random.randrange(1, 100000)))
            row.addWidget(another)

    def get(self):
        return self._edit.value()

    def set(self, value):
        self._edit.setValue(value)


class Number(QtWidgets.QDoubleSpinBox):
    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        low = -1e9 if field.min is None else float(field.min)
        high = 1e9 if field.max is None else float(field.max)
        self.setDecimals(3 if high - low <= 10 else 2)
        self.setRange(low, high)
        self.setSingleStep(0.05 if high - low <= 2 else 0.5)
        self.valueChanged.connect(lambda _: self.changed.emit())

    def get(self):
        return self.value()

    def set(self, value):
        self.setValue(float(value))


class Flag(QtWidgets.QCheckBox):
    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__(field.label)
        self.toggled.connect(lambda _: self.changed.emit())

    def get(self):
        return self.isChecked()

    def set(self, value):
        self.setChecked(bool(value))


class Text(QtWidgets.QLineEdit):
    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        self.textChanged.connect(lambda _: self.changed.emit())

    def get(self):
        return self.text()

    def set(self, value):
        self.setText(str(value))


def complete(widget, texts):
    """Offers `texts` while something like them is typed, the first ones first."""
    completer = QtWidgets.QCompleter(texts, widget)
    completer.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
    widget.setCompleter(completer)


class Sides(QtWidgets.QWidget):
    """How far each side of the picture is moved out, in pixels or as a share of the picture."""

    changed = QtCore.pyqtSignal()
    NAMES = (("\u2190", "Left"), ("\u2191", "Top"), ("\u2192", "Right"), ("\u2193", "Bottom"))

    def __init__(self, field):
        super().__init__()
        row = _row(self)
        row.setSpacing(4)
        self._limits = {"px": field.max_pixels or 65536, "%": int(field.max_percent or 400)}
        self._sides = []
        for arrow, name in self.NAMES:
            side = QtWidgets.QSpinBox()
            side.setPrefix(arrow + " ")
            side.setAccessibleName(name)
            side.setToolTip(name)
            side.setAccelerated(True)
            side.valueChanged.connect(lambda _: self.changed.emit())
            row.addWidget(side, 1)
            self._sides.append(side)
        self._unit = QtWidgets.QComboBox()
        for name, label in (("%", "%"), ("px", "px")):
            self._unit.addItem(label, name)
        self._unit.setAccessibleName("Unit")
        row.addWidget(self._unit)
        self._show_unit()
        self._unit.currentIndexChanged.connect(lambda _: self._show_unit())

    def _show_unit(self):
        unit = self._unit.currentData()
        for side in self._sides:
            side.setRange(0, self._limits[unit])
        self.changed.emit()

    def get(self):
        return params.sides_text(self._unit.currentData(), [side.value() for side in self._sides])

    def set(self, value):
        unit, lengths = params.sides_of(value)
        self._unit.setCurrentIndex(self._unit.findData(unit))
        for side, length in zip(self._sides, lengths):
            side.setValue(length)


class Choice(QtWidgets.QComboBox):
    changed = QtCore.pyqtSignal()

    def __init__(self, pairs):
        super().__init__()
        self.offer(pairs)
        # A long label is not to make the dialog wide: the list shows it whole.
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(20)
        self.currentIndexChanged.connect(lambda _: self.changed.emit())

    def offer(self, pairs, chosen=None):
        """Other choices, without a signal."""
        blocked = self.blockSignals(True)
        self.clear()
        for name, label in pairs:
            self.addItem(label, name)
        if chosen is not None:
            self.set(chosen)
        self.blockSignals(blocked)

    def get(self):
        return self.currentData()

    def set(self, value):
        self.setCurrentIndex(max(self.findData(value), 0))


class Extent(QtWidgets.QWidget):
    """A length: automatic, pixels, or a share of the hole's longer side."""

    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        row = _row(self)
        self._unit = QtWidgets.QComboBox()
        for name, label in (("auto", "Automatic"), ("px", "Pixels"), ("%", "Share of the hole")):
            self._unit.addItem(label, name)
        self._amount = QtWidgets.QSpinBox()
        self._amount.setAccelerated(True)
        self._limits = {"px": field.max_pixels or 65536, "%": field.max_percent or 1000}
        self._kept = {"px": 64, "%": 100}
        row.addWidget(self._unit, 1)
        row.addWidget(self._amount, 1)
        self._unit.currentIndexChanged.connect(lambda _: self._show_unit())
        self._amount.valueChanged.connect(self._amount_changed)
        self._show_unit()

    def _show_unit(self):
        unit = self._unit.currentData()
        blocked = self._amount.blockSignals(True)
        self._amount.setVisible(unit != "auto")
        if unit != "auto":
            self._amount.setRange(0, int(self._limits[unit]))
            self._amount.setSuffix(" px" if unit == "px" else " %")
            self._amount.setValue(self._kept[unit])
        self._amount.blockSignals(blocked)
        self.changed.emit()

    def _amount_changed(self, value):
        self._kept[self._unit.currentData()] = value
        self.changed.emit()

    def get(self):
        unit = self._unit.currentData()
        if unit == "auto":
            return "auto"
        return "%d%s" % (self._amount.value(), "%" if unit == "%" else "")

    def set(self, value):
        unit, amount = krita_job.extent_parts(value)
        if unit != "auto":
            self._kept[unit] = amount
        self._unit.setCurrentIndex(self._unit.findData(unit))
        self._show_unit()


class Intents(QtWidgets.QWidget):
    """What the user wants, as radio buttons in a row."""

    changed = QtCore.pyqtSignal()
    KEYS = ((params.REMOVE, "&Remove"), (params.PROMPT, "Fill with a &prompt"))

    def __init__(self, description):
        super().__init__()
        row = _row(self)
        row.setSpacing(16)
        self._buttons = {}
        for intent, label in self.KEYS:
            button = QtWidgets.QRadioButton(label)
            button.setObjectName("mend_intent_" + intent)
            button.toggled.connect(lambda on: on and self.changed.emit())
            row.addWidget(button)
            self._buttons[intent] = button
        row.addStretch(1)
        if not params.prompted(description):
            button = self._buttons[params.PROMPT]
            button.setEnabled(False)
            button.setToolTip("This needs a model: “Models…”, at the end of “More”, gets one.")

    def get(self):
        return next((i for i, button in self._buttons.items() if button.isChecked()), None)

    def set(self, intent):
        blocked = self.blockSignals(True)
        self._buttons[intent or params.REMOVE].setChecked(True)
        self.blockSignals(blocked)


def _row(widget):
    row = QtWidgets.QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    return row


class Note(QtWidgets.QLabel):
    """Text that wraps and is just as high as its lines: layouts guess that height badly."""

    resized = QtCore.pyqtSignal()

    def __init__(self, text="", scale=0.9):
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        policy = self.sizePolicy()
        policy.setHeightForWidth(False)
        self.setSizePolicy(policy)
        font = self.font()
        if font.pointSizeF() > 0:
            font.setPointSizeF(font.pointSizeF() * scale)
        self.setFont(font)
        self.setText(text)

    def setText(self, text):
        super().setText(text)
        self._fit()

    def resizeEvent(self, event):
        super().resizeEvent(event)
        self._fit()

    def _fit(self):
        old = self.minimumHeight()
        # A label counts the least height it has had as the least it needs.
        self.setMinimumHeight(0)
        height = self.heightForWidth(self.width())
        self.setFixedHeight(height if height > 0 else old)
        if self.minimumHeight() != old:
            self.resized.emit()


class Form(QtWidgets.QGridLayout):
    """Labels on the left, inputs on the right. (QFormLayout gives text that wraps a wrong
    height.)"""

    def __init__(self):
        super().__init__()
        self.setColumnStretch(1, 1)
        self.setContentsMargins(0, 0, 0, 0)

    def add(self, label, widget):
        row = self.rowCount()
        if isinstance(label, str) and label:
            label = QtWidgets.QLabel(label)
            label.setBuddy(widget)
        if label:
            self.addWidget(label, row, 0)
        self.addWidget(widget, row, 1)

    def label_width(self):
        cells = [self.itemAtPosition(row, 0) for row in range(self.rowCount())]
        labels = [
            c.widget()
            for c in cells
            if c and isinstance(c.widget(), QtWidgets.QLabel) and not isinstance(c.widget(), Note)
        ]
        return max((label.sizeHint().width() for label in labels), default=0)

    def add_wide(self, widget):
        self.addWidget(widget, self.rowCount(), 0, 1, 2)


class Message(QtWidgets.QScrollArea):
    """A note of any length in no more than so many pixels: what is longer scrolls."""

    def __init__(self, most):
        super().__init__()
        self._most = most
        self.note = Note("", 1.0)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self.note)
        self.note.resized.connect(self._fit)

    def _fit(self):
        self.setFixedHeight(min(self.note.minimumHeight(), self._most))


def line():
    """A line across."""
    frame = QtWidgets.QFrame()
    frame.setFrameShape(QtWidgets.QFrame.Shape.HLine)
    frame.setFrameShadow(QtWidgets.QFrame.Shadow.Sunken)
    return frame


def escaped(text):
    """Plain text inside of rich text."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
