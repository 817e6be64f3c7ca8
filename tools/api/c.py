"""The C interface as sorted lines, from include/mend.h: constants with their values, functions and
callbacks with their types, structures field by field."""

import re


def lines(header):
    """The lines of a header's text."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header, flags=re.DOTALL)
    found = set()
    for name, value in re.findall(r"^#define (MEND_\w+) +(\S.*)$", text, re.MULTILINE):
        # The library's own version is no part of its interface.
        if name != "MEND_VERSION":
            found.add("#define %s %s" % (name, value.strip()))
    text = re.sub(r"^\s*#.*$|extern \"C\"", "", text, flags=re.MULTILINE)
    functions = prototypes(text)
    found.update(functions)
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.DOTALL):
        fields = [plain(f) for f in body.split(";") if f.strip()]
        found.update("struct %s, field %d: %s" % (name, i, f) for i, f in enumerate(fields))
        # What callers make themselves may not grow; what the library hands out may.
        if any(re.search(r"\b%s\b" % name, f) for f in functions if not f.startswith("typedef")):
            found.add("struct %s has %d fields" % (name, len(fields)))
    return sorted(found)


def prototypes(text):
    """Functions, callbacks and names of types."""
    text = re.sub(r"typedef struct \w+ \{.*?\} \w+;", "", text, flags=re.DOTALL)
    found = set()
    for statement in re.split(r"[;{}]", text):
        statement = plain(statement)
        if statement.startswith("typedef") or "(" in statement:
            found.add(statement)
    return found


def plain(text):
    """With one blank where there were several, and none after a star."""
    return re.sub(r"\* ", "*", " ".join(text.split()))


def functions(all_lines):
    """The names of the functions among the lines."""
    named = (re.search(r"\b(mend_\w+)\(", line) for line in all_lines)
    return sorted(match.group(1) for match in named if match)


def abi_version(all_lines):
    """The number of MEND_ABI_VERSION, None where there is none."""
    for line in all_lines:
        match = re.match(r"#define MEND_ABI_VERSION (\d+)$", line)
        if match:
            return int(match.group(1))
    return None
