# SPDX-License-Identifier: MIT OR Apache-2.0
"""The widgets of dialog.py with GTK 3."""

from typing import Any

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GimpUi, GLib, Gtk, Pango  # noqa: E402

FILL, HELP, RESET = Gtk.ResponseType.OK, Gtk.ResponseType.HELP, 1
# Characters of a line of text, and pixels of the form.
CHARACTERS, WIDTH = 52, 440
# Pixels of the form where it stands beside the preview.
BESIDE = 420


def column():
    """A box whose widgets lie below each other."""
    return Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)


class Window:
    """A dialog: `head`, the scrolled `form`, `foot`, and buttons that are always in sight."""

    def __init__(self, title):
        GimpUi.init("mend-inpaint")
        self._dialog = Gtk.Dialog(title=title, resizable=False)
        self._dialog.set_role("mend-inpaint")
        self._dialog.set_border_width(6)
        GimpUi.window_set_transient(self._dialog)
        for text, answer in (
            ("_Help", HELP),
            ("_Reset", RESET),
            ("_Cancel", Gtk.ResponseType.CANCEL),
            ("_Fill", FILL),
        ):
            button = self._dialog.add_button(text, answer)
            if answer == HELP:
                button.get_parent().set_child_secondary(button, True)
        self._fill = button
        self._dialog.set_default_response(FILL)
        self._dialog.set_alternative_button_order_from_array(
            [FILL, RESET, Gtk.ResponseType.CANCEL, HELP]
        )
        self._labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
        self.head, self.form, self.foot = column(), column(), column()
        # What is always in sight, with the scrolled form beside it.
        self.left = column()
        self._gallery: Any = None
        self._scrolled = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER)
        self._scrolled.add(self.form)
        content = self._dialog.get_content_area()
        content.set_spacing(8)
        middle = Gtk.Box(spacing=14)
        middle.pack_start(self.left, False, False, 0)
        middle.pack_start(self._scrolled, True, True, 0)
        for box in (self.head, middle, self.foot):
            box.set_margin_start(12)
            box.set_margin_end(12)
            content.pack_start(box, box is middle, True, 0)
        middle.show()
        self.head.set_margin_top(8)

    def run(self):
        """What the user chose: FILL, HELP, RESET or anything else."""
        self._dialog.present()
        return self._dialog.run()

    def answer(self, answer):
        """Has `run` end, as if the user had chosen this."""
        self._dialog.response(answer)

    def filling(self, on):
        """Whether the fill that was asked for is being made."""
        self._fill.set_label("Filling\u2026" if on else "_Fill")
        self._fill.set_sensitive(not on)

    def close(self):
        self._dialog.destroy()
        # Nobody looks after the window system while a fill runs: it must be gone before.
        while Gtk.events_pending():
            Gtk.main_iteration()

    def put(self, parent, child):
        parent.pack_start(child, False, False, 0)
        child.show()

    def clear(self, box):
        for child in box.get_children():
            child.destroy()

    def note(self, parent, text):
        """Text that wraps."""
        label = Gtk.Label(xalign=0.0, wrap=True, width_chars=CHARACTERS, max_width_chars=CHARACTERS)
        label.set_line_wrap_mode(Pango.WrapMode.WORD_CHAR)
        parent.pack_start(label, False, False, 0)
        self.say(label, text)
        return label

    def say(self, label, text, bold=False):
        escaped = GLib.markup_escape_text(text)
        label.set_markup("<b>%s</b>" % escaped if bold else escaped)
        label.set_visible(bool(text))

    def row(self, box, text, tip, widget):
        label = Gtk.Label(label=text, xalign=0.0, tooltip_text=tip)
        self._labels.add_widget(label)
        widget.set_tooltip_text(tip)
        line = Gtk.Box(spacing=12)
        line.pack_start(label, False, False, 0)
        wide = isinstance(widget, (Gtk.ComboBox, Gtk.Entry)) and not isinstance(
            widget, Gtk.SpinButton
        )
        line.pack_start(widget, wide, wide, 0)
        box.pack_start(line, False, False, 0)
        line.show_all()

    def intents(self, labels, chosen, able, changed):
        """Radio buttons in a row: {id: label}, of which those in `able` can be chosen;
        changed(id)."""
        row, first, made = Gtk.Box(spacing=16), None, {}
        for key, label in labels.items():
            button = Gtk.RadioButton.new_with_mnemonic_from_widget(first, label)
            first = first or button
            button.set_active(key == chosen)
            if key not in able:
                button.set_sensitive(False)
                row.set_tooltip_text("A prompt needs a model: “Models…”, under “More”, gets one.")
            row.pack_start(button, False, False, 0)
            made[key] = button
        for key, button in made.items():
            button.connect("toggled", lambda b, key=key: b.get_active() and changed(key))
        self.left.pack_start(row, False, False, 0)
        row.show_all()
        return made

    def intend(self, intents, chosen):
        """Chooses one of `intents`."""
        intents[chosen].set_active(True)

    def show_gallery(self, gallery):
        """Puts the preview on the left."""
        self._gallery = gallery
        self.left.pack_start(gallery.widget, False, False, 0)
        gallery.accelerate(self._dialog)

    def beside(self, text, toggled):
        """The form, which a button below the preview opens beside it."""
        button = Gtk.ToggleButton.new_with_mnemonic(text + " ▸")
        button.set_relief(Gtk.ReliefStyle.NONE)
        button.set_halign(Gtk.Align.START)

        def pressed(_button):
            opened = button.get_active()
            button.set_label(text + (" ◂" if opened else " ▸"))
            self._scrolled.set_visible(opened)
            toggled()

        button.connect("toggled", pressed)
        self.left.pack_start(button, False, False, 0)
        button.show()
        self._more = button
        return self.form

    def open_more(self):
        """As if the button of `beside` had been pressed."""
        self._more.set_active(True)

    def button(self, parent, text, tip, answer):
        """A button with which `run` ends, like those below."""
        button = Gtk.Button.new_with_mnemonic(text)
        button.set_tooltip_text(tip)
        button.set_halign(Gtk.Align.START)
        button.connect("clicked", lambda _: self._dialog.response(answer))
        parent.pack_start(button, False, False, 0)
        button.show()
        return button

    def show_models(self, kind, shelf):
        """The dialog of the models, in front of this one."""
        kind(self._dialog, shelf).run()

    def allow(self, answer, good):
        self._dialog.set_response_sensitive(answer, good)

    def focus(self, widget):
        """Where keys go at first; None: to the button that fills."""
        (widget or self._fill).grab_focus()

    def fit(self, height):
        """As high as what is shown, and at most `height` pixels: then the form scrolls."""
        monitor = Gdk.Display.get_default().get_primary_monitor() or (
            Gdk.Display.get_default().get_monitor(0)
        )
        height = min(height, monitor.get_workarea().height - 40)
        self._dialog.get_content_area().show()
        if self._gallery:
            self._fit_gallery(height)
            return
        for box in (self.head, self.form, self._scrolled, self.foot):
            box.show()
        form = self.form.get_preferred_height_for_width(WIDTH)[1]
        self._scrolled.set_size_request(WIDTH + 24, 1)
        rest = (
            self._dialog.get_preferred_height_for_width(WIDTH + 48)[1]
            - (self._scrolled.get_preferred_height()[0])
        )
        self._scrolled.set_size_request(WIDTH + 24, max(min(form, height - rest), 60))

    def _fit_gallery(self, height):
        for box in (self.head, self.form, self.left, self.foot):
            box.show()
        opened = self._more.get_active()
        self._scrolled.set_visible(opened)
        # It is as high as what is beside it.
        self._scrolled.set_size_request(BESIDE if opened else -1, 1)
        width = self._dialog.get_preferred_width()[1]
        wanted = self._dialog.get_preferred_height_for_width(width)[1]
        self._gallery.fit(self._gallery.height + height - wanted)


