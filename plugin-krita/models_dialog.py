# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog of the models: what is here, what can be had, and how far that is. No Krita here."""

from typing import Any

from . import models
from .inputs import escaped
from .qt import QtCore, QtWidgets

Qt = QtCore.Qt
COLUMNS = ("Model", "Here?", "Size", "What it does", "Licence")
FILTER = "Models (*.safetensors *.pt *.pth *.ckpt *.bin *.onnx);;All files (*)"


class ModelsDialog(QtWidgets.QDialog):
    """Gets, imports and removes models. `shelf`: a models.Shelf. When the dialog has closed,
    shelf.changed says whether engines may have come or gone."""

    def __init__(self, parent, shelf):
        super().__init__(parent)
        self.setObjectName("mend_models_dialog")
        self.setWindowTitle("Mend: Models")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, False)
        self.shelf = shelf
        column = QtWidgets.QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(self._list(), 1)
        self._detail = QtWidgets.QLabel()
        self._detail.setWordWrap(True)
        self._detail.setOpenExternalLinks(True)
        self._detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self._detail.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._detail.setMinimumHeight(self.fontMetrics().lineSpacing() * 4)
        column.addWidget(self._detail)
        column.addLayout(self._doing())
        self._said = QtWidgets.QLabel()
        self._said.setObjectName("mend_models_said")
        self._said.setWordWrap(True)
        self._said.setMinimumHeight(self.fontMetrics().lineSpacing())
        column.addWidget(self._said)
        column.addLayout(self._buttons())
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(models.LOOK)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        self.resize(840, 440)
        self.refresh()
        if self.shelf.rows:
            self._tree.setCurrentItem(self._tree.topLevelItem(0))

    # --- What it is made of ---

    def _list(self):
        self._tree = tree = QtWidgets.QTreeWidget()
        tree.setObjectName("mend_models_list")
        tree.setAccessibleName("Models")
        tree.setHeaderLabels(COLUMNS)
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setAlternatingRowColors(True)
        tree.header().setStretchLastSection(True)
        tree.currentItemChanged.connect(lambda *_: self._dress())
        return tree

    def _doing(self):
        row = QtWidgets.QHBoxLayout()
        self.get = self._button("&Get", self._get, row)
        self.remove = self._button("&Remove…", self._remove, row)
        row.addSpacing(12)
        self._bar = QtWidgets.QProgressBar()
        self._bar.setTextVisible(False)
        row.addWidget(self._bar, 1)
        self._room = QtWidgets.QWidget()
        row.addWidget(self._room, 1)
        self.cancel = self._button("&Cancel", self._stop, row)
        self.cancel.setToolTip("Stops. What came stays, and Continue goes on from there.")
        return row

    def _buttons(self):
        row = QtWidgets.QHBoxLayout()
        self.bring = self._button("&Import File…", self._import_file, row)
        self.bring.setToolTip("A model that is on this machine: .safetensors, .pt, .ckpt, .onnx")
        self.bring_folder = self._button("Import F&older…", self._import_folder, row)
        self.bring_folder.setToolTip("A diffusers folder, with unet, vae and text_encoder in it")
        row.addStretch(1)
        close = self._button("C&lose", self.accept, row)
        close.setDefault(True)
        return row

    def _button(self, text, pressed, row):
        button = QtWidgets.QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: pressed())
        row.addWidget(button)
        return button

    # --- What the user does ---

    @property
    def chosen(self):
        """The id of the chosen model; None for none."""
        item: Any = self._tree.currentItem()
        return item.data(0, Qt.ItemDataRole.UserRole) if item else None

    def choose(self, model):
        """Chooses a model by its id."""
        for number in range(self._tree.topLevelItemCount()):
            item: Any = self._tree.topLevelItem(number)
            if item.data(0, Qt.ItemDataRole.UserRole) == model:
                self._tree.setCurrentItem(item)

    def _get(self):
        question = self.shelf.question(self.chosen)
        if not question or self._asked(question, "&Accept and Get"):
            self.shelf.get(self.chosen)
        self.refresh()

    def _remove(self):
        row = self.shelf.row(self.chosen)
        if row and self._asked(models.remove_text(row), "&Remove"):
            self.shelf.remove(row.id)
        self.refresh()

    def _stop(self):
        self.shelf.stop()
        self._dress()

    def _import_file(self):
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, "Mend: Import a Model", "", FILTER)
        self._import(path)

    def _import_folder(self):
        self._import(QtWidgets.QFileDialog.getExistingDirectory(self, "Mend: Import a Model"))

    def _import(self, path):
        if path:
            self.shelf.bring(path)
        self.refresh()

    def _asked(self, question, yes):
        box = QtWidgets.QMessageBox(self)
        box.setObjectName("mend_models_question")
        box.setWindowTitle("Mend")
        box.setTextFormat(Qt.TextFormat.RichText)
        box.setText(_rich(question))
        accept = box.addButton(yes, QtWidgets.QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QtWidgets.QMessageBox.StandardButton.Cancel)
        (box.exec if hasattr(box, "exec") else box.exec_)()  # PyQt5 had only the second one once
        return box.clickedButton() is accept

    def done(self, result):
        self._timer.stop()
        self.shelf.close()
        super().done(result)

    # --- What is seen ---

    def poll(self):
        """Goes on."""
        busy = self.shelf.busy
        if self.shelf.poll():
            if self.shelf.busy == busy:
                self._dress()
            else:
                self.refresh()

    def refresh(self):
        """The whole list anew."""
        chosen = self.chosen
        blocked = self._tree.blockSignals(True)
        self._tree.clear()
        for row in self.shelf.rows:
            cells = (row.title, row.state, row.size, row.purpose, row.licence)
            item = QtWidgets.QTreeWidgetItem(list(cells))
            item.setData(0, Qt.ItemDataRole.UserRole, row.id)
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight)
            for number, cell in enumerate(cells):
                item.setToolTip(number, cell)
            self._tree.addTopLevelItem(item)
        for number in range(len(COLUMNS) - 1):
            self._tree.resizeColumnToContents(number)
            self._tree.setColumnWidth(number, min(self._tree.columnWidth(number) + 10, 230))
        self.choose(chosen)
        self._tree.blockSignals(blocked)
        self._dress()

    def _dress(self):
        shelf = self.shelf
        row = shelf.row(self.chosen)
        self._detail.setText(_rich(row.detail) if row else "")
        self.get.setText("&" + row.get_label if row else "&Get")
        self.get.setEnabled(bool(row and row.can_get) and not shelf.busy)
        self.remove.setEnabled(bool(row and row.can_remove) and not shelf.busy)
        for button in (self.bring, self.bring_folder):
            button.setEnabled(not shelf.busy)
        self._bar.setVisible(shelf.busy)
        self._room.setVisible(not shelf.busy)
        self.cancel.setVisible(shelf.busy)
        self.cancel.setEnabled(shelf.can_stop)
        share = shelf.share
        self._bar.setRange(0, 0 if share is None else 1000)
        self._bar.setValue(int((share or 0.0) * 1000))
        text = escaped(shelf.words)
        self._said.setText("<b>%s</b>" % text if shelf.failed else text)


def _rich(text):
    """Plain text as HTML, with addresses to click."""
    words = []
    for word in escaped(text).replace("\n", " <br> ").split(" "):
        address = word.rstrip(".,")
        if address.startswith(("https://", "http://")) and '"' not in address:
            word = '<a href="%s">%s</a>%s' % (address, address, word[len(address) :])
        words.append(word)
    return " ".join(words)
