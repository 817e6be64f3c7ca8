"""The public interface of a Rust library as sorted lines, from rustdoc's JSON.

A line is a kind, a path and what a caller depends on: types without the names of parameters, fields
where a caller may write all of them, variants where a caller may match all of them, what a trait's
implementer must give. So a line that goes is something that a caller may miss; a new line breaks
nobody. What is `doc(hidden)` is not in rustdoc's JSON, and not here.
"""

# The `format_version` that is read here. It changes with the compiler: rust-toolchain.toml pins it.
FORMATS = range(45, 60)


class Crates:
    """The JSON of several crates, the first of them the one that is listed."""

    def __init__(self, documents):
        for document in documents:
            if document["format_version"] not in FORMATS:
                raise ValueError(
                    "rustdoc's JSON has format %s, known are %d to %d; look at what changed in it"
                    % (document["format_version"], FORMATS[0], FORMATS[-1])
                )
        self.documents = documents
        self.lines = set()
        self.walked = set()
        # Where each item is listed, and the imports that wait until all of these are known.
        self.paths = {}
        self.imports = []

    def listed(self):
        """The lines of the first crate, sorted."""
        document = self.documents[0]
        root = document["index"][str(document["root"])]
        Walk(self, document).module(root, root["name"])
        # Modules first: they are where their items are at home.
        while self.imports:
            self.imports.sort(key=lambda waiting: "module" not in waiting[1]["inner"])
            walk, target, path = self.imports.pop(0)
            walk.named(target, path)
        return sorted(self.lines)

    def elsewhere(self, document, number):
        """An item of another crate that is read here, and its document; None for any other's."""
        about = document["paths"].get(str(number))
        if about is None:
            return None
        for other in self.documents:
            for own, path in other["paths"].items():
                if path["path"] == about["path"] and own in other["index"]:
                    return other, other["index"][own]
        return None


