# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog of Inpaint in GIMP 3, drawn from what the library says of its parameters."""

import gi

gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import GimpUi, GLib, GObject, Gtk, Pango  # noqa: E402

import fill  # noqa: E402
import job  # noqa: E402
import native  # noqa: E402

# What a length around the hole is mostly set to; anything else can be typed.
EXTENTS = ("auto", "25%", "50%", "100%", "64", "256")
# The plan follows the settings after so many milliseconds of rest.
REST = 120


def ask(procedure, config, host, inpainter, fields):
    """Shows the dialog; whether the user wants the fill. `config` then has the values."""
    GimpUi.init(procedure.get_name())
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "Inpaint")
    dialog.set_ok_label("_Fill")
    view = View(dialog, config, host, inpainter, fields)
    try:
        return dialog.run()
    finally:
        view.stop()
        dialog.destroy()


class View:
    """The widgets, and the plan that follows them."""

    def __init__(self, dialog, config, host, inpainter, fields):
        self.dialog, self.config, self.host = dialog, config, host
        self.inpainter, self.fields = inpainter, fields
        self.description = inpainter.describe()
        self.rows, self.outputs, self.timer = {}, {}, 0
        # GIMP's own property widgets would each bring a label of their own width.
        grid = Gtk.Grid(column_spacing=12, row_spacing=6, border_width=12, hexpand=True)
        self.line = 0
        self.summary = Gtk.Label()
        for field in fields:
            self._row(grid, field)
            if field.name == "engine":
                self.summary = self._note(grid, 1)
        self._output(grid)
        self.plan = self._note(grid, 0, 12)
        missing = self._note(grid, 0)
        missing.set_text(missing_text(self.description))
        grid.show_all()
        missing.set_visible(bool(missing.get_text()))
        dialog.get_content_area().pack_start(grid, True, True, 0)
        self.handler = config.connect("notify", self._changed)
        self._refresh()

    def stop(self):
        self.config.disconnect(self.handler)
        if self.timer:
            GLib.source_remove(self.timer)

    def _attach(self, grid, text, widget, tip, expand):
        label = Gtk.Label(label=text, xalign=0.0, tooltip_text=tip)
        widget.set_tooltip_text(tip)
        widget.set_halign(Gtk.Align.FILL if expand else Gtk.Align.START)
        widget.set_hexpand(True)
        grid.attach(label, 0, self.line, 1, 1)
        grid.attach(widget, 1, self.line, 1, 1)
        self.line += 1
        return label, widget

    def _row(self, grid, field):
        config, name = self.config, field.name
        expand = field.type in ("text", "choice")
        if field.type == "choice":
            widget = combo(config, name, job.choices(field, self.description))
        elif field.type == "extent":
            widget = Gtk.ComboBoxText.new_with_entry()
            for extent in EXTENTS:
                widget.append_text(extent)
            widget.get_child().set_width_chars(10)
            bind(config, name, widget.get_child(), "text")
        elif field.type == "text":
            widget = Gtk.Entry(width_chars=32)
            bind(config, name, widget, "text")
        elif field.type == "flag":
            widget = Gtk.Switch()
            bind(config, name, widget, "active")
        else:
            whole = field.type == "integer"
            step = 1 if whole else max((field.max - field.min) / 100.0, 0.01)
            widget = Gtk.SpinButton.new_with_range(
                field.min, min(field.max, 2**31 - 1), step
            )
            widget.set_digits(0 if whole else 2)
            widget.set_width_chars(8)
            widget.set_activates_default(True)
            bind(config, name, widget, "value")
        self.rows[name] = self._attach(grid, field.label + ":", widget, field.help, expand)

    def _output(self, grid):
        box = Gtk.Box(spacing=12)
        group = None
        for name, label in fill.OUTPUTS:
            button = Gtk.RadioButton.new_with_label_from_widget(group, label)
            group = group or button
            self.outputs[name] = button
            button.set_active(self.config.get_property("output") == name)
            button.connect("toggled", self._output_chosen, name)
            box.pack_start(button, False, False, 0)
        self._attach(grid, "Result:", box, "Where the fill goes", True)

    def _output_chosen(self, button, name):
        if button.get_active():
            self.config.set_property("output", name)

    def _note(self, grid, column, above=0):
        label = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=44, margin_top=above)
        label.set_line_wrap_mode(Pango.WrapMode.WORD_CHAR)
        grid.attach(label, column, self.line, 2 - column, 1)
        self.line += 1
        return label

    def _changed(self, *_):
        if self.timer:
            GLib.source_remove(self.timer)
        self.timer = GLib.timeout_add(REST, self._refresh)

    def _refresh(self):
        self.timer = 0
        # Reset sets the values behind the buttons' back.
        output = self.config.get_property("output")
        if output not in self.outputs:
            self.config.set_property("output", fill.IN_PLACE)
        else:
            self.outputs[output].set_active(True)
        values = {field.name: self.config.get_property(field.name) for field in self.fields}
        engine = str(values.get("engine", "auto"))
        for field in self.fields:
            for widget in self.rows[field.name]:
                widget.set_visible(field.shown_for(engine))
        summaries = {e.id: e.summary for e in job.engines(self.description)}
        good = True
        try:
            fill.check_item(self.host.item, self.config.get_property("output"))
            plan = fill.plan(self.host, self.inpainter, job.parameters(self.fields, values))
            self.plan.set_text(job.plan_text(plan, self.description) + ".")
            engine = plan["engine"]
        except fill.Refusal as refusal:
            good, text = False, str(refusal)
        except native.MendError as error:
            good, text = False, fill.sentence(error.message)
        if not good:
            self.plan.set_markup("<b>%s</b>" % GLib.markup_escape_text(text))
        self.summary.set_text(summaries.get(engine, ""))
        self.dialog.set_response_sensitive(Gtk.ResponseType.OK, good)
        return GLib.SOURCE_REMOVE


def bind(config, name, widget, prop):
    flags = GObject.BindingFlags
    config.bind_property(name, widget, prop, flags.BIDIRECTIONAL | flags.SYNC_CREATE)


def combo(config, name, pairs):
    """A drop-down of what can be chosen here."""
    widget = Gtk.ComboBoxText()
    for key, label in pairs:
        widget.append(key, label)
    bind(config, name, widget, "active-id")
    if widget.get_active_id() is None and pairs:
        # What was chosen the last time cannot run any more.
        widget.set_active_id(pairs[0][0])
    return widget


def missing_text(description):
    """What else there would be, and how to get it."""
    lines = [
        "%s cannot run here: %s" % (engine.label, fill.sentence(engine.why_not))
        for engine in job.engines(description) if not engine.available
    ]
    return "\n".join(lines)
