# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog, drawn from what the library says of itself, and the progress window. No Krita
here."""

import os
from typing import Any

from . import job, krita_job, params, preview
from .gallery import Gallery
from .inputs import (
    Choice,
    Extent,
    Flag,
    Form,
    Intents,
    Message,
    Note,
    Number,
    Sides,
    Text,
    Whole,
    complete,
    escaped,
    line,
)
from .krita_job import IN_PLACE, LAYER, OWN, VISIBLE, Options
from .models_dialog import ModelsDialog
from .qt import QtCore, QtWidgets

Qt = QtCore.Qt
# A canvas that takes more seconds to grow is shown only if that is asked for.
EXPANDED_AT_ONCE = 4.0


class Dialog(QtWidgets.QDialog):
    """Asks for a fill.

    `plan_of(options)` gives the plan or raises an exception whose text says what is wrong;
    `refusal(options)` says why not, or None; `advice` likewise what to know. `chosen(options)` is
    emitted when the user starts the fill. `shelf()` makes a models.Shelf for "Models…".

    What is wanted comes first, then the fill as it would be, in the picture, and others to choose
    from. "More" opens all settings beside it; they scroll, and the picture, the plan and the
    buttons stay where they are. When the user starts the fill, `taken` is what was chosen from
    the preview, or None.
    """

    chosen = QtCore.pyqtSignal(object)
    # Models came or went: this dialog has closed, and is to be asked anew with these options.
    outdated = QtCore.pyqtSignal(object)

    # A small laptop's screen holds it, with the window's title and a bar of the desktop's.
    MOST_HEIGHT = 560
    # Pixels that the picture is wide, and the settings beside it.
    LEFT, RIGHT = 428, 380

    def __init__(
        self, parent, title, description, options, plan_of, refusal, advice, previewer, shelf=None
    ):
        super().__init__(parent)
        self.setObjectName("mend_inpaint_dialog")
        self.setWindowTitle("Mend: Inpaint")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, False)
        self._description, self._plan_of = description, plan_of
        self._refusal, self._advice = refusal, advice
        self._engines = {e.id: e for e in params.engines(description)}
        self._expanding = options.intent == params.EXPAND
        if self._expanding:
            self.setWindowTitle("Mend: Expand Canvas")
        self._runs = ""  # the engine that the plan names
        self._settings = krita_job.settings(description, options)
        self._rows = {}  # (whose it is, name): (field, label, input)
        self._source: Any = None

        self.previewer, self.taken = previewer, None
        self._shelf: Any = shelf
        self.models: Any = None
        whole = QtWidgets.QVBoxLayout(self)
        whole.setSpacing(8)
        whole.addWidget(Note(title, 1.0))
        self._intents = Intents(description)
        self._intents.changed.connect(self._intent_changed)
        whole.addWidget(self._intents)
        self._gallery = Gallery(previewer)
        self._gallery.settled.connect(self._settled)
        self._filling = False  # as soon as the fill is made that was asked for
        self._scroll = QtWidgets.QScrollArea()
        self._scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # It takes the height that the picture beside it has.
        policy = QtWidgets.QSizePolicy.Policy
        self._scroll.setSizePolicy(policy.Expanding, policy.Ignored)
        self._scroll.setWidget(self._inside())
        beside = QtWidgets.QHBoxLayout()
        beside.setSpacing(14)
        beside.addWidget(self._left())
        beside.addWidget(self._scroll, 1)
        whole.addLayout(beside, 1)
        whole.addWidget(line())
        message = Message(96)
        self._planned = message.note
        self._planned.setObjectName("mend_plan")
        whole.addWidget(message)
        whole.addWidget(self._buttons())

        # Typing a number changes it digit by digit: plan when it rests.
        self._rest = QtCore.QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(150)
        self._rest.timeout.connect(self._plan)
        for note in self.findChildren(Note):
            note.resized.connect(self._fit_soon)
        self._show(options)
        self._plan()
        self._start.setFocus()

    # --- What it is made of ---

    def _left(self):
        """What is always in sight."""
        left = QtWidgets.QWidget()
        left.setFixedWidth(self.LEFT)
        column = QtWidgets.QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._front)
        column.addWidget(self._gallery, 1)
        advised = Message(60)
        self._advised, self._advice_box = advised.note, advised
        column.addWidget(advised)
        self._more = QtWidgets.QToolButton()
        self._more.setObjectName("mend_more")
        self._more.setCheckable(True)
        self._more.setAutoRaise(True)
        self._more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more.toggled.connect(self._open)
        column.addWidget(self._more)
        return left

    def _inside(self):
        """All that "More" opens."""
        self._front, self._behind = Form(), Form()
        self._summary, self._undo = Note(), Note()
        every = [
            field
            for engine in krita_job.offered(self._description)
            for field in params.fields_of(self._description, engine)
            if field.name not in params.NO_FIELDS
        ]
        place = {name: n for n, name in enumerate(params.ESSENTIAL)}
        for field in sorted(every, key=lambda f: place.get(f.name, len(place))):
            if field.name not in params.ESSENTIAL and self._source is None:
                self._add_where()
            self._add(field)
        if self._source is None:
            self._add_where()
        missing = params.missing_text(self._description)
        if missing:
            note = Note(missing)
            if self._shelf:
                note.setTextFormat(Qt.TextFormat.RichText)
                link = '<a href="models">Models\u2026</a>'
                note.setText(escaped(missing).replace("\u201cModels\u2026\u201d", link))
                note.linkActivated.connect(lambda _: self.open_models())
            note.setToolTip(
                "\n".join(
                    "%s: %s" % (e.label, e.why_not)
                    for e in self._engines.values()
                    if not e.available
                )
            )
            self._behind.add_wide(note)
        if self._shelf:
            self._behind.add("", self._models_button())
        inside = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._behind)
        column.addStretch(1)
        self._column = column
        return inside

    def _add(self, field):
        if field.key in self._rows:
            return
        if field.type == "integer":
            widget = Whole(field)
        elif field.type == "number":
            widget = Number(field)
        elif field.type == "flag":
            widget = Flag(field)
        elif field.type == "choice":
            widget = Choice(params.choices(field, self._description))
        elif field.type == "extent":
            widget = Extent(field)
        elif field.type == "sides":
            widget = Sides(field)
        else:
            widget = Text(field)
        widget.setObjectName("mend_" + field.name)
        label = QtWidgets.QLabel("" if field.type == "flag" else field.label + ":")
        for part in (widget, label):
            part.setToolTip("<qt>%s</qt>" % escaped(field.help))
        label.setBuddy(widget)
        front = field.name in (*params.WISHES, "expand")
        (self._front if front else self._behind).add(label, widget)
        self._rows[field.key] = (field, label, widget)
        widget.changed.connect(lambda: self._set(field, widget))
        if field.name == "engine":
            self._behind.add("", self._summary)

    def _add_where(self):
        self._source = Choice(((OWN, "The active layer"), (VISIBLE, "All visible layers")))
        self._source.setObjectName("mend_source")
        self._source.setToolTip("Where the fill takes its pixels from.")
        self._source.changed.connect(self._changed)
        self._behind.add("&Take from:", self._source)
        self._result = Choice(
            ((LAYER, "A new layer above"), (IN_PLACE, "The active layer, in place"))
        )
        self._result.setObjectName("mend_result")
        self._result.setToolTip("Where the fill goes.")
        self._result.changed.connect(self._changed)
        self._behind.add("Res&ult:", self._result)
        self._keep = QtWidgets.QCheckBox("&Keep the other fills as hidden layers")
        self._keep.setObjectName("mend_keep")
        self._keep.setToolTip("All of them go into a group, with the chosen one in sight.")
        self._keep.toggled.connect(lambda _: self._dress())
        self._behind.add("", self._keep)
        self._behind.add("", self._undo)

    def _models_button(self):
        """The way to the models, in "More"."""
        button = QtWidgets.QPushButton("Mode&ls\u2026")
        button.setObjectName("mend_models")
        button.setToolTip("What is here, and what can be had, imported and removed.")
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: self.open_models())
        return button

    def open_models(self):
        """Opens the dialog of the models; afterwards this one follows what changed."""
        self._gallery.previewer.stop()
        self.models = ModelsDialog(self, self._shelf())
        self.models.finished.connect(self._models_closed)
        self.models.open()

    def show_more(self):
        """Opens "More"."""
        self._more.setChecked(True)

    def _models_closed(self, _result):
        changed = self.models.shelf.changed
        self.models = None
        if changed:
            options = self.options()
            self.reject()
            self.outdated.emit(options)

    def _buttons(self):
        buttons = QtWidgets.QDialogButtonBox()
        role = QtWidgets.QDialogButtonBox.ButtonRole
        self._start = buttons.addButton("&Fill", role.AcceptRole)
        self._start.setDefault(True)
        cancel = buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        # Enter fills, or does nothing.
        cancel.setAutoDefault(False)
        defaults = buttons.addButton("&Defaults", role.ResetRole)
        defaults.setToolTip("Sets every value back to its default.")
        defaults.setAutoDefault(False)
        defaults.clicked.connect(self._reset)
        help_button = buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Help)
        help_button.setAutoDefault(False)
        buttons.helpRequested.connect(self._help)
        buttons.accepted.connect(self._accepted)
        buttons.rejected.connect(self.reject)
        return buttons

    # --- Values ---

    def input(self, name):
        """The input for a parameter of the chosen engine; None where it has none of that name."""
        row = self._row(name)
        return row and row[2]

    def _row(self, name):
        for field in self._settings.fields():
            if field.name == name:
                return self._rows[field.key]
        return None

    def options(self):
        """What is asked for at the moment."""
        return Options(
            self._settings.stored(),
            self._result.get(),
            self._source.get(),
            self._settings.intent,
            self._keep.isChecked(),
        )

    def _intent_changed(self):
        self._settings.intent = self._intents.get()
        self._offer_engines()
        self._changed()
        if self._settings.intent == params.PROMPT:
            prompt = self.input("prompt")
            if prompt is not None:
                prompt.setFocus()

    def _offer_engines(self):
        """The engines that the intent has a use for."""
        row = self._row("engine")
        if row is not None:
            field, _, widget = row
            offered = self._settings.offered()
            pairs = params.choices(field, self._description)
            widget.offer([pair for pair in pairs if pair[0] in offered], self._settings.engine)

    def _set(self, field, widget):
        self._settings.set(field, widget.get())
        self._changed()

    def _show(self, options):
        self._settings = krita_job.settings(self._description, options)
        self._intents.setVisible(not self._expanding)
        if not self._expanding:
            self._intents.set(self._settings.intent)
        self._offer_engines()
        for field, _, widget in self._rows.values():
            if field.name == "engine":
                continue
            blocked = widget.blockSignals(True)
            widget.set(self._settings.get(field))
            widget.blockSignals(blocked)
        self._result.set(options.result)
        self._source.set(options.source)
        self._keep.setChecked(options.keep)
        self._changed()

    def _reset(self):
        options = krita_job.recall("", self._description)
        if self._expanding:
            options = krita_job.expanding(options, job.Rect(0, 0, 0, 0), job.Rect(0, 0, 1, 1))
        self._show(options)

    def _changed(self):
        self._fill_on(False)
        self._dress()
        self._rest.start()

    # --- What is seen ---

    def _dress(self):
        """Shows what means something for the values as they are."""
        engine = self._settings.engine
        has = {field.key for field in self._settings.fields()}
        for key, (_, label, widget) in self._rows.items():
            label.setVisible(key in has)
            widget.setVisible(key in has)
        known = self._engines.get(self._runs if engine == "auto" else engine)
        self._summary.setText(known.summary if known else "")
        self._summary.setVisible(bool(known and known.summary))
        open_ = self._more.isChecked()
        self._scroll.setVisible(open_)
        self._more.setArrowType(Qt.ArrowType.LeftArrow if open_ else Qt.ArrowType.RightArrow)
        changed = krita_job.changed(self._settings)
        self._more.setText("&More (%d changed)" % changed if changed and not open_ else "&More")
        options = self.options()
        merged = options.source == VISIBLE
        if merged and options.result == IN_PLACE:
            blocked = self._result.blockSignals(True)
            self._result.set(LAYER)
            self._result.blockSignals(blocked)
            options = self.options()
        self._result.setEnabled(not merged and not self._expanding)
        self._keep.setVisible(options.result == LAYER and not self._expanding)
        self._undo.setText(krita_job.undo_text(options))
        advice = self._advice(options)
        self._advised.setText(advice)
        self._advice_box.setVisible(bool(advice))
        self._fit()

    def _open(self, _open):
        self._dress()

    def _fit(self):
        """As high as what is shown, and no higher than a small screen: the picture gives way. It
        grows, and never shrinks under the user's hand."""
        for layout in (self._front, self._behind, self._column, self.layout()):
            layout.activate()
        # Nothing scrolls sideways, so that the form is shown as wide as it must be, beside its bar.
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        right = max(self._column.minimumSize().width() + bar, self.RIGHT)
        self._scroll.setMinimumWidth(right)
        margins = self.layout().contentsMargins()
        width = self.LEFT + margins.left() + margins.right()
        if self._more.isChecked():
            width += 14 + right
        room = min(self.MOST_HEIGHT, _screen_height() - 60)
        self.resize(width, min(max(self.height(), self.layout().sizeHint().height()), room))

    def _fit_soon(self):
        QtCore.QTimer.singleShot(0, self._fit)

    def showEvent(self, event):
        super().showEvent(event)
        for form in (self._front, self._behind):
            form.setHorizontalSpacing(10)
        self._fit()

    def done(self, result):
        self._rest.stop()
        self._gallery.close_preview()
        super().done(result)

    def _plan(self):
        self._rest.stop()
        options = self.options()
        problem = self._refusal(options) or self._settings.missing
        key, slow, stepwise = None, False, False
        if problem is None:
            try:
                plan = self._plan_of(options)
                if self._settings.engine == "auto":
                    self._runs = plan["engine"]
                key = krita_job.preview_key(self._description, options)
                stepwise = params.stepwise(self._description, plan["engine"])
                most = EXPANDED_AT_ONCE if self._expanding else preview.LONG
                slow = preview.slow(stepwise, plan["seconds"], most)
                self._planned.setText(job.plan_text(plan, self._description))
            except Exception as error:
                memory = isinstance(error, MemoryError)
                problem = job.NO_MEMORY if memory else job.sentence(str(error))
        if problem is not None:
            self._planned.setText(problem)
        self._start.setEnabled(problem is None and not self._filling)
        self._gallery.want(key, slow, stepwise)
        self._dress()

    def _accepted(self):
        if self._rest.isActive():
            self._plan()
        if self._start.isEnabled():
            options = self.options()
            self.taken = self.previewer.taken(krita_job.preview_key(self._description, options))
            if self.taken is None and (self.previewer.slow or self._expanding):
                # It is made here, where it can be seen, and put in place when it is there.
                self._fill_on(True)
                self._gallery.make()
                return
            self.accept()
            self.chosen.emit(options)

    def _fill_on(self, on):
        """Whether the fill that is being made is put in place when it is there."""
        if on != self._filling:
            self._filling = on
            self._start.setText("Filling\u2026" if on else "&Fill")
            self._start.setEnabled(not on)

    def _settled(self):
        if self._filling:
            self._fill_on(False)
            options = self.options()
            self.taken = self.previewer.taken(krita_job.preview_key(self._description, options))
            if self.taken is not None:
                self.accept()
                self.chosen.emit(options)

    def offer(self, prompts):
        """Offers earlier prompts while one is written."""
        for field, _, widget in self._rows.values():
            if field.name in params.WISHES:
                complete(widget, prompts)

    def fill_at_once(self):
        """As if the user had pressed Fill."""
        self._accepted()

    def _help(self):
        Manual(self).open()