class Walk:
    """Goes through one crate's items."""

    def __init__(self, crates, document):
        self.crates, self.document, self.index = crates, document, document["index"]

    def add(self, line):
        self.crates.lines.add(line)

    def get(self, number):
        return self.index.get(str(number))

    def module(self, item, path):
        seen = (id(self.document), item["id"], path)
        if seen in self.crates.walked:
            return
        self.crates.walked.add(seen)
        for number in item["inner"]["module"]["items"]:
            inner = self.get(number)
            if inner is not None and inner["visibility"] == "public":
                self.item(inner, path)

    def item(self, item, path):
        """A public item that stands in the module `path`."""
        ((kind, inner),) = item["inner"].items()
        if kind == "use":
            return self.use(inner, path)
        return self.named(item, "%s::%s" % (path, item["name"]))

    def use(self, use, path):
        walk, target = self, None if use["id"] is None else self.get(use["id"])
        if target is None and use["id"] is not None:
            found = self.crates.elsewhere(self.document, use["id"])
            if found is not None:
                walk, target = Walk(self.crates, found[0]), found[1]
        if target is None:
            self.add("use %s::%s = %s" % (path, use["name"], use["source"]))
        elif use["is_glob"]:
            walk.glob(target, path)
        else:
            self.crates.imports.append((walk, target, "%s::%s" % (path, use["name"])))

    def glob(self, target, path):
        ((kind, inner),) = target["inner"].items()
        if kind == "module":
            self.module(target, path)
        elif kind == "enum":
            for number in inner["variants"]:
                self.named(self.get(number), "%s::%s" % (path, self.get(number)["name"]))

    def named(self, item, path):
        ((kind, inner),) = item["inner"].items()
        home = self.crates.paths.setdefault((id(self.document), item["id"]), path)
        if home != path:
            # The same thing under another name.
            return self.add("use %s = %s" % (path, home))
        if kind == "module":
            self.add("mod %s" % path)
            return self.module(item, path)
        method = getattr(self, "of_" + kind, None)
        if method is None:
            raise ValueError("%s is a %s, which tools/api does not know yet" % (path, kind))
        return method(item, inner, path)

    # Kinds.

    def of_struct(self, item, inner, path):
        kind = inner["kind"]
        if kind == "unit":
            fields, whole = [], True
        elif "tuple" in kind:
            fields = [n for n in kind["tuple"] if n is not None]
            whole = len(fields) == len(kind["tuple"])
        else:
            fields, whole = kind["plain"]["fields"], not kind["plain"]["has_stripped_fields"]
        fields = [f for f in map(self.get, fields) if f is not None]
        # Who may write all fields misses the ones that come.
        whole = whole and not exhaustive_no_more(item)
        names = " { %s }" % ", ".join(f["name"] for f in fields) if whole and fields else ""
        names = names or (" {}" if whole else "")
        self.add("struct %s%s%s" % (path, generics(inner["generics"]), names))
        for field in fields:
            self.add(
                "field %s::%s: %s" % (path, field["name"], typed(field["inner"]["struct_field"]))
            )
        self.impls(inner, path)

    of_union = of_struct

    def of_enum(self, item, inner, path):
        variants = [v for v in map(self.get, inner["variants"]) if v is not None]
        whole = not inner["has_stripped_variants"] and not exhaustive_no_more(item)
        names = " { %s }" % ", ".join(v["name"] for v in variants) if whole else ""
        self.add("enum %s%s%s" % (path, generics(inner["generics"]), names))
        for variant in variants:
            self.of_variant(
                variant, variant["inner"]["variant"], "%s::%s" % (path, variant["name"])
            )
        self.impls(inner, path)

    def of_variant(self, item, inner, path):
        kind = inner["kind"]
        if kind == "plain":
            text = ""
        elif "tuple" in kind:
            fields = [n if n is None else self.get(n) for n in kind["tuple"]]
            types = ["_" if f is None else typed(f["inner"]["struct_field"]) for f in fields]
            text = "(%s)" % ", ".join(types)
        else:
            fields = [f for f in map(self.get, kind["struct"]["fields"]) if f is not None]
            text = " { %s }" % ", ".join(
                "%s: %s" % (f["name"], typed(f["inner"]["struct_field"])) for f in fields
            )
        number = inner["discriminant"]
        self.add("variant %s%s%s" % (path, text, " = %s" % number["value"] if number else ""))

    def of_trait(self, item, inner, path):
        items = [i for i in map(self.get, inner["items"]) if i is not None]
        needed = sorted(i["name"] for i in items if not given(i))
        supers = [bound(b) for b in inner["bounds"]]
        self.add(
            "%strait %s%s%s { %s }"
            % (
                "unsafe " if inner["is_unsafe"] else "",
                path,
                generics(inner["generics"]),
                ": " + " + ".join(supers) if supers else "",
                ", ".join(needed),
            )
        )
        for each in items:
            self.named(each, "%s::%s" % (path, each["name"]))

    def of_function(self, item, inner, path):
        self.add("%sfn %s%s" % (header(inner["header"]), path, signature(inner)))

    def of_type_alias(self, item, inner, path):
        self.add("type %s%s = %s" % (path, generics(inner["generics"]), typed(inner["type"])))

    def of_constant(self, item, inner, path):
        self.add("const %s: %s" % (path, typed(inner["type"])))

    def of_static(self, item, inner, path):
        self.add("static %s: %s" % (path, typed(inner["type"])))

    def of_assoc_const(self, item, inner, path):
        self.add("const %s: %s" % (path, typed(inner["type"])))

    def of_assoc_type(self, item, inner, path):
        bounds = " + ".join(map(bound, inner["bounds"]))
        value = " = " + typed(inner["type"]) if inner["type"] else ""
        self.add("type %s%s%s" % (path, ": " + bounds if bounds else "", value))

    def of_macro(self, item, inner, path):
        self.add("macro %s!" % path)

    def of_proc_macro(self, item, inner, path):
        self.add("macro %s!" % path)

    def impls(self, inner, path):
        """Methods, and the traits that a type has."""
        for number in inner["impls"]:
            item = self.get(number)
            if item is None:
                continue
            about = item["inner"]["impl"]
            if about["trait"] is None:
                for each in filter(None, map(self.get, about["items"])):
                    if each["visibility"] == "public":
                        self.named(each, "%s::%s" % (path, each["name"]))
                continue
            name = trait(about["trait"])
            # Of what the compiler finds by itself, what threads need.
            automatic = about["is_synthetic"] and name not in ("Send", "Sync")
            if about["blanket_impl"] is not None or about["is_negative"] or automatic:
                continue
            what = typed(about["for"]) if not about["is_synthetic"] else ""
            own = what.split("<")[0] == path.rsplit("::", 1)[-1] or not what
            self.add("impl %s for %s%s" % (name, path, "" if own else " as " + what))


def exhaustive_no_more(item):
    """Whether an item is `non_exhaustive`: with or without the brackets of an attribute."""
    return any("non_exhaustive" in str(attribute) for attribute in item["attrs"])


def given(item):
    """Whether a trait has it by itself."""
    ((kind, inner),) = item["inner"].items()
    if kind == "function":
        return inner["has_body"]
    return inner.get("value") is not None or (kind == "assoc_type" and bool(inner["type"]))


def header(about):
    words = [w for w in ("const", "unsafe", "async") if about["is_" + w]]
    abi = about["abi"]
    if abi != "Rust":
        words.append('extern "%s"' % (abi if isinstance(abi, str) else next(iter(abi))))
    return "".join(w + " " for w in words)


def signature(function):
    sig = function["sig"]
    inputs = [("self: " if name == "self" else "") + typed(of) for name, of in sig["inputs"]]
    inputs = [SELF.get(text, text) for text in inputs]
    output = " -> " + typed(sig["output"]) if sig["output"] else ""
    params, where = generic_parts(function["generics"])
    return "%s(%s)%s%s" % (params, ", ".join(inputs), output, where)


