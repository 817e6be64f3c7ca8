# SPDX-License-Identifier: MIT OR Apache-2.0
"""Menus, shortcuts, the dialog; and the archive that Krita's importer takes."""

import os

try:
    from PyQt5.QtCore import QByteArray
except ImportError:
    from PyQt6.QtCore import QByteArray

from hands import APP, OUT, H, Picture, W, check, fits, idle, layers, photograph, plugin, shown


def menu():
    """All actions are under Tools, Scripts, and say whose they are; two have shortcuts, which
    nothing else has."""
    shortcuts = {}
    for action in APP.actions():
        for shortcut in action.shortcuts():
            shortcuts.setdefault(shortcut.toString(), set()).add(action.objectName())
    for name, text, key in (
        ("mend_inpaint", "Mend: Inpaint\u2026", "Shift+F5"),
        ("mend_inpaint_again", "Mend: Inpaint Again", "Ctrl+F5"),
        ("mend_select_object", "Mend: Select Object…", ""),
        ("mend_expand", "Mend: Expand Canvas…", ""),
        ("mend_remove_object", "Mend: Remove Object", ""),
        ("mend_fill_quickly", "Mend: Fill Quickly", ""),
    ):
        check(not key or shortcuts.get(key) == {name}, key, "belongs to", shortcuts.get(key))
        found = [
            m
            for m in APP.activeWindow()
            .qwindow()
            .findChildren(type(APP.activeWindow().qwindow().menuBar().actions()[0].menu()))
            if any(a.objectName() == name for a in m.actions())
        ]
        titles = [m.title().replace("&", "") for m in found]
        check("Scripts" in titles, name, "is in the menus", titles)
        check(
            APP.action(name).text().replace("&", "") == text,
            "it is called",
            APP.action(name).text(),
        )
    yield 0


def opened():
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    yield 300
    return plugin()._dialog


def dialog():
    """Opens, shows the plan and what each choice means, remembers, fills."""
    picture = Picture(1200, 900)
    yield from picture.open()
    picture.select((40, 80, 240, 180))
    APP.writeSetting("mend_inpaint", "last", "")
    box = yield from opened()
    yield 100
    text = box._planned.text()
    check("region" in text and "memory" in text, "the plan says", text)
    check(box._start.isEnabled(), "it cannot be started")
    check("One Undo" in box._undo.text(), box._undo.text())
    box._result.set("in-place")
    check("two Undo" in box._undo.text(), box._undo.text())
    box._source.set("visible")
    check(box.options().result == "layer", "in place with all visible layers")
    box._source.set("own")
    box.input("grow").set(7)
    box._more.click()
    box.input("context").set("120%")
    box.input("seed").set(4000000000)
    before = text
    yield 500
    check(box._planned.text() != before, "the plan did not follow:", before)
    wanted = box.options()
    check(wanted.values == {"": {"context": "120%", "grow": 7, "seed": 4000000000}}, wanted)
    pixels = picture.seen()
    box._start.click()
    yield idle
    yield 100
    check(plugin()._dialog is None, "the dialog is still open")
    check(picture.seen() != pixels, "nothing was filled")
    box = yield from opened()
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
    box = yield from opened()
    check(not box._start.isEnabled() and "is a group" in box._planned.text(), box._planned.text())
    box._source.set("visible")
    yield 300
    check(box._start.isEnabled(), box._planned.text())
    box.reject()
    yield from picture.close()


def height(models):
    """With no model, with every engine that there is, and after a refusal: never higher than a
    small screen, and the buttons on it."""
    picture = Picture()
    yield from picture.open()
    picture.select((44, 84, 52, 52))
    APP.writeSetting("mend_inpaint", "last", "")
    load = type(plugin())._load

    def with_models(self):
        load(self)
        for engine in self._description["engines"]:
            if engine["id"] not in ("exemplar", "rethined"):
                engine["available"] = models == "every"
                engine["reason"] = "put one into /home/somebody/.local/share/mend/models: " * 3

    type(plugin())._load = with_models
    try:
        for refused in (False, True):
            if refused:
                picture.node.setPixelData(QByteArray(bytes(4 * W * H)), 0, 0, W, H)
                picture.doc.waitForDone()
            box = yield from opened()
            # An engine that removes is taken where there is one, and here it has no model.
            check(models == "every" or box._start.isEnabled() != refused, box._planned.text())
            if refused and models == "no":
                check("Background" in box._planned.text(), box._planned.text())
            names = [box._engines[i].id for i in box._engines if box._engines[i].available]
            for engine in ["auto", *names]:
                box.input("engine").set(engine)
                for _ in range(2):
                    yield 300
                    fits(box, models, "models,", engine)
                    box._more.click()
            if refused or models == "no":
                yield from photograph(box, "krita-%s.png" % ("refused" if refused else "no-model"))
            box._help()
            yield lambda: shown("mend_inpaint_manual")
            shown("mend_inpaint_manual")[0].close()
            box.reject()
            yield 100
    finally:
        type(plugin())._load = load
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
