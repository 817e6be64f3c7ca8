# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mend's plug-in for Krita: fills the selection so that nobody sees it was ever filled."""

try:
    import krita  # noqa: F401
except ImportError:
    pass  # the host-free files of this package are tested where there is no Krita
else:
    from . import host  # noqa: F401 - registers the plug-in
