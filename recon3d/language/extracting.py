"""Which texts of the source are words for people, and the messages of catalogues that they make.

A text counts as words when it has two words in a row, or starts like a label in the window; one
that only a programmer sees does not: docstrings, annotations, errors of programmers, debugging.
f-strings become messages with places, and pieces of them that depend on a condition
(`f"{count} photo{'s' if count > 1 else ''}"`) a message for each case, so that every language has
its own words for one and for many.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from recon3d.language.page_messages import messages_of_page
from recon3d.language.templates import Parts, Place, message_of, parts_of

_ROOTS = ("recon3d", "calib/recon3d_calib", "gui/recon3d_gui")
_MARKING = ("word", "_everyday", "_expert", "Words", "Link", "step", "_step")
"""Calls whose texts are words, however short: marks, labels, and what work says of itself."""
_FOR_PROGRAMMERS = {
    "ValueError", "TypeError", "RuntimeError", "AssertionError", "NotImplementedError", "KeyError",
    "ShapeMismatchError", "LookupError", "IndexError", "compile", "debug", "execute", "TypeVar",
    "cast", "search", "match", "fullmatch", "sub", "findall", "getLogger", "ParamSpec", "rename",
    "Latest", "Thread",
}  # fmt: skip
"""Calls whose texts nobody but a programmer reads, or that are patterns."""
_READERS = (
    "recon3d/photos/", "recon3d/core/transform.py", "recon3d/sfm/pose_formats/",
    "recon3d/sfm/colmap_model.py", "recon3d/run/documents.py", "recon3d/surface/mesh_file_sizes.py",
    "recon3d/surface/foreign_meshes.py",
)  # fmt: skip
"""Modules whose ValueErrors say what is wrong with a person's file."""
_WITHOUT_WORDS = (
    "recon3d/language/", "recon3d/bench/", "recon3d/depth/synthetic/", "recon3d/export/addon/",
    "recon3d/export/import_into_blender.py", "gui/recon3d_gui/viewer/shaders.py",
    "gui/recon3d_gui/assets/", "recon3d/export/obj.py", "recon3d/export/ply.py",
    "recon3d/export/three_mf.py", "gui/recon3d_gui/dialogs.py",
    "gui/recon3d_gui/theme.py", "recon3d/depth/sweep.py",
)  # fmt: skip
"""Shaders, file formats, the tool that writes our own documents, and what runs inside Blender."""
IN_ENGLISH = (
    "recon3d/depth/mono/", "recon3d/depth/training/", "recon3d/depth/multiview/",
    "recon3d/cli/train", "recon3d/cli/main.py",
)  # fmt: skip
"""Not translated yet: training networks, and the words for which there is no memory."""
_FROM_TO = r"\x00,? (?:up )?(?:to|or) \x00|^[A-Z] is up$|“\x00”"
_PHRASE = re.compile(
    r"(?:[A-Za-z]{2,}|\d|[}\x00])[,.:;)]* [A-Za-z({\"'\d\x00&]|" + _FROM_TO
)  # fmt: skip
_LABEL = re.compile(r"[A-Z][a-z]+(?:[ '-]+[A-Za-z0-9]+)*(?: ?\.\.\.|…)?")
_A_WORD = re.compile(r"[A-Za-z]{3,}|" + _FROM_TO)
_SPOKEN = re.compile(_A_WORD.pattern + r"|[A-Za-z]{2,} | [A-Za-z]{2,}")
_LABELLED = re.compile(r"([A-Z][a-z]+:) {2,}\S")
_NO_WORDS = re.compile(
    r"\\\\|^(?:[$#<]|%(?:YAML|!))|^(?:/|[A-Z]:/|https?:|--(?!.*\.$)|import |var |\w+://)|</|;\}"
    r"|^The MIT License\n|^#|^\S+/\S*/\S+\.\w+$"
    r"|^(?:set|repeat|return|end|on|if|choose|display) .*(?:argv|told|chosen|repeat|run)\b"
    r"|^(?:element|property|comment|format|illum|norm|usemtl|newmtl|mtllib) |^basic render$"
    r"|^libusb|^gdi generic|^bold red$|^fisheye_model|default-src|^fileName|^camera_model:"
    r"|!!opencv|^image_width|  rows: |^module recon3d|^new folder$|^neuer ordner$"
    r"|^\w+: got |, expected "
    r"|^(?:out of|insufficient|not enough space|cannot allocate|can't |unable to a|failed to map"
    r"|cannot map zero)|^DLL load|Blender Foundation|^recon3d cameras 1$|^end repeat$"
    r"|^frame .*png$|\.jpg$|^(?:Applications|Downloads|Depth Anything|Depth Pro)$|^Prompt Depth Any"
    r"|^(?:pair of photos|.*megapixel of depth|level textures|mask command|own mesh|done in)$"
    r"|^depth \x00 \x00$|^(?:april|aruco_)|^.use strict|\.otf$"
)
"""What else has spaces: paths, code, words of file formats, messages of libraries."""
_COMMAND_LINE = re.compile(r"recon3d(?: [\w./-]+)*(?<!\.)")
_MOST_CASES = 24
_LOGGED = re.compile(r"%(?:\([a-z]+\))?[-+ 0#]*\d*(?:\.\d+)?([sdfegr%])")
_KIND_OF_LOGGED = {"d": ":d", "f": ":f", "e": ":e", "g": ":g"}


