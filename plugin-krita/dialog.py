# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog, drawn from what the library says of itself, and the progress window. No Krita here."""

import random

from . import job, krita_job
from .krita_job import IN_PLACE, LAYER, OWN, VISIBLE, Options
from .qt import QtCore, QtGui, QtWidgets

Qt = QtCore.Qt
INT_MAX = 2**31 - 1


class _Whole(QtWidgets.QWidget):
    """A whole number: a spin box, or a line of text where the range is beyond one."""

    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        row = _row(self)
        self._field = field
        self._wide = field.max is None or field.max > INT_MAX or (field.min or 0) < -INT_MAX
        if self._wide:
            self._edit = QtWidgets.QLineEdit()
            high = 10**18 if field.max is None else int(field.max)
            digits = QtCore.QRegularExpression(
                "[0-9]{1,%d}" % len(str(high)) if (field.min or 0) >= 0 else "-?[0-9]{1,19}"
            )
            self._edit.setValidator(QtGui.QRegularExpressionValidator(digits, self._edit))
            self._edit.textChanged.connect(lambda _: self.changed.emit())
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
        if not self._wide:
            return self._edit.value()
        return krita_job.sound(self._field, self._edit.text() or self._field.default)

    def set(self, value):
        if self._wide:
            self._edit.setText(str(value))
        else:
            self._edit.setValue(int(value))


class _Number(QtWidgets.QDoubleSpinBox):
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


class _Flag(QtWidgets.QCheckBox):
    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__(field.label)
        self.toggled.connect(lambda _: self.changed.emit())

    def get(self):
        return self.isChecked()

    def set(self, value):
        self.setChecked(bool(value))


class _Text(QtWidgets.QLineEdit):
    changed = QtCore.pyqtSignal()

    def __init__(self, field):
        super().__init__()
        self.textChanged.connect(lambda _: self.changed.emit())

    def get(self):
        return self.text()

    def set(self, value):
        self.setText(str(value))


class _Choice(QtWidgets.QComboBox):
    changed = QtCore.pyqtSignal()

    def __init__(self, pairs):
        super().__init__()
        for name, label in pairs:
            self.addItem(label, name)
        # A long label is not to make the dialog wide: the list shows it whole.
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(20)
        self.currentIndexChanged.connect(lambda _: self.changed.emit())

    def get(self):
        return self.currentData()

    def set(self, value):
        self.setCurrentIndex(max(self.findData(value), 0))


class _Extent(QtWidgets.QWidget):
    """A length: automatic, pixels, or a share of the hole's longer side."""

    changed = QtCore.pyqtSignal()

    def __init__(self, field, limits):
        super().__init__()
        row = _row(self)
        self._unit = QtWidgets.QComboBox()
        for name, label in (
            ("auto", "Automatic"), ("px", "Pixels"), ("%", "Share of the hole"),
        ):
            self._unit.addItem(label, name)
        self._amount = QtWidgets.QSpinBox()
        self._amount.setAccelerated(True)
        self._limits = {"px": limits.get("max_pixels", 65536), "%": limits.get("max_percent", 1000)}
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


def _row(widget):
    row = QtWidgets.QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    return row


class _Note(QtWidgets.QLabel):
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
        height = self.heightForWidth(self.width())
        if height > 0 and height != self.minimumHeight():
            self.setFixedHeight(height)
            self.resized.emit()


class _Form(QtWidgets.QGridLayout):
    """Labels on the left, inputs on the right. (QFormLayout gives text that wraps a wrong height.)"""

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
        labels = [c.widget() for c in cells if c and isinstance(c.widget(), QtWidgets.QLabel)]
        return max(label.sizeHint().width() for label in labels)

    def add_wide(self, widget):
        self.addWidget(widget, self.rowCount(), 0, 1, 2)


