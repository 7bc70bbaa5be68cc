"""The messages in a Jinja template of a page: its texts between tags, in every case."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest

from jinja2 import Environment, nodes

from recon3d.language.templates import Place, message_of

_TAGS = re.compile(r"(<[^>]*>)")
_SENTENCES = re.compile(r"(?<=[.!?]) (?=\S)")
_WORDS = re.compile(r"[A-Za-z]{2,}")
_PHRASE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
_FORMAT = re.compile(r"%[^a-z%]*[a-z]")
_MOST_CASES = 200
_Parts = tuple[str | Place, ...]


def messages_of_page(text: str) -> Iterator[str]:
    """Each text that can come out between two tags, with places for values."""
    text = re.sub(r"<(style|script)\b.*?</\1>", "<hr>", text, flags=re.DOTALL)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    walk, page = _Walk(), environment.parse(text)
    walk.end(walk.through(page.body, [()]))
    # What macros are given to show, and what is shown for each of a list.
    for call in page.find_all(nodes.Call):
        walk.tell(case for given in call.args for case in _values(given))
    for loop in page.find_all(nodes.For):
        walk.tell(case for given in loop.iter.find_all(nodes.Const) for case in _values(given))
    return iter(walk.messages)


class _Walk:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self._in_tag = False

    def through(self, body: Sequence[nodes.Node], cases: list[_Parts]) -> list[_Parts]:
        """What may stand since the last tag, after a part of the template."""
        for node in body:
            cases = self._after(node, cases)
            if len(cases) > _MOST_CASES:
                cases = cases[:_MOST_CASES]
        return cases

    def _after(self, node: nodes.Node, cases: list[_Parts]) -> list[_Parts]:
        match node:
            case nodes.Output():
                for each in node.nodes:
                    cases = self._shown(each, cases)
                return cases
            case nodes.If():
                others = [*node.elif_]
                ends = self.through(node.body, cases)
                for other in others:
                    ends = [*ends, *self.through(other.body, cases)]
                return _distinct([*ends, *self.through(node.else_, cases)])
            case nodes.For():
                inside = _Walk()
                inside.end(inside.through([*node.body, *node.else_], [()]))
                if any(isinstance(part, nodes.TemplateData) and "<" in part.data
                       for part in node.find_all(nodes.TemplateData)):  # fmt: skip
                    self.end(cases)
                    self.messages += inside.messages
                    return [()]
                return self._with([(Place("values"),)], cases)
            case nodes.CallBlock():
                inside = _Walk()
                inside.end(inside.through(node.body, [()]))
                self.messages += inside.messages
                return cases
            case nodes.Macro() | nodes.Block():
                self.end(self.through(node.body, [()]))
                return cases
        return cases

    def _shown(self, node: nodes.Node, cases: list[_Parts]) -> list[_Parts]:
        if not isinstance(node, nodes.TemplateData):
            return cases if self._in_tag else self._with(_values(node), cases)
        text = node.data
        if self._in_tag:
            _, closed, text = text.partition(">")
            if not closed:
                return cases
            self._in_tag = False
        for part in _TAGS.split(text):
            if part.startswith("<") and part.endswith(">"):
                self.end(cases)
                cases = [()]
                continue
            words, opened, _ = part.partition("<")
            if words:
                cases = self._with([(words,)], cases)
            if opened:
                self.end(cases)
                cases, self._in_tag = [()], True
        return cases

    @staticmethod
    def _with(values: list[_Parts], cases: list[_Parts]) -> list[_Parts]:
        return [(*case, *value) for case in cases for value in values]

    def tell(self, cases: Iterable[_Parts]) -> None:
        """Phrases that some tag will show."""
        self.end([case for case in cases if _PHRASE.search(_message(case))])

    def end(self, cases: list[_Parts]) -> None:
        """A tag ends the texts."""
        for case in cases:
            self.messages += filter(_says_something, _SENTENCES.split(_message(case)))


def _says_something(message: str) -> bool:
    return bool(_WORDS.search(re.sub(r"\{[^}]*\}", "", message)))


def _values(node: nodes.Node) -> list[_Parts]:
    match node:
        case nodes.Const(value=str(text)):
            return [(text,)]
        case nodes.CondExpr():
            other = _values(node.expr2) if node.expr2 else [()]
            return [*_values(node.expr1), *other]
        case nodes.Or():
            return [*_values(node.left), *_values(node.right)]
        case nodes.Filter(name="format", node=nodes.Const(value=str(text))) if " " in text:
            words = _FORMAT.split(text)
            values = [Place(_name(given)) for given in node.args]
            return [tuple(chain(*zip_longest(words, values, fillvalue="")))]
        case nodes.Concat():
            cases: list[_Parts] = [()]
            for each in node.nodes:
                cases = _Walk._with(_values(each), cases)
            return cases
        case nodes.Getitem(node=nodes.Dict() as table):
            return [case for pair in table.items for case in _values(pair.value)]
        case nodes.Call(node=nodes.Getattr(node=nodes.Dict() as table)):
            return [*(case for pair in table.items for case in _values(pair.value)),
                    *(case for given in node.args[1:] for case in _values(given))]  # fmt: skip
    return [(Place(_name(node)),)]


def _name(node: nodes.Node | None) -> str:
    match node:
        case nodes.Getattr():
            return str(node.attr)
        case nodes.Name():
            return str(node.name)
        case nodes.Filter():
            inner = node.node
            # "%.1f" | format(value)
            return _name(node.args[0] if node.name == "format" and node.args else inner)
        case nodes.Getitem():
            return _name(node.node)
        case nodes.Mul() | nodes.Div() | nodes.Sub() | nodes.Add():
            return _name(node.right if isinstance(node.left, nodes.Const) else node.left)
    return "value"


def _message(case: _Parts) -> str:
    parts: list[str | Place] = []
    seen: dict[str, int] = {}
    for part in case:
        if isinstance(part, Place):
            seen[part.name] = number = seen.get(part.name, 0) + 1
            parts.append(Place(part.name if number == 1 else f"{part.name}_{number}"))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    text = "".join(part for part in parts if isinstance(part, str))
    if not _WORDS.search(text.replace("px", "")):
        return ""
    words = re.sub(r"[ \t\n]+", " ", message_of(parts)).strip()
    return html.unescape(words)


def _distinct(cases: list[_Parts]) -> list[_Parts]:
    return list(dict.fromkeys(cases))