def messages_of_the_source(root: Path) -> dict[str, list[str]]:
    """Every message, and the files that it is in, below the folder of the project."""
    found: dict[str, set[str]] = {}
    for path in _sources(root):
        name = path.relative_to(root).as_posix()
        if name.startswith((*_WITHOUT_WORDS, *IN_ENGLISH)):
            continue
        text = path.read_text(encoding="utf-8")
        messages = (
            messages_of_page(text) if path.suffix == ".j2" else _OfModule(name).messages(text)
        )
        for message in messages:
            found.setdefault(message, set()).add(name)
    return {message: sorted(files) for message, files in found.items()}


def _sources(root: Path) -> Iterator[Path]:
    for part in _ROOTS:
        yield from sorted((root / part).rglob("*.py"))
        yield from sorted((root / part).rglob("*.j2"))


class _OfModule:
    """The messages of one module."""

    def __init__(self, name: str) -> None:
        self._in_window = name.startswith("gui/")
        self._commands = name.startswith("recon3d/cli/")
        self._unread = _FOR_PROGRAMMERS - ({"ValueError"} if name.startswith(_READERS) else set())
        self._skipped: set[ast.AST] = set()

    def messages(self, text: str) -> Iterator[str]:
        """Each, perhaps several times."""
        tree = ast.parse(text)
        self._skipped = set(_no_words(tree, self._unread))
        yield from self._explanations(tree)
        yield from self._of(tree)

    def _of(self, node: ast.AST) -> Iterator[str]:
        if node in self._skipped:
            return
        if isinstance(node, ast.Call) and _called(node) in _MARKING:
            for parts in _marked(node):
                if _SPOKEN.search(_with_gaps(parts)):
                    yield _as_message(_with_distinct_names(parts))
            return
        if isinstance(node, ast.Call) and _is_logging(node):
            yield from self._logged(node)
            return
        if _is_text(node):
            yield from self._cases(node)
            return
        for child in ast.iter_child_nodes(node):
            yield from self._of(child)

    def _cases(self, node: ast.AST) -> Iterator[str]:
        cases = _expanded(node)
        if len(cases) > _MOST_CASES:
            cases = cases[:1]
        for parts in cases:
            if self._is_for_people(parts):
                yield _as_message(_with_distinct_names(parts))
            elif self._commands and (labelled := _LABELLED.match(_with_gaps(parts))):
                yield labelled[1]
        # What is computed inside of it may be words too.
        for inner in _computed(node):
            yield from self._of(inner)

    def _is_for_people(self, parts: Parts) -> bool:
        text = _with_gaps(parts)
        if not _A_WORD.search(text) or _NO_WORDS.search(text):
            return False
        return bool(_PHRASE.search(text)) or (self._in_window and bool(_LABEL.fullmatch(text)))

    def _logged(self, call: ast.Call) -> Iterator[str]:
        text = call.args[0] if call.args else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            parts: list[str | Place] = []
            at = 0
            names = iter(call.args[1:])
            for found in _LOGGED.finditer(text.value):
                parts.append(text.value[at : found.start()])
                at = found.end()
                if found[1] == "%":
                    parts.append("%")
                else:
                    argument = next(names, None)
                    name = _name_of(argument) if argument else "value"
                    parts.append(Place(name, _KIND_OF_LOGGED.get(found[1], "").lstrip(":")))
            parts.append(text.value[at:])
            if self._is_for_people(parts):
                yield _as_message(_with_distinct_names(_merged(parts)))
        elif text is not None:
            yield from self._of(text)
        for argument in call.args[1:]:
            yield from self._of(argument)

    def _explanations(self, tree: ast.Module) -> Iterator[str]:
        """Docstrings that are help: of settings, of commands, and of their fields."""
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef) or not _is_settings(node, self._commands):
                continue
            if words := ast.get_docstring(node):
                yield from paragraphs(words)
            for field, text in zip(node.body, node.body[1:], strict=False):
                match field, text:
                    case ast.AnnAssign(annotation=ast.Subscript(value=ast.Name(id="ClassVar"))), _:
                        pass
                    case ast.AnnAssign(), ast.Expr(value=ast.Constant(value=str(words))):
                        yield from paragraphs(inspect.cleandoc(words))