class Dialog(QtWidgets.QDialog):
    """Asks for a fill.

    `limits` maps names of extents to their description; `plan_of(options)` gives the plan or raises
    an exception whose text says what is wrong; `refusal(options)` says why not, or None; `advice`
    likewise what to know. `chosen(options)` is emitted when the user starts the fill.
    """

    chosen = QtCore.pyqtSignal(object)

    def __init__(self, parent, title, description, options, plan_of, refusal, advice):
        super().__init__(parent)
        self.setObjectName("mend_inpaint_dialog")
        self.setWindowTitle("Inpaint")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._description, self._plan_of = description, plan_of
        self._refusal, self._advice = refusal, advice
        self._fields = job.fields(description)
        self._engines = {e.id: e for e in job.engines(description)}
        self._runs = None  # the engine that the plan names
        self._inputs, self._labels = {}, {}

        whole = QtWidgets.QVBoxLayout(self)
        whole.setSpacing(10)
        whole.addWidget(_Note(title, 1.0))

        self._form = _Form()
        self._summary = _Note()
        for field in self._fields:
            if field.name != "result":
                self._add(field)
            if field.name == "engine":
                self._form.add("", self._summary)
        missing = [e for e in self._engines.values() if not e.available]
        if missing:
            text = "\n".join("%s: %s" % (e.label, e.why_not) for e in missing)
            self._form.add("", _Note(text))
        # With many parameters on a small screen the form scrolls, and the buttons stay.
        inside = QtWidgets.QWidget()
        inside.setLayout(self._form)
        self._scroll = QtWidgets.QScrollArea()
        self._scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(inside)
        whole.addWidget(self._scroll, 1)

        where = _Form()
        where.add_wide(_line())
        self._source = _Choice(
            ((OWN, "The active layer"), (VISIBLE, "All visible layers"))
        )
        self._source.setObjectName("mend_source")
        self._source.setToolTip("Where the fill takes its pixels from.")
        self._source.changed.connect(self._changed)
        where.add("&Fill from:", self._source)
        self._result = _Choice(
            ((LAYER, "A new layer above"), (IN_PLACE, "The active layer, in place"))
        )
        self._result.setObjectName("mend_result")
        self._result.setToolTip("Where the fill goes.")
        self._result.changed.connect(self._changed)
        where.add("&Result:", self._result)
        self._undo = _Note()
        where.add("", self._undo)
        whole.addLayout(where)
        self._where = where
        self._advised = _Note()
        whole.addWidget(self._advised)
        whole.addWidget(_line())
        self._planned = _Note("", 1.0)
        self._planned.setObjectName("mend_plan")
        whole.addWidget(self._planned)

        buttons = QtWidgets.QDialogButtonBox()
        role = QtWidgets.QDialogButtonBox.ButtonRole
        self._start = buttons.addButton("&Inpaint", role.AcceptRole)
        self._start.setDefault(True)
        buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        defaults = buttons.addButton("&Defaults", role.ResetRole)
        defaults.setToolTip("Sets every value back to its default.")
        defaults.setAutoDefault(False)
        defaults.clicked.connect(self._reset)
        buttons.accepted.connect(self._accepted)
        buttons.rejected.connect(self.reject)
        whole.addWidget(buttons)

        # Typing a number changes it digit by digit: plan when it rests.
        self._rest = QtCore.QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(150)
        self._rest.timeout.connect(self._plan)
        for note in self.findChildren(_Note):
            note.resized.connect(self._fit_soon)
        self._show(options)
        self.resize(460, 0)
        self._plan()

    def _add(self, field):
        if field.type == "integer":
            widget = _Whole(field)
        elif field.type == "number":
            widget = _Number(field)
        elif field.type == "flag":
            widget = _Flag(field)
        elif field.type == "choice":
            widget = _Choice(job.choices(field, self._description))
        elif field.type == "extent":
            widget = _Extent(field, krita_job.limits(self._description, field.name))
        else:
            widget = _Text(field)
        widget.setObjectName("mend_" + field.name)
        label = QtWidgets.QLabel("" if field.type == "flag" else field.label + ":")
        for part in (widget, label):
            part.setToolTip("<qt>%s</qt>" % _escaped(field.help))
        label.setBuddy(widget)
        self._form.add(label, widget)
        self._inputs[field.name], self._labels[field.name] = widget, label
        widget.changed.connect(self._changed)

    def options(self):
        """What is asked for at the moment."""
        return Options(
            {name: widget.get() for name, widget in self._inputs.items()},
            self._result.get(), self._source.get(),
        )

    def _show(self, options):
        for name, widget in self._inputs.items():
            if name in options.values:
                blocked = widget.blockSignals(True)
                widget.set(options.values[name])
                widget.blockSignals(blocked)
        self._result.set(options.result)
        self._source.set(options.source)
        self._changed()

    def _reset(self):
        self._show(krita_job.recall("", self._fields))

    def _changed(self):
        self._dress()
        self._rest.start()

    def _dress(self):
        """Shows what means something for the values as they are."""
        options = self.options()
        chosen = options.values.get("engine", "auto")
        engine = self._runs if chosen == "auto" and self._runs else chosen
        for field in self._fields:
            if field.name in self._inputs:
                shown = field.shown_for(engine)
                self._inputs[field.name].setVisible(shown)
                self._labels[field.name].setVisible(shown)
        known = self._engines.get(engine)
        self._summary.setText(known.summary if known else "")
        self._summary.setVisible(bool(known and known.summary))
        merged = options.source == VISIBLE
        if merged and options.result == IN_PLACE:
            blocked = self._result.blockSignals(True)
            self._result.set(LAYER)
            self._result.blockSignals(blocked)
            options = self.options()
        self._result.setEnabled(not merged)
        self._undo.setText(krita_job.undo_text(options))
        advice = self._advice(options)
        self._advised.setText(advice)
        self._advised.setVisible(bool(advice))
        self._fit()

    def _fit(self):
        """As high as what is shown, and no higher than the screen. It grows, and never shrinks under
        the user's hand."""
        self._form.activate()
        self.layout().activate()
        form = self._form.sizeHint().height()
        rest = self.layout().sizeHint().height() - self._scroll.minimumHeight()
        screen = QtWidgets.QApplication.primaryScreen()
        room = screen.availableGeometry().height() - 60 if screen else 700
        self._scroll.setMinimumHeight(max(min(form, room - rest), 80))
        # Nothing scrolls sideways, so that the form is shown as wide as it must be, beside its bar.
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        self._scroll.setMinimumWidth(self._form.minimumSize().width() + bar)
        self.resize(self.width(), max(self.height(), self.layout().sizeHint().height()))

    def _fit_soon(self):
        QtCore.QTimer.singleShot(0, self._fit)

    def showEvent(self, event):
        super().showEvent(event)
        # The inputs of both forms stand in one line.
        left = max(form.label_width() for form in (self._form, self._where))
        for form in (self._form, self._where):
            form.setHorizontalSpacing(10)
            form.setColumnMinimumWidth(0, left)
        self._fit()

    def _plan(self):
        self._rest.stop()
        options = self.options()
        problem = self._refusal(options)
        if problem is None:
            try:
                plan = self._plan_of(options)
                if options.values.get("engine", "auto") == "auto":
                    self._runs = plan["engine"]
                self._planned.setText(job.plan_text(plan, self._description))
            except Exception as error:
                problem = str(error)
        if problem is not None:
            self._planned.setText(problem)
        self._start.setEnabled(problem is None)
        self._dress()

    def _accepted(self):
        if self._rest.isActive():
            self._plan()
        if self._start.isEnabled():
            options = self.options()
            self.accept()
            self.chosen.emit(options)


def _line():
    line = QtWidgets.QFrame()
    line.setFrameShape(QtWidgets.QFrame.Shape.HLine)
    line.setFrameShadow(QtWidgets.QFrame.Shadow.Sunken)
    return line


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


class Progress(QtWidgets.QProgressDialog):
    """How far a fill has come, with a button that stops it. Shown only where it takes a while."""

    def __init__(self, parent):
        super().__init__("Filling the selection\u2026", "Cancel", 0, 1000, parent)
        self.setObjectName("mend_inpaint_progress")
        self.setWindowTitle("Inpaint")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setMinimumDuration(400)
        self.setMinimumWidth(320)
        self.setAutoClose(False)
        self.setAutoReset(False)
        self.setValue(0)

    def tell(self, share, seconds_left):
        """`share` done, 0.0 to 1.0, and the seconds left or None."""
        if self.wasCanceled():
            return
        left = job.left_text(seconds_left)
        self.setLabelText("Filling the selection\u2026 %s" % left if left else
                          "Filling the selection\u2026")
        self.setValue(min(int(share * 1000), 999))

    def done_with(self):
        """Closes the window for good."""
        self.blockSignals(True)
        self.reset()
        self.deleteLater()