class Manual(QtWidgets.QDialog):
    """The manual that lies beside this file."""

    def __init__(self, parent):
        super().__init__(parent)
        self.setObjectName("mend_inpaint_manual")
        self.setWindowTitle("Mend: Help")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, False)
        text = QtWidgets.QTextBrowser()
        with open(os.path.join(os.path.dirname(__file__), "Manual.html"), encoding="utf-8") as file:
            text.setHtml(file.read())
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(text)
        column.addWidget(buttons)
        self.resize(560, 480)


def _screen_height():
    screen = QtWidgets.QApplication.primaryScreen()
    return screen.availableGeometry().height() if screen else 600


class Progress(QtWidgets.QProgressDialog):
    """How far a fill has come, with a button that stops it. Shown only where it takes a while."""

    def __init__(self, parent):
        super().__init__("Filling the selection\u2026", "Cancel", 0, 1000, parent)
        self.setObjectName("mend_inpaint_progress")
        self.setWindowTitle("Mend")
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
        self.setLabelText(
            "Filling the selection\u2026 %s" % left if left else "Filling the selection\u2026"
        )
        self.setValue(min(int(share * 1000), 999))

    def done_with(self):
        """Closes the window for good."""
        self.blockSignals(True)
        self.reset()
        self.deleteLater()
