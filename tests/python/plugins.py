# SPDX-License-Identifier: MIT OR Apache-2.0
"""The plug-ins' files as `mend install` lays them out, for tests and for what reads the sources.

python3 tests/python/plugins.py FOLDER    copies of them: FOLDER/gimp2, FOLDER/gimp3 and
                                          FOLDER/krita/mend_inpaint
"""

import importlib.util
import os
import shutil
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Whose files lie together in each plug-in's folder.
FOLDERS = {
    "gimp2": ("plugin-common", "plugin-gimp", "plugin-gimp/gimp2"),
    "gimp3": ("plugin-common", "plugin-gimp", "plugin-gimp/gimp3"),
    "krita/mend_inpaint": ("plugin-common", "plugin-krita"),
}


def folders(plugin):
    """The folders of the sources that `plugin` is laid out from."""
    return [os.path.join(ROOT, *name.split("/")) for name in FOLDERS[plugin]]


def files(plugin):
    """The files of `plugin`, by their names in its folder."""
    found = {}
    for folder in folders(plugin):
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if entry.is_file():
                if entry.name in found:
                    raise AssertionError("%s and %s are one file" % (entry.path, found[entry.name]))
                found[entry.name] = entry.path
    return found


def import_gimp():
    """Lets the files that both GIMPs have be imported as they import each other."""
    for folder in folders("gimp2")[:2]:
        if folder not in sys.path:
            sys.path.insert(0, folder)


def import_krita():
    """Krita's plug-in as Krita imports it: a package called mend_inpaint."""
    if "mend_inpaint" not in sys.modules:
        places = folders("krita/mend_inpaint")
        spec = importlib.util.spec_from_file_location(
            "mend_inpaint",
            os.path.join(places[-1], "__init__.py"),
            submodule_search_locations=places,
        )
        assert spec is not None, places
        loader: Any = spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["mend_inpaint"] = module
        loader.exec_module(module)
    return sys.modules["mend_inpaint"]


def lay_out(folder):
    """Copies every plug-in into `folder`, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    for plugin in FOLDERS:
        place = os.path.join(folder, *plugin.split("/"))
        os.makedirs(place)
        for name, path in files(plugin).items():
            # GIMP 2.10's plug-in has no ending; what reads sources goes by it.
            shutil.copy(path, os.path.join(place, "main.py" if name == "mend-inpaint" else name))


if __name__ == "__main__":
    lay_out(sys.argv[1])
