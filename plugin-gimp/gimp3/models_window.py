# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog of the models with GTK 3: what is here, what can be had, and how far that is."""

import gi

gi.require_version("Gtk", "3.0")
import models  # noqa: E402
from gi.repository import GLib, Gtk, Pango  # noqa: E402

COLUMNS = ("Model", "Here?", "Size", "What it does", "Licence")
# Pixels of the window.
WIDTH, HEIGHT = 840, 440
ENDINGS = ("*.safetensors", "*.pt", "*.pth", "*.ckpt", "*.bin", "*.onnx")


class ModelsWindow:
    """Gets, imports and removes models. `shelf`: a models.Shelf. After `run`, shelf.changed says
    whether engines may have come or gone."""

    def __init__(self, parent, shelf):
        self.shelf, self._filling = shelf, False
        self.dialog = Gtk.Dialog(title="Mend: Models", transient_for=parent, modal=True)
        self.dialog.set_role("mend-models")
        self.dialog.set_border_width(6)
        self.dialog.set_default_size(WIDTH, HEIGHT)
        content = self.dialog.get_content_area()
        content.set_spacing(8)
        scrolled = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN)
        scrolled.add(self._list())
        content.pack_start(scrolled, True, True, 0)
        self._detail = self._label()
        self._detail.set_selectable(True)
        self._detail.set_can_focus(False)
        self._detail.set_lines(4)
        content.pack_start(self._detail, False, False, 0)
        content.pack_start(self._doing(), False, False, 0)
        self._said = self._label()
        content.pack_start(self._said, False, False, 0)
        content.pack_start(self._sources(), False, False, 0)
        content.show_all()
        self.refresh()
        if self.shelf.rows:
            self.choose(self.shelf.rows[0].id)
        self.tree.grab_focus()
        self._timer = GLib.timeout_add(models.LOOK, self.poll)

    # --- What it is made of

    def _list(self):
        self._store = Gtk.ListStore(*[str] * (len(COLUMNS) + 1))
        self.tree = Gtk.TreeView(model=self._store)
        self.tree.get_accessible().set_name("Models")
        for number, title in enumerate(COLUMNS):
            # What follows these is told below the list, too.
            cut = Pango.EllipsizeMode.END if number > 2 else Pango.EllipsizeMode.NONE
            cell = Gtk.CellRendererText(ellipsize=cut, xpad=6)
            if number == 2:
                cell.set_property("xalign", 1.0)
            column = Gtk.TreeViewColumn(title, cell, text=number + 1)
            column.set_resizable(True)
            column.set_expand(number > 2)
            column.set_min_width(90)
            self.tree.append_column(column)
        self.tree.get_selection().connect("changed", lambda *_: self._filling or self._dress())
        return self.tree

    def _label(self):
        label = Gtk.Label(xalign=0.0, yalign=0.0, wrap=True, max_width_chars=90)
        label.set_line_wrap_mode(Pango.WrapMode.WORD_CHAR)
        return label

    def _doing(self):
        row = Gtk.Box(spacing=6)
        self.get = self._button("_Get", self._get, row)
        self.remove = self._button("_Remove…", self._remove, row)
        self._bar = Gtk.ProgressBar(valign=Gtk.Align.CENTER, no_show_all=True)
        row.pack_start(self._bar, True, True, 6)
        self.cancel = self._button("C_ancel", self._stop, row)
        self.cancel.set_tooltip_text("Stops. What came stays, and Continue goes on from there.")
        self.cancel.set_no_show_all(True)
        return row

    def _sources(self):
        row = Gtk.Box(spacing=6)
        self.bring = self._button("_Import File…", self._import_file, row)
        self.bring.set_tooltip_text(
            "A model that is on this machine: .safetensors, .pt, .ckpt, .onnx"
        )
        self.bring_folder = self._button("Import _Folder…", self._import_folder, row)
        self.bring_folder.set_tooltip_text(
            "A diffusers folder, with unet, vae and text_encoder in it"
        )
        close = Gtk.Button.new_with_mnemonic("Cl_ose")
        close.connect("clicked", lambda _: self.dialog.response(Gtk.ResponseType.CLOSE))
        row.pack_end(close, False, False, 0)
        return row

    def _button(self, text, pressed, row):
        button = Gtk.Button.new_with_mnemonic(text)
        button.connect("clicked", lambda _: pressed())
        row.pack_start(button, False, False, 0)
        return button

    # --- What the user does

    def run(self):
        """Until the user closes it; a fetch that runs then is stopped, and its part kept."""
        self.dialog.run()
        GLib.source_remove(self._timer)
        self.shelf.close()
        self.dialog.destroy()

    @property
    def chosen(self):
        """The id of the chosen model; None for none."""
        store, at = self.tree.get_selection().get_selected()
        return store[at][0] if at else None

    def choose(self, model):
        """Chooses a model by its id."""
        for row in self._store:
            if row[0] == model:
                self.tree.get_selection().select_iter(row.iter)

    def _get(self):
        question = self.shelf.question(self.chosen)
        if not question or self._asked(question, "_Accept and Get"):
            self.shelf.get(self.chosen)
        self.refresh()

    def _remove(self):
        row = self.shelf.row(self.chosen)
        if row and self._asked(models.remove_text(row), "_Remove"):
            self.shelf.remove(row.id)
        self.refresh()

    def _stop(self):
        self.shelf.stop()
        self._dress()

    def _import_file(self):
        kind = Gtk.FileFilter()
        kind.set_name("Models")
        for ending in ENDINGS:
            kind.add_pattern(ending)
        every = Gtk.FileFilter()
        every.set_name("All files")
        every.add_pattern("*")
        self._import(Gtk.FileChooserAction.OPEN, (kind, every))

    def _import_folder(self):
        self._import(Gtk.FileChooserAction.SELECT_FOLDER, ())

    def _import(self, action, filters):
        chooser = Gtk.FileChooserDialog(
            title="Mend: Import a Model", transient_for=self.dialog, modal=True, action=action
        )
        chooser.add_button("_Cancel", Gtk.ResponseType.CANCEL)
        chooser.add_button("_Import", Gtk.ResponseType.ACCEPT)
        chooser.set_default_response(Gtk.ResponseType.ACCEPT)
        for one in filters:
            chooser.add_filter(one)
        path = chooser.get_filename() if chooser.run() == Gtk.ResponseType.ACCEPT else None
        chooser.destroy()
        if path:
            self.shelf.bring(path)
        self.refresh()

    def _asked(self, question, yes):
        box = Gtk.MessageDialog(
            transient_for=self.dialog, modal=True, message_type=Gtk.MessageType.QUESTION
        )
        box.set_title("Mend")
        box.set_markup(_marked(question))
        box.add_button("_Cancel", Gtk.ResponseType.CANCEL)
        box.add_button(yes, Gtk.ResponseType.ACCEPT)
        answer = box.run()
        box.destroy()
        return answer == Gtk.ResponseType.ACCEPT

    # --- What is seen

    def poll(self):
        """Goes on."""
        busy = self.shelf.busy
        if self.shelf.poll():
            if self.shelf.busy == busy:
                self._dress()
            else:
                self.refresh()
        return GLib.SOURCE_CONTINUE

    def refresh(self):
        """The whole list anew."""
        chosen = self.chosen
        self._filling = True
        self._store.clear()
        for row in self.shelf.rows:
            self._store.append([row.id, row.title, row.state, row.size, row.purpose, row.licence])
        self.choose(chosen)
        self._filling = False
        self._dress()

    def _dress(self):
        shelf = self.shelf
        row = shelf.row(self.chosen)
        self._detail.set_markup(_marked(row.detail) if row else "")
        self.get.set_label("_" + row.get_label if row else "_Get")
        self.get.set_sensitive(bool(row and row.can_get) and not shelf.busy)
        self.remove.set_sensitive(bool(row and row.can_remove) and not shelf.busy)
        for button in (self.bring, self.bring_folder):
            button.set_sensitive(not shelf.busy)
        for widget in (self._bar, self.cancel):
            widget.set_visible(shelf.busy)
        self.cancel.set_sensitive(shelf.can_stop)
        share = shelf.share
        if share is None and shelf.busy:
            self._bar.pulse()
        else:
            self._bar.set_fraction(share or 0.0)
        text = GLib.markup_escape_text(shelf.words)
        self._said.set_markup("<b>%s</b>" % text if shelf.failed else text)


def _marked(text):
    """Plain text as Pango's markup, with addresses to click."""
    lines = []
    for line in text.split("\n"):
        words = []
        for word in line.split(" "):
            address = GLib.markup_escape_text(word.rstrip(".,"))
            rest = word[len(word.rstrip(".,")) :]
            if word.startswith(("https://", "http://")):
                words.append('<a href="%s">%s</a>%s' % (address, address, rest))
            else:
                words.append(address + rest)
        lines.append(" ".join(words))
    return "\n".join(lines)