def paragraphs(words: str) -> Iterator[str]:
    """Of a docstring, each as one line."""
    for paragraph in words.split("\n\n"):
        words = " ".join(paragraph.split())
        if not _COMMAND_LINE.fullmatch(words):
            yield _as_message([words])


def _with_gaps(parts: Parts) -> str:
    return "".join(part if isinstance(part, str) else "\0" for part in parts).strip()


def _as_message(parts: Parts) -> str:
    return message_of(parts).strip()


def _is_settings(node: ast.ClassDef, is_command: bool) -> bool:
    dataclass = any("kw_only" in ast.dump(decorator) for decorator in node.decorator_list)
    named = node.name.endswith(("Config", "Recipe", "Schedule", "Data", "Settings", "Inputs"))
    return dataclass and (is_command or named)


def _no_words(tree: ast.Module, unread: set[str]) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                yield node
            case ast.Call() if _called(node) in unread:
                yield node
            case ast.Assert(msg=ast.AST() as message):
                yield message
            case ast.Subscript(value=ast.Name(id="Literal" | "Float" | "Int" | "UInt8" | "Bool")):
                yield node
        for part in ("annotation", "returns"):
            if annotation := getattr(node, part, None):
                yield annotation


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _marked(node: ast.AST) -> Iterator[list[str | Place]]:
    """Texts of a call that marks them, without the keys of tables."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            yield from _expanded(node)
        case ast.Dict(values=values):
            for value in values:
                yield from _marked(value)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _marked(child)


def _is_logging(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="_log" | "_logger" | "logger"), attr=level):
            return level in ("info", "warning", "error")
    return False


def _is_text(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_text(left) or _is_text(right)
    return False


def _expanded(node: ast.AST) -> list[list[str | Place]]:
    """Every case of a text."""
    match node:
        case ast.Constant(value=str(text)):
            return [_formatted(text)]
        case ast.IfExp(body=one, orelse=other):
            # Only where both are words: other values stand in places.
            if all(map(_is_fixed, (one, other))):
                return [*_expanded(one), *_expanded(other)]
        case ast.JoinedStr(values=values):
            return _products(map(_expanded, values))
        case ast.FormattedValue(value=value, format_spec=spec):
            if spec is None and isinstance(value, ast.IfExp) and _is_fixed(value):
                return _expanded(value)
            return [[Place(_name_of(value), _spec(spec))]]
        case ast.BinOp(left=left, op=ast.Add(), right=right) if _is_text(node):
            return _products([_expanded(left), _expanded(right)])
    return [[Place(_name_of(node))]]


def _formatted(text: str) -> list[str | Place]:
    """A text that str.format may fill; {} and {name} are places, other braces are braces."""
    if not re.search(r"\{[a-z_0-9]*\}", text) or re.search(
        r"\{\{|\}\}|\{[^}]*[^a-z_0-9}][^}]*\}", text
    ):
        return [text]
    return [
        Place(part.name or "value") if isinstance(part, Place) else part
        for part in parts_of(text)
    ]  # fmt: skip


def _products(parts: Iterable[list[list[str | Place]]]) -> list[list[str | Place]]:
    return [
        _merged([part for piece in pieces for part in piece]) for pieces in product(*parts)
    ]  # fmt: skip


def _is_fixed(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.IfExp(body=one, orelse=other):
            return _is_fixed(one) and _is_fixed(other)
    return False


def _computed(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FormattedValue(value=value):
            if not (isinstance(value, ast.IfExp) and _is_fixed(value)):
                yield value
        case ast.JoinedStr(values=values):
            for value in values:
                yield from _computed(value)
        case ast.BinOp(left=left, right=right):
            for side in (left, right):
                if _is_text(side):
                    yield from _computed(side)
                else:
                    yield side


def _spec(node: ast.expr | None) -> str:
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(text))]) if text[-1] in "dfegn%,":
            return text.lstrip(" <>^")
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]) if text[-1] in "dfegn%,":
            return text[-1]
    return ""


def _name_of(node: ast.AST) -> str:
    """A name for the place of a value, for translators to go by."""
    match node:
        case ast.Name(id=name):
            return name.strip("_") or "value"
        case ast.Attribute(attr="name" | "value" | "id" | "stem" as name, value=ast.Name(id=of)):
            return f"{of}_{name}"
        case ast.Attribute(attr=name):
            return name.strip("_")
        case ast.Subscript(slice=ast.Constant(value=str(name))) if name.isidentifier():
            return name
        case ast.Subscript(value=value):
            return _name_of(value)
        case ast.Call(func=ast.Name(id="len"), args=[of]):
            return f"{_name_of(of)}_count"
        case ast.Call(func=ast.Attribute(attr="join"), args=[of]):
            return _name_of(of)
        case ast.Call(func=ast.Attribute(value=of), args=[]):
            return _name_of(of)
        case ast.Call(args=[of, *_]) if isinstance(of, ast.Name | ast.Attribute | ast.Subscript):
            return _name_of(of)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name.strip("_")
        case ast.BinOp(left=left, right=right):
            return _name_of(right if isinstance(left, ast.Constant) else left)
    return "value"


def _with_distinct_names(parts: Parts) -> list[str | Place]:
    seen: dict[str, int] = {}
    named: list[str | Place] = []
    for part in parts:
        if isinstance(part, Place):
            name = part.name.lower()
            seen[name] = number = seen.get(name, 0) + 1
            part = Place(name if number == 1 else f"{name}_{number}", part.spec)
        named.append(part)
    return named


def _merged(parts: Sequence[str | Place]) -> list[str | Place]:
    merged: list[str | Place] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return merged


def by_file(messages: Mapping[str, Sequence[str]]) -> list[str]:
    """The messages in the order of files, so that those of one topic are together."""
    return sorted(messages, key=lambda message: (messages[message][0], message))
