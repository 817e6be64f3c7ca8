# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every relative link in the repository's pages leads to a file, and to a heading where it names
one.

Run: python3 -m unittest discover tests/python
"""

import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)


def pages():
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [
            name
            for name in inner
            if not name.startswith((".", "target")) and name not in ("corpus", "artifacts", "venv")
        ]
        for name in files:
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def text_of(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def without_code(text):
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "`", text)


def anchors(text):
    """The headings' names as GitHub makes them."""
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(plain)
    return found


class Links(unittest.TestCase):
    def test_every_relative_link_resolves(self):
        wrong, seen = [], 0
        for page in pages():
            for match in LINK.finditer(without_code(text_of(page))):
                target = match.group(1) or match.group(2)
                if re.match(r"[a-z]+:", target):
                    continue
                seen += 1
                path, _, anchor = target.partition("#")
                to = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                if not os.path.exists(os.path.join(ROOT, to)):
                    wrong.append("%s: %s leads nowhere" % (page, target))
                elif anchor and anchor not in anchors(text_of(to)):
                    wrong.append("%s: %s has no heading '%s'" % (page, to, anchor))
        self.assertEqual(wrong, [])
        # A parser that sees nothing would find nothing wrong.
        self.assertGreater(seen, 50)


if __name__ == "__main__":
    unittest.main()