def combo(pairs, chosen, changed):
    """A drop-down of (id, label); changed(id)."""
    widget = Gtk.ComboBoxText()
    for key, label in pairs:
        widget.append(key, label)
    widget.set_active_id(chosen)
    _keep_from_wheel(widget)
    widget.connect("changed", lambda w: changed(w.get_active_id()))
    return widget


def spin(low, high, step, digits, value, changed):
    """A number; changed(int or float)."""
    widget = Gtk.SpinButton.new_with_range(low, high, step)
    widget.set_digits(digits)
    widget.set_width_chars(8)
    widget.set_value(value)
    widget.set_activates_default(True)
    _keep_from_wheel(widget)
    widget.connect(
        "value-changed", lambda w: changed(w.get_value() if digits else w.get_value_as_int())
    )
    return widget


def check(value, changed):
    """A flag; changed(bool)."""
    widget = Gtk.CheckButton(active=value)
    widget.connect("toggled", lambda w: changed(w.get_active()))
    return widget


def entry(value, changed, suggestions=()):
    """A line of text; changed(text)."""
    widget = line = Gtk.Entry(width_chars=24)
    if suggestions:
        widget = Gtk.ComboBoxText.new_with_entry()
        for suggestion in suggestions:
            widget.append_text(suggestion)
        line = widget.get_child()
        _keep_from_wheel(widget)
    line.set_text(value)
    line.set_activates_default(True)
    line.connect("changed", lambda w: changed(w.get_text()))
    return widget


def complete(widget, texts):
    """Offers `texts` while something like them is typed into an entry."""
    known = Gtk.ListStore(str)
    for text in texts:
        known.append([text])
    completion = Gtk.EntryCompletion(model=known, minimum_key_length=1)
    completion.set_text_column(0)
    completion.set_match_func(
        lambda _, typed, row: typed.lower() in known[row][0].lower() if typed else False
    )
    widget.set_completion(completion)


def _keep_from_wheel(widget):
    """The wheel scrolls the form; it does not change what lies under the pointer."""

    def turned(widget, _event):
        widget.stop_emission_by_name("scroll-event")
        return False

    widget.connect("scroll-event", turned)


def later(milliseconds, work):
    """Runs `work` once; gives what `cancel` takes."""

    def once():
        work()
        return GLib.SOURCE_REMOVE

    return GLib.timeout_add(milliseconds, once)


def cancel(timer):
    GLib.source_remove(timer)


def open_file(path):
    """Opens a file in the user's program for it; what went wrong, or an empty text."""
    try:
        Gtk.show_uri_on_window(None, GLib.filename_to_uri(path), Gdk.CURRENT_TIME)
        return ""
    except GLib.Error as error:
        return "The manual is %s; it could not be opened: %s" % (path, error.message)
