# SPDX-License-Identifier: MIT OR Apache-2.0
"""`tools/api`: what counts as the interface, and what may go from it; `tools/release.py`: what
stops a release.

Run: python3 -m unittest discover tests/python
"""

import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tools", "api")]

import c
import check
import release
import rust
import versions

HEADER = """
#define MEND_VERSION "0.1.0"
#define MEND_ABI_VERSION 1
/* struct lost { int a; }; */
#define MEND_OK 0
typedef struct mend_image {
    /** Pixels; of any kind. */
    void *data;
    uint32_t width;
} mend_image;
typedef struct mend_progress {
    uint32_t step;
} mend_progress;
typedef int32_t (*mend_progress_fn)(const struct mend_progress *progress, void *user);
#ifdef __cplusplus
extern "C" {
#endif
const char *mend_version(void);
int32_t mend_fill(const struct mend_image *image,
                  mend_progress_fn progress);
#ifdef __cplusplus
}
#endif
"""


class C(unittest.TestCase):
    def gone(self, old, new):
        """What goes from the interface, and the objection to it."""
        before, after = c.lines(HEADER), c.lines(HEADER.replace(old, new))
        self.assertNotEqual(HEADER, HEADER.replace(old, new))
        gone = sorted(set(before) - set(after))
        return gone, check.objection("c", gone, before, after, "9.0.0", "0.1.0")

    def test_a_header_is_read(self):
        listed = c.lines(HEADER)
        self.assertIn("#define MEND_OK 0", listed)
        self.assertIn(
            "int32_t mend_fill(const struct mend_image *image, mend_progress_fn progress)", listed
        )
        self.assertIn("struct mend_image, field 1: uint32_t width", listed)
        self.assertEqual(c.functions(listed), ["mend_fill", "mend_version"])
        self.assertEqual(c.abi_version(listed), 1)
        self.assertFalse([line for line in listed if "lost" in line or "MEND_VERSION" in line])

    def test_nothing_goes_or_changes(self):
        for old, new in [
            ("const char *mend_version(void);", ""),
            ("mend_progress_fn progress);", "mend_progress_fn progress, int x);"),
            ("#define MEND_OK 0", "#define MEND_OK 1"),
            ("uint32_t width;", "uint64_t width;"),
            ("uint32_t step;", "uint32_t first;\n    uint32_t step;"),
            # Callers make it: those compiled before do not have the new field.
            ("uint32_t width;", "uint32_t width;\n    uint32_t height;"),
        ]:
            gone, why = self.gone(old, new)
            self.assertTrue(gone, old)
            self.assertIn("MEND_ABI_VERSION is still 1", str(why))

    def test_what_comes_is_welcome(self):
        for old, new in [
            ("#define MEND_OK 0", "#define MEND_OK 0\n#define MEND_NO 1"),
            ("const char *mend_version", "void mend_new(void);\nconst char *mend_version"),
            ("uint32_t step;", "uint32_t step;\n    uint32_t steps;"),
            ('MEND_VERSION "0.1.0"', 'MEND_VERSION "0.2.0"'),
        ]:
            self.assertEqual(self.gone(old, new), ([], None), new)

    def test_another_number_allows_all(self):
        gone, why = self.gone("MEND_ABI_VERSION 1", "MEND_ABI_VERSION 2")
        self.assertTrue(gone)
        self.assertIsNone(why)

    def test_the_header_of_this_tree_is_listed(self):
        with open(os.path.join(ROOT, "include", "mend.h"), encoding="utf-8") as file:
            listed = c.lines(file.read())
        self.assertIn("mend_inpaint", c.functions(listed))
        with open(os.path.join(ROOT, "docs", "api", "c.txt"), encoding="utf-8") as file:
            self.assertEqual(check.read(file.read()), listed)


def item(number, name, inner, visibility="public", attrs=()):
    return {
        "id": number,
        "name": name,
        "inner": inner,
        "visibility": visibility,
        "attrs": list(attrs),
    }


def crate(items, paths=None):
    return {
        "format_version": 57,
        "root": 0,
        "index": {str(i["id"]): i for i in items},
        "paths": paths or {},
    }


NONE = {"params": [], "where_predicates": []}
U32 = {"primitive": "u32"}


def module(number, name, items, visibility="public"):
    return item(number, name, {"module": {"items": items}}, visibility)


def structure(number, name, fields, hidden=False, attrs=()):
    kind = {"plain": {"fields": fields, "has_stripped_fields": hidden}}
    return item(
        number, name, {"struct": {"kind": kind, "generics": NONE, "impls": []}}, attrs=attrs
    )


def function(number, name, inputs, output=None, visibility="public", body=True):
    about = {
        "sig": {"inputs": inputs, "output": output},
        "generics": NONE,
        "header": {"is_const": False, "is_unsafe": False, "is_async": False, "abi": "Rust"},
        "has_body": body,
    }
    return item(number, name, {"function": about}, visibility)


def use(number, name, target, source=""):
    about = {"name": name, "id": target, "source": source, "is_glob": False}
    return item(number, None, {"use": about})


def rust_lines(*documents):
    return rust.Crates(
        [crate(*d) if isinstance(d, tuple) else crate(d) for d in documents]
    ).listed()


