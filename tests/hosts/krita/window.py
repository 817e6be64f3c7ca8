# SPDX-License-Identifier: MIT OR Apache-2.0
"""Menus, shortcuts, the dialog; and the archive that Krita's importer takes."""

import os

from hands import (
    APP, OUT, Picture, check, idle, layers, photograph, plugin, shown,
)


def menu():
    """Both actions are under Tools, Scripts, with shortcuts that nothing else has."""
    shortcuts = {}
    for action in APP.actions():
        for shortcut in action.shortcuts():
            shortcuts.setdefault(shortcut.toString(), set()).add(action.objectName())
    for name, key in (("mend_inpaint", "Shift+F5"), ("mend_inpaint_again", "Ctrl+F5")):
        check(shortcuts.get(key) == {name}, key, "belongs to", shortcuts.get(key))
        found = [
            m for m in APP.activeWindow().qwindow().findChildren(type(
                APP.activeWindow().qwindow().menuBar().actions()[0].menu()))
            if any(a.objectName() == name for a in m.actions())
        ]
        titles = [m.title().replace("&", "") for m in found]
        check("Scripts" in titles, name, "is in the menus", titles)
    yield 0


def dialog():
    """Opens, shows the plan and what each choice means, remembers, fills."""
    picture = Picture(1200, 900)
    yield from picture.open()
    picture.select((700, 300, 240, 180))
    APP.writeSetting("mend_inpaint", "last", "")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield 400
    yield from photograph(box, "krita-dialog.png")
    text = box._planned.text()
    check("region" in text and "memory" in text, "the plan says", text)
    check(box._start.isEnabled(), "it cannot be started")
    check("One Undo" in box._undo.text(), box._undo.text())
    box._result.set("in-place")
    check("two Undo" in box._undo.text(), box._undo.text())
    box._source.set("visible")
    check(box.options().result == "layer", "in place with all visible layers")
    box._source.set("own")
    box._inputs["grow"].set(7)
    box._inputs["context"].set("120%")
    box._inputs["seed"].set(4000000000)
    before = text
    yield 500
    check(box._planned.text() != before, "the plan did not follow:", before)
    wanted = box.options()
    check(wanted.values["context"] == "120%" and wanted.values["grow"] == 7
          and wanted.values["seed"] == 4000000000, wanted)
    pixels = picture.seen()
    box._start.click()
    yield idle
    yield 100
    check(plugin()._dialog is None, "the dialog is still open")
    check(picture.seen() != pixels, "nothing was filled")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    check(box.options() == wanted, "remembered were", box.options())
    box.reject()
    yield 100
    check(plugin()._dialog is None, "the dialog is still open")
    count = len(layers(picture.doc.rootNode()))
    yield 300
    check(len(layers(picture.doc.rootNode())) == count and idle(), "Cancel filled")
    # On a group it opens too, says why not, and fills from all layers.
    group = picture.doc.createGroupLayer("group")
    picture.doc.rootNode().addChildNode(group, None)
    yield from picture.activate(group)
    APP.writeSetting("mend_inpaint", "last", "not { json")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield 300
    check(not box._start.isEnabled() and "is a group" in box._planned.text(), box._planned.text())
    box._source.set("visible")
    yield 300
    check(box._start.isEnabled(), box._planned.text())
    box.reject()
    yield from picture.close()


def archive():
    """Krita's own importer takes the archive of 'mend install krita --zip', all of it."""
    import filecmp
    import tempfile

    from plugin_importer.plugin_importer import PluginImporter

    with tempfile.TemporaryDirectory() as folder:
        importer = PluginImporter(os.path.join(OUT, "mend.zip"), folder, lambda plugin: False)
        imported = importer.import_all()
        check([p["name"] for p in imported] == ["mend_inpaint"], imported)
        installed = os.path.join(os.environ["XDG_DATA_HOME"], "krita")
        files = ["actions/mend_inpaint.action", "pykrita/mend_inpaint.desktop"] + [
            "pykrita/mend_inpaint/" + name
            for name in os.listdir(os.path.join(installed, "pykrita", "mend_inpaint"))
            if name not in ("__pycache__", "installed.txt")
        ]
        check(len(files) > 12 and "pykrita/mend_inpaint/libmend.so" in files, files)
        _, differ, missing = filecmp.cmpfiles(installed, folder, files, False)
        check(not differ and not missing, "differ:", differ, "missing:", missing)
    yield 0