SELF = {"self: Self": "self", "self: &Self": "&self", "self: &mut Self": "&mut self"}


def generics(about):
    return "".join(generic_parts(about))


def generic_parts(about):
    """`<…>` and ` where …`, each empty where there is none."""
    params = []
    for param in about["params"]:
        ((kind, inner),) = param["kind"].items()
        if kind == "lifetime":
            outlives = " + ".join(inner["outlives"])
            params.append(param["name"] + (": " + outlives if outlives else ""))
        elif kind == "const":
            params.append("const %s: %s" % (param["name"], typed(inner["type"])))
        elif not inner.get("is_synthetic"):
            bounds = " + ".join(map(bound, inner["bounds"]))
            default = " = " + typed(inner["default"]) if inner["default"] else ""
            params.append(param["name"] + (": " + bounds if bounds else "") + default)
    where = []
    for predicate in about["where_predicates"]:
        ((kind, inner),) = predicate.items()
        if kind == "bound_predicate":
            where.append("%s: %s" % (typed(inner["type"]), " + ".join(map(bound, inner["bounds"]))))
        elif kind == "lifetime_predicate":
            where.append("%s: %s" % (inner["lifetime"], " + ".join(inner["outlives"])))
    return (
        "<%s>" % ", ".join(params) if params else "",
        " where " + ", ".join(where) if where else "",
    )


def bound(about):
    ((kind, inner),) = about.items()
    if kind == "trait_bound":
        mark = "?" if inner["modifier"] == "maybe" else ""
        return mark + trait(inner["trait"])
    return inner if isinstance(inner, str) else "use<%s>" % ", ".join(map(str, inner))


def trait(path):
    return last(path["path"]) + arguments(path["args"])


def last(path):
    """A path's last word: where it is imported from is no caller's business."""
    return path.rsplit("::", 1)[-1]


def arguments(args):
    if not args:
        return ""
    ((kind, inner),) = args.items()
    if kind == "parenthesized":
        output = " -> " + typed(inner["output"]) if inner["output"] else ""
        return "(%s)%s" % (", ".join(map(typed, inner["inputs"])), output)
    if kind != "angle_bracketed":
        return "(..)"
    words = [argument(a) for a in inner["args"]]
    for constraint in inner["constraints"]:
        ((kind, of),) = constraint["binding"].items()
        if kind == "equality":
            words.append("%s = %s" % (constraint["name"], argument(of)))
        else:
            words.append("%s: %s" % (constraint["name"], " + ".join(map(bound, of))))
    return "<%s>" % ", ".join(words) if words else ""


def argument(about):
    if about == "infer":
        return "_"
    ((kind, inner),) = about.items()
    if kind == "type":
        return typed(inner)
    return inner if kind == "lifetime" else constant(inner)


def constant(about):
    return str(about.get("value") or about.get("expr"))


def typed(about):
    """A type as Rust writes it."""
    if about == "infer":
        return "_"
    ((kind, inner),) = about.items()
    return TYPES[kind](inner)


def reference(inner):
    life = inner["lifetime"] + " " if inner["lifetime"] else ""
    return "&%s%s%s" % (life, "mut " if inner["is_mutable"] else "", typed(inner["type"]))


def pointer(inner):
    return "*%s %s" % ("mut" if inner["is_mutable"] else "const", typed(inner["type"]))


def dynamic(inner):
    words = [trait(t["trait"]) for t in inner["traits"]]
    return "dyn " + " + ".join(words + ([inner["lifetime"]] if inner["lifetime"] else []))


def function_pointer(inner):
    sig = inner["sig"]
    output = " -> " + typed(sig["output"]) if sig["output"] else ""
    inputs = ", ".join(typed(of) for _, of in sig["inputs"])
    return "%sfn(%s)%s" % (header(inner["header"]), inputs, output)


def qualified(inner):
    of = inner["trait"]
    whose = typed(inner["self_type"])
    if of is None or not of["path"]:
        return "%s::%s" % (whose, inner["name"])
    return "<%s as %s>::%s" % (whose, trait(of), inner["name"])


TYPES = {
    "resolved_path": lambda inner: last(inner["path"]) + arguments(inner["args"]),
    "generic": str,
    "primitive": lambda inner: "!" if inner == "never" else inner,
    "tuple": lambda inner: "(%s)" % ", ".join(map(typed, inner)),
    "slice": lambda inner: "[%s]" % typed(inner),
    "array": lambda inner: "[%s; %s]" % (typed(inner["type"]), inner["len"]),
    "borrowed_ref": reference,
    "raw_pointer": pointer,
    "impl_trait": lambda inner: "impl " + " + ".join(map(bound, inner)),
    "dyn_trait": dynamic,
    "function_pointer": function_pointer,
    "qualified_path": qualified,
}