class Rust(unittest.TestCase):
    def test_what_is_public_is_listed_once(self):
        field = item(4, "width", {"struct_field": U32})
        text = {
            "borrowed_ref": {"lifetime": None, "is_mutable": False, "type": {"primitive": "str"}}
        }
        found = rust_lines(
            [
                module(0, "mend", [1, 2, 6, 8]),
                module(1, "pixels", [3]),
                module(2, "inner", [5], visibility="default"),
                structure(3, "Rect", [4]),
                field,
                function(5, "fill", [["name", text]], U32),
                use(6, "Rect", 3),
                use(8, "fill", 5),
                function(7, "unseen", []),
            ]
        )
        self.assertEqual(
            found,
            [
                "field mend::pixels::Rect::width: u32",
                "fn mend::fill(&str) -> u32",
                "mod mend::pixels",
                "struct mend::pixels::Rect { width }",
                "use mend::Rect = mend::pixels::Rect",
            ],
        )

    def test_what_another_crate_gives_is_looked_up_there(self):
        below = [module(0, "below", [1]), module(1, "error", [2]), function(2, "fail", [])]
        found = rust_lines(
            ([module(0, "mend", [1]), use(1, "error", 9)], {"9": {"path": ["below", "error"]}}),
            (below, {"1": {"path": ["below", "error"]}}),
        )
        self.assertEqual(found, ["fn mend::error::fail()", "mod mend::error"])

    def test_what_breaks_callers_takes_a_line_away(self):
        def fields(names, **more):
            numbers = range(2, 2 + len(names))
            made = [item(i, n, {"struct_field": U32}) for i, n in zip(numbers, names)]
            return [module(0, "mend", [1]), structure(1, "S", list(numbers), **more), *made]

        def trait(bodies):
            each = [function(2 + i, "f%d" % i, [], body=b) for i, b in enumerate(bodies)]
            about = {"is_unsafe": False, "generics": NONE, "bounds": []}
            about["items"] = [f["id"] for f in each]
            return [module(0, "mend", [1]), item(1, "T", {"trait": about}), *each]

        for old, new, breaks in [
            (fields("ab"), fields("a"), True),
            (fields("a"), fields("ab"), True),
            (fields("a", hidden=True), fields("ab", hidden=True), False),
            (fields("a", attrs=["non_exhaustive"]), fields("ab", attrs=["non_exhaustive"]), False),
            (fields("a"), fields("a", attrs=["non_exhaustive"]), True),
            (trait([False]), trait([False, False]), True),
            (trait([False]), trait([False, True]), False),
        ]:
            gone = set(rust_lines(old)) - set(rust_lines(new))
            self.assertEqual(bool(gone), breaks, gone)

    def test_an_unknown_form_is_told(self):
        document = {**crate([module(0, "mend", [])]), "format_version": 1}
        with self.assertRaisesRegex(ValueError, "format 1"):
            rust.Crates([document])

    def test_what_may_go_is_the_versions_say(self):
        for now, released, may in [
            ("0.1.0", None, True),
            ("0.1.1", "0.1.0", False),
            ("0.2.0", "0.1.9", True),
            ("1.3.0", "1.2.0", False),
            ("2.0.0", "1.2.0", True),
            ("0.0.2", "0.0.1", True),
        ]:
            why = check.objection("rust", ["fn mend::f()"], [], [], now, released)
            self.assertEqual(why is None, may, (now, released))


SOUND = {
    "Cargo.toml": """[workspace.package]
version = "0.2.0"  # of all
repository = "https://example.org/mend"

[workspace.dependencies]
mend-infer = { version = "0.2.0", path = "crates/mend-infer" }

[package.metadata.capi.library]
version = "1.1.0"
""",
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## [0.2.0] - 2026-12-01\n\n## 0.1.0\n",
    "CITATION.cff": "cff-version: 1.2.0\nversion: 0.2.0\n",
    "include/mend.h": '#define MEND_VERSION "0.2.0"\n#define MEND_ABI_VERSION 1\n',
}


class Release(unittest.TestCase):
    def wrong(self, status="", packages=None, **changes):
        files = dict(SOUND)
        for name, (old, new) in changes.items():
            path = next(p for p in files if name in p.replace(".", "_"))
            self.assertIn(old, files[path])
            files[path] = files[path].replace(old, new)
        return list(release.wrong(files.__getitem__, status, packages or {"mend-infer": "0.2.0"}))

    def test_one_version_everywhere_or_no_release(self):
        self.assertEqual(self.wrong(), [])
        for what, found in [
            ("not committed", self.wrong(status=" M a\n")),
            ("newest version is 0.1.0", self.wrong(CHANGELOG=("## [0.2.0] - 2026-12-01\n", ""))),
            ("'Unreleased'", self.wrong(CHANGELOG=("0.2.0] - 2026-12-01\n\n## 0.1.0", "x"))),
            ("mend-infer has version 0.1.0", self.wrong(packages={"mend-infer": "0.1.0"})),
            (
                "asks for mend-infer 0.1.9",
                self.wrong(Cargo=('{ version = "0.2.0"', '{ version = "0.1.9"')),
            ),
            ("repository", self.wrong(Cargo=("repository", "homepage"))),
            ("CITATION.cff", self.wrong(CITATION=("0.2.0", "0.1.0"))),
            ("MEND_VERSION", self.wrong(mend_h=("0.2.0", "0.1.0"))),
            ("MEND_ABI_VERSION", self.wrong(mend_h=("ABI_VERSION 1", "ABI_VERSION 2"))),
        ]:
            self.assertEqual(len(found), 1, (what, found))
            self.assertIn(what, found[0])

    def test_versions_are_found(self):
        self.assertIsNone(versions.last_release("# Changelog\n\n## Unreleased\n"))
        self.assertEqual(versions.last_release(SOUND["CHANGELOG.md"]), "0.2.0")
        self.assertEqual(versions.of_packages(SOUND["Cargo.toml"]), "0.2.0")
        self.assertIsNone(versions.of_packages('[package]\nversion = "1.0.0"\n'))


if __name__ == "__main__":
    unittest.main()
