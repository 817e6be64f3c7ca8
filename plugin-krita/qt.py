# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Qt that Krita runs on: PyQt5 in Krita 5, PyQt6 in Krita 6.

A process holds one Qt only, so the binding that Krita has loaded already decides. Everything else
in the plug-in imports Qt from here, and writes enums in full (Qt.WindowModality.WindowModal), which
both bindings take.
"""

import sys

if "PyQt6.QtCore" in sys.modules and "PyQt5.QtCore" not in sys.modules:
    from PyQt6 import QtCore, QtGui, QtWidgets
else:
    try:
        from PyQt5 import QtCore, QtGui, QtWidgets
    except ImportError:
        from PyQt6 import QtCore, QtGui, QtWidgets

__all__ = ["QtCore", "QtGui", "QtWidgets"]
