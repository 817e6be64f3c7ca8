"""Versions: which the packages have, which was released last, and what one of them may do."""

import re


def last_release(changelog):
    """The newest version that CHANGELOG.md has a heading for, `## 1.2.3` or
    `## [1.2.3] - 2026-12-31`; None before the first."""
    match = re.search(r"^## \[?(\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    return match.group(1) if match else None


def of_packages(manifest):
    """The version of all packages, by the workspace's Cargo.toml; None where there is none."""
    table = re.search(
        r"^\[workspace\.package\]\n(.*?)(?=^\[|\Z)", manifest, re.MULTILINE | re.DOTALL
    )
    found = table and re.search(r'^version = "([^"]+)"', table.group(1), re.MULTILINE)
    return found.group(1) if found else None


def may_break(new, old):
    """Whether a user of `old` does not get `new` without asking, as Cargo has it."""

    def fixed(text):
        numbers = [int(n) for n in text.split("-")[0].split(".")]
        first = next((i for i, n in enumerate(numbers) if n), 2)
        return numbers[: first + 1]

    return fixed(new) != fixed(old)
